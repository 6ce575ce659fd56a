"""The simulator: a cloud, its broker and the heaters connected to it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Iterator, Sequence

from .._util.aio import LatestValue, cancel_and_wait
from .._util.numbers import DAY, is_within, shown
from ..config import NaviLinkConfig
from ..exceptions import ConfigurationError
from ..protocol.capture import CaptureEntry
from ..protocol.messages import Address
from ..protocol.types import HalfCelsius
from .clock import Clock
from .cloud.accounts import CloudAccount, HeaterRecord
from .cloud.counters import Counters
from .faults import FaultInjector, RequestHandler
from .heater.command_handler import CONTROL_INTERVAL, CommandHandler
from .heater.firmware import Firmware
from .heater.replay import Replay, captured_heaters
from .heater.simulated_heater import Heater
from .heater.water_draws import Draws
from .heater.wifi_module import SteppedHeater, WifiModule
from .saved_state import SavedState, StateFile, describe, restore
from .server.cloud_server import CloudServer

EMAIL = "user@example.com"
FIRST_MAC = 0x0123456789AB
FIRST_OTHER_MAC = 0x0223456789AB
FIRST_USER = 20002
#: The simulation starts before the morning's showers.
START_HOUR = 5
#: Step of ``advance``, after which other tasks may run.
HOUR = timedelta(hours=1)
#: Seconds. A round trip by satellite takes 0.6 s; more than this would be an outage.
MAX_LATENCY = 10.0


class HeaterUnit:
    """One heater with its Wi-Fi module and its record in the cloud."""

    def __init__(self, record: HeaterRecord, wifi: WifiModule) -> None:
        self.heater = wifi.heater
        self.record = record
        self.wifi = wifi
        self._task: asyncio.Task[None] | None = None

    async def plug_in(self, broker_port: int) -> None:
        """Connect to the broker, and return once the heater has subscribed."""
        name = f"heater-{self.record.mac_address}"
        self._task = task = asyncio.create_task(self.wifi.serve(broker_port), name=name)
        subscribed = asyncio.ensure_future(self.wifi.subscribed.wait())
        try:
            await asyncio.wait({task, subscribed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            subscribed.cancel()
        if task.done():
            task.result()
        self.record.connected = 2

    async def unplug(self) -> None:
        """Disconnect: the cloud reports the heater offline, and requests get no response."""
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

    - ``speed``: seconds of the heaters' time in one real second, above 0, at most 86400.
    - ``heaters``: number of heaters of each account; ``accounts``: number of accounts. They share
      the ``password``; ``email_of`` returns their e-mails. At most 10000 heaters in all.
    - ``min_setpoint``: the installer's lowest setpoint of the heaters, 70 to 90 half degrees
      Celsius; it does not depend on the ``firmware``.
    - ``start``: first time of the heaters' clocks, by default 5 o'clock today. With ``frozen`` they
      stop there, and only ``advance`` moves them.
    - ``draws``: the water used each day; None for no water at all.
    - ``pushes``: False for an account that may not subscribe to its heaters' topics: its
      connection closes when it tries.
    - ``user_type``: role in the account: O owner, M member, I installer.
    - ``other_devices``: types of the other devices of each account, such as 1 for a tankless unit;
      they are in its list, and offline. With them ``heaters`` may be 0.
    - ``recirculation``: the heaters have a recirculation pump, which older firmware does not know.
    - ``control_interval``: seconds of the heaters' time between two control commands; an earlier
      command is rejected.
    - ``latency``: real seconds that each byte between client and cloud takes, in each direction, at
      most 10. Tokens and AWS keys expire in real time too.
    - ``refresh_token_reuse``: False for refresh tokens that serve once, which is stricter than the
      recorded cloud: a test whether clients that share a session share its refresh too.
    - ``replay``: the entries of a capture. Its heaters repeat what they sent, instead of simulated
      ones; their clocks start when the capture did.
    - ``broker``: "built-in", or "iotcore" or "mosquitto" where they are installed.
    - ``state``: a file that keeps port, certificates, password, tokens, clock and heaters, so that
      clients survive a restart. It is read first, if it exists, and written when tokens change and
      at the end; the certificate for clients is beside it. ``password`` and ``start`` win over it.

    Raises ConfigurationError for a number out of range, a capture without heaters, a broker that
    is not installed, or a ``state`` of another kind or whose port is in use.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        heaters: int = 1,
        accounts: int = 1,
        firmware: Firmware = Firmware.B,
        min_setpoint: HalfCelsius = HalfCelsius(81),
        start: datetime | None = None,
        frozen: bool = False,
        draws: Draws | None = Draws(),
        password: str | None = None,
        pushes: bool = True,
        user_type: str = "O",
        other_devices: Sequence[int] = (),
        recirculation: bool = False,
        control_interval: float = CONTROL_INTERVAL,
        latency: float = 0.0,
        refresh_token_reuse: bool = True,
        replay: Sequence[CaptureEntry] = (),
        broker: str | None = None,
        state: Path | None = None,
        seed: int = 0,
    ) -> None:
        _check(heaters, accounts, control_interval, latency, min(len(other_devices), 1))
        _check_replay(replay, heaters, accounts)
        records = [_record(number, firmware) for number in range(accounts * heaters)]
        if replay:
            records, start = captured_heaters(replay), start or replay[0].time
        self._state_file = None if state is None else StateFile(state)
        saved = None if self._state_file is None else self._state_file.read()
        if saved is not None:
            start, password = start or saved.time, password or saved.password
        self.clock = Clock(start or _this_morning(), speed, frozen=frozen)
        owners = _accounts(accounts, password, records, other_devices, user_type, pushes)
        self.account = owners[0]
        #: Wakes the task that saves the state.
        self._issued: LatestValue[bool] = LatestValue()
        self._cloud = CloudServer(
            owners,
            latency=latency,
            broker=broker,
            refresh_token_reuse=refresh_token_reuse,
            on_issued=lambda: self._issued.put(True),
            **_saved_options(self._state_file, saved),
        )
        options = {
            "firmware": firmware,
            "min_setpoint": min_setpoint,
            "recirculation": recirculation,
            "draws": draws,
        }
        self.units: Sequence[HeaterUnit] = [
            self._unit(record, seed + number, replay, control_interval, **options)
            for number, record in enumerate(records)
        ]
        if saved is not None and self._state_file is not None:
            with self._state_file.explain_damage():
                self._restore(saved)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Simulator:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._cloud)
            for unit in self.units:
                stack.push_async_callback(unit.unplug)
                await unit.plug_in(self._cloud.broker_port)
            if self._state_file is not None:
                saving = self._state_file.saving(self._snapshot, self._issued)
                await stack.enter_async_context(saving)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def config(self) -> NaviLinkConfig:
        """Return the configuration for a ``NaviLinkClient`` of this cloud."""
        return NaviLinkConfig(
            email=self.account.email,
            password=self.account.password,
            base_url=self._cloud.base_url,
            websocket_url=self._cloud.websocket_url,
            ca_file=self._cloud.ca_file,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the configuration as environment variables, for another process."""
        return {
            "NAVILINK_BASE_URL": self._cloud.base_url,
            "NAVILINK_WEBSOCKET_URL": self._cloud.websocket_url,
            "NAVILINK_CA_FILE": str(self._cloud.ca_file),
            "NAVILINK_EMAIL": self.account.email,
            "NAVILINK_PASSWORD": self.account.password,
        }

    @property
    def faults(self) -> FaultInjector:
        """Return the object that injects and clears faults."""
        return self._cloud.faults

    @property
    def counters(self) -> Counters:
        """Return the counters of what clients did."""
        return self._cloud.counters

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the heaters' clocks forward and simulate the time between at once.

        Status pushes of that time are sent in their order. A day of one heater takes about a real
        second. Raise ConfigurationError for a negative time.
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

    def set_error(self, code: int, sub_code: int = 0, *, number: int = 0) -> None:
        """Let a simulated heater report an error code; 0 ends it.

        The cloud keeps the last one (PROTOCOL 1.7). Raise ConfigurationError for a replayed heater.
        """
        unit = self.units[number]
        if not isinstance(unit.heater, Heater):
            raise ConfigurationError("a replayed heater repeats what was captured")
        unit.heater.set_error_code(code, sub_code)
        if code:
            unit.record.error_code = code
            unit.record.error_time = unit.heater.now.isoformat(timespec="milliseconds")

    async def unplug(self, number: int = 0) -> None:
        """Disconnect a heater from the cloud."""
        await self.units[number].unplug()

    async def plug_in(self, number: int = 0) -> None:
        """Connect a heater to the cloud again."""
        await self.units[number].plug_in(self._cloud.broker_port)

    def _snapshot(self) -> SavedState:
        """Return the present state for the file."""
        return SavedState(
            self._cloud.port,
            self.account.password,
            self._cloud.certificates,
            self.clock.now(),
            self._cloud.book.to_json(),
            {one.record.mac_address: describe(one.record, one.heater) for one in self.units},
        )

    def _restore(self, saved: SavedState) -> None:
        self._cloud.book.restore(saved.tokens)
        for unit in self.units:
            if unit.record.mac_address in saved.heaters:
                restore(unit.record, unit.heater, saved.heaters[unit.record.mac_address])

    def _unit(
        self,
        record: HeaterRecord,
        seed: int,
        replay: Sequence[CaptureEntry],
        control_interval: float,
        **options: Any,
    ) -> HeaterUnit:
        address = Address(record.mac_address, record.additional_value, record.home_seq)
        now = self.clock.now()
        heater: SteppedHeater
        handler: RequestHandler
        if replay:
            heater = handler = Replay(replay, address, now)
        else:
            heater = Heater(now=now, serial=record.controller_serial, seed=seed, **options)
            handler = CommandHandler(heater, address, control_interval=control_interval, seed=seed)
        execute = partial(self.faults.execute, handler=handler)
        return HeaterUnit(record, WifiModule(heater, execute, address, self.clock, seed=seed))


