"""Recordings of the monitor as one table, in order of time.

Files may overlap, have gaps, carry the fewer columns of an older version, follow each other in one
file, and end in a torn line. What is damaged elsewhere is refused by its file and line: a report on
half-understood readings would be believed.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence

import pandas as pd

from ..exceptions import ConfigurationError
from .csv import FIXED_COLUMNS

#: Columns read, by their name in the file: the name here, and what one count is (degrees Celsius, Wh).
_READ: dict[str, tuple[str, float]] = {
    "dhw_charge_percent": ("charge", 1),
    "operation_mode": ("heats", 1),
    "current_inst_power": ("power", 1),
    "tank_upper_temp": ("upper", 1),
    "tank_lower_temp": ("lower", 1),
    "dhw_temperature_setting": ("setpoint", 0.5),
    "dhw_operation_setting": ("mode", 1),
    "comp_use": ("comp_use", 1),
    "heat_upper_use": ("heat_upper_use", 1),
    "heat_lower_use": ("heat_lower_use", 1),
    "dhw_use": ("dhw_use", 1),
    "error_code": ("error_code", 1),
    "sub_error_code": ("sub_error_code", 1),
    "ambient_temperature": ("ambient", 0.1),
    "temperature_type": ("temperature_type", 1),
    "total_energy_capacity": ("total_wh", 4),
    "available_energy_capacity": ("missing_wh", 4),
}
#: The heater sends these in every status; the tank's sensors it may leave out.
_REQUIRED = {"dhw_charge_percent", "operation_mode", "current_inst_power"}
_HEADER = ",".join(FIXED_COLUMNS).encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
#: Milliseconds between readings when a file has but one (the monitor's usual interval).
_USUAL_MS = 300_000


@dataclass(frozen=True)
class Source:
    """What one file gave. ``torn``: its last line was cut off and left out."""

    path: Path
    readings: int
    torn: bool


@dataclass(frozen=True)
class Recording:
    """Readings in order of time, no moment twice.

    Columns of ``table``: ``ms`` since 1970 in UTC and ``offset`` ms of the recording's own zone,
    ``usual`` ms between the readings of their file, then what was read, physical: temperatures in
    degrees Celsius, energies in Wh, flags and codes as sent; NaN where the file says nothing.
    """

    table: pd.DataFrame
    sources: tuple[Source, ...]
    #: Readings left out because another file has the same moment.
    repeated: int

    @property
    def offsets(self) -> int:
        """How many different distances from UTC the readings carry; two where the clock changed."""
        return int(self.table["offset"].nunique())


class _Block(NamedTuple):
    """Lines under one header, with their numbers in the file."""

    path: Path
    columns: Sequence[str]
    numbers: Sequence[int]
    lines: Sequence[bytes]

    def wrong(self, row: int, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}, line {self.numbers[row]}: {what}")


def load(paths: Iterable[Path]) -> Recording:
    """Read recordings into one.

    Raises ConfigurationError naming file and line for what is no recording, or when there is no
    reading at all; OSError when a file cannot be read.
    """
    sources, tables = [], []
    for path in paths:
        content = path.read_bytes()
        lines = content.split(b"\n")
        # CsvRecorder ends each line: what stands after the last end was torn, perhaps in a number.
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
    # Stable, so that of one moment the file named first is kept.
    whole = whole.sort_values("ms", kind="stable")
    table = whole.drop_duplicates("ms").reset_index(drop=True)
    return Recording(table, tuple(sources), len(whole) - len(table))


def _no_recording(path: Path, line: int) -> ConfigurationError:
    start = ",".join(FIXED_COLUMNS[:3])
    return ConfigurationError(
        f"{path}, line {line}: not the header of a recording, which begins {start},…"
    )


def _blocks(path: Path, lines: Sequence[bytes]) -> Iterator[_Block]:
    """A file's parts, each under its own header: recordings may have been put one after another."""
    starts = [number for number, line in enumerate(lines) if line.startswith(b"timestamp,")]
    if not starts or starts[0] > 0:
        # A spreadsheet puts a byte-order mark before the header.
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
                raise block.wrong(row, f"{cells} cells where the header has {len(columns)}")
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
        quoting=3,  # csv.QUOTE_NONE: a recording has no quotes, damage may have one
        encoding_errors="replace",
        skip_blank_lines=False,
    )
    table = _times(block, cells["timestamp"])
    for name, (own, count) in _READ.items():
        table[own] = _numbers(block, cells[name]) * count if name in cells else float("nan")
    return table


def _times(block: _Block, text: pd.Series) -> pd.DataFrame:
    when = pd.to_datetime(
        text.where(text.str.fullmatch(_TIME)), format="ISO8601", utc=True, errors="coerce"
    )
    if when.isna().any():
        row = int(when.isna().argmax())
        raise block.wrong(
            row, f"{text[row]!r} is no time with its zone, such as 2026-03-01T06:30:00+01:00"
        )
    ms = when.astype("datetime64[ms, UTC]").astype("int64")
    zones = text.str.extract(r"(Z|[+-]\d\d:\d\d)$")[0]
    table = pd.DataFrame({"ms": ms, "offset": zones.map({z: _offset(z) for z in zones.unique()})})
    steps = ms.sort_values().diff()
    usual = steps[steps > 0].median()
    table["usual"] = _USUAL_MS if pd.isna(usual) else int(usual)
    return table


def _offset(zone: str) -> int:
    """Milliseconds from UTC."""
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
        raise block.wrong(row, f"{text.name} is {text[row]!r}, not a number")
    return numbers
