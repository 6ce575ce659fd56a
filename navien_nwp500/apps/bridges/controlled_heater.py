"""Commands of the control entities for one heater, and the values they remember.

A method ``set_…`` takes the payload of a topic and returns the status with which the heater confirms
it. Each raises ValueOutOfRangeError, whose text a person sees, for a payload that is none, and what
the commands of ``NaviLinkDevice`` raise.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ...exceptions import ValueOutOfRangeError
from ...protocol import commands
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag, RecircMode
from .entities import MODES, shows_fahrenheit, words
from .follower import Follower
from .schedule_json import parse_plan, parse_reservations

#: Days of a vacation or between disinfections, until the heater or a person tells others. The
#: latter is the heater's own first value (PROTOCOL 8.9).
DEFAULT_DAYS = 7
ON, OFF, PRESS = "ON", "OFF", "PRESS"
DATE = r"\d{4}-\d{2}-\d{2}"
DEGREES = re.compile(r"([-+]?\d{1,6}(?:\.\d+)?) *(?:°? *([CF]))?")

SELECTABLE_MODES = tuple(DHWMode(value) for value, _ in commands.DHW_MODE.value_capabilities)
SHOWN_MODES = (*SELECTABLE_MODES, DHWMode.VACATION, DHWMode.POWER_OFF)
RECIRCULATION_MODES = tuple(one for one in RecircMode if one is not RecircMode.UNKNOWN)


@dataclass
class ControlledHeater:
    """A heater, and what its status does not show of the commands before.

    It is part of the published state, from which the next run takes it.
    """

    follower: Follower
    #: Mode to which the end of a vacation returns.
    mode_before: DHWMode = DHWMode.ENERGY_SAVER
    vacation_end: date | None = None
    #: Days between disinfections, given while they are off: the heater takes them when switched on.
    stored_period: int | None = None
    #: Latest state that the heater accepted of each switch that its status does not show.
    accepted: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heater = self.follower.heater

    def observe(self, status: DeviceStatus) -> None:
        """Take from a status what a later command needs."""
        mode = status.dhw_operation_setting
        if mode in SELECTABLE_MODES:
            self.mode_before = DHWMode(mode)
        if mode != DHWMode.VACATION:
            self.vacation_end = None

    def remembered(self) -> dict[str, Any]:
        """Return what no status shows, for ``restore``."""
        end = self.vacation_end
        return {
            "mode_before": int(self.mode_before),
            "vacation_end": None if end is None else end.isoformat(),
            "stored_period": self.stored_period,
            "accepted": self.accepted,
        }

    def restore(self, text: str) -> None:
        """Take what the state that an earlier run published says; one that is damaged says nothing."""
        try:
            found = json.loads(text)["remembered"]
            mode, period = DHWMode(found["mode_before"]), found["stored_period"]
            end = found["vacation_end"] and date.fromisoformat(found["vacation_end"])
            accepted = {str(key): str(value) for key, value in found["accepted"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        self.mode_before = mode if mode in SELECTABLE_MODES else self.mode_before
        self.stored_period = period if isinstance(period, int) else None
        self.vacation_end, self.accepted = end, accepted

    def _status(self) -> DeviceStatus:
        status = self.heater.last_status
        if status is None:
            raise ValueOutOfRangeError("no status was received yet; try again later")
        return status

    # Values

    def vacation_days(self, status: DeviceStatus) -> int:
        """Return the days of the vacation, or of one that would be started now."""
        return int(status.vacation_day_setting or DEFAULT_DAYS)

    @property
    def vacation_until(self) -> str:
        """Last day of the vacation as it was given; empty without one."""
        return "" if self.vacation_end is None else self.vacation_end.isoformat()

    def disinfection_days(self, status: DeviceStatus) -> int:
        """Return the days between disinfections, or those with which they would be switched on."""
        period = int(status.anti_legionella_period or 0)
        if status.anti_legionella_use != Flag.ACTIVE and self.stored_period is not None:
            return self.stored_period
        return period or DEFAULT_DAYS

    # Commands

    async def set_temperature(self, payload: str) -> DeviceStatus:
        """Set the setpoint: degrees Celsius, or a number with its unit."""
        found = DEGREES.fullmatch(payload.strip())
        if found is None:
            raise ValueOutOfRangeError(
                "the value must be a number of degrees Celsius, or one with its unit as in 125 °F"
            )
        degrees = float(found[1])
        if found[2] == "F":
            return await self.heater.set_temperature(fahrenheit=degrees)
        return await self.heater.set_temperature(celsius=degrees)

    async def set_mode(self, payload: str) -> DeviceStatus:
        """Set the mode, by the name of the water heater or of the select."""
        mode = mode_of(payload)
        if mode is None:
            allowed = [*MODES, *(words(one) for one in SHOWN_MODES)]
            raise ValueOutOfRangeError(f"the value must be one of {', '.join(allowed)}")
        if mode is DHWMode.POWER_OFF:
            return await self.heater.turn_off()
        if mode is DHWMode.VACATION:
            return await self.set_vacation(ON)
        return await self.heater.set_dhw_mode(mode)

    async def set_power(self, payload: str) -> DeviceStatus:
        """Switch the heater on or off; on also ends a vacation, in which it counts as on."""
        if not is_on(payload):
            return await self.heater.turn_off()
        if self._status().dhw_operation_setting == DHWMode.VACATION:
            return await self.set_vacation(OFF)
        return await self.heater.turn_on()

    async def set_vacation(self, payload: str) -> DeviceStatus:
        """Start a vacation of the days shown, or return to the mode before it."""
        status = self._status()
        if is_on(payload):
            return await self.heater.start_vacation(days=self.vacation_days(status))
        if status.dhw_operation_setting != DHWMode.VACATION:
            return status
        return await self.heater.set_dhw_mode(self.mode_before)

    async def set_vacation_days(self, payload: str) -> DeviceStatus:
        """Set the days of the next vacation, or let a running one last so many days from now."""
        days = whole_number(payload)
        if self._status().dhw_operation_setting != DHWMode.VACATION:
            return await self.heater.set_vacation_days(days=days)
        # The count alone would leave the running vacation as it is (PROTOCOL 8.8).
        self.vacation_end = None
        return await self.heater.start_vacation(days=days, force=True)

    async def set_vacation_until(self, payload: str) -> DeviceStatus:
        """Start a vacation until a day, or end it with an empty payload."""
        if not payload:
            return await self.set_vacation(OFF)
        try:
            until = date.fromisoformat(payload) if re.fullmatch(DATE, payload) else None
        except ValueError:
            until = None
        if until is None:
            raise ValueOutOfRangeError("the value must be a date such as 2026-12-24, or empty")
        # A vacation of as many days that began earlier ends earlier, so it is always sent.
        days = (until - date.today()).days
        status = await self.heater.start_vacation(days=days, force=True)
        self.vacation_end = until
        return status

    async def set_anti_legionella(self, payload: str) -> DeviceStatus:
        """Switch disinfections on, with the period shown, or off."""
        days = self.disinfection_days(self._status()) if is_on(payload) else None
        status = await self.heater.set_anti_legionella(days=days)
        if days is not None:
            self.stored_period = None
        return status

    async def set_disinfection_days(self, payload: str) -> DeviceStatus:
        """Set the days between disinfections; while they are off, for when they are switched on.

        The heater has no command for the period alone.
        """
        status, days = self._status(), whole_number(payload)
        if status.anti_legionella_use == Flag.ACTIVE:
            return await self.heater.set_anti_legionella(days=days)
        (parameter,) = commands.ANTI_LEGIONELLA_ON.parameters
        if not int(parameter.lowest) <= days <= int(parameter.highest):
            raise ValueOutOfRangeError(
                f"the period may be {parameter.lowest} to {parameter.highest} days"
            )
        self.stored_period = days
        return status

    async def set_recirculation(self, payload: str) -> DeviceStatus:
        """Set the recirculation mode, by its name."""
        modes = {words(one): one for one in RECIRCULATION_MODES}
        if payload not in modes:
            raise ValueOutOfRangeError(f"the value must be one of {', '.join(modes)}")
        return await self.heater.set_recirculation_mode(modes[payload])

    async def set_reservations(self, payload: str) -> DeviceStatus:
        """Switch all reservations on or off."""
        on = is_on(payload)
        if on and not (await self.heater.get_reservations()).reservations:
            raise ValueOutOfRangeError("there are no reservations to switch on; add one first")
        written = await self.heater.enable_reservations(on)
        self.follower.on_schedules_written(reservations=written)
        return await self.heater.get_status()

    async def write_reservations(self, payload: str) -> DeviceStatus:
        """Replace all reservations by those of a JSON text; an empty list clears them."""
        enabled, wanted = parse_reservations(payload, shows_fahrenheit(self._status()))
        written = await self.heater.set_reservations(wanted, enabled=enabled)
        self.follower.on_schedules_written(reservations=written)
        return await self.heater.get_status()

    async def write_plan(self, payload: str) -> DeviceStatus:
        """Replace the time-of-use plan by that of a JSON text, in the heater and in the cloud."""
        plan = parse_plan(payload)
        await self.heater.set_tou_plan(
            plan.periods, name=plan.name, utility=plan.utility, enabled=plan.enabled
        )
        self.follower.on_schedules_written(plan=await self.heater.get_tou_info())
        return await self.heater.get_status()


def mode_of(payload: str) -> DHWMode | None:
    """Return the mode that a payload names, as the water heater or the select does."""
    by_word = {words(one): one for one in SHOWN_MODES}
    return MODES.get(payload, by_word.get(payload))


def is_on(payload: str) -> bool:
    """Parse the payload of a switch. Raises ValueOutOfRangeError."""
    if payload not in (ON, OFF):
        raise ValueOutOfRangeError(f"the value must be {ON} or {OFF}")
    return payload == ON


def whole_number(payload: str) -> int:
    """Parse the payload of a number. Raises ValueOutOfRangeError."""
    if not re.fullmatch(r"\d{1,9}(\.0+)?", payload):
        raise ValueOutOfRangeError("the value must be a whole number")
    return int(float(payload))
