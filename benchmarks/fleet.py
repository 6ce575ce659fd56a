"""A fleet of three processes, thousands of accounts and one PostgreSQL, with its failures.

The heaters of the simulated cloud answer after two to four seconds, as real ones do. A
trigger of the database notes which session has written each status and when.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator, Sequence

from dotenv import dotenv_values

from navien_nwp500.history.database import Database
from navien_nwp500.simulator.simulator import email_of

from .figures import Figure, Sample, at_most
from .table import terminal
from .turns import progress

ROOT = Path(__file__).parents[1]
PROCESSES = 3
SLOTS = 32
#: Seconds after which PostgreSQL ends the session of a frozen process; the default of ``record``.
FROZEN = 15.0
TRIGGER = """
CREATE TABLE written (number BIGSERIAL, heater_id INTEGER, session INTEGER,
                      at DOUBLE PRECISION DEFAULT extract(epoch FROM clock_timestamp()));
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
  INSERT INTO written (heater_id, session) VALUES (NEW.heater_id, pg_backend_pid()); RETURN NEW; END';
CREATE TRIGGER note AFTER INSERT ON status FOR EACH ROW EXECUTE FUNCTION note();
"""


class Trial:
    """A cloud, a database and the processes of a fleet."""

    def __init__(self, stack: ExitStack, accounts: int, interval: float) -> None:
        self._stack = stack
        self.accounts, self.interval = accounts, interval
        self._folder = Path(stack.enter_context(TemporaryDirectory()))
        self.server = stack.enter_context(_postgres())
        self.url = self.server.new_database()
        with Database(self.url):
            pass
        self.query(TRIGGER)
        self._variables = self._start_cloud()
        entries = [
            {"email": email_of(number), "password_env": "FLEET_PASSWORD"}
            for number in range(accounts)
        ]
        self._file = self._folder / "fleet.json"
        self._file.write_text(json.dumps({"accounts": entries}), "utf-8")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg

        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _start_cloud(self) -> dict[str, str]:
        file = self._folder / "cloud.env"
        words = ["simulate", "--speed", "1", "--accounts", str(self.accounts)]
        self.cloud = self._process(words + ["--env-file", str(file)], os.environ)
        wait_for(file.exists, 120)
        return {name: value or "" for name, value in dotenv_values(file).items()}

    def _process(self, words: list[str], env: Any) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context(open(self._folder / f"log{time.monotonic_ns()}", "wb"))
        command = [sys.executable, "-m", "navien_nwp500", *words]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**env, "PYTHONPATH": str(ROOT)}
        )
        self._stack.callback(_end, process)
        return process

    def start(self) -> Recorder:
        """Start one more process of the fleet."""
        with_password = {"FLEET_PASSWORD": self._variables["NAVILINK_PASSWORD"]}
        port = self._free_port()
        words = ["record", "--accounts", str(self._file), "--database", self.url]
        words += ["--slots", str(SLOTS), "--interval", str(self.interval), "--sign-ins", "50"]
        words += ["--listen", f"127.0.0.1:{port}"]
        return Recorder(
            self._process(words, {**os.environ, **self._variables, **with_password}), port
        )

    @staticmethod
    def _free_port() -> int:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def heard(self) -> int:
        """Return the number of heaters that were ever recorded."""
        return int(self.query("SELECT count(DISTINCT heater_id) FROM written")[0][0])

    def silences(self, since: float) -> float:
        """Return the longest time between two rows of a heater, from a time until now."""
        rows = self.query(
            "SELECT max(gap) FROM (SELECT at - lag(at, 1, 0) OVER (PARTITION BY heater_id ORDER BY number)"
            f" AS gap, at FROM written) AS gaps WHERE at > {since}"
        )
        still = self.query(
            "SELECT extract(epoch FROM clock_timestamp()) - min(last) FROM "
            "(SELECT max(at) AS last FROM written GROUP BY heater_id) AS newest"
        )
        return max(float(rows[0][0] or 0), float(still[0][0]))

    def doubled(self) -> int:
        """Return the number of heaters whose sessions took turns."""
        found: dict[int, list[int]] = defaultdict(list)
        for heater, session in self.query("SELECT heater_id, session FROM written ORDER BY number"):
            found[heater].append(session)
        runs = ([one for one, _ in itertools.groupby(all_of_it)] for all_of_it in found.values())
        return sum(len(run) != len(set(run)) for run in runs)


class Recorder:
    """One process of the fleet."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}/metrics"

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name; nothing before they are served."""
        try:
            with urllib.request.urlopen(self._url, timeout=20) as response:
                lines = response.read().decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    @property
    def held(self) -> float:
        """Return the number of slots that the process holds."""
        return self.metrics().get("navien_slots_held", 0)

    @property
    def cpu_seconds(self) -> float:
        """Return the seconds of a processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    @property
    def megabytes(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _postgres() -> Any:
    sys.path.insert(0, str(ROOT / "tests"))
    from support.postgres import running_server

    servers = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    initdb = shutil.which("initdb", path=os.pathsep.join([os.environ["PATH"], *servers]))
    if initdb is None:
        raise SystemExit("the server of PostgreSQL is not installed: apt-get install postgresql")
    return running_server(initdb)


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Wait until the condition is true, and return the seconds that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + seconds:
            raise SystemExit("the fleet did not get there in time")
        time.sleep(0.1)
    return time.monotonic() - began


def measure(accounts: int, seconds: float, interval: float) -> Iterator[Figure]:
    """Yield the figures of a quiet time, then of each failure."""
    with ExitStack() as stack:
        progress(f"fleet: {accounts:,} accounts, polled every {interval:g} s")
        trial = Trial(stack, accounts, interval)
        fleet = [trial.start() for _ in range(PROCESSES)]
        yield _figure(
            "until all were recorded", "s", wait_for(lambda: trial.heard() == accounts, 1200)
        )
        yield from _quiet(trial, fleet, seconds)
        yield from _failures(trial, fleet)


def _quiet(trial: Trial, fleet: Sequence[Recorder], seconds: float) -> Iterator[Figure]:
    progress(f"fleet: nothing happens for {seconds:g} s")
    time.sleep(2 * trial.interval)
    cpu, rows, began = sum(one.cpu_seconds for one in fleet), trial.query(_COUNT)[0][0], time.time()
    missed = sum(one.metrics()["navien_fleet_polls_missed_total"] for one in fleet)
    time.sleep(seconds)
    span = time.time() - began
    cpu = sum(one.cpu_seconds for one in fleet) - cpu
    yield _figure("rows a second", "", (trial.query(_COUNT)[0][0] - rows) / span)
    yield _figure("CPU of the fleet", "%", 100 * cpu / span)
    yield _figure("CPU of a poll", "ms", 1000 * cpu / max(trial.query(_COUNT)[0][0] - rows, 1))
    yield _figure("memory of the fleet", "MB", sum(one.megabytes for one in fleet))
    yield _figure(
        "memory an account",
        "KiB",
        sum(one.megabytes for one in fleet) * 1e6 / 1024 / trial.accounts,
    )
    now = sum(one.metrics()["navien_fleet_polls_missed_total"] for one in fleet)
    yield _figure("polls lost", "", now - missed, at_most(1))


_COUNT = "SELECT count(*) FROM written"


def _failures(trial: Trial, fleet: list[Recorder]) -> Iterator[Figure]:
    allowed = 2 * trial.interval
    for name, limit, fail in (
        ("killed", 1.0, _kill),
        ("frozen", FROZEN, _freeze),
        ("doubled", 0.0, _double),
        ("database restarted", 1.0, _restart),
    ):
        progress(f"fleet: {name}")
        since = time.time()
        taken = fail(trial, fleet)
        if taken is not None:
            yield _figure(f"{name}: all 64 slots held again", "s", taken)
        # Everybody twice more: the silence is over, or still lasts and counts.
        time.sleep(allowed + 5)
        silence = trial.silences(since)
        yield _figure(f"{name}: longest silence", "s", silence, at_most(limit + allowed + STARTS))
    yield _figure("heaters recorded by two", "", trial.doubled(), at_most(1))


#: Seconds that a third of the accounts need to sign in again, with 50 sign-ins a second.
STARTS = 30.0


def _held(fleet: Sequence[Recorder]) -> bool:
    return sum(one.held for one in fleet) == 64


def _holder(fleet: list[Recorder]) -> Recorder:
    return next(one for one in fleet if one.held)


def _kill(trial: Trial, fleet: list[Recorder]) -> float:
    victim = _holder(fleet)
    victim.process.kill()
    fleet.remove(victim)
    taken = wait_for(lambda: _held(fleet), 120)
    fleet.append(trial.start())
    return taken


def _freeze(trial: Trial, fleet: list[Recorder]) -> float:
    victim = _holder(fleet)
    victim.process.send_signal(signal.SIGSTOP)
    others = [one for one in fleet if one is not victim]
    taken = wait_for(lambda: _held(others), 120)
    victim.process.send_signal(signal.SIGCONT)
    return taken


def _double(trial: Trial, fleet: list[Recorder]) -> None:
    fleet.append(trial.start())


def _restart(trial: Trial, fleet: list[Recorder]) -> float:
    lost = [one.metrics().get("navien_fleet_sessions_lost_total", 0) for one in fleet]
    trial.server.stop()
    trial.server.start()

    def restored() -> bool:
        found = [one.metrics() for one in fleet]
        return _held(fleet) and all(
            now["navien_fleet_sessions_lost_total"] > before and now["navien_fleet_recording"]
            for now, before in zip(found, lost)
        )

    return wait_for(restored, 120)


def _figure(what: str, unit: str, value: float, goal: Any = None) -> Figure:
    return Figure(what, unit, Sample([value]), goal=goal)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=600, help="of quiet time")
    parser.add_argument("--interval", type=float, default=300, help="seconds between polls")
    given = parser.parse_args()
    figures = list(measure(given.accounts, given.seconds, given.interval))
    print(terminal({"A fleet": figures}))


if __name__ == "__main__":
    main()
