"""The heaters of an account as an application wants them: what each said last, and a word when it changes.

Nothing of Home Assistant is in here, so the tests run it as it is, against the simulated cloud.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import AsyncIterator, Callable

from navien_nwp500 import HealthState, NaviLinkClient, NaviLinkDevice


class HeaterFeed:
    """Watches every heater from ``async with`` to its end; ``told`` hears whose news there are.

    ``interval`` is seconds between polls; pushes come besides. ``told`` is called in the loop.
    """

    def __init__(
        self, client: NaviLinkClient, told: Callable[[NaviLinkDevice], None], interval: float
    ) -> None:
        self._client, self._told, self._interval = client, told, interval
        self._tasks: list[asyncio.Task[None]] = []
        self.devices: list[NaviLinkDevice] = []

    async def __aenter__(self) -> HeaterFeed:
        self.devices = await self._client.get_devices()
        for device in self.devices:
            for news in (device.watch(self._interval), device.watch_health()):
                telling = self._tell(device, news)
                self._tasks.append(asyncio.create_task(telling, name=f"feed {device.name}"))
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

    async def _tell(self, device: NaviLinkDevice, news: AsyncIterator[object]) -> None:
        async for _ in news:
            self._told(device)


def available(device: NaviLinkDevice) -> bool:
    """Whether what the heater said last still holds: a short outage is no alarm."""
    gone = device.health.state is HealthState.OFFLINE or not device.info.online
    return device.last_status is not None and not gone
