"""Day-ahead prices of the transparency platform of ENTSO-E, in XML."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Iterator, NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ..._util.numbers import shown
from ..._util.text import clean_text
from ...exceptions import ConfigurationError
from .market_prices import WHOLESALE, choose
from .price_series import FixedPrices
from .timed_prices import TariffOptions, TimedPrice, fixed_prices, parse_number, parse_utc

_RESOLUTION = re.compile(r"PT(\d{1,4})([MH])")
#: Points of a period, the quarter hours of 40 days.
_MAX_POINTS = 4000
_MAX_DEPTH = 32
_DAY_AHEAD = "A44"
_SEQUENTIAL, _CARRIED = "A01", "A03"


class _Series(NamedTuple):
    """One time series; ``position`` is its auction where an area has several."""

    area: str
    position: int
    step: timedelta
    currency: str | None
    rows: list[TimedPrice]


def read_entsoe(content: bytes, file: str, options: TariffOptions) -> FixedPrices:
    """Read a Publication_MarketDocument with day-ahead prices, given per MWh.

    In a curve of type A03 a price is valid until the next that is named. Raises ConfigurationError.
    """
    root = parse_xml(content, file)
    name = root.tag
    if name == "Acknowledgement_MarketDocument":
        reason = clean_text(_text(root, ".//Reason/text") or "no reason given")
        raise ConfigurationError(f"{file} is an answer of ENTSO-E without prices: {reason[:200]}")
    if name != "Publication_MarketDocument":
        raise ConfigurationError(
            f"{file} is XML of another kind, {clean_text(name)[:60]}; prices of ENTSO-E are a "
            "Publication_MarketDocument"
        )
    if _text(root, "type") != _DAY_AHEAD:
        kind = clean_text(_text(root, "type") or "unknown")
        raise ConfigurationError(
            f"{file} is a document of type {kind} of ENTSO-E, not of day-ahead prices ({_DAY_AHEAD})"
        )
    try:
        series = [one for each in root.findall("TimeSeries") for one in _read_series(each)]
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    areas = sorted({one.area for one in series})
    if not areas:
        raise ConfigurationError(f"{file} has no prices")
    area = choose(areas, areas, f"{file} has prices of several areas", options.rate)
    used, notes = _one_auction([one for one in series if one.area == area])
    currencies = {one.currency for one in used}
    if len(currencies) > 1:
        raise ConfigurationError(f"{file} mixes currencies: {sorted(map(str, currencies))}")
    (currency,) = currencies
    rows = [row for one in used for row in one.rows]
    label = f"ENTSO-E day-ahead {area}"
    return fixed_prices(
        rows, file, options, currency=currency, label=label, notes=[WHOLESALE, *notes]
    )


def _one_auction(series: list[_Series]) -> tuple[list[_Series], list[str]]:
    """Leave out further auctions, and hours where the same time also has quarter hours."""
    first = min(one.position for one in series)
    used = [one for one in series if one.position == first]
    finest = min(one.step for one in used)
    fine = {row.start for one in used if one.step == finest for row in one.rows}

    def is_coarse(row: TimedPrice, step: timedelta) -> bool:
        return any(row.start + number * finest in fine for number in range(step // finest))

    kept = [
        (
            one
            if one.step == finest
            else one._replace(rows=[row for row in one.rows if not is_coarse(row, one.step)])
        )
        for one in used
    ]
    notes = []
    if len(used) < len(series):
        notes.append(f"The area has several auctions; prices are those of number {first}.")
    if [len(one.rows) for one in kept] != [len(one.rows) for one in used]:
        minutes = finest // timedelta(minutes=1)
        notes.append(f"Where prices of two steps overlap, those of {minutes} minutes count.")
    return kept, notes


def _read_series(element: Element) -> Iterator[_Series]:
    unit = _text(element, "price_Measure_Unit.name") or "MWH"
    if unit != "MWH":
        raise ValueError(f"prices are per {shown(unit)}, not per MWh")
    curve = _text(element, "curveType") or _SEQUENTIAL
    if curve not in (_SEQUENTIAL, _CARRIED):
        raise ValueError(f"curveType {shown(curve)} is not known; A01 and A03 are")
    position = _text(element, "classificationSequence_AttributeInstanceComponent.position") or "1"
    if not position.isdecimal():
        raise ValueError(f"the number of an auction is {shown(position)}")
    area = clean_text(_text(element, "in_Domain.mRID") or "unknown area")
    currency = _text(element, "currency_Unit.name")
    for period in element.findall("Period"):
        start, end = (
            parse_utc(_text(period, f"timeInterval/{edge}") or "") for edge in ("start", "end")
        )
        step = _step(_text(period, "resolution") or "")
        rows = list(_points(period, start, end, step, curve == _CARRIED))
        yield _Series(area, int(position), step, currency, rows)


def _step(text: str) -> timedelta:
    found = _RESOLUTION.fullmatch(text)
    minutes = int(found[1]) * (60 if found[2] == "H" else 1) if found else 0
    if not 0 < minutes <= 24 * 60:
        raise ValueError(f"resolution is {shown(text)}; PT15M and PT60M are usual")
    return timedelta(minutes=minutes)


def _points(
    period: Element, start: datetime, end: datetime, step: timedelta, carried: bool
) -> Iterator[TimedPrice]:
    count = (end - start) // step
    if not 0 < count <= _MAX_POINTS or start + count * step != end:
        raise ValueError(f"the period from {start} to {end} is no multiple of its resolution")
    prices: dict[int, float] = {}
    for point in period.findall("Point"):
        position = _text(point, "position") or ""
        if not position.isdecimal() or not 1 <= int(position) <= count:
            raise ValueError(f"position {shown(position)} is not from 1 to {count}")
        if int(position) in prices:
            raise ValueError(f"position {position} of the period from {start} is there twice")
        prices[int(position)] = parse_number(_text(point, "price.amount")) / 1000
    price: float | None = None
    for number in range(1, count + 1):
        price = prices.get(number, price if carried else None)
        if price is not None:
            begin = start + (number - 1) * step
            yield TimedPrice(begin, begin + step, price)


def _text(element: Element, path: str) -> str | None:
    found = element.find(path)
    return None if found is None or found.text is None else found.text.strip()


def parse_xml(content: bytes, file: str) -> Element:
    """Parse XML without document type and entities, and drop its namespaces.

    Raises ConfigurationError for anything else, also when it is nested too deep.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def refuse(*_: object) -> None:
        raise ConfigurationError(
            f"{file} has a document type or entities, which no file of prices has; it is not read"
        )

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise ConfigurationError(f"{file} is nested deeper than any file of prices")
        builder.start(tag.rpartition(":")[2], {})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.rpartition(":")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: its encoding
        raise ConfigurationError(f"{file} is not whole XML: {error}; download it again") from error
    return builder.close()
