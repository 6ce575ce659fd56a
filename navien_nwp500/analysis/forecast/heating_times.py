"""Duration of heating: to the setpoint, to its end, to an amount of hot water. No pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, NamedTuple, Sequence

from ...protocol.types import Volume
from ..heater_model import HeaterModel
from ..hot_water import COLD_CELSIUS, usable_water
from ..two_zone import LONGEST_SECONDS, TankState, heat_watts, heating_path, part_of_step, step

__all__ = ["Heating", "HeatingTimes", "heating_times"]

#: How far below the setpoint the upper element stops in energy saver (PROTOCOL 14.3), in K.
SAVER_STOP_SHORT = 0.9
#: From the start of the upper element until its sensor follows (PROTOCOL 14.3).
UPPER_ELEMENT_SECONDS = 72.6
#: Part of the tank that the lower element heats: 0.77 K a minute (PROTOCOL 14.3).
_LOWER_ELEMENT_SHARE = 0.396
_ELEMENT_STEP_SECONDS = 30.0


@dataclass(frozen=True)
class Heating:
    """Heat sources and target temperatures in degC; ``air`` in degC.

    ``stop``: of the lower zone, at which the heat pump stops. ``element_stop``: of the upper sensor,
    for an upper element; None without one. Without a condenser the lower element follows it.
    """

    setpoint: float
    air: float
    stop: float
    condenser: bool = True
    element_stop: float | None = None


class HeatingTimes(NamedTuple):
    """Minutes until the upper sensor is at the setpoint, heating ends, there is water enough.

    None: never in this run; of ``enough`` also: not asked.
    """

    ready: float | None
    end: float | None
    enough: float | None


class _Moment(NamedTuple):
    seconds: float
    tank: TankState
    upper: float
    element_ran: bool


def heating_times(
    model: HeaterModel,
    tank: TankState,
    heating: Heating,
    *,
    litres: float | None = None,
    volume: Volume = Volume.GALLONS_65,
    cold: float = COLD_CELSIUS,
) -> HeatingTimes:
    """Return how long heating takes that begins now; ``litres`` of 40 degC are ``enough``."""
    moments = list(_moments(model, tank, heating))
    uppers = [moment.upper for moment in moments]
    ready = _first(moments, uppers, heating.setpoint)
    end = moments[-1].seconds / 60 if moments[-1].seconds < LONGEST_SECONDS else None
    enough = None
    if litres is not None:
        water = [
            usable_water(
                *(one.upper, one.tank.lower),
                volume=volume,
                cold=cold,
                element_ran=one.element_ran,
            ).estimate
            for one in moments
        ]
        enough = _first(moments, water, litres)
    return HeatingTimes(ready, end, enough)


def _first(moments: Sequence[_Moment], values: Sequence[float], goal: float) -> float | None:
    """Return the minutes after which a value is at the goal."""
    for number, value in enumerate(values):
        if value >= goal:
            if not number:
                return 0.0
            before, after = moments[number - 1].seconds, moments[number].seconds
            part = part_of_step(values[number - 1], value, goal)
            return (before + (after - before) * part) / 60
    return None


def _moments(model: HeaterModel, tank: TankState, heating: Heating) -> Iterator[_Moment]:
    first = _Moment(0.0, tank, tank.upper, heating.element_stop is not None)
    yield first
    if heating.element_stop is not None:
        for each in _upper_element(model, first, heating, heating.element_stop):
            first = each
            yield first
    if heating.condenser:
        yield from _heat_pump(model, first, heating)
    elif first.tank.lower < heating.setpoint:
        yield _lower_element(model, first, heating)


def _upper_element(
    model: HeaterModel, moment: _Moment, heating: Heating, stop: float
) -> Iterator[_Moment]:
    """Heat the top of the tank, whose sensor follows at once, and the lower zone beside it."""
    kelvin_a_second = model.element_watts / (3600 * model.wh_per_kelvin * model.upper_element_share)
    while moment.upper < stop:
        seconds = min(_ELEMENT_STEP_SECONDS, (stop - moment.upper) / kelvin_a_second + 1e-6)
        heat = heat_watts(model, moment.tank.lower, heating.air) if heating.condenser else 0.0
        watts = {"condenser": heat, "upper_element": model.element_watts}
        tank = step(model, moment.tank, seconds, air=heating.air, **watts)
        upper = max(tank.upper, moment.upper + kelvin_a_second * seconds)
        moment = _Moment(moment.seconds + seconds, tank, upper, True)
        yield moment


def _heat_pump(model: HeaterModel, first: _Moment, heating: Heating) -> Iterator[_Moment]:
    path = heating_path(model, first.tank, air=heating.air, stop=heating.stop)
    for seconds, _, tank in path:
        if seconds:
            # What an element heated stays on top.
            upper = max(first.upper, tank.upper) if first.element_ran else tank.upper
            yield _Moment(first.seconds + seconds, tank, upper, first.element_ran)


def _lower_element(model: HeaterModel, first: _Moment, heating: Heating) -> _Moment:
    kelvin = heating.setpoint - first.tank.lower
    hours = kelvin * _LOWER_ELEMENT_SHARE * model.wh_per_kelvin / model.element_watts
    tank = TankState(max(first.tank.upper, heating.setpoint), heating.setpoint)
    upper = max(first.upper, heating.setpoint)
    return _Moment(first.seconds + hours * 3600, tank, upper, first.element_ran)
