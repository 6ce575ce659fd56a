"""CSV format of recorded statuses, and the recorders that write it.

The first seven columns never change. All other status fields follow as the integer that was sent;
a cell is empty if the field was not sent. An existing file is continued, never overwritten.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
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


_FIRST_CELLS: dict[str, Callable[[DeviceStatus], str]] = {
    "dhw_charge_percent": _as_sent("dhw_charge_per"),
    "operation_mode": _as_sent("operation_mode"),
    "dhw_temperature": _as_sent("dhw_temperature"),
    "current_inst_power": _as_sent("current_inst_power"),
    "tank_upper_temp": lambda status: _tenths(status.tank_upper_temperature),
    "tank_lower_temp": lambda status: _tenths(status.tank_lower_temperature),
}
_IN_FIRST = {"dhw_charge_per", "tank_upper_temperature", "tank_lower_temperature", *_FIRST_CELLS}
_CELLS: Mapping[str, Callable[[DeviceStatus], str]] = {
    **_FIRST_CELLS,
    **{
        one.name: _as_sent(one.name)
        for one in field_specs(DeviceStatus)
        if one.name not in _IN_FIRST
    },
}
#: The columns of a new file.
COLUMNS: tuple[str, ...] = ("timestamp", *_CELLS)
#: The columns with which each recording begins.
FIXED_COLUMNS: tuple[str, ...] = ("timestamp", *_FIRST_CELLS)


class CsvRecorder:
    """Recorder that appends statuses to a CSV file, one complete line at a time.

    An existing file is continued with its own columns, after a check of its header; an incomplete
    last line, left by a crash or a full disk, is cut off first. Raises ConfigurationError when the
    file is not a recording, OSError when it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.columns = COLUMNS
        self._file: IO[bytes] | None = None
        # Threads may write, so that a slow disk does not block the event loop.
        self._lock = threading.Lock()
        #: Bytes of an incomplete last line that were cut off when the file was opened.
        self.truncated_bytes = 0

    def __enter__(self) -> CsvRecorder:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self) -> None:
        """Open the file to continue it; write the header if it is new."""
        if self._file is not None:
            return
        # Unbuffered, one write for each line, so that a killed process leaves complete lines.
        file = open(self.path, "ab+", buffering=0)
        try:
            # The header first: another file must be rejected before any byte of it changes.
            self._read_header(file)
            self._truncate_incomplete_line(file)
            if file.seek(0, io.SEEK_END) == 0:
                self._append(file, _line(COLUMNS))
        except BaseException:
            file.close()
            raise
        self._file = file

    @property
    def path_changed(self) -> bool:
        """Return True if the path no longer refers to the open file."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return True

    def write(self, status: DeviceStatus, when: datetime) -> None:
        """Append one status, received at ``when`` (with a time zone)."""
        if when.tzinfo is None:
            raise ConfigurationError("the timestamp has no time zone; pass an aware datetime")
        cells = [when.isoformat(timespec="milliseconds")]
        cells += [_CELLS[name](status) for name in self.columns[1:]]
        with self._lock:
            if self._file is None:
                raise ConfigurationError(f"{self.path} is not open; call open() first")
            self._append(self._file, _line(cells))

    def close(self) -> None:
        """Close the file after the line that is being written."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _append(self, file: IO[bytes], line: bytes) -> None:
        end = file.seek(0, io.SEEK_END)
        written = file.write(line)
        if written != len(line):
            file.truncate(end)
            raise OSError(f"{self.path}: only {written} of {len(line)} bytes were written")

    def _truncate_incomplete_line(self, file: IO[bytes]) -> None:
        size = file.seek(0, io.SEEK_END)
        end = _end_of_last_line(file, size)
        if end == size:
            return
        file.truncate(end)
        self.truncated_bytes = size - end
        _LOGGER.warning(
            "%s: cut off an incomplete last line of %d bytes", self.path, self.truncated_bytes
        )

    def _read_header(self, file: IO[bytes]) -> None:
        if file.seek(0, io.SEEK_END) == 0:
            return
        file.seek(0)
        # A header has less than a tenth of this; a longer line is another file, perhaps a huge one.
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
    """CsvRecorder that keeps statuses in memory while the file cannot be written.

    The first opening raises. Later, while writing fails (disk full, read-only, file moved), at
    most ``capacity`` statuses are kept, and the oldest are dropped first; they are written in order
    once that is possible again. Both changes are logged once.
    """

    def __init__(self, path: str | Path, *, capacity: int = 10_000) -> None:
        self._recorder = CsvRecorder(path)
        self._waiting: deque[tuple[DeviceStatus, datetime]] = deque(maxlen=capacity)
        self._failing = False
        #: Statuses that were dropped because ``capacity`` was reached.
        self.dropped = 0

    def __enter__(self) -> BufferedCsvRecorder:
        self._recorder.open()
        return self

    def __exit__(self, *error: object) -> None:
        self._flush()
        self._recorder.close()
        if self._waiting:
            _LOGGER.error("%s: %d statuses not written", self._recorder.path, len(self._waiting))

    def write(self, status: DeviceStatus, when: datetime) -> None:
        """Append one status, or keep it in memory until that is possible."""
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append((status, when))
        self._flush()

    def _flush(self) -> None:
        count = len(self._waiting)
        try:
            if self._recorder.path_changed:
                self._recorder.close()
            self._recorder.open()
            while self._waiting:
                self._recorder.write(*self._waiting[0])
                self._waiting.popleft()
        except (OSError, ConfigurationError) as error:
            # Opening again cuts off a line that a full disk left incomplete.
            self._recorder.close()
            if not self._failing:
                _LOGGER.error("cannot write the recording, keeping statuses in memory: %s", error)
            self._failing = True
            return
        if self._failing:
            self._failing = False
            _LOGGER.warning(
                "the recording is written again: %d statuses, %d dropped", count, self.dropped
            )


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
    """Return the end of the last complete line, searching backwards."""
    position = size
    while position > 0:
        start = max(0, position - 4096)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
