"""Soak test: a month of the heaters' time with random faults, in minutes (``make soak``).

    python tests/stress/soak.py [--minutes 4] [--speed 10800] [--heaters 2] [--poll 300] [--seed 1]
                         [--transport awscrt|pure] [--mqtt MQTT3|MQTT5]

The cloud runs in another process, so the measurements are those of the client. Faults are injected
over HTTP and cleared one after another, with a calm period between them. A poll within one calm
period must get its response, and its watcher the status. Needs Linux (``/proc``). Exits with 1 if a
status was lost or memory, tasks, threads or descriptors grew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import gc
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, Mapping, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from soak_faults import CASES, Body

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkDevice, ReconnectConfig
from navien_nwp500._connection.http_session import tls_context
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.exceptions import NaviLinkError
from navien_nwp500.history.csv import BufferedCsvRecorder
from navien_nwp500.history.csv_format import COLUMNS
from navien_nwp500.protocol.commands import STATUS

#: Short, so that many faults fit into a month; the defaults are 15 s, and 2 to 120 s.
ANSWER_TIMEOUT = 1.0
RECONNECT = ReconnectConfig(max_retries=None, initial_delay=0.2, max_delay=1.0)
#: Seconds within which every watcher must get a status after a fault. The longest case is a broker
#: that lost a packet: 15 s until the SDK gives up, 10 s for a handshake, some attempts.
RECOVERY_LIMIT = 60.0


# The process of the cloud


class CloudProcess:
    """The process of the simulator, with its faults and counters over HTTP."""

    def __init__(self, process: asyncio.subprocess.Process, settings: Mapping[str, str]) -> None:
        self.process = process
        self.ca_file = Path(settings["NAVILINK_CA_FILE"])
        # Not from the environment, which might name the real cloud and a real account.
        self.config = NaviLinkConfig(
            email=settings["NAVILINK_EMAIL"],
            password=settings["NAVILINK_PASSWORD"],
            base_url=settings["NAVILINK_BASE_URL"],
            websocket_url=settings["NAVILINK_WEBSOCKET_URL"],
            ca_file=self.ca_file,
            answer_timeout=ANSWER_TIMEOUT,
            reconnect=RECONNECT,
            rest_timeout=5.0,
            command_interval=0.05,
        )
        self._root = f"https://{urlsplit(self.config.base_url).netloc}/simulator/"

    @contextlib.asynccontextmanager
    async def admin_api(self) -> AsyncIterator[Callable[..., Any]]:
        """Yield ``request(path, body)``: POST with a body, GET without."""
        connector = aiohttp.TCPConnector(ssl=tls_context(self.ca_file), force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def request(path: str, body: Body | None = None) -> Any:
                method = "GET" if body is None else "POST"
                async with session.request(method, self._root + path, json=body) as response:
                    found = await response.json()
                    if response.status != 200:
                        raise RuntimeError(f"{path} {body}: {found}")
                    return found

            yield request

    @property
    def cpu_seconds(self) -> float:
        """Return the processor time of the process, without that of a child process."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def running_cloud(folder: Path, speed: float, heaters: int) -> AsyncIterator[CloudProcess]:
    env_file, log = folder / "cloud.env", folder / "cloud.log"
    arguments = ("simulate", "--speed", f"{speed:g}", "--heaters", str(heaters))
    with open(log, "wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "navien_nwp500", *arguments, "--env-file", str(env_file)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "NAVILINK_LOG_LEVEL": "WARNING"},
        )
    try:
        while not env_file.exists():
            if process.returncode is not None:
                raise RuntimeError(f"the cloud did not start: {log.read_text('utf-8')}")
            await asyncio.sleep(0.05)
        lines = env_file.read_text("utf-8").splitlines()
        yield CloudProcess(process, dict(line.split("=", 1) for line in lines))
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()


# Results


