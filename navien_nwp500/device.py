"""One heater: what it says, and what it can be told.

Every write makes the heater judge its demand afresh and may start the compressor or an element
(protocol 9.12). So a wish that already holds is not sent (``force=True`` sends it), nothing is
repeated to be sure, commands keep ``NaviLinkConfig.command_interval`` seconds between them, and
nothing is queued across a lost connection.

Every command returns the heater's own status that shows the wish, and raises

- UnsupportedCommandError or ValueOutOfRangeError, before anything is sent, by what this heater
  says it has and allows,
- CommandRejectedError when its answer does not show the wish, or it refused,
- RequestTimeoutError when it did not answer: the command may still take effect, look first,
- CommunicationError when the line dropped meanwhile: as above,
- ConfigurationError when the client may only read.

``dry_run=True`` sends nothing: it returns the present status with ``would_send``, which is None
when the wish already holds.
"""

from __future__ import annotations

import math
from typing import Any, Iterable, Mapping, Sequence

from . import commands
from .commands import Command
from .exceptions import ValueOutOfRangeError
from .models import DeviceStatus
from .quantities import DhwControl, DHWMode, HalfCelsius, RecircMode
from .readings import DeviceReadings
from .schedules import (
    RecirculationEntry,
    RecirculationProgram,
    Reservation,
    ReservationProgram,
)
from .tou import TOUPeriod

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
