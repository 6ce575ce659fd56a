"""A month of the heaters' time with faults at random, in a few minutes of ours (``make soak``).

    python tests/stress/soak.py [--minutes 4] [--speed 10800] [--heaters 2] [--poll 300] [--seed 1]
                         [--transport awscrt|pure] [--mqtt MQTT3|MQTT5]

The cloud is a process of its own, so what is measured is the client's alone. Faults come from
outside, one after another: set, healed, and then calm until the next. A poll that is sent and would
be answered within one calm must be answered and reach its watcher; everything else is the gap of
its fault. Needs Linux (``/proc``). Exits with 1 when something was lost or grew.
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

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkDevice, ReconnectConfig
from navien_nwp500._connection.rest_client import tls_context
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.exceptions import NaviLinkError
from navien_nwp500.history.csv import COLUMNS, BufferedCsvRecorder
from navien_nwp500.protocol.commands import STATUS

#: Short, so that a month has room for many faults; the defaults are 15 s, and 2 to 120 s.
ANSWER_TIMEOUT = 1.0
RECONNECT = ReconnectConfig(max_retries=None, initial_delay=0.2, max_delay=1.0)
#: After healing every watcher must have been served within so many seconds. The longest way is a
#: broker that swallowed a packet: 15 s for the SDK to give up, 10 s for a handshake, some tries.
BACK = 60.0
#: What may be more at the end than at the start: bytes of memory from the middle to the end,
#: asyncio tasks, threads, descriptors.
GROWTH_BYTES = 6 << 20
GROWTH = {"asyncio tasks": 0, "threads": 0, "descriptors": 2}

Body = Mapping[str, Any]


class Kind(NamedTuple):
    """A kind of fault: what is posted, for how many seconds, and whether the client must be heard
    again before it is healed."""

    body: Callable[[random.Random], Body]
    seconds: tuple[float, float] = (0.5, 2.5)
    found_by_client: bool = False


def _rest(**fault: Any) -> Kind:
    """New keys are needed and REST is at fault."""
    return Kind(
        lambda _: {"rest": {"*": fault}, "revoke_credentials": True, "cut_connections": True}
    )


def _revoked(**what: bool) -> Kind:
    return Kind(lambda _: {"revoke_credentials": what, "cut_connections": True}, (0, 0))


def _message(name: str, **parameters: Any) -> Kind:
    return Kind(lambda _: {name: {"kind": "responses", **parameters}})


_GARBAGE = (
    *("empty", "text", "not utf-8", "cut", "list", "null", "nan", "deep", "deep object"),
    *("300 KB", "short frame"),
)
_BAD_FIELDS = {"dhwTemperature": "warm", "errorCode": 10**30, "tankUpperTemperature": None}
KINDS: Mapping[str, Kind] = {
    "cut": Kind(lambda _: {"cut_connections": True}, (0, 0)),
    "network away": Kind(
        lambda _: {"refuse_requests": {"where": "all"}, "cut_connections": True}, (1, 5)
    ),
    "half-open, healed": Kind(lambda _: {"half_open": {"new": True}}, (1, 5)),
    "half-open, left so": Kind(lambda _: {"half_open": True}, (0.3, 0.3), True),
    "half-open, then cut": Kind(lambda _: {"half_open": True, "cut_connections": True}),
    "deaf": Kind(lambda _: {"drop_messages": True}, (1, 6)),
    "subscriptions lost": Kind(lambda _: {"drop_subscriptions": True}, (0.3, 0.3), True),
    "handshakes 403": Kind(
        lambda _: {"refuse_requests": {"where": "mqtt", "status": 403}, "cut_connections": True},
        (1, 4),
    ),
    "handshakes 503": Kind(
        lambda _: {"refuse_requests": {"where": "mqtt", "status": 503}, "cut_connections": True},
        (1, 4),
    ),
    "handshakes unanswered": Kind(
        lambda _: {
            "refuse_requests": {"where": "mqtt", "unanswered": True},
            "cut_connections": True,
        },
        (1, 4),
    ),
    "keys revoked": _revoked(aws_keys=True),
    "tokens revoked": _revoked(aws_keys=True, access_tokens=True),
    "all revoked": _revoked(aws_keys=True, access_tokens=True, refresh_tokens=True),
    "short lives": Kind(
        lambda _: {"short_lifetimes": {"aws_keys": 0, "access_tokens": 0}, "cut_connections": True}
    ),
    "REST 502": _rest(status=502, body="<html>", headers={"Content-Type": "text/html"}),
    "REST 429": _rest(status=429, headers={"Retry-After": "1"}),
    "REST 200, error inside": _rest(status=200, body={"code": 500, "msg": "DB", "data": None}),
    "REST cut": _rest(cut=20),
    "REST reset": _rest(reset=True),
    "REST slow": _rest(delay=0.5, trickle=0.5),
    "wrong clock": Kind(lambda _: {"wrong_clock": True, "cut_connections": True}, (1, 3)),
    "garbage": Kind(lambda rng: {"inject_message": {"garbage": rng.choice(_GARBAGE)}}, (0, 0.3)),
    "bad fields": _message("change_fields", values=_BAD_FIELDS, missing=["operationMode"]),
    "late answers": _message("delay_messages", seconds=1.5),
    "doubled answers": _message("duplicate_messages"),
    "foreign answers": _message("foreign_messages"),
    "foreign, true one lost": _message("foreign_messages", replace=True),
    "swapped answers": _message("reorder_messages", times=20),
    "SUBACK lost": Kind(
        lambda _: {"lose_replies": {"packet": "suback"}, "cut_connections": True}, (0.3, 0.3), True
    ),
    "topic forbidden": Kind(
        lambda _: {
            "forbid_topics": {"topic": "cmd/52/+/+/+/res/#", "times": 1},
            "cut_connections": True,
        },
        (0, 0),
    ),
    "rival": Kind(lambda _: {"rival_client": True}),
    "heaters offline": Kind(lambda _: {"heater_offline": True}, (1, 6)),
    "one heater offline": Kind(lambda _: {"heater_offline": {"heater": "0123456789ab"}}, (1, 6)),
}


# The cloud, in a process of its own


class Cloud:
    """The simulator's process, and its faults and counters from outside."""

    def __init__(self, process: asyncio.subprocess.Process, settings: Mapping[str, str]) -> None:
        self.process = process
        self.ca_file = Path(settings["NAVILINK_CA_FILE"])
        # Not from the environment: it might name the true cloud and a true account.
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
    async def control(self) -> AsyncIterator[Callable[..., Any]]:
        """Give ``ask(word, body)``: POST with a body, GET without."""
        connector = aiohttp.TCPConnector(ssl=tls_context(self.ca_file), force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask(word: str, body: Body | None = None) -> Any:
                method = "GET" if body is None else "POST"
                async with session.request(method, self._root + word, json=body) as response:
                    found = await response.json()
                    if response.status != 200:
                        raise RuntimeError(f"{word} {body}: {found}")
                    return found

            yield ask

    @property
    def cpu_seconds(self) -> float:
        """What its process has used of a processor, the broker's own process left out."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def running_cloud(folder: Path, speed: float, heaters: int) -> AsyncIterator[Cloud]:
    env_file, log = folder / "cloud.env", folder / "cloud.log"
    words = ("simulate", "--speed", f"{speed:g}", "--heaters", str(heaters))
    with open(log, "wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "navien_nwp500", *words, "--env-file", str(env_file)),
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
        yield Cloud(process, dict(line.split("=", 1) for line in lines))
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()


# What is counted


@dataclass
class Book:
    """Everything that is counted in the run. ``calm`` is its number, None during a fault."""

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
    longest_back: float = 0.0
    commands: Counter[str] = field(default_factory=Counter)
    logged: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        self.problems.append(text)
        print(f"PROBLEM: {text}", file=sys.stderr, flush=True)


class Watcher:
    """Watches one heater, writes each status down, and keeps account of its polls."""

    def __init__(self, device: NaviLinkDevice, interval: float, path: Path, book: Book) -> None:
        self.device = device
        self.path = path
        self.count = 0
        self._interval = interval
        self._book = book
        #: The calm in which a poll was answered whose status was not handed over yet.
        self._owed: int | None = None
        self.task = asyncio.create_task(self._run(), name=f"soak watcher {path.stem}")

    async def _run(self) -> None:
        last, last_at, last_calm = None, time.monotonic(), None
        with BufferedCsvRecorder(self.path) as recorder:
            async for status in self.device.watch(self._interval):
                now = time.monotonic()
                self._book.repeated += status is last
                if last_calm is not None and last_calm == self._book.calm:
                    self._book.gaps.append(now - last_at)
                last, last_at, last_calm = status, now, self._book.calm
                recorder.write(status, datetime.now(timezone.utc))
                self.count += 1
                if self._owed is not None:
                    self._book.received += 1
                    self._owed = None

    def answered(self, calm: int | None) -> None:
        """Note the answer to one of its polls, sent in this calm."""
        if calm is None or calm != self._book.calm:
            self._owed = None
            return
        if self._owed is not None:
            self._book.problem(f"{self.path.stem}: a status was answered and not handed over")
        self._book.expected += 1
        self._owed = calm


def count_polls(client: NaviLinkClient, watchers: list[Watcher], book: Book) -> None:
    """Stand between the watchers and the session, and count what their polls become."""
    session: Any = client._pool.first
    request = session.request

    async def counted(address: Any, command: Any, body: Any = None) -> Any:
        asking = next((one for one in watchers if one.task is asyncio.current_task()), None)
        if asking is None or command is not STATUS:
            return await request(address, command, body)
        calm = book.calm
        book.polls += 1
        try:
            message = await request(address, command, body)
        except NaviLinkError as error:
            book.unanswered += 1
            if calm is not None and calm == book.calm:
                book.expected += 1
                book.problem(f"a poll in calm {calm} was lost: {error}")
            raise
        asking.answered(calm)
        return message

    session.request = counted


class Measured(NamedTuple):
    """What the client holds at one moment."""

    rss: int
    tasks: int
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> Measured:
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

    def __init__(self, asked: argparse.Namespace, cloud: Cloud, folder: Path) -> None:
        self.asked = asked
        self.cloud = cloud
        self.book = Book()
        self.samples: list[Measured] = []
        self.start = self.end = Measured(0, 0, 0, 0)
        self.counters: Mapping[str, Any] = {}
        self.reconnects = self.bad_messages = 0
        self.seconds = 0.0
        self.heater_days = 0
        self.left: list[str] = []
        self.watchers: list[Watcher] = []
        self._folder = folder
        self._random = random.Random(asked.seed)
        self._now = ""

    async def run(self) -> None:
        async with self.cloud.control() as self._ask:
            client = NaviLinkClient(self.cloud.config)
            try:
                await self._live(client)
            finally:
                await client.close()
                await cancel_and_wait(*(watcher.task for watcher in self.watchers))
            self.counters = (await self._ask("state"))["counters"]
        self.left = sorted(
            task.get_name() for task in asyncio.all_tasks() if "navilink" in task.get_name()
        )
        if client._pool.first._requests.pending or client._pool.first._changed.waiting:
            self.book.problem("the closed session keeps futures")

    async def _live(self, client: NaviLinkClient) -> None:
        devices = await client.get_devices()
        interval = self.asked.poll / self.asked.speed
        self.watchers += [
            Watcher(device, interval, self._folder / f"heater{number}.csv", self.book)
            for number, device in enumerate(devices, 1)
        ]
        count_polls(client, self.watchers, self.book)
        began = time.monotonic()
        await self._served("at the start")
        self.start = Measured.now()
        helpers = [
            asyncio.create_task(self._command(devices), name="soak commands"),
            asyncio.create_task(self._sample(began), name="soak samples"),
            asyncio.create_task(self._report(devices[0], began), name="soak report"),
        ]
        try:
            await self._faults(began + self.asked.minutes * 60)
        finally:
            await cancel_and_wait(*helpers)
            self.seconds = time.monotonic() - began
        await self._ask("faults", {"clear": True})
        await self._served("at the end")
        self.end = Measured.now()
        self.samples.append(self.end)
        health = devices[0].health
        self.reconnects, self.bad_messages = health.reconnects, health.bad_messages
        self.heater_days = await self._calendar(devices[0])

    async def _faults(self, deadline: float) -> None:
        """Until the time is up: every kind in a random order, then again in another."""
        while True:
            names = list(KINDS)
            self._random.shuffle(names)
            for name in names:
                await self._calm(self._random.uniform(0.5, 2.0))
                if time.monotonic() >= deadline:
                    return
                began = time.monotonic()
                await self._episode(name)
                window = time.monotonic() - began
                self.book.fault_seconds += window
                self.book.windows[name] = max(window, self.book.windows.get(name, 0.0))

    async def _calm(self, seconds: float) -> None:
        book, began = self.book, time.monotonic()
        book.calms += 1
        book.calm, self._now = book.calms, "calm"
        await asyncio.sleep(seconds)
        book.calm = None
        book.calm_seconds += time.monotonic() - began
        for watcher in self.watchers:
            if watcher.task.done():
                raise RuntimeError(f"{watcher.path.stem} ended: {watcher.task.exception()!r}")

    async def _episode(self, name: str) -> None:
        kind = KINDS[name]
        self.book.faults[name] += 1
        self._now = name
        await self._ask("faults", kind.body(self._random))
        await asyncio.sleep(self._random.uniform(*kind.seconds))
        if kind.found_by_client:
            await self._served(f"under {name}")
        await self._ask("faults", {"clear": True})
        healed = time.monotonic()
        await self._served(f"after {name}")
        self.book.longest_back = max(self.book.longest_back, time.monotonic() - healed)

    async def _served(self, when: str) -> None:
        """Wait until every watcher has had a new status."""
        before = [watcher.count for watcher in self.watchers]
        deadline = time.monotonic() + BACK
        for watcher, count in zip(self.watchers, before):
            while watcher.count == count:
                if watcher.task.done():
                    raise RuntimeError(f"{watcher.path.stem} ended: {watcher.task.exception()!r}")
                if time.monotonic() > deadline:
                    state = (await self._ask("state"))["connections"]
                    raise RuntimeError(
                        f"{watcher.path.stem}: nothing for {BACK:g} s {when}; "
                        f"{watcher.device.health}, the cloud sees {state}"
                    )
                await asyncio.sleep(0.01)

    async def _command(self, devices: list[NaviLinkDevice]) -> None:
        """Say something harmless now and then; in calm it must be confirmed."""
        choose = random.Random(self.asked.seed + 1)
        while True:
            await asyncio.sleep(choose.uniform(0.5, 3.0))
            device, celsius = choose.choice(devices), choose.randrange(96, 105) / 2
            dry_run, calm = choose.random() < 0.2, self.book.calm
            try:
                status = await device.set_temperature(celsius=celsius, dry_run=dry_run)
            except NaviLinkError as error:
                self.book.commands[f"failed in a fault: {type(error).__name__}"] += 1
                if calm is not None and calm == self.book.calm:
                    self.book.problem(f"a command in calm {calm} failed: {error}")
            else:
                self.book.commands["dry runs" if dry_run else "confirmed"] += 1
                if not dry_run and status.dhw_temperature_setting != 2 * celsius:
                    self.book.problem(f"{celsius} was confirmed by {status}")

    async def _sample(self, began: float) -> None:
        for share in (0.1, 0.5):
            at = began + share * self.asked.minutes * 60
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            self.samples.append(Measured.now())

    async def _report(self, device: NaviLinkDevice, began: float) -> None:
        while True:
            await asyncio.sleep(5)
            seconds = time.monotonic() - began
            print(
                f"{seconds:4.0f} s  day {seconds * self.asked.speed / 86400:4.1f}"
                f"  statuses {sum(watcher.count for watcher in self.watchers):6d}"
                f"  faults {sum(self.book.faults.values()):3d}"
                f"  reconnects {device.health.reconnects:3d}"
                f"  {Measured.now().rss / 1e6:5.1f} MB  {self._now}",
                file=sys.stderr,
                flush=True,
            )

    async def _calendar(self, device: NaviLinkDevice) -> int:
        """How many days the heater has lived by its own account: it has used power on each."""
        first = datetime.now().date() - timedelta(days=1)
        last = first
        for ahead in range(0, int(self.seconds * self.asked.speed / 86400) + 40, 28):
            month = first + timedelta(days=ahead)
            history = await device.get_energy_daily(month.year, month.month)
            last = max([last, *(day.date for day in history.usage if day.total_wh)])
        return (last - first).days


# The end


def check(soak: Soak) -> None:
    """Say what was lost and what grew."""
    book = soak.book
    if book.expected != book.received:
        book.problem(f"{book.expected - book.received} statuses were lost outside the gaps")
    if book.repeated:
        book.problem(f"{book.repeated} statuses were delivered twice")
    growth = soak.end.rss - soak.samples[1].rss
    if growth > GROWTH_BYTES:
        book.problem(f"memory grew by {growth / 1e6:.1f} MB from the middle to the end")
    for (name, bound), before, after in zip(GROWTH.items(), soak.start[1:], soak.end[1:]):
        if after > before + bound:
            book.problem(f"{name}: {before} at the start, {after} at the end")
    if soak.left:
        book.problem(f"tasks left after close: {', '.join(soak.left)}")
    covered = soak.seconds * soak.asked.speed / 86400
    if not covered - 1.5 <= soak.heater_days <= covered + 2.5:
        book.problem(f"the heater lived {soak.heater_days} days of {covered:.1f}")
    for text, times in book.logged.items():
        book.problem(f"logged {times} times: {text}")


def lines_of(path: Path) -> tuple[int, int]:
    """How many lines follow the header, and how many of them are whole."""
    text = path.read_text("utf-8")
    found = list(csv.reader(text.splitlines()))[1:]
    whole = sum(len(cells) == len(COLUMNS) for cells in found)
    return len(found), whole - (not text.endswith("\n"))


def table(soak: Soak) -> Iterator[tuple[str, str]]:
    book, counters = soak.book, soak.counters
    ways = [lines_of(watcher.path) for watcher in soak.watchers]
    written, whole = (sum(column) for column in zip(*ways))
    statuses = sum(watcher.count for watcher in soak.watchers)
    if not written == whole == statuses:
        book.problem(f"CSV: {statuses} statuses, {written} lines, {whole} of them whole")
    days = soak.seconds * soak.asked.speed / 86400
    memory = ", ".join(f"{sample.rss / 1e6:.1f}" for sample in soak.samples)
    yield "heater's time", f"{days:.1f} days in {soak.seconds:.0f} s, speed {soak.asked.speed:g}"
    yield "heaters", f"{len(soak.watchers)}, polled every {soak.asked.poll:g} s of their time"
    yield "heater's own calendar", f"{soak.heater_days} days with use of power"
    yield "seed", str(soak.asked.seed)
    yield "way", f"{soak.asked.transport}, {soak.asked.mqtt}"
    delays = f"{RECONNECT.initial_delay:g} to {RECONNECT.max_delay:g} s, for ever"
    yield "answer time, reconnect", f"{ANSWER_TIMEOUT:g} s; {delays}"
    yield "faults", f"{sum(book.faults.values())} of {len(book.faults)} kinds"
    for kind, times in sorted(book.faults.items()):
        how_long = f"{book.windows[kind]:.1f} s at most until served again"
        yield f"  {kind}", f"{times}, {how_long}"
    yield "in faults and healing", f"{book.fault_seconds:.0f} s, calm {book.calm_seconds:.0f} s"
    yield "served after healing", f"at the latest after {book.longest_back:.2f} s"
    yield "polls", f"{book.polls}, of them {book.unanswered} unanswered, all in faults"
    yield "statuses in calm", f"{book.expected} expected, {book.received} received"
    yield "statuses delivered", f"{statuses} (answers and pushes), {book.repeated} twice"
    yield "longest gap in calm", f"{max(book.gaps, default=0.0):.2f} s"
    yield "commands", ", ".join(f"{times} {name}" for name, times in book.commands.most_common())
    yield "reconnects", f"{soak.reconnects}, bad messages {soak.bad_messages}"
    yield "handshakes", f"{counters['handshakes']}, refused {counters['refused_handshakes']}"
    yield "passwords sent", str(counters["passwords"])
    yield "memory (RSS, MB)", f"{memory} at 10 %, 50 %, 100 %"
    for name, before, after in zip(GROWTH, soak.start[1:], soak.end[1:]):
        yield name, f"{before} at the start, {after} at the end"
    yield "tasks after close", str(len(soak.left))
    yield "CSV lines", f"{written}, {whole} whole"


class _Errors(logging.Handler):
    """Errors of the client are problems; its warnings of lost connections are expected here."""

    def __init__(self, book: Book) -> None:
        super().__init__(logging.ERROR)
        self._book = book

    def emit(self, record: logging.LogRecord) -> None:
        self._book.logged[record.getMessage()[:200]] += 1


async def main(asked: argparse.Namespace) -> int:
    fill = ThreadPoolExecutor()
    asyncio.get_running_loop().set_default_executor(fill)
    # All its threads at once, so that what grows later is not this pool.
    room = fill._max_workers
    barrier = threading.Barrier(room)
    await asyncio.gather(
        *(asyncio.get_running_loop().run_in_executor(None, barrier.wait) for _ in range(room))
    )
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        async with running_cloud(folder, asked.speed, asked.heaters) as cloud:
            way = {"transport": asked.transport, "mqtt_protocol": asked.mqtt}
            cloud.config = replace(cloud.config, **way)
            soak = Soak(asked, cloud, folder)
            for logger in ("navien_nwp500", "asyncio"):
                logging.getLogger(logger).addHandler(_Errors(soak.book))
            logging.getLogger("navien_nwp500").propagate = False
            try:
                await asyncio.wait_for(soak.run(), asked.minutes * 60 + 3 * BACK)
            except (RuntimeError, NaviLinkError, asyncio.TimeoutError) as error:
                print(f"soak: {type(error).__name__}: {error}", file=sys.stderr)
                return 1
            used = cloud.cpu_seconds
        check(soak)
        for name, text in [*table(soak), ("cloud's processor", f"{used / soak.seconds:.0%}")]:
            print(f"{name:<26}{text}")
    for text in soak.book.problems:
        print(f"PROBLEM: {text}")
    print("grown or lost: " + ("yes" if soak.book.problems else "nothing"))
    return 1 if soak.book.problems else 0


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
