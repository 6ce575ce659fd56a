"""Settings in a recording: the setpoints by time of day that a plan has to beat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ...protocol.calendar import EVERY_DAY, WEEKDAYS, WEEKEND
from ...protocol.types import DHWMode, HalfCelsius
from ..intervals import DAY_MS
from .heating_plan import HeatingPlan, PlanEntry
from .plan_search import MOST_ENTRIES
from .zone_arrays import Array

#: The last days of the recording count.
_RECENT_DAYS = 14
#: A setpoint that holds for so much of the time is constant.
_CONSTANT = 0.95
_HALF_HOUR_MS = 30 * 60_000


class PresentSettings(NamedTuple):
    """Settings of the last days, as a plan; ``notes`` are sentences."""

    plan: HeatingPlan
    notes: tuple[str, ...]


def present_settings(statuses: pd.DataFrame) -> PresentSettings:
    """Return what the heater does now: its mode, and its setpoints by half hour."""
    recent = statuses[statuses["ms"] > statuses["ms"].iloc[-1] - _RECENT_DAYS * DAY_MS]
    recent = recent[recent["setpoint"].notna()]
    raw = (recent["setpoint"] * 2).round().astype(int)
    usual = HalfCelsius(int(raw.mode().iloc[0])) if len(raw) else HalfCelsius(98)
    mode, notes = _mode(recent)
    if not len(raw):
        return PresentSettings(
            HeatingPlan(usual, mode),
            (*notes, "The recording has no setpoint; 49 °C is assumed."),
        )
    if (raw == int(usual)).mean() >= _CONSTANT:
        return PresentSettings(HeatingPlan(usual, mode), notes)
    entries = _entries(recent, raw)
    if not 2 <= len(entries) <= MOST_ENTRIES:
        text = f"The setpoint changes without a daily pattern; {usual.celsius:.1f} °C, the most frequent, is taken."
        return PresentSettings(HeatingPlan(usual, mode), (*notes, text))
    return PresentSettings(HeatingPlan(usual, mode, tuple(entries)), notes)


def _mode(recent: pd.DataFrame) -> tuple[DHWMode, tuple[str, ...]]:
    modes = recent["mode"].dropna()
    if not len(modes):
        return DHWMode.HEAT_PUMP, ("The recording has no mode; heat pump is assumed.",)
    mode = DHWMode(int(modes.mode().iloc[0]))
    if mode in (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND):
        return mode, ()
    return DHWMode.HEAT_PUMP, (f"The heater is in mode {mode.text}; heat pump is compared.",)


def _entries(recent: pd.DataFrame, raw: pd.Series) -> list[PlanEntry]:
    """Return the changes of the most frequent setpoint of each half hour."""
    local = (recent["ms"] + recent["offset"]).to_numpy()
    half = local % DAY_MS // _HALF_HOUR_MS
    weekend = (local // DAY_MS + 3) % 7 >= 5
    kinds = [_pattern(raw[weekend == kind], half[weekend == kind]) for kind in (False, True)]
    if (kinds[0] == kinds[1]).all():
        groups = [(EVERY_DAY, kinds[0])]
    else:
        groups = [(WEEKDAYS, kinds[0]), (WEEKEND, kinds[1])]
    entries = []
    for days, pattern in groups:
        for place in np.flatnonzero(pattern != np.roll(pattern, 1)):
            entries.append(PlanEntry(days, int(place) * 30, HalfCelsius(int(pattern[place]))))
    return entries


def _pattern(raw: pd.Series, half: Array) -> Array:
    """Return the most frequent setpoint of each half hour; where none is known, the one before."""
    by_half = raw.groupby(half).agg(lambda values: values.mode().iloc[0])
    return by_half.reindex(range(48)).ffill().bfill().fillna(98).to_numpy().astype(int)
