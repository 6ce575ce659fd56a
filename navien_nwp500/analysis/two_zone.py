"""A tank of two zones and its heat pump: the plant of the forecast, in pure functions of floats.

The zones are the halves that the two sensors measure (PROTOCOL 14.1). Heat that is missing below the
lower sensor is kept apart: the sensors do not show it, and the heat pump replaces it first (PROTOCOL
14.2, 14.4, 14.5). Temperatures in degC, heat and power in W, heat capacity in Wh/K.
"""

from __future__ import annotations

from math import exp
from typing import Iterator, NamedTuple

from .heater_model import HeaterModel

__all__ = [
    "HeatingRun",
    "Moment",
    "TankState",
    "draw",
    "heat_watts",
    "heating_path",
    "heating_run",
    "power_watts",
    "step",
]

WH_PER_LITRE_KELVIN = 1.163
#: Litres and kelvin of the fall of the lower sensor by a draw, 65 gallons (PROTOCOL 14.5).
_DRAW_LITRES, _DRAW_GAP, _DRAW_GAP_AT_REST = 34.0, 16.7, 0.7
#: A recovery that takes longer is not one: losses and heat balance each other.
LONGEST_SECONDS = 24 * 3600.0


class TankState(NamedTuple):
    """Water of the upper and lower zone in degC, and the heat missing below the lower sensor in Wh."""

    upper: float
    lower: float
    hidden_wh: float = 0.0

    def mean(self, model: HeaterModel) -> float:
        """Return the mean of the whole tank in degC, the heat below the lower sensor included."""
        return (self.upper + self.lower) / 2 - self.hidden_wh / model.wh_per_kelvin

    def gap_wh(self, model: HeaterModel) -> float:
        """Return the heat in Wh that the upper zone has beyond the lower one."""
        return max(0.0, self.upper - self.lower) * model.wh_per_kelvin / 2

    def starting(self, model: HeaterModel) -> TankState:
        """Return this with the heat that is hidden at a start."""
        hidden = model.start_hidden_wh + model.start_hidden_ratio * self.gap_wh(model)
        return self._replace(hidden_wh=max(0.0, hidden))

    def running(self, model: HeaterModel) -> TankState:
        """Return this with the heat that is hidden in a run."""
        return self._replace(hidden_wh=model.running_hidden_ratio * self.gap_wh(model))


def heat_watts(model: HeaterModel, lower: float, air: float) -> float:
    """Return the heat that the heat pump gives to the water, never below 0 (PROTOCOL 14.2)."""
    x, y = air - 20, lower - 50
    heat = 1202 + 27.2 * x - 12.26 * y - 0.184 * x * y - 0.044 * y * y + 0.264 * x * x
    return max(0.0, model.rate * heat)


def power_watts(model: HeaterModel, lower: float, air: float) -> float:
    """Return the electricity of the running heat pump, without that of its start (PROTOCOL 14.2)."""
    x, y = air - 20, lower - 50
    power = 389 + 2.54 * x + 6.37 * y + 0.177 * x * y - 0.042 * y * y - 0.061 * x * x
    return max(0.0, power * model.rate / model.cop_scale)


def step(
    model: HeaterModel,
    state: TankState,
    seconds: float,
    *,
    air: float,
    condenser: float = 0.0,
    upper_element: float = 0.0,
    lower_element: float = 0.0,
) -> TankState:
    """Return the tank after ``seconds`` (at most 15 minutes) with these heats in W."""
    upper, lower, hidden = state
    hours = seconds / 3600
    half = model.wh_per_kelvin / 2
    gap = max(0.0, upper - lower)
    jacket = model.jacket_watts_per_kelvin / 2 * hours
    bottom = model.bottom_watts * hours * (1 - exp(-gap / model.bottom_gap)) if lower > air else 0.0
    # What lies below the sensor warms from above, as the lower zone does.
    equal = 1 - exp(-hours / model.gap_hours)
    risen = hidden * equal
    exchanged = gap / 2 * equal
    hidden -= risen
    upper += (upper_element * hours - jacket * (upper - air)) / half - exchanged
    lower += -(jacket * (lower - air) + bottom + risen) / half + exchanged
    heat = (condenser + lower_element) * hours
    filled = min(heat, max(0.0, hidden))
    hidden, heat = hidden - filled, heat - filled
    to_lower = heat * (0.5 + 0.5 * min(1.0, gap / model.mixing_gap))
    lower += to_lower / half
    upper += (heat - to_lower) / half
    if lower > upper:
        upper = lower = (upper + lower) / 2
    return TankState(upper, lower, hidden)


