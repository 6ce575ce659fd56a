"""Files of tariffs, recognised by their content: the only place of the prices that reads a disk."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ..._util.files import decode_text, display_path
from ..._util.text import clean_text
from ...exceptions import ConfigurationError, ValueOutOfRangeError
from ...protocol.calendar import EVERY_MONTH, Weekday
from ...protocol.calendar_text import parse_date
from .calendar_prices import CalendarPrices, DayPrice, DayPrices, plan_prices
from .entsoe_prices import read_entsoe
from .heater_plan import parse_plan
from .market_prices import (
    is_comed,
    is_nord_pool,
    is_octopus,
    read_comed,
    read_nord_pool,
    read_octopus,
)
from .openei_rates import rates_of, read_openei
from .price_csv import read_csv
from .price_series import FixedPrices, PriceSeries, PriceSource
from .timed_prices import TariffOptions

#: A year of 5-minute prices of ComEd has 6 MB.
MAX_BYTES = 32 * 1024 * 1024
_EXPECTED = (
    "expected a plan of tou show --json, a rate of OpenEI, prices of Octopus Energy, Nord Pool, ComEd "
    "or ENTSO-E (XML), or a CSV of prices"
)


def read_tariff(
    path: Path,
    zone: ZoneInfo | None = None,
    *,
    monthly_kwh: float = 600.0,
    holidays: Path | None = None,
    rate: str | None = None,
    fee: float = 0.0,
    vat: float = 0.0,
    fill_gaps: bool = False,
) -> PriceSource:
    """Read a tariff of any form.

    ``zone``: the heater's time zone, for prices by the local clock; ``holidays``: a file of dates;
    the other options are as in :class:`TariffOptions`. Each price p becomes (p + ``fee``) x (1 +
    ``vat`` / 100), the fee per kWh. Raises ConfigurationError for a file that is none of the known
    forms, damaged or too large, OSError if it cannot be read.
    """
    dates = frozenset() if holidays is None else read_holidays(holidays)
    options = TariffOptions(zone, monthly_kwh, dates, rate, fill_gaps)
    content = read_bounded(path)
    source = parse_tariff(content, display_path(path), options)
    return with_charges(source, fee, vat) if fee or vat else source


def read_bounded(path: Path) -> bytes:
    """Read a file of at most 32 MB. Raises ConfigurationError if it is larger, OSError."""
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigurationError(
            f"{display_path(path)} is larger than {MAX_BYTES // 2**20} MB; this is no tariff"
        )
    return content


def parse_tariff(content: bytes, file: str, options: TariffOptions) -> PriceSource:
    """Recognise the form of a tariff and read it. Raises ConfigurationError."""
    begin = content[:256].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if begin.startswith(b"<"):
        if begin[:14].lower().startswith((b"<!doctype html", b"<html")):
            raise ConfigurationError(f"{file} is a web page; {_EXPECTED}")
        return read_entsoe(content, file, options)
    try:
        text = decode_text(content)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not text; {_EXPECTED}") from None
    if "\0" in text:
        raise ConfigurationError(f"{file} is not text; {_EXPECTED}")
    if begin[:1] in (b"{", b"["):
        return _parse_json(text, file, options)
    return read_csv(text, file, options)


def load_json(text: str, file: str) -> Any:
    """Parse JSON with exact numbers. Raises ConfigurationError."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(
            f"{file} is not JSON: {reason}; it is cut off or damaged: get it again"
        ) from error


def is_plan(content: Any) -> bool:
    """Return whether this is a plan of the heater."""
    if isinstance(content, dict):
        return "periods" in content
    return isinstance(content, list) and all(
        isinstance(one, dict) and "price_min" in one for one in content
    )


def _parse_json(text: str, file: str, options: TariffOptions) -> PriceSource:
    content = load_json(text, file)
    if is_plan(content):
        return _read_plan(content, file, options)
    if is_octopus(content):
        return read_octopus(content, file, options)
    if is_nord_pool(content):
        return read_nord_pool(content, file, options)
    if is_comed(content):
        return read_comed(content, file, options)
    if rates_of(content):
        return read_openei(content, file, options)
    error = content.get("error") or content.get("errors") if isinstance(content, dict) else None
    if error:
        raise ConfigurationError(
            f"{file} is an error message, not a tariff: {clean_text(str(error))[:200]}"
        )
    if isinstance(content, dict) and content.get("items") == []:
        raise ConfigurationError(f"{file} is an answer of OpenEI without any rate")
    raise ConfigurationError(f"{file} is JSON of an unknown form; {_EXPECTED}")


def _read_plan(content: Any, file: str, options: TariffOptions) -> CalendarPrices:
    plan = parse_plan(content, file)
    label = ": ".join(filter(None, (plan.utility, plan.name))) or "plan of the heater"
    try:
        prices = plan_prices(plan.periods, zone=options.zone, label=clean_text(label))
    except ValueOutOfRangeError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    sundays = {month: prices.days[month, Weekday.SUNDAY] for month in EVERY_MONTH}
    return replace(prices, holidays=options.holidays, holiday_prices=sundays)


def read_holidays(path: Path) -> frozenset[date]:
    """Read dates, one a line, such as ``2026-12-25``; text after ``#`` is ignored.

    Raises ConfigurationError naming the line, OSError.
    """
    file = display_path(path)
    try:
        lines = decode_text(read_bounded(path)).splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not text") from None
    found = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.add(parse_date(text))
        except ValueError as error:
            raise ConfigurationError(f"{file}, line {number}: {clean_text(str(error))}") from error
    if not found:
        raise ConfigurationError(f"{file} has no dates; it needs one a line, such as 2026-12-25")
    return frozenset(found)


def with_charges(source: PriceSource, fee: float, vat: float) -> PriceSource:
    """Return a source whose prices p are (p + ``fee`` per kWh) x (1 + ``vat`` percent)."""

    def charged(price: float) -> float:
        return round((price + fee) * (1 + vat / 100), 9)

    def scope(edges: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if edges is None else (charged(edges[0]), charged(edges[1]))

    def day(prices: DayPrices) -> DayPrices:
        return [DayPrice(p.start, p.end, charged(p.price), scope(p.scope)) for p in prices]

    note = f"To each price {fee:g} per kWh was added, then {vat:g} % of tax."
    if isinstance(source, FixedPrices):
        found = [
            one._replace(price=charged(one.price), scope=scope(one.scope))
            for one in source.series.intervals
        ]
        notes = (*source.notes, note)
        return FixedPrices(PriceSeries(found, source.currency, source.label, notes))
    assert isinstance(source, CalendarPrices)
    special = source.holiday_prices
    return replace(
        source,
        days={key: day(prices) for key, prices in source.days.items()},
        holiday_prices=None if special is None else {m: day(p) for m, p in special.items()},
        notes=(*source.notes, note),
    )
