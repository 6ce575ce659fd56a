"""Commands as processes: streams, signals, exit codes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest
from rich.console import Console

from navien_nwp500 import NaviLinkConfig
from navien_nwp500._util.aio import in_thread
from navien_nwp500.apps.cli.context import open_context
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.csv import BufferedCsvRecorder, CsvRecorder
from navien_nwp500.models import Health, HealthState
from navien_nwp500.simulator import Heater, Simulator
from support.cli import LIMIT, environment, run, start
from support.programs import start_program


async def test_monitor_in_a_pipe_prints_and_records_each_status(tmp_path: Path) -> None:
    arguments = ("monitor", "--simulate", "--speed", "3000", "--count", "20", "--csv", "tank.csv")
    code, out, err = await run(tmp_path, *arguments)
    assert code == 0
    lines = [line for line in out.splitlines() if " ! " not in line]
    assert len(lines) == 20 and max(map(len, lines)) <= 80
    assert "20 statuses over" in err and "kWh" in err
    with open(tmp_path / "tank.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    stamps = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    assert stamps == sorted(stamps) and all(stamp.tzinfo for stamp in stamps)
    assert (stamps[-1] - stamps[0]).total_seconds() > 1800


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_a_signal_ends_monitor_and_the_csv_is_complete(
    sim: Simulator, tmp_path: Path, number: int, expected: int
) -> None:
    arguments = ("monitor", "--interval", "0.05", "--csv", "tank.csv")
    process = await start(tmp_path, *arguments, **sim.environment)
    assert process.stdout is not None
    for _ in range(3):
        assert await asyncio.wait_for(process.stdout.readline(), LIMIT)
    process.send_signal(number)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == expected
    assert "statuses over" in err.decode() and "Traceback" not in err.decode()
    text = (tmp_path / "tank.csv").read_text()
    assert text.endswith("\n")
    assert len({line.count(",") for line in text.splitlines()}) == 1


#: Send the signal to itself when the first of the packages is imported.
EARLY_SIGNAL = """
import builtins, os, sys
from navien_nwp500 import __main__
load = builtins.__import__

def signal_before_click(name, *others):
    if name == "click":
        builtins.__import__ = load
        os.kill(os.getpid(), {number})
    return load(name, *others)

