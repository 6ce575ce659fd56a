"""Published prices, each with its time, as a series: order, repetitions, gaps, units."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Iterable, NamedTuple, Sequence
from zoneinfo import ZoneInfo

from ..._util.numbers import shown
from ..._util.text import clean_text
from ...exceptions import ConfigurationError
from .price_series import UTC, FixedPrices, PriceInterval, PriceSeries

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
#: The end of a price that is valid until further notice.
OPEN_END = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TariffOptions:
    """Choices for reading a tariff.

    ``zone``: time zone of the heater. ``monthly_kwh``: use of the whole household, which selects
    the tier of a rate. ``holidays``: dates on which weekend prices apply. ``rate``: label or name
    of one of several rates or areas. ``fill_gaps``: a missing price is the one before it.
    """

    zone: ZoneInfo | None = None
    monthly_kwh: float = 600.0
    holidays: frozenset[date] = frozenset()
    rate: str | None = None
    fill_gaps: bool = False


class TimedPrice(NamedTuple):
    """Price as published; ``end`` is None when only the start is known."""

    start: datetime
    end: datetime | None
    price: float


def parse_instant(text: Any) -> datetime:
    """Parse a time such as 2026-03-01T06:30Z; without an offset it stays naive. Raises ValueError."""
    parts = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if parts is None:
        raise ValueError(f"{shown(text)} is not a time such as 2026-03-01T06:30:00+01:00")
    when = datetime.fromisoformat(f"{parts[1]}T{parts[2]}{parts[3] or ':00'}")
    if not 1970 <= when.year < OPEN_END.year:
        raise ValueError(f"{shown(text)} is not between 1970 and {OPEN_END.year}")
    if parts[4] is None:
        return when
    if parts[4] in "Zz":
        return when.replace(tzinfo=UTC)
    sign = -1 if parts[4][0] == "-" else 1
    digits = parts[4][1:].replace(":", "")
    offset = sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return when.replace(tzinfo=timezone(offset)).astimezone(UTC)


def parse_utc(text: Any) -> datetime:
    """Parse a time with an offset. Raises ValueError."""
    when = parse_instant(text)
    if when.tzinfo is None:
        raise ValueError(f"{shown(text)} has no offset from UTC, such as Z or +01:00")
    return when


def parse_number(value: Any) -> float:
    """Return a finite number, given as a number or as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError(f"{shown(value)} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{shown(value)} is not a number") from error
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a number")
    return number


def fixed_prices(
    rows: Iterable[TimedPrice],
    file: str,
    options: TariffOptions,
    *,
    currency: str | None,
    label: str,
    notes: Sequence[str] = (),
) -> FixedPrices:
    """Return published prices as a source. Rows may be in any order and repeated.

    A row without an end lasts until the next, at most the usual time between two rows. Raises
    ConfigurationError when there is none, when two differ about the same time, and for a gap unless
    gaps are filled.
    """
    ordered = _without_repetitions(rows, file)
    found, filled = _intervals(ordered, file, options.fill_gaps)
    added = list(notes)
    if filled:
        added.append(f"{filled} gaps in the prices were filled with the price before each.")
    if options.holidays:
        added.append("The holidays have no effect: these prices are of dates, not of weekdays.")
    return FixedPrices(PriceSeries(found, currency, clean_text(label), tuple(added)))


def _without_repetitions(rows: Iterable[TimedPrice], file: str) -> list[TimedPrice]:
    ordered: list[TimedPrice] = []
    for row in sorted(rows, key=lambda one: one.start):
        if ordered and row.start == ordered[-1].start:
            if row != ordered[-1]:
                raise ConfigurationError(
                    f"{file} has two prices for {row.start:%Y-%m-%d %H:%M} UTC: "
                    f"{ordered[-1].price:g} and {row.price:g}; keep one of them"
                )
            continue
        ordered.append(row)
    if not ordered:
        raise ConfigurationError(f"{file} has no prices")
    return ordered


def _intervals(
    rows: Sequence[TimedPrice], file: str, fill: bool
) -> tuple[list[PriceInterval], int]:
    steps = Counter(later.start - row.start for row, later in zip(rows, rows[1:]))
    usual = max(steps, key=lambda step: (steps[step], -step), default=timedelta(hours=1))
    found: list[PriceInterval] = []
    filled = 0
    for row, later in zip(rows, [*rows[1:], None]):
        end = row.end
        if end is None:
            end = row.start + usual
            end = end if later is None else min(end, later.start)
        if end <= row.start or (later is not None and end > later.start):
            raise ConfigurationError(
                f"{file}: the price from {row.start:%Y-%m-%d %H:%M} UTC until {end:%H:%M} overlaps "
                "another one"
            )
        if later is not None and end < later.start:
            if not fill:
                raise ConfigurationError(
                    f"{file} has no price from {end:%Y-%m-%d %H:%M} to "
                    f"{later.start:%Y-%m-%d %H:%M} UTC; get the whole file, or fill gaps with the "
                    "price before them (--fill-gaps)"
                )
            end, filled = later.start, filled + 1
        found.append(PriceInterval(row.start, end, row.price))
    return found, filled
