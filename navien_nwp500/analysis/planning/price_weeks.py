"""Sample weeks of prices: one for each month of a calendar, or weeks of a published series."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Sequence

import numpy as np

from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_DAY, Weekday
from ..prices import ClockSpan, FixedPrices, PriceSeries, PriceSource
from ..prices.price_series import UTC
from .heating_plan import DAY_STEPS, STEP_MINUTES, WEEK_DAYS, WEEK_STEPS, PlanWindow
from .zone_arrays import Array

WEEKS_OF_YEAR = 365.25 / 7
#: Weeks of a published series that are tried.
_MOST_WEEKS = 8
_STEP = timedelta(minutes=STEP_MINUTES)
_SPAN = _STEP * WEEK_STEPS
_WEEK = tuple(Weekday)


class PriceWeek(NamedTuple):
    """Prices of a week, a Sunday before it included, and the weeks of a year for which it stands."""

    prices: Array
    months: tuple[int, ...]
    share: float


def price_weeks(source: PriceSource, after: datetime, offset: timedelta) -> list[PriceWeek]:
    """Return sample weeks whose shares add up to a year.

    ``after`` is the last reading, ``offset`` that of the heater's clock from UTC. Raises
    ConfigurationError when the prices cover no whole week.
    """
    if isinstance(source, FixedPrices):
        return _published(source.series, offset)
    found: dict[bytes, PriceWeek] = {}
    for month in range(1, 13):
        prices = _week(source, _sunday(after, month), offset)
        if prices is None:
            raise ConfigurationError(f"{source.label or 'the tariff'} has hours without a price")
        before = found.get(prices.tobytes())
        months = (month,) if before is None else (*before.months, month)
        found[prices.tobytes()] = PriceWeek(prices, months, WEEKS_OF_YEAR * len(months) / 12)
    return list(found.values())


def _sunday(after: datetime, month: int) -> datetime:
    """Return midnight of a Sunday in the middle of the next such month."""
    year = after.year + (month < after.month)
    middle = datetime(year, month, 15)
    return middle - timedelta(days=(middle.weekday() + 1) % 7)


def _week(source: PriceSource, sunday: datetime, offset: timedelta) -> Array | None:
    start = sunday.replace(tzinfo=UTC) - offset
    # A tariff in its own time zone follows its clock changes; the sample weeks have none.
    margin = timedelta(hours=3)
    clock = [ClockSpan(start - margin, start + _SPAN + margin, offset)]
    return _array(source.between(start, start + _SPAN, clock), start)


def _array(series: PriceSeries, start: datetime) -> Array | None:
    """Return the price of each step of a week; None when one has none."""
    prices = np.full(WEEK_STEPS, np.nan)
    for one in series.within(start, start + _SPAN):
        first = -((start - one.start) // _STEP)
        after = -((start - one.end) // _STEP)
        prices[max(0, first) : after] = one.price
    return None if np.isnan(prices).any() else prices


def _published(series: PriceSeries, offset: timedelta) -> list[PriceWeek]:
    found: list[tuple[Array, int]] = []
    if series.intervals:
        begin = series.intervals[0].start + offset
        day = begin.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        day += timedelta(days=(6 - day.weekday()) % 7)
        while day - offset + _SPAN <= series.intervals[-1].end:
            prices = _array(series, day - offset)
            if prices is not None:
                found.append((prices, (day + timedelta(days=4)).month))
            day += timedelta(days=7)
    if not found:
        raise ConfigurationError(
            f"{series.label or 'the tariff'} covers no whole week from Sunday to Sunday: a plan needs "
            "the prices of at least 15 days"
        )
    places = sorted(set(np.linspace(0, len(found) - 1, _MOST_WEEKS).round().astype(int).tolist()))
    share = WEEKS_OF_YEAR / len(places)
    return [PriceWeek(found[place][0], (found[place][1],), share) for place in places]


def mean_day(weeks: Sequence[PriceWeek]) -> Array:
    """Return the mean price of each half hour of a day, over the year."""
    shares = np.array([week.share for week in weeks])
    days = np.stack(
        [week.prices[DAY_STEPS:].reshape(7, 48, -1).mean(axis=(0, 2)) for week in weeks]
    )
    return np.asarray((days * (shares / shares.sum())[:, None]).sum(axis=0))


def top_price_windows(weeks: Sequence[PriceWeek], levels: int) -> tuple[PlanWindow, ...]:
    """Return windows over the ``levels`` highest prices of each weekday, by month.

    A day with no more prices than that has none.
    """
    grouped: dict[tuple[int, int, frozenset[int]], set[Weekday]] = {}
    for week in weeks:
        for place, day in enumerate(WEEK_DAYS[1:], 1):
            prices = week.prices[place * DAY_STEPS : (place + 1) * DAY_STEPS]
            for span in _top_spans(prices, levels):
                grouped.setdefault((*span, frozenset(week.months)), set()).add(_WEEK[day])
    return tuple(
        PlanWindow(start, end, frozenset(days), months)
        for (start, end, months), days in sorted(grouped.items(), key=lambda one: one[0][:2])
    )


def _top_spans(prices: Array, levels: int) -> list[tuple[int, int]]:
    known = np.unique(prices)
    if len(known) <= levels:
        return []
    return spans(prices >= known[-levels])


def mean_price_windows(day: Array) -> tuple[PlanWindow, ...]:
    """Return one window over the dearest time of the mean day, in half hours above its upper quarter."""
    dear = day > np.quantile(day, 0.75)
    found = spans(np.repeat(dear, DAY_STEPS // 48))
    longest = max(found, key=lambda span: span[1] - span[0], default=None)
    return () if longest is None else (PlanWindow(*longest, EVERY_DAY),)


def spans(flags: Array) -> list[tuple[int, int]]:
    """Return the minutes of the day between which the flags of its steps are true."""
    padded = np.concatenate([[False], flags, [False]]).astype(int)
    edges: Array = np.flatnonzero(np.diff(padded)) * STEP_MINUTES
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2])]
