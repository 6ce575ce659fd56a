"""A day of the dashboard on a small board: CPU seconds, memory, bytes written to the card.

A day is 288 polls, which a fast heater answers in minutes, and 86,400 s in which the program waits, of
which three minutes are measured. Both processes of the trial are the dashboard with its history; the cloud is
another process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Sequence

from dotenv import dotenv_values

from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore

from .figures import Figure, Sample, at_most
from .turns import progress

#: Seconds of the heater's time in one second, and between two polls.
SPEED, INTERVAL = 600, 300
DAY = 86_400


def measure(quick: bool) -> Sequence[Figure]:
    """Measure a day; quick: 20 polls and 5 s."""
    polls, idle_seconds = (20, 5.0) if quick else (DAY // INTERVAL, 180.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        settings = _start_cloud(stack, folder / "fast.env", SPEED)
        progress(f"small board: {polls} polls")
        file = folder / "history.db"
        board = _start_dashboard(stack, settings, file, INTERVAL / SPEED)
        _wait(lambda: _statuses(file) > 0)
        start_cpu, cpu, written, before = _cpu(board), _cpu(board), _written(board), _statuses(file)
        _wait(lambda: _statuses(file) >= before + polls)
        factor = (DAY / INTERVAL) / (_statuses(file) - before)
        cpu, written = factor * (_cpu(board) - cpu), factor * (_written(board) - written)
        memory = _resident(board)
        board.terminate()
        board.wait(60)
        progress(f"small board: idle for {idle_seconds:g} s")
        settings = _start_cloud(stack, folder / "slow.env", 1)
        board = _start_dashboard(stack, settings, folder / "idle.db", INTERVAL)
        _wait(lambda: _statuses(folder / "idle.db") > 0)
        time.sleep(2)  # the start is over
        idle, stored, began = _cpu(board), _statuses(folder / "idle.db"), time.monotonic()
        time.sleep(idle_seconds)
        span = time.monotonic() - began
        # A status that comes meanwhile is one of the polls, which are counted above.
        stored = _statuses(folder / "idle.db") - stored
        idle = DAY * max(0.0, _cpu(board) - idle - stored * cpu * INTERVAL / DAY) / span
        figures = {
            "CPU of the start": ("s", start_cpu, None),
            "CPU of a day: polls": ("s", cpu, None),
            "CPU of a day: waiting": ("s", idle, None),
            "CPU of a day": ("s", cpu + idle, at_most(10)),
            "memory after a day of polls": ("MB", memory / 1e6, at_most(120)),
            "written in a day": ("MB", written / 1e6, at_most(20)),
        }
    return [
        Figure(what, unit, Sample([value]), goal=goal)
        for what, (unit, value, goal) in figures.items()
    ]


def _start_cloud(stack: ExitStack, file: Path, speed: int) -> dict[str, str]:
    _start(stack, ["simulate", "--speed", str(speed), "--env-file", str(file)], {})
    _wait(file.exists)
    return {name: value or "" for name, value in dotenv_values(file).items()}


def _start_dashboard(
    stack: ExitStack, settings: dict[str, str], database: Path, interval: float
) -> subprocess.Popen[bytes]:
    words = ["dashboard", "--listen", "127.0.0.1:0", "--no-browser", "--no-session-file"]
    words += ["--database", str(database), "--interval", str(interval)]
    return _start(stack, words, settings)


def _start(stack: ExitStack, words: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "navien_nwp500", *words],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **settings, "MALLOC_ARENA_MAX": "2"},
    )
    stack.callback(process.wait, 60)
    stack.callback(process.terminate)
    return process


def _statuses(file: Path) -> int:
    """Return the number of statuses in a history that may not exist yet."""
    if not file.exists():
        return 0
    with Database(file) as database:
        store = HistoryStore(database)
        return sum(store.span(heater)[0] for heater in store.heaters())


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 900
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the dashboard did not get there in time")
        time.sleep(0.5)


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """Return the seconds that all threads have run, which the kernel counts in nanoseconds."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _written(process: subprocess.Popen[bytes]) -> int:
    """Return the bytes that the process has sent to the disk."""
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def _resident(process: subprocess.Popen[bytes]) -> int:
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
