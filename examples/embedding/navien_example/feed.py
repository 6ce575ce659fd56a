"""All heaters of an account: status and features of each, and a call after each change.

Does not import Home Assistant, so the tests run it against the simulated cloud.
"""

from __future__ import annotations

import asyncio
import logging
import time
from types import TracebackType
from typing import AsyncGenerator, Callable, Optional

from navien_nwp500 import (
    CommunicationError,
    DeviceError,
    DeviceFeatures,
    HealthState,
    NaviLinkClient,
    NaviLinkDevice,
    NaviLinkError,
)

_LOGGER = logging.getLogger(__name__)
#: Polls in a row that may fail, and seconds that each waits for its response.
FAILED_POLLS, TIMEOUT = 3, 15.0


class HeaterFeed:
    """Watcher of every heater while ``async with`` lasts.

    Calls ``on_update`` in the event loop after each change of a heater. ``interval`` is the time
    between polls in seconds. When an error ends a watch for good, it is kept in ``error``, no
    heater is available any more, and ``on_end`` is called once.
    """

    def __init__(self, client: NaviLinkClient, interval: float) -> None:
        self._client, self.interval = client, interval
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: dict[str, float] = {}
        self.on_update: Callable[[], None] = lambda: None
        self.on_end: Callable[[NaviLinkError], None] = lambda error: None
        self.devices: list[NaviLinkDevice] = []
        #: Features by MAC address, of the heaters that have answered.
        self.features: dict[str, DeviceFeatures] = {}
        self.error: Optional[NaviLinkError] = None

    async def __aenter__(self) -> HeaterFeed:
        self.devices = await self._client.get_devices()
        for device in self.devices:
            for watch in (self._watch_status(device), self._watch_health(device)):
                task = asyncio.create_task(self._run(watch), name=f"feed {device.name}")
                self._tasks.append(task)
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def available(self, device: NaviLinkDevice) -> bool:
        """Return True while the latest status is valid; a short outage does not change that."""
        age = time.monotonic() - self._heard.get(device.mac_address, float("-inf"))
        in_time = age <= FAILED_POLLS * (self.interval + TIMEOUT)
        return self.error is None and in_time and device.health.state is not HealthState.OFFLINE

    async def _run(self, watch: AsyncGenerator[None, None]) -> None:
        """Follow a watch; any other error than one of the library is a mistake, and ends it too."""
        try:
            async for _ in watch:
                self.on_update()
        except NaviLinkError as error:
            self._end(error)
        except Exception as error:  # a mistake of this program: what waits for the feed must know
            _LOGGER.exception("the feed ends")
            self._end(NaviLinkError(f"unexpected {type(error).__name__}"))
        finally:
            await watch.aclose()

    def _end(self, error: NaviLinkError) -> None:
        if self.error is None:
            self.error = error
            self.on_end(error)

    async def _watch_status(self, device: NaviLinkDevice) -> AsyncGenerator[None, None]:
        statuses = device.watch(self.interval)
        try:
            async for _ in statuses:
                self._heard[device.mac_address] = time.monotonic()
                if device.mac_address not in self.features:
                    await self._get_features(device)
                yield
        finally:
            await statuses.aclose()

    async def _get_features(self, device: NaviLinkDevice) -> None:
        """Request the features; without an answer they are requested again at the next status."""
        try:
            self.features[device.mac_address] = await device.get_features()
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: features not received: %s", device.name, error)

    async def _watch_health(self, device: NaviLinkDevice) -> AsyncGenerator[None, None]:
        changes = device.watch_health()
        try:
            async for _ in changes:
                yield
        finally:
            await changes.aclose()
