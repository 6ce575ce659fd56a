"""Reader of recordings: CSV files of the monitor as one table, in order of time.

Files may overlap, have gaps, lack columns of newer versions, be joined in one file, and end in an
incomplete line; ``csv_format`` knows their forms. Rows with impossible times are left out. Any other
damage is an error that names file and line, so that no report is based on wrong values.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from .._util.files import display_path
from ..exceptions import ConfigurationError
from ..protocol.fields import field_specs
from ..protocol.status import DeviceStatus
from .csv_format import HEATER, TIMESTAMP, ZONE, Block, FormatError, parse_recording

#: Columns read, by their name in the file, and their names in the table.
_READ: dict[str, str] = {
    "dhw_charge_percent": "charge",
    "operation_mode": "heats",
    "current_inst_power": "power",
    "tank_upper_temp": "upper",
    "tank_lower_temp": "lower",
    "dhw_temperature_setting": "setpoint",
    "dhw_operation_setting": "mode",
    "comp_use": "comp_use",
    "heat_upper_use": "heat_upper_use",
    "heat_lower_use": "heat_lower_use",
    "dhw_use": "dhw_use",
    "error_code": "error_code",
    "sub_error_code": "sub_error_code",
    "ambient_temperature": "ambient",
    "temperature_type": "temperature_type",
    "total_energy_capacity": "total_wh",
    "available_energy_capacity": "missing_wh",
}
#: Columns without empty cells; the heater may leave out the tank sensors.
_REQUIRED = {"dhw_charge_percent", "operation_mode", "current_inst_power"}
#: Degrees Celsius or Wh of one count in the file; 1 for columns in the unit of the table.
_SCALES = {one.name: getattr(one.codec(1), "physical", 1) for one in field_specs(DeviceStatus)}
_TENTHS = {"tank_upper_temp", "tank_lower_temp"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
#: 2020: no NWP500 is older, so an earlier time is that of a clock that was not yet set.
_FIRST_POSSIBLE_MS = 1_577_836_800_000
#: Rows of a file are in order of time, except that several recorders may write at once.
_ORDER_TOLERANCE_MS = 60_000
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Source:
    """Summary of one file.

    ``name``: for people. ``torn``: its last line was incomplete and is left out. ``impossible``:
    readings left out because the clock was wrong. ``zones`` and ``heaters``: those it names, in order.
    """

    path: Path
    readings: int
    torn: bool
    impossible: int
    zones: tuple[str, ...]
    heaters: tuple[str, ...]

    @property
    def name(self) -> str:
        return display_path(self.path.name)


@dataclass(frozen=True)
class Recording:
    """Readings of one heater in order of time, each time once.

    Columns of ``table``: ``ms`` since 1970 in UTC and ``offset`` ms of the time zone, then the values
    in physical units: temperatures in degrees Celsius, energies in Wh, flags and codes as sent; NaN
    where the file has no value. ``zone``: the time zone of the heater, None if unknown: then
    ``offset`` is that of the machine that recorded it. ``heater``: last digits of its MAC address.
    """

    table: pd.DataFrame
    sources: tuple[Source, ...]
    #: Readings left out because another file has the same time.
    repeated: int
    zone: str | None = None
    heater: str | None = None

    @property
    def offsets(self) -> int:
        """Return the number of different UTC offsets; two if daylight saving time began or ended."""
        return int(self.table["offset"].nunique())


def load(
    paths: Iterable[Path], *, zone: ZoneInfo | None = None, heater: str | None = None
) -> Recording:
    """Read files into one recording.

    ``zone`` replaces the time zone that the files name. ``heater``, the last digits of a MAC
    address, selects the rows of one heater. Raises ConfigurationError with file and line if a file is
    not a recording, the files are of several heaters or there is no reading at all, OSError if a
    file cannot be read.
    """
    read = [_read(path) for path in paths]
    sources = tuple(source for source, _ in read)
    names = ", ".join(display_path(source.path) for source in sources) or "no file at all"
    tables = [table for _, table in read if len(table)]
    if not tables:
        raise ConfigurationError(f"there is no reading in {names}")
    whole = pd.concat(tables, ignore_index=True)
    whole, digits = _of_one_heater(whole, names, heater)
    # Stable, so that of equal times the one of the first file is kept.
    whole = whole.sort_values("ms", kind="stable")
    table = whole.drop_duplicates("ms").reset_index(drop=True)
    zone = zone or _zone_of(table, names)
    if zone is not None:
        table["offset"] = _offsets(table["ms"], zone)
    table = table.drop(columns=[ZONE, HEATER])
    return Recording(
        table, sources, len(whole) - len(table), None if zone is None else zone.key, digits
    )


def _of_one_heater(
    table: pd.DataFrame, names: str, wanted: str | None
) -> tuple[pd.DataFrame, str | None]:
    found = [digits for digits in dict.fromkeys(table[HEATER]) if digits]
    if wanted is not None:
        matches = [digits for digits in found if wanted.lower().replace(":", "").endswith(digits)]
        if not matches:
            said = ", ".join(found) or "none"
            raise ConfigurationError(f"no heater {wanted} in {names}; named there: {said}")
        return table[table[HEATER] == matches[0]], matches[0]
    if len(found) > 1:
        raise ConfigurationError(
            f"{names}: readings of several heaters, whose MAC addresses end in {', '.join(found)}; "
            f"select one, for example with --heater {found[0]}"
        )
    return table, found[0] if found else None


def _zone_of(table: pd.DataFrame, names: str) -> ZoneInfo | None:
    """Return the last time zone that the rows name."""
    named = table[ZONE][table[ZONE] != ""]
    if not len(named):
        return None
    try:
        return ZoneInfo(named.iloc[-1])
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(f"{names}: {named.iloc[-1]!r} is not a time zone") from error


def _offsets(ms: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Return the differences of a zone from UTC at times, in milliseconds."""
    when = pd.to_datetime(ms, unit="ms", utc=True)
    local = when.dt.tz_convert(zone).dt.tz_localize(None)
    return ((local - when.dt.tz_localize(None)) // pd.Timedelta(milliseconds=1)).astype("int64")


def _read(path: Path) -> tuple[Source, pd.DataFrame]:
    """Read one file into a table, without the readings whose time is impossible."""
    try:
        content = parse_recording(path.read_bytes())
        tables = [_table(block) for block in content.blocks if block.rows]
    except FormatError as error:
        raise ConfigurationError(f"{display_path(path)}, {error}") from error
    possible = [table[_possible(table["ms"].to_numpy())] for table in tables]
    table = pd.concat(possible, ignore_index=True) if possible else pd.DataFrame()
    named = [
        tuple(cell for cell in dict.fromkeys(table[name]) if cell) if len(table) else ()
        for name in (ZONE, HEATER)
    ]
    impossible = sum(map(len, tables)) - len(table)
    return Source(path, len(table), content.torn, impossible, *named), table


def _possible(ms: np.ndarray) -> np.ndarray:
    """Return False for the rows that a wrong clock recorded.

    These are times before 2020, and those of less than a day that do not fit between the rows
    around them, as after a jump of the clock. A file in no order at all stays whole, and so does one to
    which another was added.
    """
    possible: np.ndarray = ms >= _FIRST_POSSIBLE_MS
    rows = np.flatnonzero(possible)
    wrong = [
        run
        for run in _out_of_order(ms[rows])
        if abs(int(ms[rows[run[-1]]]) - int(ms[rows[run[0]]])) < _DAY_MS
    ]
    if 2 * sum(map(len, wrong)) < len(rows):
        for run in wrong:
            possible[rows[run]] = False
    return possible


def _out_of_order(ms: np.ndarray) -> list[list[int]]:
    """Return runs of rows outside the longest sequence in order of time."""
    if not (np.diff(ms) < -_ORDER_TOLERANCE_MS).any():
        return []
    kept = _longest_in_order(ms.tolist())
    runs = []
    for before, after in zip([-1, *kept], [*kept, len(ms)]):
        # The first and the last rows have a limit on one side alone.
        low = float("-inf") if before < 0 else int(ms[before]) - _ORDER_TOLERANCE_MS
        high = float("inf") if after == len(ms) else int(ms[after]) + _ORDER_TOLERANCE_MS
        run = [row for row in range(before + 1, after) if not low <= ms[row] <= high]
        if run:
            runs.append(run)
    return runs


def _longest_in_order(values: list[int]) -> list[int]:
    """Return the indexes of the longest sequence that does not decrease."""
    ends: list[int] = []  # of the best sequence of each length
    last: list[int] = []
    previous = []
    for index, value in enumerate(values):
        length = bisect_right(ends, value)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        last[length : length + 1] = [index]
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]


