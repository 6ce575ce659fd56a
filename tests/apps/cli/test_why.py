"""The command ``why``, from recordings and from the history, and what ``monitor`` records for it."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500.analysis.causes import CAUSE_FIELDS
from navien_nwp500.apps.cli.commands.monitor import Recordings, _record_requests
from navien_nwp500.apps.cli.context import CommandContext
from navien_nwp500.history.alerts import REQUEST, Alert
from navien_nwp500.history.cause_records import csv_records, stored_records
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.database import Database
from navien_nwp500.history.request_log import RequestLog, read_requests, request_log
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.models import EVERY_DAY, ClientRequest, Reservation, ReservationMode
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator import Simulator
from support import captures
from support.background_simulator import BackgroundSimulator, Invoke, Output
from support.field_log import captured_statuses
from support.heating_causes import Simulation
from support.reliability_tools import fast_config, wait_until, within_limit

ZONE = ZoneInfo("America/Los_Angeles")
MAC = "0123456789ab"


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """A setpoint raised by the app, an end at the setpoint, and a setpoint that is lowered again."""
    found = Simulation(upper_celsius=58.0, lower_celsius=57.5, setpoint=HalfCelsius(112))
    found.run(minutes=20).ask_setpoint(59.5).run(2.5)
    return found.ask_setpoint(65.0).run(0.5).ask_setpoint(55.0).run(0.3)


@pytest.fixture
def recording(simulation: Simulation, tmp_path: Path) -> Path:
    """A CSV file of it, as ``monitor --csv --interval 300`` writes it, with its requests."""
    path = tmp_path / "tank.csv"
    with CsvRecorder(path, heater=MAC, zone=ZONE) as recorder:
        for when, status in simulation.stream.polled[::10]:
            recorder.write(status, when)
    log = RequestLog(path)
    for request in simulation.stream.requests:
        log.write(request)
    return path


def test_it_reads_at_80_columns(recording: Path, output: Output) -> None:
    text = output(f"why {recording.name}")
    first, second = text.split("\n\n")
    assert first.startswith("2026-01-04 21:25 to 2026-01-04 22:")
    assert "  started  between 21:20 and 21:25: the setpoint was raised" in first
    words = " ".join(text.split())
    assert "by another client (0a1b2c3d), such as the app" in words
    assert "the tank reached its setpoint of 139.1 °F (59.5 °C) (sure)" in words
    assert "the setpoint was lowered below the upper tank, to 131.0 °F (55.0 °C)" in words


CAPTURED = """\
2025-09-26 20:41 to 2025-09-26 20:43, 2 min
  started  before 20:41: it was already heating when the recording began
           (unknown)
  element  20:42: the mode was changed to energy saver by a client, such as the
           app, whose command the heater answered (sure)
  element  20:42: the mode was changed to high demand by a client, such as the
           app, whose command the heater answered (sure)
  stopped  20:43: the heater was switched off by a client, such as the app,
           whose command the heater answered (sure)

2025-09-26 20:44 to 2025-09-26 20:46 or later, 2 min were recorded
  started  between 20:43 and 20:44: the heater was switched on by a client, such
           as the app, whose command the heater answered (sure)
  stopped  after 20:46: nothing was recorded when it stopped (unknown)
