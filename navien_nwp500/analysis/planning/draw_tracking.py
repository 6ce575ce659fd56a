"""Litres drawn between statuses: those that make a modelled tank follow the recorded sensors.

A draw that the sensors hardly show moves the border between cold and hot water, and the next one falls
short or comes too early by as much. So the tank of a plan is led along the recording, heated as
recorded, and each draw is the one after which it agrees best with both sensors (PROTOCOL 14.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ...protocol.types import Flag
from ..heater_model import HeaterModel
from .tank_layers import LAYERS, Tanks
from .zone_arrays import Array, heat_watts, power_watts

#: Statuses are taken in steps of so many ms; longer intervals do not tell draws.
_STEP_MS, LONGEST_MS = 5 * 60_000, 20 * 60_000
#: How much colder than expected a sensor is after a draw, in K: at rest, with a draw seen at a poll, and
#: in a run; the upper one always.
_FALL_AT_REST, _FALL_SEEN, _FALL_IN_RUN, _FALL_ABOVE = 0.35, 0.15, 1.0, 0.6
#: After a start and a stop the sensors move by themselves (PROTOCOL 9.7, 14.2).
_AFTER_CHANGE_MS = 20 * 60_000
#: A poll that shows a draw stands for at least so many litres.
_LEAST_LITRES = 3.0
#: Litres that are tried, first roughly, then in steps of one about the best.
_ROUGH, _FINE = np.arange(0.0, 97.0, 8.0), np.arange(-7.0, 8.0)
#: Part of a difference that is not a draw by which the modelled tank is corrected in a step.
_CORRECTION = 0.15
#: At the end of a recovery the sensors of a tank of one temperature differ less, in K.
MIXED_GAP = 1.5


class _Steps(NamedTuple):
    """The recording in steps; ``rows`` is the status at the begin of each."""

    rows: Array
    upper: Array
    lower: Array
    hours: Array
    running: Array
    watt_hours: Array
    element: Array
    drawing: Array
    usable: Array
    settled: Array


class TankTrack(NamedTuple):
    """Heat drawn in the interval after each status in Wh, and the tank at some of them.

    ``layers`` has a row for each of the statuses ``rows``, lowest layer first, in degC; not a number where
    nothing is known.
    """

    drawn_wh: Array
    rows: Array
    layers: Array


def track_tank(statuses: pd.DataFrame, model: HeaterModel, cold: float, air: float) -> TankTrack:
    """Lead a tank along a recording; ``cold`` and ``air`` in degC.

    ``statuses`` has the columns of ``add_intervals``.
    """
    steps = _steps(statuses)
    found = np.zeros(len(statuses))
    layers = np.full((len(steps.rows), LAYERS), np.nan)
    tanks = owed = None
    was_running = False
    for place in range(len(steps.rows) - 1):
        upper, lower = steps.upper[place : place + 2], _water(steps, model, place)
        if not (steps.usable[place] and np.isfinite([*upper, *lower]).all()):
            tanks = None
            continue
        running = bool(steps.running[place])
        stopped = was_running and not running
        if tanks is None or (stopped and upper[0] - lower[0] < MIXED_GAP):
            tanks, owed = Tanks(model, upper[:1, None], lower[:1, None]), 0.0
        layers[place] = tanks.layers[:, 0, 0]
        water = float(tanks.heated[0, 0])
        yields = float(heat_watts(model, water, air) / power_watts(model, water, air))
        if running and not was_running:
            owed = model.start_wh * yields
        heat = steps.watt_hours[place] * yields
        paid = min(owed, heat)
        owed, was_running = owed - paid, running
        inflow = (heat - paid, steps.element[place])
        tanks, found[steps.rows[place]] = _step(tanks, steps, place, inflow, cold, air, model)
    return TankTrack(found, steps.rows, layers)


def _steps(statuses: pd.DataFrame) -> _Steps:
    when = statuses["ms"].to_numpy()
    bins = when // _STEP_MS
    rows: Array = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    length = statuses["length"].to_numpy()
    hours = np.where(statuses["known"], length, 0) / 3.6e6
    running = statuses["heat_pump"].to_numpy()
    changed: Array = np.append(False, running[1:] != running[:-1])
    last = np.maximum.accumulate(np.where(changed, when, 0))

    def total(values: Array) -> Array:
        return np.add.reduceat(values, rows)

    drawing = (statuses["dhw_use"] == Flag.ACTIVE).to_numpy()
    return _Steps(
        rows,
        statuses["upper"].to_numpy(dtype=float)[rows],
        statuses["lower"].to_numpy(dtype=float)[rows],
        total(hours),
        running[rows],
        total(statuses["heat_pump_watts"].to_numpy() * hours),
        total(statuses["element_watts"].to_numpy() * hours),
        total(drawing.astype(int)) > 0,
        total((~statuses["known"] | (length > LONGEST_MS)).to_numpy().astype(int)) == 0,
        (when - last >= _AFTER_CHANGE_MS)[rows],
    )


def _water(steps: _Steps, model: HeaterModel, place: int) -> Array:
    """Return the lower water at both ends of a step: in a run the sensor shows more."""
    running = steps.running[place : place + 2]
    return steps.lower[place : place + 2] - np.where(running, model.stop_overshoot, 0.0)


def _step(
    tanks: Tanks,
    steps: _Steps,
    place: int,
    inflow: tuple[float, float],
    cold: float,
    air: float,
    model: HeaterModel,
) -> tuple[Tanks, float]:
    """Return the tank after a step, and the heat that was drawn in it."""
    upper, lower = float(steps.upper[place + 1]), float(_water(steps, model, place)[1])
    after = _heated(tanks, steps.hours[place], inflow, air)
    seen = bool(steps.drawing[place] or steps.drawing[place + 1])
    running = bool(steps.running[place])
    limit = _FALL_SEEN if seen else _FALL_IN_RUN if running else _FALL_AT_REST
    if not seen and not steps.settled[place + 1]:
        limit = np.inf
    colder = float(after.lower[0, 0]) - lower
    if colder > limit or float(after.upper[0, 0]) - upper > _FALL_ABOVE or steps.drawing[place]:
        least = _LEAST_LITRES if steps.drawing[place] else 0.0
        return _best_draw(tanks, (upper, lower), least, steps.hours[place], inflow, cold, air)
    after.layers[:5] -= colder * _CORRECTION
    after.layers[6:] += (upper - after.upper) * _CORRECTION
    return after, 0.0


def _heated(tanks: Tanks, hours: float, inflow: tuple[float, float], air: float) -> Tanks:
    after = tanks.copy()
    heat, element = (one / max(hours, 1e-9) for one in inflow)
    after.step(hours * 3600, air, np.array(heat), np.array(element))
    return after


def _best_draw(
    tanks: Tanks,
    sensors: tuple[float, float],
    least: float,
    hours: float,
    inflow: tuple[float, float],
    cold: float,
    air: float,
) -> tuple[Tanks, float]:
    """Return the tank after the draw that explains the sensors best, and its heat in Wh."""
    litres = _ROUGH
    for _ in range(2):
        litres = np.unique(np.maximum(litres, least))
        tried = tanks.repeated(len(litres))
        before = tried.stored_wh()
        tried.draw(np.arange(len(litres)), litres, cold)
        heat = before - tried.stored_wh()
        after = _heated(tried, hours, inflow, air)
        apart = (after.upper - sensors[0]) ** 2 + (after.lower - sensors[1]) ** 2
        best = int(apart[0].argmin())
        litres = litres[best] + _FINE
    return after.single(best), float(heat[0, best])
