"""The present settings replayed over the recorded days, against what was recorded: how far the model errs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Iterator, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ...protocol.calendar import Weekday
from ..heater_model import HeaterModel
from ..intervals import DAY_MS
from .draw_profile import DrawDay, DrawHistory
from .heating_plan import DAY_STEPS, STEP_MINUTES, WEEK_DAYS, HeatingPlan
from .plan_run import Limits, PlanRunner, SampleWeeks
from .zone_arrays import Array

_STEP_MS = STEP_MINUTES * 60_000
_WEEK = tuple(Weekday)
#: A replay that differs by more is said.
_ALIKE = 0.10
#: Error of the cost of a model that was not replayed, as a part of it; and the range of the factors.
_UNTRIED, _LEAST, _MOST = 0.10, 0.5, 2.0
#: Part of the difference between replay and recording that may be left in a plan's cost.
_LEFT = 0.5


class ReplayResult(NamedTuple):
    """Factors from the model's cost and energy to the recorded ones, over ``days`` days.

    ``error``: standard error of the cost of a plan after that, as a part of it.
    """

    cost: float = 1.0
    energy: float = 1.0
    error: float = _UNTRIED
    days: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Return sentences about large differences."""
        if max(abs(self.cost - 1), abs(self.energy - 1)) <= _ALIKE:
            return ()
        text = (
            f"Over {self.days} recorded days the present settings took {self.energy - 1:+.0%} "
            f"electricity and {self.cost - 1:+.0%} money, compared with the model: all figures are "
            "corrected by that, and half of it is in the band."
        )
        return (text,)


def replay_days(
    statuses: pd.DataFrame,
    draws: DrawHistory,
    model: HeaterModel,
    plan: HeatingPlan,
    limits: Limits,
    day_prices: Array,
) -> ReplayResult:
    """Run ``plan``, the present settings, over the recorded days with the draws of each.

    ``day_prices`` has the price of a kWh for each half hour of a day. Days are compared from the hour on at
    which the heater runs least, because a run across midnight may begin before or after it.
    """
    prices: Array = np.repeat(day_prices, DAY_STEPS // 48)
    first, recorded = _recorded_steps(statuses)
    cut = int(
        recorded[: len(recorded) // DAY_STEPS * DAY_STEPS].reshape(-1, DAY_STEPS).sum(0).argmin()
    )
    pairs = []
    for days in _stretches(draws.days):
        modelled = _modelled_steps(days, draws, model, plan, limits)
        begin = (days[0].day.toordinal() - first) * DAY_STEPS
        for place in range(DAY_STEPS + cut, len(modelled) - DAY_STEPS + 1, DAY_STEPS):
            both = recorded[begin + place :][:DAY_STEPS], modelled[place : place + DAY_STEPS]
            turned = np.roll(prices, -cut)
            pairs.append(
                [(len(one) and one.sum(), (one * turned[: len(one)]).sum()) for one in both]
            )
    return _compared(np.array(pairs)) if pairs else ReplayResult()


def _recorded_steps(statuses: pd.DataFrame) -> tuple[int, Array]:
    """Return the ordinal of the first day, and the recorded Wh of each step from its midnight on."""
    local = (statuses["ms"] + statuses["offset"]).to_numpy()
    first = int(local[0] // DAY_MS)
    hours = np.where(statuses["known"], statuses["length"], 0) / 3.6e6
    used = ((statuses["heat_pump_watts"] + statuses["element_watts"]) * hours).to_numpy()
    steps = (local - first * DAY_MS) // _STEP_MS
    length = (int(steps[-1]) // DAY_STEPS + 1) * DAY_STEPS
    return first + _EPOCH, np.bincount(steps, weights=used, minlength=length)


#: Ordinal of 1 January 1970.
_EPOCH = 719163


def _stretches(days: Sequence[DrawDay]) -> Iterator[Sequence[DrawDay]]:
    """Iterate over stretches of eight days, of which the first warms up, and the last begins the next."""
    count, place = len(WEEK_DAYS), 0
    while place + count <= len(days):
        part = days[place : place + count]
        if part[-1].day - part[0].day == timedelta(days=count - 1):
            yield part
            place += count - 2
        else:
            place += 1


def _modelled_steps(
    days: Sequence[DrawDay],
    draws: DrawHistory,
    model: HeaterModel,
    plan: HeatingPlan,
    limits: Limits,
) -> Array:
    """Return the modelled Wh of each step of eight days."""
    drawn = np.concatenate([one.watt_hours for one in days])[:, None]
    weeks = SampleWeeks(
        drawn,
        drawn > 0,
        np.ones_like(drawn),
        [days[0].day.month],
        np.ones(1),
        np.zeros(1),
        draws.air,
        draws.cold,
    )
    # The first day of a sample week is a Sunday, whatever that of the recording is.
    shift = WEEK_DAYS[0] - days[0].day.weekday()
    entries = tuple(
        replace(one, days=frozenset(_WEEK[(_WEEK.index(day) + shift) % 7] for day in one.days))
        for one in plan.entries
    )
    found = PlanRunner(model, weeks, limits).run([replace(plan, entries=entries)], keep_watts=True)
    return np.asarray(found.watts[:, 0, 0]) * STEP_MINUTES / 60


def _compared(pairs: Array) -> ReplayResult:
    """Return the factors; ``pairs``: for each day, recorded and modelled, Wh and their cost."""
    recorded, modelled = pairs.sum(axis=0)
    if (modelled <= 0).any() or (recorded <= 0).any():
        return ReplayResult()
    energy, cost = np.clip(recorded / modelled, _LEAST, _MOST)
    left = (pairs[:, 0, 1] - pairs[:, 1, 1] * cost) / pairs[:, 0, 1].mean()
    spread = float(left.std(ddof=1)) / np.sqrt(len(left)) if len(left) > 1 else _UNTRIED
    error = float(np.hypot(spread, _LEFT * (cost - 1)))
    return ReplayResult(float(cost), float(energy), error, len(pairs))
