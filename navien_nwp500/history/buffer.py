"""Buffer before a recorder: statuses wait in memory while its file or database cannot be written."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Protocol

from ..exceptions import ConfigurationError, HistoryError
from ..protocol.redaction import logger

#: Statuses that wait at most: 35 days of polls every five minutes.
CAPACITY = 10_000

_LOGGER = logger("navien_nwp500.history")


class Recorder(Protocol):
    """A file or database that may be opened again after an error."""

    @property
    def name(self) -> str:
        """Return its path or URL, for people."""

    def open(self) -> None:
        """Open it; do nothing if it is open."""

    @property
    def write(self) -> Callable[..., None]:
        """Write one entry."""

    def close(self) -> None:
        """Close it."""


class BufferedRecorder:
    """Recorder that keeps its entries in memory while they cannot be written.

    The first opening raises. Later, while writing fails (disk full, database away), at most
    ``capacity`` entries are kept, and the oldest are dropped first; they are written in order once that
    is possible again. Both changes are logged once. Threads may write; each entry is written once.
    """

    def __init__(self, recorder: Recorder, capacity: int = CAPACITY) -> None:
        self._recorder = recorder
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._capacity = capacity
        # Held while entries are written: a slow disk must not mix them with the last ones at exit.
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._dropped = 0

    def __enter__(self) -> Any:
        self._recorder.open()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._flush()
            self._recorder.close()
        if self._waiting:
            _LOGGER.error("%s: %d statuses not written", self._recorder.name, len(self._waiting))

    @property
    def name(self) -> str:
        """Return the path or URL of the recorder, for people."""
        return self._recorder.name

    @property
    def dropped(self) -> int:
        """Return the number of statuses that were dropped because ``capacity`` was reached."""
        return self._dropped

    @property
    def problem(self) -> str | None:
        """Return why entries cannot be written at present, None when they can."""
        return self._problem

    def put(self, *entry: Any) -> None:
        """Write an entry, or keep it in memory until that is possible."""
        with self._lock:
            self._waiting.append(entry)
            self._flush()
            if len(self._waiting) > self._capacity:
                self._waiting.popleft()
                self._dropped += 1

    def _flush(self) -> None:
        count = len(self._waiting)
        try:
            self._recorder.open()
            while self._waiting:
                self._recorder.write(*self._waiting[0])
                self._waiting.popleft()
        except (OSError, ConfigurationError, HistoryError) as error:
            # Opening again cuts off a line that a full disk left incomplete.
            self._recorder.close()
            if self._problem is None:
                _LOGGER.error("cannot write the recording, keeping statuses in memory: %s", error)
            self._problem = str(error)
            return
        if self._problem is not None:
            self._problem = None
            _LOGGER.warning(
                "the recording is written again: %d statuses, %d dropped", count, self._dropped
            )
