"""Energy and cost of hours, days and months, from the quarter hours."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Sequence

import sqlalchemy as sa

from .quarters import QUARTER_MS
from .schema import QUARTER
from .spans import DAY_MS, TimeSpan, parts
from .store import HistoryStore, StoredHeater
from .value_series import local_milliseconds

#: Prices of electricity per kWh: half-open times in ms since 1970, in order, each with its price.
Prices = Sequence["tuple[int, int, float]"]


@dataclass
class EnergyPeriod:
    """Energy of a period. ``wh`` is None where nothing is known of it.

    ``known``: the share of its time, until now, in which the power is known, 0 to 1. ``cost`` is None
    without prices, and where the price of some of its energy is unknown.
    """

    span: TimeSpan
    wh: float | None = None
    cost: float | None = None
    known: float = 0.0


class PriceTable:
    """Lookup of the cost of energy. ``prices`` are as described at ``Prices``."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._starts = [start for start, _, _ in prices]

    def cost(self, start: int, end: int, wh: float) -> float | None:
        """Return the cost of energy that is used evenly over a time; None where a price is missing."""
        if not wh:
            return 0.0
        covered, cost = 0, 0.0
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._prices) and self._prices[index][0] < end:
            first, after, price = self._prices[index]
            overlap = min(end, after) - max(start, first)
            if overlap > 0:
                covered += overlap
                cost += overlap * price
            index += 1
        return cost * wh / 1000 / (end - start) if covered == end - start else None


def energy_periods(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, *, now: int, prices: Prices | None
) -> tuple[list[EnergyPeriod], EnergyPeriod]:
    """Return the hours, days or months of a span, and its total. ``now``: the present time in ms."""
    rows = [EnergyPeriod(part) for part in parts(span, heater.time_zone)]
    table = None if prices is None else PriceTable(prices)
    seconds = [0.0] * len(rows)
    starts = [row.span.start for row in rows]
    for begin, known, wh in _sums(store, heater, span, priced=table is not None):
        index = bisect_right(starts, begin) - 1
        row = rows[index]
        cost = None if table is None else table.cost(begin, begin + QUARTER_MS, wh)
        first = row.wh is None
        row.cost = cost if first else _sum(row.cost, cost)
        row.wh = (row.wh or 0.0) + wh
        seconds[index] += known
    for row, known in zip(rows, seconds):
        row.known = _share(known, row.span, now)
    found = [row for row in rows if row.wh is not None]
    total = EnergyPeriod(span, known=_share(sum(seconds), span, now))
    if found:
        total.wh = sum(row.wh or 0.0 for row in found)
        total.cost = found[0].cost
        for row in found[1:]:
            total.cost = _sum(total.cost, row.cost)
    return rows, total


def _sums(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, *, priced: bool
) -> list[tuple[int, float, float]]:
    """Return start, known seconds and energy of the quarter hours of a span, or of its days."""
    columns = QUARTER.c
    within = (columns.heater_id == heater.id, columns.time >= span.start, columns.time < span.end)
    query: Any
    if priced or span.by == "hour":
        query = sa.select(columns.time, columns.seconds_known, columns.wh).order_by(columns.time)
    else:
        clock = local_milliseconds(columns.time, store, span, heater.time_zone)
        query = sa.select(
            sa.func.min(columns.time), sa.func.sum(columns.seconds_known), sa.func.sum(columns.wh)
        ).group_by(clock // DAY_MS)
    with store.database.reading() as connection:
        return [(int(row[0]), row[1], row[2]) for row in connection.execute(query.where(*within))]


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _share(seconds: float, span: TimeSpan, now: int) -> float:
    elapsed = min(span.end, now) - span.start
    return min(1.0, 1000 * seconds / elapsed) if elapsed > 0 else 0.0