@dataclass
class Results:
    """The counts of a run. ``calm`` is the number of the calm period, None during a fault."""

    calm: int | None = None
    calms: int = 0
    calm_seconds: float = 0.0
    expected: int = 0
    received: int = 0
    polls: int = 0
    unanswered: int = 0
    repeated: int = 0
    gaps: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    fault_seconds: float = 0.0
    windows: dict[str, float] = field(default_factory=dict)
    longest_recovery: float = 0.0
    commands: Counter[str] = field(default_factory=Counter)
    logged: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        self.problems.append(text)
        print(f"PROBLEM: {text}", file=sys.stderr, flush=True)


class Watcher:
    """A watcher of one heater that records each status and counts its polls."""

    def __init__(
        self, device: NaviLinkDevice, interval: float, path: Path, results: Results
    ) -> None:
        self.device = device
        self.path = path
        self.count = 0
        self._interval = interval
        self._results = results
        #: The calm period of a response whose status has not reached the watcher yet.
        self._expected_in: int | None = None
        self.task = asyncio.create_task(self._run(), name=f"soak watcher {path.stem}")

    async def _run(self) -> None:
        last, last_at, last_calm = None, time.monotonic(), None
        with BufferedCsvRecorder(self.path) as recorder:
            async for status in self.device.watch(self._interval):
                now = time.monotonic()
                self._results.repeated += status is last
                if last_calm is not None and last_calm == self._results.calm:
                    self._results.gaps.append(now - last_at)
                last, last_at, last_calm = status, now, self._results.calm
                recorder.write(status, datetime.now(timezone.utc))
                self.count += 1
                if self._expected_in is not None:
                    self._results.received += 1
                    self._expected_in = None

    def on_response(self, calm: int | None) -> None:
        """Count the response to a poll that was sent in this calm period."""
        if calm is None or calm != self._results.calm:
            self._expected_in = None
            return
        if self._expected_in is not None:
            self._results.problem(f"{self.path.stem}: a response did not reach the watcher")
        self._results.expected += 1
        self._expected_in = calm


def count_polls(client: NaviLinkClient, watchers: list[Watcher], results: Results) -> None:
    """Count the polls of the watchers by replacing the request method of the connection."""
    connection: Any = client._pool.first
    request = connection.request

    async def counted(address: Any, command: Any, body: Any = None) -> Any:
        watcher = next((one for one in watchers if one.task is asyncio.current_task()), None)
        if watcher is None or command is not STATUS:
            return await request(address, command, body)
        calm = results.calm
        results.polls += 1
        try:
            message = await request(address, command, body)
        except NaviLinkError as error:
            results.unanswered += 1
            if calm is not None and calm == results.calm:
                results.expected += 1
                results.problem(f"a poll in calm {calm} was lost: {error}")
            raise
        watcher.on_response(calm)
        return message

    connection.request = counted


class Resources(NamedTuple):
    """The client's resources at one time."""

    rss: int
    tasks: int
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> Resources:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE"),
            len(asyncio.all_tasks()),
            len(os.listdir("/proc/self/task")),
            len(os.listdir("/proc/self/fd")),
        )


# The run


