"""Queue of the statuses that wait to be written, and the thread that writes them."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Callable, Iterator, NamedTuple, Sequence, TypeVar

from ..._util.aio import Notifier, in_thread
from ...history.alerts import Alert
from ...history.schema import to_ms
from ...history.store import HistoryStore, Reading, StoredHeater
from ...protocol.status import DeviceStatus

T = TypeVar("T")

#: Rows that wait at most; the oldest are dropped first. 10,000 heaters send as many in five minutes.
CAPACITY = 20_000
#: Rows written before the thread is given back, so that a heartbeat never waits long.
_BATCH = 50


class Row(NamedTuple):
    """A status of one heater, or None when it did not answer, with the alerts of that time."""

    slot: int
    mac: str
    label: str
    when: datetime
    status: DeviceStatus | None
    alerts: Sequence[Alert]
    queued: float


class RowQueue:
    """Rows in order of time, until they are written. ``written`` and ``dropped`` only grow."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.written = self.dropped = 0
        self._rows: deque[Row] = deque()
        self._capacity = capacity
        self._changed = Notifier()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter([*self._rows])

    @property
    def lag(self) -> float:
        """Return the seconds that the oldest row has waited."""
        return time.monotonic() - self._rows[0].queued if self._rows else 0.0

    def put(
        self,
        slot: int,
        mac: str,
        label: str,
        when: datetime,
        status: DeviceStatus | None,
        alerts: Sequence[Alert],
    ) -> None:
        """Add a row; when the queue is full, drop the oldest."""
        self._rows.append(Row(slot, mac, label, when, status, alerts, time.monotonic()))
        if len(self._rows) > self._capacity:
            self._rows.popleft()
            self.dropped += 1
        self._changed.notify()

    async def next_batch(self) -> list[Row]:
        """Wait for rows and return the oldest; they stay in the queue until ``done``."""
        while not self._rows:
            await self._changed.wait()
        return [self._rows[place] for place in range(min(_BATCH, len(self._rows)))]

    def done(self, rows: Sequence[Row], written: int) -> None:
        """Remove rows of ``next_batch``; those that were not written are dropped."""
        for row in rows:
            if self._rows and self._rows[0] is row:
                self._rows.popleft()
        self.written += written
        self.dropped += len(rows) - written


class RowWriter:
    """Writer of rows into an open history; used by one thread at a time."""

    def __init__(self, store: HistoryStore, zone: str | None) -> None:
        self._store = store
        self._zone = zone
        self._heaters: dict[str, StoredHeater] = {}

    def write(self, rows: Sequence[Row]) -> None:
        """Write each row in a transaction. Raises HistoryError; a row that is there is not doubled."""
        for row in rows:
            heater = self._heaters.get(row.mac)
            if heater is None:
                heater = self._store.ensure_heater(row.mac, name=row.label, zone=self._zone)
                self._heaters[row.mac] = heater
            reading = None if row.status is None else Reading.of(row.status, row.when)
            self._store.record(heater, to_ms(row.when), reading, row.alerts)


class DatabaseThread:
    """The one thread that uses the session of the database."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="navilink-database")

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the thread. A cancellation is raised when the call has ended."""
        return await in_thread(partial(function, *arguments), executor=self._executor)

    def end(self) -> None:
        """Stop the thread; nothing may be running in it."""
        self._executor.shutdown()
