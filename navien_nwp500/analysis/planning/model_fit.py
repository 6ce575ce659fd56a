"""Figures of one heater, refitted from its recordings and drawn towards those of PROTOCOL 14."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Sequence

import numpy as np
import pandas as pd

from ...protocol.types import Flag
from ..heater_model import HeaterModel
from ..hot_water import COLD_CELSIUS
from ..recoveries import Recovery
from ..thermal import TankSize
from .draw_tracking import TankTrack, track_tank
from .tank_layers import Tanks
from .zone_arrays import Array, heat_watts, power_watts

#: The prior counts as much as so many recoveries.
_PRIOR_RUNS = 6
#: Fewer quiet recoveries change nothing.
_LEAST_RUNS = 4
#: The start is left out: the machine warms, and cold water passes the sensor (PROTOCOL 14.2).
_START_MS = 30 * 60_000
#: Steps of 5 minutes of the longest recovery that is modelled.
_LONGEST_STEPS = 200
#: Range of the installer's lowest setpoint in degC (PROTOCOL 6.8).
_MINIMUM = (35.0, 45.0)


class ModelFit(NamedTuple):
    """Fitted model; ``runs``: quiet recoveries it rests on. ``text`` says what was done."""

    model: HeaterModel
    runs: int
    text: str


def fit_model(
    statuses: pd.DataFrame,
    found: Sequence[Recovery],
    tank: TankSize,
    air: float,
    cold: float = COLD_CELSIUS,
    old: HeaterModel | None = None,
) -> ModelFit:
    """Fit rate and yield of the heat pump to recoveries without draws; ``air`` and ``cold`` in degC.

    ``old`` is the model so far. It stays unless the new one predicts every other recovery better.
    """
    old = (old or HeaterModel()).for_volume(tank.volume)
    old = replace(old, wh_per_kelvin=tank.wh_per_k)
    runs = [_settled(statuses, run) for run in found if run.whole and not run.element_wh]
    quiet = [part for part in runs if _quiet(part)]
    if len(quiet) < _LEAST_RUNS:
        return _few(old, len(quiet))
    track = track_tank(statuses, old, cold, air)
    found_cases = [_case(part, old, air, track) for part in quiet]
    cases = np.array([one for one in found_cases if one is not None]).reshape(-1, 2)
    if len(cases) < _LEAST_RUNS:
        return _few(old, len(cases))
    trial = _fitted(old, cases[::2])
    if _error(trial, old, cases[1::2]) >= _error(old, old, cases[1::2]):
        return ModelFit(old, len(cases), "the recordings fit the heater's usual figures")
    model = _fitted(old, cases)
    return ModelFit(
        model,
        len(cases),
        f"refitted from {len(cases)} recoveries without draws: heat {model.rate / old.rate:.0%} and yield "
        f"{model.cop_scale / old.cop_scale:.0%} of the usual",
    )


def _settled(statuses: pd.DataFrame, run: Recovery) -> pd.DataFrame:
    part = statuses.iloc[run.first : run.last + 1]
    return part[part["ms"] >= part["ms"].iloc[0] + _START_MS]


def _quiet(part: pd.DataFrame) -> bool:
    sensors = part[["upper", "lower"]]
    return bool(
        len(part) > 3
        and sensors.notna().all(axis=None)
        and not (part["dhw_use"] == Flag.ACTIVE).any()
        and not (sensors.diff() < -0.5).any(axis=None)
    )


def _few(model: HeaterModel, count: int) -> ModelFit:
    return ModelFit(model, count, f"too few recoveries without draws to refit the heater: {count}")


def _case(
    part: pd.DataFrame, model: HeaterModel, air: float, track: TankTrack
) -> tuple[float, float] | None:
    """Return heat and electricity of a run, each by that of the model; None with an unknown tank."""
    lower = part["lower"].to_numpy()
    hours = part["length"].to_numpy()[:-1] / 3.6e6
    used = float((part["heat_pump_watts"].to_numpy()[:-1] * hours).sum())
    power = float((power_watts(model, lower[:-1], air) * hours).sum())
    place = min(int(np.searchsorted(track.rows, part.index[0])), len(track.rows) - 1)
    modelled = _hours_to_heat(model, track.layers[place], air, lower[-1] - model.stop_overshoot)
    if modelled is None:
        return None
    return modelled / float(hours.sum()), used / max(power, 1.0)


def _hours_to_heat(model: HeaterModel, layers: Array, air: float, until: float) -> float | None:
    """Return how long the model heats these layers until the lower sensor is at ``until``."""
    if np.isnan(layers).any():
        return None
    tanks = Tanks(model, layers[:1, None], layers[:1, None])
    tanks.layers = layers[:, None, None].copy()
    lower = float(tanks.lower[0, 0])
    for count in range(_LONGEST_STEPS):
        before = lower
        tanks.step(300.0, air, heat_watts(model, tanks.heated, air), 0.0)
        lower = float(tanks.lower[0, 0])
        if lower >= until:
            part = (until - before) / max(lower - before, 1e-6)
            return (count + float(np.clip(part, 0.0, 1.0))) / 12
    return None


def _fitted(old: HeaterModel, cases: Array) -> HeaterModel:
    count = len(cases)
    heat, power = np.median(cases, axis=0)
    rate = (count * heat + _PRIOR_RUNS) / (count + _PRIOR_RUNS)
    yields = (count * heat / power + _PRIOR_RUNS) / (count + _PRIOR_RUNS)
    return replace(
        old,
        rate=old.rate * float(np.clip(rate, 0.6, 1.5)),
        cop_scale=old.cop_scale * float(np.clip(yields, 0.6, 1.5)),
    )


def _error(model: HeaterModel, old: HeaterModel, cases: Array) -> float:
    """Return the mean error of heat and electricity, as parts of them."""
    heat = model.rate / old.rate
    power = heat / (model.cop_scale / old.cop_scale)
    return float(np.abs(cases / np.array([heat, power]) - 1).mean())


def lowest_setpoint(statuses: pd.DataFrame, found: Sequence[Recovery], tank: TankSize) -> float:
    """Return the installer's lowest setpoint in degC, at which the heater starts (PROTOCOL 6.8).

    It is told outside of windows; else it follows from the energy counts, else from the starts.
    """
    told = statuses["hp_lower_on_temp_setting"].dropna() / 2
    told = told[told.between(*_MINIMUM)]
    if len(told):
        return float(told.mode().iloc[0])
    rows = [run.first - 1 for run in found if run.first > 0]
    starts = statuses["lower"].iloc[rows].median() if rows else float("nan")
    by_count = (statuses["setpoint"] - statuses["total_wh"] / tank.wh_per_k).median()
    known = [value for value in (by_count, starts) if not np.isnan(value)]
    if not known:
        return 40.5
    # Older firmware counts from 1 K more in mode 1 (PROTOCOL 6.8); then the starts decide.
    if len(known) == 2 and abs(by_count - starts) > 2.5:
        known = known[1:]
    return float(np.clip(round(known[0] * 2) / 2, *_MINIMUM))
