"""A heater's record in the cloud: what REST knows of it, also when it is away."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence

from ._connection.command_sender import CommandSender
from ._connection.pool import ConnectionPool
from ._connection.schedule_writer import ScheduleWriter
from .auth import NaviLinkAuth
from .config import NaviLinkConfig, ReconnectConfig
from .exceptions import (
    DeviceOfflineError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
    ValueOutOfRangeError,
)
from .models import Health
from .mqtt import NaviLinkMQTT
from .protocol import commands
from .protocol.account import DeviceInfo, FirmwareInfo
from .protocol.commands import DIAGNOSTICS, DOWNLOADED_SOFTWARE, Command
from .protocol.energy import EnergyHistory
from .protocol.features import DeviceFeatures
from .protocol.fields import decode_fields, require_list, require_object
from .protocol.messages import DEVICE_TYPE, Address
from .protocol.redaction import logger
from .protocol.schedules import (
    RecirculationEntry,
    RecirculationProgram,
    Reservation,
    ReservationProgram,
)
from .protocol.status import DeviceStatus
from .protocol.tou import TOUInfo, TOUPeriod, decode_tou
from .protocol.types import DhwControl, DHWMode, HalfCelsius, RecircMode

_LOGGER = logger(__name__)


class Record:
    """One heater of the account in the cloud. ``info`` is what was last heard of it."""

    def __init__(self, info: DeviceInfo, auth: NaviLinkAuth) -> None:
        self.info = info
        self.address = _address(info)
        self.auth = auth

    @property
    def name(self) -> str:
        """The owner's name for the heater."""
        return self.info.device_name or "NWP500"

    async def refresh(self) -> DeviceInfo:
        """Ask the cloud again."""
        info = parse_info(await self.post("/device/info"))
        # The answer names neither (protocol 1.8).
        self.info = replace(
            info,
            mac_address=self.address.mac_address,
            additional_value=self.address.additional_value,
        )
        return self.info

    async def post(self, path: str) -> Any:
        """Make a call about this heater; returns the ``data`` of the answer."""
        body = {
            "macAddress": self.address.mac_address,
            "additionalValue": self.address.additional_value,
            "userId": self.auth.user_id,
        }
        return await self.auth.call("POST", path, body=body)

    @asynccontextmanager
    async def silence_explained(self) -> AsyncIterator[None]:
        """Turn the heater's silence inside into DeviceOfflineError when the cloud has lost it."""
        try:
            yield
        except RequestTimeoutError as error:
            if await self._is_away():
                raise DeviceOfflineError(
                    f"{self.name} is offline: the cloud has lost it. Check its power and its Wi-Fi"
                ) from error
            raise

    async def _is_away(self) -> bool:
        try:
            return not (await self.refresh()).online
        except NaviLinkError as error:
            _LOGGER.debug("%s: cannot ask whether it is online: %s", self.address, error)
            return False


def parse_info(data: Any) -> DeviceInfo:
    """Decode a heater's record of REST: its two inner objects as one. Raises ProtocolError."""
    if not isinstance(data, dict) or not isinstance(data.get("deviceInfo"), dict):
        raise ProtocolError("a heater's record holds no deviceInfo")
    location = data.get("location")
    return decode_fields(
        DeviceInfo, {**data["deviceInfo"], **(location if isinstance(location, dict) else {})}
    )


def _address(info: DeviceInfo) -> Address:
    if info.mac_address is None or info.additional_value is None:
        raise ProtocolError("/device/list: a heater without macAddress or additionalValue")
    device_type = DEVICE_TYPE if info.device_type is None else info.device_type
    mac = info.mac_address.lower()
    return Address(mac, info.additional_value, info.home_seq or 0, device_type)


