"""Recorders of statuses as CSV. An existing file is continued, never overwritten."""

from __future__ import annotations

import io
import os
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from .._util.files import display_path
from ..exceptions import ConfigurationError
from ..protocol.redaction import logger
from ..protocol.status import DeviceStatus
from .buffer import CAPACITY, BufferedRecorder
from .csv_format import (
    CELLS,
    COLUMNS,
    HEATER,
    MAX_HEADER_BYTES,
    NEXT_HEADER,
    TIMESTAMP,
    ZONE,
    FormatError,
    Header,
    has_decimal_commas,
    is_torn_header,
    parse_header,
)

__all__ = ["BufferedCsvRecorder", "CsvRecorder"]

_LOGGER = logger("navien_nwp500.history")


class CsvRecorder:
    """Recorder that appends statuses to a CSV file, one complete line at a time.

    ``heater`` is the MAC address of the heater; each line has its last four digits. ``zone`` is the
    time zone of the heater; timestamps are written in it.

    An existing file is continued in its own form and with its own columns, after a check of its header;
    an incomplete last line, left by a crash or a full disk, is cut off first. The file may be renamed,
    emptied or deleted meanwhile: the next line then begins a new one, with a header. Raises
    ConfigurationError when the file is not a recording, or one of another heater, OSError when it
    cannot be written.
    """

    def __init__(
        self, path: str | Path, *, heater: str | None = None, zone: ZoneInfo | None = None
    ) -> None:
        self.path = Path(path)
        self._heater = "" if heater is None else heater_digits(heater)
        self._zone = zone
        self._header = Header(COLUMNS)
        self._decimal_comma = False
        self._file: IO[bytes] | None = None
        self._opened = False
        #: The first line of the open file, and the size after the last write.
        self._first_row = b""
        self._size = 0
        # Threads may write, so that a slow disk does not block the event loop.
        self._lock = threading.Lock()
        #: Bytes of an incomplete last line that were cut off when the file was opened.
        self.truncated_bytes = 0

    def __enter__(self) -> CsvRecorder:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Return the path, for people."""
        return display_path(self.path)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the file."""
        return self._header.columns

    def open(self) -> None:
        """Open the file to continue it; write the header if it is new."""
        with self._lock:
            if self._file is None:
                self._file = self._open()
            self._opened = True

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
        with self._lock:
            if not self._opened:
                raise ConfigurationError(f"{self.path} is not open; call open() first")
            file = self._current_file()
            self._append(file, self._row(status, when))

    def close(self) -> None:
        """Close the file after the line that is being written."""
        with self._lock:
            self._opened = False
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        # Unbuffered, one write for each line, so that a killed process leaves complete lines.
        file = open(self.path, "ab+", buffering=0)
        try:
            self._continue(file)
        except BaseException:
            file.close()
            raise
        return file

    def _current_file(self) -> IO[bytes]:
        """Return the open file, after what other programs may have done to it."""
        if self._file is not None and self.path_changed:
            _LOGGER.info("%s was renamed or deleted; a new file is begun", self.path)
            self._close_file()
        if self._file is None:
            self._file = self._open()
        elif self._content_changed(self._file):
            _LOGGER.warning("%s was emptied or changed by another program", self.path)
            self._continue(self._file)
        return self._file

    def _content_changed(self, file: IO[bytes]) -> bool:
        """Return True if the file is shorter, or begins with another header.

        A longer file has rows of another recorder, perhaps one that is just writing.
        """
        if file.seek(0, io.SEEK_END) < self._size:
            return True
        file.seek(0)
        return file.read(len(self._first_row)) != self._first_row

    def _continue(self, file: IO[bytes]) -> None:
        """Check the file, then complete or cut off its last line; write the header if it is empty."""
        # The header first: another file must be rejected before any byte of it changes.
        header = self._read_header(file)
        if header is None:
            self._truncate(file, 0)
            self._header, self._decimal_comma = Header(COLUMNS), False
            self._append(file, self._header.row(COLUMNS))
        else:
            self._header = header
            self._check_last_row(file)
            self._complete_last_row(file)
        self._size = file.seek(0, io.SEEK_END)
        self._first_row = _row_at(file, 0)

    def _read_header(self, file: IO[bytes]) -> Header | None:
        """Read the last header; None if the file is empty, or has only a part of one."""
        size = file.seek(0, io.SEEK_END)
        if size == 0:
            return None
        first = _row_at(file, 0)
        try:
            if not first.endswith(b"\n") and is_torn_header(first):
                return None
            header = parse_header(first.rstrip(b"\n"))
            # Recordings may have been joined in one file.
            last = _last_header_start(file, _row_start(file, size))
            return parse_header(_row_at(file, last).rstrip(b"\n")) if last else header
        except FormatError as error:
            raise ConfigurationError(
                f"{self.path} cannot be continued: {error.problem}; name another file"
            ) from error

    def _check_last_row(self, file: IO[bytes]) -> None:
        """Learn the form of the numbers, and check the heater, in the last complete line."""
        size = file.seek(0, io.SEEK_END)
        end = _row_start(file, size)
        file.seek(start := _row_start(file, max(0, end - 1)))
        try:
            cells = self._header.cells(file.read(end - start).rstrip(b"\n"))
        except ValueError:
            return
        self._decimal_comma = has_decimal_commas(cells)
        row = dict(zip(self._header.columns, cells))
        if HEATER not in row:
            _LOGGER.info(
                "%s is of an older version: its rows do not name the heater and its time zone",
                self.path,
            )
        other = row.get(HEATER, "")
        if self._heater and other not in ("", HEATER, self._heater):
            raise ConfigurationError(
                f"{self.path} is the recording of the heater with the MAC address …{other}, this "
                f"is …{self._heater}; name another file"
            )

    def _complete_last_row(self, file: IO[bytes]) -> None:
        size = file.seek(0, io.SEEK_END)
        start = _row_start(file, size)
        file.seek(start)
        whole = self._header.whole_part(file.read(size - start)) if start < size else b""
        self._truncate(file, start + len(whole))
        if whole:
            file.write(self._header.line_end.encode())

    def _truncate(self, file: IO[bytes], end: int) -> None:
        size = file.seek(0, io.SEEK_END)
        if end < size:
            file.truncate(end)
            self.truncated_bytes = size - end
            _LOGGER.warning(
                "%s: cut off an incomplete last line of %d bytes", self.path, self.truncated_bytes
            )

    def _row(self, status: DeviceStatus, when: datetime) -> bytes:
        if self._zone is not None:
            when = when.astimezone(self._zone)
        own = {
            TIMESTAMP: when.isoformat(timespec="milliseconds"),
            ZONE: "" if self._zone is None else self._zone.key,
            HEATER: self._heater,
        }
        # Columns that a newer version or the user has added stay empty.
        cells = [
            own[name] if name in own else CELLS[name](status) if name in CELLS else ""
            for name in self._header.columns
        ]
        if self._decimal_comma:
            cells = [re.sub(r"^(-?\d+)\.(\d)$", r"\1,\2", cell) for cell in cells]
        return self._header.row(cells)

    def _append(self, file: IO[bytes], line: bytes) -> None:
        end = file.seek(0, io.SEEK_END)
        written = file.write(line)
        if written != len(line):
            file.truncate(end)
            raise OSError(f"{self.path}: only {written} of {len(line)} bytes were written")
        self._size = end + written


