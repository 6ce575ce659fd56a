"""A simulated cloud, a PostgreSQL server and the processes of a fleet, with what they have written.

The heaters answer after two to four seconds, as real ones do. A trigger of the database notes which
session has written each status, and when.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Callable, Mapping, NoReturn, Sequence

from dotenv import dotenv_values

from navien_nwp500._util.files import write_atomically
from navien_nwp500.apps.fleet.accounts_file import FleetAccount
from navien_nwp500.history.database import Database
from navien_nwp500.simulator.simulator import email_of

from .turns import progress

ROOT = Path(__file__).parents[1]
#: Sign-ins a second of one process; two cores carry no more beside the cloud and the polls.
SIGN_INS = 40
#: Seconds between two lines of progress.
_SAY_SECONDS = 15.0
TRIGGER = """
CREATE TABLE written (number BIGSERIAL, heater_id INTEGER, session INTEGER,
                      at DOUBLE PRECISION DEFAULT extract(epoch FROM clock_timestamp()));
CREATE INDEX ON written (at);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
  INSERT INTO written (heater_id, session) VALUES (NEW.heater_id, pg_backend_pid()); RETURN NEW; END';
CREATE TRIGGER note AFTER INSERT ON status FOR EACH ROW EXECUTE FUNCTION note();
"""
#: Sessions that hold slots, and how many.
_HOLDERS = """
SELECT pid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 GROUP BY pid
"""
_SLOTS = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"


class TrialError(Exception):
    """The trial cannot go on."""


class Trial:
    """A cloud, a database and the processes of a fleet; ``logs`` is the folder of their logs."""

    def __init__(self, stack: ExitStack, accounts: int, interval: float, logs: Path) -> None:
        _check_open_files(accounts)
        self._stack, self._logs = stack, logs
        self.accounts, self.interval = accounts, interval
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = itertools.count(1)
        self.server = stack.enter_context(_postgres())
        self.url = self.server.new_database()
        with Database(self.url):
            pass
        self.query(TRIGGER)
        self._file = logs / "fleet.json"
        self._variables = self._start_cloud()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg

        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def name_accounts(self, count: int) -> None:
        """Write so many accounts into the file that the processes read."""
        names = map(email_of, range(count))
        entries = [{"email": name, "password_env": "FLEET_PASSWORD"} for name in names]
        write_atomically(self._file, json.dumps({"accounts": entries}).encode())

    def start(self, slots: int) -> Recorder:
        """Start one more process of the fleet."""
        with_password = {"FLEET_PASSWORD": self._variables["NAVILINK_PASSWORD"]}
        port = _free_port()
        words = ["record", "--accounts", str(self._file), "--database", self.url]
        words += ["--slots", str(slots), "--interval", str(self.interval)]
        words += ["--sign-ins", str(SIGN_INS), "--listen", f"127.0.0.1:{port}"]
        name = f"record-{next(self._numbers)}"
        process = self._start(name, words, {**os.environ, **self._variables, **with_password})
        return Recorder(process, port)

    def forget(self, recorder: Recorder) -> None:
        """Let a process end without ending the trial."""
        self._processes = {
            name: one for name, one in self._processes.items() if one is not recorder.process
        }

    def wait_for(
        self, condition: Callable[[], object], seconds: float, found: Callable[[], str] = str
    ) -> float:
        """Wait until a condition is true, and return the seconds that took.

        ``found`` says now and then how far it is. Raises TrialError after ``seconds``, or when a
        process has ended.
        """
        began = said = time.monotonic()
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    self._fail(name, f"has ended with {process.returncode}")
            now = time.monotonic()
            if now > began + seconds:
                raise TrialError(f"not reached within {seconds:g} s: {found()}")
            if now > said + _SAY_SECONDS:
                said = now
                progress(f"  {now - began:4.0f} s: {found()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def heard(self, since: float = 0.0) -> int:
        """Return the number of heaters that were recorded since a time."""
        sql = f"SELECT count(DISTINCT heater_id) FROM written WHERE at > {since}"
        return int(self.query(sql)[0][0])

    def wait_for_all(self, count: int, since: float, seconds: float) -> float:
        """Wait until so many heaters were recorded since a time; return the seconds that took."""

        def done() -> bool:
            time.sleep(1)  # counting takes the database's time
            return self.heard(since) >= count

        return self.wait_for(
            done, seconds, lambda: f"{self.heard(since):,} of {count:,} heaters recorded"
        )

    def rows(self) -> int:
        """Return the number of statuses that were written."""
        return int(self.query("SELECT count(*) FROM written")[0][0])

    def holders(self) -> dict[int, int]:
        """Return the number of slots of each session that holds any."""
        return dict(self.query(_HOLDERS))

    def accounts_held(self) -> int:
        """Return the number of accounts whose slots are held."""
        slots = {slot for slot, in self.query(_SLOTS)}
        names = map(email_of, range(self.accounts))
        return sum(FleetAccount(name).slot in slots for name in names)

    def silence(self, since: float) -> float:
        """Return the longest time between two rows of a heater, from a time until now."""
        rows = self.query(
            "SELECT max(at - before) FROM (SELECT at, lag(at) OVER (PARTITION BY heater_id ORDER BY"
            f" number) AS before FROM written) AS gaps WHERE at > {since}"
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

    def cloud_seconds(self) -> float:
        """Return the seconds of a processor that the cloud has used."""
        return cpu_seconds(self._processes["cloud"].pid)

    def database_seconds(self) -> float:
        """Return the seconds of a processor that PostgreSQL has used, with its sessions."""
        pid = self.server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return cpu_seconds(pid) + sum(cpu_seconds(int(child)) for child in children)

    def _start_cloud(self) -> dict[str, str]:
        file = self._logs / "cloud.env"
        words = ["simulate", "--speed", "1", "--accounts", str(self.accounts)]
        self._start("cloud", words + ["--env-file", str(file)], os.environ)
        self.wait_for(file.exists, 600, lambda: "the cloud connects its heaters")
        return {name: value or "" for name, value in dotenv_values(file).items()}

    def _start(
        self, name: str, words: Sequence[str], env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context(open(self._logs / f"{name}.log", "wb"))
        command = [sys.executable, "-m", "navien_nwp500", *words]
        # In a session of its own: Ctrl-C is for the trial, which ends its processes in order.
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**env, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self._stack.callback(_end, process)
        self._processes[name] = process
        return process

    def _fail(self, name: str, what: str) -> NoReturn:
        lines = (self._logs / f"{name}.log").read_text("utf-8", "replace").splitlines()
        raise TrialError("\n".join([f"{name} {what}", *lines[-5:]]))


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
    def held(self) -> int:
        """Return the number of slots that the process holds."""
        return int(self.metrics().get("navien_slots_held", 0))

    @property
    def missed(self) -> float:
        """Return the number of polls without an answer."""
        return self.metrics()["navien_fleet_polls_missed_total"]

    @property
    def cpu_seconds(self) -> float:
        """Return the seconds of a processor that it has used."""
        return cpu_seconds(self.process.pid)

    @property
    def megabytes(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the seconds of a processor that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _check_open_files(accounts: int) -> None:
    """Check that the cloud may have the connections of each heater and client, and of its gateway."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 6 * accounts:
        raise TrialError(
            f"the cloud opens {6 * accounts:,} files; {most:,} are allowed (ulimit -Hn)"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        raise TrialError("the server of PostgreSQL is not installed: apt-get install postgresql")
    return running_server(initdb)
