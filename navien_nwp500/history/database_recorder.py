"""Recorder of one heater's statuses and alerts in the history database."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Sequence
from zoneinfo import ZoneInfo

from ..protocol.status import DeviceStatus
from .alerts import Alert
from .buffer import CAPACITY, BufferedRecorder
from .database import Database
from .schema import to_ms
from .store import HistoryStore, Reading, StoredHeater

__all__ = ["BufferedDatabaseRecorder", "DatabaseRecorder"]


class DatabaseRecorder:
    """Recorder that adds statuses and alerts to a database, each in one transaction.

    ``heater`` is the MAC address of the heater, ``label`` its name, ``zone`` its time zone. Raises
    ConfigurationError and HistoryError as ``Database`` does.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        *,
        heater: str,
        label: str | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        self._database = Database(where)
        self._store = HistoryStore(self._database)
        self._mac, self._label = heater, label
        self._zone = None if zone is None else zone.key
        self._heater: StoredHeater | None = None

    @property
    def name(self) -> str:
        """Return the path or URL of the database, without password."""
        return self._database.name

    def open(self) -> None:
        """Open the database, and enter the heater."""
        self._database.open()
        if self._heater is None:
            self._heater = self._store.ensure_heater(self._mac, name=self._label, zone=self._zone)

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        self._heater = None

    def write(self, status: DeviceStatus | None, when: datetime, alerts: Sequence[Alert]) -> None:
        """Add a status, or None when the heater did not answer, and the alerts at that time."""
        self.open()
        assert self._heater is not None
        reading = None if status is None else Reading.of(status, when)
        self._store.record(self._heater, to_ms(when), reading, alerts)


class BufferedDatabaseRecorder(BufferedRecorder):
    """DatabaseRecorder that keeps statuses in memory while the database cannot be written."""

    def __init__(
        self,
        where: str | os.PathLike[str],
        *,
        heater: str,
        label: str | None = None,
        zone: ZoneInfo | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        super().__init__(DatabaseRecorder(where, heater=heater, label=label, zone=zone), capacity)

    def write(
        self, status: DeviceStatus | None, when: datetime, alerts: Sequence[Alert] = ()
    ) -> None:
        """Add a status and alerts, or keep them in memory until that is possible."""
        self.put(status, when, tuple(alerts))
