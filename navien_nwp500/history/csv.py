"""Statuses to disk and back: the CSV of the monitor.

The first seven columns are fixed for ever; every other row of the status table follows as the
integer that was sent, empty when it was not. A file is continued, never overwritten.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Callable, Mapping

from ..exceptions import ConfigurationError
from ..protocol.fields import field_specs
from ..protocol.redaction import logger
from ..protocol.status import DeviceStatus

__all__ = ["BufferedCsvRecorder", "CsvRecorder"]

_LOGGER = logger("navien_nwp500.history")


def _tenths(value: int | None) -> str:
    return "" if value is None else f"{value / 10:.1f}"


def _as_sent(name: str) -> Callable[[DeviceStatus], str]:
    def cell(status: DeviceStatus) -> str:
        value = getattr(status, name)
        return "" if value is None else str(int(value))

    return cell


_FIRST: dict[str, Callable[[DeviceStatus], str]] = {
    "dhw_charge_percent": _as_sent("dhw_charge_per"),
    "operation_mode": _as_sent("operation_mode"),
    "dhw_temperature": _as_sent("dhw_temperature"),
    "current_inst_power": _as_sent("current_inst_power"),
    "tank_upper_temp": lambda status: _tenths(status.tank_upper_temperature),
    "tank_lower_temp": lambda status: _tenths(status.tank_lower_temperature),
}
_SHOWN = {"dhw_charge_per", "tank_upper_temperature", "tank_lower_temperature", *_FIRST}
_CELLS: Mapping[str, Callable[[DeviceStatus], str]] = {
    **_FIRST,
    **{row.name: _as_sent(row.name) for row in field_specs(DeviceStatus) if row.name not in _SHOWN},
}
#: The columns of a new file.
COLUMNS: tuple[str, ...] = ("timestamp", *_CELLS)
#: The columns every file of ours begins with.
FIXED_COLUMNS: tuple[str, ...] = ("timestamp", *_FIRST)


class CsvRecorder:
    """Appends statuses to a CSV file, one whole line at a time.

    An existing file goes on with its own columns, after its header was checked; a line torn by a
    crash or a full disk is cut off first. Raises ConfigurationError when the file is not such a
    recording, OSError when the disk refuses.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.columns = COLUMNS
        self._file: IO[bytes] | None = None
        # Lines are written in a thread, so that a slow disk never holds up the event loop.
        self._lock = threading.Lock()
        #: Bytes of a torn last line that were cut off when the file was opened.
        self.repaired = 0

    def __enter__(self) -> CsvRecorder:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the file to continue it, or begin it with a header."""
        if self._file is not None:
            return
        # Unbuffered: one write a line, so that a kill leaves whole lines.
        file = open(self.path, "ab+", buffering=0)
        try:
            # The header first: a file that is not ours is refused before a byte of it changes.
            self._read_header(file)
            self._repair(file)
            if file.seek(0, io.SEEK_END) == 0:
                self._append(file, _line(COLUMNS))
        except BaseException:
            file.close()
            raise
        self._file = file

    @property
    def moved(self) -> bool:
        """Whether the path no longer leads to the file that is open."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return True

    def write(self, status: DeviceStatus, when: datetime) -> None:
        """Append one status, received at ``when`` (with its zone)."""
        if when.tzinfo is None:
            raise ConfigurationError("a timestamp needs its zone")
        cells = [when.isoformat(timespec="milliseconds")]
        cells += [_CELLS[name](status) for name in self.columns[1:]]
        with self._lock:
            if self._file is None:
                raise ConfigurationError(f"{self.path} is not open")
            self._append(self._file, _line(cells))

    def close(self) -> None:
        """Close the file, after the line that is being written."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _append(self, file: IO[bytes], line: bytes) -> None:
        end = file.seek(0, io.SEEK_END)
        written = file.write(line)
        if written != len(line):
            file.truncate(end)
            raise OSError(f"{self.path}: the disk took {written} of {len(line)} bytes")

    def _repair(self, file: IO[bytes]) -> None:
        size = file.seek(0, io.SEEK_END)
        whole = _end_of_last_line(file, size)
        if whole == size:
            return
        file.truncate(whole)
        self.repaired = size - whole
        _LOGGER.warning("%s: cut off a torn last line of %d bytes", self.path, self.repaired)

    def _read_header(self, file: IO[bytes]) -> None:
        if file.seek(0, io.SEEK_END) == 0:
            return
        file.seek(0)
        # No header of ours is a tenth of this; what is longer is another file, perhaps a huge one.
        first, end, _ = file.read(64 * 1024).partition(b"\n")
        if not end and _line(COLUMNS).startswith(first):
            return
        header = _cells(first.decode("utf-8", "replace")) if end else ()
        known = all(name in _CELLS for name in header[1:])
        if (
            header[: len(FIXED_COLUMNS)] != FIXED_COLUMNS
            or not known
            or len(set(header)) != len(header)
        ):
            raise ConfigurationError(
                f"{self.path} does not begin with the columns of a recording "
                f"({','.join(FIXED_COLUMNS[:3])},…); name another file"
            )
        self.columns = header


class BufferedCsvRecorder:
    """A CsvRecorder that outlasts its disk.

    The first opening is loud. Later, while the file cannot be written (disk full, read-only, moved
    away), readings wait in memory, at most ``room`` of them, the oldest given up first; once it
    heals they are written in their order. Both are said once.
    """

    def __init__(self, path: str | Path, *, room: int = 10_000) -> None:
        self._recorder = CsvRecorder(path)
        self._waiting: deque[tuple[DeviceStatus, datetime]] = deque(maxlen=room)
        self._failing = False
        #: Readings given up because memory was full.
        self.lost = 0

    def __enter__(self) -> BufferedCsvRecorder:
        self._recorder.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._flush()
        self._recorder.close()
        if self._waiting:
            _LOGGER.error("%s: %d readings not written", self._recorder.path, len(self._waiting))

    def write(self, status: DeviceStatus, when: datetime) -> None:
        """Append one status, or keep it until that is possible."""
        if len(self._waiting) == self._waiting.maxlen:
            self.lost += 1
        self._waiting.append((status, when))
        self._flush()

    def _flush(self) -> None:
        kept = len(self._waiting)
        try:
            if self._recorder.moved:
                self._recorder.close()
            self._recorder.open()
            while self._waiting:
                self._recorder.write(*self._waiting[0])
                self._waiting.popleft()
        except (OSError, ConfigurationError) as error:
            # Opening anew repairs what a full disk may have torn.
            self._recorder.close()
            if not self._failing:
                _LOGGER.error("cannot write the recording, keeping readings: %s", error)
            self._failing = True
            return
        if self._failing:
            self._failing = False
            _LOGGER.warning("the recording is written again: %d readings, %d lost", kept, self.lost)


def _line(cells: tuple[str, ...] | list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _cells(line: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([line]), ()))
    except csv.Error:
        return ()


def _end_of_last_line(file: IO[bytes], size: int) -> int:
    """Where the last whole line ends, sought backwards from the end."""
    position = size
    while position > 0:
        start = max(0, position - 4096)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
