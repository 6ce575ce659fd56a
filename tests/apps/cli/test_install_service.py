"""The command ``install-service``; where systemd is installed, it checks the units."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from click.testing import CliRunner

from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.commands import install_service
from navien_nwp500.apps.cli.commands.install_service import SERVICES
from navien_nwp500.apps.cli.zone import machine_zone

#: Options that a service cannot do without.
REQUIRED = {
    "monitor": (),
    "dashboard": (),
    "bridge-mqtt": ("--broker", "mqtt://a"),
    "bridge-prometheus": (),
}
#: Texts that systemd, or a shell, could take for more than a text.
ODD = [
    "mqtt://a b%h$x\"'\\",
    ";",
    "\\;",
    "$HOME",
    "%n",
    "a;b",
    "#x",
    "-",
    "@",
    "°",
    "{unit}",
    "ends\\",
]


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(navien_nwp500, ["install-service", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def rejected(*arguments: str) -> str:
    """Run a command that must be rejected as wrong usage; return the error in one line."""
    result = CliRunner().invoke(navien_nwp500, ["install-service", *arguments])
    # Older versions of click mix stderr into stdout.
    usage, _, error = result.output.partition("Error: ")
    assert result.exit_code == 2 and usage.startswith("Usage: "), result.output
    return " ".join(error.split())


def split_command(line: str) -> list[str]:
    """Split ExecStart as systemd does (systemd.service(5), systemd.unit(5)).

    It removes quotes, and turns %% into % and, but not in the program, $$ into $. It would expand a
    single one.
    """
    program, *words = shlex.split(line)
    assert not any("$" in word.replace("$$", "") for word in words)
    assert not any("%" in word.replace("%%", "") for word in (program, *words))
    words = [word.replace("$$", "$") for word in words]
    return [word.replace("%%", "%") for word in (program, *words)]


def verify(tmp_path: Path, analyze: str, unit: str) -> tuple[int, str]:
    """Let systemd check a unit; return its exit code and all that it says."""
    path = tmp_path / "navien-nwp500-test.service"
    path.write_text(unit, "utf-8")
    done = subprocess.run(
        [analyze, "--user", "verify", str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def settings(unit: str) -> dict[str, str]:
    lines = [line for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("service", SERVICES)
def test_systemd_accepts_the_unit_without_a_warning(
    service: str, tmp_path: Path, find_program: Callable[..., str]
) -> None:
    unit = printed(service, "--simulate", *REQUIRED[service])
    assert verify(tmp_path, find_program("systemd-analyze"), unit) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_is_hardened_and_not_restarted_after_a_rejected_password(service: str) -> None:
    found = settings(printed(service, *REQUIRED[service]))
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


@pytest.mark.parametrize("odd", ODD)
def test_options_are_passed_on_and_nothing_is_expanded(
    odd: str, tmp_path: Path, find_program: Callable[..., str]
) -> None:
    unit = printed("bridge-mqtt", "--broker", odd)
    expected = ["bridge", "mqtt", "--broker", odd]
    assert split_command(settings(unit)["ExecStart"])[-4:] == expected
    container = printed("--container", "bridge-mqtt", "--broker", odd)
    assert json.loads(container.splitlines()[-1].partition(" ")[2])[-4:] == expected
    assert verify(tmp_path, find_program("systemd-analyze"), unit) == (0, "")


def test_a_program_in_a_folder_of_any_name_is_quoted(
    tmp_path: Path, find_program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", "/it's/python")
    assert "systemd starts none with a quote" in rejected("monitor")
    assert printed("--container", "monitor")
    program = tmp_path / "a b%h$x;{}" / "python"
    program.parent.mkdir()
    program.symlink_to(python)
    monkeypatch.setattr(sys, "executable", str(program))
    unit = printed("monitor")
    assert split_command(settings(unit)["ExecStart"])[0] == str(program)
    assert verify(tmp_path, find_program("systemd-analyze"), unit) == (0, "")


@pytest.mark.parametrize("place", [(), ("--container",)])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["monitor", "tank.csv"], "monitor: Got unexpected extra argument"),
        (["monitor", ";", "reboot"], "monitor: Got unexpected extra arguments (; reboot)"),
        (["monitor", "--cvs", "tank.csv"], "monitor: No such option"),
        (["monitor", "--csv"], "monitor: Option '--csv' requires an argument."),
        (["monitor", "--interval", "often"], "monitor: Invalid value for '--interval'"),
        (["monitor", "--listen", "127.0.0.1:1"], "monitor: No such option"),
        (["bridge-mqtt"], "bridge mqtt: Missing option '--broker'."),
        (["bridge-mqtt", "--topic", "heater"], "bridge mqtt: Missing option '--broker'."),
        (["bridge-prometheus", "--broker", "mqtt://a"], "bridge prometheus: No such option"),
        (["monitor", "--csv", "/tank.csv"], "--csv is /tank.csv, which"),
        (["monitor", "--csv", "/tmp/tank.csv"], "--csv is /tmp/tank.csv, which"),
        (["monitor", "--csv", "../tank.csv"], "--csv is ../tank.csv, which"),
        (["monitor", "--csv", "logs/../../tank.csv"], "--csv is logs/../../tank.csv, which"),
        (["monitor", "--database", "/history.db"], "--database is /history.db, which"),
        (["monitor", "--database", "../history.db"], "--database is ../history.db, which"),
        (["dashboard", "--database", "postgresql://me:planted@db/heater"], "in ~/.pgpass"),
        (["dashboard", "--listen", "0.0.0.0:9501"], "add --password-file, made with"),
        (["dashboard", "--listen", "nowhere"], "it must be HOST:PORT"),
        (["dashboard", "--address"], "--address is for you, not for a service"),
        (["dashboard", "--for", "60"], "--for is for you"),
        (["dashboard", "--new-password", "file"], "--new-password is for you"),
        (["monitor", "--csv", "tank\udcff.csv"], "characters that the file cannot contain"),
    ],
)
def test_what_the_service_would_reject_is_rejected_before_it_is_printed(
    arguments: list[str], reason: str, place: tuple[str, ...]
) -> None:
    assert reason in rejected(*place, *arguments)


def test_a_csv_file_lies_in_the_folder_that_the_service_may_write() -> None:
    assert (
        "--csv logs/tank.csv" in settings(printed("monitor", "--csv", "logs/tank.csv"))["ExecStart"]
    )
    for path in ("/data/tank.csv", "tank.csv", "/data/logs/tank.csv"):
        assert f'"--csv", "{path}"]' in printed("--container", "monitor", "--csv", path)


def test_a_file_that_a_service_reads_must_be_visible_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("planted\n")
    bridge = ("bridge-mqtt", "--broker", "mqtt://a", "--password-file")
    assert f"Give the whole path: {Path('secret').absolute()}" in rejected(*bridge, "secret")
    assert "does not exist" in rejected(*bridge, "/missing/secret")
    monkeypatch.setattr(install_service, "_HIDDEN_FOLDERS", (tmp_path.resolve(),))
    assert "does not see files in this folder" in rejected(*bridge, str(Path("secret").absolute()))
    monkeypatch.setattr(install_service, "_HIDDEN_FOLDERS", ())
    assert "--password-file" in printed(*bridge, str(Path("secret").absolute()))
    # The files of a container are not here.
    assert '"/data/secret"]' in printed("--container", *bridge, "/data/secret")
    assert "Give a path below /data" in rejected("--container", *bridge, "/etc/secret")


def test_a_history_lies_where_the_service_may_write_and_the_programs_of_its_owner_look(
    tmp_path: Path, find_program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "my data%h"
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    folder = data / "navien-nwp500"
    for words in (("dashboard",), ("monitor", "--database")):
        unit = printed(*words)
        quoted = str(folder).replace("%", "%%")
        assert settings(unit)["ReadWritePaths"] == f'"{quoted}"'
        assert f"# Make the folder of the history: mkdir -p -m 700 '{folder}'\n" in unit
        assert verify(tmp_path, find_program("systemd-analyze"), unit) == (0, "")
    assert f"{sys.executable} -m navien_nwp500 dashboard --address\n" in printed("dashboard")
    for words in ((), ("--database", "history.db"), ("--database", "postgresql://me@db/heater")):
        assert "ReadWritePaths" not in printed("monitor", *words)
    # The sessions of the page are there too.
    remote = ("--database", "postgresql://me@db/heater")
    assert "ReadWritePaths" in printed("dashboard", *remote)
    assert "navien-nwp500[cli,dashboard,postgres]==" in printed(
        "--container", "dashboard", "--read-only", *remote
    )
    container = printed("--container", "monitor", "--database")
    assert "\nENV TZ=" in container and " XDG_DATA_HOME=/data\n" in container
    assert "navien-nwp500[cli,history]==" in container


def test_the_page_of_a_container_needs_a_password_that_is_made_before() -> None:
    container = printed("--container", "dashboard")
    made = "--entrypoint navien-nwp500 navien-nwp500-dashboard dashboard --new-password "
    assert f"{made}/data/dashboard-password\n" in container
    assert '"--password-file", "/data/dashboard-password"]' in container
    assert "add --password-file" in rejected("--container", "dashboard", "--listen", "0.0.0.0:1")


def test_the_session_can_be_saved_below_a_home_that_cannot_be_written() -> None:
    found = settings(printed("monitor"))
    assert found["ProtectHome"] == "read-only" and found["CacheDirectoryMode"] == "0700"
    assert found["CacheDirectory"] == found["StateDirectory"] == "navien-nwp500"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_unprivileged_with_a_read_only_file_system(service: str) -> None:
    text = printed("--container", service, *REQUIRED[service])
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in lines] == [
        *("FROM", "ENV", "RUN", "&&", "USER", "WORKDIR", "ENTRYPOINT")
    ]
    assert "USER 10001:10001" in lines and "bridges" in text or service in ("monitor", "dashboard")
    entry = json.loads(lines[-1].partition(" ")[2])
    assert entry[0] == "navien-nwp500" and tuple(entry[1:]) >= SERVICES[service].command
    for flag in ("--read-only", "--cap-drop all", "no-new-privileges", "--memory", "--env-file"):
        assert flag in text


@pytest.mark.parametrize(
    ("named", "zone"),
    [("Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC"), ("nowhere/else", "UTC")],
)
def test_a_service_has_the_time_zone_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, named: str, zone: str
) -> None:
    monkeypatch.setenv("TZ", named)
    assert settings(printed("monitor"))["Environment"] == f"TZ={zone}"
    assert f"\nENV TZ={zone}\n" in printed("--container", "monitor")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no /etc/localtime")
@pytest.mark.parametrize(
    ("target", "zone"),
    [("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"), ("/x/zoneinfo/Etc/UTC", None)],
)
def test_the_zone_of_the_machine_is_that_of_its_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str, zone: str | None
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr("navien_nwp500.apps.cli.zone._LOCALTIME", tmp_path / "localtime")
    assert machine_zone() is None
    (tmp_path / "localtime").symlink_to(target)
    found = machine_zone()
    assert (None if found is None else found.key) == zone


def test_no_password_is_printed_and_a_line_break_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAVILINK_PASSWORD", "planted-77")
    monkeypatch.setenv("MQTT_PASSWORD", "planted-77")
    bridge = ("bridge-mqtt", *REQUIRED["bridge-mqtt"])
    assert "planted-77" not in printed(*bridge) + printed("--container", *bridge)
    assert "characters" in rejected("monitor", "--csv", "a\nExecStart=/bin/false")
