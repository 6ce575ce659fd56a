"""The examples run against the simulator, each with one flag."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LIMIT = 60.0


def start(name: str, *words: str, cwd: Path) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NAVILINK_")}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        cwd=cwd,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_basic_usage_prints_a_reading(tmp_path: Path) -> None:
    process = start("basic_usage.py", "--simulate", cwd=tmp_path)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")
    assert "setpoint  60.5 °C (140.9 °F)" in out


def test_the_control_demo_prints_each_confirmation(tmp_path: Path) -> None:
    process = start("device_control_demo.py", "--simulate", cwd=tmp_path)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 9 and "refused" not in out
    assert "confirmed: 49.0 °C (120.2 °F)" in lines[0]
    assert lines[-1].endswith("1 kept")


def test_the_keys_are_walked_to_and_not_shown(tmp_path: Path) -> None:
    process = start("debug/debug_aws_creds.py", "--simulate", cwd=tmp_path)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 8 and all(line.startswith("passed") for line in lines)
    assert "AWS keys" in lines[-1] and "to be renewed in" in lines[-1] and "ASIA" not in out


def test_the_connection_is_walked_to_and_heard(tmp_path: Path) -> None:
    process = start("debug/debug_websocket.py", "--simulate", cwd=tmp_path)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")
    assert "failed" not in out and out.count("line online") == 3


@pytest.mark.parametrize("name", ["debug_aws_creds.py", "debug_websocket.py"])
def test_a_walk_without_an_account_ends_at_the_configuration(name: str, tmp_path: Path) -> None:
    process = start(f"debug/{name}", cwd=tmp_path)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (1, "")
    assert out.startswith("failed     configuration") and ".env.template" in out


@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_the_production_monitor_records_until_ctrl_c(tmp_path: Path) -> None:
    process = start("tank_monitoring_production.py", "tank.csv", "--simulate", cwd=tmp_path)
    assert process.stderr is not None
    csv = tmp_path / "tank.csv"
    while not csv.exists() or csv.read_bytes().count(b"\n") < 4:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and "Traceback" not in err
    assert csv.read_bytes().endswith(b"\n")


def test_no_example_is_longer_than_a_screen_or_two() -> None:
    for path in EXAMPLES.rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 80, path.name
