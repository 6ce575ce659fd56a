"""The heater's own plan from other prices: seasons, weekday groups and periods, as many as fit.

A plan has one price for each minute of each weekday of each month, at most 40 periods as written,
and at most 16 of the same months and weekdays (PROTOCOL 8.4). What does not fit is merged, and told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal
from itertools import product
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence, Tuple
from zoneinfo import ZoneInfo

from ..._util.text import clean_text
from ...exceptions import ConfigurationError, ValueOutOfRangeError
from ...protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS, WEEKEND, Weekday
from ...protocol.tou import (
    DOUBTFUL_GROUP,
    MAX_PERIODS,
    TOUPeriod,
    check_tou,
    encode_tou_mqtt,
    largest_group,
)
from .calendar_prices import MINUTES_OF_DAY, CalendarPrices, DayPrice
from .heater_plan import PlanFile
from .openei_rates import rate_notes, read_openei, select_rate
from .plan_losses import HOLIDAYS, calendar_losses, rounded_price, window_losses
from .price_series import PriceSeries, PriceSource
from .timed_prices import TariffOptions

_HOUR = timedelta(hours=1)
_MAX_PRICE = 2**31 // 10**5 - 1
#: Numbers of different prices that are tried, most first.
_LEVELS = (12, 8, 6, 5, 4, 3, 2)
#: Equal parts of the range of prices, of which each is at most one price of the plan.
_PARTS = 64
_DAILY = (
    "These prices change from day to day, and the plan does not: it has their mean for each hour of "
    "the day."
)
_WEEK_GROUPS = (
    tuple(frozenset((day,)) for day in Weekday),
    (WEEKDAYS, WEEKEND),
    (EVERY_DAY,),
)

_Key = Tuple[int, Weekday]


class _Slot(NamedTuple):
    """Part of a day: first minute, minute after its last, lowest and highest price."""

    start: int
    end: int
    low: Decimal
    high: Decimal


_Days = Mapping[_Key, Sequence[_Slot]]


class ConvertedPlan(NamedTuple):
    """Plan for the heater, and what it says otherwise than the prices it was made from."""

    periods: list[TOUPeriod]
    notes: tuple[str, ...]


class PriceWindow(NamedTuple):
    """Time in which a plan shall hold heating back: minutes of the day, ``end`` not included.

    An ``end`` that is not after ``start`` is on the next day; both equal: the whole day.
    """

    days: frozenset[Weekday]
    start: int
    end: int
    months: frozenset[int] = EVERY_MONTH


def window_plan(
    windows: Iterable[PriceWindow],
    *,
    low: Decimal = Decimal("0.10"),
    high: Decimal = Decimal("0.50"),
) -> list[TOUPeriod]:
    """Return a plan with two prices, in which the given windows alone are the dearest times.

    The heater holds heating back then (PROTOCOL 8.4); a day without a window has one price and
    none. Windows may overlap. Raises ValueOutOfRangeError when a window is not within a day, the
    prices are equal, or the plan does not fit into the heater.
    """
    if not low < high:
        raise ValueOutOfRangeError("the price in the windows must be above the other")
    held: dict[_Key, set[int]] = {(month, day): set() for month in EVERY_MONTH for day in Weekday}
    week = list(Weekday)
    for window in windows:
        if not (0 <= window.start < MINUTES_OF_DAY and 0 <= window.end <= MINUTES_OF_DAY):
            raise ValueOutOfRangeError(f"a window is from minute {window.start} to {window.end}")
        length = window.end - window.start + (MINUTES_OF_DAY if window.end <= window.start else 0)
        for month, day in product(window.months, window.days):
            for minute in range(window.start, window.start + length):
                later, minute = divmod(minute, MINUTES_OF_DAY)
                held[month, week[(week.index(day) + later) % 7]].add(minute)
    days: dict[_Key, list[_Slot]] = {}
    for key, minutes in held.items():
        edges = [n for n in range(MINUTES_OF_DAY) if n == 0 or (n in minutes) != (n - 1 in minutes)]
        days[key] = [
            _Slot(start, end, *([high if start in minutes else low] * 2))
            for start, end in zip(edges, [*edges[1:], MINUTES_OF_DAY])
        ]
    periods = _periods(days)
    check_tou(periods)
    _check_groups(periods)
    return periods


def plan_from_prices(
    source: PriceSource,
    series: PriceSeries | None = None,
    zone: ZoneInfo | None = None,
) -> ConvertedPlan:
    """Return a plan of the heater for a tariff.

    Rules of a calendar are kept exactly where they fit. Of published prices the mean of each hour
    of the day counts, by season and weekdays: pass the ``series`` of the past and the heater's time
    ``zone``. Raises ConfigurationError when they are missing.
    """
    if isinstance(source, CalendarPrices):
        days = {key: _slots(day) for key, day in source.days.items()}
        notes = list(calendar_losses(source))
    else:
        if series is None or zone is None or not series.intervals:
            raise ConfigurationError(
                "these prices are of certain dates: a plan needs prices of the past and a time zone"
            )
        days = _mean_days(series, zone)
        notes = [_DAILY]
    if any(slot.low < 0 for day in days.values() for slot in day):
        notes.append("The heater has no prices below 0: those are 0 in the plan.")
        days = {
            key: [
                slot._replace(low=max(slot.low, Decimal(0)), high=max(slot.high, Decimal(0)))
                for slot in day
            ]
            for key, day in days.items()
        }
    if any(slot.high > _MAX_PRICE for day in days.values() for slot in day):
        raise ConfigurationError(f"a price is above {_MAX_PRICE} per kWh, the heater's highest")
    periods = _periods(days)
    if not _fits(periods):
        exact = len(encode_tou_mqtt(periods))
        periods, text = _merged(days)
        notes.append(
            f"The plan would need {exact} periods, and the heater has {MAX_PERIODS}: {text}"
        )
    check_tou(periods)
    return ConvertedPlan(periods, (*source.notes, *notes, *window_losses(periods)))


def openei_plan(content: Any, file: str, options: TariffOptions) -> PlanFile:
    """Return the plan for a rate of OpenEI, with its name and utility. Raises ConfigurationError."""
    rate = select_rate(content, file, options)
    prices = read_openei(content, file, options)
    # What is said of tiers and holidays otherwise concerns the costs of a report.
    plan = plan_from_prices(replace(prices, notes=(*rate_notes(rate, options), HOLIDAYS)))
    name, utility = (
        clean_text(value) if isinstance(value := rate.get(key), str) else None
        for key in ("name", "utility")
    )
    return PlanFile(plan.periods, name, utility, None, plan.notes)


def _slots(day: Sequence[DayPrice]) -> list[_Slot]:
    """Return the slots of a day, equal neighbours joined."""
    found: list[_Slot] = []
    for one in day:
        low, high = (rounded_price(edge) for edge in (one.scope or (one.price, one.price)))
        if found and found[-1][1:] == (one.start, low, high):
            found[-1] = found[-1]._replace(end=one.end)
        else:
            found.append(_Slot(one.start, one.end, low, high))
    return found


def _periods(days: _Days) -> list[TOUPeriod]:
    """Return the fewest periods: months with equal weeks, and weekdays with equal days, share one."""
    seasons: dict[tuple[tuple[_Slot, ...], ...], set[int]] = {}
    for month in sorted(EVERY_MONTH):
        week = tuple(tuple(days[month, day]) for day in Weekday)
        seasons.setdefault(week, set()).add(month)
    periods = []
    for week, months in seasons.items():
        groups: dict[tuple[_Slot, ...], set[Weekday]] = {}
        for day, slots in zip(Weekday, week):
            groups.setdefault(slots, set()).add(day)
        for slots, weekdays in groups.items():
            periods += [
                TOUPeriod(
                    frozenset(months), frozenset(weekdays), _time(start), _time(end - 1), low, high
                )
                for start, end, low, high in slots
            ]
    return periods


def _time(minute: int) -> time:
    return time(*divmod(minute, 60))


def _fits(periods: Sequence[TOUPeriod]) -> bool:
    return len(encode_tou_mqtt(periods)) <= MAX_PERIODS and largest_group(periods) <= DOUBTFUL_GROUP


def _check_groups(periods: Sequence[TOUPeriod]) -> None:
    if largest_group(periods) > DOUBTFUL_GROUP:
        raise ValueOutOfRangeError(
            f"a plan has at most {DOUBTFUL_GROUP} periods for the same months and weekdays, not "
            f"{largest_group(periods)}"
        )


def _mean_days(series: PriceSeries, zone: ZoneInfo) -> dict[_Key, list[_Slot]]:
    """Return mean prices by month, weekdays or weekend, and hour of the local day.

    An hour that the series does not have in a month has its mean over all months, then over all
    days.
    """
    sums: dict[tuple[int, str, int], list[float]] = {}
    for one in series.intervals:
        start = one.start
        while start < one.end:
            local = start.astimezone(zone)
            into = timedelta(minutes=local.minute, seconds=local.second)
            end = min(one.end, start - into + _HOUR)
            part = _part(Weekday.of(local))
            for key in ((local.month, part), (0, part), (0, "")):
                total = sums.setdefault((*key, local.hour), [0.0, 0.0])
                total[0] += one.price * ((end - start) / _HOUR)
                total[1] += (end - start) / _HOUR
            start = end

    def mean(month: int, part: str, hour: int) -> float:
        for key in ((month, part, hour), (0, part, hour), (0, "", hour)):
            if key in sums:
                return sums[key][0] / sums[key][1]
        raise ConfigurationError(f"the prices have no hour {hour:02d}:00: a plan needs whole days")

    return {
        (month, day): _slots(
            [DayPrice(h * 60, h * 60 + 60, mean(month, _part(day), h)) for h in range(24)]
        )
        for month in EVERY_MONTH
        for day in Weekday
    }


def _part(day: Weekday) -> str:
    return "weekend" if day in WEEKEND else "weekdays"


class _Merge(NamedTuple):
    """One way to merge, and its mean difference from the true prices."""

    difference: float
    worst: float
    seasons: int
    groups: int
    levels: int
    periods: list[TOUPeriod]


def _merged(days: _Days) -> tuple[list[TOUPeriod], str]:
    """Return the plan that fits with the smallest mean difference, and a sentence about it."""
    best: _Merge | None = None
    hourly = {key: _hourly(day) for key, day in days.items()}
    for seasons in _season_choices(hourly):
        for groups in _WEEK_GROUPS:
            found = _best_levels(hourly, seasons, groups)
            if found is not None and (best is None or found.difference < best.difference):
                best = found
    assert best is not None  # one season, one group and two prices always fit
    text = (
        f"it has {best.levels} prices, {best.seasons} seasons and {best.groups} groups of weekdays; a "
        f"price differs from the tariff's by {best.difference:.4f} per kWh on average, at most "
        f"{best.worst:.4f}."
    )
    return best.periods, text


def _hourly(day: Sequence[_Slot]) -> list[float]:
    """Return the mean price of each hour."""
    prices = [0.0] * 24
    for start, end, low, high in day:
        price = float(low + high) / 2
        for hour in range(start // 60, (end + 59) // 60):
            minutes = min(end, hour * 60 + 60) - max(start, hour * 60)
            prices[hour] += price * minutes / 60
    return prices


def _season_choices(hourly: Mapping[_Key, list[float]]) -> Iterator[list[frozenset[int]]]:
    """Yield divisions of the year into 12 to 1 seasons; the most alike neighbours are joined first."""
    seasons = [frozenset((month,)) for month in sorted(EVERY_MONTH)]
    yield seasons
    while len(seasons) > 1:
        pairs = [(n, (n + 1) % len(seasons)) for n in range(len(seasons))]
        first, second = min(
            pairs, key=lambda pair: _difference(hourly, seasons[pair[0]] | seasons[pair[1]])
        )
        joined = seasons[first] | seasons[second]
        seasons = [one for one in seasons if not one <= joined] + [joined]
        seasons.sort(key=min)
        yield seasons


def _difference(hourly: Mapping[_Key, list[float]], months: frozenset[int]) -> float:
    """Return the sum of squared differences of the prices from their mean over months."""
    total = 0.0
    for day in Weekday:
        columns = zip(*(hourly[month, day] for month in months))
        for column in columns:
            mean = sum(column) / len(column)
            total += sum((price - mean) ** 2 for price in column)
    return total


def _best_levels(
    hourly: Mapping[_Key, list[float]],
    seasons: Sequence[frozenset[int]],
    groups: Sequence[frozenset[Weekday]],
) -> _Merge | None:
    means: dict[tuple[frozenset[int], frozenset[Weekday]], list[float]] = {}
    for part in product(seasons, groups):
        members = [hourly[key] for key in product(*part)]
        means[part] = [sum(column) / len(column) for column in zip(*members)]
    for level_of in _levels(means.values()):
        slots: dict[_Key, list[_Slot]] = {}
        differences: list[float] = []
        for part, day in means.items():
            merged = [level_of[price] for price in day]
            written = _slots(
                [DayPrice(h * 60, h * 60 + 60, price) for h, price in enumerate(merged)]
            )
            for key in product(*part):
                slots[key] = written
                differences += [abs(price - true) for price, true in zip(merged, hourly[key])]
        periods = _periods(slots)
        if _fits(periods):
            count = len({period.price_max for period in periods})
            return _Merge(
                sum(differences) / len(differences),
                max(differences),
                len({period.months for period in periods}),
                len({period.days for period in periods}),
                count,
                periods,
            )
    return None


class _Cluster(NamedTuple):
    """Prices that are one price of the plan, their mean."""

    prices: tuple[float, ...]
    mean: float

    def joined(self, other: _Cluster) -> _Cluster:
        prices = self.prices + other.prices
        return _Cluster(prices, sum(prices) / len(prices))

    def joining_cost(self, other: _Cluster) -> float:
        """Return by how much the squared differences from the means grow."""
        first, second = len(self.prices), len(other.prices)
        return (self.mean - other.mean) ** 2 * first * second / (first + second)


def _levels(days: Iterable[Sequence[float]]) -> Iterator[dict[float, float]]:
    """Yield the price that replaces each, for every number of levels in turn.

    Neighbours whose joining adds the least squared difference are joined first, so that a peak
    stays apart from the rest.
    """
    prices = sorted(price for day in days for price in day)
    width = (prices[-1] - prices[0]) / _PARTS
    parts: dict[int, list[float]] = {}
    for price in prices:
        parts.setdefault(int((price - prices[0]) / width) if width else 0, []).append(price)
    clusters = [_Cluster(tuple(one), sum(one) / len(one)) for one in parts.values()]
    for count in _LEVELS:
        while len(clusters) > count:
            costs = [one.joining_cost(other) for one, other in zip(clusters, clusters[1:])]
            first = costs.index(min(costs))
            clusters[first : first + 2] = [clusters[first].joined(clusters[first + 1])]
        yield {price: one.mean for one in clusters for price in one.prices}
