"""Settings that a boost changes, and how they are chosen. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Optional

from ...analysis.hot_water import usable_water, usable_water_of
from ...exceptions import DeviceError, ValueOutOfRangeError
from ...protocol.features import DeviceFeatures
from ...protocol.status import Activity, DeviceStatus
from ...protocol.types import DhwControl, DHWMode, HalfCelsius, TouStatus, Volume

#: The longest boost, and the end of one that waits for an amount of water.
LONGEST = timedelta(hours=24)
_RESTING = {DHWMode.POWER_OFF: "off", DHWMode.VACATION: "on vacation", DHWMode.STANDBY: "off"}
#: Modes that a time-of-use window replaces by mode 1 (PROTOCOL 9.12).
_DROPPED_MODES = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


@dataclass(frozen=True)
class BoostSettings:
    """Some of the settings that a boost changes; None for the others."""

    tou: Optional[bool] = None
    mode: Optional[DHWMode] = None
    temperature: Optional[HalfCelsius] = None

    @classmethod
    def of(cls, status: DeviceStatus) -> BoostSettings:
        """Return the settings of a status; ``tou`` is None for a heater that does not send it."""
        tou = status.tou_status
        mode = status.dhw_operation_setting
        return cls(
            None if tou is None else tou != TouStatus.OFF, mode, status.dhw_temperature_setting
        )

    def __bool__(self) -> bool:
        return any(getattr(self, entry.name) is not None for entry in fields(self))

    def with_others(self, others: BoostSettings) -> BoostSettings:
        """Return these settings, and the others of those that are None here."""
        pairs = ((getattr(self, one.name), getattr(others, one.name)) for one in fields(self))
        return BoostSettings(*(other if own is None else own for own, other in pairs))

    def to_json(self) -> dict[str, Any]:
        """Return the settings for JSON: on or off, numbers as sent."""
        numbers = (self.mode, self.temperature)
        mode, temperature = (None if one is None else int(one) for one in numbers)
        return {"tou": self.tou, "mode": mode, "temperature": temperature}

    @classmethod
    def from_json(cls, content: Any) -> BoostSettings:
        """Read what ``to_json`` returned. Raises KeyError, TypeError or ValueError."""
        tou, mode, raw = (content[entry.name] for entry in fields(cls))
        if not (tou is None or isinstance(tou, bool)):
            raise ValueError("tou is neither true nor false")
        return cls(
            tou,
            None if mode is None else DHWMode(int(mode)),
            None if raw is None else HalfCelsius(int(raw)),
        )


@dataclass(frozen=True)
class BoostRequest:
    """A boost until a time, or until the tank gives so many litres at 40 degC; exactly one of them.

    Without ``mode`` and ``temperature`` the present ones are used.
    """

    until: Optional[datetime] = None
    litres: Optional[float] = None
    mode: Optional[DHWMode] = None
    temperature: Optional[HalfCelsius] = None


@dataclass(frozen=True)
class BoostPlan:
    """End of a boost, the settings before it, and those of them that it changes."""

    end: datetime
    before: BoostSettings
    boosted: BoostSettings
    litres: Optional[float] = None


@dataclass(frozen=True)
class BoostResult:
    """End of a boost: what was restored, and what stays because somebody else has changed it.

    ``reached`` tells whether the water that was asked for is there; None for a boost until a time.
    """

    plan: BoostPlan
    status: DeviceStatus
    restored: BoostSettings = field(default_factory=BoostSettings)
    kept: BoostSettings = field(default_factory=BoostSettings)
    reached: Optional[bool] = None


def make_plan(
    request: BoostRequest, status: DeviceStatus, features: DeviceFeatures, now: datetime
) -> BoostPlan:
    """Choose the settings of a boost.

    A heater starts only when a setting changes (PROTOCOL 9.12). So at rest, in the present mode and
    without another setpoint, the setpoint is raised by a step. Raises DeviceError for a heater that
    is off or on vacation, ValueOutOfRangeError for a boost that heats nothing, for more water than
    the tank can give at the setpoint, and for an end that is not within 24 hours.
    """
    before = BoostSettings.of(status)
    if before.mode is None or before.mode in _RESTING:
        state = "in an unknown mode" if before.mode is None else _RESTING[before.mode]
        raise DeviceError(f"the heater is {state}; select a mode first: navien-nwp500 set mode")
    end = now + LONGEST if request.until is None else request.until
    if not now < end <= now + LONGEST:
        raise ValueOutOfRangeError(f"the end {end:%Y-%m-%d %H:%M} is not within 24 hours from now")
    mode = before.mode if request.mode is None else request.mode
    setpoint = status.dhw_temperature_setting
    raw = setpoint if request.temperature is None else request.temperature
    if request.litres is not None:
        _check_litres(request.litres, raw, features)
    at_rest = status.activity is Activity.STANDBY
    if at_rest and mode == before.mode and raw == setpoint:
        step = 2 if features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE else 1
        highest = features.dhw_temperature_max
        lower = highest is not None and raw + step > highest
        raw = HalfCelsius(raw - step if lower else raw + step)
    upper = status.tank_upper_temperature
    if at_rest and upper is not None and upper.celsius >= raw.celsius:
        raise ValueOutOfRangeError(
            f"the upper sensor of the tank shows {upper.text}, so a setpoint of {raw.text} heats "
            "nothing; give a higher --temperature"
        )
    boosted = BoostSettings(
        False if before.tou else None,
        None if mode == before.mode else mode,
        None if raw == setpoint else raw,
    )
    return BoostPlan(end, before, boosted, request.litres)


def _check_litres(litres: float, raw: HalfCelsius, features: DeviceFeatures) -> None:
    """Raise ValueOutOfRangeError if the tank cannot give so much at a setpoint."""
    volume = tank_volume(features)
    if usable_water(raw.celsius, raw.celsius, volume=volume).estimate >= litres:
        return
    highest = features.dhw_temperature_max or raw
    enough = [
        HalfCelsius(one)
        for one in range(raw, highest + 1)
        if usable_water(one / 2, one / 2, volume=volume).estimate >= litres
    ]
    advice = f"it takes --temperature {enough[0].celsius:g}C" if enough else "no setpoint is enough"
    raise ValueOutOfRangeError(
        f"at {raw.text} the tank does not give {litres:g} L of 40 degC; {advice}"
    )


def tank_volume(features: DeviceFeatures) -> Volume:
    """Return the size of the tank; 65 gallons if the heater does not tell."""
    code = features.volume_code
    return code if code is not None and code.litres is not None else Volume.GALLONS_65


def has_water(plan: BoostPlan, status: DeviceStatus, volume: Volume | None = None) -> bool:
    """Return True when the tank gives the litres of the boost (PROTOCOL 14.8)."""
    if plan.litres is None:
        return False
    water = usable_water_of(status, volume=volume)
    return water is not None and water.estimate >= plan.litres


def what_to_restore(plan: BoostPlan, status: DeviceStatus) -> tuple[BoostSettings, BoostSettings]:
    """Return the settings to restore, and the present ones of those that somebody else has changed.

    Mode 1 in a time-of-use window counts as the boost's mode: the window has replaced it.
    """
    before, boosted, present = plan.before, plan.boosted, BoostSettings.of(status)
    restore: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for entry in fields(BoostSettings):
        old, new, now = (getattr(one, entry.name) for one in (before, boosted, present))
        if now == old or now is None:
            continue
        dropped = entry.name == "mode" and now == DHWMode.HEAT_PUMP and new in _DROPPED_MODES
        ours = now == new or (dropped and status.in_tou_window)
        (restore if ours and old is not None else kept)[entry.name] = old if ours else now
    return BoostSettings(**restore), BoostSettings(**kept)
