"""When a heater at rest starts to heat: rules of PROTOCOL 9.12 applied to what is planned. No pandas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Sequence

from ...protocol.schedules import Reservation, ReservationProgram
from ...protocol.tou import TOUPeriod, peak_windows
from ...protocol.types import DHWMode
from ..heater_model import HeaterModel
from ..two_zone import TankState, step

__all__ = ["Rest", "Start", "next_start", "standby_minutes", "window_end"]

HEAT_PUMP_MODES = (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
RESTING_MODES = (DHWMode.STANDBY, DHWMode.VACATION, DHWMode.POWER_OFF)
#: How far ahead starts are sought.
_AHEAD = timedelta(hours=48)
_LONGEST_STANDBY_MINUTES = 7 * 24 * 60.0
#: Deficits in K that start the heat pump (PROTOCOL 9.12): in a window by itself, and after a new
#: setpoint; after a new mode by the lower sensor, and by the upper one in mode 1.
_WINDOW_DEFICIT, _WINDOW_SETPOINT_DEFICIT = 8.0, 2.2
_MODE_LOWER_DEFICIT, _MODE_1_UPPER_DEFICIT = 2.0, 1.1
#: Deficit that starts an element in electric mode (PROTOCOL 14.3), in K.
_ELECTRIC_DEFICIT = 0.3
#: Single rests lost up to 3 W/K through the jacket instead of 2.36 (PROTOCOL 14.4).
_FASTEST = 1.3


@dataclass(frozen=True)
class Rest:
    """A heater that does not heat: its tank, settings in degC, and whether a window is open."""

    tank: TankState
    air: float
    setpoint: float
    minimum: float
    mode: DHWMode
    in_window: bool = False

    @property
    def short(self) -> float:
        """Return by how much the upper sensor is below the setpoint, in K."""
        return self.setpoint - self.tank.upper


class Start(NamedTuple):
    """A start that is foreseen: when, why in words, and the heater as it is then."""

    when: datetime
    why: str
    rest: Rest


def standby_minutes(model: HeaterModel, rest: Rest, *, fastest: bool = False) -> float | None:
    """Return the minutes until the lower sensor has cooled to its threshold; None after a week.

    ``fastest``: with the highest loss that was measured.
    """
    if fastest:
        jacket = model.jacket_watts_per_kelvin * _FASTEST
        model = replace(model, jacket_watts_per_kelvin=jacket)
    tank, minutes = rest.tank, 0.0
    while tank.lower > rest.minimum:
        before = tank.lower
        tank = step(model, tank, 900, air=rest.air)
        minutes += 15
        if minutes > _LONGEST_STANDBY_MINUTES:
            return None
        if tank.lower <= rest.minimum:
            minutes -= 15 * (rest.minimum - tank.lower) / (before - tank.lower)
    return minutes


def window_end(periods: Sequence[TOUPeriod], when: datetime) -> datetime | None:
    """Return the end of the plan's peak window that is open at a time; None without one."""
    local = when.replace(tzinfo=None)
    for window in peak_windows(periods, local.date()):
        if window.start <= local < window.end:
            return window.end.replace(tzinfo=when.tzinfo)
    return None


def next_start(
    model: HeaterModel,
    rest: Rest,
    when: datetime,
    *,
    reservations: ReservationProgram | None = None,
    periods: Sequence[TOUPeriod] = (),
) -> Start | None:
    """Return the next start that the rules and the schedule foresee; None without one.

    ``when`` is in the heater's zone, in which reservations and windows are given. ``periods`` is its
    time-of-use plan while it is switched on.
    """
    if (why := _starts_by_itself(rest)) is not None:
        return Start(when, why, rest)
    if rest.in_window:
        end = window_end(periods, when)
        later = None if end is None else _rest_at(model, rest, when, end, periods)
        if end is not None and later is not None and _starts_by_itself(later) is not None:
            return Start(end, "the time-of-use window ends", later)
    return _reserved_start(model, rest, when, reservations, periods)


def _starts_by_itself(rest: Rest) -> str | None:
    if rest.mode not in HEAT_PUMP_MODES:
        return None
    if rest.in_window:
        if rest.short > _WINDOW_DEFICIT:
            return "the water is more than 8 K below the setpoint"
        return None
    if rest.tank.lower <= rest.minimum and rest.short > 0:
        return "the lower part of the tank is cold"
    return None


def _rest_at(
    model: HeaterModel, rest: Rest, when: datetime, then: datetime, periods: Sequence[TOUPeriod]
) -> Rest:
    """Return the heater at a later time, if it does not heat and nothing is drawn."""
    tank, seconds = rest.tank, (then - when).total_seconds()
    while seconds > 0:
        tank = step(model, tank, min(seconds, 900), air=rest.air)
        seconds -= 900
    return replace(rest, tank=tank, in_window=window_end(periods, then) is not None)


def _reserved_start(
    model: HeaterModel,
    rest: Rest,
    when: datetime,
    reservations: ReservationProgram | None,
    periods: Sequence[TOUPeriod],
) -> Start | None:
    if reservations is None or rest.mode == DHWMode.VACATION:
        return None
    at = when
    while True:
        found = reservations.next_after(at.replace(tzinfo=None))
        if found is None:
            return None
        due, reservation = found[0].replace(tzinfo=when.tzinfo), found[1]
        if due - when > _AHEAD:
            return None
        rest = _rest_at(model, rest, at, due, periods)
        if _starts_by_itself(rest) is not None:
            return None  # before, at a time that depends on what is drawn
        rest, starts = _reserved(rest, reservation)
        if starts:
            return Start(due, "a reservation", rest)
        at = due


def _reserved(rest: Rest, reservation: Reservation) -> tuple[Rest, bool]:
    """Return the heater after a reservation, and whether it starts to heat."""
    setpoint = reservation.temperature.celsius
    mode = DHWMode[reservation.mode.name] if reservation.mode.known else rest.mode
    if rest.in_window and mode != DHWMode.HEAT_PUMP:
        mode = rest.mode  # waits for the end of the window
    after = replace(rest, setpoint=setpoint, mode=mode)
    if mode == DHWMode.ELECTRIC:
        short = max(after.short, setpoint - after.tank.lower)
        return after, mode != rest.mode and short >= _ELECTRIC_DEFICIT
    if mode not in HEAT_PUMP_MODES:
        return after, False
    least = _WINDOW_SETPOINT_DEFICIT if rest.in_window else 0.0
    by_setpoint = setpoint != rest.setpoint and after.short > least
    return after, by_setpoint or (mode != rest.mode and _new_mode_starts(after, rest.mode))


def _new_mode_starts(after: Rest, before: DHWMode) -> bool:
    if after.setpoint - after.tank.lower >= _MODE_LOWER_DEFICIT:
        return True
    from_heat_pump = before in HEAT_PUMP_MODES and after.mode == DHWMode.HEAT_PUMP
    return after.short > (_MODE_1_UPPER_DEFICIT if from_heat_pump else 0.0)
