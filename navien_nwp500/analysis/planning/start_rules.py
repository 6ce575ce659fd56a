"""Rules that start and stop heating, for many heaters at once (PROTOCOL 9.12, 14.3).

Pure functions: arrays of temperatures in degC, of settings and of what runs; the answer is what runs
next. Everything is elementwise, so single numbers work too.
"""

from __future__ import annotations

import numpy as np

from ..heater_model import HeaterModel
from .zone_arrays import Array

#: In a window the heat pump starts when the upper sensor is so far below the setpoint, in K.
WINDOW_START = 8.0
#: A new setpoint in a window starts it when the upper sensor is so far below it, in K.
WINDOW_SETPOINT = 2.2
#: Mode 3: the upper element starts at the lowest setpoint and stops so far below the setpoint, in K.
SAVER_STOP = 0.9
#: Mode 4: the upper element starts so far below the setpoint, in K.
DEMAND_START = 2.3
#: A raised setpoint starts the upper element when it is so far below, in K: modes 3 and 4.
SAVER_ENTRY, DEMAND_ENTRY = 1.0, 0.4


def after_new_setpoint(upper: Array, setpoint: Array, window: Array) -> Array:
    """Return whether the heat pump runs after a change of the setpoint, raised or lowered.

    The heater judges its demand afresh, so a run that is on may end.
    """
    return setpoint - upper > np.where(window, WINDOW_SETPOINT, 0.0)


def by_sensors(
    model: HeaterModel,
    running: Array,
    upper: Array,
    lower: Array,
    setpoint: Array,
    window: Array,
    *,
    minimum: float,
    window_start: float = WINDOW_START,
) -> Array:
    """Return whether the heat pump runs, by temperatures alone.

    ``lower`` is the water, which the lower sensor shows ``stop_overshoot`` too warm in a run.
    ``minimum`` is the installer's lowest setpoint.
    """
    short = setpoint - upper
    stop = setpoint - np.where(window, model.window_stop_short + model.stop_overshoot, 0.0)
    starts = np.where(window, short > window_start, (lower <= minimum) & (short > 0))
    return np.where(running, lower < stop, starts)


def saver_element(
    running: Array, upper: Array, setpoint: Array, raised: Array, *, minimum: float
) -> Array:
    """Return whether the upper element runs in mode 3, energy saver."""
    short = setpoint - upper
    starts = (upper <= minimum) | (raised & (short >= SAVER_ENTRY))
    return (short > SAVER_STOP) & (running | starts)


def demand_element(running: Array, upper: Array, setpoint: Array, raised: Array) -> Array:
    """Return whether the upper element runs in mode 4, high demand."""
    short = setpoint - upper
    starts = (short >= DEMAND_START) | (raised & (short >= DEMAND_ENTRY))
    return (short > 0) & (running | starts)
