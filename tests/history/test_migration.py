"""Migration from layout 1, in which a status had all its fields in one row."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history import migration, schema
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database, parse_address
from navien_nwp500.history.database_state import read_state
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.history.views import view_names
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import CORE, HEATING, IDLE

START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
MACS = ("0123456789ab", "0123456789ac", "0123456789ad")
COUNT = 60


def fill(where: str) -> None:
    """Statuses of two heaters from several sources, an event and a command; the third has none."""
    bodies = [
        {**IDLE, "newKey": "a\0b", "wifiRssi": 70_000},
        HEATING,
        CORE,
        {**HEATING, "dhwOperationSetting": 5, "vacationDaySetting": 9},
        {**IDLE, "errorCode": 799},
    ]
    with Database(where) as database:
        store = HistoryStore(database)
        for mac in MACS:
            heater = store.ensure_heater(mac, name="Cellar", zone="Europe/Berlin")
        for part in range(6):
            rows = [
                Reading.of(
                    decode_fields(DeviceStatus, bodies[number % 5]),
                    START + timedelta(minutes=5 * number),
                )
                for number in range(part, COUNT, 6)
            ]
            store.add(store.find_heater(MACS[part % 2]), rows, ReadingSource(1 + part % 3))
        store.record(heater, schema.to_ms(START), None, [Alert("error", "error 799")])
        log = CommandLog(store)
        log.begin(heater, "one", ms=1, name="power", arguments={}, who="me")


def make_layout_1(where: str, without: tuple[str, ...] = ()) -> None:
    """Put all fields into the table ``status`` again, as an older version had them."""
    fields = [name for name in schema.FIELD_COLUMNS if name not in without]
    columns = [schema.STATUS.c[name] for name in ("heater_id", "time", "source")]
    columns += [schema.FIELD_COLUMNS[name] for name in fields] + [schema.STATUS.c.extra]
    old = sa.Table(
        "older",
        sa.MetaData(),
        *(
            sa.Column(one.name, one.type, primary_key=one.name in ("heater_id", "time"))
            for one in columns
        ),
    )
    with Database(where) as database, database.writing() as connection:
        for view in reversed(view_names(connection.dialect.name)):
            connection.exec_driver_sql(f"DROP VIEW {view}")
        old.create(connection)
        query = sa.select(*columns).select_from(schema.WHOLE_STATUS)
        connection.execute(sa.insert(old).from_select([one.name for one in columns], query))
        connection.exec_driver_sql("DROP TABLE status")
        connection.exec_driver_sql("DROP TABLE settings")
        connection.exec_driver_sql("ALTER TABLE older RENAME TO status")
        if database.path is None:
            connection.exec_driver_sql(
                "ALTER TABLE status RENAME CONSTRAINT older_pkey TO status_pkey"
            )
        connection.execute(sa.update(schema.META).values(value="1"))


def content(where: str, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """All rows of the tables that a database has, in order, as a program without a layout sees them."""
    engine = sa.create_engine(parse_address(where))
    found: dict[str, list[Any]] = {}
    try:
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            for name in (*inspector.get_table_names(), *inspector.get_view_names()):
                if name not in but:
                    rows = connection.exec_driver_sql(f"SELECT * FROM {name}").all()
                    found[name] = sorted(map(tuple, rows), key=str)
    finally:
        engine.dispose()
    return found


def stored(where: str) -> list[Any]:
    """What the store gives of each heater."""
    with Database(where) as database:
        store = HistoryStore(database)
        return [
            (one, list(store.readings(one)), store.quarters(one), store.events(one))
            for one in store.heaters()
        ]


def test_everything_is_kept(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "_SLICE", 7)
    fill(where)
    rows, readings = content(where), stored(where)
    make_layout_1(where)
    state = read_state(where)
    assert state.outdated and (state.heaters, state.statuses) == (3, COUNT)
    assert "settings" not in content(where)  # a reader changes nothing
    assert stored(where) == readings
    numbers = ("settings", "status")  # the combinations may have other numbers
    found = content(where)
    assert {name: found[name] for name in found if name not in numbers} == {
        name: rows[name] for name in rows if name not in numbers
    }
    assert {len(rows["status"]), len(rows["v_status"])} == {COUNT}
    assert len(rows["settings"]) == len(found["settings"]) == 8
    assert not read_state(where).outdated
    fill(where)  # again, as an import of the same file
    assert content(where) == found


def test_a_field_that_layout_1_did_not_have_is_unknown(where: str) -> None:
    without = ("recirc_error_status", "wifi_rssi")
    fill(where)
    (_, before, *_), *_ = stored(where)
    make_layout_1(where, without)
    (_, after, *_), *_ = stored(where)
    expected = [
        one._replace(values={**one.values, **dict.fromkeys(without)})
        for one in before
        if "wifiRssi" not in one.extra
    ]
    assert [one.ms for one in after] == [one.ms for one in before]
    for found, wanted in zip(after, expected):
        values = {**found.values, **dict.fromkeys(without)}
        assert values == {**wanted.values}


END = """
import os, sys
from navien_nwp500.history import migration
from navien_nwp500.history.database import Database
insert, calls = migration.insert_statuses, []
def insert_two(connection, rows):
    calls.append(insert(connection, rows))
    if len(calls) == 3:
        print("end", flush=True)
        os._exit(9)  # as after kill -9: nothing is rolled back or closed
    return calls[-1]
