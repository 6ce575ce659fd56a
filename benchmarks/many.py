"""Many heaters in one process: what each costs, and whether a status is lost.

The cloud runs in another process; what is counted is this one's. Run
``python -m benchmarks.many --heaters 1000 --seconds 120`` (one account) or with
``--accounts 1000 --heaters 1`` (one heater each).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
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

EMAIL = "user@example.com"


@dataclass(frozen=True)
class Many:
    """What was measured. Memory is what each heater added to the process, the SDK's part too."""

    heaters: int
    accounts: int
    connections: int
    first_of_all_seconds: float
    kilobytes_each: float
    descriptors: int
    cpu_percent: float
    cpu_milliseconds_a_poll: float
    statuses: int
    lost: int


@asynccontextmanager
async def cloud(heaters: int, accounts: int) -> AsyncIterator[dict[str, str]]:
    """A simulated cloud in a process of its own; gives its variables."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "sim.env"
        words = ["simulate", "--speed", "1", "--heaters", str(heaters), "--accounts", str(accounts)]
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


async def measure(
    *, heaters: int = 1000, accounts: int = 1, seconds: float = 120.0, interval: float = 60.0
) -> Many:
    """Watch every heater of every account for so long and return what it cost."""
    async with cloud(heaters, accounts) as found, AsyncExitStack() as stack:
        await _warm(found)
        gc.collect()
        before, began = _resident(), time.monotonic()
        clients = [
            await stack.enter_async_context(NaviLinkClient(_config(found, one)))
            for one in range(accounts)
        ]
        listed = await asyncio.gather(*(one.get_devices() for one in clients))
        devices = [device for some in listed for device in some]
        counts = [0] * len(devices)
        tasks = [
            asyncio.ensure_future(_watch(device, interval, counts, number))
            for number, device in enumerate(devices)
        ]
        try:
            while not all(counts):
                _raise_failures(tasks)
                await asyncio.sleep(0.05)
            first = time.monotonic() - began
            each = (_resident() - before) / len(devices) / 1024
            missed = sum(device.health.missed for device in devices)
            received, cpu, at = sum(counts), time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu, span = time.process_time() - cpu, time.monotonic() - at
            _raise_failures(tasks)
            statuses = sum(counts) - received
            # A poll is lost when it stays unanswered; what a heater has missed says how many.
            lost = sum(device.health.missed for device in devices) - missed
            sessions = [one for client in clients for one in client._exchange._sessions]
            return Many(
                len(devices),
                accounts,
                sum(one.connected for one in sessions),
                round(first, 1),
                round(each, 1),
                len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
                round(100 * cpu / span, 2),
                round(1000 * cpu / max(statuses, 1), 3),
                statuses,
                lost,
            )
        finally:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heaters", type=int, default=1000)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--interval", type=float, default=60.0)
    options = parser.parse_args()
    for name, value in asdict(asyncio.run(measure(**vars(options)))).items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