def _check(
    heaters: int, accounts: int, control_interval: float, latency: float, others: int
) -> None:
    if not isinstance(heaters, int) or not is_within(heaters, 1 - others, 10_000):
        raise ConfigurationError(f"heaters is {shown(heaters)}; it must be 1 to 10000")
    most = 10_000 // max(heaters, others)
    if not isinstance(accounts, int) or not is_within(accounts, 1, most):
        raise ConfigurationError(
            f"accounts is {shown(accounts)}; all their heaters must be 1 to 10000"
        )
    if not is_within(control_interval, 0, DAY):
        raise ConfigurationError(
            f"control_interval is {shown(control_interval)}; it must be 0 to {DAY}"
        )
    if not is_within(latency, 0, MAX_LATENCY):
        raise ConfigurationError(f"latency is {shown(latency)}; it must be 0 to {MAX_LATENCY} s")


def _check_replay(replay: Sequence[CaptureEntry], heaters: int, accounts: int) -> None:
    if replay and (heaters, accounts) != (1, 1):
        raise ConfigurationError(
            "a replayed capture has its own heaters and one account; give neither"
        )


def email_of(account: int) -> str:
    """Return the e-mail of an account by its number, from 0."""
    return EMAIL if account == 0 else EMAIL.replace("@", f"{account + 1}@")


