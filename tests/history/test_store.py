"""History database: SQLite and PostgreSQL by the same tests."""

from __future__ import annotations

import sqlite3
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest
import sqlalchemy as sa

from navien_nwp500.exceptions import ConfigurationError, HistoryError
from navien_nwp500.history import schema, status_rows
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database, parse_address
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource, StoredHeater
from navien_nwp500.history.views import view_names
from navien_nwp500.protocol.fields import decode_fields, encode_fields, field_specs
from navien_nwp500.protocol.status import DeviceStatus
from support.programs import running
from support.status_examples import CORE, HEATING, IDLE

MAC = "0123456789ab"
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
MS = schema.to_ms(WHEN)
MINUTE = 60_000


def reading(minute: float = 0, **changes: Any) -> Reading:
    status = decode_fields(DeviceStatus, {**IDLE, **changes})
    return Reading.of(status, WHEN + timedelta(minutes=minute))


@pytest.fixture
def database(where: str) -> Iterator[Database]:
    with Database(where) as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> HistoryStore:
    return HistoryStore(database)


@pytest.fixture
def heater(store: HistoryStore) -> StoredHeater:
    return store.ensure_heater(MAC, name="Cellar", zone="Europe/Berlin")


def values(found: Reading) -> dict[str, int]:
    return {name: value for name, value in found.values.items() if value is not None}


def test_a_column_for_each_field_of_the_status_table() -> None:
    status = set(schema.STATUS.columns.keys())
    settings = set(schema.SETTINGS.columns.keys()) - {"id", "heater_id", "digest"}
    assert status - schema.CHANGING == {"heater_id", "time", "source", "settings_id", "extra"}
    assert sorted([*schema.CHANGING, *settings]) == sorted(
        spec.name for spec in field_specs(DeviceStatus)
    )


@pytest.mark.parametrize("body", [IDLE, HEATING, CORE], ids=["idle", "heating", "core"])
def test_every_field_is_stored_as_sent(
    store: HistoryStore, heater: StoredHeater, body: dict[str, int]
) -> None:
    status = decode_fields(DeviceStatus, body)
    assert store.add(heater, [Reading.of(status, WHEN)], ReadingSource.LIVE) == 1
    (found,) = store.readings(heater)
    assert found.ms == MS and found.extra == {}
    by_name = {spec.name: spec.key for spec in field_specs(DeviceStatus)}
    assert {by_name[name]: value for name, value in values(found).items()} == encode_fields(status)


def test_numbers_and_texts_that_no_column_can_hold_are_kept(
    store: HistoryStore, heater: StoredHeater
) -> None:
    odd = reading(wifiRssi=70_000, errorCode=2**40, newKey="a\0b\ud800", another=[1, None])
    store.add(heater, [odd], ReadingSource.LIVE)
    (found,) = store.readings(heater)
    assert found.extra == {"newKey": "a\0b\ud800", "another": [1, None]}
    assert (found.values["wifi_rssi"], found.values["error_code"]) == (70_000, 2**40)


