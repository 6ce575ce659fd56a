"""Reader of recordings: CSV files of the monitor as one table, in order of time.

Files may overlap, have gaps, lack columns of newer versions, be joined in one file, and end in an
incomplete line. Any other damage is an error that names file and line, so that no report is based
on wrong values.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence

import pandas as pd

from ..exceptions import ConfigurationError
from ..protocol.fields import field_specs
from ..protocol.status import DeviceStatus
from .csv import FIXED_COLUMNS

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
_HEADER = ",".join(FIXED_COLUMNS).encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
#: Milliseconds between readings if a file has only one (default interval of the monitor).
_DEFAULT_INTERVAL_MS = 300_000


@dataclass(frozen=True)
class Source:
    """Summary of one file. ``torn``: its last line was incomplete and is left out."""

    path: Path
    readings: int
    torn: bool


@dataclass(frozen=True)
class Recording:
    """Readings in order of time, each time once.

    Columns of ``table``: ``ms`` since 1970 in UTC and ``offset`` ms of the recording's time zone,
    ``usual`` ms between the readings of their file, then the values in physical units: temperatures in
    degrees Celsius, energies in Wh, flags and codes as sent; NaN where the file has no value.
    """

    table: pd.DataFrame
    sources: tuple[Source, ...]
    #: Readings left out because another file has the same time.
    repeated: int

    @property
    def offsets(self) -> int:
        """Return the number of different UTC offsets; two if daylight saving time began or ended."""
        return int(self.table["offset"].nunique())


class _Block(NamedTuple):
    """Lines under one header, with their line numbers."""

    path: Path
    columns: Sequence[str]
    numbers: Sequence[int]
    lines: Sequence[bytes]

    def error(self, row: int, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}, line {self.numbers[row]}: {problem}")


def load(paths: Iterable[Path]) -> Recording:
    """Read files into one recording.

    Raises ConfigurationError with file and line if a file is not a recording or there is no
    reading at all, OSError if a file cannot be read.
    """
    sources, tables = [], []
    for path in paths:
        content = path.read_bytes()
        lines = content.split(b"\n")
        # CsvRecorder ends each line, so text after the last end is incomplete.
        torn = lines.pop()
        found = [_table(block) for block in _blocks(path, lines)] if lines else []
        if not lines and not _HEADER.startswith(torn[: len(_HEADER)]):
            raise _no_recording(path, 1)
        sources.append(Source(path, sum(map(len, found)), bool(torn)))
        tables += [table for table in found if len(table)]
    if not tables:
        named = ", ".join(str(source.path) for source in sources)
        raise ConfigurationError(f"there is no reading in {named or 'no file at all'}")
    whole = pd.concat(tables, ignore_index=True)
    # Stable, so that of equal times the one of the first file is kept.
    whole = whole.sort_values("ms", kind="stable")
    table = whole.drop_duplicates("ms").reset_index(drop=True)
    return Recording(table, tuple(sources), len(whole) - len(table))


def _no_recording(path: Path, line: int) -> ConfigurationError:
    start = ",".join(FIXED_COLUMNS[:3])
    return ConfigurationError(
        f"{path}, line {line}: not the header of a recording, which begins {start},…"
    )


def _blocks(path: Path, lines: Sequence[bytes]) -> Iterator[_Block]:
    """Yield a file's parts, each with its header: files may have been joined."""
    starts = [number for number, line in enumerate(lines) if line.startswith(b"timestamp,")]
    if not starts or starts[0] > 0:
        # A spreadsheet program writes a byte-order mark before the header.
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        columns = lines[start].decode("utf-8-sig", "replace").rstrip("\r").split(",")
        if tuple(columns[: len(FIXED_COLUMNS)]) != FIXED_COLUMNS or len(set(columns)) != len(
            columns
        ):
            raise _no_recording(path, start + 1)
        kept = [
            (number, line.rstrip(b"\r"))
            for number, line in enumerate(lines[start + 1 : end], start + 2)
            if line.strip()
        ]
        block = _Block(path, columns, [n for n, _ in kept], [line for _, line in kept])
        for row, line in enumerate(block.lines):
            cells = line.count(b",") + 1
            if cells != len(columns):
                raise block.error(row, f"{cells} cells where the header has {len(columns)}")
        yield block


def _table(block: _Block) -> pd.DataFrame:
    if not block.lines:
        return pd.DataFrame()
    cells = pd.read_csv(
        io.BytesIO(b"\n".join(block.lines)),
        header=None,
        names=list(block.columns),
        usecols=[name for name in block.columns if name in _READ or name == "timestamp"],
        dtype=str,
        keep_default_na=False,
        quoting=3,  # csv.QUOTE_NONE: a recording has no quotes, but a damaged one may
        encoding_errors="replace",
        skip_blank_lines=False,
    )
    table = _times(block, cells["timestamp"])
    for name, own in _READ.items():
        known = name in cells
        table[own] = _numbers(block, cells[name]) * _SCALES.get(name, 1) if known else float("nan")
    return table


def _times(block: _Block, text: pd.Series) -> pd.DataFrame:
    when = pd.to_datetime(
        text.where(text.str.fullmatch(_TIME)), format="ISO8601", utc=True, errors="coerce"
    )
    if when.isna().any():
        row = int(when.isna().argmax())
        raise block.error(
            row, f"{text[row]!r} is not a time with a zone, such as 2026-03-01T06:30:00+01:00"
        )
    ms = when.astype("datetime64[ms, UTC]").astype("int64")
    zones = text.str.extract(r"(Z|[+-]\d\d:\d\d)$")[0]
    table = pd.DataFrame({"ms": ms, "offset": zones.map({z: _offset(z) for z in zones.unique()})})
    steps = ms.sort_values().diff()
    usual = steps[steps > 0].median()
    table["usual"] = _DEFAULT_INTERVAL_MS if pd.isna(usual) else int(usual)
    return table


def _offset(zone: str) -> int:
    """Return the difference from UTC in milliseconds."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * 60_000


def _numbers(block: _Block, text: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    finite = numbers.abs() < float("inf")
    wrong = ~finite if text.name in _REQUIRED else ~finite & (text != "")
    if wrong.any():
        row = int(wrong.argmax())
        raise block.error(row, f"{text.name} is {text[row]!r}, not a number")
    return numbers
