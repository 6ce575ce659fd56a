"""Every command where something is missing: a person gets a sentence and no traceback.

The commands are those of the command table, with the arguments of the examples in their help. So a
new command is in it by itself.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import AbstractSet, Iterator, Mapping, NamedTuple

import click
import pytest

from apps.cli.test_plan import write_backup, write_heating_plan
from apps.cli.test_reservations import TWO
from apps.cli.test_tou import PEAK_DAY, write_plan
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.database import Database
from navien_nwp500.history.importer import import_file
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.faults import RestFault
from support.background_simulator import START, BackgroundSimulator
from support.cli import LIMIT, environment
from support.forked_cli import AVAILABLE, ForkServer, Limits

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs fork, /dev/full and limits of Linux")

#: Arguments of the examples that need another machine, a fixed port or more time.
REPLACED = {
    "--simulate --csv tank.csv": "--count 1 --csv new.csv",
    "--simulate --json": "",
    "--count 10": "--count 1",
    "mqtt://navien@homeassistant.local": "mqtt://127.0.0.1:GARBAGE",
    "127.0.0.1:9500": "127.0.0.1:0",
    "--slots 32": "--shard 1/1",
    "postgresql://navien@db.example.com/heater": "fleet.db",
    "127.0.0.1:9501": "127.0.0.1:0",
    "--until 2026-12-24": "7",
    "set boost --until 18:30": "set boost stop",
}
#: Commands that end with a signal, after so many seconds.
UNTIL_SIGNAL = {"bridge mqtt", "bridge prometheus", "dashboard", "record", "simulate"}
SECONDS = 1.0
HISTORY = {f"history {name}" for name in ("export", "import", "info", "prune")}
WITHOUT_CLOUD = {
    "completion",
    "install-service",
    "logout",
    "record",
    "report",
    "simulate",
    "why",
    *HISTORY,
}
WITHOUT_BROKER = {*WITHOUT_CLOUD, "devices", "login", "plan undo", "set boost"}
WRITES_FILE = {"capture", "history export", "monitor", "record", "simulate"}
STORES = {"history import", "history prune"}
PRINTS_NOTHING = {"bridge mqtt", "bridge prometheus", "capture", "record"}
#: ``tou rates`` asks another cloud; without a key it asks none.
KEYLESS = {"tou rates": {2}}
GARBAGE = b"\x00\xff\x15garbage\r\n\r\n" * 20


def has_done_something(command: str) -> bool:
    """Return True for a command that has changed something before it prints."""
    changes = "set (?!boost)|reservations (?!list)|tou (on|off)|log(in|out)"
    return re.match(changes, command) is not None


class Situation(NamedTuple):
    """Missing parts, and the exit codes that are right for a command."""

    codes: dict[str, set[int]]
    others: set[int]
    limits: Limits = {}
    variables: Mapping[str, str] = {}
    folder: str | None = None
    html: bool = False
    rest: RestFault | None = None
    #: Commands that do not meet it; another situation shows what they do.
    without: AbstractSet[str] = frozenset()

    def right(self, command: str) -> set[int]:
        codes = self.codes.get(command, self.others)
        # Terminated before its event loop runs, a process ends by the signal itself.
        return codes | {0, -15} if command in UNTIL_SIGNAL else codes


def each(commands: set[str], *codes: int) -> dict[str, set[int]]:
    return {command: {*codes} for command in commands}


def dealt(commands: list[str], turn: int) -> set[str]:
    """Return the commands that another of the four situations without a working cloud shows.

    There all commands of a group fail at the same call, so they are dealt among the four.
    """
    groups: dict[str, list[str]] = {}
    for command in commands:
        if command not in WITHOUT_CLOUD:
            groups.setdefault(command.split()[0], []).append(command)
    return {
        command
        for group in groups.values()
        for place, command in enumerate(group)
        if (place - turn) % min(len(group), 4)
    }


def situations(commands: list[str], folders: Mapping[str, str], port: int) -> dict[str, Situation]:
    """Return all situations; those that do not hide each other are one."""
    done = each({one for one in commands if has_done_something(one)}, 0)
    printed = each(PRINTS_NOTHING, 0)
    written = each(WRITES_FILE, 1)
    local = {**each(WITHOUT_CLOUD, 0), **KEYLESS}
    # They meet one cloud that does not work, which shows that they ask none.
    once = frozenset(WITHOUT_CLOUD) | KEYLESS.keys()
    wrong_type = b'{"code": 200, "msg": "SUCCESS", "data": [[{"deviceInfo": ["\\ud83d"]}]]}'
    garbage = f"127.0.0.1:{port}"
    return {
        "ascii output, stdin closed, a read-only working folder": Situation(
            {**written, **KEYLESS, "login": {2}},
            {0},
            {"encoding": "ascii", "no_stdin": True},
            folder=folders["read-only"],
        ),
        "stdout closed early, no working folder, no home": Situation(
            {**done, **printed, **written, **each(STORES, 0), **KEYLESS, "login": {2}},
            {141},
            {"stdout": "", "removed": True, "unknown_user": True},
            dict.fromkeys(["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"], ""),
        ),
        "a full disk": Situation(
            {**done, **printed, **written, **KEYLESS, "login": {1}},
            {1},
            {"stdout": "/dev/full", "file_size": 0},
            html=True,
        ),
        "a cloud that answers garbage": Situation(
            local, {1}, rest=RestFault(200, GARBAGE), without=once | dealt(commands, 0)
        ),
        "a cloud that answers other types": Situation(
            local, {1}, rest=RestFault(200, wrong_type), without=once | dealt(commands, 1)
        ),
        "a cloud that does not speak TLS": Situation(
            local,
            {1},
            variables={"NAVILINK_BASE_URL": f"https://{garbage}/api/v2.1"},
            without=dealt(commands, 2),
        ),
        "a broker that answers garbage": Situation(
            {**each(WITHOUT_BROKER, 0), **KEYLESS},
            {1},
            variables={"NAVILINK_WEBSOCKET_URL": f"wss://{garbage}/mqtt"},
            without=once | dealt(commands, 3),
        ),
    }


class AnswerGarbage(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1)
        self.request.sendall(GARBAGE)


@contextmanager
def garbage_server() -> Iterator[int]:
    """Serve garbage on a port of this machine."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), AnswerGarbage) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with the files that the examples read."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    heater = Heater(now=START, seed=7)
    with CsvRecorder(folder / "tank.csv", heater="0123456789ab") as recorder:
        for _ in range(100):
            heater.advance(900)
            recorder.write(heater.status(), heater.now)
    with Database(folder / "history.db") as database:
        import_file(HistoryStore(database), folder / "tank.csv")
    write_plan(folder, PEAK_DAY)
    write_heating_plan(folder)
    write_backup(folder)
    account = {"email": "user@example.com", "password_env": "NAVILINK_PASSWORD"}
    (folder / "fleet.json").write_text(json.dumps({"accounts": [account]}), "utf-8")
    return folder


