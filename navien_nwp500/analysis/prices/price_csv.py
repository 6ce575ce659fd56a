"""Prices in CSV files: one row a time, or one row an hour of the week."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from statistics import median
from typing import Callable, Iterator, NamedTuple, Sequence, TypeVar
from zoneinfo import ZoneInfo

from ..._util.numbers import shown
from ..._util.text import clean_text
from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_DAY, EVERY_MONTH, Weekday
from ...protocol.calendar_text import parse_days, parse_months, parse_time
from .calendar_prices import MINUTES_OF_DAY, CalendarPrices, DayPrice, DayPrices, zone_spans
from .market_prices import choose
from .price_series import UTC, PriceSource
from .timed_prices import TariffOptions, TimedPrice, fixed_prices, parse_instant, parse_number

T = TypeVar("T")
EXPECTED = (
    "a CSV of prices has a header with a time and a price with its unit, such as "
    '"start,EUR/kWh", or with weekdays and hours, such as "day,hour,ct/kWh"'
)
_PRICE = re.compile(
    r"(?<![a-z])(?:([a-z]{3}|€|\$|£)[ ./_-]*)?(ct|c|cents?|\xa2|p|pence|\xf6re|\xf8re)? ?(?:/|per) ?(k|m)wh\b"
)
#: Euros, dollars or pounds per kWh.
_DOUBTFUL_PRICE = 3.0
_WEEK_HOURS = 7 * 24
#: Name of a column whose header says "price" alone.
_WITHOUT_UNIT = "price"
_CURRENCIES = {"€": "EUR", "£": "GBP"}
_SUBUNITS = {"p": "GBP", "pence": "GBP"}
_TIMES = {
    "start",
    "time",
    "timestamp",
    "datetime",
    "date",
    "from",
    "begin",
    "interval start",
    "utc",
}
_ENDS = {"end", "to", "until", "interval end"}
_HOURS = {"hour"}
_DAYS = {"day", "days", "weekday", "weekdays"}
_MONTHS = {"month", "months", "season"}


class _Column(NamedTuple):
    """Column of prices: what a cell is divided by to be a price per kWh."""

    place: int
    name: str
    currency: str | None
    divisor: float


class _Table(NamedTuple):
    """Rows of a file with their line numbers, and the places of the columns by their names."""

    file: str
    header: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]]
    decimal_comma: bool

    def place(self, names: set[str]) -> int | None:
        found = [number for number, name in enumerate(self.header) if name in names]
        return found[0] if found else None

    def read(self, line: int, cells: Sequence[str], place: int, parse: Callable[[str], T]) -> T:
        try:
            return parse(cells[place].strip())
        except ValueError as error:
            raise ConfigurationError(f"{self.file}, line {line}: {error}") from error

    def price(self, line: int, cells: Sequence[str], column: _Column) -> float:
        comma = self.decimal_comma

        def parse(text: str) -> float:
            return parse_number(text.replace(",", ".") if comma else text) / column.divisor

        return self.read(line, cells, column.place, parse)


def read_csv(text: str, file: str, options: TariffOptions) -> PriceSource:
    """Read a CSV of prices. Raises ConfigurationError that names the line."""
    table = _table(text, file)
    columns = list(_price_columns(table.header))
    if not columns:
        raise ConfigurationError(f"{file} has no column of prices with a unit: {EXPECTED}")
    names = [column.name for column in columns]
    column = choose(columns, names, f"{file} has several columns of prices", options.rate)
    hours_alone = table.place(_HOURS) is not None and table.place(_TIMES) is None
    if table.place(_DAYS) is not None or hours_alone:
        return _week(table, column, options)
    return _times(table, column, options)


def _table(text: str, file: str) -> _Table:
    lines = text.splitlines()
    begin = next((n for n, line in enumerate(lines) if line.strip() and line[0] != "#"), None)
    if begin is None:
        raise ConfigurationError(f"{file} is empty: {EXPECTED}")
    delimiter = next((mark for mark in "\t;," if mark in lines[begin]), ",")
    reader = csv.reader(io.StringIO("\n".join(lines[begin:])), delimiter=delimiter)
    try:
        rows = [
            (begin + reader.line_num, cells)
            for cells in reader
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#")
        ]
    except csv.Error as error:
        raise ConfigurationError(f"{file} is not CSV: {error}: {EXPECTED}") from error
    if not rows:
        raise ConfigurationError(f"{file} has no header: {EXPECTED}")
    header = [" ".join(cell.replace("_", " ").lower().split()) for cell in rows[0][1]]
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise ConfigurationError(
                f"{file}, line {line} has {len(cells)} cells, the header {len(header)}: the file "
                "is cut off or damaged"
            )
    return _Table(file, header, rows[1:], delimiter != ",")


def _price_columns(header: Sequence[str]) -> Iterator[_Column]:
    if not any(_PRICE.search(name) for name in header) and "price" in header:
        yield _Column(header.index("price"), _WITHOUT_UNIT, None, 1)
    for place, name in enumerate(header):
        found = _PRICE.search(name)
        if found is None or (found[1] is None and found[2] is None):
            continue
        part = found[2]
        code = None if found[1] is None else _CURRENCIES.get(found[1], found[1].upper())
        currency = _SUBUNITS.get(part or "") if code is None else code
        divisor = (100 if part else 1) * (1000 if found[3] == "m" else 1)
        yield _Column(place, clean_text(name), None if currency == "$" else currency, divisor)


def _times(table: _Table, column: _Column, options: TariffOptions) -> PriceSource:
    place = table.place(_TIMES)
    if place is None:
        raise ConfigurationError(f"{table.file} has no column of times: {EXPECTED}")
    end = table.place(_ENDS)
    read = [
        (
            table.read(line, cells, place, parse_instant),
            None if end is None else table.read(line, cells, end, parse_instant),
            table.price(line, cells, column),
        )
        for line, cells in table.rows
    ]
    zone = _zone_of([time for row in read for time in row[:2] if time], table.file, options.zone)

    def utc(time: datetime) -> datetime:
        local = time if time.tzinfo is not None or zone is None else time.replace(tzinfo=zone)
        return local.astimezone(UTC)

    rows = [TimedPrice(utc(start), until and utc(until), price) for start, until, price in read]
    label = f"prices of {table.file}"
    notes = _doubts(column, [row.price for row in rows])
    return fixed_prices(
        rows, table.file, options, currency=column.currency, label=label, notes=notes
    )


def _doubts(column: _Column, prices: Sequence[float]) -> list[str]:
    """Return a note when the usual price is one that no household pays."""
    usual = median(map(abs, prices)) if prices else 0.0
    notes = []
    if column.name == _WITHOUT_UNIT:
        notes.append(
            'The column "price" names no unit: it is read as money per kWh. A header such as EUR/kWh '
            "or ct/kWh says what it is."
        )
    elif column.currency not in ("EUR", "USD", "GBP"):
        return []
    if usual > _DOUBTFUL_PRICE:
        money = "" if column.currency is None else f" {column.currency}"
        notes.append(f"The usual price is {usual:g}{money} per kWh: check the unit in the header.")
    return notes


def _zone_of(times: Sequence[datetime], file: str, zone: ZoneInfo | None) -> ZoneInfo | None:
    """Return the zone of times without an offset; None when all have one."""
    naive = [time for time in times if time.tzinfo is None]
    if not naive:
        return None
    if len(naive) < len(times):
        raise ConfigurationError(f"{file} has times with and without an offset from UTC")
    if zone is None:
        raise ConfigurationError(
            f"{file} has times without an offset from UTC: name their time zone with --zone, or "
            "write them such as 2026-03-01T06:00+01:00"
        )
    first, last = (edge(naive).replace(tzinfo=zone) for edge in (min, max))
    spans = zone_spans(zone, first, last)
    if len(spans) > 1:
        raise ConfigurationError(
            f"{file} has times without an offset from UTC, and the clock of {zone.key} changed "
            f"on {spans[0].end.astimezone(zone):%Y-%m-%d}: which hours are meant is not certain; "
            "write times such as 2026-03-01T06:00+01:00"
        )
    return zone


def _week(table: _Table, column: _Column, options: TariffOptions) -> CalendarPrices:
    hour, start, end = (table.place(names) for names in (_HOURS, _TIMES, _ENDS))
    day, month = table.place(_DAYS), table.place(_MONTHS)
    if hour is None and (start is None or end is None):
        raise ConfigurationError(f"{table.file} has no column of hours, nor start and end")
    found: dict[tuple[int, Weekday], list[DayPrice]] = {
        (number, weekday): [] for number in EVERY_MONTH for weekday in Weekday
    }
    # Without days: the hours of every day, or those of a week from Monday 00:00 on.
    highest = _WEEK_HOURS if day is None and len(table.rows) == _WEEK_HOURS else 24
    for line, cells in table.rows:
        weekdays = EVERY_DAY if day is None else table.read(line, cells, day, parse_days)
        if hour is not None:
            number, first = divmod(table.read(line, cells, hour, _hours_below(highest)), 24)
            first, last = 60 * first, 60 * first + 60
            weekdays = weekdays if highest == 24 else frozenset((list(Weekday)[number],))
        else:
            first, last = (
                table.read(line, cells, place, _minute)
                for place in (start, end)
                if place is not None
            )
            last = last or MINUTES_OF_DAY
        price = DayPrice(first, last, table.price(line, cells, column))
        months = EVERY_MONTH if month is None else table.read(line, cells, month, parse_months)
        for weekday in weekdays:
            for number in months:
                found[number, weekday].append(price)
    days = {key: _whole_day(prices, key, table.file) for key, prices in found.items()}
    notes = _doubts(column, [one.price for day in days.values() for one in day])
    if options.zone is None:
        notes.append("The tariff names no time zone: it is by the heater's clock.")
    return CalendarPrices(
        days,
        options.zone,
        column.currency,
        f"prices of {table.file}",
        tuple(notes),
        options.holidays,
        {number: days[number, Weekday.SUNDAY] for number in EVERY_MONTH},
    )


def _hours_below(count: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) >= count:
            raise ValueError(f"{shown(text)} is not an hour from 0 to {count - 1}")
        return int(text)

    return parse


def _minute(text: str) -> int:
    if text == "24:00":
        return MINUTES_OF_DAY
    time = parse_time(text)
    return time.hour * 60 + time.minute


def _whole_day(prices: list[DayPrice], key: tuple[int, Weekday], file: str) -> DayPrices:
    expected = 0
    ordered = sorted(prices)
    for one in [*ordered, DayPrice(MINUTES_OF_DAY, MINUTES_OF_DAY, 0.0)]:
        if one.start != expected or one.end < one.start:
            what = "two prices" if one.start < expected else "no price"
            at = min(one.start, expected)
            raise ConfigurationError(
                f"{file} has {what} for {key[1].name.title()} at {at // 60:02d}:{at % 60:02d}"
                + ("" if key[0] == 1 else f" in month {key[0]}")
            )
        expected = one.end
    return ordered
