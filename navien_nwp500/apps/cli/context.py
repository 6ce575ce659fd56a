"""The account or simulator that a command uses, and the heater in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, AsyncIterator, Awaitable, NamedTuple, TypeVar

from ...client import NaviLinkClient
from ...config import NaviLinkConfig
from ...device import NaviLinkDevice, find_devices
from ...exceptions import (
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    RequestTimeoutError,
    TokenExpiredError,
    UnsupportedDeviceError,
)
from .runner import log_to_stderr
from .saved_account import load_config, session_file

if TYPE_CHECKING:
    from ...simulator import Simulator
    from ...simulator.clock import Clock

T = TypeVar("T")


class CommandContext(NamedTuple):
    """A client, and the clock of its heaters when they are simulated."""

    client: NaviLinkClient
    clock: Clock | None = None

    @property
    def simulated(self) -> bool:
        """True with ``--simulate``: the heaters end with the command."""
        return self.clock is not None

    def now(self) -> datetime:
        """Return the present time of the heaters."""
        return datetime.now().astimezone() if self.clock is None else self.clock.now()

    def real_seconds(self, seconds: float) -> float:
        """Convert seconds of the heaters' time to real seconds."""
        return seconds if self.clock is None else self.clock.real_seconds(seconds)


@asynccontextmanager
async def open_context(
    simulate: bool,
    speed: float = 1.0,
    no_session_file: bool = False,
    simulator: Simulator | None = None,
) -> AsyncIterator[CommandContext]:
    """Open the configured or saved account, or a simulated one: a new one, or the one given."""
    if simulate:
        log_to_stderr()
        async with simulator or import_simulator()(speed=speed) as simulator:
            async with NaviLinkClient(simulator.config) as client:
                yield CommandContext(client, simulator.clock)
        return
    config = account_config(no_session_file)
    log_to_stderr(config.log_level)
    _check_credentials(config)
    try:
        async with NaviLinkClient(config) as client:
            yield CommandContext(client)
    except TokenExpiredError as error:
        raise TokenExpiredError(f"{error}. Or: navien-nwp500 login") from error


@asynccontextmanager
async def open_device(
    simulate: bool, speed: float, device: str | None, no_session_file: bool = False
) -> AsyncIterator[tuple[CommandContext, NaviLinkDevice]]:
    """Open an account and select a heater. Raises as ``select_device``."""
    async with open_context(simulate, speed, no_session_file) as context:
        yield context, await select_device(context.client, device)


def account_config(no_session_file: bool) -> NaviLinkConfig:
    """Return the account's configuration, with its session file. Raises ConfigurationError."""
    config = load_config()
    return config if no_session_file else replace(config, session_file=session_file(config))


def _check_credentials(config: NaviLinkConfig) -> None:
    """Raise an error with advice when neither a password nor a session is available."""
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


def import_simulator() -> type[Simulator]:
    """Import the simulator. Raises ConfigurationError naming the extra it needs."""
    try:
        from ...simulator import Simulator
    except ModuleNotFoundError as error:
        raise ConfigurationError(str(error)) from error
    return Simulator


async def select_devices(client: NaviLinkClient, name: str | None) -> list[NaviLinkDevice]:
    """Return the one heater with a name or MAC address (default: configured); all without one.

    Raises DeviceError when there is none, or several match.
    """
    name = name or client.config.device_mac
    devices = await client.get_devices()
    if name is not None:
        devices = find_devices(devices, name)
        if len(devices) > 1:
            matches = ", ".join(f"{one.name} ({one.mac_address})" for one in devices)
            raise DeviceError(
                f"{name!r} matches several heaters: {matches}; give a longer name or the MAC address"
            )
    if not devices:
        raise await _missing_device(client, name)
    return devices


async def _missing_device(client: NaviLinkClient, name: str | None) -> DeviceError:
    """Return the error for no heater; it names devices of other types that were meant."""
    others = await client.get_other_devices()
    meant = others if name is None else find_devices(others, name)
    if meant:
        found = "; ".join(f"{one.name} is {one.kind.description}" for one in meant)
        start = "this account has no NWP500. " if name is None else ""
        return UnsupportedDeviceError(
            f"{start}{found}: not supported, only the NWP500 can be read and controlled"
        )
    reason = f"no heater whose name or MAC begins with {name!r}" if name else "no NWP500"
    return DeviceError(f"this account has {reason}; see: navien-nwp500 devices")


async def select_device(client: NaviLinkClient, name: str | None) -> NaviLinkDevice:
    """Return the heater with a name or MAC address, by default the first.

    Raises DeviceError when there is none, DeviceOfflineError when the cloud reports it offline.
    """
    heater = (await select_devices(client, name))[0]
    if not heater.info.online:
        raise DeviceOfflineError(heater.info.offline_text)
    return heater


async def wait_response(request: Awaitable[T]) -> T:
    """Await a request to the heater; turn its timeout into DeviceOfflineError, exit code 3."""
    try:
        return await request
    except RequestTimeoutError as error:
        raise DeviceOfflineError(str(error)) from error
