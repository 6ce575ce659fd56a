"""A fleet of processes: a dead, frozen or doubled one, and a database that is restarted.

A trigger of the database notes which session has written each status. Sessions of one heater may follow
each other, but never take turns.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Iterator, Mapping

import psycopg
import pytest

from apps.fleet.conftest import ACCOUNTS
from navien_nwp500.history.database import Database
from support.programs import running

WORKER = Path(__file__).parents[2] / "support" / "fleet_worker.py"
ROOT = Path(__file__).parents[3]
LIMIT = 90.0
#: Seconds after which the server ends an idle session; a frozen process is replaced then.
FROZEN_LIMIT = 2.0

TRIGGER = """
CREATE TABLE written (number SERIAL, heater_id INTEGER, session INTEGER);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO written (heater_id, session) VALUES (NEW.heater_id, pg_backend_pid()); RETURN NEW; END';
CREATE TRIGGER note AFTER INSERT ON status FOR EACH ROW EXECUTE FUNCTION note();
"""


class Watched:
    """What a fleet has written."""

    def __init__(self, url: str) -> None:
        self._url = url
        with Database(url):
            pass
        self.query(TRIGGER)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def sessions(self) -> dict[int, list[int]]:
        """Return the sessions that have written each heater's statuses, in order."""
        found: dict[int, list[int]] = defaultdict(list)
        for heater, session in self.query("SELECT heater_id, session FROM written ORDER BY number"):
            found[heater].append(session)
        return {
            heater: [session for session, _ in itertools.groupby(all_of_it)]
            for heater, all_of_it in found.items()
        }

    def wait_for_all(self) -> None:
        """Wait until each heater has been written once more."""
        start = self.query("SELECT coalesce(max(number), 0) FROM written")[0][0]
        query = f"SELECT count(DISTINCT heater_id) FROM written WHERE number > {start}"
        end = time.monotonic() + LIMIT
        while self.query(query) != [(ACCOUNTS,)]:
            assert time.monotonic() < end, f"{self.query(query)} of {ACCOUNTS} heaters are recorded"
            time.sleep(0.1)

    def check_order(self) -> None:
        for heater, sessions in self.sessions().items():
            assert len(sessions) == len(set(sessions)), f"heater {heater} was recorded by two"


class Workers:
    def __init__(self, stack: ExitStack, url: str, accounts: Path, settings: Mapping[str, str]):
        self._stack = stack
        self._command = [sys.executable, str(WORKER), url, str(FROZEN_LIMIT), str(accounts)]
        self._env = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}

    def start(self, slots: int = 64) -> subprocess.Popen[str]:
        return self._stack.enter_context(
            running(*self._command, str(slots), env=self._env, stderr=subprocess.DEVNULL)
        )


@pytest.fixture
def workers(url: str, accounts: Path, cloud_settings: dict[str, str]) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stack, url, accounts, cloud_settings)


def wait_for_slots(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith("recording")


def test_a_process_that_is_killed_or_frozen_is_replaced(url: str, workers: Workers) -> None:
    watched = Watched(url)
    first = workers.start()
    wait_for_slots(first)
    spare = workers.start()  # takes none of the 64 slots
    watched.wait_for_all()
    first.kill()
    wait_for_slots(spare)
    watched.wait_for_all()
    spare.send_signal(signal.SIGSTOP)
    third = workers.start()
    wait_for_slots(third)
    watched.wait_for_all()
    spare.send_signal(signal.SIGCONT)
    watched.wait_for_all()
    watched.check_order()
    spare.terminate()
    third.terminate()
    assert (spare.wait(LIMIT), third.wait(LIMIT)) == (0, 0)
    assert len(watched.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")) == 0


def test_sessions_that_the_database_ends_are_replaced(url: str, workers: Workers) -> None:
    watched = Watched(url)
    both = [workers.start(32), workers.start(32)]
    watched.wait_for_all()
    watched.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    watched.wait_for_all()
    watched.check_order()
    for process in both:
        process.terminate()
        assert process.wait(LIMIT) == 0