def read_only_folder(base: Path) -> str:
    """Return a folder in which this user cannot write; nobody, not even root, writes in /sys."""
    folder = base / "read-only"
    folder.mkdir(mode=0o555)
    return str(folder) if os.geteuid() else "/sys"


def example(command: click.Command, inputs: Path, port: int, html: bool) -> list[str]:
    """Return the arguments of the example in a command's help."""
    text = inspect.cleandoc(command.help or "").partition("Example: navien-nwp500 ")[2]
    for found, other in REPLACED.items():
        text = text.replace(found, other)
    words = text.replace("\b", "").replace("GARBAGE", str(port)).partition(" > ")[0].split()
    words += ["--markdown"] if words[0] == "report" and not html else []
    return [str(inputs / word) if (inputs / word).is_file() else word for word in words]


def faults(err: str, code: int) -> list[str]:
    """Return what is wrong on stderr."""
    signs = ("Traceback", "internal error", "ignored in", "never retrieved", "Warning:", "Errno")
    found = [sign for sign in signs if sign in err]
    sentence = re.search("^(navien-nwp500|Error): .{12}", err, re.M)
    return found + (["no sentence"] if code in {1, 2, 3, 4} and not sentence else [])


def test_no_command_ends_in_a_traceback(
    all_commands: dict[str, click.Command], inputs: Path, tmp_path: Path
) -> None:
    commands = {path: one for path, one in all_commands.items() if not isinstance(one, click.Group)}
    assert UNTIL_SIGNAL | WITHOUT_BROKER | WRITES_FILE <= commands.keys()
    workers = 2
    options = {"speed": 600, "start": START, "recirculation": True, "heaters": workers}
    wrong: list[str] = []
    with BackgroundSimulator(**options, control_interval=0.0) as cloud, garbage_server() as port:
        folders = {"read-only": read_only_folder(tmp_path)}
        tests = situations([*commands], folders, port)

        def run(heater: int, name: str, path: str) -> None:
            situation = tests[name]
            folder = tmp_path / f"{name} {path}"
            folder.mkdir()
            if path.startswith("reservations"):
                cloud.write_reservations(*TWO, heater=heater)
            variables = {
                **cloud.sim.environment,
                "NAVILINK_DEVICE_MAC": cloud.sim.units[heater].record.mac_address,
                "XDG_CACHE_HOME": str(folder / "cache"),
                "XDG_CONFIG_HOME": str(folder / "config"),
                **situation.variables,
            }
            limits: Limits = {**situation.limits, "quick_exit": True}
            if path in UNTIL_SIGNAL:
                limits = {**limits, "seconds": SECONDS}
            typed = None
            if path == "login":
                typed = f"{variables['NAVILINK_EMAIL']}\n{variables['NAVILINK_PASSWORD']}\n"
            arguments = example(commands[path], inputs, port, situation.html)
            code, out, err = servers[heater].run(
                Path(situation.folder or folder),
                tuple(arguments),
                typed,
                {name: value for name, value in environment(**variables).items() if value},
                int(LIMIT),
                limits,
            )
            bad = faults(err, code)
            if code not in situation.right(path):
                bad.append(f"exit code {code}, not {situation.right(path)}")
            if bad:
                wrong.append(f"{name}: {' '.join(arguments)}: {', '.join(bad)}\n{out}{err}")

        def work(heater: int, jobs: list[tuple[str, str]]) -> None:
            for job in jobs:
                run(heater, *job)

        with ExitStack() as stack:
            servers = [
                stack.enter_context(ForkServer(environment(), "all")) for _ in range(workers)
            ]
            executor = stack.enter_context(ThreadPoolExecutor(workers))
            for names in (
                [name for name in tests if tests[name].rest is None],
                *([name] for name in tests if tests[name].rest is not None),
            ):
                cloud.inject(tests[names[0]].rest)
                jobs = [
                    (name, path)
                    for name in names
                    for path in commands
                    if path not in tests[name].without
                ]
                list(executor.map(work, range(workers), [jobs[n::workers] for n in range(workers)]))
    assert wrong == [], "\n".join(wrong)
