"""What the tests of the promises stand on: a quick client, a watcher, waits that end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator, Awaitable, Callable, TypeVar

from navien_nwp500 import DeviceStatus, NaviLinkConfig, NaviLinkDevice, ReconnectConfig
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.models import HealthState
from navien_nwp500.simulator import Simulator

LIMIT = 60.0
#: For an answer that is not to come; those before and after it must come within it too.
SILENCE = 1.0
QUICK = ReconnectConfig(max_retries=None, initial_delay=0.05, max_delay=0.2)
T = TypeVar("T")


def quick(sim: Simulator, **settings: Any) -> NaviLinkConfig:
    """A client's settings for tests: it tries again at once, and waits for answers as long as we."""
    short = {"reconnect": QUICK, "answer_timeout": LIMIT, "command_interval": 0.0}
    return replace(sim.config, **{**short, **settings})


async def soon(waiting: Awaitable[T]) -> T:
    """The outcome, or a failure instead of a test that hangs."""
    return await asyncio.wait_for(waiting, LIMIT)


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = asyncio.get_running_loop().time() + LIMIT
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.002)


async def health(device: NaviLinkDevice, state: HealthState) -> None:
    """Return once the heater's line is in this state."""

    async def wait() -> None:
        changes = device.watch_health()
        async for one in changes:
            if one.state is state:
                break
        await changes.aclose()

    await soon(wait())


class Watcher:
    """Somebody who watches a heater and keeps what comes."""

    def __init__(self, device: NaviLinkDevice, interval: float) -> None:
        self.statuses: list[DeviceStatus] = []
        self._more = asyncio.Event()
        self._task = asyncio.ensure_future(self._watch(device, interval))

    async def next(self, count: int = 1) -> list[DeviceStatus]:
        """The next so many statuses; raises what ended the watch."""
        start = len(self.statuses)
        while len(self.statuses) < start + count:
            self._more.clear()
            waiting = asyncio.ensure_future(self._more.wait())
            done, _ = await asyncio.wait(
                {waiting, self._task}, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
            assert done, "no status came"
            if self._task in done:
                self._task.result()
        return self.statuses[start : start + count]

    async def stop(self) -> None:
        await cancel_and_wait(self._task)
        if not self._task.cancelled():
            self._task.exception()

    async def _watch(self, device: NaviLinkDevice, interval: float) -> None:
        async for status in device.watch(interval=interval):
            self.statuses.append(status)
            self._more.set()


@asynccontextmanager
async def watching(device: NaviLinkDevice, interval: float = 0.05) -> AsyncIterator[Watcher]:
    """Watch a heater; entered once the first status has come."""
    watcher = Watcher(device, interval)
    try:
        await watcher.next()
        yield watcher
    finally:
        await watcher.stop()


def said(caplog: Any, words: str) -> int:
    """How often our log said this, below DEBUG left out."""
    records = [one for one in caplog.records if one.name.startswith("navien_nwp500")]
    return sum(words in one.getMessage() for one in records if one.levelname != "DEBUG")
