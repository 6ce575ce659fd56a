"""How long until the first reading, in round trips to the cloud.

::

    python -m benchmarks.first_reading

The same start is timed over two distances to a simulated cloud; the difference, in units of the
difference of the distances, is how many round trips it waits for. What the machine itself takes
falls out. The steps are taken one after another, to see what each costs; the whole is what a
program does, with whatever the library does at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator

from navien_nwp500 import NaviLinkAuth, NaviLinkClient, NaviLinkConfig
from navien_nwp500.dialer import Dialer
from navien_nwp500.simulator import Simulator

ROUND_TRIP = 0.1
#: Signed in anew, and with a saved session.
STARTS = ("cold", "warm")
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

    def median(self, step: str) -> float:
        return statistics.median(self.seconds[step])


async def take_whole(start: Start, config: NaviLinkConfig) -> None:
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


async def take_steps(start: Start, config: NaviLinkConfig) -> None:
    """What comes before the poll, one step after another."""
    auth = NaviLinkAuth(config)
    try:
        with start.timing("session"):
            await auth.aws_keys()
        with start.timing("list"):
            body = {"userId": config.email, "offset": 0, "count": 20}
            await auth.call("POST", "/device/list", body=body)
        with start.timing("connect"):
            link = await Dialer(auth, config).dial()
        with start.timing("subscribe"):
            await link.subscribe(f"cmd/52/{link.client_id}/res/#")
        await link.close()
    finally:
        await auth.close()


async def measure(round_trip: float, tries: int) -> dict[str, Start]:
    """Both starts ``tries`` times, interleaved."""
    found = {name: Start() for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(speed=600, latency=round_trip / 2) as sim:
            kept = replace(sim.config, session_file=Path(folder) / "session.json")
            await take_whole(Start(), kept)  # loads what is loaded once, and leaves a session
            for _ in range(tries):
                for name, config in zip(STARTS, (sim.config, kept)):
                    await take_whole(found[name], config)
                    await take_steps(found[name], config)
    return found


async def first_reading(round_trip: float = ROUND_TRIP, tries: int = 5) -> str:
    """A table: round trips of each step and of the whole, and the milliseconds of the whole."""
    near, far = await measure(round_trip / 2, tries), await measure(round_trip, tries)
    lines = [f"{'':10}" + "".join(f"{name:>15}" for name in STARTS)]
    for step in STEPS:
        waits = [
            (far[name].median(step) - near[name].median(step)) / (round_trip / 2) for name in STARTS
        ]
        lines.append(f"{step:10}" + "".join(f"{wait:12.1f} rt" for wait in waits))
    times = "".join(f"{far[name].median('whole') * 1000:12.0f} ms" for name in STARTS)
    return "\n".join([*lines, f"{'whole':10}{times}"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the round trips of a first reading.")
    parser.add_argument("--round-trip", type=float, default=ROUND_TRIP * 1000, metavar="MS")
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    print(asyncio.run(first_reading(options.round_trip / 1000, options.tries)))


if __name__ == "__main__":
    main()
