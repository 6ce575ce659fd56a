"""CSV format of recorded statuses, for the recorders that write it and the programs that read it.

The first seven columns never change. All other status fields follow as the integer that was sent;
a cell is empty if the field was not sent. The last columns name the heater and its time zone. Files
of older versions lack columns, and programs may have changed the form of a file: byte order mark,
quotes, line ends, semicolons or tabs as delimiters, decimal commas. All these are read and continued.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from typing import Callable, Iterator, Mapping, NamedTuple, Sequence

from ..protocol.fields import field_specs
from ..protocol.status import DeviceStatus

TIMESTAMP, ZONE, HEATER = "timestamp", "zone", "heater"
#: A header has less than a tenth of this; a longer line is another file, perhaps a huge one.
MAX_HEADER_BYTES = 64 * 1024

#: The end of a line and the beginning of a header after it.
NEXT_HEADER = re.compile(rb'\n(?:\xef\xbb\xbf)?"?timestamp')

_BOM = "\ufeff".encode()
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"-?\d+,\d")
#: Columns whose cells show by their form that no character is missing at the end.
_WHOLE_CELLS = {
    "tank_upper_temp": re.compile(r"-?\d+[.,]\d"),
    "tank_lower_temp": re.compile(r"-?\d+[.,]\d"),
    HEATER: re.compile(r"[0-9a-f]{4}"),
}


def _tenths(value: int | None) -> str:
    return "" if value is None else f"{value / 10:.1f}"


def _as_sent(name: str) -> Callable[[DeviceStatus], str]:
    def cell(status: DeviceStatus) -> str:
        value = getattr(status, name)
        return "" if value is None else str(int(value))

    return cell


_FIRST_CELLS: dict[str, Callable[[DeviceStatus], str]] = {
    "dhw_charge_percent": _as_sent("dhw_charge_per"),
    "operation_mode": _as_sent("operation_mode"),
    "dhw_temperature": _as_sent("dhw_temperature"),
    "current_inst_power": _as_sent("current_inst_power"),
    "tank_upper_temp": lambda status: _tenths(status.tank_upper_temperature),
    "tank_lower_temp": lambda status: _tenths(status.tank_lower_temperature),
}
_IN_FIRST = {"dhw_charge_per", "tank_upper_temperature", "tank_lower_temperature", *_FIRST_CELLS}
#: The cell of each column that a status fills.
CELLS: Mapping[str, Callable[[DeviceStatus], str]] = {
    **_FIRST_CELLS,
    **{
        one.name: _as_sent(one.name)
        for one in field_specs(DeviceStatus)
        if one.name not in _IN_FIRST
    },
}
#: The columns of a new file. The last one has a fixed length, so that a torn row is recognised.
COLUMNS: tuple[str, ...] = (TIMESTAMP, *CELLS, ZONE, HEATER)
#: The columns with which each recording begins.
FIXED_COLUMNS: tuple[str, ...] = (TIMESTAMP, *_FIRST_CELLS)
_FIXED_HEADER = ",".join(FIXED_COLUMNS)


#: The field of each column, and the number by which its cell was divided.
FIELD_OF_COLUMN: Mapping[str, tuple[str, int]] = {
    **{name: (name, 1) for name in CELLS},
    "dhw_charge_percent": ("dhw_charge_per", 1),
    "tank_upper_temp": ("tank_upper_temperature", 10),
    "tank_lower_temp": ("tank_lower_temperature", 10),
}
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def parse_time(text: str) -> datetime:
    """Parse a timestamp of a recording. Raises ValueError."""
    parts = TIME.fullmatch(text)
    try:
        if parts is None:
            raise ValueError
        # Python 3.9 reads neither Z nor fractions of any length.
        fraction = f"{parts[2] or '.'}000000"[:7]
        zone = "+00:00" if parts[3] == "Z" else parts[3]
        return datetime.fromisoformat(f"{parts[1]}{fraction}{zone}")
    except ValueError as error:
        raise ValueError(not_a_time(text)) from error


def not_a_time(text: str) -> str:
    """Say that a text is not a timestamp."""
    return f"{text!r} is not a time with a zone, such as 2026-03-01T06:30:00+01:00"


def parse_values(columns: Sequence[str], cells: Sequence[str]) -> dict[str, int]:
    """Return the integers of a row by field, as they were sent. Raises ValueError.

    Empty cells, and columns without a field, are left out.
    """
    values = {}
    for column, cell in zip(columns, cells):
        if cell and column in FIELD_OF_COLUMN:
            name, divided = FIELD_OF_COLUMN[column]
            try:
                number = float(cell.replace(",", ".")) if divided > 1 else float(cell)
                values[name] = round(number * divided)
            except (ValueError, OverflowError) as error:
                raise ValueError(f"{column} is {cell!r}, not a number") from error
    return values


class FormatError(ValueError):
    """Text that is not a recording, with its line number."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.problem = problem