def draw(model: HeaterModel, state: TankState, litres: float, cold: float) -> TankState:
    """Return the tank after ``litres`` were drawn at once; cold water in degC flows in below.

    A part of the heat is missing in the lower zone at once, the rest below its sensor, as far as
    there is water (PROTOCOL 14.5); only then does the upper zone cool.
    """
    upper, lower, hidden = state
    half = model.wh_per_kelvin / 2
    size = model.wh_per_kelvin / HeaterModel.wh_per_kelvin
    shown = (1 - model.hidden_share) / (1 - HeaterModel.hidden_share)
    while litres > 0:
        part = min(litres, 2.0)
        litres -= part
        heat = max(0.0, part * WH_PER_LITRE_KELVIN * (upper - cold))
        gap = max(0.0, upper - lower) + _DRAW_GAP_AT_REST
        fall = part * (1 - exp(-gap / _DRAW_GAP)) * max(0.0, lower - cold) / (_DRAW_LITRES * size)
        seen = min(heat, shown * fall * half)
        lower -= seen / half
        hidden += heat - seen
        beyond = hidden - max(0.0, lower - cold) * half
        if beyond > 0:  # the lower zone is cold throughout
            hidden -= beyond
            upper -= beyond / half
    if lower > upper:
        upper = lower = (upper + lower) / 2
    return TankState(upper, lower, hidden)


class Moment(NamedTuple):
    """A moment of a run of the heat pump: electricity in Wh is without that of the start."""

    seconds: float
    watt_hours: float
    tank: TankState


class HeatingRun(NamedTuple):
    """A whole run of the heat pump, and the first time at which the upper zone was hot."""

    seconds: float
    #: Until the upper zone is at the setpoint; None if it ended before.
    ready_seconds: float | None
    #: Electricity, without that of the start.
    watt_hours: float
    end: TankState


def heating_path(
    model: HeaterModel, tank: TankState, *, air: float, stop: float, seconds: float = 60.0
) -> Iterator[Moment]:
    """Yield the moments of a run, ``seconds`` apart, until the lower zone is at ``stop``.

    The last moment is the stop itself; a tank that never gets there ends after a day.
    """
    moment = Moment(0.0, 0.0, tank)
    yield moment
    while moment.tank.lower < stop and moment.seconds < LONGEST_SECONDS:
        lower = moment.tank.lower
        heat, watts = heat_watts(model, lower, air), power_watts(model, lower, air)
        after = step(model, moment.tank, seconds, air=air, condenser=heat)
        part = 1.0 if after.lower < stop else part_of_step(lower, after.lower, stop)
        if part < 1:
            after = TankState(*(a + (b - a) * part for a, b in zip(moment.tank, after)))
        spent = seconds * part
        moment = Moment(moment.seconds + spent, moment.watt_hours + watts * spent / 3600, after)
        yield moment


def heating_run(
    model: HeaterModel,
    tank: TankState,
    *,
    setpoint: float,
    air: float,
    stop: float | None = None,
    seconds: float = 60.0,
) -> HeatingRun | None:
    """Heat until the lower zone is at ``stop`` (the setpoint without it); None if it never is.

    ``seconds`` is the step. A run that begins hot takes no time.
    """
    stop = setpoint if stop is None else stop
    before = moment = Moment(0.0, 0.0, tank)
    ready = None
    for moment in heating_path(model, tank, air=air, stop=stop, seconds=seconds):
        if ready is None and moment.tank.upper >= setpoint:
            part = part_of_step(before.tank.upper, moment.tank.upper, setpoint)
            ready = before.seconds + (moment.seconds - before.seconds) * part
        before = moment
    if moment.tank.lower < stop - 1e-6:
        return None
    return HeatingRun(moment.seconds, ready, moment.watt_hours, moment.tank)


def part_of_step(before: float, after: float, goal: float) -> float:
    """Return the part of a step after which a value was at ``goal``."""
    return (goal - before) / (after - before) if after > before else 1.0