migration.insert_statuses, migration._SLICE = insert_two, 10
Database(sys.argv[1]).open()
"""


def test_a_migration_that_is_killed_changes_nothing_and_is_done_again(where: str) -> None:
    fill(where)
    readings = stored(where)
    make_layout_1(where)
    before = content(where)
    words = [sys.executable, "-c", END, where]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (9, "end", "")
    assert content(where) == before
    assert stored(where) == readings


def test_programs_that_open_it_at_once_migrate_it_once(where: str) -> None:
    fill(where)
    readings = stored(where)
    make_layout_1(where)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(stored(where))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [readings] * 3


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_a_status_that_an_older_program_is_writing_is_kept(where: str) -> None:
    fill(where)
    count = len(content(where)["status"])
    make_layout_1(where)
    found: list[Any] = []
    other = threading.Thread(target=lambda: found.append(stored(where)))
    engine = sa.create_engine(parse_address(where))
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT id FROM heater WHERE id = 1 FOR UPDATE")
        other.start()
        other.join(0.5)  # it waits for this transaction, or each would for the other
        connection.exec_driver_sql(
            "INSERT INTO status (heater_id, time, source, dhw_charge_per, vacation_day_setting)"
            " VALUES (1, '2027-01-01T00:00:00Z', 1, 42, 7)"
        )
    engine.dispose()
    other.join()
    (_, readings, *_), (_, others, *_), _ = found[0]
    assert len(readings) + len(others) == count + 1
    known = {name: value for name, value in readings[-1].values.items() if value is not None}
    assert known == {"dhw_charge_per": 42, "vacation_day_setting": 7}


def test_a_long_migration_says_how_far_it_is(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(where)
    make_layout_1(where)
    monkeypatch.setattr(migration, "_SLICE", 10)
    monkeypatch.setattr(migration, "_SAID_EVERY", 20)
    with caplog.at_level(logging.WARNING), Database(where) as database:
        name = database.name
    assert caplog.messages == [
        f"{name} gets the layout of this version: {moved} of {COUNT} statuses"
        for moved in (0, 20, 40)
    ]


def test_columns_of_an_unknown_version_are_not_lost(where: str) -> None:
    fill(where)
    make_layout_1(where)
    engine = sa.create_engine(parse_address(where))
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE status ADD COLUMN newer_field INTEGER")
    engine.dispose()
    before = content(where)
    with pytest.raises(ConfigurationError, match="another version .*newer_field.*install that"):
        Database(where).open()
    assert content(where) == before


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_the_space_of_the_old_table_is_given_back(where: str) -> None:
    fill(where)
    make_layout_1(where)
    with Database(where) as database, database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() == 0
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert set(sa.inspect(connection).get_view_names()) == set(view_names("sqlite"))