class Soak:
    """One run, from the first status to the last."""

    def __init__(self, options: argparse.Namespace, cloud: CloudProcess, folder: Path) -> None:
        self.options = options
        self.cloud = cloud
        self.results = Results()
        self.samples: list[Resources] = []
        self.start = self.end = Resources(0, 0, 0, 0)
        self.counters: Mapping[str, Any] = {}
        self.reconnects = self.bad_messages = 0
        self.seconds = 0.0
        self.heater_days = 0
        self.remaining_tasks: list[str] = []
        self.watchers: list[Watcher] = []
        self._folder = folder
        self._random = random.Random(options.seed)
        self._now = ""

    async def run(self) -> None:
        async with self.cloud.admin_api() as self._admin:
            client = NaviLinkClient(self.cloud.config)
            try:
                await self._measure(client)
            finally:
                await client.close()
                await cancel_and_wait(*(watcher.task for watcher in self.watchers))
            self.counters = (await self._admin("state"))["counters"]
        self.remaining_tasks = sorted(
            task.get_name() for task in asyncio.all_tasks() if "navilink" in task.get_name()
        )
        if client._pool.first._requests.pending or client._pool.first._changed.waiting:
            self.results.problem("the closed connection still has futures")

    async def _measure(self, client: NaviLinkClient) -> None:
        devices = await client.get_devices()
        interval = self.options.poll / self.options.speed
        self.watchers += [
            Watcher(device, interval, self._folder / f"heater{number}.csv", self.results)
            for number, device in enumerate(devices, 1)
        ]
        count_polls(client, self.watchers, self.results)
        began = time.monotonic()
        await self._wait_for_statuses("at the start")
        self.start = Resources.now()
        helpers = [
            asyncio.create_task(self._command(devices), name="soak commands"),
            asyncio.create_task(self._sample(began), name="soak samples"),
            asyncio.create_task(self._report(devices[0], began), name="soak report"),
        ]
        try:
            await self._faults(began + self.options.minutes * 60)
        finally:
            await cancel_and_wait(*helpers)
            self.seconds = time.monotonic() - began
        await self._admin("faults", {"clear": True})
        await self._wait_for_statuses("at the end")
        self.end = Resources.now()
        self.samples.append(self.end)
        health = devices[0].health
        self.reconnects, self.bad_messages = health.reconnects, health.bad_messages
        self.heater_days = await self._calendar(devices[0])

    async def _faults(self, deadline: float) -> None:
        """Inject all faults in random order, again and again until the deadline."""
        while True:
            names = list(CASES)
            self._random.shuffle(names)
            for name in names:
                await self._calm(self._random.uniform(0.5, 2.0))
                if time.monotonic() >= deadline:
                    return
                began = time.monotonic()
                await self._inject(name)
                window = time.monotonic() - began
                self.results.fault_seconds += window
                self.results.windows[name] = max(window, self.results.windows.get(name, 0.0))

    async def _calm(self, seconds: float) -> None:
        results, began = self.results, time.monotonic()
        results.calms += 1
        results.calm, self._now = results.calms, "calm"
        await asyncio.sleep(seconds)
        results.calm = None
        results.calm_seconds += time.monotonic() - began
        for watcher in self.watchers:
            if watcher.task.done():
                raise RuntimeError(f"{watcher.path.stem} ended: {watcher.task.exception()!r}")

    async def _inject(self, name: str) -> None:
        case = CASES[name]
        self.results.faults[name] += 1
        self._now = name
        await self._admin("faults", case.body(self._random))
        await asyncio.sleep(self._random.uniform(*case.seconds))
        if case.found_by_client:
            await self._wait_for_statuses(f"under {name}")
        await self._admin("faults", {"clear": True})
        cleared = time.monotonic()
        await self._wait_for_statuses(f"after {name}")
        self.results.longest_recovery = max(
            self.results.longest_recovery, time.monotonic() - cleared
        )

    async def _wait_for_statuses(self, when: str) -> None:
        """Wait until every watcher has received a new status."""
        before = [watcher.count for watcher in self.watchers]
        deadline = time.monotonic() + RECOVERY_LIMIT
        for watcher, count in zip(self.watchers, before):
            while watcher.count == count:
                if watcher.task.done():
                    raise RuntimeError(f"{watcher.path.stem} ended: {watcher.task.exception()!r}")
                if time.monotonic() > deadline:
                    state = (await self._admin("state"))["connections"]
                    raise RuntimeError(
                        f"{watcher.path.stem}: no status for {RECOVERY_LIMIT:g} s {when}; "
                        f"{watcher.device.health}, the cloud has {state}"
                    )
                await asyncio.sleep(0.01)

    async def _command(self, devices: list[NaviLinkDevice]) -> None:
        """Send harmless commands; without a fault each must be confirmed."""
        rng = random.Random(self.options.seed + 1)
        while True:
            await asyncio.sleep(rng.uniform(0.5, 3.0))
            device, celsius = rng.choice(devices), rng.randrange(96, 105) / 2
            dry_run, calm = rng.random() < 0.2, self.results.calm
            try:
                status = await device.set_temperature(celsius=celsius, dry_run=dry_run)
            except NaviLinkError as error:
                self.results.commands[f"failed during a fault: {type(error).__name__}"] += 1
                if calm is not None and calm == self.results.calm:
                    self.results.problem(f"a command in calm {calm} failed: {error}")
            else:
                self.results.commands["dry runs" if dry_run else "confirmed"] += 1
                if not dry_run and status.dhw_temperature_setting != 2 * celsius:
                    self.results.problem(f"{celsius} was confirmed by {status}")

    async def _sample(self, began: float) -> None:
        for share in (0.1, 0.5):
            at = began + share * self.options.minutes * 60
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            self.samples.append(Resources.now())

    async def _report(self, device: NaviLinkDevice, began: float) -> None:
        while True:
            await asyncio.sleep(5)
            seconds = time.monotonic() - began
            print(
                f"{seconds:4.0f} s  day {seconds * self.options.speed / 86400:4.1f}"
                f"  statuses {sum(watcher.count for watcher in self.watchers):6d}"
                f"  faults {sum(self.results.faults.values()):3d}"
                f"  reconnects {device.health.reconnects:3d}"
                f"  {Resources.now().rss / 1e6:5.1f} MB  {self._now}",
                file=sys.stderr,
                flush=True,
            )

    async def _calendar(self, device: NaviLinkDevice) -> int:
        """Return the number of simulated days: the heater has used energy on each."""
        first = datetime.now().date() - timedelta(days=1)
        last = first
        for ahead in range(0, int(self.seconds * self.options.speed / 86400) + 40, 28):
            month = first + timedelta(days=ahead)
            history = await device.get_energy_daily(month.year, month.month)
            last = max([last, *(day.date for day in history.usage if day.total_wh)])
        return (last - first).days


