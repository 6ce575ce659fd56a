"""Records that the causes of heating runs are told from: statuses, requests and commands.

Of CSV recordings or of the history, without pandas. ``analysis.causes`` judges them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Collection, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from .._util.files import display_path
from ..exceptions import ConfigurationError
from ..protocol.client_requests import ClientRequest
from .alerts import REQUEST
from .clock_check import possible_times
from .csv_format import (
    FIELD_OF_COLUMN,
    HEATER,
    TIMESTAMP,
    ZONE,
    Block,
    FormatError,
    parse_recording,
    parse_time,
    parse_values,
)
from .request_log import read_requests

if TYPE_CHECKING:
    from .command_log import StoredCommand
    from .store import HistoryStore, StoredHeater

#: Requests so long before a span may belong to its first status.
_LEAD = timedelta(minutes=5)


@dataclass
class CauseRecords:
    """Records of one heater in order of time; times are in its zone, where that is known."""

    statuses: Sequence[tuple[datetime, Mapping[str, int | None]]]
    requests: Sequence[ClientRequest] = ()
    commands: Sequence[StoredCommand] = ()
    zone: tzinfo | None = None


def stored_records(
    store: HistoryStore,
    heater: StoredHeater,
    fields: Sequence[str],
    *,
    zone: ZoneInfo | None = None,
    since: int | None = None,
    until: int | None = None,
) -> CauseRecords:
    """Read the records of a heater in the history, from ``since`` to before ``until`` in ms.

    Raises HistoryError as ``Database`` does.
    """
    from .command_log import CommandLog
    from .schema import to_datetime, to_ms

    place = zone or heater.time_zone
    shown = place or timezone.utc
    statuses = [
        (to_datetime(reading.ms).astimezone(shown), reading.values)
        for reading in store.readings(heater, fields, since, until)
    ]
    if not statuses:
        return CauseRecords((), zone=place)
    first, last = (to_ms(statuses[edge][0]) for edge in (0, -1))
    lead = _LEAD // timedelta(milliseconds=1)
    events = store.events(heater, first - lead, last + 1)
    requests = [
        ClientRequest.from_text(to_datetime(event["time"]), event["detail"])
        for event in events
        if event["kind"] == REQUEST
    ]
    commands = CommandLog(store).within(heater, first - lead, last + 1)
    return CauseRecords(statuses, requests, commands, place)


@dataclass
class _Rows:
    """Rows of CSV files: by time the values, and the heaters and zones that they name."""

    by_time: dict[datetime, Mapping[str, int]] = field(default_factory=dict)
    heaters: dict[str, None] = field(default_factory=dict)
    zone: str = ""


def csv_records(
    paths: Sequence[Path],
    fields: Collection[str],
    *,
    zone: ZoneInfo | None = None,
    heater: str | None = None,
) -> CauseRecords:
    """Read CSV recordings of one heater, with the requests beside them.

    ``zone`` replaces the time zone that they name; ``heater``, the last digits of a MAC address,
    selects one. Raises ConfigurationError with file and line if a file is not a recording, names
    several heaters, or holds no reading, and OSError.
    """
    wanted = {column for column, (name, _) in FIELD_OF_COLUMN.items() if name in fields}
    found = _Rows()
    for path in paths:
        try:
            for block in parse_recording(path.read_bytes()).blocks:
                _read(block, wanted, heater, found)
        except FormatError as error:
            raise ConfigurationError(f"{display_path(path)}, {error}") from error
    names = ", ".join(map(display_path, paths))
    if len(found.heaters) > 1:
        digits = ", ".join(found.heaters)
        raise ConfigurationError(
            f"{names}: readings of several heaters, whose MAC addresses end in {digits}; select "
            f"one, for example with --heater {next(iter(found.heaters))}"
        )
    if not found.by_time:
        of_heater = f" of heater {heater}" if heater else ""
        raise ConfigurationError(f"there is no reading{of_heater} in {names}")
    place = zone or _zone(found.zone, names)
    requests = [request for path in paths for request in read_requests(path)]
    requests.sort(key=lambda request: request.when)
    statuses = [
        (when if place is None else when.astimezone(place), values)
        for when, values in sorted(found.by_time.items())
    ]
    return CauseRecords(statuses, requests, zone=place)


def _read(block: Block, wanted: set[str], heater: str | None, found: _Rows) -> None:
    columns = block.header.columns
    places = [number for number, name in enumerate(columns) if name in wanted]
    names = [columns[number] for number in places]
    rows = list(_rows(block))
    times = [int(when.timestamp() * 1000) for _, when, _ in rows]
    for (number, when, cells), possible in zip(rows, possible_times(times)):
        row = dict(zip(columns, cells))
        digits = row.get(HEATER, "").strip()
        if not possible or (heater and digits and not _is_heater(heater, digits)):
            continue
        if digits:
            found.heaters[digits] = None
        found.zone = row.get(ZONE, "").strip() or found.zone
        try:
            values = parse_values(names, [cells[place] for place in places])
        except ValueError as error:
            raise FormatError(number, str(error)) from error
        found.by_time.setdefault(when, values)


def _rows(block: Block) -> Iterator[tuple[int, datetime, list[str]]]:
    at = block.header.columns.index(TIMESTAMP)
    for number, line in zip(block.numbers, block.rows):
        cells = line.decode("utf-8", "replace").split(block.header.delimiter)
        try:
            when = parse_time(cells[at].strip())
        except ValueError as error:
            raise FormatError(number, str(error)) from error
        yield number, when, cells


def _is_heater(wanted: str, digits: str) -> bool:
    return wanted.lower().replace(":", "").replace("-", "").endswith(digits)


def _zone(name: str, files: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(f"{files}: {name!r} is not a time zone") from error