def _record(number: int, firmware: Firmware) -> HeaterRecord:
    return HeaterRecord(
        mac_address=f"{FIRST_MAC + number:012x}",
        device_name="NWP500" if number == 0 else f"NWP500 {number + 1}",
        controller_serial=f"12345678AB{12345678 + number}",
        controller_version=firmware.value,
    )


def _accounts(
    count: int,
    password: str | None,
    records: Sequence[HeaterRecord],
    other_types: Sequence[int],
    user_type: str,
    pushes: bool,
) -> list[CloudAccount]:
    """Return accounts that have equal parts of the heaters, and other devices each.

    A password that is None is chosen at random.
    """
    password = password or secrets.token_urlsafe(12)
    size = len(records) // count
    return [
        CloudAccount(
            email_of(number),
            password,
            [
                *records[number * size : (number + 1) * size],
                *_others(number * len(other_types), other_types),
            ],
            user_seq=FIRST_USER + number,
            user_type=user_type,
            pushes=pushes,
        )
        for number in range(count)
    ]


def _saved_options(file: StateFile | None, saved: SavedState | None) -> dict[str, Any]:
    """Return the arguments of the server that a saved state keeps over a restart."""
    options: dict[str, Any] = {} if file is None else {"ca_file": file.ca_file}
    if saved is not None:
        options.update(port=saved.port, certificates=saved.certificates)
    return options


def _this_morning() -> datetime:
    today = datetime.now().astimezone()
    return today.replace(hour=START_HOUR, minute=0, second=0, microsecond=0)


def _others(first: int, types: Sequence[int]) -> Iterator[HeaterRecord]:
    for number, device_type in enumerate(types, first):
        yield HeaterRecord(
            mac_address=f"{FIRST_OTHER_MAC + number:012x}",
            device_name=f"Device {number + 1}",
            device_type=device_type,
            connected=1,
        )
