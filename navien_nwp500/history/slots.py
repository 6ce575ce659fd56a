"""A PostgreSQL session that holds slots and writes the history of their accounts.

A slot is a session advisory lock: PostgreSQL gives it to one session, and frees it when that session
ends. Because the history is written through the same session, no row can be written without the lock.
A process that dies frees its slots at once; one that is frozen, when the server ends its idle
session; then the writes that it still tries fail.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Iterable

import sqlalchemy as sa

from ..exceptions import ConfigurationError, HistoryError
from .database import Database

#: Any number; the same for all programs that share slots.
_LOCK_CLASS = 500_053
#: PostgreSQL of this version ends sessions that are idle outside a transaction.
_OLDEST_SERVER = 140_000

_HELD = sa.text(
    "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :kind AND objsubid = 2"
    " AND granted AND pid = pg_backend_pid()"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TAKE = sa.text("SELECT pg_try_advisory_lock(:kind, :slot)")
_RELEASE = sa.text("SELECT pg_advisory_unlock(:kind, :slot)")


class SlotSession(Database):
    """History database in one PostgreSQL session, with the slots that it holds.

    ``limit``: seconds after which the server ends the session when nothing is asked of it, also
    inside a transaction; call ``check`` more often. Threads may use it, one at a time. When the session
    ends, every call raises HistoryError: close this object, and open a new one.

    Raises ConfigurationError for a database that is no PostgreSQL of version 14 or newer.
    """

    def __init__(self, where: str | os.PathLike[str], *, limit: float = 15.0) -> None:
        super().__init__(where)
        if self.path is not None:
            raise ConfigurationError(
                f"{self.name} is a file; slots need a PostgreSQL database. Without one, divide the "
                "accounts with --shard"
            )
        self._limit = limit
        self._held: set[int] = set()
        self._connected = False
        self._one = threading.RLock()

    @property
    def held(self) -> frozenset[int]:
        """Return the slots that the session holds, as far as it knows."""
        return frozenset(self._held)

    def open(self) -> None:
        """Connect, and create or migrate the tables. Raises HistoryError as ``Database.open``."""
        super().open()
        with self.reading() as connection:
            number = int(connection.execute(sa.text("SHOW server_version_num")).scalar_one())
        if number < _OLDEST_SERVER:
            self.close()
            raise ConfigurationError(f"{self.name}: slots need PostgreSQL 14 or newer")

    def take(self, count: int, among: Iterable[int]) -> frozenset[int]:
        """Try to hold ``count`` slots; the missing ones are taken from ``among``, in its order.

        Never waits: a slot that another session holds is left out. Returns all that are held.
        """
        free = [slot for slot in among if slot not in self._held]
        if len(self._held) >= count or not free:
            return self.held
        with self._one, self.writing() as connection:
            for slot in free:
                row = {"kind": _LOCK_CLASS, "slot": slot}
                if connection.execute(_TAKE, row).scalar_one():
                    self._held.add(slot)
                if len(self._held) >= count:
                    break
        return self.held

    def release(self, slots: Iterable[int]) -> None:
        """Free slots, for others to take."""
        with self._one, self.writing() as connection:
            for slot in self._held & set(slots):
                connection.execute(_RELEASE, {"kind": _LOCK_CLASS, "slot": slot})
                self._held.discard(slot)

    def check(self) -> None:
        """Keep the session from being idle, and check that it holds its slots.

        Raises HistoryError if it does not: a connection pool between this program and PostgreSQL, such as
        PgBouncer, may give each transaction another session.
        """
        with self._one, self.reading() as connection:
            found = {row[0] for row in connection.execute(_HELD, {"kind": _LOCK_CLASS})}
        if not self._held <= found:
            raise HistoryError(
                f"{self.name}: the session has lost its slots; connect to PostgreSQL directly, "
                "without a pool such as PgBouncer"
            )

    def _new_engine(self) -> Any:
        milliseconds = max(1, round(1000 * self._limit))
        timeouts = (
            "idle_session_timeout",
            # Else a process that is frozen inside a transaction would hold its slots for ever.
            "idle_in_transaction_session_timeout",
            "statement_timeout",
        )
        options = " ".join(f"-c {name}={milliseconds}" for name in timeouts)
        engine = self._create_engine(
            {"options": options, "application_name": "navien-nwp500"},
            poolclass=sa.pool.StaticPool,
        )
        sa.event.listen(engine, "do_connect", self._connect_once)
        return engine

    def _connect_once(self, *_: Any) -> None:
        """Refuse a second session: it would hold no slots."""
        if self._connected:
            raise HistoryError(f"{self.name}: the session has ended, and with it its slots")
        self._connected = True
