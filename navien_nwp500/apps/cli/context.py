"""Where a command looks: your account or a simulated one, and the heater in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, AsyncIterator, Awaitable, TypeVar

from ...client import NaviLinkClient
from ...config import NaviLinkConfig
from ...device import NaviLinkDevice, find_devices
from ...exceptions import (
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    RequestTimeoutError,
    TokenExpiredError,
)
from .options import session_kept
from .runner import log_to_stderr
from .saved_account import configuration, session_file

if TYPE_CHECKING:
    from ...simulator import Simulator
    from ...simulator.clock import Clock

T = TypeVar("T")


class CommandContext:
    """A client, and the clock of its heaters: the simulated ones' may run faster than ours."""

    def __init__(self, client: NaviLinkClient, clock: Clock | None = None) -> None:
        self.client = client
        self._clock = clock

    def now(self) -> datetime:
        """The time to write beside a status."""
        return self._clock.now() if self._clock is not None else datetime.now().astimezone()

    def real(self, seconds: float) -> float:
        """Seconds of ours for ``seconds`` of the heater's."""
        return self._clock.real_seconds(seconds) if self._clock is not None else seconds


@asynccontextmanager
async def open_context(simulate: bool, speed: float = 1.0) -> AsyncIterator[CommandContext]:
    """Open the account of the environment, the one signed in to, or a simulated one."""
    if not simulate:
        config = account_config()
        log_to_stderr(config.log_level)
        _require_a_way_in(config)
        try:
            async with NaviLinkClient(config) as client:
                yield CommandContext(client)
        except TokenExpiredError as error:
            raise TokenExpiredError(f"{error}. Or: navien-nwp500 login") from error
        return
    log_to_stderr()
    async with simulator_class()(speed=speed) as simulator:
        async with NaviLinkClient(simulator.config) as client:
            yield CommandContext(client, simulator.clock)


def account_config() -> NaviLinkConfig:
    """The account of this word, with the session it keeps. Raises ConfigurationError."""
    config = configuration()
    return replace(config, session_file=session_file(config)) if session_kept() else config


def _require_a_way_in(config: NaviLinkConfig) -> None:
    """Say what signs in, before anything is opened that could not."""
    if config.password:
        return
    if not config.email:
        raise ConfigurationError(
            "there is no account: sign in with navien-nwp500 login, or set NAVILINK_EMAIL and "
            "NAVILINK_PASSWORD"
        )
    if config.session_file is not None and not config.session_file.exists():
        raise TokenExpiredError(
            f"there is no session of {config.email} and no password: sign in with "
            "navien-nwp500 login, or set NAVILINK_PASSWORD"
        )


def simulator_class() -> type[Simulator]:
    """The simulator, loaded when asked for; ConfigurationError says which extra brings it."""
    try:
        from ...simulator import Simulator
    except ModuleNotFoundError as error:
        raise ConfigurationError(str(error)) from error
    return Simulator


async def heaters(client: NaviLinkClient, wanted: str | None) -> list[NaviLinkDevice]:
    """The heater asked for, or all. Raises DeviceError when there is none, or not one alone."""
    wanted = wanted or client.config.device_mac
    found = await client.get_devices()
    if wanted is not None:
        found = find_devices(found, wanted)
        if len(found) > 1:
            candidates = ", ".join(f"{one.name} ({one.mac_address})" for one in found)
            raise DeviceError(f"{wanted!r} may be any of {candidates}; say more of it")
    if not found:
        reason = f"no heater whose name or MAC begins with {wanted!r}" if wanted else "no NWP500"
        raise DeviceError(f"this account has {reason}; see: navien-nwp500 devices")
    return found


async def choose(client: NaviLinkClient, wanted: str | None) -> NaviLinkDevice:
    """The heater asked for, or the first.

    Raises DeviceError when there is none, DeviceOfflineError when the cloud knows it is away.
    """
    found = await heaters(client, wanted)
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
