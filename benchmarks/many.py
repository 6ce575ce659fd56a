"""Many heaters in one process: what each costs, and whether a status is lost.

The cloud runs in a process of its own, and each of the two measurements in another: memory that
earlier work has left free in a process would be taken again, and not count. Heaters of one account
share its connections, accounts have one each. Run as a module it is one measurement.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import AsyncIterator

from dotenv import dotenv_values

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkDevice

from .figures import Figure, Sample, at_most
from .turns import progress

EMAIL = "user@example.com"
#: Such a part of the measured time passes before it, until what a start leaves open has closed.
SETTLE = 0.25


@dataclass(frozen=True)
class Many:
    """Measured values. Memory is the growth of the process per heater, including the SDK."""

    first_of_all_seconds: float
    kilobytes_each: float
    cpu_percent: float
    cpu_milliseconds_a_poll: float
    statuses: int
    lost: int


def measure(quick: bool) -> list[Figure]:
    """A hundred heaters of one account, then of a hundred accounts."""
    if quick:
        return _both(3, 0.5, interval=0.2, speed=60)
    return _both(100, 20.0, interval=10.0)


def measure_thousand(quick: bool) -> list[Figure]:
    """The same with a thousand, polled every minute, for a minute each."""
    return measure(quick) if quick else _both(1000, 60.0, interval=60.0)


def _both(number: int, seconds: float, interval: float, speed: int = 1) -> list[Figure]:
    """Both clouds; a heater answers after two to four seconds of its own time."""
    kinds = ((f"{number:,} of one account", number, 1), (f"{number:,} accounts", 1, number))
    figures = []
    for who, heaters, accounts in kinds:
        progress(f"many: {who}, polled every {interval:g} s for {seconds:g} s")
        figures += _figures(who, _in_a_process(heaters, accounts, speed, seconds, interval))
    return figures


def _in_a_process(*numbers: float) -> Many:
    command = [sys.executable, "-m", "benchmarks.many", *map(str, numbers)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Many(**json.loads(ended.stdout))


def _figures(who: str, found: Many) -> list[Figure]:
    one = {
        "memory each": ("KiB", found.kilobytes_each, at_most(100)),
        "CPU of a poll": ("ms", found.cpu_milliseconds_a_poll, None),
        "CPU": ("%", found.cpu_percent, None),
        "until all were heard": ("s", found.first_of_all_seconds, None),
        "statuses heard": ("", found.statuses, None),
        "polls lost": ("", found.lost, at_most(1)),
    }
    return [
        Figure(f"{who}: {what}", unit, Sample([value]), goal=goal)
        for what, (unit, value, goal) in one.items()
    ]


@asynccontextmanager
async def cloud(heaters: int, accounts: int, speed: int) -> AsyncIterator[dict[str, str]]:
    """A simulated cloud in a process of its own; gives its variables."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "sim.env"
        words = ["simulate", "--speed", str(speed)]
        words += ["--heaters", str(heaters), "--accounts", str(accounts)]
        process = subprocess.Popen(
            [sys.executable, "-m", "navien_nwp500", *words, "--env-file", str(file)],
            stdout=subprocess.DEVNULL,
        )
        try:
            while not file.exists():
                if process.poll() is not None:
                    raise SystemExit("the cloud did not start")
                await asyncio.sleep(0.1)
            yield {key: value or "" for key, value in dotenv_values(file).items()}
        finally:
            process.terminate()
            process.wait()


async def _measure(
    heaters: int, accounts: int, speed: int, seconds: float, interval: float
) -> Many:
    """Watch every heater of every account for so long."""
    async with cloud(heaters, accounts, speed) as found, AsyncExitStack() as stack:
        await _warm(found)
        gc.collect()
        before, began = _resident(), time.monotonic()
        devices = await _listed(found, accounts, stack)
        counts = [0] * len(devices)
        tasks = [
            asyncio.ensure_future(_watch(device, interval, counts, number))
            for number, device in enumerate(devices)
        ]
        stack.push_async_callback(_stopped, tasks)
        while not all(counts):
            _raise_failures(tasks)
            await asyncio.sleep(0.05)
        first = time.monotonic() - began
        await asyncio.sleep(SETTLE * seconds)
        missed = sum(device.health.missed for device in devices)
        received, cpu, at = sum(counts), time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu, span = time.process_time() - cpu, time.monotonic() - at
        _raise_failures(tasks)
        each = (_resident() - before) / len(devices) / 1024
        statuses = sum(counts) - received
        # A poll is lost when it stays unanswered; what a heater has missed says how many.
        lost = sum(device.health.missed for device in devices) - missed
        return Many(first, each, 100 * cpu / span, 1000 * cpu / max(statuses, 1), statuses, lost)


async def _listed(
    found: dict[str, str], accounts: int, stack: AsyncExitStack
) -> list[NaviLinkDevice]:
    """Every account's heaters; all accounts start together."""

    async def listed(account: int) -> list[NaviLinkDevice]:
        client = await stack.enter_async_context(NaviLinkClient(_config(found, account)))
        return await client.get_devices()

    lists = await asyncio.gather(*map(listed, range(accounts)))
    return [device for some in lists for device in some]


async def _stopped(tasks: list[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(device: NaviLinkDevice, interval: float, counts: list[int], number: int) -> None:
    async for _ in device.watch(interval=interval):
        counts[number] += 1


def _raise_failures(tasks: list[asyncio.Future[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _warm(found: dict[str, str]) -> None:
    """Load what every program with one heater has loaded."""
    async with NaviLinkClient(_config(found, 0)) as client:
        await (await client.get_devices())[0].get_status()


def _config(found: dict[str, str], account: int) -> NaviLinkConfig:
    email = EMAIL if account == 0 else EMAIL.replace("@", f"{account + 1}@")
    return NaviLinkConfig(
        email=email,
        password=found["NAVILINK_PASSWORD"],
        base_url=found["NAVILINK_BASE_URL"],
        websocket_url=found["NAVILINK_WEBSOCKET_URL"],
        ca_file=Path(found["NAVILINK_CA_FILE"]),
        answer_timeout=30.0,
    )


def _resident() -> int:
    """Bytes of memory this process holds now (Linux)."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    _heaters, _accounts, _speed = map(int, sys.argv[1:4])
    _seconds, _interval = map(float, sys.argv[4:])
    print(
        json.dumps(asdict(asyncio.run(_measure(_heaters, _accounts, _speed, _seconds, _interval))))
    )
