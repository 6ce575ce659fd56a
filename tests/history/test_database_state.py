"""State of a database: read without a change, in both databases."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from navien_nwp500.exceptions import ConfigurationError, HistoryError
from navien_nwp500.history import database_state
from navien_nwp500.history.database import Database
from navien_nwp500.history.database_state import (
    NetworkFolderError,
    PermissionsError,
    file_system,
    read_state,
)
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource

MS = to_ms(datetime(2026, 1, 2, tzinfo=timezone.utc))


def fill(where: str) -> None:
    with Database(where) as database:
        store = HistoryStore(database)
        for mac, count in (("0123456789ab", 3), ("ffffffffffff", 2), ("aaaaaaaaaaaa", 0)):
            heater = store.ensure_heater(mac)
            rows = [Reading(MS + 1000 * number, {}) for number in range(count)]
            store.add(heater, rows, ReadingSource.LIVE)


def test_the_state_of_a_database_is_read(where: str) -> None:
    fill(where)
    state = read_state(where)
    assert (state.heaters, state.statuses, state.last) == (3, 5, MS + 2000)
    assert state.bytes > 10_000 and not state.outdated
    assert (state.free is None) == where.startswith("postgresql")


def test_nothing_is_created_or_changed(where: str) -> None:
    fill(where)
    with Database(where) as database, database.writing() as connection:
        connection.exec_driver_sql("DROP VIEW v_quarter")
        connection.exec_driver_sql("DROP TABLE command")
    assert read_state(where).outdated
    with Database(where, read_only=True) as database:
        with pytest.raises(HistoryError), database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM status")
        with database.reading() as connection:
            assert "command" not in sa.inspect(connection).get_table_names()
    fill(where)  # opened to be written it is brought up to date
    assert not read_state(where).outdated


def test_no_file_is_written_and_statuses_in_the_log_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "50 %41 #?.db"
    fill(str(path))
    before = path.read_bytes()
    assert read_state(path).statuses == 5
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == before
    with Database(path) as database:
        store = HistoryStore(database)
        heater = store.find_heater("89ab")
        store.add(heater, [Reading(MS + 60_000, {})], ReadingSource.LIVE)
        # In the log of a program that goes on, not yet in the file.
        assert read_state(path).last == MS + 60_000


def test_what_does_not_exist_is_not_made(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path / "no" / "folder.db"):
        with pytest.raises(ConfigurationError):
            read_state(path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE a (b)")
    other.close()
    for name in ("empty.db", "other.db"):
        with pytest.raises(ConfigurationError, match="another program"):
            read_state(tmp_path / name)
    assert (tmp_path / "empty.db").read_bytes() == b""


def test_a_newer_database_is_refused(where: str) -> None:
    fill(where)
    with Database(where) as database, database.writing() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '999' WHERE key = 'schema'")
    with pytest.raises(ConfigurationError, match="newer version"):
        read_state(where)


MOUNTS = rb"""proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/x /mnt/nas\040one nfs4 rw 0 0
/dev/sdb1 /mnt/nas\040one/local xfs rw 0 0
sshfs#me@host: /mnt/far fuse.sshfs rw 0 0
tmpfs /mnt/far tmpfs rw 0 0
share /mnt/win cifs rw 0 0
torn
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/history.db", "ext4"),
        ("/mnt/nas one/history.db", "nfs4"),
        ("/mnt/nas one/local/history.db", "xfs"),
        ("/mnt/nas one two/history.db", "ext4"),
        ("/mnt/far/history.db", "tmpfs"),  # mounted over the other
        ("/mnt/win/a/b/history.db", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_longest_mount(tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_bytes(MOUNTS)
    assert file_system(Path(path), mounts) == kind
    assert file_system(Path(path), tmp_path / "none") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "fuse.rclone"])
def test_a_network_file_system_is_named(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    fill(str(path))
    monkeypatch.setattr(database_state, "file_system", lambda path: kind)
    with pytest.raises(NetworkFolderError, match=kind):
        read_state(path)
    monkeypatch.setattr(database_state, "file_system", lambda path: "fuseblk")
    assert read_state(path).file_system == "fuseblk"


def test_a_file_or_folder_of_another_user_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    fill(str(path))
    for forbidden, words in ((path, "read and write it"), (tmp_path, "its folder")):
        monkeypatch.setattr(
            os, "access", lambda one, mode, forbidden=forbidden: Path(one) != forbidden.resolve()
        )
        with pytest.raises(PermissionsError, match=words):
            read_state(path)
