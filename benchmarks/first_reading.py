"""Time to the first status, in round trips to the cloud.

The same start is timed over two distances to a simulated cloud; the difference, in units of the
difference of the distances, is how many round trips it waits for. What the machine itself takes
falls out. The steps are taken one after another, to see what each costs; the whole is what a
program does, with whatever the library does at the same time.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator

from navien_nwp500 import NaviLinkAuth, NaviLinkClient, NaviLinkConfig
from navien_nwp500._connection.connector import Connector
from navien_nwp500.client import choose_transports
from navien_nwp500.simulator import Simulator

from .figures import Figure, Sample, at_most_above
from .turns import progress

#: Seconds there and back; the further one hides less what happens side by side.
NEAR, FAR = 0.05, 0.1
#: Signed in anew, and with a saved session.
STARTS = ("cold", "warm")
#: Round trips the protocol and the SDK ask for (docs/PERFORMANCE.md counts them).
LEAST = {"cold": 8.0, "warm": 5.0}
STEPS = ("session", "list", "connect", "subscribe", "poll", "whole")


@dataclass
class Start:
    """Seconds of each step and of the whole, of several tries."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds.setdefault(step, []).append(time.perf_counter() - begin)


async def _take_whole(start: Start, config: NaviLinkConfig) -> None:
    """One reading as a program takes it, and a second one: the poll alone."""
    client = NaviLinkClient(config)
    try:
        with start.timing("whole"):
            (device,) = await client.get_devices()
            await device.get_status()
        with start.timing("poll"):
            await device.get_status()
    finally:
        await client.close()


async def _take_steps(start: Start, config: NaviLinkConfig) -> None:
    """Take the steps before the poll, one after another."""
    auth = NaviLinkAuth(config)
    try:
        with start.timing("session"):
            await auth.aws_credentials()
        with start.timing("list"):
            body = {"userId": config.email, "offset": 0, "count": 20}
            await auth.call("POST", "/device/list", body=body)
        with start.timing("connect"):
            transport = await Connector(auth, config, choose_transports).connect()
        with start.timing("subscribe"):
            await transport.subscribe(f"cmd/52/{transport.client_id}/res/#")
        await transport.close()
    finally:
        await auth.close()


def measure(quick: bool) -> list[Figure]:
    """Take both starts over two distances."""
    tries = 1 if quick else 7
    progress(f"first reading: {tries} starts of each kind, over {NEAR:g} and {FAR:g} s")
    near, far = asyncio.run(_over(NEAR, tries)), asyncio.run(_over(FAR, tries))
    figures = []
    for name in STARTS:
        for step in STEPS:
            whole = step == "whole"
            figures.append(
                Figure(
                    f"{name}: {step}",
                    "trips",
                    Sample(_trips(near[name].seconds[step], far[name].seconds[step])),
                    Sample([LEAST[name]] * tries) if whole else None,
                    "the least with awscrt" if whole else None,
                    at_most_above(1.0) if whole else None,
                )
            )
    return figures


def _trips(near: list[float], far: list[float]) -> list[float]:
    return [(long - short) / (FAR - NEAR) for short, long in zip(near, far)]


async def _over(round_trip: float, tries: int) -> dict[str, Start]:
    """Both starts ``tries`` times, interleaved."""
    found = {name: Start() for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(speed=600, latency=round_trip / 2) as sim:
            kept = replace(sim.config, session_file=Path(folder) / "session.json")
            await _take_whole(Start(), kept)  # loads what is loaded once, and leaves a session
            for _ in range(tries):
                for name, config in zip(STARTS, (sim.config, kept)):
                    await _take_whole(found[name], config)
                    await _take_steps(found[name], config)
    return found
