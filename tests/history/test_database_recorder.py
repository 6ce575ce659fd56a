"""Recorder of the monitor in the history database: through outages, in order, and once."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500.exceptions import HistoryError
from navien_nwp500.history import database as database_module
from navien_nwp500.history.alerts import Alert, AlertWatch
from navien_nwp500.history.database import Database
from navien_nwp500.history.database_recorder import BufferedDatabaseRecorder
from navien_nwp500.history.store import HistoryStore, StoredHeater
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import IDLE

MAC = "0123456789ab"
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)


def minute(number: int) -> datetime:
    return WHEN + timedelta(minutes=number)


def status(**changes: int) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**IDLE, **changes})


def codes(where: str) -> list[int | None]:
    with Database(where) as database:
        store = HistoryStore(database)
        readings = store.readings(store.find_heater(), ["sub_error_code"])
        return [reading.values["sub_error_code"] for reading in readings]


def test_statuses_and_alerts_are_stored_with_the_heater(where: str) -> None:
    watch = AlertWatch()
    zone = ZoneInfo("Europe/Berlin")
    with BufferedDatabaseRecorder(where, heater=MAC, label="Cellar", zone=zone) as recorder:
        for number, code in enumerate([0, 799, 0]):
            one = status(errorCode=code, subErrorCode=number)
            recorder.write(one, minute(number), watch.check(one))
        recorder.write(None, minute(5), watch.no_response())
    assert codes(where) == [0, 1, 2]
    with Database(where) as database:
        store = HistoryStore(database)
        heater = store.find_heater()
        assert heater == StoredHeater(heater.id, MAC, "Cellar", "Europe/Berlin")
        events = [(one["kind"], one["ended"]) for one in store.events(heater)]
    ended = int(minute(2).timestamp() * 1000)
    assert events == [("error", ended), ("offline", None)]


def test_statuses_wait_while_postgresql_is_away(
    postgres: Any, caplog: pytest.LogCaptureFixture
) -> None:
    where = postgres.new_database()
    with BufferedDatabaseRecorder(where, heater=MAC) as recorder:
        recorder.write(status(subErrorCode=0), minute(0))
        postgres.stop()
        try:
            for number in (1, 2, 3):
                recorder.write(status(subErrorCode=number), minute(number), [Alert("mode", "x")])
        finally:
            postgres.start()
        recorder.write(status(subErrorCode=4), minute(4))
        assert codes(where) == [0, 1, 2, 3, 4]
        # The server was replaced between two statuses: nobody notices.
        postgres.stop()
        postgres.start()
        recorder.write(status(subErrorCode=5), minute(5))
    assert codes(where) == [0, 1, 2, 3, 4, 5]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@contextmanager
def full_disk(where: str) -> Iterator[None]:
    """Let nothing be stored: no file of this process grows, or the server has no space left."""
    if not where.startswith("postgresql"):
        resource = pytest.importorskip("resource", reason="Windows has no limit of file sizes")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    import psycopg

    with closing(psycopg.connect(where, autocommit=True)) as server:
        server.execute("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
            END $$""")
        server.execute("CREATE TRIGGER full_disk BEFORE INSERT ON status EXECUTE FUNCTION refuse()")
        try:
            yield
        finally:
            server.execute("DROP FUNCTION refuse CASCADE")


def test_statuses_wait_while_the_disk_is_full(where: str, caplog: pytest.LogCaptureFixture) -> None:
    watch = AlertWatch()

    def write(*numbers: int) -> None:
        for number in numbers:
            # Each status begins or ends an alert: an event may not stay without its status.
            one = status(errorCode=799 * (number % 2), subErrorCode=number)
            recorder.write(one, minute(number), watch.check(one))

    with BufferedDatabaseRecorder(where, heater=MAC, capacity=3) as recorder:
        write(0)
        with full_disk(where):
            write(1, 2, 3)
            assert recorder.problem
        write(4)
        assert codes(where) == [0, 1, 2, 3, 4] and not recorder.problem
        with full_disk(where):
            write(5, 6, 7, 8, 9)
        assert recorder.dropped == 2
    assert codes(where) == [0, 1, 2, 3, 4, 7, 8, 9]
    with Database(where) as database:
        store = HistoryStore(database)
        begun = [one["time"] for one in store.events(store.find_heater())]
    assert begun == [int(minute(number).timestamp() * 1000) for number in (1, 3, 7, 9)]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"] * 2
    assert recorder.name in caplog.text and "0 dropped" in caplog.text


def test_statuses_wait_while_another_program_holds_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    where = str(tmp_path / "history.db")
    with BufferedDatabaseRecorder(where, heater=MAC, capacity=3) as recorder:
        recorder.write(status(subErrorCode=0), minute(0))
        other = sqlite3.connect(where, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for number in (1, 2, 3, 4, 5):
            recorder.write(status(subErrorCode=number), minute(number))
        other.execute("ROLLBACK")
        other.close()
        assert recorder.dropped == 2
    assert codes(where) == [0, 3, 4, 5]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert where in caplog.text and "2 dropped" in caplog.text


def test_a_database_that_is_away_at_the_start_is_an_error() -> None:
    with pytest.raises(HistoryError):
        with BufferedDatabaseRecorder("postgresql://127.0.0.1:1/x", heater=MAC):
            raise AssertionError("it opened")
