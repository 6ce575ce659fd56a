"""Recording of one account: sign in, list its heaters, watch each, and begin again after errors."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import AsyncIterator, Protocol, Sequence

from ..._util.aio import cancel_and_wait, with_timeouts
from ...client import NaviLinkClient
from ...config import NaviLinkConfig
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, InvalidCredentialsError, NaviLinkError
from ...history.alerts import Alert, AlertWatch
from ...protocol.status import DeviceStatus
from .accounts_file import FleetAccount

_LOGGER = logging.getLogger("navien_nwp500.fleet")

#: Seconds after which the heaters of an account are listed again: one may have been added.
RELIST_SECONDS = 3600.0
#: Seconds before an account that failed is tried again, doubled each time it fails up to the second.
RETRY_SECONDS = (5.0, 600.0)
#: Sign-ins that may run at a time; one takes one to two seconds.
_AT_ONCE = 10


class Put(Protocol):
    """A function that takes a status of a heater, or None when it does not answer."""

    def __call__(
        self,
        slot: int,
        mac: str,
        label: str,
        when: datetime,
        status: DeviceStatus | None,
        alerts: Sequence[Alert],
    ) -> None: ...


class SignInRateLimiter:
    """Turns to sign in, so many a second, and no more at a time than in one second, or ten.

    A takeover would otherwise sign in thousands at once. And where the cloud or this machine is slow, ever
    more would wait for each other until their time limits, and begin again.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._next = 0.0
        self._places = asyncio.Semaphore(max(_AT_ONCE, round(per_second)))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the next turn; it lasts as long as the block."""
        async with self._places:
            now = asyncio.get_running_loop().time()
            at = max(now, self._next)
            self._next = at + self._interval
            await asyncio.sleep(at - now)
            yield


@dataclass
class AccountState:
    """State of an account, for metrics: ``phase`` is one of waiting, recording, retrying, refused."""

    slot: int
    phase: str = "waiting"
    devices: dict[str, NaviLinkDevice] = field(default_factory=dict)
    missed: int = 0
    status_at: float | None = None


class AccountRecorder:
    """Recorder of one account until it is cancelled, or its credentials are refused."""

    def __init__(
        self,
        account: FleetAccount,
        config: NaviLinkConfig,
        put: Put,
        limiter: SignInRateLimiter,
        state: AccountState,
    ) -> None:
        self._account = account
        self._config = config
        self._put = put
        self._limiter = limiter
        self._state = state
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Record; return only if the password is missing or the cloud refuses it."""
        first, longest = RETRY_SECONDS
        delay = 0.0
        while True:
            try:
                await self._record()
            except (InvalidCredentialsError, ConfigurationError) as error:
                # Rejected credentials are not sent twice: the account is tried again when the file changes.
                self._state.phase = "refused"
                _LOGGER.error("account in slot %d: %s", self._account.slot, error)
                return
            except NaviLinkError as error:
                _LOGGER.warning("account in slot %d: %s", self._account.slot, error)
            except Exception:  # an error of this program with one account must not end the others
                _LOGGER.exception("account in slot %d", self._account.slot)
            delay = 0.0 if self._state.phase == "recording" else delay  # it has worked
            delay = min(max(2 * delay, first), longest)
            self._state.phase = "retrying"
            await asyncio.sleep(delay * random.uniform(0.75, 1.25))

    async def _record(self) -> None:
        password = self._account.password()
        config = replace(self._config, email=self._account.email, password=password)
        async with NaviLinkClient(config) as client:
            async with self._limiter.turn():
                devices = await client.get_devices()
                for device in devices[:1]:  # the others use its connection
                    await (await device.get_mqtt_connection()).connect()
            try:
                while True:
                    self._start_watching(devices)
                    self._state.phase = "recording"
                    await self._wait_for_failure()
                    devices = await self._list_again(client)
            finally:
                await cancel_and_wait(*self._tasks.values())
                self._tasks.clear()
                self._state.devices.clear()

    async def _list_again(self, client: NaviLinkClient) -> list[NaviLinkDevice]:
        """List the heaters; none when that fails, because those that are known go on."""
        try:
            return await client.get_devices()
        except InvalidCredentialsError:
            raise
        except NaviLinkError as error:
            _LOGGER.warning("account in slot %d: listing again: %s", self._account.slot, error)
            return []

    def _start_watching(self, devices: Sequence[NaviLinkDevice]) -> None:
        for device in devices:
            if device.mac_address not in self._tasks:
                self._state.devices[device.mac_address] = device
                self._tasks[device.mac_address] = asyncio.get_running_loop().create_task(
                    self._watch(device), name="fleet-watch"
                )

    async def _wait_for_failure(self) -> None:
        """Wait until the heaters are to be listed again. Raises the error of a watch that ended."""
        if not self._tasks:
            await asyncio.sleep(RELIST_SECONDS)
            return
        done, _ = await asyncio.wait(
            self._tasks.values(), timeout=RELIST_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def _watch(self, device: NaviLinkDevice) -> None:
        interval, alerts = self._config.polling_interval, AlertWatch()
        first_limit = self._config.answer_timeout + 5
        watch = device.watch(interval)
        statuses = with_timeouts(watch, interval + first_limit, interval + first_limit)
        loop = asyncio.get_running_loop()
        try:
            async for status in statuses:
                when = datetime.now(timezone.utc)
                if status is None:
                    self._state.missed += 1
                    found = alerts.no_response()
                else:
                    self._state.status_at = loop.time()
                    found = alerts.check(status)
                if status is not None or found:
                    mac, name = device.mac_address, device.name
                    self._put(self._account.slot, mac, name, when, status, found)
        finally:
            await statuses.aclose()
            await watch.aclose()