builtins.__import__ = signal_before_click
sys.argv[1:] = ["--version"]
__main__.main()
"""


async def end_early(tmp_path: Path, number: int, *before: str) -> tuple[int | None, bytes]:
    program = EARLY_SIGNAL.format(number=int(number))
    process = await start_program(
        *(*before, sys.executable, "-c", program),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert (out, err) == (b"", b"")
    return process.returncode, err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_a_signal_while_the_modules_are_loaded_ends_the_program(
    tmp_path: Path, number: int, expected: int
) -> None:
    assert (await end_early(tmp_path, number))[0] == expected


async def test_sigterm_in_the_first_moments_ends_the_first_process_of_a_container(
    tmp_path: Path, find_program: Callable[..., str]
) -> None:
    """Process 1 has no default action for a signal."""
    first = [find_program("unshare"), "--pid", "--fork", "--kill-child"]
    if subprocess.run([*first, "true"], capture_output=True, timeout=LIMIT).returncode:
        pytest.skip("this user may not start a process 1")
    assert (await end_early(tmp_path, signal.SIGTERM, *first))[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to ignore")
async def test_in_the_background_ctrl_c_is_ignored_and_sigterm_is_not(
    sim: Simulator, tmp_path: Path
) -> None:
    """A shell without job control starts ``monitor &`` with SIGINT ignored."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = await start(tmp_path, "monitor", "--interval", "0.05", **sim.environment)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), LIMIT)
    process.send_signal(signal.SIGINT)
    for _ in range(10):
        assert await asyncio.wait_for(process.stdout.readline(), LIMIT)
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0 and "statuses over" in err.decode()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of Unix")
@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [("login", "<&-", 2), ("devices", "<&- >&-", 0), ("monitor --count 1", "<&- >&- 2>&-", 0)],
)
async def test_commands_run_with_closed_streams(
    sim: Simulator, tmp_path: Path, arguments: str, closed: str, code: int
) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "navien_nwp500"]
    process = await start_program(
        *[*command, *arguments.split()],
        cwd=tmp_path,
        env=environment(**sim.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert (process.returncode, out) == (code, b"") and b"Traceback" not in err


async def test_commands_never_give_up_reconnecting(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    async with open_context(simulate=False) as context:
        assert context.client.config.reconnect.max_retries is None


async def test_monitor_appends_to_its_csv(sim: Simulator, tmp_path: Path) -> None:
    arguments = ("monitor", "--interval", "0.05", "--count", "2", "--csv", "tank.csv")
    for _ in range(2):
        code, _, _ = await run(tmp_path, *arguments, **sim.environment)
        assert code == 0
    assert len((tmp_path / "tank.csv").read_text().splitlines()) == 5


async def test_a_recording_that_is_emptied_or_renamed_goes_on(
    sim: Simulator, tmp_path: Path
) -> None:
    """``: > tank.csv``, then logrotate, while the monitor runs."""
    path = tmp_path / "tank.csv"
    options = ("--interval", "0.05", "--csv", path.name, "--zone", "America/Los_Angeles")
    process = await start(tmp_path, "monitor", *options, **sim.environment)
    assert process.stdout is not None

    async def record_more() -> None:
        before = path.stat().st_size if path.exists() else 0
        while not path.exists() or path.stat().st_size <= before:
            assert process.stdout is not None
            assert await asyncio.wait_for(process.stdout.readline(), LIMIT)

    await record_more()
    os.truncate(path, 0)
    await record_more()
    if os.name != "nt":  # Windows does not rename an open file
        path.rename(tmp_path / "tank.csv.1")
        await record_more()
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0 and b"emptied or changed" in err and b"Traceback" not in err
    mac = sim.units[0].record.mac_address
    for each in tmp_path.glob("tank.csv*"):
        with open(each, newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows and {row["heater"] for row in rows} == {mac[-4:]}
        assert {row["zone"] for row in rows} == {"America/Los_Angeles"}
        assert all(None not in row.values() and None not in row for row in rows)


async def test_a_status_is_written_once_when_monitor_is_stopped_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM on a slow disk."""
    writing, finished = threading.Event(), threading.Event()
    write = CsvRecorder.write

    def slow(self: CsvRecorder, *row: Any) -> None:
        writing.set()
        assert finished.wait(LIMIT)
        write(self, *row)

    monkeypatch.setattr(CsvRecorder, "write", slow)
    loop = asyncio.get_running_loop()
    status = Heater(now=datetime(2026, 1, 5, tzinfo=timezone.utc), seed=1).status()
    when = datetime(2026, 1, 5, tzinfo=timezone.utc)
    with BufferedCsvRecorder(tmp_path / "tank.csv") as recorder:
        task = loop.create_task(in_thread(partial(recorder.write, status, when)))
        assert await loop.run_in_executor(None, writing.wait, LIMIT)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()  # it ends when the status is written
        finished.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(task), LIMIT)
    assert len((tmp_path / "tank.csv").read_text().splitlines()) == 2


async def test_simulate_serves_other_processes_until_it_is_stopped(tmp_path: Path) -> None:
    server = await start(tmp_path, "simulate", "--speed", "600", "--env-file", "sim.env")
    assert server.stdout is not None and server.stderr is not None
    printed = [(await server.stdout.readline()).decode() for _ in range(5)]
    names = [line.split("=")[0] for line in printed]
    expected = "BASE_URL WEBSOCKET_URL CA_FILE EMAIL PASSWORD".split()
    assert names == [f"NAVILINK_{name}" for name in expected]
    assert (tmp_path / "sim.env").read_text() == "".join(printed)
    assert (tmp_path / "sim.env").stat().st_mode & 0o077 == 0
    config = NaviLinkConfig.from_environment(tmp_path / "sim.env")
    assert config.ca_file is not None
    code, out, _ = await run(
        tmp_path, "status", "--json", **dict(line.strip().split("=", 1) for line in printed)
    )
    assert code == 0 and json.loads(out)["device"]["name"] == "NWP500"
    server.send_signal(signal.SIGTERM)
    out_rest, err = await asyncio.wait_for(server.communicate(), LIMIT)
    assert (server.returncode, out_rest) == (0, b"")
    assert b"Traceback" not in err
    assert not (tmp_path / "sim.env").exists() and not config.ca_file.exists()


async def test_exit_code_2_for_wrong_usage_and_missing_settings(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, "monitor", "--interval", "none")
    assert code == 2 and "--interval" in err
    code, _, err = await run(tmp_path, "status")
    assert code == 2 and "NAVILINK_EMAIL" in err
    code, _, err = await run(tmp_path, "status", NAVILINK_WIRE_FORMAT="morse")
    assert code == 2 and "NAVILINK_WIRE_FORMAT" in err and "json" in err


async def test_exit_code_4_when_sign_in_is_rejected(sim: Simulator, tmp_path: Path) -> None:
    wrong = {**sim.environment, "NAVILINK_PASSWORD": "not-the-one"}
    code, out, err = await run(tmp_path, "status", **wrong)
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 1 and "not-the-one" not in err
    assert sim.counters.passwords == 1


async def test_exit_code_3_when_the_heater_is_offline(sim: Simulator, tmp_path: Path) -> None:
    await sim.unplug()
    status = run(tmp_path, "status", **sim.environment)
    monitor = run(tmp_path, "monitor", "--csv", "tank.csv", **sim.environment)
    for code, out, err in await asyncio.gather(status, monitor):
        assert (code, out) == (3, "")
        assert "offline" in err and "Traceback" not in err


async def test_exit_code_1_when_the_cloud_cannot_be_reached(sim: Simulator, tmp_path: Path) -> None:
    nowhere = {**sim.environment, "NAVILINK_BASE_URL": "https://127.0.0.1:1/api/v2.1"}
    code, out, err = await run(tmp_path, "status", **nowhere)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1 and "network" in err


async def test_exit_code_1_for_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, "monitor", "--simulate", "--csv", "no/such/place.csv")
    assert code == 1 and "no/such/place.csv" in err and "Traceback" not in err


def lines_of(view: LiveView, width: int) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=width, no_color=True, force_terminal=False).print(view)
    return output.getvalue().splitlines()


async def test_the_live_view_fits_every_width_without_colour(sim: Simulator) -> None:
    heater = sim.units[0].heater
    console = Console(file=io.StringIO(), width=80, no_color=True, force_terminal=False)
    view = LiveView("NWP500", console=console)
    assert "waiting" in lines_of(view, 80)[1]
    for _ in range(150):
        heater.advance(300)
        alert = Alert("charge", "charge is 19 %")
        view.show_status(heater.status(), heater.now, [alert])
    for width, hours in ((60, 3.2), (80, 4.9), (110, 7.4)):
        lines = lines_of(view, width)
        assert {len(line) for line in lines} == {width}
        text = "\n".join(lines)
        assert "charge is 19 %" in text and "140.9 °F" in text and "│█" in text
        assert f"the last {hours} h" in text
        assert len(lines) <= 23


async def test_the_live_view_shows_the_connection_and_gaps(sim: Simulator) -> None:
    heater = sim.units[0].heater
    view = LiveView("NWP500", "C", Console(file=io.StringIO(), width=80))
    view.show_status(heater.status(), heater.now, [])
    view.show_alerts(heater.now, [Alert("offline", "heater offline")])
    view.show_status(heater.status(), heater.now, [])
    last_status = datetime.now(timezone.utc) - timedelta(minutes=7)
    view.show_health(Health(HealthState.CONNECTING, last_status, last_status, 1, 0, 0))
    text = "\n".join(lines_of(view, 80))
    assert "connection lost, reconnecting, last status 7 min ago" in text
    assert "60.5 °C" in text and "°F" not in text
    assert re.search("charge +([▁▂▃▄▅▆▇█]) \\1  100 %", text), "the gap is not shown"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPIPE")
@pytest.mark.parametrize(
    "arguments",
    ["monitor --interval 0.05", "monitor --interval 0.05 --json", "status", "devices --json"],
)
async def test_a_closed_pipe_ends_a_command_quietly(
    sim: Simulator, tmp_path: Path, arguments: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = await start(tmp_path, *arguments.split(), stdout=writer, **sim.environment)
    os.close(writer)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 141
    # monitor still prints its summary, because the statuses may be in a CSV file.
    assert err == b"" if not arguments.startswith("monitor") else b"1 statuses" in err
    assert b"Errno" not in err and b"Broken" not in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", ["monitor --interval 0.05", "status"])
async def test_a_full_disk_is_reported_in_one_sentence(
    sim: Simulator, tmp_path: Path, arguments: str
) -> None:
    with open("/dev/full", "w") as full:
        process = await start(tmp_path, *arguments.split(), stdout=full.fileno(), **sim.environment)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 1
    assert (
        b"navien-nwp500: the output cannot be written: No space left on device" in err
        and b"ignored" not in err
    )


@pytest.mark.parametrize(
    ("command", "suggestion"),
    [
        ("moniter", "'monitor'"),
        ("docter", "'doctor'"),
        ("set temprature", "'temperature'"),
        ("reservations lst", "'list'"),
        ("bridge mqqt", "'mqtt'"),
        ("status --simulte", "--simulate"),
    ],
)
async def test_a_misspelt_command_or_option_gets_a_suggestion(
    tmp_path: Path, command: str, suggestion: str
) -> None:
    code, out, err = await run(tmp_path, *command.split())
    assert (code, out) == (2, "") and suggestion in err and "Did you mean" in err
    code, _, err = await run(tmp_path, "qqq")
    assert code == 2 and "Did you mean" not in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_prints_a_script(tmp_path: Path, shell: str) -> None:
    code, out, err = await run(tmp_path, "completion", shell)
    assert (code, err) == (0, "") and "_NAVIEN_NWP500_COMPLETE=" + shell in out


async def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    variables = {"_NAVIEN_NWP500_COMPLETE": "bash_complete"}
    completions = {"do": "doctor", "set temp": "temperature", "status --dev": "--device"}
    for typed, completion in completions.items():
        line = f"navien-nwp500 {typed}"
        count = str(len(line.split()) - 1)
        _, out, _ = await run(tmp_path, COMP_WORDS=line, COMP_CWORD=count, **variables)
        assert f"plain,{completion}" in out.splitlines()
