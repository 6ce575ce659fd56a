"""Reader of recordings: CSV files of the monitor, or the history, as one table in order of time.

Files may overlap, have gaps, lack columns of newer versions, be joined in one file, and end in an
incomplete line; ``csv_format`` knows their forms. Rows with impossible times are left out. Any other
damage is an error that names file and line, so that no report is based on wrong values.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Iterable
from zoneinfo import ZoneInfo

import pandas as pd

from .._util.files import display_path
from ..exceptions import ConfigurationError
from ..protocol.client_requests import ClientRequest
from ..protocol.fields import field_specs
from ..protocol.status import DeviceStatus
from .alerts import REQUEST
from .clock_check import possible_times
from .csv_format import (
    FIELD_OF_COLUMN,
    HEATER,
    TIME,
    TIMESTAMP,
    ZONE,
    Block,
    FormatError,
    not_a_time,
    parse_recording,
)
from .request_log import read_requests

if TYPE_CHECKING:
    from .store import HistoryStore

#: Columns that only the causes of heating runs need.
CAUSE_COLUMNS = (
    "command",
    "current_heat_use",
    "current_statenum",
    "hp_upper_on_temp_setting",
    "hp_upper_off_temp_setting",
    "hp_lower_on_temp_setting",
    "heat_min_op_temperature",
    "tou_status",
    "tou_override_status",
    "operation_busy",
    "dr_event_status",
    "freeze_protection_temperature",
    "anti_legionella_operation_busy",
    "program_reservation_use",
)

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
    # Of the causes of heating runs, under the names of their fields, as they were sent.
    **{name: name for name in CAUSE_COLUMNS},
}
#: Columns without empty cells; the heater may leave out the tank sensors.
_REQUIRED = {"dhw_charge_percent", "operation_mode", "current_inst_power"}
#: Degrees Celsius or Wh of one count in the file; 1 for columns in the unit of the table.
_SCALES = {
    one.name: getattr(one.codec(1), "physical", 1)
    for one in field_specs(DeviceStatus)
    if one.name not in CAUSE_COLUMNS
}
_TENTHS = {"tank_upper_temp", "tank_lower_temp"}


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
    #: Requests of clients that were recorded meanwhile.
    requests: tuple[ClientRequest, ...] = ()

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
    paths = tuple(paths)
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
    requests = tuple(request for path in paths for request in read_requests(path))
    key = None if zone is None else zone.key
    return Recording(table, sources, len(whole) - len(table), key, digits, requests)


def load_history(
    store: HistoryStore, *, zone: ZoneInfo | None = None, heater: str | None = None
) -> Recording:
    """Read the statuses of one heater in the history database into a recording.

    ``zone`` replaces its stored time zone; ``heater``, the last digits of a MAC address, selects it.
    Raises ConfigurationError when there is no such heater or no reading, HistoryError.
    """
    found = store.find_heater(heater)
    fields = [FIELD_OF_COLUMN[column] for column in _READ]
    readings = store.readings(found, [name for name, _ in fields])
    rows = [(one.ms, *(one.values[name] for name, _ in fields)) for one in readings]
    cells = pd.DataFrame(rows, columns=["ms", *_READ])
    cells = cells.dropna(subset=sorted(_REQUIRED)).reset_index(drop=True)
    from .schema import to_datetime

    place = store.database.name
    if not len(cells):
        raise ConfigurationError(f"there is no reading in {place}")
    table = pd.DataFrame({"ms": cells["ms"].astype("int64"), "offset": 0})
    for (column, own), (_, divided) in zip(_READ.items(), fields):
        table[own] = cells[column].astype(float) / divided * _SCALES.get(column, 1)
    zone = zone or found.time_zone
    if zone is not None:
        table["offset"] = _offsets(table["ms"], zone)
    key, digits = None if zone is None else zone.key, found.mac[-4:]
    zones = () if found.zone is None else (found.zone,)
    source = Source(Path(place), len(table), False, 0, zones, (digits,))
    requests = tuple(
        ClientRequest.from_text(to_datetime(event["time"]), event["detail"])
        for event in store.events(found)
        if event["kind"] == REQUEST
    )
    return Recording(table, (source,), 0, key, digits, requests)


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
    possible = [table[possible_times(table["ms"].tolist())] for table in tables]
    table = pd.concat(possible, ignore_index=True) if possible else pd.DataFrame()
    named = [
        tuple(cell for cell in dict.fromkeys(table[name]) if cell) if len(table) else ()
        for name in (ZONE, HEATER)
    ]
    impossible = sum(map(len, tables)) - len(table)
    return Source(path, len(table), content.torn, impossible, *named), table


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
        text.where(text.str.fullmatch(TIME)), format="ISO8601", utc=True, errors="coerce"
    )
    if when.isna().any():
        row = int(when.isna().argmax())
        raise FormatError(
            block.numbers[row],
            not_a_time(text[row]),
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
