"""Prices that markets and suppliers publish as JSON: Octopus Agile, Nord Pool, ComEd."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

from ..._util.numbers import shown
from ..._util.text import clean_text, comparable
from ...exceptions import ConfigurationError
from .price_series import EPOCH, FixedPrices
from .timed_prices import (
    OPEN_END,
    TariffOptions,
    TimedPrice,
    fixed_prices,
    parse_number,
    parse_utc,
)

T = TypeVar("T")
WHOLESALE = (
    "These are prices of the market, without the supplier's part, network charges and taxes, unless "
    "they were added with --fee and --vat."
)
_HOUR = timedelta(hours=1)


def is_octopus(content: Any) -> bool:
    """Return whether this is an answer of Octopus Energy about unit rates, or a list of them."""
    pages = content if isinstance(content, list) else [content]
    return any(
        isinstance(page, dict)
        and isinstance(page.get("results"), list)
        and any(isinstance(one, dict) and "value_inc_vat" in one for one in page["results"])
        for page in pages
    )


def read_octopus(content: Any, file: str, options: TariffOptions) -> FixedPrices:
    """Read unit rates of Octopus Energy, in pence per kWh with VAT."""
    pages = content if isinstance(content, list) else [content]
    results: list[Any] = []
    for number, page in enumerate(pages, 1):
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise ConfigurationError(f"{file}, page {number} has no list results")
        results += page["results"]
    methods = {str(_get(one, "payment_method") or "") for one in results}
    notes = [
        "Prices of Octopus Energy include VAT: --vat would count it twice. Standing charges are missing."
    ]
    if "DIRECT_DEBIT" in methods and len(methods - {""}) > 1:
        notes.append("Prices are those for payment by direct debit.")
        others = methods - {"", "DIRECT_DEBIT"}
        results = [one for one in results if str(_get(one, "payment_method")) not in others]
    if pages[-1].get("next"):
        notes.append("The answer has more pages than this file: other times have no price.")

    def row(one: Mapping[str, Any]) -> TimedPrice:
        end = one.get("valid_to")
        return TimedPrice(
            parse_utc(_get(one, "valid_from")),
            OPEN_END if end is None else parse_utc(end),
            parse_number(_get(one, "value_inc_vat")) / 100,
        )

    rows = list(_each(results, row, f"{file}, result"))
    return fixed_prices(rows, file, options, currency="GBP", label="Octopus Energy", notes=notes)


_NORD_POOL_LISTS = ("multiAreaEntries", "multiIndexEntries")


def is_nord_pool(content: Any) -> bool:
    """Return whether this is an answer of Nord Pool's data portal, or a list of them."""
    days = content if isinstance(content, list) else [content]
    return any(isinstance(day, dict) and set(_NORD_POOL_LISTS) & set(day) for day in days)


def read_nord_pool(content: Any, file: str, options: TariffOptions) -> FixedPrices:
    """Read day-ahead prices of one area, given per MWh."""
    days = content if isinstance(content, list) else [content]
    entries: list[Any] = []
    for number, day in enumerate(days, 1):
        found = [day[key] for key in _NORD_POOL_LISTS if isinstance(day, dict) and key in day]
        if not found or not isinstance(found[0], list):
            raise ConfigurationError(f"{file}, day {number} has no list multiAreaEntries")
        entries += found[0]
    currencies = {clean_text(str(day.get("currency") or "")) for day in days}
    if len(currencies) > 1:
        raise ConfigurationError(f"{file} mixes currencies: {', '.join(sorted(currencies))}")
    area = _area(entries, file, options)

    def row(one: Mapping[str, Any]) -> TimedPrice | None:
        price = _mapping(_get(one, "entryPerArea")).get(area)
        if price is None:
            return None
        start, end = (parse_utc(_get(one, key)) for key in ("deliveryStart", "deliveryEnd"))
        return TimedPrice(start, end, parse_number(price) / 1000)

    rows = [one for one in _each(entries, row, f"{file}, entry") if one is not None]
    currency = currencies.pop() or None
    return fixed_prices(
        rows, file, options, currency=currency, label=f"Nord Pool {area}", notes=[WHOLESALE]
    )


def _area(entries: Sequence[Any], file: str, options: TariffOptions) -> str:
    areas: list[str] = sorted(
        {
            str(area)
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("entryPerArea"), dict)
            for area in entry["entryPerArea"]
        }
    )
    return choose(areas, areas, f"{file} has prices of several areas", options.rate)


def is_comed(content: Any) -> bool:
    """Return whether this is an answer of ComEd's hourly pricing."""
    return isinstance(content, list) and any(
        isinstance(one, dict) and "millisUTC" in one for one in content
    )


def read_comed(content: Sequence[Any], file: str, options: TariffOptions) -> FixedPrices:
    """Read 5-minute prices of ComEd, or its average of the current hour, in cents per kWh."""

    def row(one: Mapping[str, Any]) -> TimedPrice:
        ms = parse_number(_get(one, "millisUTC"))
        if not 0 <= ms < 7e12:
            raise ValueError(f"millisUTC is {ms:g}, no time in ms since 1970")
        start = EPOCH + timedelta(seconds=ms // 1000)
        return TimedPrice(start, None, parse_number(_get(one, "price")) / 100)

    rows = list(_each(content, row, f"{file}, price"))
    notes = [
        "ComEd bills the mean of each hour; these prices are as published, each from its time on.",
        "Delivery, capacity and taxes are not in ComEd's prices, unless added with --fee and --vat.",
    ]
    if len(rows) == 1:
        hour = _hour_of(rows[0].start)
        rows = [TimedPrice(hour, hour + _HOUR, rows[0].price)]
        notes[0] = "The average of the current hour so far is counted for this whole hour alone."
    return fixed_prices(
        rows, file, options, currency="USD", label="ComEd hourly pricing", notes=notes
    )


def _hour_of(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0)


def choose(found: Sequence[T], names: Sequence[str], several: str, wanted: str | None) -> T:
    """Return the only one of several, or the one of a name. Raises ConfigurationError."""
    if wanted is None and len(found) == 1:
        return found[0]
    listed = ", ".join(clean_text(name)[:100] for name in names[:20]) or "none"
    listed += f" and {len(names) - 20} more" if len(names) > 20 else ""
    if wanted is None:
        raise ConfigurationError(f"{several}; name one with --rate: {listed}")
    for one, name in zip(found, names):
        if comparable(name) == comparable(wanted):
            return one
    raise ConfigurationError(f"{several}, but {shown(wanted)} is none of them: {listed}")


def _each(rows: Sequence[Any], read: Callable[[Mapping[str, Any]], T], where: str) -> Iterator[T]:
    """Read each row. Raises ConfigurationError that names it by number."""
    for number, one in enumerate(rows, 1):
        try:
            yield read(_mapping(one))
        except ValueError as error:
            raise ConfigurationError(f"{where} {number}: {error}") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def _get(body: Any, key: str) -> Any:
    value = body.get(key) if isinstance(body, dict) else None
    if value is None and key != "payment_method":
        raise ValueError(f"{key} is missing")
    return value
