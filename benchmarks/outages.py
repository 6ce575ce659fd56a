"""Time until a watcher gets a status again after the connection was lost."""

from __future__ import annotations

import asyncio
import time
from typing import AsyncGenerator, Mapping

from navien_nwp500 import DeviceStatus, NaviLinkClient

from .cloud import PROMPT, cloud, config, set_faults
from .figures import Figure, Sample, at_most
from .raw import raw_client
from .turns import progress

#: The next poll is so far off that a status can only come from the reconnect.
POLL = 3600.0


def measure(quick: bool) -> list[Figure]:
    """Cut the line some times; then once let it go dead without a word."""
    cuts = 2 if quick else 15
    progress(f"outages: {cuts} cuts" + ("" if quick else ", then a dead line, some 40 s"))
    with cloud(*PROMPT) as variables:
        return asyncio.run(_measure(cuts, variables, dead=not quick))


async def _measure(cuts: int, variables: Mapping[str, str], *, dead: bool) -> list[Figure]:
    async with NaviLinkClient(config(variables)) as client:
        heard = (await client.get_devices())[0].watch(POLL)
        await heard.__anext__()
        ours, floor = [], []
        for _ in range(cuts):
            ours.append(await _until_heard(heard, variables, "cut_connections"))
            floor.append(await _from_nothing(variables))
        against = "raw WebSocket from sign-in to its first status"
        figures = [
            Figure(
                "status again after a cut", "s", Sample(ours), Sample(floor), against, at_most(2)
            )
        ]
        if dead:
            took = Sample([await _until_heard(heard, variables, "half_open")])
            figures.append(Figure("status again, line dead", "s", took, goal=at_most(45)))
        await heard.aclose()
    return figures


async def _until_heard(
    heard: AsyncGenerator[DeviceStatus, None], variables: Mapping[str, str], fault: str
) -> float:
    """Seconds from a fault to the next status."""
    await set_faults(variables, {fault: True})
    began = time.monotonic()
    await heard.__anext__()
    return time.monotonic() - began


async def _from_nothing(variables: Mapping[str, str]) -> float:
    """Seconds a client needs that has nothing yet."""
    began = time.monotonic()
    async with raw_client(variables, 1) as client:
        await client.get_status()
        return time.monotonic() - began