def test_what_seldom_changes_is_stored_once_for_each_heater(store: HistoryStore) -> None:
    heaters = [store.ensure_heater(mac) for mac in (MAC, "0123456789ac")]
    for heater in heaters:
        rows = [
            reading(minute, dhwTemperature=100 + minute, dhwOperationSetting=1 + minute // 5 % 2)
            for minute in range(20)
        ]
        for at in range(0, 20, 10):  # each setting comes in both parts
            store.add(heater, rows[at : at + 10], ReadingSource.CSV)
        found = [each.values for each in store.readings(heater)]
        assert [one["dhw_operation_setting"] for one in found] == 2 * (5 * [1] + 5 * [2])
        assert [one["dhw_temperature"] for one in found] == list(range(100, 120))
    assert settings(store) == [(heaters[0].id, 2), (heaters[1].id, 2)]
    with store.database.reading() as connection:  # no number is used up by what is there already
        assert connection.execute(sa.select(sa.func.max(schema.SETTINGS.c.id))).scalar_one() == 4
    # What no status has any more goes with them.
    store.prune(MS + 15 * MINUTE)
    assert settings(store) == [(heaters[0].id, 1), (heaters[1].id, 1)]
    assert len(list(store.readings(heaters[0]))) == 5


def settings(store: HistoryStore) -> list[tuple[int, int]]:
    """Number of stored combinations of each heater."""
    heater = schema.SETTINGS.c.heater_id
    query = sa.select(heater, sa.func.count()).group_by(heater).order_by(heater)
    with store.database.reading() as connection:
        return [(id, count) for id, count in connection.execute(query)]


def test_readings_of_a_time_come_in_order(store: HistoryStore, heater: StoredHeater) -> None:
    store.add(heater, [reading(minute) for minute in (3, 1, 2, 0)], ReadingSource.CSV)
    found = store.readings(heater, ["error_code"], MS + MINUTE, MS + 3 * MINUTE)
    assert [each.ms - MS for each in found] == [MINUTE, 2 * MINUTE]
    assert store.span(heater) == (4, MS, MS + 3 * MINUTE)


def test_more_rows_than_a_slice_are_read(
    store: HistoryStore, heater: StoredHeater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("navien_nwp500.history.store.SLICE", 3)
    store.add(heater, [reading(minute) for minute in range(7)], ReadingSource.CSV)
    assert len(list(store.readings(heater))) == 7
    assert store.prune(MS + 5 * MINUTE) == 5 and store.span(heater)[0] == 2


# Doubles


def test_a_second_import_adds_nothing(store: HistoryStore, heater: StoredHeater) -> None:
    rows = [reading(minute, currentInstPower=60) for minute in range(10)]
    assert store.add(heater, rows, ReadingSource.CSV) == 10
    before = store.quarters(heater)
    assert store.add(heater, rows, ReadingSource.CSV) == 0
    assert store.quarters(heater) == before


def test_one_message_recorded_by_two_programs_is_stored_once(
    store: HistoryStore, heater: StoredHeater
) -> None:
    store.add(heater, [reading(0), reading(1)], ReadingSource.LIVE)
    near = reading(0.01)  # 600 ms later
    other = reading(1.01, dhwUse=2)
    assert store.add(heater, [near, other], ReadingSource.CSV) == 1
    assert [each.ms for each in store.readings(heater)] == [MS, MS + MINUTE, other.ms]


def test_two_writers_lose_nothing(where: str, store: HistoryStore, heater: StoredHeater) -> None:
    """One writes even minutes, the other odd ones, and both every fifth."""

    def write(first: int) -> None:
        with Database(where) as own:
            for minute in range(60):
                if minute % 2 == first or minute % 5 == 0:
                    HistoryStore(own).add(heater, [reading(minute)], ReadingSource.LIVE)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.ms for each in store.readings(heater)] == [MS + n * MINUTE for n in range(60)]
    assert sum(row["seconds_known"] for row in store.quarters(heater)) == 59 * 60
    assert settings(store) == [(heater.id, 1)]


def test_settings_that_a_writer_is_about_to_use_are_not_deleted(
    where: str, store: HistoryStore, heater: StoredHeater
) -> None:
    store.add(heater, [reading(0)], ReadingSource.LIVE)
    with store.database.writing() as connection:
        connection.execute(sa.delete(schema.STATUS))

    def prune() -> None:
        with Database(where) as own:
            HistoryStore(own).prune(MS)

    other = threading.Thread(target=prune)
    with store.database.writing() as connection:
        store._add(connection, heater, [reading(1)], ReadingSource.LIVE)
        other.start()
        other.join(0.5)  # it waits for this transaction; if not, it has time to delete
    other.join()
    assert [values(each) for each in store.readings(heater)] == [values(reading(1))]


# Quarter hours


def test_quarters_are_the_same_in_any_order_of_the_statuses(
    store: HistoryStore, heater: StoredHeater
) -> None:
    rows = [reading(4 * n, currentInstPower=400 + n) for n in range(12)]
    other = store.ensure_heater("0123456789ac")
    for one in rows:
        store.add(heater, [one], ReadingSource.LIVE)
    for one in [*rows[1::2], *rows[::2][::-1]]:
        store.add(other, [one], ReadingSource.CSV)
    stored, reverse = store.quarters(heater), store.quarters(other)
    assert [{**row, "heater_id": 0} for row in stored] == [
        {**row, "heater_id": 0} for row in reverse
    ]
    assert sum(row["wh"] for row in stored) == pytest.approx(sum(400 + n for n in range(11)) / 15)


def test_days_are_those_of_the_heater(store: HistoryStore, heater: StoredHeater) -> None:
    start = schema.to_ms(datetime(2026, 3, 28, 22, tzinfo=timezone.utc))
    rows = [
        reading()._replace(ms=start + 5 * n * MINUTE, values={"current_inst_power": 120})
        for n in range(25 * 12 + 1)
    ]
    store.add(heater, rows, ReadingSource.CSV)
    assert [(str(day.day), day.wh) for day in store.days(heater)] == [
        ("2026-03-28", 120),
        ("2026-03-29", 23 * 120),  # clocks go forward
        ("2026-03-30", 120),
    ]


def test_quarters_stay_when_their_statuses_are_deleted(
    store: HistoryStore, heater: StoredHeater
) -> None:
    store.add(
        heater, [reading(minute, currentInstPower=60) for minute in range(40)], ReadingSource.LIVE
    )
    before = store.quarters(heater)
    assert store.prune(MS + 30 * MINUTE) == 30
    assert store.quarters(heater) == before
    # Also when a status comes that changes them no more than the deleted ones did.
    store.add(heater, [reading(3.5)], ReadingSource.CSV)
    assert [row["wh"] for row in store.quarters(heater)] == [row["wh"] for row in before]


def test_the_space_of_deleted_statuses_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with Database(path) as database:
        store = HistoryStore(database)
        rows = [reading(minute) for minute in range(1000)]
        store.add(store.ensure_heater(MAC), rows, ReadingSource.CSV)
        before = database.size()
        store.prune(MS + 990 * MINUTE)
        assert database.size() < before / 2
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() == 0


# Heaters and events


def test_a_heater_known_by_four_digits_gets_its_address(store: HistoryStore) -> None:
    first = store.ensure_heater("89ab")
    whole = store.ensure_heater("01:23:45:67:89:AB", name="Cellar", zone="Europe/Berlin")
    assert whole == StoredHeater(first.id, MAC, "Cellar", "Europe/Berlin")
    assert store.ensure_heater("89ab") == whole == store.find_heater()
    other = store.ensure_heater("1123456789ab")
    assert other.id != whole.id and len(store.heaters()) == 2
    with pytest.raises(ConfigurationError, match="several heaters"):
        store.ensure_heater("89ab")
    with pytest.raises(ConfigurationError, match="select one"):
        store.find_heater()
    with pytest.raises(ConfigurationError, match="no heater 5555"):
        store.find_heater("5555")


def test_an_event_has_its_end(store: HistoryStore, heater: StoredHeater) -> None:
    for minute, alert in enumerate(
        [
            Alert("error", "error 799"),
            Alert("charge", "charge is 10 %"),
            Alert("error", "error 515"),
            Alert("charge", "charge is 30 % again", active=False),
        ]
    ):
        store.record(heater, MS + minute, None, [alert])
        store.record(heater, MS + minute, None, [alert])
    assert [(e["time"] - MS, e["detail"], e["ended"]) for e in store.events(heater)] == [
        (0, "error 799", MS + 2),
        (1, "charge is 10 %", MS + 3),
        (2, "error 515", None),
    ]


# Opening and migration


def test_a_new_field_is_a_new_column(
    where: str, heater: StoredHeater, store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of an older version lacks columns, a table and the views."""
    older = {**reading(0).values, "recirc_error_status": None}
    with monkeypatch.context() as patch:
        known = [name for name in status_rows._SELDOM if name != "recirc_error_status"]
        patch.setattr(status_rows, "_SELDOM", known)
        store.add(heater, [reading(0)._replace(values=older)], ReadingSource.LIVE)
    with store.database.writing() as connection:
        for view in view_names(connection.dialect.name)[::-1]:
            connection.execute(sa.text(f"DROP VIEW {view}"))
        connection.execute(sa.text("ALTER TABLE settings DROP COLUMN recirc_error_status"))
        connection.execute(sa.text("ALTER TABLE quarter DROP COLUMN watts_max"))
        connection.execute(sa.text("DROP TABLE event"))
    with Database(where) as again:
        new = HistoryStore(again)
        new.add(heater, [reading(1)], ReadingSource.LIVE)
        assert [each.values["recirc_error_status"] for each in new.readings(heater)] == [None, 0]
        # The older version goes on: its combination is there already.
        new.add(heater, [reading(2)._replace(values=older)], ReadingSource.LIVE)
        assert settings(new) == [(heater.id, 2)]
        assert new.events(heater) == []
        assert [row["watts_max"] for row in new.quarters(heater)] == [1]
        with again.reading() as connection:
            found = connection.execute(sa.text("SELECT recirc_error_status FROM v_status"))
            assert found.scalars().all() == [None, 0, None]


#: Columns that older layouts did not have, each layout with all that came later.
OLDER = [("command", "text")]


@pytest.mark.parametrize("layout", range(len(OLDER)))
def test_each_older_layout_is_completed_and_keeps_its_rows(where: str, layout: int) -> None:
    missing = set(OLDER[layout:])
    older = sa.MetaData()
    for table in schema.METADATA.sorted_tables:
        columns = [
            sa.Column(one.name, one.type, primary_key=one.primary_key)
            for one in table.columns
            if (table.name, one.name) not in missing
        ]
        sa.Table(table.name, older, *columns)
    with Database(where) as database, database.writing() as connection:
        for view in reversed(view_names(connection.dialect.name)):
            connection.exec_driver_sql(f"DROP VIEW {view}")
        schema.METADATA.drop_all(connection)
        older.create_all(connection)
        connection.execute(sa.insert(older.tables["meta"]).values(key="schema", value="2"))
        heater = {"id": 1, "mac": MAC, "name": "Cellar", "zone": None}
        connection.execute(sa.insert(older.tables["heater"]).values(heater))
        asked = {"heater_id": 1, "asked": MS, "arguments": "{}", "who": "me", "name": "power"}
        connection.execute(sa.insert(older.tables["command"]).values(id="one", **asked))
    with Database(where) as database:
        store = HistoryStore(database)
        (found,) = store.heaters()
        log = CommandLog(store)
        old = log.find("one")
        assert found.name == "Cellar" and old is not None and old.text is None
        log.end("one", ms=MS, outcome="confirmed", text="done")
        assert store.add(found, [reading()], ReadingSource.LIVE) == 1
        stored = log.find("one")
        assert stored is not None and stored.text == "done"
        assert len(store.quarters(found)) == 1


def test_a_database_of_a_newer_version_is_refused(where: str, database: Database) -> None:
    with database.writing() as connection:
        connection.execute(sa.update(schema.META).values(value="99"))
    with pytest.raises(ConfigurationError, match="newer version"):
        Database(where).open()


def test_a_database_of_another_program_is_refused(where: str) -> None:
    engine = sa.create_engine(parse_address(where))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE status (id INTEGER)"))
    engine.dispose()
    with pytest.raises(ConfigurationError, match="another program"):
        Database(where).open()


@pytest.mark.parametrize(
    "address", ["mysql://host/x", "sqlite://", "postgresql://u:secret@host:port/x"]
)
def test_an_address_that_is_no_database_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a file") as raised:
        Database(address)
    assert "secret" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    database = Database("postgresql://user:secret@127.0.0.1:1/x")
    assert "secret" not in database.name
    with pytest.raises(HistoryError, match="127.0.0.1") as raised:
        database.open()
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "tank.csv"
    path.write_bytes(b"timestamp,dhw_charge_percent\n" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        Database(path).open()
    assert path.read_bytes() == b"timestamp,dhw_charge_percent\n" * 100


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.db"
    with Database(path):
        assert path.stat().st_mode & 0o077 == 0


# Failures

WRITE = """
import itertools, sys
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
with Database(sys.argv[1]) as database:
    store = HistoryStore(database)
    heater = store.ensure_heater("0123456789ab")
    for n in itertools.count():
        store.add(heater, [Reading(n * 60_000, {"error_code": n})], ReadingSource.LIVE)
        print(n, flush=True)
"""


def test_a_killed_writer_leaves_every_status_that_it_has_written(where: str) -> None:
    with running(sys.executable, "-c", WRITE, where) as process:
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()  # SIGKILL, in the middle of a transaction or of a write
        written += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    with Database(where) as database:
        store = HistoryStore(database)
        heater = store.find_heater()
        found = [each.values["error_code"] for each in store.readings(heater)]
        assert found[: len(written)] == written and len(found) - len(written) <= 1
        assert store.add(heater, [Reading(-60_000, {})], ReadingSource.LIVE) == 1
    if not where.startswith("postgresql"):
        check = sqlite3.connect(where)
        assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        check.close()