class DeviceReadings:
    """A heater of the account as far as it can be read. ``NaviLinkDevice`` adds the writing."""

    def __init__(
        self, info: DeviceInfo, auth: NaviLinkAuth, exchange: ConnectionPool, config: NaviLinkConfig
    ) -> None:
        self._record = Record(info, auth)
        self._exchange = exchange
        self._config = config
        self._line = NaviLinkMQTT(exchange, self._record.address)
        self._control = CommandSender(self._line, self._record, config)
        self._programs = ScheduleWriter(self._control)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """The owner's name for it."""
        return self._record.name

    @property
    def info(self) -> DeviceInfo:
        """What the cloud last said of it; ``get_info()`` asks again."""
        return self._record.info

    @property
    def address(self) -> Address:
        """How requests and topics name it."""
        return self._record.address

    @property
    def mac_address(self) -> str:
        """Its MAC address, 12 lower-case hex digits."""
        return self.address.mac_address

    @property
    def device_type(self) -> int:
        """52 for the NWP500."""
        return self.address.device_type

    @property
    def last_status(self) -> DeviceStatus | None:
        """The newest status heard from it, whoever asked; None before the first."""
        return self._line.last_status

    @property
    def health(self) -> Health:
        """How its line is doing: state, since when, last status, counts."""
        return self._line.health

    def watch_health(self) -> AsyncGenerator[Health, None]:
        """Yield the health now, and again at each change of state. Runs until left."""
        return self._line.watch_health()

    def update(self, info: DeviceInfo) -> None:
        """Take what the cloud's list says of it now."""
        self._record.info = info

    # What the cloud knows

    async def get_info(self) -> DeviceInfo:
        """Ask the cloud about the heater. Raises APIError and what else REST raises."""
        return await self._record.refresh()

    async def get_firmware_info(self) -> list[FirmwareInfo]:
        """Ask for the firmware of each component. Raises APIError and what else REST raises."""
        data = await self._record.post("/device/firmware/info")
        return [decode_fields(FirmwareInfo, entry) for entry in require_list(data, "firmwares")]

    async def get_tou_info(self) -> TOUInfo:
        """Ask for the time-of-use plan stored in the cloud.

        The heater's serial is asked for first (protocol 1.11). Raises APIError, and
        DeviceOfflineError when the heater is not there to tell its serial.
        """
        features = await self.get_features()
        auth = self._record.auth
        query = {
            "additionalValue": self.address.additional_value,
            "controllerId": features.controller_serial_number or "",
            "macAddress": self.address.mac_address,
            "userId": auth.user_id,
            "userType": (auth.user.user_type if auth.user else None) or "O",
        }
        return decode_tou(await auth.call("GET", "/device/tou", query=query))

    async def get_connectivity_status(self) -> dict[str, int]:
        """Ask whether the heater is there: ``{"device_connected": n}``.

        0 offline, 1 online, 2 online and answering over MQTT on this client's connection. Asked
        of ``/device/info``, because ``/device/connectivity-status`` answers 403 in the field. An
        error is raised, never taken for "connected".
        """
        if not (await self.get_info()).online:
            return {"device_connected": 0}
        return {"device_connected": 2 if self._line.answering else 1}

    # What the heater says

    async def get_status(self) -> DeviceStatus:
        """Ask the heater for its status.

        Raises DeviceOfflineError when it does not answer and the cloud knows it is offline,
        RequestTimeoutError when it does not answer though it is online, CommunicationError when
        the line drops.
        """
        return await self._control.status()

    async def get_features(self) -> DeviceFeatures:
        """Ask the heater what it has and allows. Raises as ``get_status``."""
        return await self._control.ask_features()

    async def get_reservations(self) -> ReservationProgram:
        """Ask for the timed reservations the heater keeps. Raises as ``get_status``."""
        return await self._programs.reservations()

    async def get_recirculation_schedule(self) -> RecirculationProgram:
        """Ask for the recirculation schedule; UnsupportedCommandError without a pump."""
        return await self._programs.recirculation()

    async def get_energy_daily(self, year: int, *months: int) -> EnergyHistory:
        """Ask what each day of some months of one year took, Wh and hours.

        The heater serves years 2000 to 2099; days ahead are zeros. ``total`` is its lifetime, not
        the sum (protocol 8.6). Raises ValueOutOfRangeError, and as ``get_status``.
        """
        return await self._programs.energy_daily(year, months)

    async def get_energy_monthly(self, *years: int) -> EnergyHistory:
        """Ask what each month of some years took. Otherwise as ``get_energy_daily``."""
        return await self._programs.energy_monthly(years)

    async def get_diagnostics(self) -> Mapping[str, Any]:
        """Ask for the lifetime counters, keys spelled as the heater does (protocol 8.13)."""
        return require_object((await self._control.ask(DIAGNOSTICS)).body.get("data"), "data")

    async def get_downloaded_software(self) -> list[Mapping[str, Any]]:
        """Ask which firmware waits to be installed; empty when none does (protocol 8.11)."""
        body = (await self._control.ask(DOWNLOADED_SOFTWARE)).body
        entries = [
            require_object(e, "downloadSwInfo") for e in require_list(body, "downloadSwInfo")
        ]
        return [entry for entry in entries if any(entry.values())]

    def watch(self, interval: float | None = None) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: polled every ``interval`` seconds (default: configured), and pushes.

        ::

            async for status in device.watch(interval=300):
                print(status.dhw_charge_percent)

        Runs until left. A gap is all one sees of an outage. Raises when the first connect fails,
        or when the connection is given up.
        """
        return self._line.watch(self._config.polling_interval if interval is None else interval)

    async def get_mqtt_connection(
        self, reconnect_config: ReconnectConfig | None = None
    ) -> NaviLinkMQTT:
        """The heater's line on the client's one connection; ``connect()`` it before use.

        ``reconnect_config`` rules how the shared connection is sought again from now on.
        """
        if reconnect_config is not None:
            self._exchange.reconnect = reconnect_config
        return self._line


#: Numbers an early design called modes, and what was meant.
_EARLY_MODES = {32: DHWMode.HEAT_PUMP, 33: DHWMode.ELECTRIC, 34: DHWMode.ENERGY_SAVER}
_CHOOSABLE = (DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


class NaviLinkDevice(DeviceReadings):
    """A heater of the account, made by ``NaviLinkClient.get_devices()``."""

    async def control(
        self, command: Command, *, force: bool = False, dry_run: bool = False, **values: int
    ) -> DeviceStatus:
        """Send any control of ``navien_nwp500.commands``, its parameters by name, as raw integers.

        The methods below name the same for people: ``control(commands.TEMPERATURE, temperature=98)``
        is ``set_temperature(celsius=49)``.
        """
        taken = [entry.name for entry in command.parameters]
        if not command.controls:
            raise ValueOutOfRangeError(
                f"{command.name} is no single wish; the device has a method for it"
            )
        if sorted(taken) != sorted(values):
            raise ValueOutOfRangeError(
                f"{command.name} takes {', '.join(taken) or 'nothing'}; given were "
                f"{', '.join(values) or 'nothing'}"
            )
        typed = {
            one.name: one.codec(_whole(one.name, values[one.name])) for one in command.parameters
        }
        return await self._control.set(command, force=force, dry_run=dry_run, **typed)

    async def turn_on(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Switch the heater on, into the mode it had before it was switched off."""
        return await self.control(commands.POWER_ON, force=force, dry_run=dry_run)

    async def turn_off(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Switch the heater off; freeze protection stays."""
        return await self.control(commands.POWER_OFF, force=force, dry_run=dry_run)

    async def set_dhw_mode(
        self, mode: DHWMode, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Choose what heats: DHWMode.HEAT_PUMP, ELECTRIC, ENERGY_SAVER or HIGH_DEMAND.

        Inside a time-of-use window the heater holds the last three until the window ends; the
        answer then has ``held_mode``. Electric reverts by itself after 72 h (documents).
        """
        chosen = _mode(mode)
        return await self.control(commands.DHW_MODE, force=force, dry_run=dry_run, mode=chosen)

    async def set_temperature(
        self,
        *,
        fahrenheit: float | None = None,
        celsius: float | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> DeviceStatus:
        """Set the water temperature, in exactly one unit, to the nearest step of the heater.

        A step is 0.5 degC (0.9 degF): 120 degF becomes 49.0 degC, 120.2 degF; what was set is in
        the answer. The limits are the heater's own, about 40.5 to 65.5 degC.
        """
        features = await self._control.features()
        whole = features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE
        wanted = _temperature(fahrenheit, celsius, whole)
        return await self.control(
            commands.TEMPERATURE, force=force, dry_run=dry_run, temperature=wanted
        )

    async def start_vacation(
        self, *, days: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Heat nothing for 1 to 99 days; any other mode ends it, and heating starts afresh."""
        return await self.control(commands.VACATION, force=force, dry_run=dry_run, days=days)

    async def set_vacation_days(
        self, *, days: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Set the days of a vacation, 1 to 99, without starting one."""
        return await self.control(commands.VACATION_DAYS, force=force, dry_run=dry_run, days=days)

    async def set_anti_legionella(
        self, *, days: int | None, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Disinfect the tank every 1 to 30 days; None stops it and keeps the period."""
        if days is None:
            return await self.control(commands.ANTI_LEGIONELLA_OFF, force=force, dry_run=dry_run)
        return await self.control(
            commands.ANTI_LEGIONELLA_ON, force=force, dry_run=dry_run, days=days
        )

    async def set_demand_response(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Obey demand-response signals or not. No status field shows it: only acknowledged."""
        command = commands.DEMAND_RESPONSE_ON if on else commands.DEMAND_RESPONSE_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def set_tou(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Follow the time-of-use plan or not; the plan is kept."""
        command = commands.TOU_ON if on else commands.TOU_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def set_intelligent(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Switch intelligent operation. No status field shows it: only acknowledged."""
        command = commands.INTELLIGENT_ON if on else commands.INTELLIGENT_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def follow_water_program(
        self, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Follow the reservation program ("water program" of the app): only acknowledged."""
        return await self.control(commands.WATER_PROGRAM, force=force, dry_run=dry_run)

    async def reset_air_filter(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Count the fan hours of the air filter from 0 again, after cleaning it."""
        return await self.control(commands.AIR_FILTER_RESET, force=force, dry_run=dry_run)

    async def set_air_filter_life(
        self, *, hours: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Remind of the air filter after 1000 to 10000 fan hours in steps of 500; 0 never."""
        return await self.control(
            commands.AIR_FILTER_LIFE, force=force, dry_run=dry_run, hours=hours
        )

    async def reset_condenser_fault(
        self, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Clear a condenser fault: an installer's function, its effect on a real fault untested."""
        return await self.control(commands.RESET_CONDENSER_FAULT, force=force, dry_run=dry_run)

    async def set_recirculation_mode(
        self, mode: RecircMode, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Choose how recirculation runs: RecircMode.ALWAYS, WEEKLY, HOT_BUTTON or NONE."""
        return await self.control(commands.RECIRC_MODE, force=force, dry_run=dry_run, mode=mode)

    async def press_hot_button(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Start recirculation once: only acknowledged."""
        return await self.control(commands.RECIRC_HOT_BUTTON, force=force, dry_run=dry_run)

    # Lists: a write replaces the whole, so a change reads first and is confirmed by reading again

    async def set_reservations(
        self, reservations: Iterable[Reservation], *, enabled: bool = True, dry_run: bool = False
    ) -> ReservationProgram:
        """Replace all reservations; returns them as read back. An empty list clears them."""
        wanted = tuple(reservations)
        return await self._programs.change_reservations(
            lambda _: wanted, enabled=enabled, dry_run=dry_run
        )

    async def enable_reservations(self, on: bool, *, dry_run: bool = False) -> ReservationProgram:
        """Follow the reservations or not; all are kept."""
        return await self._programs.change_reservations(
            lambda before: before, enabled=on, dry_run=dry_run
        )

    async def add_reservation(
        self, reservation: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Add one and keep the others; returns all as read back."""
        return await self._programs.change_reservations(
            lambda before: [*before, reservation], dry_run=dry_run
        )

    async def remove_reservation(
        self, reservation: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Remove one and keep the others. Raises ValueOutOfRangeError when it is not there."""
        return await self._programs.change_reservations(
            lambda before: _without(before, reservation), dry_run=dry_run
        )

    async def update_reservation(
        self, old: Reservation, new: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Put ``new`` in the place of ``old``. Raises ValueOutOfRangeError when it is not there."""
        return await self._programs.change_reservations(
            lambda before: [*_without(before, old), new], dry_run=dry_run
        )

    async def set_recirculation_schedule(
        self, entries: Iterable[RecirculationEntry], *, enabled: bool = True, dry_run: bool = False
    ) -> RecirculationProgram:
        """Replace the recirculation schedule, at most 20 entries; returns it as read back."""
        return await self._programs.write_recirculation(enabled, entries, dry_run=dry_run)

    async def set_tou_schedule(
        self, periods: Sequence[TOUPeriod], *, enabled: bool = True, dry_run: bool = False
    ) -> Mapping[str, Any]:
        """Replace the time-of-use plan in the heater; returns what was sent.

        The periods must cover every minute of every day of the year once; a gap or an overlap is
        named by ValueOutOfRangeError before anything is sent. The cloud's own copy, which
        ``get_tou_info`` reads, stays as it is (protocol 1.10).
        """
        return await self._programs.write_tou(periods, enabled=enabled, dry_run=dry_run)


def _mode(mode: Any) -> DHWMode:
    choices = ", ".join(f"DHWMode.{choice.name} ({int(choice)})" for choice in _CHOOSABLE)
    if isinstance(mode, int) and not isinstance(mode, bool):
        if mode in _CHOOSABLE:
            return DHWMode(mode)
        if mode in _EARLY_MODES:
            meant = _EARLY_MODES[mode]
            raise ValueOutOfRangeError(
                f"{int(mode)} is a number of an early design; DHWMode.{meant.name} is {int(meant)}. "
                f"The modes are {choices}"
            )
        if mode == DHWMode.VACATION:
            raise ValueOutOfRangeError("vacation needs its days: start_vacation(days=…)")
        if mode in (DHWMode.STANDBY, DHWMode.POWER_OFF):
            raise ValueOutOfRangeError(
                f"{int(mode)} cannot be chosen: to switch the heater off use turn_off(). The modes "
                f"are {choices}"
            )
    raise ValueOutOfRangeError(f"{mode!r} is no mode; the modes are {choices}")


def _temperature(fahrenheit: float | None, celsius: float | None, whole: bool) -> HalfCelsius:
    if (fahrenheit is None) == (celsius is None):
        raise ValueOutOfRangeError("give the temperature once: fahrenheit=… or celsius=…")
    value = fahrenheit if celsius is None else celsius
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or value is None or not math.isfinite(value) or abs(value) > 1000:
        raise ValueOutOfRangeError(f"{value!r} is no temperature")
    degrees = value if fahrenheit is None else (value - 32) / 1.8
    return HalfCelsius.from_celsius(round(degrees) if whole else degrees)


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueOutOfRangeError(f"{name} is {value!r}; it must be a whole number")
    return value


def _without(before: Sequence[Reservation], reservation: Reservation) -> list[Reservation]:
    left = list(before)
    if reservation not in left:
        raise ValueOutOfRangeError(
            "this reservation is not among those the heater keeps; read them with "
            "get_reservations() and give one of them"
        )
    left.remove(reservation)
    return left
