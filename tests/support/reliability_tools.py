"""Helpers of the reliability tests: a fast configuration, a watcher, and waits with a limit."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator, Awaitable, Callable, TypeVar

from navien_nwp500 import DeviceStatus, NaviLinkConfig, NaviLinkDevice, ReconnectConfig
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.models import Health, HealthState
from navien_nwp500.simulator import Simulator
from support.control_tools import QUICK

LIMIT = 60.0
#: Seconds. Time limit of a response that must not arrive; those before and after it must keep it too.
SHORT_TIMEOUT = 1.0
FAST_RECONNECT = ReconnectConfig(max_retries=None, initial_delay=0.05, max_delay=0.2)
T = TypeVar("T")


def fast_config(sim: Simulator, **settings: Any) -> NaviLinkConfig:
    """Return settings with fast reconnects, no command spacing and a long response timeout."""
    short = {"reconnect": FAST_RECONNECT, "answer_timeout": LIMIT, "command_interval": 0.0, **QUICK}
    return replace(sim.config, **{**short, **settings})


async def within_limit(waiting: Awaitable[T]) -> T:
    """Return the result, or fail after ``LIMIT`` instead of hanging."""
    return await asyncio.wait_for(waiting, LIMIT)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    deadline = asyncio.get_running_loop().time() + LIMIT
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.002)


async def wait_for_state(device: NaviLinkDevice, state: HealthState) -> None:
    """Wait until the health of the heater has this state."""
    changes = device.watch_health()
    await next_with_state(changes, state)
    await changes.aclose()


async def next_with_state(changes: AsyncIterator[Health], state: HealthState) -> Health:
    """Return the next health of a watch that has this state."""

    async def find() -> Health:
        async for health in changes:
            if health.state is state:
                return health
        raise AssertionError("watch_health() ended")

    return await within_limit(find())


class Watcher:
    """A background watch of a heater that stores each status."""

    def __init__(self, device: NaviLinkDevice, interval: float) -> None:
        self.statuses: list[DeviceStatus] = []
        self._more = asyncio.Event()
        self._task = asyncio.ensure_future(self._watch(device, interval))

    async def next(self, count: int = 1) -> list[DeviceStatus]:
        """Return the next ``count`` statuses; raise the error that ended the watch."""
        start = len(self.statuses)
        while len(self.statuses) < start + count:
            self._more.clear()
            waiting = asyncio.ensure_future(self._more.wait())
            try:
                done, _ = await asyncio.wait(
                    {waiting, self._task}, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                await cancel_and_wait(waiting)
            assert done, "no status came"
            if self._task in done:
                self._task.result()
        return self.statuses[start : start + count]

    async def wait_end(self) -> None:
        """Wait until the watch has ended; raise the error that ended it."""
        await within_limit(asyncio.shield(self._task))

    async def stop(self) -> None:
        """Cancel the watch; an error that ended it is ignored."""
        await cancel_and_wait(self._task)
        if not self._task.cancelled():
            self._task.exception()

    async def _watch(self, device: NaviLinkDevice, interval: float) -> None:
        async for status in device.watch(interval=interval):
            self.statuses.append(status)
            self._more.set()


@asynccontextmanager
async def watching(device: NaviLinkDevice, interval: float = 0.05) -> AsyncIterator[Watcher]:
    """Watch a heater; the block starts after the first status."""
    watcher = Watcher(device, interval)
    try:
        await watcher.next()
        yield watcher
    finally:
        await watcher.stop()


def count_log(caplog: Any, text: str) -> int:
    """Count the log records of the library above DEBUG that contain ``text``."""
    records = [one for one in caplog.records if one.name.startswith("navien_nwp500")]
    return sum(text in one.getMessage() for one in records if one.levelname != "DEBUG")
