"""Fleet recorder: one process records the accounts whose slots it holds.

Accounts are divided into 64 slots by their e-mail. With PostgreSQL, slots are locks of the session that
writes the history, so that no account is recorded twice, and another process takes over what a dead or
frozen one has held. With ``Shard`` the division is fixed, and nothing guards against doubles.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import AbstractSet, Protocol, Sequence

from ..._util.aio import cancel_and_wait, run_until_first
from ...config import NaviLinkConfig
from ...exceptions import ConfigurationError, HistoryError
from ...history.database import Database
from ...history.slots import SlotSession
from ...history.store import HistoryStore
from .account_recorder import AccountRecorder, AccountState, SignInRateLimiter
from .accounts_file import SLOTS, AccountsFile, FleetAccount
from .rows import DatabaseThread, RowQueue, RowWriter

_LOGGER = logging.getLogger("navien_nwp500.fleet")

#: Part of the server's limit after which a process stops by its own clock, before the server does.
_SAFE_PART = 0.8
#: Seconds between two tries to open the database, doubled up to the second.
_REOPEN_SECONDS = (0.1, 5.0)
#: Seconds after a session was lost in which only the slots that were held before are taken: the others
#: have lost theirs too, and get them back, with the accounts that are signed in.
_OTHERS_FIRST_SECONDS = 6.0


class Division(Protocol):
    """The slots of this process, and the database that records their accounts.

    ``limit``: seconds after which nobody may rely on the slots without a new ``check``; None if
    they are fixed.
    """

    limit: float | None

    def open(self, before: AbstractSet[int]) -> Database:
        """Open the database, and hold slots: those held ``before``, or any if there were none."""

    @property
    def held(self) -> AbstractSet[int]:
        """Return the slots that are held."""

    def check(self) -> None:
        """Check that the slots are still held, and try to hold missing ones. Raises HistoryError."""

    def close(self) -> None:
        """Free the slots and close the database."""


class HeldSlots:
    """Division by locks: at most ``count`` slots, of which the process may hold fewer."""

    def __init__(self, where: str, count: int, limit: float = 15.0) -> None:
        self.limit: float | None = limit
        self._where, self._count = where, count
        self._session = SlotSession(where, limit=limit)
        #: Time from which any slot may be taken; None before the first session.
        self._any_from: float | None = None

    def open(self, before: AbstractSet[int]) -> Database:
        self._session = SlotSession(self._where, limit=self.limit or 0)
        self._session.open()
        now = time.monotonic()
        self._any_from = now if self._any_from is None else now + _OTHERS_FIRST_SECONDS
        self._session.take(self._count, before)
        self._take_any()
        return self._session

    @property
    def held(self) -> AbstractSet[int]:
        return self._session.held

    def check(self) -> None:
        self._session.check()
        self._take_any()

    def _take_any(self) -> None:
        if self._any_from is not None and time.monotonic() >= self._any_from:
            self._session.take(self._count, _shuffled())

    def close(self) -> None:
        self._session.close()


def _shuffled() -> list[int]:
    """Return all slots in any order, so that processes which start together share them at once."""
    return random.sample(range(SLOTS), SLOTS)


class Shard:
    """Division by numbers: process ``number`` of ``of``, counted from 1."""

    def __init__(self, where: str, number: int, of: int) -> None:
        self.limit: float | None = None
        self.held: AbstractSet[int] = frozenset(range(number - 1, SLOTS, of))
        self._database = Database(where)

    def open(self, before: AbstractSet[int]) -> Database:
        self._database.open()
        return self._database

    def check(self) -> None:
        """Do nothing: the slots are fixed."""

    def close(self) -> None:
        self._database.close()


@dataclass(frozen=True)
class FleetSettings:
    """Settings of a fleet. ``beat``: seconds between checks; a dead process is replaced within one."""

    config: NaviLinkConfig
    sign_ins_per_second: float = 5.0
    beat: float = 1.0
    zone: str | None = None


class Fleet:
    """Recorder of the accounts of a file, as far as their slots are held here."""

    def __init__(self, accounts: AccountsFile, division: Division, settings: FleetSettings) -> None:
        self.queue = RowQueue()
        self.states: dict[str, AccountState] = {}
        self.slots: AbstractSet[int] = frozenset()
        self.slot_changes = 0
        self.sessions_lost = 0
        self.writing = False
        self._accounts = accounts
        self._division = division
        self._settings = settings
        self._limiter = SignInRateLimiter(settings.sign_ins_per_second)
        self._thread = DatabaseThread()
        self._tasks: dict[str, tuple[FleetAccount, asyncio.Task[None]]] = {}
        self._assigning = asyncio.Lock()
        self._checked = time.monotonic()
        self._missed_before = 0
        self._writer: RowWriter | None = None

    @property
    def missed(self) -> int:
        """Return the polls that stayed without an answer, which only grow."""
        return self._missed_before + sum(state.missed for state in self.states.values())

    async def run(self) -> None:
        """Record until cancelled. Raises ConfigurationError for an unusable file or database."""
        self._accounts.changed()
        try:
            await run_until_first(self._serve_forever(), self._stop_in_time())
        finally:
            slots = self.slots
            await self._assign(frozenset())
            await self._write_waiting(slots)
            await self._thread.call(self._division.close)
            self._thread.end()

    async def _serve_forever(self) -> None:
        delay, longest = _REOPEN_SECONDS
        while True:
            try:
                await self._serve()
            except HistoryError as error:
                if self.writing:
                    delay = _REOPEN_SECONDS[0]
                    self.sessions_lost += 1
                    _LOGGER.error("recording pauses: %s", error)
                elif delay == _REOPEN_SECONDS[0]:
                    _LOGGER.error("cannot record: %s", error)
                self.writing = False
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)

    async def _serve(self) -> None:
        """Open the database, and write and check until that fails."""
        began = time.monotonic()
        try:
            database = await self._thread.call(self._division.open, self.slots)
            self._writer = RowWriter(HistoryStore(database), self._settings.zone)
            self._checked = began
            await self._assign(self._division.held)
            self.writing = True
            await run_until_first(self._beat(), self._write(self._writer))
        except (HistoryError, ConfigurationError):
            self._writer = None
            await self._thread.call(self._division.close)
            raise

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.beat)
            began = time.monotonic()
            await self._thread.call(self._division.check)
            self._checked = began
            changed = self._read_accounts()
            if changed or self._division.held != self.slots:
                await self._assign(self._division.held, retry=changed)

    def _read_accounts(self) -> bool:
        try:
            return self._accounts.changed()
        except ConfigurationError as error:
            _LOGGER.error("the accounts stay as they are: %s", error)
            return False

    async def _write(self, writer: RowWriter) -> None:
        """Write rows of held slots; another process writes those of a slot that was lost."""
        while True:
            rows = await self.queue.next_batch()
            mine = [row for row in rows if row.slot in self.slots]
            await self._thread.call(writer.write, mine)
            self.queue.done(rows, len(mine))

    async def _write_waiting(self, slots: AbstractSet[int]) -> None:
        """Write at the end what waits."""
        rows = [row for row in self.queue if row.slot in slots]
        if self._writer is None or not rows:
            return
        try:
            await self._thread.call(self._writer.write, rows)
        except HistoryError as error:
            _LOGGER.error("%d statuses were not written: %s", len(rows), error)

    async def _stop_in_time(self) -> None:
        """Stop all accounts when the slots were not checked for too long: others may hold them."""
        limit = self._division.limit
        while True:
            await asyncio.sleep(self._settings.beat if limit is None else limit / 30)
            if limit is None or time.monotonic() - self._checked < _SAFE_PART * limit:
                continue
            if self.slots:
                _LOGGER.error("the slots were not confirmed in time: recording stops")
                await self._assign(frozenset())

    async def _assign(self, slots: AbstractSet[int], *, retry: bool = False) -> None:
        """Start the accounts of slots that are new, and stop those of slots that were lost.

        ``retry``: start those again whose credentials were refused.
        """
        async with self._assigning:
            if slots != self.slots:
                self.slot_changes += len(slots ^ self.slots)
                _LOGGER.info("holding %d of %d slots", len(slots), SLOTS)
            self.slots = slots
            wanted = {one.email: one for one in self._accounts.accounts if one.slot in slots}
            gone = [
                email
                for email, (account, task) in self._tasks.items()
                if wanted.get(email) != account or (retry and task.done())
            ]
            await self._stop(gone)
            for email, account in wanted.items():
                if email not in self._tasks:
                    self._start(account)

    def _start(self, account: FleetAccount) -> None:
        state = self.states[account.email] = AccountState(account.slot)
        recorder = AccountRecorder(
            account, self._settings.config, self.queue.put, self._limiter, state
        )
        task = asyncio.get_running_loop().create_task(recorder.run(), name="fleet-account")
        self._tasks[account.email] = (account, task)

    async def _stop(self, emails: Sequence[str]) -> None:
        tasks = [self._tasks.pop(email)[1] for email in emails]
        for email in emails:
            self._missed_before += self.states.pop(email).missed
        await cancel_and_wait(*tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
