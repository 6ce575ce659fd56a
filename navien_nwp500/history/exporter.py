"""Export of the history database as a CSV recording."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

from .csv_format import CELLS, COLUMNS, HEATER, TIMESTAMP, ZONE, Header
from .schema import to_datetime
from .store import HistoryStore, Reading, StoredHeater


def export_csv(
    store: HistoryStore,
    heater: StoredHeater,
    path: Path,
    since: int | None = None,
    until: int | None = None,
) -> int:
    """Write the statuses of a time to a new file, and return their number.

    ``since`` and ``until`` are in ms since 1970. Raises HistoryError, and OSError if the file exists or
    cannot be written; then no file is left.
    """
    lines = -1  # without the header
    file = open(path, "xb")
    try:
        with file:
            for line in csv_lines(store, heater, since, until):
                file.write(line)
                lines += 1
    except BaseException:
        path.unlink()
        raise
    return lines


def csv_lines(
    store: HistoryStore, heater: StoredHeater, since: int | None = None, until: int | None = None
) -> Iterator[bytes]:
    """Iterate over the lines of a recording with the statuses of a time, the header first."""
    yield Header(COLUMNS).row(COLUMNS)
    for reading in store.readings(heater, since=since, until=until):
        yield _row(reading, heater)


def _row(reading: Reading, heater: StoredHeater) -> bytes:
    zone = heater.time_zone
    when = to_datetime(reading.ms).astimezone(zone or timezone.utc)
    own = {
        TIMESTAMP: when.isoformat(timespec="milliseconds"),
        ZONE: "" if zone is None else zone.key,
        HEATER: heater.mac[-4:],
    }
    values: Any = SimpleNamespace(**reading.values)
    cells = [own[name] if name in own else CELLS[name](values) for name in COLUMNS]
    return Header(COLUMNS).row(cells)
