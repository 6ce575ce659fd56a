"""Slots: locks of the PostgreSQL session that writes the history."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Callable, Iterator

import psycopg
import pytest

from navien_nwp500 import ConfigurationError
from navien_nwp500.apps.fleet import fleet
from navien_nwp500.apps.fleet.fleet import HeldSlots
from navien_nwp500.exceptions import HistoryError
from navien_nwp500.history.database import Database
from navien_nwp500.history.slots import SlotSession
from navien_nwp500.history.store import HistoryStore

MAC = "0123456789ab"
LIMIT = 60.0


@contextlib.contextmanager
def session(url: str, limit: float = 60) -> Iterator[SlotSession]:
    with SlotSession(url, limit=limit) as opened:
        yield opened


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def end_session(url: str, one: SlotSession) -> None:
    """End the session from outside, as a restart of the database does."""
    with one.reading() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_a_slot_belongs_to_one_session_until_that_ends(url: str) -> None:
    with session(url) as one, session(url) as two:
        assert one.take(2, range(4)) == {0, 1}
        assert two.take(4, range(4)) == {2, 3}, "the others are taken"
        assert two.take(4, range(4)) == {2, 3}
        one.release([0])
        assert two.take(3, range(4)) == {0, 2, 3} and one.held == {1}
        one.close()
        wait_until(lambda: two.take(4, range(4)) == {0, 1, 2, 3})


def test_a_session_that_has_ended_writes_nothing_and_is_not_replaced(url: str) -> None:
    with session(url) as one:
        one.take(1, [7])
        store = HistoryStore(one)
        store.ensure_heater(MAC)
        end_session(url, one)
        for _ in range(2):  # the second call must not connect again
            with pytest.raises(HistoryError):
                store.ensure_heater("ba9876543210")
        with pytest.raises(HistoryError):
            one.check()
    with session(url) as two:
        assert [heater.mac for heater in HistoryStore(two).heaters()] == [MAC]
        assert two.take(1, [7]) == {7}


@pytest.mark.parametrize("inside", [False, True], ids=["idle", "in-a-transaction"])
def test_a_frozen_session_loses_its_slots(url: str, inside: bool) -> None:
    with Database(url):
        pass  # the tables are made without the limit, which a busy machine may exceed
    with contextlib.ExitStack() as stack:
        frozen = stack.enter_context(session(url, limit=0.5))
        frozen.take(1, [3])
        if inside:
            stack.enter_context(contextlib.suppress(HistoryError))
            stack.enter_context(frozen.writing()).exec_driver_sql("SELECT 1")
        other = stack.enter_context(session(url))
        wait_until(lambda: other.take(1, [3]) == {3})
        with pytest.raises(HistoryError):
            frozen.check()


def test_checks_keep_a_session(url: str) -> None:
    with session(url, limit=1) as one, session(url) as other:
        one.take(1, [5])
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            one.check()
            time.sleep(0.05)
        assert other.take(1, [5]) == frozenset()


def test_a_lock_that_is_not_in_the_session_is_noticed(url: str) -> None:
    with session(url) as one:
        one.take(1, [9])
        with one.reading() as connection:  # as behind a pool that changes the session
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        with pytest.raises(HistoryError, match="PgBouncer"):
            one.check()


def test_after_a_restart_a_process_that_stood_by_lets_the_others_have_their_slots_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, spare = HeldSlots(url, 64, 60), HeldSlots(url, 64, 60)
    try:
        for one in (holder, spare):
            one.open(frozenset())
        before = holder.held
        assert len(before) == 64 and not spare.held
        for one in (holder, spare):  # both sessions end
            one.close()
        spare.open(frozenset())
        spare.check()
        assert not spare.held
        holder.open(before)
        assert holder.held == before
        holder.close()
        monkeypatch.setattr(fleet, "_OTHERS_FIRST_SECONDS", 0.0)
        spare.close()
        spare.open(frozenset())
        wait_until(lambda: len(spare.held) == 64 or spare.check() is not None)
    finally:
        holder.close()
        spare.close()


def test_slots_need_postgresql(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--shard"):
        SlotSession(tmp_path / "history.db")


def test_an_old_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("navien_nwp500.history.slots._OLDEST_SERVER", 990_000)
    with pytest.raises(ConfigurationError, match="PostgreSQL"):
        SlotSession(url).open()
