"""Comparison of two time-of-use plans, by month, weekday and minute."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Iterable, NamedTuple, Sequence

from .calendar import EVERY_MONTH, Weekday
from .tou import TOUPeriod, minute_of_day, written_price


class TOUDifference(NamedTuple):
    """Time of day at which two plans have other prices, or one of them has none.

    ``end`` is the last minute. ``first`` and ``second`` are the lowest and the highest price in
    each plan; None where it has no period.
    """

    months: frozenset[int]
    days: frozenset[Weekday]
    start: datetime.time
    end: datetime.time
    first: tuple[Decimal, Decimal] | None
    second: tuple[Decimal, Decimal] | None


class _Span(NamedTuple):
    """The same difference without its dates, in minutes of the day."""

    start: int
    end: int
    first: tuple[Decimal, Decimal] | None
    second: tuple[Decimal, Decimal] | None


def compare_tou(
    first: Sequence[TOUPeriod], second: Sequence[TOUPeriod]
) -> tuple[TOUDifference, ...]:
    """Return where the prices of two plans differ, however the plans are cut into periods.

    Prices are compared as they are written, with 5 decimal places.
    """
    found: dict[_Span, dict[int, set[Weekday]]] = {}
    for month in sorted(EVERY_MONTH):
        for day in Weekday:
            one, other = (
                [period for period in plan if month in period.months and day in period.days]
                for plan in (first, second)
            )
            for span in _differing_spans(one, other):
                found.setdefault(span, {}).setdefault(month, set()).add(day)
    differences = []
    for span, days_of in found.items():
        months_of: dict[frozenset[Weekday], set[int]] = {}
        for month, days in days_of.items():
            months_of.setdefault(frozenset(days), set()).add(month)
        start, end = (datetime.time(*divmod(minute, 60)) for minute in (span.start, span.end))
        differences += [
            TOUDifference(frozenset(months), days, start, end, span.first, span.second)
            for days, months in months_of.items()
        ]
    return tuple(differences)


def _differing_spans(first: Sequence[TOUPeriod], second: Sequence[TOUPeriod]) -> list[_Span]:
    edges = {0, 24 * 60}
    for period in (*first, *second):
        edges |= {minute_of_day(period.start), minute_of_day(period.end) + 1}
    spans: list[_Span] = []
    for start, end in zip(sorted(edges), sorted(edges)[1:]):
        prices = _prices_at(first, start), _prices_at(second, start)
        if prices[0] == prices[1]:
            continue
        if spans and spans[-1][1:] == (start - 1, *prices):
            start = spans.pop().start
        spans.append(_Span(start, end - 1, *prices))
    return spans


def _prices_at(periods: Iterable[TOUPeriod], minute: int) -> tuple[Decimal, Decimal] | None:
    for period in periods:
        if minute_of_day(period.start) <= minute <= minute_of_day(period.end):
            return written_price(period.price_min), written_price(period.price_max)
    return None
