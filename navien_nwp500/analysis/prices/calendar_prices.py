"""Prices by rules of a calendar: month, day of the week, holiday and time of the local clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Iterator, Mapping, NamedTuple, Sequence
from zoneinfo import ZoneInfo

from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_MONTH, Weekday
from ...protocol.tou import TOUPeriod, check_tou
from .price_series import UTC, ClockSpan, PriceInterval, PriceSeries

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
MINUTES_OF_DAY = 24 * 60


class DayPrice(NamedTuple):
    """Price per kWh from minute ``start`` of the day to before minute ``end``, by the local clock.

    ``scope`` is as in :class:`PriceInterval`.
    """

    start: int
    end: int
    price: float
    scope: tuple[float, float] | None = None


#: Prices of a whole day, in order, from minute 0 to 1440.
DayPrices = Sequence[DayPrice]


@dataclass(frozen=True)
class CalendarPrices:
    """Source of prices by the local clock.

    ``days`` holds the prices of each month, 1 to 12, and weekday; ``holiday_prices`` those of the
    dates in ``holidays``, by month. ``basis`` is as in :class:`PriceSeries`. ``zone`` is None when
    the tariff is by the heater's clock, whatever its time zone is. ``power_charged``: the tariff
    also charges for the household's highest power, which is not in these prices.

    The clock decides: an hour that is repeated when daylight saving time ends has its price twice,
    a skipped hour never.
    """

    days: Mapping[tuple[int, Weekday], DayPrices]
    zone: ZoneInfo | None = None
    currency: str | None = None
    label: str = ""
    notes: tuple[str, ...] = ()
    holidays: frozenset[date] = frozenset()
    holiday_prices: Mapping[int, DayPrices] | None = None
    basis: str = ""
    power_charged: bool = False

    def between(
        self, start: datetime, end: datetime, clock: Sequence[ClockSpan] | None = None
    ) -> PriceSeries:
        """Return the prices from ``start`` to before ``end``.

        Raises ConfigurationError when neither the time zone nor ``clock`` is known.
        """
        if self.zone is not None:
            clock = zone_spans(self.zone, start, end)
        if clock is None:
            raise ConfigurationError("these prices are by local time: name the time zone")
        found: list[PriceInterval] = []
        for span in clock:
            edges = max(start, span.start), min(end, span.end)
            found += self._within(ClockSpan(*edges, span.offset))
        return PriceSeries(found, self.currency, self.label, self.notes, self.basis)

    def day(self, on: date) -> DayPrices:
        """Return the prices of a date."""
        if self.holiday_prices is not None and on in self.holidays:
            return self.holiday_prices[on.month]
        return self.days[on.month, Weekday.of(on)]

    def _within(self, span: ClockSpan) -> Iterator[PriceInterval]:
        midnight = (span.start + span.offset).replace(hour=0, minute=0, second=0, microsecond=0)
        while midnight - span.offset < span.end:
            for one in self.day(midnight.date()):
                start = max(span.start, midnight - span.offset + one.start * _MINUTE)
                end = min(span.end, midnight - span.offset + one.end * _MINUTE)
                if start < end:
                    yield PriceInterval(start, end, one.price, one.scope)
            midnight += _DAY


def zone_spans(zone: ZoneInfo, start: datetime, end: datetime) -> list[ClockSpan]:
    """Return the times of constant offset in a time zone from ``start`` to before ``end``."""

    def offset(when: datetime) -> timedelta:
        return when.astimezone(zone).utcoffset() or timedelta()

    spans: list[ClockSpan] = []
    begin = start = start.astimezone(UTC)
    end = end.astimezone(UTC)
    while start < end:
        later = min(end, start + _DAY)
        if offset(later) != offset(start):
            change = _change(zone, start, later)
            spans.append(ClockSpan(begin, change, offset(start)))
            begin = change
        start = later
    return [*spans, ClockSpan(begin, end, offset(begin))] if begin < end else spans


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """Return the first second of the offset at ``end``, when it is another than at ``start``."""
    before = start.astimezone(zone).utcoffset()
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (start + timedelta(seconds=middle)).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


def plan_prices(
    periods: Sequence[TOUPeriod],
    *,
    zone: ZoneInfo | None = None,
    label: str = "",
    currency: str | None = None,
) -> CalendarPrices:
    """Return the prices of a heater's plan (PROTOCOL 8.4).

    A period with two prices has their mean, and both as scope. Raises ValueOutOfRangeError when the
    periods do not give each minute of the year exactly one price.
    """
    check_tou(periods)
    days: dict[tuple[int, Weekday], DayPrices] = {}
    for month in EVERY_MONTH:
        for day in Weekday:
            matching = [one for one in periods if month in one.months and day in one.days]
            days[month, day] = sorted(map(_day_price, matching))
    return CalendarPrices(days, zone, currency, label)


def _day_price(period: TOUPeriod) -> DayPrice:
    start, end = (time.hour * 60 + time.minute for time in (period.start, period.end))
    low, high = float(period.price_min), float(period.price_max)
    scope = None if low == high else (low, high)
    return DayPrice(start, end + 1, float((period.price_min + period.price_max) / 2), scope)
