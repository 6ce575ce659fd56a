"""Draws of hot water learned from a recording: which half hours, how much heat, how it varies.

The heater has no flow meter. When and how much is seen in the fall of the lower sensor (PROTOCOL
14.5); how much in all follows from the balance between two anchors, the ends of recoveries, when the
whole tank has one temperature: heat in, minus loss, minus what is stored, was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Iterator, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ..heater_model import HeaterModel
from ..intervals import DAY_MS
from ..recoveries import Recovery
from ..two_zone import WH_PER_LITRE_KELVIN
from .draw_tracking import LONGEST_MS, MIXED_GAP, track_tank
from .heating_plan import DAY_STEPS, STEP_MINUTES
from .zone_arrays import Array, heat_watts, power_watts

_EPOCH = date(1970, 1, 1)
_STEP_MS = STEP_MINUTES * 60_000
#: A day counts when so much of it is recorded.
WHOLE_DAY = 0.9
#: The bottom of a mixed tank loses this part of its loss, below the sensor (PROTOCOL 14.4).
_BOTTOM_SHARE = 0.8
#: Litres at 40 degC that count as a shower.
SHOWER_LITRES = 25.0


class DrawDay(NamedTuple):
    """Heat drawn on a day of the recording in Wh, in steps of 5 minutes."""

    day: date
    watt_hours: Array

    @property
    def weekend(self) -> bool:
        return self.day.weekday() >= 5


@dataclass(frozen=True)
class DrawHistory:
    """Whole days of draws; ``balanced``: part of the heat that is known from two anchors."""

    days: tuple[DrawDay, ...]
    cold: float
    air: float
    balanced: float

    @property
    def daily_wh(self) -> float:
        """Return the heat drawn on a mean day in Wh."""
        return float(np.mean([one.watt_hours.sum() for one in self.days]))

    def pool(self, weekend: bool) -> list[Array]:
        """Return the days of one kind; all days when there are fewer than two of it."""
        found = [one.watt_hours for one in self.days if one.weekend == weekend]
        return found if len(found) > 1 else [one.watt_hours for one in self.days]

    def profile(self, weekend: bool) -> Array:
        """Return the mean heat of each half hour of a day in Wh, 48 numbers."""
        return np.mean(self.pool(weekend), axis=0).reshape(48, -1).sum(axis=1)


def air_celsius(statuses: pd.DataFrame, model: HeaterModel) -> float:
    """Return the air around the heater: its sensor at rest, less the warmth of the cabinet."""
    rest = statuses.loc[~statuses["heat_pump"], "ambient"].median()
    return 20.0 if np.isnan(rest) else float(rest) - model.cabinet_kelvin


def learn_draws(
    statuses: pd.DataFrame, found: Sequence[Recovery], model: HeaterModel, *, cold: float
) -> DrawHistory:
    """Return the draws of the whole days of a recording.

    ``statuses`` has the columns of ``add_intervals``, ``found`` its recoveries, ``cold`` is the cold
    water in degC.
    """
    air = air_celsius(statuses, model)
    raw = track_tank(statuses, model, cold, air).drawn_wh
    scaled, balanced = _balance(statuses, found, raw, model, air)
    days = tuple(_days(statuses, scaled))
    return DrawHistory(days, cold, air, balanced)


def _balance(
    statuses: pd.DataFrame,
    found: Sequence[Recovery],
    raw: Array,
    model: HeaterModel,
    air: float,
) -> tuple[Array, float]:
    """Scale the raw heat so that each span between two anchors balances; return the known part."""
    anchors = [run.last for run in found if run.whole and _mixed(statuses, run.last)]
    starts = {run.last: run.first for run in found}
    scaled, factors = raw.copy(), []
    known: Array = np.zeros(len(raw), dtype=bool)
    in_wh, lost_wh = _heat_in(statuses, model, air), _losses(statuses, model, air)
    stored = model.wh_per_kelvin * (statuses["upper"] + statuses["lower"]).to_numpy() / 2
    gaps = ~statuses["known"].to_numpy()
    for first, last in zip(anchors, anchors[1:]):
        span = slice(first, last)
        if gaps[span].any():
            continue
        drawn = in_wh[span].sum() - lost_wh[span].sum() - (stored[last] - stored[first])
        seen = raw[span].sum()
        known[span] = True
        if drawn <= 0 or not np.isfinite(drawn):
            scaled[span] = 0.0
        elif seen > 0:
            factors.append(drawn / seen)
            scaled[span] = raw[span] * (drawn / seen)
        else:  # nothing was seen: a draw starts a recovery
            scaled[starts[last]] = drawn
    usual = float(np.median(factors)) if factors else 1.0
    scaled[~known] = raw[~known] * usual
    total = float(scaled.sum())
    return scaled, float(scaled[known].sum()) / total if total else 0.0


def _mixed(statuses: pd.DataFrame, row: int) -> bool:
    return bool(abs(statuses["upper"].iat[row] - statuses["lower"].iat[row]) < MIXED_GAP)


def _heat_in(statuses: pd.DataFrame, model: HeaterModel, air: float) -> Array:
    """Return the heat given to the water in each interval in Wh: electricity times its yield."""
    lower = statuses["lower"].ffill().fillna(45.0).to_numpy()
    hours = np.where(statuses["known"], statuses["length"], 0) / 3.6e6
    yields = heat_watts(model, lower, air) / np.maximum(100.0, power_watts(model, lower, air))
    electric = (statuses["heat_pump_watts"] * hours).to_numpy()
    running = statuses["heat_pump"].to_numpy()
    started = running & ~np.append(True, running[:-1])
    heat = electric * yields - np.where(started, model.start_wh * yields, 0.0)
    return heat + (statuses["element_watts"] * hours).to_numpy()


def _losses(statuses: pd.DataFrame, model: HeaterModel, air: float) -> Array:
    """Return the heat lost in each interval in Wh."""
    mean = ((statuses["upper"] + statuses["lower"]) / 2).ffill().fillna(50.0).to_numpy()
    hours = np.where(statuses["known"], statuses["length"], 0) / 3.6e6
    watts = model.jacket_watts_per_kelvin * (mean - air) + _BOTTOM_SHARE * model.bottom_watts
    return np.maximum(0.0, watts) * hours


def _days(statuses: pd.DataFrame, heat: Array) -> Iterator[DrawDay]:
    """Return the draws of each day of which enough is recorded, in the heater's time."""
    local = (statuses["ms"] + statuses["offset"]).to_numpy()
    middle = local + np.minimum(statuses["length"], LONGEST_MS).to_numpy() // 2
    known = np.where(statuses["known"], statuses["length"], 0)
    covered = pd.Series(known).groupby(local // DAY_MS).sum()
    for number in covered[covered >= WHOLE_DAY * DAY_MS].index:
        rows = middle // DAY_MS == number
        steps = (middle[rows] % DAY_MS // _STEP_MS).astype(int)
        watt_hours = np.bincount(steps, weights=heat[rows], minlength=DAY_STEPS)
        yield DrawDay(_EPOCH + timedelta(days=int(number)), watt_hours)


def shower_steps(watt_hours: Array, cold: float) -> Array:
    """Return which steps belong to a draw as large as a shower; draws touch each other or are apart."""
    drawing = watt_hours > 0
    first = np.flatnonzero(drawing & ~np.append(False, drawing[:-1]))
    after: Array = np.flatnonzero(drawing & ~np.append(drawing[1:], False)) + 1
    found: Array = np.zeros(len(watt_hours), dtype=bool)
    least = SHOWER_LITRES * WH_PER_LITRE_KELVIN * (40.0 - cold)
    for begin, end in zip(first, after):
        found[begin:end] = watt_hours[begin:end].sum() >= least
    return found