class BufferedCsvRecorder(BufferedRecorder):
    """CsvRecorder that keeps statuses in memory while the file cannot be written."""

    def __init__(
        self,
        path: str | Path,
        *,
        capacity: int = CAPACITY,
        heater: str | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        super().__init__(CsvRecorder(path, heater=heater, zone=zone), capacity)

    def write(self, status: DeviceStatus, when: datetime) -> None:
        """Append one status, or keep it in memory until that is possible."""
        self.put(status, when)


def heater_digits(mac_address: str) -> str:
    """Return the last four digits of a MAC address: they tell the heaters of a home apart.

    Raises ConfigurationError if it is not a MAC address.
    """
    digits = re.sub("[:-]", "", mac_address).lower()
    if not re.fullmatch("[0-9a-f]{12}", digits):
        raise ConfigurationError("heater must be a MAC address of 12 hexadecimal digits")
    return digits[-4:]


def _row_at(file: IO[bytes], start: int) -> bytes:
    """Return the line that begins at ``start``, with its end, or as much as a header may have."""
    file.seek(start)
    line, end, _ = file.read(MAX_HEADER_BYTES).partition(b"\n")
    return line + end


def _last_header_start(file: IO[bytes], size: int) -> int:
    """Return where the last header begins, searching backwards; 0 if there is only the first."""
    end = size
    while end > 0:
        start = max(0, end - 2**20)
        file.seek(start)
        # With the first bytes of what was read before, which may be the rest of a header.
        found = [m.start() for m in NEXT_HEADER.finditer(file.read(min(end + 16, size) - start))]
        if found:
            return start + found[-1] + 1
        end = start
    return 0


def _row_start(file: IO[bytes], end: int) -> int:
    """Return where the line that contains the byte before ``end`` begins, searching backwards."""
    position = end
    while position > 0:
        start = max(0, position - 4096)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
