"""Heating runs of a heater, from its statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..protocol.types import DeciCelsius, Flag
from .quarters import QUARTER_MS, VALID_MS
from .schema import STATUS
from .spans import TimeSpan
from .store import HistoryStore, StoredHeater
from .value_series import milliseconds, recorded_bounds

_WH = 3_600_000
_HEAT_PUMP = STATUS.c.comp_use == int(Flag.ACTIVE)
_ELEMENT = sa.or_(
    STATUS.c.heat_upper_use == int(Flag.ACTIVE), STATUS.c.heat_lower_use == int(Flag.ACTIVE)
)


@dataclass(frozen=True)
class StoredRun:
    """A time in which the heat pump or an element ran, in ms since 1970; a gap ends it.

    ``end`` is None while it lasts, as far as is known. Temperatures are in °C, of the first status of
    the run and of the one that ended it.
    """

    start: int
    end: int | None
    wh: float
    max_watts: int
    element: bool
    upper_from: float | None
    upper_to: float | None
    lower_from: float | None
    lower_to: float | None


def heating_runs(store: HistoryStore, heater: StoredHeater, span: TimeSpan) -> list[StoredRun]:
    """Return the runs of which a part is in a span, the newest first."""
    begin, end = span.start, span.end
    with store.database.reading() as connection:
        rows = connection.execute(_query(store, heater, begin, end)).all()
        ends = {row[2] for row in rows}
        temperatures = _temperatures(connection, heater, {row[1] for row in rows} | ends)
        last = connection.execute(
            sa.select(sa.func.max(STATUS.c.time)).where(STATUS.c.heater_id == heater.id)
        ).scalar_one()
    found = []
    for _, first, over, until, watt_ms, watts, element in rows:
        if until < begin:
            continue
        upper_from, lower_from = temperatures[first]
        upper_to, lower_to = temperatures[over]
        lasts = over == last and until == last
        found.append(
            StoredRun(
                first,
                None if lasts else until,
                float(watt_ms) / _WH,  # a Decimal in PostgreSQL
                watts or 0,
                bool(element),
                upper_from,
                upper_to,
                lower_from,
                lower_to,
            )
        )
    return found[::-1]


def runs_known_from(store: HistoryStore, heater: StoredHeater) -> int | None:
    """Return the ms since 1970 from which statuses are stored, if older ones were deleted; else None."""
    recorded = recorded_bounds(store, heater)
    query = sa.select(sa.func.min(STATUS.c.time)).where(STATUS.c.heater_id == heater.id)
    with store.database.reading() as connection:
        first: int | None = connection.execute(query).scalar_one()
    if recorded is None:
        return None
    begin, end = recorded
    if first is None:
        return end
    return first if first >= begin + QUARTER_MS else None


def _query(store: HistoryStore, heater: StoredHeater, begin: int, end: int) -> Any:
    """Return the query of the runs: number, first status, status at the end, end, sums."""
    time, heats = STATUS.c.time, sa.or_(_HEAT_PUMP, _ELEMENT)
    ms = milliseconds(time, store)
    in_order = {"order_by": time}
    # A run that begins before the span or ends after it is seen whole.
    within = (
        STATUS.c.heater_id == heater.id,
        time >= begin - _LONGEST_MS,
        time < end + _LONGEST_MS,
    )
    statuses = sa.select(
        ms.label("ms"),
        sa.case((heats, 1), else_=0).label("heats"),
        sa.case((_ELEMENT, 1), else_=0).label("element"),
        sa.func.coalesce(STATUS.c.current_inst_power, 0).label("watts"),
        sa.func.lead(ms).over(**in_order).label("following"),
        sa.func.lag(ms).over(**in_order).label("before"),
        sa.func.lag(sa.case((heats, 1), else_=0)).over(**in_order).label("heated"),
    ).where(*within)
    one = statuses.subquery()
    same = sa.and_(one.c.heated == 1, one.c.ms - one.c.before <= VALID_MS)
    begins = sa.case(
        (sa.and_(one.c.heats == 1, sa.not_(sa.func.coalesce(same, False))), 1), else_=0
    )
    numbered = sa.select(one, sa.func.sum(begins).over(order_by=one.c.ms).label("run")).subquery()
    columns = numbered.c
    gap = columns.following - columns.ms > VALID_MS
    until = sa.case(
        (gap, columns.ms + VALID_MS), else_=sa.func.coalesce(columns.following, columns.ms)
    )
    over = sa.case((gap, columns.ms), else_=sa.func.coalesce(columns.following, columns.ms))
    return (
        sa.select(
            columns.run,
            sa.func.min(columns.ms),
            sa.func.max(over),
            sa.func.max(until),
            sa.func.sum(columns.watts * (until - columns.ms)),
            sa.func.max(columns.watts),
            sa.func.max(columns.element),
        )
        .where(columns.heats == 1)
        .group_by(columns.run)
        .having(sa.func.min(columns.ms) < end)
        .order_by(columns.run)
    )


#: The longest part of a run that is seen outside the span.
_LONGEST_MS = 86_400_000


def _temperatures(
    connection: Any, heater: StoredHeater, times: set[int]
) -> dict[int, tuple[float | None, float | None]]:
    """Return upper and lower temperature of the statuses at these times."""
    found = {}
    wanted = sorted(times)
    for at in range(0, len(wanted), 500):
        query = sa.select(
            STATUS.c.time, STATUS.c.tank_upper_temperature, STATUS.c.tank_lower_temperature
        ).where(STATUS.c.heater_id == heater.id, STATUS.c.time.in_(wanted[at : at + 500]))
        for time, *values in connection.execute(query):
            upper, lower = (None if v is None else v / DeciCelsius.per_degree for v in values)
            found[time] = (upper, lower)
    return found
