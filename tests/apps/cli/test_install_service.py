"""The command ``install-service``; where systemd is installed, it checks the units."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from click.testing import CliRunner

from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.commands.install_service import SERVICES


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(navien_nwp500, ["install-service", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def settings(unit: str) -> dict[str, str]:
    lines = [line for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("service", SERVICES)
def test_systemd_accepts_the_unit_without_a_warning(
    service: str, tmp_path: Path, find_program: Callable[..., str]
) -> None:
    analyze = find_program("systemd-analyze")
    unit = tmp_path / f"navien-nwp500-{service}.service"
    unit.write_text(printed(service, "--simulate"))
    done = subprocess.run(
        [analyze, "--user", "verify", str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_is_hardened_and_not_restarted_after_a_rejected_password(service: str) -> None:
    found = settings(printed(service))
    assert found["NoNewPrivileges"] == found["PrivateUsers"] == found["PrivateTmp"] == "yes"
    assert found["ProtectSystem"] == "strict" and found["MemoryMax"] == "256M"
    assert found["Restart"] == "on-failure" and int(found["RestartSec"]) >= 30
    assert {"2", "4"} <= set(found["RestartPreventExitStatus"].split())
    assert found["EnvironmentFile"] == "%E/navien-nwp500.env"
    # Options that drop capabilities end a user's unit with 218/CAPABILITIES.
    assert not {
        "PrivateDevices",
        "ProtectKernelModules",
        "ProtectKernelLogs",
        "ProtectClock",
    } & set(found)


def test_options_are_passed_on_and_nothing_is_expanded() -> None:
    odd = "mqtt://a b%h$x\"'\\"
    line = settings(printed("bridge-mqtt", "--broker", odd))["ExecStart"]
    *_, command, mode, option, broker = shlex.split(line)
    assert (command, mode, option) == ("bridge", "mqtt", "--broker")
    assert broker.replace("%%", "%").replace("$$", "$") == odd


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_unprivileged_with_a_read_only_file_system(service: str) -> None:
    text = printed("--container", service)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in lines] == [
        *("FROM", "RUN", "&&", "USER", "WORKDIR", "ENTRYPOINT")
    ]
    assert "USER 10001:10001" in lines and "bridges" in text or service == "monitor"
    entry = json.loads(lines[-1].partition(" ")[2])
    assert entry[0] == "navien-nwp500" and tuple(entry[1:]) >= SERVICES[service].command
    for flag in ("--read-only", "--cap-drop all", "no-new-privileges", "--memory", "--env-file"):
        assert flag in text


def test_no_password_is_printed_and_a_line_break_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAVILINK_PASSWORD", "planted-77")
    monkeypatch.setenv("MQTT_PASSWORD", "planted-77")
    assert "planted-77" not in printed("bridge-mqtt") + printed("--container", "bridge-mqtt")
    result = CliRunner().invoke(
        navien_nwp500, ["install-service", "monitor", "--csv", "a\nExecStart=/bin/false"]
    )
    assert result.exit_code == 2
