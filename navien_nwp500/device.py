"""One heater: read its state, control it, watch it.

Every control (setpoint, mode, power and the like) makes the heater re-evaluate its demand and may
start the compressor or an element (PROTOCOL 9.12); writing a list starts nothing (PROTOCOL 8.3). So
a setting that already has the wanted value is not sent (``force=True`` sends it), nothing is
repeated, commands are spaced by ``NaviLinkConfig.command_interval`` seconds, and nothing is queued
across a lost connection.

Every command returns the status with which the heater confirms it, and raises

- UnsupportedCommandError or ValueOutOfRangeError, before anything is sent, according to the
  features of this heater,
- CommandRejectedError when the heater refused, or does not show the requested state in its
  response nor later: a control is looked at once more after ``control_recheck_delay`` seconds, a list
  is read back up to three times, every ``list_recheck_interval`` seconds,
- CommandTooSoonError, a kind of it, when the heater refused for the command before was too recent,
  and for a command within ``refusal_pause`` seconds of that which would wait too long,
- RequestTimeoutError without a response: the command may still take effect, check the status,
- CommandUnconfirmedError when the response cannot be read: as above,
- CommunicationError when the connection dropped: as above,
- ConfigurationError for a read-only client.

``dry_run=True`` sends nothing: it returns the present status with ``would_send``, which is None
when the setting already has the wanted value.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, AsyncGenerator, Collection, Iterable, Mapping, Protocol, Sequence, TypeVar

from ._connection.cloud_device import CloudDevice, warn_of_unreadable
from ._connection.command_sender import CommandSender
from ._connection.command_values import to_integer, to_mode, to_temperature
from ._connection.poll_times import PollInterval
from ._connection.pool import ConnectionPool
from ._connection.schedule_writer import ScheduleWriter, without
from ._util.text import comparable
from .auth import NaviLinkAuth
from .config import NaviLinkConfig, ReconnectConfig
from .exceptions import NaviLinkError, PlanCopyError, RequestTimeoutError, ValueOutOfRangeError
from .models import Health
from .mqtt import NaviLinkMQTT
from .protocol import commands
from .protocol.account import DeviceInfo, FirmwareInfo, LastError
from .protocol.client_requests import ClientRequest
from .protocol.commands import Command
from .protocol.diagnostics import DeviceDiagnostics, decode_diagnostics
from .protocol.energy import EnergyHistory
from .protocol.features import DeviceFeatures
from .protocol.fields import decode_each, require_list, require_object
from .protocol.messages import Address
from .protocol.schedules import (
    RecirculationEntry,
    RecirculationProgram,
    Reservation,
    ReservationProgram,
)
from .protocol.status import DeviceStatus
from .protocol.tou import TOUInfo, TOUPeriod, encode_tou_put
from .protocol.types import DhwControl, DHWMode, RecircMode

__all__ = ["NaviLinkDevice", "find_devices"]


class NaviLinkDevice:
    """A heater of the account, returned by ``NaviLinkClient.get_devices()``."""

    def __init__(
        self, info: DeviceInfo, auth: NaviLinkAuth, pool: ConnectionPool, config: NaviLinkConfig
    ) -> None:
        self._cloud = CloudDevice(info, auth)
        self._pool = pool
        self._config = config
        self._mqtt = NaviLinkMQTT(pool, self.address)
        self._commands = CommandSender(self._mqtt, self._cloud, config)
        self._schedules = ScheduleWriter(self._commands, config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """Name given by the owner."""
        return self._cloud.name

    @property
    def info(self) -> DeviceInfo:
        """Latest device info of the cloud; ``get_info()`` requests it again."""
        return self._cloud.info

    @property
    def address(self) -> Address:
        """Address of the heater in topics and requests."""
        return self._cloud.address

    @property
    def mac_address(self) -> str:
        """MAC address, 12 lower-case hexadecimal digits."""
        return self.address.mac_address

    @property
    def device_type(self) -> int:
        """Device type, 52 for the NWP500."""
        return self.address.device_type

    @property
    def last_status(self) -> DeviceStatus | None:
        """Latest status, whoever requested it; None before the first."""
        return self._mqtt.last_status

    @property
    def health(self) -> Health:
        """Health of the connection to the heater: state, since when, latest status, counters."""
        return self._mqtt.health

    def watch_health(self) -> AsyncGenerator[Health, None]:
        """Yield the present health, and again after each change of state, without end."""
        return self._mqtt.watch_health()

    def watch_requests(self) -> AsyncGenerator[ClientRequest, None]:
        """Yield each request to the heater: of the maker's app, other programs and this client.

        As in ``NaviLinkMQTT.watch_requests``::

            async for request in device.watch_requests():
                if request.is_change and not request.own:
                    print(request.command, request.values)

        Source: PROTOCOL 3.7.
        """
        return self._mqtt.watch_requests()

    # From the cloud

    async def get_info(self) -> DeviceInfo:
        """Request the device info from the cloud; ``error`` stays that of the list.

        Raises APIError and other REST errors.
        """
        return await self._cloud.request_info()

    async def get_last_error(self) -> LastError | None:
        """Request the last error that the cloud knows, also while the heater is offline.

        It may be over; None when the cloud does not tell. Updates ``info.error``. Raises APIError
        and other REST errors (PROTOCOL 1.7).
        """
        return await self._cloud.request_last_error()

    async def get_firmware_info(self) -> list[FirmwareInfo]:
        """Request the firmware of each component.

        Empty when the cloud does not offer it to this account (403): the account is fine
        (PROTOCOL 1.3). Raises APIError and other REST errors.
        """
        return await self._cloud.request_firmware()

    async def get_tou_info(self) -> TOUInfo:
        """Request the time-of-use plan stored in the cloud.

        The call needs the serial number, so the features are requested first (PROTOCOL 1.11).
        Raises APIError, and DeviceOfflineError when the heater cannot send its serial number.
        """
        features = await self.get_features()
        return await self._cloud.request_tou(features.controller_serial_number or "")

    async def set_tou_info(self, info: TOUInfo) -> None:
        """Replace the time-of-use plan stored in the cloud, which the maker's app shows.

        The heater does not follow it: ``set_tou_schedule`` writes the heater, ``set_tou_plan`` both
        (PROTOCOL 1.10). Raises ConfigurationError for a read-only client, ValueOutOfRangeError for a
        plan that cannot be written, and REST errors.
        """
        plan = encode_tou_put(info)
        self._commands.check_writable()
        await self._cloud.store_tou(plan)

    async def get_connectivity_status(self) -> dict[str, int]:
        """Request whether the heater is online, as ``{"device_connected": n}``.

        0 offline, 1 online, 2 online and answering on this client's MQTT connection. Asks
        ``/device/info``, because ``/device/connectivity-status`` answers 403 in the field. Raises
        APIError and other REST errors; an error never means "connected".
        """
        if not (await self.get_info()).online:
            return {"device_connected": 0}
        return {"device_connected": 2 if self._mqtt.answering else 1}

    # From the heater

    async def get_status(self) -> DeviceStatus:
        """Request the status.

        Raises DeviceOfflineError when the heater does not answer and the cloud reports it offline,
        RequestTimeoutError when it does not answer although it is online, CommunicationError when
        the connection drops.
        """
        async with self._cloud.explain_timeout():
            return await self._mqtt.get_status()

    async def get_features(self) -> DeviceFeatures:
        """Request the features: capabilities and limits. Raises as ``get_status``."""
        return await self._commands.request_features()

    async def get_reservations(self) -> ReservationProgram:
        """Request the reservations. Raises as ``get_status``."""
        return await self._schedules.reservations()

    async def get_recirculation_schedule(self) -> RecirculationProgram:
        """Request the recirculation schedule.

        Raises UnsupportedCommandError without a recirculation pump, and as ``get_status``.
        """
        return await self._schedules.recirculation()

    async def get_energy_daily(self, year: int, *months: int) -> EnergyHistory:
        """Request energy (Wh) and running hours of each day of some months of one year.

        The heater accepts the years 2000 to 2099; days in the future are zeros. ``total`` is the
        total since installation, not the sum (PROTOCOL 8.6). Raises ValueOutOfRangeError, and as
        ``get_status``.
        """
        return await self._schedules.energy_daily(year, months)

    async def get_energy_monthly(self, *years: int) -> EnergyHistory:
        """Request energy and running hours of each month of some years, as ``get_energy_daily``."""
        return await self._schedules.energy_monthly(years)

    async def get_diagnostics(self) -> DeviceDiagnostics:
        """Request the lifetime counters: energy, events, hours and starts (PROTOCOL 8.13).

        Raises as ``get_status``, and ProtocolError.
        """
        return decode_diagnostics((await self._commands.request(commands.DIAGNOSTICS)).body)

    async def get_downloaded_software(self) -> list[Mapping[str, Any]]:
        """Request the firmware waiting to be installed; empty when there is none (PROTOCOL 8.11).

        The heater answers on its own topic: an account that may not receive pushed updates gets
        RequestTimeoutError, which says so (PROTOCOL 3.1).
        """
        try:
            body = (await self._commands.request(commands.DOWNLOADED_SOFTWARE)).body
        except RequestTimeoutError as error:
            if not self._mqtt.pushes_refused:
                raise
            raise RequestTimeoutError(
                f"{self.name} answers this on its own topic, which this account may not receive; use "
                "the account with which the heater was registered"
            ) from error
        key = "downloadSwInfo"
        entries, unreadable = decode_each(
            require_list(body, key), lambda entry: require_object(entry, key), partly=True
        )
        warn_of_unreadable(key, unreadable)
        return [entry for entry in entries if any(entry.values())]

    def watch(self, interval: PollInterval | None = None) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: polled every ``interval`` seconds (default: configured), and pushed.

        ``interval`` may be a function, as in ``NaviLinkMQTT.watch``: ``lambda status: 10 if status
        and status.comp_use.active else 60``.

        ::

            async for status in device.watch(interval=300):
                print(status.dhw_charge_percent)

        Never ends by itself; an outage is a gap in time. Raises when the first connect fails, or
        when reconnecting is given up; at once ValueOutOfRangeError for an interval that is no time
        above 0, of at most a day.
        """
        return self._mqtt.watch(self._config.polling_interval if interval is None else interval)

    async def get_mqtt_connection(
        self, reconnect_config: ReconnectConfig | None = None
    ) -> NaviLinkMQTT:
        """Return the MQTT access to this heater; call its ``connect()`` before use.

        ``reconnect_config`` sets the backoff of the shared connection from now on.
        """
        if reconnect_config is not None:
            self._pool.reconnect_config = reconnect_config
        return self._mqtt

    # Commands

    async def control(
        self, command: Command, *, force: bool = False, dry_run: bool = False, **values: int
    ) -> DeviceStatus:
        """Send any control command, its parameters by name as raw integers.

        ``navien_nwp500.protocol.commands`` lists them. The methods below are easier to use:
        ``control(commands.TEMPERATURE, temperature=98)`` is ``set_temperature(celsius=49)``.
        """
        taken = [entry.name for entry in command.parameters]
        if not command.is_control:
            raise ValueOutOfRangeError(
                f"{command.name} cannot be sent with control(); use the dedicated method"
            )
        if sorted(taken) != sorted(values):
            raise ValueOutOfRangeError(
                f"{command.name} takes {', '.join(taken) or 'nothing'}; the arguments are "
                f"{', '.join(values) or 'nothing'}"
            )
        typed = {
            one.name: one.codec(to_integer(one.name, values[one.name]))
            for one in command.parameters
        }
        return await self._commands.execute(command, force=force, dry_run=dry_run, **typed)

    async def turn_on(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Switch the heater on, into the mode it had before it was switched off."""
        return await self.control(commands.POWER_ON, force=force, dry_run=dry_run)

    async def turn_off(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Switch the heater off; freeze protection stays."""
        return await self.control(commands.POWER_OFF, force=force, dry_run=dry_run)

    async def set_dhw_mode(
        self, mode: DHWMode, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Set the operation mode: DHWMode.HEAT_PUMP, ELECTRIC, ENERGY_SAVER or HIGH_DEMAND.

        In a time-of-use window the last three take effect when the window ends; the returned
        status then has ``held_mode``. Electric reverts by itself after 72 h (documents).
        """
        chosen = to_mode(mode)
        return await self.control(commands.DHW_MODE, force=force, dry_run=dry_run, mode=chosen)

    async def set_temperature(
        self,
        *,
        fahrenheit: float | None = None,
        celsius: float | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> DeviceStatus:
        """Set the water temperature, given in exactly one unit, to the nearest step of the heater.

        A step is 0.5 degC (0.9 degF): 120 degF becomes 49.0 degC, 120.2 degF; the returned
        status has the value that was set. The limits are the heater's own, up to 65.5 degC and down to
        the installer's lowest setpoint of 35.0 to 45.0 degC.
        """
        features = await self._commands.features()
        whole = features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE
        wanted = to_temperature(fahrenheit, celsius, whole_degrees=whole)
        return await self.control(
            commands.TEMPERATURE, force=force, dry_run=dry_run, temperature=wanted
        )

    async def start_vacation(
        self, *, days: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Start a vacation of 1 to 99 days without heating; any other mode ends it.

        Heating resumes 9 hours before its end (PROTOCOL 6.10).
        """
        return await self.control(commands.VACATION, force=force, dry_run=dry_run, days=days)

    async def set_vacation_days(
        self, *, days: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Set the days of a vacation, 1 to 99, without starting one."""
        return await self.control(commands.VACATION_DAYS, force=force, dry_run=dry_run, days=days)

    async def set_anti_legionella(
        self, *, days: int | None, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Heat the tank to 60 degC every 1 to 30 days; None stops it and keeps the period.

        Off when delivered; it needs a mixing valve (PROTOCOL 8.9).
        """
        if days is None:
            return await self.control(commands.ANTI_LEGIONELLA_OFF, force=force, dry_run=dry_run)
        return await self.control(
            commands.ANTI_LEGIONELLA_ON, force=force, dry_run=dry_run, days=days
        )

    async def set_demand_response(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Enable or disable demand response. Only acknowledged: no status field shows it."""
        command = commands.DEMAND_RESPONSE_ON if on else commands.DEMAND_RESPONSE_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def set_tou(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Enable or disable time of use; the plan is kept."""
        command = commands.TOU_ON if on else commands.TOU_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def set_intelligent(
        self, on: bool, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Enable or disable intelligent operation. Only acknowledged: no status field shows it."""
        command = commands.INTELLIGENT_ON if on else commands.INTELLIGENT_OFF
        return await self.control(command, force=force, dry_run=dry_run)

    async def follow_water_program(
        self, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Start the reservation program ("water program" in the app). Only acknowledged."""
        return await self.control(commands.WATER_PROGRAM, force=force, dry_run=dry_run)

    async def reset_air_filter(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Reset the fan hours of the air filter after cleaning it."""
        return await self.control(commands.AIR_FILTER_RESET, force=force, dry_run=dry_run)

    async def set_air_filter_life(
        self, *, hours: int, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Set the air filter reminder: 1000 to 10000 fan hours in steps of 500; 0 is off."""
        return await self.control(
            commands.AIR_FILTER_LIFE, force=force, dry_run=dry_run, hours=hours
        )

    async def reset_condenser_fault(
        self, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Clear a condenser fault. For installers; its effect on a real fault is untested."""
        return await self.control(commands.RESET_CONDENSER_FAULT, force=force, dry_run=dry_run)

    async def set_recirculation_mode(
        self, mode: RecircMode, *, force: bool = False, dry_run: bool = False
    ) -> DeviceStatus:
        """Set the recirculation mode: RecircMode.ALWAYS, WEEKLY, HOT_BUTTON or NONE."""
        return await self.control(commands.RECIRC_MODE, force=force, dry_run=dry_run, mode=mode)

    async def press_hot_button(self, *, force: bool = False, dry_run: bool = False) -> DeviceStatus:
        """Start recirculation once. Only acknowledged.

        The sources disagree on the argument, and it was not tried on a pump; 1 is sent
        (PROTOCOL 5.5). ``recirc_operation_busy`` would show the effect.
        """
        return await self.control(commands.RECIRC_HOT_BUTTON, force=force, dry_run=dry_run)

    # Lists: a write replaces the whole list, so a change reads it first and again to confirm. It starts
    # no heating (PROTOCOL 8.3).

    async def set_reservations(
        self,
        reservations: Iterable[Reservation],
        *,
        enabled: bool = True,
        unchecked: Collection[Reservation] = (),
        dry_run: bool = False,
    ) -> ReservationProgram:
        """Replace all reservations; returns them as read back. An empty list clears them.

        ``unchecked``: reservations that this heater had before, to be restored whatever their values.
        """
        wanted = tuple(reservations)
        return await self._schedules.change_reservations(
            lambda _: wanted,
            enabled=enabled,
            replace_all=True,
            unchecked=unchecked,
            dry_run=dry_run,
        )

    async def enable_reservations(self, on: bool, *, dry_run: bool = False) -> ReservationProgram:
        """Enable or disable the reservations; all are kept."""
        return await self._schedules.change_reservations(
            lambda before: before, enabled=on, dry_run=dry_run
        )

    async def add_reservation(
        self, reservation: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Add a reservation and keep the others; returns all as read back."""
        return await self._schedules.change_reservations(
            lambda before: [*before, reservation], dry_run=dry_run
        )

    async def remove_reservation(
        self, reservation: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Remove a reservation and keep the others. Raises ValueOutOfRangeError when there is no such."""
        return await self._schedules.change_reservations(
            lambda before: without(before, reservation), dry_run=dry_run
        )

    async def update_reservation(
        self, old: Reservation, new: Reservation, *, dry_run: bool = False
    ) -> ReservationProgram:
        """Replace ``old`` with ``new``. Raises ValueOutOfRangeError when there is no such."""
        return await self._schedules.change_reservations(
            lambda before: [*without(before, old), new], dry_run=dry_run
        )

    async def set_recirculation_schedule(
        self, entries: Iterable[RecirculationEntry], *, enabled: bool = True, dry_run: bool = False
    ) -> RecirculationProgram:
        """Replace the recirculation schedule, at most 20 entries; returns it as read back."""
        return await self._schedules.write_recirculation(enabled, entries, dry_run=dry_run)

    async def set_tou_schedule(
        self, periods: Sequence[TOUPeriod], *, enabled: bool = True, dry_run: bool = False
    ) -> Mapping[str, Any]:
        """Replace the time-of-use plan in the heater; returns what was sent.

        The periods must cover every minute of every day of the year once; a gap or an overlap
        raises ValueOutOfRangeError before anything is sent. The copy in the cloud, which
        ``get_tou_info`` reads, does not change (PROTOCOL 1.10); ``set_tou_plan`` writes both.
        Raises CommandUnconfirmedError when the response cannot be read.
        """
        return await self._schedules.write_tou(periods, enabled=enabled, dry_run=dry_run)

    async def set_tou_plan(
        self,
        periods: Sequence[TOUPeriod],
        *,
        name: str | None = None,
        utility: str | None = None,
        zip_code: str | None = None,
        enabled: bool = True,
        dry_run: bool = False,
    ) -> Mapping[str, Any]:
        """Replace the time-of-use plan in the heater, then the copy in the cloud.

        Returns what was sent to the heater. The copy is what the maker's app shows. A name, utility
        or ZIP code that is None stays as it is in the cloud. Raises as ``set_tou_schedule`` while
        nothing is stored, and PlanCopyError when the heater has stored the plan and the cloud has
        not; calling it again is safe.
        """
        sent = await self.set_tou_schedule(periods, enabled=enabled, dry_run=dry_run)
        if dry_run:
            return sent
        try:
            before = await self.get_tou_info()
            after = replace(
                before,
                periods=tuple(periods),
                name=name or before.name or "Time of use",
                utility=utility or before.utility or "-",
                zip_code=zip_code or before.zip_code,
            )
            await self.set_tou_info(after)
        except NaviLinkError as error:
            raise PlanCopyError(
                f"{self.name} stored the time-of-use plan, but its copy in the cloud, which the app "
                f"shows, is not changed: {error}. Write the plan again to repeat both"
            ) from error
        return sent


class _Named(Protocol):
    """Device with a name and a MAC address."""

    @property
    def name(self) -> str:
        """Name given by the owner."""

    @property
    def mac_address(self) -> str | None:
        """MAC address."""


D = TypeVar("D", bound=_Named)


def find_devices(devices: Sequence[D], wanted: str) -> list[D]:
    """Find devices by name or MAC address, or by the beginning of either.

    Compares names as people read them: without case, repeated spaces and the composition of accents.
    Ignores the separators of a MAC address. A whole name or MAC address has precedence over the
    beginning of another: "NWP500" does not find "NWP500 2".
    """
    text = comparable(wanted)
    digits = re.sub(r"[:\-.\s]", "", text)
    known = [(one, comparable(one.name), (one.mac_address or "").lower()) for one in devices]
    whole = [one for one, name, mac in known if text == name or digits == mac]
    if whole or not text:
        return whole
    return [
        one
        for one, name, mac in known
        if name.startswith(text) or (digits and mac.startswith(digits))
    ]
