"""The command ``forecast``, the file of what it learns, and the lines of other commands."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

from navien_nwp500.analysis.forecast.learned import Learned
from navien_nwp500.apps.cli.learned_file import LearnedFile
from navien_nwp500.simulator.faults import RestFault
from support.background_simulator import BackgroundSimulator, Invoke, Output
from support.recoveries import SimulatedRecovery, record, simulated_recovery


@pytest.fixture
def recording(tmp_path: Path, background: BackgroundSimulator) -> Path:
    path = tmp_path / "tank.csv"
    mac = background.sim.units[0].record.mac_address
    record(path, map(simulated_recovery, range(3)), mac)
    return path


def learned_file() -> Path:
    return Path(os.environ["XDG_DATA_HOME"]) / "navien-nwp500" / "learned.json"


def test_learning_is_kept_and_used_by_other_commands(
    output: Output, invoke: Invoke, recording: Path, background: BackgroundSimulator
) -> None:
    assert "nothing yet" in output("forecast") and not learned_file().exists()
    assert "from 3 recoveries" in output(f"forecast --history {recording}")
    assert "from 3 recoveries" in output("forecast")
    for command in ("forecast --json", "status --json", "monitor --count 1 --json"):
        _, out, _ = invoke(command)
        assert json.loads(out)["forecast"]["fitted_to_recoveries"] == 3, command
    path = learned_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert background.sim.units[0].record.mac_address not in path.read_text("utf-8")


def test_a_database_teaches_the_same(
    output: Output, recording: Path, background: BackgroundSimulator
) -> None:
    pytest.importorskip("sqlalchemy", reason="the extra history is not installed")
    mac = background.sim.units[0].record.mac_address
    output(f"history import {recording.name} --database tank.db --heater {mac}")
    assert "from 3 recoveries" in output("forecast --database tank.db")


def test_a_damaged_file_is_told_and_written_anew(
    invoke: Invoke, recording: Path, background: BackgroundSimulator
) -> None:
    path = learned_file()
    path.parent.mkdir(parents=True)
    mac = background.sim.units[0].record.mac_address
    entry = {**Learned().to_json(), "model": {"rate": 1e9}}
    for content in (
        b"\xff",
        b"",
        b"[]",
        b'{"heaters": 1}',
        b"[" * 100_000,
        json.dumps({"heaters": {mac[-4:]: entry}}).encode(),
    ):
        path.write_bytes(content)
        for command in ("forecast", "status"):
            code, out, err = invoke(command)
            assert code == 0 and "At the setpoint in" in out
            assert "learned.json is damaged" in err and "usual figures are used" in err
    assert invoke(f"forecast --history {recording}")[0] == 0
    assert invoke("forecast")[2] == ""


def test_a_folder_that_cannot_be_written_costs_no_forecast(invoke: Invoke, recording: Path) -> None:
    Path(os.environ["XDG_DATA_HOME"]).write_text("a file where the folder should be")
    code, out, err = invoke(f"forecast --history {recording}")
    assert code == 0 and "from 3 recoveries" in out and "is not kept" in err


def test_what_others_wrote_in_the_file_stays(tmp_path: Path) -> None:
    file = LearnedFile(tmp_path / "own" / "learned.json")
    file.write("04786332aaaa", Learned(runs=1))
    file.write("04786332BBBB", Learned(runs=2))
    assert (file.read("04786332aaaa").runs, file.read("04786332bbbb").runs) == (1, 2)


def test_a_simulated_heater_neither_uses_nor_makes_a_file(
    invoke: Invoke, output: Output, recording: Path, background: BackgroundSimulator
) -> None:
    code, out, err = invoke(f"forecast --simulate --history {recording}")
    assert (code, err) == (0, "") and "from 3 recoveries" in out
    assert not learned_file().exists()
    # The heater of --simulate has the same MAC address.
    LearnedFile.of_user().write(background.sim.units[0].record.mac_address, Learned(runs=7))
    assert "from 7 recoveries" in output("forecast")
    assert "nothing yet" in output("forecast --simulate")


def test_wrong_and_empty_histories(invoke: Invoke, tmp_path: Path) -> None:
    code, _, err = invoke("forecast --history new.csv")
    assert code == 2 and "new.csv" in err
    (tmp_path / "new.csv").write_text("not,a,recording\n")
    code, _, err = invoke("forecast --history new.csv")
    assert code == 2 and "new.csv" in err
    code, _, err = invoke("forecast --history new.csv --database tank.db")
    assert code == 2 and "not both" in err
    recovery = simulated_recovery(0)
    record(tmp_path / "few.csv", [SimulatedRecovery(recovery.statuses[:5], 0.0)])
    code, out, err = invoke("forecast --simulate --history few.csv")
    assert code == 0 and "nothing was learned" in err and "nothing yet" in out


def test_a_schedule_that_cannot_be_read_is_told(
    invoke: Invoke, background: BackgroundSimulator
) -> None:
    assert invoke("tou on")[0] == 0
    try:
        background.sim.faults.rest["/device/tou"] = RestFault.error(500, "INTERNAL")
        code, out, err = invoke("forecast")
    finally:
        background.inject(None)
        assert invoke("tou off")[0] == 0
    assert code == 0 and "The schedule is not considered" in err and "At the setpoint" in out
