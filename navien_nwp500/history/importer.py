"""Import of CSV recordings and captures into the history database."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import Iterable, Iterator, NamedTuple
from zoneinfo import ZoneInfo

from .._util.files import display_path
from ..exceptions import ConfigurationError, ProtocolError
from ..protocol.capture import IN, MQTT, read_capture
from ..protocol.messages import parse_message
from .alerts import REQUEST, Alert
from .clock_check import possible_times
from .csv_format import (
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
from .schema import to_ms
from .store import SLICE, HistoryStore, Reading, ReadingSource, StoredHeater, plain_digits


@dataclass
class Imported:
    """Counts of one file: readings in it, new ones, and those left out because a clock was wrong.

    ``torn``: its last line was incomplete and is left out. ``heaters``: MAC addresses, or last digits.
    ``interrupted``: not all of them were added.
    """

    path: Path
    readings: int = 0
    new: int = 0
    impossible: int = 0
    torn: bool = False
    heaters: tuple[str, ...] = ()
    interrupted: bool = False


class _Row(NamedTuple):
    reading: Reading
    heater: str
    zone: str


def import_file(
    store: HistoryStore,
    path: Path,
    *,
    heater: str | None = None,
    zone: ZoneInfo | None = None,
    stop: Event | None = None,
) -> Imported:
    """Add the readings of a CSV recording or a capture to the database.

    ``heater`` is the MAC address for a file that names none, or its last four digits, and for a
    capture, whose addresses are masked; ``zone`` is for a file that names none. The requests that
    were recorded beside a CSV file of one heater are added too. The file is read whole before
    anything is written. When ``stop`` is set, what was added stays. Raises ConfigurationError with
    file and line if it is neither, or names no heater, and HistoryError and OSError.
    """
    result, stop = Imported(path), stop or Event()
    if _is_capture(path):
        source, rows = ReadingSource.CAPTURE, list(_until(stop, _capture_rows(path, heater)))
    else:
        source, rows = ReadingSource.CSV, _csv_rows(path, result, stop)
    if stop.is_set():
        result.interrupted = True
        return result
    requests = read_requests(path) if source is ReadingSource.CSV else []
    result.readings = len(rows)
    if heater is not None:
        whole = plain_digits(heater)
        rows = [row._replace(heater=whole) if whole.endswith(row.heater) else row for row in rows]
    names = dict.fromkeys(row.heater for row in rows)
    if "" in names:
        raise ConfigurationError(
            f"{display_path(path)} does not name its heater; add --heater with its MAC address, "
            "see: navien-nwp500 devices"
        )
    for name in names:
        own = [row for row in rows if row.heater == name]
        named = _checked_zone(path, own[-1].zone) if own[-1].zone else zone
        stored = store.ensure_heater(name, zone=None if named is None else named.key)
        result.heaters += (stored.mac,)
        _add(store, stored, own, source, stop, result)
        for request in requests if len(names) == 1 else ():
            store.record(stored, to_ms(request.when), None, [Alert(REQUEST, request.text)])
    return result


def _checked_zone(path: Path, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(f"{display_path(path)}: {name!r} is not a time zone") from error


def _add(
    store: HistoryStore,
    heater: StoredHeater,
    rows: list[_Row],
    source: ReadingSource,
    stop: Event,
    result: Imported,
) -> None:
    readings = sorted((row.reading for row in rows), key=lambda reading: reading.ms)
    for at in range(0, len(readings), SLICE):
        if stop.is_set():
            result.interrupted = True
            return
        result.new += store.add(heater, readings[at : at + SLICE], source)


def _is_capture(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(1) == b"{"


def _until(stop: Event, rows: Iterable[_Row]) -> Iterator[_Row]:
    return takewhile(lambda _: not stop.is_set(), rows)


def _csv_rows(path: Path, result: Imported, stop: Event) -> list[_Row]:
    try:
        content = parse_recording(path.read_bytes())
        blocks = [list(_until(stop, _block_rows(block))) for block in content.blocks]
    except FormatError as error:
        raise ConfigurationError(f"{display_path(path)}, {error}") from error
    kept = []
    for rows in blocks:
        possible = possible_times([row.reading.ms for row in rows])
        kept += [row for row, is_possible in zip(rows, possible) if is_possible]
    result.torn = content.torn
    result.impossible = sum(map(len, blocks)) - len(kept)
    return kept


def _block_rows(block: Block) -> Iterator[_Row]:
    columns, delimiter = block.header.columns, block.header.delimiter
    place = {name: columns.index(name) for name in (TIMESTAMP, ZONE, HEATER) if name in columns}
    for number, line in zip(block.numbers, block.rows):
        cells = line.decode("utf-8", "replace").split(delimiter)
        own = {name: cells[index].strip() for name, index in place.items()}
        try:
            ms = to_ms(parse_time(own[TIMESTAMP]))
            values = parse_values(columns, cells)
        except ValueError as error:
            raise FormatError(number, str(error)) from error
        yield _Row(Reading(ms, values), own.get(HEATER, ""), own.get(ZONE, ""))


def _capture_rows(path: Path, heater: str | None) -> Iterator[_Row]:
    """Yield the statuses that a capture received; messages that are damaged are left out."""
    for entry in read_capture(path):
        if entry.kind != MQTT or entry.direction != IN:
            continue
        try:
            message = parse_message(entry.name, entry.content)
            status = None if message is None else message.status
        except ProtocolError:
            continue
        if message is not None and status is not None:
            mac = heater or message.mac_address or ""
            yield _Row(Reading.of(status, entry.time), mac, "")