class _Errors(logging.Handler):
    """A handler that counts errors; warnings of lost connections are expected here."""

    def __init__(self, results: Results) -> None:
        super().__init__(logging.ERROR)
        self._results = results

    def emit(self, record: logging.LogRecord) -> None:
        self._results.logged[record.getMessage()[:200]] += 1


#: Bytes that the client's memory may grow from the middle to the end of the run.
GROWTH_BYTES = 6 << 20
#: How many more tasks, threads and file descriptors there may be at the end than at the start.
GROWTH = {"asyncio tasks": 0, "threads": 0, "descriptors": 2}


def check(run: Soak) -> None:
    """Note as problems what was lost and what grew."""
    results = run.results
    if results.expected != results.received:
        results.problem(
            f"{results.expected - results.received} statuses were lost while no fault was active"
        )
    if results.repeated:
        results.problem(f"{results.repeated} statuses were delivered twice")
    growth = run.end.rss - run.samples[1].rss
    if growth > GROWTH_BYTES:
        results.problem(f"memory grew by {growth / 1e6:.1f} MB from the middle to the end")
    for (name, bound), before, after in zip(GROWTH.items(), run.start[1:], run.end[1:]):
        if after > before + bound:
            results.problem(f"{name}: {before} at the start, {after} at the end")
    if run.remaining_tasks:
        results.problem(f"tasks left after close: {', '.join(run.remaining_tasks)}")
    covered = run.seconds * run.options.speed / 86400
    if not covered - 1.5 <= run.heater_days <= covered + 2.5:
        results.problem(f"the heater recorded {run.heater_days} of {covered:.1f} days")
    for text, times in results.logged.items():
        results.problem(f"logged {times} times: {text}")


def count_lines(path: Path) -> tuple[int, int]:
    """Return the number of lines after the header, and how many are complete."""
    text = path.read_text("utf-8")
    found = list(csv.reader(text.splitlines()))[1:]
    whole = sum(len(cells) == len(COLUMNS) for cells in found)
    return len(found), whole - (not text.endswith("\n"))


