"""The whole simulated world: a cloud, its broker and the heaters on it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Sequence

from .._util.aio import cancel_and_wait
from ..config import NaviLinkConfig
from ..exceptions import ConfigurationError
from ..protocol.capture import CaptureEntry
from ..protocol.messages import Address
from .clock import Clock
from .cloud.accounts import CloudAccount, HeaterRecord
from .faults.registry import Faults
from .heater.appliance import Heater
from .heater.command_handler import CONTROL_INTERVAL, CommandHandler
from .heater.firmware import Firmware
from .heater.replay import Replay, records
from .heater.water_draws import Draws
from .heater.wifi_module import WifiModule
from .server.cloud_server import Cloud

EMAIL = "user@example.com"
FIRST_MAC = 0x0123456789AB
FIRST_USER = 20002
#: The heater's day begins before the morning's showers.
START_HOUR = 5
#: How far ``advance`` goes before others have their turn.
HOUR = timedelta(hours=1)
#: A way by satellite and back is 0.6 s; more than this is an outage, seconds.
LONGEST_LATENCY = 10.0


class HeaterUnit:
    """One heater as it hangs on the wall: the machine, its Wi-Fi module, its record in the cloud."""

    def __init__(self, record: HeaterRecord, wifi: WifiModule) -> None:
        self.heater = wifi.heater
        self.record = record
        self.wifi = wifi
        self._task: asyncio.Task[None] | None = None

    async def plug_in(self, broker_port: int) -> None:
        """Go online; returns once the heater listens."""
        serving = self.wifi.serve(broker_port)
        task = asyncio.get_running_loop().create_task(
            serving, name=f"heater-{self.record.mac_address}"
        )
        self._task = task
        listening = asyncio.ensure_future(self.wifi.listening.wait())
        try:
            await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
        if task.done():
            task.result()
        self.record.connected = 2

    async def unplug(self) -> None:
        """Go offline: the cloud says so, and requests stay unanswered."""
        task, self._task = self._task, None
        self.record.connected = 1
        if task is not None:
            await cancel_and_wait(task)
            if not task.cancelled():
                task.result()


class Simulator:
    """A NaviLink cloud on loopback, with heaters.

    ::

        async with Simulator(speed=600, heaters=1) as sim:
            async with NaviLinkClient(sim.config) as client:
                ...

    With several ``accounts`` each has so many ``heaters`` of its own; they share the password, and
    ``email_of`` gives their e-mails.

    ``speed`` is seconds of the heaters' time to one of ours; ``start`` is when their clocks
    begin (default: 5 o'clock today); ``frozen`` they stand there, and only ``advance`` moves them.
    ``draws`` is the day plan of each household, None a house where nobody draws. Without
    ``pushes`` the account may not subscribe to its heaters' own topics, and the connection closes
    when it tries. With ``recirculation`` the heaters have a pump (older firmware knows none). A
    control less than ``control_interval`` seconds of the heater's time after the last is refused.
    ``latency`` is how many seconds of our time each byte between a client and the cloud is under
    way, in both directions. Tokens and keys live in our time. With ``replay``, the entries of a
    recording, the heaters are those heard in it and say again what they said then; their clocks
    begin when it did. ``broker`` is "built-in", or "iotcore" or "mosquitto" where they are
    installed. Raises ConfigurationError for a number out of range, a
    recording without heaters, or a broker that is not there.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        heaters: int = 1,
        accounts: int = 1,
        firmware: Firmware = Firmware.B,
        start: datetime | None = None,
        frozen: bool = False,
        draws: Draws | None = Draws(),
        password: str | None = None,
        pushes: bool = True,
        recirculation: bool = False,
        control_interval: float = CONTROL_INTERVAL,
        latency: float = 0.0,
        replay: Sequence[CaptureEntry] = (),
        broker: str | None = None,
        seed: int = 0,
    ) -> None:
        _check(heaters, accounts, control_interval, latency)
        if replay:
            if (heaters, accounts) != (1, 1):
                raise ConfigurationError("a recording brings its own heaters, of one account")
            found = records(replay)
            heaters, start = len(found), start or replay[0].time
        else:
            found = [_record(number, firmware) for number in range(accounts * heaters)]
        today = datetime.now().astimezone()
        morning = today.replace(hour=START_HOUR, minute=0, second=0, microsecond=0)
        self.clock = Clock(start or morning, speed, frozen=frozen)
        password = password or secrets.token_urlsafe(12)
        owners = [
            CloudAccount(
                email_of(number),
                password,
                found[number * heaters : (number + 1) * heaters],
                user_seq=FIRST_USER + number,
                pushes=pushes,
            )
            for number in range(accounts)
        ]
        self.account = owners[0]
        self.units: Sequence[HeaterUnit] = [
            (
                _replayed(record, self.clock, seed + number, replay)
                if replay
                else _unit(
                    record,
                    self.clock,
                    control_interval,
                    seed + number,
                    firmware=firmware,
                    recirculation=recirculation,
                    draws=draws,
                )
            )
            for number, record in enumerate(found)
        ]
        self.cloud = Cloud(owners, latency=latency, broker=broker)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Simulator:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.cloud)
            for unit in self.units:
                stack.push_async_callback(unit.unplug)
                await unit.plug_in(self.cloud.broker_port)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def config(self) -> NaviLinkConfig:
        """What a client of this cloud needs, ready for ``NaviLinkClient``."""
        return NaviLinkConfig(
            email=self.account.email,
            password=self.account.password,
            base_url=self.cloud.base_url,
            websocket_url=self.cloud.websocket_url,
            ca_file=self.cloud.ca_file,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables, for a program in another process."""
        return {
            "NAVILINK_BASE_URL": self.cloud.base_url,
            "NAVILINK_WEBSOCKET_URL": self.cloud.websocket_url,
            "NAVILINK_CA_FILE": str(self.cloud.ca_file),
            "NAVILINK_EMAIL": self.account.email,
            "NAVILINK_PASSWORD": self.account.password,
        }

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong, on purpose."""
        return self.cloud.faults

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Put the heaters' clocks forward, and bring the heaters there at once.

        What they push on the way comes in its order. A day of one heater takes a second of ours.
        Raises ConfigurationError for a way back.
        """
        left = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        while True:
            step = min(left, HOUR)
            self.clock.move(step)
            for unit in self.units:
                unit.wifi.catch_up()
            left -= step
            await asyncio.sleep(0)
            if not left:
                return

    async def unplug(self, number: int = 0) -> None:
        """Take a heater off the net."""
        await self.units[number].unplug()

    async def plug_in(self, number: int = 0) -> None:
        """Put a heater on the net again."""
        await self.units[number].plug_in(self.cloud.broker_port)


def _check(heaters: int, accounts: int, control_interval: float, latency: float) -> None:
    if not 1 <= heaters <= 10_000:
        raise ConfigurationError(f"heaters is {heaters}; it may be 1 to 10000")
    if not 1 <= accounts * heaters <= 10_000:
        raise ConfigurationError(f"accounts is {accounts}; with their heaters 1 to 10000")
    if not control_interval >= 0:
        raise ConfigurationError(f"control_interval is {control_interval}; it may be 0 or more")
    if not 0 <= latency <= LONGEST_LATENCY:
        raise ConfigurationError(f"latency is {latency}; it may be 0 to {LONGEST_LATENCY} s")


def email_of(account: int) -> str:
    """The e-mail of an account by its number, from 0."""
    return EMAIL if account == 0 else EMAIL.replace("@", f"{account + 1}@")


def _unit(
    record: HeaterRecord, clock: Clock, control_interval: float, seed: int, **equipment: Any
) -> HeaterUnit:
    heater = Heater(now=clock.now(), serial=record.controller_serial, seed=seed, **equipment)
    address = _address(record)
    controls = CommandHandler(heater, address, control_interval=control_interval, seed=seed)
    return HeaterUnit(record, WifiModule(heater, controls, address, clock, seed=seed))


def _replayed(
    record: HeaterRecord, clock: Clock, seed: int, entries: Sequence[CaptureEntry]
) -> HeaterUnit:
    address = _address(record)
    replay = Replay(entries, address, clock.now())
    return HeaterUnit(record, WifiModule(replay, replay, address, clock, seed=seed))


def _record(number: int, firmware: Firmware) -> HeaterRecord:
    return HeaterRecord(
        mac_address=f"{FIRST_MAC + number:012x}",
        device_name="NWP500" if number == 0 else f"NWP500 {number + 1}",
        controller_serial=f"12345678AB{12345678 + number}",
        controller_version=firmware.value,
    )


def _address(record: HeaterRecord) -> Address:
    return Address(record.mac_address, record.additional_value, record.home_seq)
