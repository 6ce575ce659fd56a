"""Statuses, quarter hours, events and commands of the heaters in a history database."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Iterator, Mapping, NamedTuple, Sequence
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ..exceptions import ConfigurationError
from ..protocol.fields import field_specs
from ..protocol.status import DeviceStatus
from .alerts import REQUEST, Alert
from .database import Database
from .quarter_rows import update_quarters
from .quarters import Day, add_days
from .schema import EVENT, FIELD_COLUMNS, HEATER, QUARTER, STATUS, WHOLE_STATUS, to_ms
from .status_rows import delete_unused_settings, insert_new, insert_statuses

#: Rows that are read, or deleted in one transaction.
SLICE = 5_000
#: Clocks of programs that received the same message differ by less than this.
_SAME_MESSAGE_MS = 1_000
_SPECS = field_specs(DeviceStatus)
_KEYS = {spec.key: spec.name for spec in _SPECS}
_LIMITS = {
    spec.name: 2**15 if isinstance(FIELD_COLUMNS[spec.name].type, sa.SmallInteger) else 2**31
    for spec in _SPECS
}


class ReadingSource(IntEnum):
    """Origin of a stored status."""

    LIVE = 1
    CSV = 2
    CAPTURE = 3


class Reading(NamedTuple):
    """One recorded status: time in ms since 1970, integers by field name, and what has no field."""

    ms: int
    values: Mapping[str, int | None]
    extra: Mapping[str, Any] = {}

    @classmethod
    def of(cls, status: DeviceStatus, when: datetime) -> Reading:
        """Return the reading of a status that was received at ``when``."""
        values = {spec.name: getattr(status, spec.name) for spec in _SPECS}
        numbers = {name: int(value) for name, value in values.items() if value is not None}
        return cls(to_ms(when), numbers, status.extra)


@dataclass(frozen=True)
class StoredHeater:
    """A heater in the database. ``mac``: twelve digits, or the last four that a recording names."""

    id: int
    mac: str
    name: str | None
    zone: str | None

    @property
    def time_zone(self) -> ZoneInfo | None:
        """Return the time zone; None if it is unknown to this machine."""
        try:
            return ZoneInfo(self.zone) if self.zone else None
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            return None


class HistoryStore:
    """The statuses of heaters in an open database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Heaters

    def heaters(self) -> list[StoredHeater]:
        """Return all heaters, in the order in which they came."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(HEATER).order_by(HEATER.c.id)).all()
        return [StoredHeater(*row) for row in rows]

    def find_heater(self, mac: str | None = None) -> StoredHeater:
        """Return the heater whose MAC address ends in these digits, or the only one.

        Raises ConfigurationError if there is none, or more than one.
        """
        heaters = self.heaters()
        digits = "" if mac is None else plain_digits(mac)
        found = [one for one in heaters if _same_end(one.mac, digits)]
        if len(found) == 1:
            return found[0]
        place, known = self.database.name, ", ".join(one.mac[-4:] for one in heaters)
        if not heaters:
            raise ConfigurationError(f"{place}: there is no heater in it yet")
        if not found:
            raise ConfigurationError(f"{place}: no heater {mac}; MAC addresses end in {known}")
        raise ConfigurationError(
            f"{place} has several heaters, whose MAC addresses end in {known}; select one, for "
            f"example with --heater {found[0].mac[-4:]}"
        )

    def ensure_heater(
        self, mac: str, *, name: str | None = None, zone: str | None = None
    ) -> StoredHeater:
        """Return the heater of a MAC address, or of its last four digits; add it if it is new.

        A name, a zone, and the whole address of a heater known by four digits are stored.
        """
        mac = plain_digits(mac)
        with self.database.writing() as connection:
            # In the database: reading all for each new one takes seconds where there are thousands.
            shorter = HEATER.c.mac.in_([mac[start:] for start in range(len(mac))])
            same_end = sa.select(HEATER).where(shorter | HEATER.c.mac.endswith(mac))
            known = [StoredHeater(*row) for row in connection.execute(same_end)]
            found = [one for one in known if one.mac == mac] or known
            if len(found) > 1:
                raise ConfigurationError(
                    f"{self.database.name} has several heaters whose MAC addresses end in {mac}; "
                    "name one with --heater and all its digits"
                )
            if not found:
                row = {"mac": mac, "name": name, "zone": zone}
                insert_new(connection, HEATER, [row])
            else:
                old = found[0]
                row = {
                    "mac": max(mac, old.mac, key=len),
                    "name": name or old.name,
                    "zone": zone or old.zone,
                }
                connection.execute(sa.update(HEATER).where(HEATER.c.id == old.id).values(row))
            query = sa.select(HEATER).where(HEATER.c.mac == row["mac"])
            return StoredHeater(*connection.execute(query).one())

    # Statuses

    def add(self, heater: StoredHeater, readings: Sequence[Reading], source: ReadingSource) -> int:
        """Add readings and roll their quarter hours up; return the number of new ones.

        A reading at the time of a stored one is ignored; so is one that another source has stored
        with equal values within a second, because both are the same message.
        """
        if not readings:
            return 0
        with self.database.writing() as connection:
            return self._add(connection, heater, readings, source)

    def record(
        self, heater: StoredHeater, ms: int, reading: Reading | None, alerts: Sequence[Alert]
    ) -> None:
        """Add a reading that has just come, if any, and the alerts at that time, or nothing."""
        with self.database.writing() as connection:
            if reading is not None:
                self._add(connection, heater, [reading], ReadingSource.LIVE)
            for alert in alerts:
                self._add_alert(connection, heater, alert, ms)

    def readings(
        self,
        heater: StoredHeater,
        fields: Sequence[str] = tuple(_LIMITS),
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[Reading]:
        """Yield the readings from ``since`` to before ``until``, in order of time."""
        columns = [STATUS.c.time, STATUS.c.extra, *(FIELD_COLUMNS[name] for name in fields)]
        query = sa.select(*columns).select_from(WHOLE_STATUS).where(STATUS.c.heater_id == heater.id)
        if until is not None:
            query = query.where(STATUS.c.time < until)
        query = query.order_by(STATUS.c.time).limit(SLICE)
        after = None if since is None else since - 1
        while True:
            # In slices, each in a transaction of its own: a slow reader blocks nobody.
            part = query if after is None else query.where(STATUS.c.time > after)
            with self.database.reading() as connection:
                rows = connection.execute(part).all()
            for time, extra, *values in rows:
                yield _reading(time, extra, dict(zip(fields, values)))
            if len(rows) < SLICE:
                return
            after = rows[-1][0]

    def span(self, heater: StoredHeater) -> tuple[int, int | None, int | None]:
        """Return the number of statuses, and the times of the first and the last one in ms."""
        time = STATUS.c.time
        query = sa.select(sa.func.count(), sa.func.min(time), sa.func.max(time))
        with self.database.reading() as connection:
            count, first, last = connection.execute(
                query.where(STATUS.c.heater_id == heater.id)
            ).one()
        return count, first, last

    def latest(self, heater: StoredHeater, field: str, among: Sequence[int]) -> int | None:
        """Return the latest of some values that a field has had, None if it had none of them."""
        column = FIELD_COLUMNS[field]
        query = sa.select(column).select_from(WHOLE_STATUS)
        query = query.where(STATUS.c.heater_id == heater.id, column.in_(among))
        with self.database.reading() as connection:
            found: int | None = connection.execute(
                query.order_by(STATUS.c.time.desc()).limit(1)
            ).scalar_one_or_none()
        return found

    def prune(self, before: int) -> int:
        """Delete the statuses before a time and return their number; quarter hours stay.

        In slices, between which others can write.
        """
        key = sa.tuple_(STATUS.c.heater_id, STATUS.c.time)
        old = sa.select(STATUS.c.heater_id, STATUS.c.time).where(STATUS.c.time < before)
        deleted = 0
        while True:
            with self.database.writing() as connection:
                statement = sa.delete(STATUS).where(key.in_(old.limit(SLICE)))
                count = int(connection.execute(statement).rowcount)
            deleted += count
            if count < SLICE:
                break
        for heater in self.heaters():
            with self.database.writing() as connection:
                self._lock(connection, heater.id)
                delete_unused_settings(connection, heater.id)
        self.database.shrink()
        return deleted

    def _add(
        self,
        connection: Any,
        heater: StoredHeater,
        readings: Sequence[Reading],
        source: ReadingSource,
    ) -> int:
        self._lock(connection, heater.id)
        rows = [_row(heater.id, reading, source) for reading in readings]
        if source is not ReadingSource.LIVE:
            rows = self._without_stored(connection, heater.id, rows, source)
        new = insert_statuses(connection, rows)
        if new:
            times = [row["time"] for row in rows]
            update_quarters(connection, heater.id, min(times), max(times))
        return new

    @staticmethod
    def _lock(connection: Any, heater_id: int) -> None:
        """Let one at a time write a heater, or two would replace the same quarter hour."""
        mine = sa.select(HEATER.c.id).where(HEATER.c.id == heater_id)
        connection.execute(mine.with_for_update())

    def _without_stored(
        self, connection: Any, heater_id: int, rows: list[dict[str, Any]], source: ReadingSource
    ) -> list[dict[str, Any]]:
        """Leave out the rows that another source has stored at nearly the same time."""
        times = [row["time"] for row in rows]
        query = (
            sa.select(STATUS.c.time, *FIELD_COLUMNS.values())
            .select_from(WHOLE_STATUS)
            .where(
                STATUS.c.heater_id == heater_id,
                STATUS.c.source != int(source),
                STATUS.c.time.between(min(times) - _SAME_MESSAGE_MS, max(times) + _SAME_MESSAGE_MS),
            )
        )
        stored: dict[int, list[dict[str, Any]]] = {}
        for row in connection.execute(query).mappings():
            stored.setdefault(row["time"] // _SAME_MESSAGE_MS, []).append(dict(row))
        return [
            row
            for row in rows
            if not any(
                _same_message(row, other)
                for step in (-1, 0, 1)
                for other in stored.get(row["time"] // _SAME_MESSAGE_MS + step, ())
            )
        ]

    # Quarter hours and days

    def quarters(
        self, heater: StoredHeater, since: int | None = None, until: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows of the table ``quarter`` that start in a time, in order."""
        query = sa.select(QUARTER).where(QUARTER.c.heater_id == heater.id)
        if since is not None:
            query = query.where(QUARTER.c.time >= since)
        if until is not None:
            query = query.where(QUARTER.c.time < until)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(QUARTER.c.time)).all()
        names = QUARTER.columns.keys()
        return [dict(zip(names, row)) for row in rows]

    def days(
        self, heater: StoredHeater, since: int | None = None, until: int | None = None
    ) -> list[Day]:
        """Return the sums of each day in the heater's time zone."""
        return add_days(self.quarters(heater, since, until), heater.time_zone)

    # Events

    def _add_alert(self, connection: Any, heater: StoredHeater, alert: Alert, ms: int) -> None:
        """Add an alert that begins as an event, or enter the end of one."""
        begun = sa.and_(
            EVENT.c.heater_id == heater.id,
            EVENT.c.kind == alert.kind,
            EVENT.c.time < ms,
            EVENT.c.ended.is_(None),
        )
        if not alert.active or alert.kind == "error":  # another code ends the one before
            connection.execute(sa.update(EVENT).where(begun).values(ended=ms))
        if alert.active:
            row = {
                "heater_id": heater.id,
                "time": ms,
                "kind": alert.kind,
                "ended": ms if alert.kind == REQUEST else None,
                "detail": alert.text,
            }
            insert_new(connection, EVENT, [row])

    def events(
        self, heater: StoredHeater, since: int | None = None, until: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the events of a heater that begin in a time, in order; ``ended`` is None while one lasts."""
        query = sa.select(EVENT).where(EVENT.c.heater_id == heater.id).order_by(EVENT.c.time)
        if since is not None:
            query = query.where(EVENT.c.time >= since)
        if until is not None:
            query = query.where(EVENT.c.time < until)
        with self.database.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def plain_digits(mac: str) -> str:
    """Return a MAC address, or its last digits, as the database has it.

    Raises ConfigurationError if it is neither.
    """
    digits = re.sub("[:-]", "", mac).lower()
    if not re.fullmatch("[0-9a-f]{4,12}", digits):
        raise ConfigurationError("heater must be a MAC address, or its last four digits or more")
    return digits


def _same_end(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _row(heater_id: int, reading: Reading, source: ReadingSource) -> dict[str, Any]:
    """Return the row of a reading; a number that its column cannot hold goes to ``extra``."""
    row: dict[str, Any] = {"heater_id": heater_id, "time": reading.ms, "source": int(source)}
    extra = dict(reading.extra)
    for spec in _SPECS:
        value = reading.values.get(spec.name)
        if value is not None and not -_LIMITS[spec.name] <= value < _LIMITS[spec.name]:
            extra[spec.key], value = value, None
        row[spec.name] = value
    row["extra"] = json.dumps(extra, sort_keys=True, default=str) if extra else None
    return row


def _reading(time: int, extra: str | None, values: dict[str, int | None]) -> Reading:
    unknown = {} if extra is None else json.loads(extra)
    for key in [key for key in unknown if key in _KEYS and type(unknown[key]) is int]:
        values[_KEYS[key]] = unknown.pop(key)
    return Reading(time, values, unknown)


def _same_message(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return True if rows are less than a second apart and differ in no field that both have."""
    return abs(row["time"] - other["time"]) < _SAME_MESSAGE_MS and all(
        row[name] == other[name] or row[name] is None or other[name] is None for name in _LIMITS
    )
