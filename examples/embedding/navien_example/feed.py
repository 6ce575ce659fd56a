"""All heaters of an account: the latest status of each, and a call after each change.

Does not import Home Assistant, so the tests run it against the simulated cloud.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import AsyncIterator, Callable

from navien_nwp500 import HealthState, NaviLinkClient, NaviLinkDevice


class HeaterFeed:
    """Watcher of every heater while ``async with`` lasts.

    Calls ``on_update`` in the event loop with each heater that has a new status or health.
    ``interval`` is the time between polls in seconds.
    """

    def __init__(
        self, client: NaviLinkClient, on_update: Callable[[NaviLinkDevice], None], interval: float
    ) -> None:
        self._client, self._on_update, self._interval = client, on_update, interval
        self._tasks: list[asyncio.Task[None]] = []
        self.devices: list[NaviLinkDevice] = []

    async def __aenter__(self) -> HeaterFeed:
        self.devices = await self._client.get_devices()
        for device in self.devices:
            for updates in (device.watch(self._interval), device.watch_health()):
                forwarding = self._forward(device, updates)
                self._tasks.append(asyncio.create_task(forwarding, name=f"feed {device.name}"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, device: NaviLinkDevice, updates: AsyncIterator[object]) -> None:
        async for _ in updates:
            self._on_update(device)


def available(device: NaviLinkDevice) -> bool:
    """Return True while the latest status is valid; a short outage does not change that."""
    offline = device.health.state is HealthState.OFFLINE or not device.info.online
    return device.last_status is not None and not offline
