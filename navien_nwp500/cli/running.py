"""How every command runs and ends: signals, logs, exit codes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, AsyncIterator, Awaitable, Coroutine, NoReturn, TypeVar

from ..client import NaviLinkClient
from ..config import NaviLinkConfig
from ..device import NaviLinkDevice
from ..exceptions import (
    AuthenticationError,
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    NaviLinkError,
    RequestTimeoutError,
)

T = TypeVar("T")

DONE, FAILED, USAGE, NO_ANSWER, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class World:
    """Where a command looks: a client, and the clock of its heaters."""

    def __init__(self, client: NaviLinkClient) -> None:
        self.client = client

    def now(self) -> datetime:
        """The time to write beside a status."""
        return datetime.now().astimezone()

    def real(self, seconds: float) -> float:
        """Seconds of ours for ``seconds`` of the heater's."""
        return seconds


@asynccontextmanager
async def world(simulate: bool, speed: float = 1.0) -> AsyncIterator[World]:
    """Open the account of the environment, or a simulated one."""
    if not simulate:
        config = NaviLinkConfig.from_environment()
        log_to_stderr(config.log_level)
        async with NaviLinkClient(config) as client:
            yield World(client)
        return
    log_to_stderr(os.environ.get("NAVILINK_LOG_LEVEL") or "INFO")
    try:
        from ..simulator import Simulator
        from .simulate import SimulatedWorld
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the simulator needs {error.name}: pip install 'navien-nwp500[simulator]'"
        ) from error
    async with Simulator(speed=speed) as simulator:
        async with NaviLinkClient(simulator.config) as client:
            yield SimulatedWorld(client, simulator)


async def choose(client: NaviLinkClient, mac: str | None) -> NaviLinkDevice:
    """The heater asked for, or the first.

    Raises DeviceError when there is none, DeviceOfflineError when the cloud knows it is away.
    """
    wanted = NaviLinkConfig(device_mac=mac).device_mac or client.config.device_mac
    found = await client.get_devices()
    if wanted is not None:
        found = [device for device in found if device.mac_address == wanted]
    if not found:
        reason = "no heater with this MAC" if wanted else "no NWP500"
        raise DeviceError(f"this account has {reason}; see: navien-nwp500 devices")
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


def run(command: Coroutine[Any, Any, None]) -> NoReturn:
    """Run a command to its exit code: the error in one sentence, no traceback."""
    try:
        code = asyncio.run(_until_stopped(command))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (NaviLinkError, OSError) as error:
        print(f"navien-nwp500: {error}", file=sys.stderr)
        code = _exit_code(error)
    sys.exit(code)


def log_to_stderr(level: str) -> None:
    """Send the library's log to stderr."""
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("navien_nwp500")
    logger.handlers = [handler]
    logger.setLevel(level.upper())


async def _until_stopped(command: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(command)
    stopped: list[int] = []

    def stop(code: int) -> None:
        stopped.append(code)
        task.cancel()

    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, DONE)):
        try:
            loop.add_signal_handler(number, stop, code)
        except NotImplementedError:
            pass  # Windows: asyncio.run turns Ctrl-C into KeyboardInterrupt
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
    return stopped[0] if stopped else DONE


def _exit_code(error: BaseException) -> int:
    if isinstance(error, AuthenticationError):
        return REFUSED
    if isinstance(error, DeviceOfflineError):
        return NO_ANSWER
    return USAGE if isinstance(error, ConfigurationError) else FAILED


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever stderr is now: a live view takes its place for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr
