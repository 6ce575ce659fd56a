"""Figures of one heater, refitted from its recordings and drawn towards those of PROTOCOL 14."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Sequence

import numpy as np
import pandas as pd

from ...protocol.types import Flag
from ..heater_model import HeaterModel
from ..recoveries import Recovery
from ..thermal import TankSize
from .zone_arrays import Array, heat_watts, power_watts

#: The prior counts as much as so many recoveries.
_PRIOR_RUNS = 6
#: Fewer quiet recoveries change nothing.
_LEAST_RUNS = 4
#: The start is left out: the machine warms, and cold water passes the sensor (PROTOCOL 14.2).
_START_MS = 30 * 60_000
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
    old: HeaterModel | None = None,
) -> ModelFit:
    """Fit rate and yield of the heat pump to recoveries without draws.

    ``old`` is the model so far. It stays unless the new one predicts every other recovery better.
    """
    old = (old or HeaterModel()).for_volume(tank.volume)
    old = replace(old, wh_per_kelvin=tank.wh_per_k)
    runs = [_settled(statuses, run) for run in found if run.whole and not run.element_wh]
    cases = np.array([_case(part, old, air) for part in runs if _quiet(part)]).reshape(-1, 2)
    if len(cases) < _LEAST_RUNS:
        return ModelFit(
            old, len(cases), f"{len(cases)} quiet recoveries are too few to refit the heater"
        )
    trial = _fitted(old, cases[::2])
    if _error(trial, old, cases[1::2]) >= _error(old, old, cases[1::2]):
        return ModelFit(old, len(cases), "the recordings fit the heater's usual figures")
    model = _fitted(old, cases)
    return ModelFit(
        model,
        len(cases),
        f"refitted from {len(cases)} quiet recoveries: heat {model.rate / old.rate:.0%} and yield "
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


def _case(part: pd.DataFrame, model: HeaterModel, air: float) -> tuple[float, float]:
    """Return heat and electricity of a run, each by that of the model."""
    lower = part["lower"].to_numpy()[:-1]
    hours = part["length"].to_numpy()[:-1] / 3.6e6
    mean = part[["upper", "lower"]].mean(axis=1).to_numpy()
    lost = model.jacket_watts_per_kelvin * (mean[:-1] - air) + model.bottom_watts / 2
    gained = model.wh_per_kelvin * (mean[-1] - mean[0]) + float((lost * hours).sum())
    used = float((part["heat_pump_watts"].to_numpy()[:-1] * hours).sum())
    heat = float((heat_watts(model, lower, air) * hours).sum())
    power = float((power_watts(model, lower, air) * hours).sum())
    return gained / max(heat, 1.0), used / max(power, 1.0)


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
    """Return the installer's lowest setpoint in degC: by the energy counts, else by the starts."""
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
