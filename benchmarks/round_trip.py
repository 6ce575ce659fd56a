"""Round trip of a status request, against a minimal WebSocket client."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import Any, Awaitable, Callable
from unittest import mock

from navien_nwp500 import NaviLinkClient
from navien_nwp500._connection import request_response

from .cloud import PROMPT, cloud, config
from .figures import Figure, at_most_times
from .raw import raw_client
from .turns import in_turns_async, progress

#: The client lets 50 requests a second pass, because AWS discards more than 100; here they follow each
#: other at once, and neither the client nor the cloud has a limit.
UNPACED = 1e9
#: So many requests of one client make one value, so that a hiccup of the machine is one of many.
BATCH = 10


def measure(quick: bool) -> list[Figure]:
    """Ask in turns, each its own heater of one cloud."""
    rounds = 24 if quick else 150
    progress(f"round trip: {rounds} rounds of {BATCH} requests each")
    with cloud(*PROMPT) as variables, mock.patch.object(request_response, "RATE", UNPACED):
        return asyncio.run(_measure(rounds, variables))


async def _measure(rounds: int, variables: Any) -> list[Figure]:
    async with NaviLinkClient(config(variables)) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        async with raw_client(variables, 1) as bare, raw_client(variables, 2, pushes=True) as full:
            takes = {
                "ours": partial(_milliseconds, device.get_status),
                "bare": partial(_milliseconds, bare.get_status),
                "full": partial(_milliseconds, full.get_status),
            }
            found = await in_turns_async(rounds, takes)
    ours = found["ours"]
    return [
        Figure("get_status()", "ms", ours, found["full"], "raw WebSocket", at_most_times(1.3)),
        Figure("get_status()", "ms", ours, found["bare"], "the same, hearing answers only"),
    ]


async def _milliseconds(ask: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(BATCH):
        began = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
