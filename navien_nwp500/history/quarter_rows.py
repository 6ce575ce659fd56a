"""Rows of the quarter hours of a history database, kept in step with the statuses."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .quarters import FIELDS, QUARTER_MS, VALID_MS, quarter_start, roll_up
from .schema import QUARTER, STATUS


def update_quarters(connection: Any, heater_id: int, first: int, last: int) -> None:
    """Compute the quarter hours again that statuses from ``first`` to ``last`` change."""
    time, mine = STATUS.c.time, STATUS.c.heater_id == heater_id
    query = sa.select(sa.func.max(time)).where(mine, time < first)
    before = connection.execute(query).scalar_one()
    begin = quarter_start(first if before is None else before)
    end = quarter_start(last + VALID_MS) + QUARTER_MS
    columns = sa.select(time, *(STATUS.c[name] for name in FIELDS)).where(mine)
    columns = columns.order_by(time)
    within = columns.where(time >= begin - VALID_MS, time < end)
    rows = connection.execute(within).all()
    rows += connection.execute(columns.where(time >= end).limit(1)).all()
    statuses = [(row[0], dict(zip(FIELDS, row[1:]))) for row in rows]
    place = (QUARTER.c.heater_id == heater_id, QUARTER.c.time >= begin, QUARTER.c.time < end)
    known = sa.select(QUARTER.c.time, QUARTER.c.seconds_known).where(*place)
    stored = {row[0]: row[1] for row in connection.execute(known)}
    # More is known in a stored quarter hour only if its statuses were deleted: it stays.
    found = [
        {"heater_id": heater_id, **row}
        for row in roll_up(statuses)
        if begin <= row["time"] < end and row["seconds_known"] >= stored.get(row["time"], 0)
    ]
    if found:
        replaced = QUARTER.c.time.in_([row["time"] for row in found])
        connection.execute(sa.delete(QUARTER).where(*place, replaced))
        connection.execute(sa.insert(QUARTER), found)
