"""What every word prints, whole: compared with tests/snapshots, renewed by ``make snapshots``.

The heater's clock stands still, so that nothing moves between two words; times of ours are masked.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator

import pytest
from rich.console import Console

from apps.cli.test_commands import DEAR_DAY, TWO, Beside, exit_code, plan_file
from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.context import CommandContext
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.history.alerts import AlertWatch
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.clock import Clock
from support.control_examples import EXAMPLES

SNAPSHOTS = Path(__file__).parent / "snapshots"
RENEWED = bool(os.environ.get("RENEW_SNAPSHOTS"))
START = datetime(2026, 1, 12, 8, 0, tzinfo=timezone(timedelta(hours=-5)))

#: A file for each word, or for a form of it, and what is said; writes say what they would send.
WORDS = {
    "capture-check": "capture --check reading.jsonl",
    "status": "status",
    "status-celsius": "status --unit C",
    "status-json": "status --json",
    "devices": "devices",
    "devices-json": "devices --json",
    "device-unknown": "status --device attic",
    "doctor": "doctor",
    "doctor-json": "doctor --json",
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
    "report": "report days.csv --tariff plan.json",
    "report-markdown": "report days.csv --markdown",
    "reservations-add": "reservations add --days mon-fri --at 06:30 --temperature 60C --dry-run",
    "reservations-list": "reservations list",
    "reservations-list-json": "reservations list --json",
    "reservations-off": "reservations off --dry-run",
    "reservations-on": "reservations on --dry-run",
    "reservations-remove": "reservations remove 1 --dry-run",
    "reservations-update": "reservations update 1 --at 07:00 --dry-run",
    "set-temperature-too-high": "set temperature 190F --dry-run",
    "tou-off": "tou off --dry-run",
    "tou-on": "tou on --dry-run",
    "tou-set": "tou set plan.json --dry-run",
    "tou-show": "tou show",
    "tou-show-json": "tou show --json",
    **{f"set-{said.split()[0]}": f"set {said} --dry-run" for *_, said in EXAMPLES if said},
}
#: These serve until they are stopped, ask for a secret, or print what click has written.
ELSEWHERE = {"bridge mqtt", "bridge prometheus", "simulate", "login", "completion"}

#: What cannot be pinned: this moment, this machine, how long it took.
MASKS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d", "TIME"),
    (r"^\d\d-\d\d \d\d:\d\d:\d\d", "MM-DD HH:MM:SS"),
    (r"navien-nwp500 \S+, Python .*?(?=\"|$)", "navien-nwp500 VERSION, Python VERSION, SYSTEM"),
    (r'"seconds": [\d.]+', '"seconds": N'),
    (r"(?<= )\d+\.\d s(?=  )", "N.N s"),
    (r"renewed in \d+ min", "renewed in NN min"),
    (r"\d+ s off", "N s off"),
    (r"for \d+ more days", "for N more days"),
    (r"^ExecStart=\S+ -m", "ExecStart=PYTHON -m"),
    (r"^ExecStart=\S*navien-nwp500", "ExecStart=PYTHON -m navien_nwp500"),
    (r"navien-nwp500(\[[\w,]+\])==[\w.]+", r"navien-nwp500\1==VERSION"),
)


def masked(text: str) -> str:
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text, flags=re.M)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def compare(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if RENEWED:
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), "run: make snapshots"
    assert text == path.read_text("utf-8"), "look whether it is meant; then: make snapshots"


@pytest.fixture(scope="module")
def beside() -> Iterator[Beside]:
    """A heater with a pump whose clock stands, as ours does, with two reservations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "now", lambda self: START)
        patch.setattr(CommandContext, "now", lambda self: START)
        with Beside(speed=600, start=START, recirculation=True, control_interval=0.0) as found:
            found.keep(*TWO)
            yield found


@pytest.fixture
def sim(beside: Beside) -> Simulator:
    return beside.sim


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of another heater, and a plan of prices."""
    tmp_path = tmp_path_factory.mktemp("recorded")
    heater = Heater(now=START, seed=7)
    with CsvRecorder(tmp_path / "days.csv") as recorder:
        for _ in range(2 * 24 * 4):
            heater.advance(900)
            recorder.write(heater.status(), heater.now)
    plan_file(tmp_path, DEAR_DAY)
    shutil.copy(SNAPSHOTS.parents[3] / "reference" / "reading.jsonl", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", WORDS)
def test_a_word_prints_what_it_printed(
    sim: Simulator,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for variable in [each for each in os.environ if each.startswith("NAVILINK_")]:
        monkeypatch.delenv(variable)
    for variable, value in {**sim.environment, "COLUMNS": "80", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(recorded)
    words = WORDS[name].split()
    code = exit_code(lambda: navien_nwp500.main(words, prog_name="navien-nwp500"))
    printed = capsys.readouterr()
    parts = [f"$ navien-nwp500 {WORDS[name]}", printed.out]
    parts += ["--- stderr", printed.err] if printed.err else []
    compare(name, masked("\n".join([*parts, f"--- exit code {code}"])))


def test_every_word_has_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SNAPSHOTS.parents[3] / "scripts"))
    import click
    from command_line import all_commands  # type: ignore[import-not-found]

    every = {
        " ".join(path[1:]) for path, word in all_commands() if not isinstance(word, click.Group)
    }
    shown = {word for word in every for said in WORDS.values() if f"{said} ".startswith(f"{word} ")}
    assert every - shown == ELSEWHERE
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {*WORDS, "live-view"}


def test_the_live_view_looks_as_it_did() -> None:
    heater, alerts = Heater(now=START, seed=7), AlertWatch()
    view = LiveView("NWP500", console=Console(file=io.StringIO(), width=80))
    for _ in range(120):
        heater.advance(300)
        view.show_status(heater.status(), heater.now, alerts.check(heater.status()))
    output = io.StringIO()
    Console(file=output, width=80, no_color=True, force_terminal=False).print(view)
    compare("live-view", masked(output.getvalue()))