"""


@pytest.mark.skipif(not captures.AVAILABLE, reason=captures.SKIP_REASON)
def test_the_captured_messages_as_an_owner_reads_them(tmp_path: Path, output: Output) -> None:
    with CsvRecorder(tmp_path / "captured.csv", heater=MAC, zone=ZoneInfo("UTC")) as recorder:
        for when, status in captured_statuses()[2:17]:
            recorder.write(status, when)
    assert output("why captured.csv") == CAPTURED


def told_json(invoke: Invoke, command: str) -> list[dict[str, Any]]:
    code, out, err = invoke(command)
    assert (code, err) in {(0, ""), (0, "No heating run was recorded in this time.\n")}
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_json_and_the_choice_of_runs(recording: Path, invoke: Invoke) -> None:
    runs = told_json(invoke, f"why {recording.name} --json")
    assert [run["started"]["by"] for run in runs] == ["client", "client"]
    assert runs[0]["start"] == "2026-01-04T21:25:00-08:00"
    assert (runs[0]["stopped"]["kind"], runs[0]["stopped"]["certainty"]) == ("reached", "sure")
    (last,) = told_json(invoke, f"why {recording.name} --json --last 1")
    assert last == runs[1]
    assert told_json(invoke, f"why {recording.name} --json --since {last['start'][:16]}") == [last]
    assert told_json(invoke, f"why {recording.name} --json --since 2026-01-06") == []


def test_the_history_says_the_same_as_the_recording(
    simulation: Simulation, recording: Path, invoke: Invoke
) -> None:
    with Database("history.db") as database:
        store = HistoryStore(database)
        heater = store.ensure_heater(MAC, zone=ZONE.key)
        readings = [Reading.of(status, when) for when, status in simulation.stream.polled[::10]]
        store.add(heater, readings, ReadingSource.CSV)
        for request in simulation.stream.requests[1:]:
            ms = int(request.when.timestamp() * 1000)
            store.record(heater, ms, None, [Alert(REQUEST, request.text)])
        own = simulation.stream.requests[0].when - timedelta(seconds=2)
        CommandLog(store).begin(
            heater,
            "c0ffee",
            ms=int(own.timestamp() * 1000),
            name="temperature",
            arguments={"celsius": 59.5},
            who="the dashboard",
        )
        assert {event["ended"] for event in store.events(heater)} == {
            int(request.when.timestamp() * 1000) for request in simulation.stream.requests[1:]
        }
    from_csv = told_json(invoke, f"why {recording.name} --json")
    stored = told_json(invoke, "why --database history.db --json")
    assert stored[1] == from_csv[1]
    assert stored[0]["started"]["by"] == "own"
    assert "by this program (the dashboard)" in stored[0]["started"]["text"]
    since = told_json(invoke, "why --database history.db --json --since 2026-01-05")
    assert since == [stored[1]]  # it ended on that day of the heater


def test_an_import_brings_the_requests_along(recording: Path, invoke: Invoke) -> None:
    for _ in range(2):  # again, and nothing is doubled
        code, _, err = invoke(f"history import {recording.name} --database imported.db")
        assert (code, err) == (0, "")
    with Database("imported.db") as database:
        store = HistoryStore(database)
        assert len(store.events(store.find_heater())) == 3
    from_csv = told_json(invoke, f"why {recording.name} --json")
    assert told_json(invoke, "why --database imported.db --json") == from_csv


def test_reservations_come_from_a_file_or_from_the_heater(
    tmp_path: Path, background: BackgroundSimulator, invoke: Invoke
) -> None:
    found = Simulation(upper_celsius=56.0, lower_celsius=55.0, setpoint=HalfCelsius(110))
    entry = Reservation(EVERY_DAY, time(5, 30), ReservationMode.HEAT_PUMP, HalfCelsius(120))
    found.reserve(entry).run(1)
    with CsvRecorder(tmp_path / "tank.csv", heater=MAC, zone=ZoneInfo("UTC")) as recorder:
        for when, status in found.stream.polled[::10]:
            recorder.write(status, when)
    (run,) = told_json(invoke, "why tank.csv --json")
    assert (run["started"]["kind"], run["started"]["by"]) == ("setpoint", "")
    background.write_reservations(entry)
    (run,) = told_json(invoke, "why tank.csv --json --ask-heater")
    assert run["started"]["kind"] == "reservation"
    _, listed, _ = invoke("reservations list --json")
    (tmp_path / "list.json").write_text(listed, "utf-8")
    (run,) = told_json(invoke, "why tank.csv --json --reservations list.json")
    assert "by the reservation at 05:30" in run["started"]["text"]
    background.write_reservations()
    for damaged in ("[]", "{", '{"reservations": [{"days": ["monday"]}]}'):
        (tmp_path / "list.json").write_text(damaged, "utf-8")
        code, _, err = invoke("why tank.csv --reservations list.json")
        assert code == 2 and "list.json" in err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("why tank.csv --database history.db", "not both"),
        ("why --database missing.db", "does not exist"),
        ("why other.csv", "other.csv, line 1"),
        ("why tank.csv --heater beef", "there is no reading of heater beef"),
        ("why two.csv", "select one, for example with --heater 89ab"),
    ],
)
def test_what_cannot_be_read_is_said(
    recording: Path, invoke: Invoke, command: str, words: str
) -> None:
    recording.with_name("other.csv").write_text("a,b\n1,2\n", "utf-8")
    text = recording.read_text("utf-8")
    other = text.partition("\n")[2].replace(",89ab", ",beef").replace("2026-01", "2026-02")
    recording.with_name("two.csv").write_text(text + other, "utf-8")
    code, out, err = invoke(command)
    assert (code, out) == (2, "") and words in " ".join(err.split()), err


def test_the_report_tells_the_same(recording: Path, invoke: Invoke) -> None:
    """Of each recovery, in a table of the page and of Markdown, and in JSON."""
    pytest.importorskip("pandas")
    runs = told_json(invoke, f"why {recording.name} --json")
    code, out, _ = invoke(f"report {recording.name} --json")
    assert code == 0
    causes = [one["cause"] for one in json.loads(out)["recoveries"]]
    assert causes == runs
    code, out, _ = invoke(f"report {recording.name} --markdown --html page.html")
    assert code == 0 and "why it started | why it stopped |" in out
    for text in (out, Path("page.html").read_text("utf-8")):
        assert "by another client (0a1b2c3d), such as the app (sure)" in text
        assert "the tank reached its setpoint of 139.1 °F (59.5 °C) (sure)" in text


def test_requests_beside_a_recording_survive_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "tank.csv"
    noon = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
    request = ClientRequest(noon, "temperature", 33554464, {"temperature": 98}, "0a1b2c3d")
    assert read_requests(path) == []
    log = RequestLog(path)
    log.write(request)
    with request_log(path).open("a", encoding="utf-8") as file:
        file.write("2026-01-05T12:00:01.000+00:00,tempera")
    log.write(request)
    assert read_requests(path) == [request, request]


async def test_monitor_records_what_another_client_has_changed(tmp_path: Path) -> None:
    async with Simulator(speed=60) as sim:
        async with (
            NaviLinkClient(fast_config(sim)) as ours,
            NaviLinkClient(fast_config(sim)) as app,
        ):
            (heater,), (same,) = await ours.get_devices(), await app.get_devices()
            mqtt = await heater.get_mqtt_connection()
            with ExitStack() as files:
                csv, history = tmp_path / "tank.csv", str(tmp_path / "history.db")
                recordings = Recordings(files, heater, ZONE, csv, history)
                context = CommandContext(ours, sim.clock)
                task = asyncio.ensure_future(_record_requests(context, heater, recordings))
                await within_limit(mqtt.connect())
                await wait_until(lambda: mqtt._subscriber.on_request is not None)
                await within_limit(same.get_status())  # a query is not recorded
                await within_limit(same.set_temperature(celsius=52))
                await wait_until(lambda: bool(read_requests(csv)))
                task.cancel()
                await asyncio.wait({task})
    (request,) = read_requests(csv)
    assert (request.command, request.values, request.own) == (
        "temperature",
        {"temperature": 104},
        False,
    )
    client_id = request.client
    assert len(client_id) == 8
    with Database(history) as database:
        store = HistoryStore(database)
        (event,) = store.events(store.find_heater())
        assert (event["kind"], event["detail"]) == (REQUEST, request.text)


def test_records_of_a_file_are_those_of_the_history(
    simulation: Simulation, recording: Path, tmp_path: Path
) -> None:
    """Without pandas, and in the heater's time zone."""
    found = csv_records([recording], CAUSE_FIELDS)
    with Database(str(tmp_path / "history.db")) as database:
        store = HistoryStore(database)
        heater = store.ensure_heater(MAC, zone=ZONE.key)
        readings = [Reading.of(status, when) for when, status in simulation.stream.polled[::10]]
        store.add(heater, readings, ReadingSource.CSV)
        stored = stored_records(store, heater, CAUSE_FIELDS)
    assert [when for when, _ in found.statuses] == [when for when, _ in stored.statuses]
    assert found.zone == stored.zone == ZONE
    for (_, one), (_, other) in zip(found.statuses, stored.statuses):
        assert all(one.get(name) == other[name] for name in CAUSE_FIELDS)
