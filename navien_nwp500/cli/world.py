"""Where a command looks: your account or a simulated one, and the heater in it."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, AsyncIterator, Awaitable, TypeVar

from ..client import NaviLinkClient
from ..config import NaviLinkConfig, ReconnectConfig
from ..device import NaviLinkDevice
from ..exceptions import (
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    RequestTimeoutError,
)
from .options import session_kept
from .running import log_to_stderr

if TYPE_CHECKING:
    from ..simulator import Simulator
    from ..simulator.clock import Clock

T = TypeVar("T")


class World:
    """A client, and the clock of its heaters: the simulated ones' may run faster than ours."""

    def __init__(self, client: NaviLinkClient, clock: Clock | None = None) -> None:
        self.client = client
        self._clock = clock

    def now(self) -> datetime:
        """The time to write beside a status."""
        return self._clock.now() if self._clock is not None else datetime.now().astimezone()

    def real(self, seconds: float) -> float:
        """Seconds of ours for ``seconds`` of the heater's."""
        return self._clock.real(seconds) if self._clock is not None else seconds


@asynccontextmanager
async def world(simulate: bool, speed: float = 1.0) -> AsyncIterator[World]:
    """Open the account of the environment, or a simulated one."""
    if not simulate:
        # Somebody watches for months: a night without the cloud is no reason to give up.
        config = NaviLinkConfig.from_environment(reconnect=ReconnectConfig(max_retries=None))
        if session_kept():
            config = replace(config, session_file=session_file(config))
        log_to_stderr(config.log_level)
        async with NaviLinkClient(config) as client:
            yield World(client)
        return
    log_to_stderr()
    async with simulator_class()(speed=speed) as simulator:
        async with NaviLinkClient(simulator.config) as client:
            yield World(client, simulator.clock)


def session_file(config: NaviLinkConfig) -> Path:
    """Where an account's session is kept between runs: a file of its own in the user's cache."""
    from platformdirs import user_cache_path

    account = hashlib.sha256(f"{config.base_url} {config.email}".encode()).hexdigest()
    return user_cache_path("navien-nwp500", appauthor=False) / f"session-{account[:8]}.json"


def simulator_class() -> type[Simulator]:
    """The simulator, loaded when asked for; ConfigurationError says which extra brings it."""
    try:
        from ..simulator import Simulator
    except ModuleNotFoundError as error:
        raise ConfigurationError(str(error)) from error
    return Simulator


async def heaters(client: NaviLinkClient, mac: str | None) -> list[NaviLinkDevice]:
    """The heater asked for, or all. Raises DeviceError when there is none."""
    wanted = NaviLinkConfig(device_mac=mac).device_mac or client.config.device_mac
    found = await client.get_devices()
    if wanted is not None:
        found = [device for device in found if device.mac_address == wanted]
    if not found:
        reason = "no heater with this MAC" if wanted else "no NWP500"
        raise DeviceError(f"this account has {reason}; see: navien-nwp500 devices")
    return found


async def choose(client: NaviLinkClient, mac: str | None) -> NaviLinkDevice:
    """The heater asked for, or the first.

    Raises DeviceError when there is none, DeviceOfflineError when the cloud knows it is away.
    """
    found = await heaters(client, mac)
    if not found[0].info.online:
        raise DeviceOfflineError(
            f"{found[0].name} is offline: the cloud has lost it. Check its power and its Wi-Fi"
        )
    return found[0]


async def first_answer(device: NaviLinkDevice, reading: Awaitable[T]) -> T:
    """Wait for a heater's first answer; its silence is told apart from the cloud's."""
    try:
        return await reading
    except RequestTimeoutError as error:
        raise DeviceOfflineError(f"{device.name} is online but does not answer") from error


async def answered(asking: Awaitable[T]) -> T:
    """Wait for what may stay unanswered; the error says in its own words what that means."""
    try:
        return await asking
    except RequestTimeoutError as error:
        raise DeviceOfflineError(str(error)) from error
