"""A pace that is kept: some at once, then so many a second."""

from __future__ import annotations

import asyncio
import time

#: AWS takes 100 publishes a second on one connection, in and out (protocol 2.3). In no second do
#: more than BURST + RATE leave here; at RATE, requests and their answers together are 100.
BURST = 40
RATE = 50.0


class Pace:
    """Let publishes pass one by one, in the order they asked; nobody waits below the pace."""

    def __init__(self) -> None:
        #: When the newest would leave if all were spread evenly, on the steady clock.
        self._last = 0.0

    async def turn(self) -> None:
        """Return when it is our turn; at once unless many came just before."""
        now = time.monotonic()
        self._last = max(self._last + 1 / RATE, now)
        wait = self._last - now - BURST / RATE
        if wait > 0:
            await asyncio.sleep(wait)