def table(run: Soak) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each line of the table."""
    results, counters = run.results, run.counters
    counts = [count_lines(watcher.path) for watcher in run.watchers]
    written, whole = (sum(column) for column in zip(*counts))
    statuses = sum(watcher.count for watcher in run.watchers)
    if not written == whole == statuses:
        results.problem(f"CSV: {statuses} statuses, {written} lines, {whole} of them complete")
    days = run.seconds * run.options.speed / 86400
    memory = ", ".join(f"{sample.rss / 1e6:.1f}" for sample in run.samples)
    yield "heater's time", f"{days:.1f} days in {run.seconds:.0f} s, speed {run.options.speed:g}"
    yield "heaters", f"{len(run.watchers)}, polled every {run.options.poll:g} s of their time"
    yield "heater's calendar", f"{run.heater_days} days with energy use"
    yield "seed", str(run.options.seed)
    yield "transport", f"{run.options.transport}, {run.options.mqtt}"
    reconnect = run.cloud.config.reconnect
    delays = f"{reconnect.initial_delay:g} to {reconnect.max_delay:g} s, without end"
    yield "timeout, reconnect", f"{run.cloud.config.answer_timeout:g} s; {delays}"
    yield "faults", f"{sum(results.faults.values())} of {len(results.faults)} kinds"
    for kind, times in sorted(results.faults.items()):
        yield f"  {kind}", f"{times}, at most {results.windows[kind]:.1f} s until the next status"
    yield "time with faults", f"{results.fault_seconds:.0f} s, without {results.calm_seconds:.0f} s"
    yield "status after a fault", f"after {results.longest_recovery:.2f} s at most"
    yield "polls", f"{results.polls}, of them {results.unanswered} without response, all during faults"
    yield "statuses without fault", f"{results.expected} expected, {results.received} received"
    yield "statuses delivered", f"{statuses} (responses and pushes), {results.repeated} twice"
    yield "longest gap without fault", f"{max(results.gaps, default=0.0):.2f} s"
    yield "commands", ", ".join(f"{times} {name}" for name, times in results.commands.most_common())
    yield "reconnects", f"{run.reconnects}, bad messages {run.bad_messages}"
    yield "handshakes", f"{counters['handshakes']}, rejected {counters['refused_handshakes']}"
    yield "passwords sent", str(counters["passwords"])
    yield "memory (RSS, MB)", f"{memory} at 10 %, 50 %, 100 %"
    for name, before, after in zip(GROWTH, run.start[1:], run.end[1:]):
        yield name, f"{before} at the start, {after} at the end"
    yield "tasks after close", str(len(run.remaining_tasks))
    yield "CSV lines", f"{written}, {whole} complete"


async def main(options: argparse.Namespace) -> int:
    executor = ThreadPoolExecutor()
    asyncio.get_running_loop().set_default_executor(executor)
    # Start all its threads now, so that they do not count as growth.
    size = executor._max_workers
    barrier = threading.Barrier(size)
    await asyncio.gather(
        *(asyncio.get_running_loop().run_in_executor(None, barrier.wait) for _ in range(size))
    )
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        async with running_cloud(folder, options.speed, options.heaters) as cloud:
            settings = {"transport": options.transport, "mqtt_protocol": options.mqtt}
            cloud.config = replace(cloud.config, **settings)
            soak = Soak(options, cloud, folder)
            for logger in ("navien_nwp500", "asyncio"):
                logging.getLogger(logger).addHandler(_Errors(soak.results))
            logging.getLogger("navien_nwp500").propagate = False
            try:
                await asyncio.wait_for(soak.run(), options.minutes * 60 + 3 * RECOVERY_LIMIT)
            except (RuntimeError, NaviLinkError, asyncio.TimeoutError) as error:
                print(f"soak: {type(error).__name__}: {error}", file=sys.stderr)
                return 1
            used = cloud.cpu_seconds
        check(soak)
        for name, text in [*table(soak), ("processor of the cloud", f"{used / soak.seconds:.0%}")]:
            print(f"{name:<26}{text}")
    for text in soak.results.problems:
        print(f"PROBLEM: {text}")
    print("lost or grown: " + ("yes" if soak.results.problems else "nothing"))
    return 1 if soak.results.problems else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--speed", type=float, default=10_800.0)
    parser.add_argument("--heaters", type=int, default=2)
    parser.add_argument("--poll", type=float, default=300.0, help="seconds of the heater's time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=("awscrt", "pure"), default="awscrt")
    parser.add_argument("--mqtt", choices=("MQTT3", "MQTT5"), default="MQTT3")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