def _table(block: Block) -> pd.DataFrame:
    columns = block.header.columns
    cells = pd.read_csv(
        io.BytesIO(b"\n".join(block.rows)),
        header=None,
        sep=block.header.delimiter,
        names=list(columns),
        usecols=[name for name in columns if name in _READ or name in (TIMESTAMP, ZONE, HEATER)],
        dtype=str,
        keep_default_na=False,
        quoting=3,  # csv.QUOTE_NONE
        encoding_errors="replace",
        skip_blank_lines=False,
    )
    table = _times(block, cells[TIMESTAMP])
    for name, own in _READ.items():
        known = name in cells
        table[own] = _numbers(block, cells[name]) * _SCALES.get(name, 1) if known else float("nan")
    for name in (ZONE, HEATER):
        table[name] = cells[name] if name in cells else ""
    return table


def _times(block: Block, text: pd.Series) -> pd.DataFrame:
    when = pd.to_datetime(
        text.where(text.str.fullmatch(_TIME)), format="ISO8601", utc=True, errors="coerce"
    )
    if when.isna().any():
        row = int(when.isna().argmax())
        raise FormatError(
            block.numbers[row],
            f"{text[row]!r} is not a time with a zone, such as 2026-03-01T06:30:00+01:00",
        )
    ms = when.astype("datetime64[ms, UTC]").astype("int64")
    zones = text.str.extract(r"(Z|[+-]\d\d:\d\d)$")[0]
    return pd.DataFrame({"ms": ms, "offset": zones.map({z: _offset(z) for z in zones.unique()})})


def _offset(zone: str) -> int:
    """Return the difference from UTC in milliseconds."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * 60_000


def _numbers(block: Block, text: pd.Series) -> pd.Series:
    if text.name in _TENTHS:
        text = text.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    finite = numbers.abs() < float("inf")
    wrong = ~finite if text.name in _REQUIRED else ~finite & (text != "")
    if wrong.any():
        row = int(wrong.argmax())
        raise FormatError(block.numbers[row], f"{text.name} is {text[row]!r}, not a number")
    return numbers