class Header(NamedTuple):
    """The columns of a recording, and the form of its rows."""

    columns: tuple[str, ...]
    delimiter: str = ","
    line_end: str = "\n"

    def row(self, cells: Sequence[str]) -> bytes:
        """Return a row in this form, with its line end."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.line_end)
        writer.writerow(cells)
        return text.getvalue().encode()

    def plain(self, line: bytes) -> bytes:
        """Return a row without quotes and line end, with a cell for each column.

        Raises ValueError if it has others.
        """
        line = line.rstrip(b"\r")
        if b'"' in line:
            line = self._without_quotes(line.decode("utf-8", "replace")).encode()
        sign, count = self.delimiter.encode(), len(self.columns)
        more = line.count(sign) + 1 - count
        if more > 0 and line.endswith(sign * more):
            # A spreadsheet makes all rows as long as the longest.
            return line[:-more]
        if more:
            raise ValueError(f"{count + more} cells where the header has {count}")
        return line

    def cells(self, line: bytes) -> list[str]:
        """Split a row. Raises ValueError."""
        return self.plain(line).decode("utf-8", "replace").split(self.delimiter)

    def _without_quotes(self, text: str) -> str:
        try:
            found = next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise ValueError(f"its quotes do not match ({error})") from error
        # A quoted cell may contain the delimiter: as decimal comma, or in a column of the user.
        cells = [
            cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in found
        ]
        return self.delimiter.join(cell.replace(self.delimiter, " ") for cell in cells)

    def whole_part(self, line: bytes) -> bytes:
        """Return the part of a row without line end that is certainly as written.

        It is empty unless all cells are there. The last cell may be cut: it is left out unless its
        form shows that it is whole.
        """
        try:
            cells = self.cells(line)
        except ValueError:
            return b""
        form = _WHOLE_CELLS.get(self.columns[-1])
        if line.endswith((b"\r", b'"')) or (form is not None and form.fullmatch(cells[-1])):
            return line.rstrip(b"\r")
        return line[: line.rindex(self.delimiter.encode()) + 1]


def parse_header(line: bytes, number: int = 1) -> Header:
    """Parse the first line of a recording, or of a part of one. Raises FormatError."""
    if line.startswith(_UTF_16):
        raise FormatError(number, "the file is UTF-16 text; save it as CSV in UTF-8")
    text = _strip_bom(line).decode("utf-8", "replace")
    for delimiter in _DELIMITERS:
        columns = _split(text.rstrip("\r"), delimiter)
        while columns and not columns[-1]:
            columns.pop()
        known = tuple(columns[: len(FIXED_COLUMNS)]) == FIXED_COLUMNS
        if known and len(set(columns)) == len(columns):
            return Header(tuple(columns), delimiter, "\r\n" if text.endswith("\r") else "\n")
    start = ",".join(FIXED_COLUMNS[:3])
    if re.match(r'"?\d{4}-\d\d-\d\dT', text):
        raise FormatError(
            number,
            f"a row, but no header before it; insert the first line of your other recordings, {start},…",
        )
    raise FormatError(number, f"not the header of a recording, which begins {start},…")


def is_torn_header(content: bytes) -> bool:
    """Return True for a file without a complete line that may be the beginning of a recording."""
    if content.startswith(_UTF_16):
        return False
    text = _strip_bom(content).decode("utf-8", "replace").replace('"', "")
    text = re.sub("[;\t]", ",", text)
    return text.startswith(_FIXED_HEADER) or _FIXED_HEADER.startswith(text)


def has_decimal_commas(cells: Sequence[str]) -> bool:
    """Return True for a row whose temperatures are written with commas."""
    return any(map(_DECIMAL_COMMA.fullmatch, cells))


class Block(NamedTuple):
    """The rows under one header, without quotes, with their line numbers."""

    header: Header
    numbers: Sequence[int]
    rows: Sequence[bytes]


class Content(NamedTuple):
    """The content of a recording. ``torn``: its last line was incomplete and is left out."""

    blocks: Sequence[Block]
    torn: bool


def parse_recording(content: bytes) -> Content:
    """Split a file into blocks: files may have been joined. Raises FormatError.

    A last line without line end counts as far as it is certainly as written.
    """
    *lines, last = content.split(b"\n")
    if not lines:
        if not is_torn_header(last):
            parse_header(last)
        return Content((), bool(last))
    torn = False
    if last:
        start = max((n for n, line in enumerate(lines) if _is_header(line)), default=0)
        whole = parse_header(lines[start], start + 1).whole_part(last)
        torn = not whole
        lines += [whole] if whole else []
    return Content(tuple(_blocks(lines)), torn)


def _blocks(lines: Sequence[bytes]) -> Iterator[Block]:
    starts = [number for number, line in enumerate(lines) if _is_header(line)]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        header = parse_header(lines[start], start + 1)
        blank = header.delimiter.encode() + b" \t\r"
        numbers, rows = [], []
        for number, line in enumerate(lines[start + 1 : end], start + 2):
            if not line.strip(blank):
                continue
            try:
                rows.append(header.plain(line))
            except ValueError as error:
                raise FormatError(number, str(error)) from error
            numbers.append(number)
        yield Block(header, numbers, rows)


def _is_header(line: bytes) -> bool:
    return _strip_bom(line).lstrip(b'"').startswith(TIMESTAMP.encode())


def _strip_bom(line: bytes) -> bytes:
    return line[len(_BOM) :] if line.startswith(_BOM) else line


def _split(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
