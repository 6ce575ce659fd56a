"""The whole output of every command, compared with ``snapshots/``; ``make snapshots`` writes them.

The heater's clock stands still, so that nothing changes between two commands; real times are masked.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator
from zoneinfo import ZoneInfo

import click
import pytest
from rich.console import Console

from apps.cli.test_plan import write_backup, write_heating_plan
from apps.cli.test_reservations import TWO
from apps.cli.test_tou import PEAK_DAY, write_plan
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.history.alerts import AlertWatch
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.database import Database
from navien_nwp500.history.importer import import_file
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.clock import Clock
from support.background_simulator import BackgroundSimulator, Invoke
from support.control_examples import EXAMPLES

SNAPSHOTS = Path(__file__).parent / "snapshots"
RENEWED = bool(os.environ.get("RENEW_SNAPSHOTS"))
START = datetime(2026, 1, 12, 8, 0, tzinfo=timezone(timedelta(hours=-5)))

#: The name of each snapshot and its command; commands that would change the heater are dry runs.
COMMANDS = {
    "capture-check": "capture --check reading.jsonl",
    "status": "status",
    "status-celsius": "status --unit C",
    "status-json": "status --json",
    "devices": "devices",
    "devices-json": "devices --json",
    "device-unknown": "status --device attic",
    "doctor": "doctor",
    "doctor-json": "doctor --json",
    "forecast": "forecast --litres 200",
    "forecast-json": "forecast --json",
    "history-export": "history export new.csv --database history.db",
    "history-import": "history import days.csv --database new.db",
    "history-info": "history info --database history.db",
    "history-info-missing": "history info",
    "history-prune": "history prune --keep-days 99999 --database history.db",
    "info": "info",
    "info-json": "info --json",
    "energy-day": "energy day 2025-12",
    "energy-month": "energy month 2025",
    "energy-month-json": "energy month 2025 --json",
    "install-service": "install-service monitor",
    "install-service-bridge": "install-service bridge-mqtt --broker mqtt://ha.local",
    "install-service-container": "install-service bridge-prometheus --container",
    "logout": "logout",
    "monitor": "monitor --count 1",
    "monitor-json": "monitor --count 1 --json",
    "plan-apply": "plan apply heating.json --dry-run",
    "plan-undo": "plan undo --backup before.json --dry-run",
    "report": "report days.csv --tariff plan.json",
    "report-database": "report --database history.db",
    "report-markdown": "report days.csv --markdown",
    "reservations-add": "reservations add --days mon-fri --at 06:30 --temperature 60C --dry-run",
    "reservations-list": "reservations list",
    "reservations-list-json": "reservations list --json",
    "reservations-off": "reservations off --dry-run",
    "reservations-on": "reservations on --dry-run",
    "reservations-remove": "reservations remove 1 --dry-run",
    "reservations-update": "reservations update 1 --at 07:00 --dry-run",
    "set-boost": "set boost --until 18:30 --temperature 62C --mode heat-pump --dry-run",
    "set-boost-stop": "set boost stop",
    "set-temperature-too-high": "set temperature 190F --dry-run",
    "tou-off": "tou off --dry-run",
    "tou-on": "tou on --dry-run",
    "tou-rates": "tou rates --zip 12345",
    "tou-set": "tou set plan.json --dry-run",
    "tou-show": "tou show",
    "tou-show-json": "tou show --json",
    "why": "why days.csv --last 2",
    **{
        f"set-{command.split()[0]}": f"set {command} --dry-run"
        for *_, command in EXAMPLES
        if command
    },
}
#: Commands that run until they are stopped, ask for a password, or print what click wrote.
WITHOUT_SNAPSHOT = {
    *("bridge mqtt", "bridge prometheus", "dashboard", "record", "simulate", "login", "completion")
}

#: Parts that differ between runs and computers.
MASKS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d", "TIME"),
    (r"^\d\d-\d\d \d\d:\d\d:\d\d", "MM-DD HH:MM:SS"),
    (r"navien-nwp500 \S+, Python .*?(?=\"|$)", "navien-nwp500 VERSION, Python VERSION, SYSTEM"),
    (r'"seconds": [\d.]+', '"seconds": N'),
    (r"(?<= )\d+\.\d s(?=  )", "N.N s"),
    (r"renewed in \d+ min", "renewed in NN min"),
    (r"\d+ s off", "N s off"),
    (r"^size( +)[\d.]+ MB", r"size\1N MB"),
    (r"\S+/navien-nwp500/history.db", "DATA/history.db"),
    (r"for \d+ more days", "for N more days"),
    (r"^ExecStart=\S+ -m", "ExecStart=PYTHON -m"),
    (r"^ExecStart=\S*navien-nwp500", "ExecStart=PYTHON -m navien_nwp500"),
    (r"navien-nwp500(\[[\w,]+\])==[\w.]+", r"navien-nwp500\1==VERSION"),
)


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text, flags=re.M)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def compare(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if RENEWED:
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), "run: make snapshots"
    stored = path.read_text("utf-8")
    assert text == stored, "check that the change is intended, then run: make snapshots"


@pytest.fixture(scope="module")
def background() -> Iterator[BackgroundSimulator]:
    """A heater with a recirculation pump and two reservations; both clocks stand still at START."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "now", lambda self: START)
        options = {"speed": 600, "start": START, "recirculation": True}
        with BackgroundSimulator(**options, control_interval=0.0) as simulator:
            simulator.write_reservations(*TWO)
            yield simulator


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording of two days, a time-of-use plan and a capture file."""
    folder = tmp_path_factory.mktemp("recorded")
    heater = Heater(now=START, seed=7)
    zone = ZoneInfo("America/New_York")
    with CsvRecorder(folder / "days.csv", heater="047863338daa", zone=zone) as recorder:
        for _ in range(2 * 24 * 4):
            heater.advance(900)
            recorder.write(heater.status(), heater.now)
    with Database(folder / "history.db") as database:
        import_file(HistoryStore(database), folder / "days.csv")
    write_plan(folder, PEAK_DAY)
    write_heating_plan(folder)
    write_backup(folder)
    shutil.copy(SNAPSHOTS.parents[3] / "reference" / "reading.jsonl", folder)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_its_snapshot(
    invoke: Invoke, recorded: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.chdir(recorded)
    code, out, err = invoke(COMMANDS[name])
    parts = [f"$ navien-nwp500 {COMMANDS[name]}", out]
    parts += ["--- stderr", err] if err else []
    compare(name, masked("\n".join([*parts, f"--- exit code {code}"])))


def test_every_command_has_a_snapshot(all_commands: dict[str, click.Command]) -> None:
    every = {path for path, one in all_commands.items() if not isinstance(one, click.Group)}
    shown = {one for one in every for text in COMMANDS.values() if f"{text} ".startswith(f"{one} ")}
    assert every - shown == WITHOUT_SNAPSHOT
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {*COMMANDS, "live-view"}


def test_the_live_view_matches_its_snapshot() -> None:
    heater, alerts = Heater(now=START, seed=7), AlertWatch()
    view = LiveView("NWP500", console=Console(file=io.StringIO(), width=80))
    for _ in range(120):
        heater.advance(300)
        view.show_status(heater.status(), heater.now, alerts.check(heater.status()))
    output = io.StringIO()
    Console(file=output, width=80, no_color=True, force_terminal=False).print(view)
    compare("live-view", masked(output.getvalue()))
