"""Processor time and memory of one heater per day, polled every 5 minutes.

The heater's time is compressed, so that minutes hold days of polls; what the open connection costs
between them is taken in our own time and added. Run as a module it is one client of four, each a
process of its own whose processor time is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, AsyncIterator, Iterator, Mapping

from navien_nwp500 import NaviLinkClient

from .cloud import SIMULATE, cloud, config, set_faults
from .figures import Figure, Sample, at_most
from .raw import raw_client
from .turns import progress

DAY = 86400.0
POLL = 300.0
#: Seconds of the heater's time to one of ours while it is polled: 10 polls a second.
SPEED = 3000.0
#: So long a client is left alone before it is measured: what it does once is not a day's work.
SETTLE = 2.0
#: Both keep the connection alive as often: AWS allows no less (PROTOCOL 2.3).
KEEP_ALIVE = 30.0


def measure(quick: bool) -> list[Figure]:
    """Run all four side by side for a minute."""
    return _measure(2, 1.0, 2, 1.0) if quick else _measure(6, 10.0, 2, KEEP_ALIVE)


def measure_long(quick: bool) -> list[Figure]:
    """Run them for ten minutes, 20 keep-alives: long enough for a verdict on the silence."""
    return measure(quick) if quick else _measure(60, 10.0, 20, KEEP_ALIVE)


def _measure(windows: int, polled: float, silences: int, kept: float) -> list[Figure]:
    progress(f"year: {windows * polled:.0f} s of polls beside {silences * kept:.0f} s of silence")
    with cloud(*SIMULATE, "--speed", f"{SPEED:g}", "--heaters", "2") as fast:
        with cloud(*SIMULATE, "--speed", "1", "--heaters", "2") as slow:
            clients = {
                "ours": _start("ours", fast, POLL / SPEED, windows, polled),
                "floor": _start("raw", fast, POLL / SPEED, windows, polled),
                "ours kept": _start("ours", slow, DAY, silences, kept),
                "floor kept": _start("raw", slow, KEEP_ALIVE, silences, kept),
            }
            for client in clients.values():
                _ready(client)
            # What it says by itself is among the polls; here only the connection is to be seen.
            asyncio.run(set_faults(slow, {"heater_offline": True}))
            told = {name: _end(client) for name, client in clients.items()}
    polls, floor_polls = (_daily(told[name], SPEED) for name in ("ours", "floor"))
    kept_up, floor_kept = (_daily(told[name], 1.0) for name in ("ours kept", "floor kept"))
    total, floor_total = _sum(polls, kept_up), _sum(floor_polls, floor_kept)
    against = "raw WebSocket"
    figures = [
        Figure("CPU of 288 polls and pushes", "s", polls, floor_polls, against),
        Figure("CPU of the open connection", "s", kept_up, floor_kept, against),
        Figure("CPU of a day, together", "s", total, floor_total, against, at_most(5)),
    ]
    return figures + _growth(told, windows * polled)


def _daily(told: Mapping[str, Any], speed: float) -> Sample:
    """Processor seconds a day of the heater, a value for each window."""
    return Sample([cpu / (seconds * speed) * DAY for cpu, seconds in told["windows"]])


def _sum(polls: Sample, kept: Sample) -> Sample:
    return Sample([value + kept.median for value in polls.values])


def _growth(told: Mapping[str, Any], seconds: float) -> list[Figure]:
    """Return the memory growth per 1,000 polls after the first window, on Linux."""
    samples = []
    for name in ("ours", "floor"):
        first, *_, last = told[name]["memory"]
        if first is None:
            return []
        polls = (seconds * (1 - 1 / len(told[name]["memory"]))) * SPEED / POLL
        samples.append(Sample([(last - first) / polls * 1000]))
    return [Figure("growth in 1,000 polls", "KiB", samples[0], samples[1], "raw WebSocket")]


def _start(who: str, variables: Mapping[str, str], *numbers: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.year", who, *map(str, numbers)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def _ready(client: subprocess.Popen[str]) -> None:
    """Wait until the client is about to be measured."""
    assert client.stdout is not None
    client.stdout.readline()


def _end(client: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = client.communicate()
    if client.returncode:
        raise RuntimeError(f"a client ended with {client.returncode}")
    told: dict[str, Any] = json.loads(out)
    return told


# One client, in its process


async def _ours(variables: Mapping[str, str], interval: float) -> AsyncIterator[object]:
    async with NaviLinkClient(config(variables)) as client:
        async for status in (await client.get_devices())[0].watch(interval):
            yield status


async def _raw(variables: Mapping[str, str], interval: float) -> AsyncIterator[object]:
    """Ask where ours does; where ours is silent, ping."""
    async with raw_client(variables, 1, pushes=True) as client:
        yield await client.get_status()
        due = time.monotonic()
        while True:
            due += interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if interval < KEEP_ALIVE:
                yield await client.get_status()
            else:
                await client.ping()


async def _live(who: str, interval: float, windows: int, seconds: float) -> dict[str, Any]:
    source = {"ours": _ours, "raw": _raw}[who](os.environ, interval)
    await source.__anext__()
    living = asyncio.ensure_future(_drain(source))
    await asyncio.wait({living}, timeout=SETTLE)
    print("ready", flush=True)
    found: dict[str, list[Any]] = {"windows": [], "memory": []}
    for _ in range(windows):
        used, began = time.process_time(), time.monotonic()
        await asyncio.wait({living}, timeout=seconds)
        found["windows"].append([time.process_time() - used, time.monotonic() - began])
        found["memory"].append(_resident())
    living.cancel()
    await asyncio.wait({living})
    await source.aclose()  # type: ignore[attr-defined]  # both are generators
    if not living.cancelled():
        living.result()
    return found


async def _drain(source: AsyncIterator[object]) -> None:
    async for _ in source:
        pass


def _resident() -> int | None:
    """Resident memory in KiB; None where the system does not tell."""
    return next(_lines("VmRSS:"), None)


def _lines(name: str) -> Iterator[int]:
    table = Path("/proc/self/status")
    if table.exists():
        for line in table.read_text("utf-8").splitlines():
            if line.startswith(name):
                yield int(line.split()[1])


if __name__ == "__main__":
    _who, _interval, _windows, _seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(_live(_who, float(_interval), int(_windows), float(_seconds)))))
