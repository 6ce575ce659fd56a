"""The history on the command line: recorded by the monitor, imported, reported, exported, pruned."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.commands.history import _import_until_stopped
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.importer import Imported
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.background_simulator import exit_code
from support.cli import run
from support.status_examples import IDLE

START = datetime(2021, 3, 1, 6, 30, tzinfo=timezone.utc)


def write_recording(path: Path, days: int) -> None:
    """Write a status each hour, in a time zone half an hour from the full one."""
    with CsvRecorder(path, heater="0123456789ab", zone=ZoneInfo("Asia/Kolkata")) as recorder:
        for number in range(24 * days):
            status = decode_fields(DeviceStatus, {**IDLE, "subErrorCode": number})
            recorder.write(status, START + timedelta(hours=number))


async def test_ctrl_c_stops_an_import_and_says_what_was_added(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def import_one(stop: Event) -> Imported:
        loop.call_soon_threadsafe(started.set)
        assert stop.wait(60)
        return Imported(Path("tank.csv"), 9000, 5000, interrupted=True)

    task = asyncio.ensure_future(_import_until_stopped(import_one))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = "tank.csv: 9000 readings, 5000 of them new; interrupted; import it again to add the rest"
    assert capsys.readouterr().err == f"{said}\n"


async def test_monitor_records_the_same_in_both_and_without_a_value_in_the_data_folder(
    tmp_path: Path,
) -> None:
    words = ["--simulate", "--speed", "3000", "--count", "3", "--zone", "Asia/Kolkata"]
    code, _, err = await run(tmp_path, "monitor", *words, "--csv", "tank.csv", "--database")
    assert code == 0, err
    stored = Path(os.environ["XDG_DATA_HOME"]) / "navien-nwp500" / "history.db"
    assert f"recorded in   {stored}" in err
    code, out, err = await run(tmp_path, "history", "info", "--json")
    assert (code, err) == (0, "")
    (heater,) = json.loads(out)["heaters"]
    assert (heater["name"], heater["time_zone"]) == ("NWP500", "Asia/Kolkata")
    assert (heater["statuses"], json.loads(out)["place"]) == (3, str(stored))
    # One reading of the clock for both: an import finds every message, and an export is the same.
    code, out, _ = await run(tmp_path, "history", "import", "tank.csv", "--json")
    assert (code, json.loads(out)[0]["new"]) == (0, 0)
    code, _, err = await run(tmp_path, "history", "export", "copy.csv")
    assert (code, err) == (0, "3 statuses written to copy.csv\n")
    assert (tmp_path / "copy.csv").read_bytes() == (tmp_path / "tank.csv").read_bytes()


async def test_dates_are_those_of_the_heater_and_pruned_statuses_stay_in_the_sums(
    tmp_path: Path,
) -> None:
    write_recording(tmp_path / "tank.csv", days=3)
    place = ("--database", "history.db")
    code, out, err = await run(tmp_path, "history", "import", "tank.csv", *place)
    assert (code, out, err) == (0, "tank.csv: 72 readings, 72 of them new\n", "")
    between = ("--since", "2021-03-02", "--until", "2021-03-03")
    code, _, err = await run(tmp_path, "history", "export", "day.csv", *between, *place)
    assert (code, err) == (0, "24 statuses written to day.csv\n")
    first, *_, last = (tmp_path / "day.csv").read_text("utf-8").splitlines()[1:]
    assert first.startswith("2021-03-02T00:00:00.000+05:30,")
    assert last.startswith("2021-03-02T23:00:00.000+05:30,")
    _, before, _ = await run(tmp_path, "history", "info", "--json", *place)
    code, out, _ = await run(tmp_path, "history", "prune", "--keep-days", "1", *place)
    assert (code, out) == (0, "72 statuses deleted\n")
    _, after, _ = await run(tmp_path, "history", "info", "--json", *place)
    was, now = (json.loads(text)["heaters"][0] for text in (before, after))
    assert (was["statuses"], now["statuses"], now["first"]) == (72, 0, None)
    assert was["days"] == now["days"] == 4


def test_a_report_takes_recordings_or_the_history_and_writes_over_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: matplotlib for Python 3.9 gives warnings, which are errors in a new one."""
    monkeypatch.chdir(tmp_path)
    write_recording(tmp_path / "tank.csv", days=1)

    def report(words: str) -> tuple[int, str, str]:
        code = exit_code(lambda: navien_nwp500.main(words.split(), prog_name="navien-nwp500"))
        return code, *capsys.readouterr()

    assert report("history import tank.csv --database history.db")[0] == 0
    for words in ("report", "report tank.csv --database history.db"):
        code, _, err = report(words)
        assert (code, "name recordings, or --database" in err) == (2, True)
    code, _, err = report("report --database history.db --html history.db")
    assert (code, "another file of this command" in err) == (2, True)
    code, out, _ = report("report --database history.db --json --heater 89ab")
    found = json.loads(out)
    assert (code, found["heater"], found["total"]["readings"]) == (0, "89ab", 24)
