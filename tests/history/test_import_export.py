"""Import of recordings and captures, export, and the report of both, by each database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Event
from typing import Iterator
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history import importer
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.database import Database
from navien_nwp500.history.exporter import export_csv
from navien_nwp500.history.importer import Imported, import_file
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.protocol.capture import IN, MQTT, CaptureEntry
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import CORE, HEATING, IDLE, IDLE_REPLY

MAC = "0123456789ab"
ZONE = ZoneInfo("Asia/Kolkata")
START = datetime(2026, 3, 1, 6, 30, tzinfo=timezone.utc)


@pytest.fixture
def store(where: str) -> Iterator[HistoryStore]:
    with Database(where) as database:
        yield HistoryStore(database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Recording of three days, with a gap of three hours."""
    when = START
    with CsvRecorder(tmp_path / "tank.csv", heater=MAC, zone=ZONE) as recorder:
        for number, minutes in enumerate([5] * 400 + [180] + [5] * 400):
            when += timedelta(minutes=minutes, milliseconds=7)
            runs = number % 60 < 15
            changes = {"currentInstPower": 430 + number % 50, "dhwChargePer": 40 + number % 60}
            sensors = {"tankUpperTemperature": 480 + number % 100, "tankLowerTemperature": -number}
            body = {**(HEATING if runs else IDLE), **sensors, **(changes if runs else {})}
            recorder.write(decode_fields(DeviceStatus, body), when)
    return tmp_path / "tank.csv"


def test_a_recording_is_imported_once_and_exported_as_it_was(
    store: HistoryStore, path: Path, tmp_path: Path
) -> None:
    assert import_file(store, path) == Imported(path, 801, 801, heaters=("89ab",))
    assert import_file(store, path).new == 0
    assert export_csv(store, store.find_heater(), tmp_path / "copy.csv") == 801
    assert (tmp_path / "copy.csv").read_bytes() == path.read_bytes()


class StopAfter(Event):
    """Event that is set once it was asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


@pytest.mark.parametrize("times", [0, 300, 804, 806])
def test_what_was_imported_before_an_interruption_stays(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(importer, "SLICE", 100)
    found = import_file(store, path, stop=StopAfter(times))
    # Asked for each of 801 rows, once after them, and before each slice.
    added = 100 * max(0, times - 802)
    assert (found.interrupted, found.new) == (True, added)
    rest = import_file(store, path)
    assert (rest.interrupted, rest.new) == (False, 801 - added)


def test_a_report_has_the_same_figures_as_from_the_recording(
    store: HistoryStore, path: Path
) -> None:
    from navien_nwp500.analysis.summary import summarize
    from navien_nwp500.apps.report.json_output import document
    from navien_nwp500.history.recordings import load, load_history

    import_file(store, path)
    files, history = (document(summarize(one)) for one in (load([path]), load_history(store)))
    assert files.pop("files") != history.pop("files")
    assert history == files
    assert files["total"]["energy_wh"] > 0 and len(files["gaps"]) == 1


def test_a_file_is_not_overwritten_and_a_failed_export_leaves_none(
    store: HistoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_file(store, path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        export_csv(store, store.find_heater(), path)
    assert path.read_bytes() == before
    store.database.close()
    new = path.with_name("new.csv")
    with pytest.raises(ConfigurationError, match="not open"):
        export_csv(store, _heater(), new)
    assert not new.exists()


def _heater() -> object:
    from navien_nwp500.history.store import StoredHeater

    return StoredHeater(1, MAC, None, None)


def test_forms_of_other_programs_and_versions_are_imported(
    store: HistoryStore, tmp_path: Path
) -> None:
    """Semicolons, decimal commas, quotes, Z, no fraction, a torn last line, and seven columns."""
    path = tmp_path / "old.csv"
    path.write_bytes(
        b"\xef\xbb\xbftimestamp;dhw_charge_percent;operation_mode;dhw_temperature;"
        b"current_inst_power;tank_upper_temp;tank_lower_temp\r\n"
        b"2026-03-01T06:30:00Z;98;32;121;463;60,5;-0,3\r\n"
        b'"2026-03-01T12:00:00.5+05:30";97;0;121;1;;59,4\r\n'
        b"2026-03-01T06:4"
    )
    with pytest.raises(ConfigurationError, match="does not name its heater"):
        import_file(store, path)
    assert store.heaters() == []
    found = import_file(store, path, heater=MAC, zone=ZONE)
    assert (found.new, found.torn, found.heaters) == (2, True, (MAC,))
    one = store.find_heater()
    assert one.zone == "Asia/Kolkata"
    first, second = store.readings(one, ["tank_upper_temperature", "tank_lower_temperature"])
    assert (first.ms, second.ms - first.ms) == (int(START.timestamp() * 1000), 500)
    assert (list(first.values.values()), list(second.values.values())) == ([605, -3], [None, 594])


def test_a_damaged_file_adds_nothing_and_names_the_line(store: HistoryStore, path: Path) -> None:
    rows = path.read_bytes().split(b"\n")
    for cell, problem in ((b"yesterday", "not a time"), (rows[700][:10], "cells where")):
        path.write_bytes(
            b"\n".join([*rows[:700], cell + rows[700][10:] * (cell != rows[700][:10])]) + b"\n"
        )
        with pytest.raises(ConfigurationError, match=f"line 701: .*{problem}"):
            import_file(store, path)
    assert store.heaters() == []


def test_readings_of_a_wrong_clock_are_left_out(store: HistoryStore, tmp_path: Path) -> None:
    with CsvRecorder(tmp_path / "tank.csv", heater=MAC) as recorder:
        status = decode_fields(DeviceStatus, CORE)
        recorder.write(status, datetime(1970, 1, 1, tzinfo=timezone.utc))
        recorder.write(status, START)
    found = import_file(store, tmp_path / "tank.csv")
    assert (found.readings, found.new, found.impossible) == (1, 1, 1)


def test_a_capture_is_imported(store: HistoryStore, tmp_path: Path) -> None:
    """Its masked MAC address is another in each capture, so --heater replaces it."""
    path = tmp_path / "heater.jsonl"
    topic = "cmd/52/1/1/navien-client-0a1b2c3d/res"
    entries = [
        CaptureEntry(START, "out", MQTT, "cmd/52/navilink-0123456789ab/st", {"request": {}}),
        CaptureEntry(START, IN, MQTT, topic, IDLE_REPLY),
        CaptureEntry(START, IN, MQTT, topic, "damaged"),
        CaptureEntry(START + timedelta(seconds=2), IN, MQTT, topic, IDLE_REPLY),
    ]
    path.write_text("".join(f"{entry.line}\n" for entry in entries))
    found = import_file(store, path, heater="ba9876543210")
    assert (found.readings, found.new, found.heaters) == (2, 2, ("ba9876543210",))
    assert import_file(store, path).heaters == (MAC,)
    first, _ = store.readings(store.find_heater(MAC), ["current_statenum"])
    assert first.values == {"current_statenum": IDLE["currentStatenum"]}
