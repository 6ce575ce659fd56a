"""Electricity prices as half-open intervals in UTC: the one form that everything else works with."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Iterator, NamedTuple, Protocol, Sequence

from ...exceptions import ValueOutOfRangeError

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class PriceInterval(NamedTuple):
    """Price per kWh from ``start`` to before ``end``, both in UTC. It may be negative.

    ``scope`` is the lowest and the highest price that is possible, for example over the tiers of a
    rate; None when ``price`` is the only one.
    """

    start: datetime
    end: datetime
    price: float
    scope: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """Return the lowest possible price per kWh."""
        return self.price if self.scope is None else self.scope[0]

    @property
    def high(self) -> float:
        """Return the highest possible price per kWh."""
        return self.price if self.scope is None else self.scope[1]


class ClockSpan(NamedTuple):
    """Time from ``start`` to before ``end``, in UTC, in which a local clock has one ``offset``."""

    start: datetime
    end: datetime
    offset: timedelta


@dataclass(frozen=True)
class PriceSeries:
    """Prices in order of time, without overlaps; times between two of them have no price.

    ``currency`` is a code such as USD, None if the source does not say. ``label`` names the tariff.
    ``notes`` are sentences: each simplification that was made. ``basis`` says for what ``price`` is
    the likely one of a range, such as "at 600 kWh a month". Raises ValueOutOfRangeError for
    intervals that are empty, overlap, are out of order or not in UTC, and for prices that are not
    numbers.
    """

    intervals: Sequence[PriceInterval]
    currency: str | None = None
    label: str = ""
    notes: tuple[str, ...] = ()
    basis: str = ""
    _starts: list[datetime] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "intervals", tuple(self.intervals))
        before: datetime | None = None
        for one in self.intervals:
            _check(one, before)
            before = one.end
        object.__setattr__(self, "_starts", [one.start for one in self.intervals])

    @property
    def step(self) -> timedelta | None:
        """Return the longest step at whose multiples since 1970 in UTC alone prices change.

        None when there is no price at all.
        """
        edges = {edge for one in self.intervals for edge in one[:2]}
        seconds = math.gcd(*((edge - EPOCH) // _SECOND for edge in edges))
        return timedelta(seconds=seconds) if edges else None

    def at(self, when: datetime) -> PriceInterval | None:
        """Return the interval that contains a time with a time zone, None if it has no price."""
        index = bisect_right(self._starts, when) - 1
        if index < 0 or when >= self.intervals[index].end:
            return None
        return self.intervals[index]

    def within(self, start: datetime, end: datetime) -> Iterator[PriceInterval]:
        """Iterate over the intervals from ``start`` to before ``end``, cut at both."""
        for place in range(max(0, bisect_right(self._starts, start) - 1), len(self.intervals)):
            one = self.intervals[place]
            if one.start >= end:
                return
            if one.end > start:
                yield one._replace(start=max(start, one.start), end=min(end, one.end))

    def gaps(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Iterate over the times without a price from ``start`` to before ``end``."""
        known = start
        for one in self.within(start, end):
            if one.start > known:
                yield known, one.start
            known = one.end
        if known < end:
            yield known, end

    def cost(self, start: datetime, end: datetime, wh: float) -> float | None:
        """Return the cost of energy in Wh that is used evenly from ``start`` to ``end``.

        None when a part of that time has no price. With equal times all of it is used at once.
        """
        return self._mean(start, end, wh, "price")

    def cost_scope(self, start: datetime, end: datetime, wh: float) -> tuple[float, float] | None:
        """Return the lowest and the highest possible cost; see :meth:`cost`."""
        low, high = (self._mean(start, end, wh, edge) for edge in ("low", "high"))
        return None if low is None or high is None else (low, high)

    def _mean(self, start: datetime, end: datetime, wh: float, edge: str) -> float | None:
        if end < start:
            raise ValueOutOfRangeError("a time span ends before it starts")
        if end == start:
            one = self.at(start)
            return None if one is None else wh / 1000 * float(getattr(one, edge))
        parts = list(self.within(start, end))
        if sum((one.end - one.start for one in parts), timedelta()) < end - start:
            return None
        share = sum((one.end - one.start) / (end - start) * getattr(one, edge) for one in parts)
        return float(wh / 1000 * share)


def _check(one: PriceInterval, before: datetime | None) -> None:
    for time in (one.start, one.end):
        if time.utcoffset() != timedelta() or time.microsecond:
            raise ValueOutOfRangeError(f"{time} is not a whole second in UTC")
    if one.end <= one.start:
        raise ValueOutOfRangeError(f"the price from {one.start} ends at {one.end}, not after it")
    if before is not None and one.start < before:
        raise ValueOutOfRangeError(
            f"the price from {one.start} overlaps the one before it, until {before}"
        )
    if not math.isfinite(one.price) or not -math.inf < one.low <= one.high < math.inf:
        raise ValueOutOfRangeError(f"the price from {one.start} is not a number: {one[2:]}")


class PriceSource(Protocol):
    """Tariff from which prices of any time can be had: rules of a calendar, or recorded prices."""

    @property
    def label(self) -> str:
        """Name of the tariff."""

    @property
    def currency(self) -> str | None:
        """Code of the currency, None if unknown."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about each simplification."""

    def between(
        self, start: datetime, end: datetime, clock: Sequence[ClockSpan] | None = None
    ) -> PriceSeries:
        """Return the prices from ``start`` to before ``end``.

        ``clock`` are the offsets of the local clock, for a tariff by local time whose time zone is
        not known. Raises ConfigurationError when it is needed and None.
        """


@dataclass(frozen=True)
class FixedPrices:
    """Source of prices that were published for certain times; other times have none."""

    series: PriceSeries

    @property
    def label(self) -> str:
        """Name of the tariff."""
        return self.series.label

    @property
    def currency(self) -> str | None:
        """Code of the currency, None if unknown."""
        return self.series.currency

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about each simplification."""
        return self.series.notes

    def between(
        self, start: datetime, end: datetime, clock: Sequence[ClockSpan] | None = None
    ) -> PriceSeries:
        """Return the prices from ``start`` to before ``end``, without those that are not known."""
        found = tuple(self.series.within(start, end))
        return PriceSeries(found, self.currency, self.label, self.notes)
