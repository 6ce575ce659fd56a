"""The simulator's judgement of a plan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .heating_plan import DAY_STEPS, HeatingPlan
from .plan_promise import SEARCH_WORLDS, PlanCase, PlanPromise, runner_of
from .price_weeks import WEEKS_OF_YEAR
from .proposal import Confirm, PlanWishes, Saving, SimulatedWeek, TrialWeek

#: How much colder than its limits the simulator may find a plan, in K: the model knows one upper zone.
_SLACK_KELVIN = 1.0
#: After a plan that was too cold, the next one is warmer by so much at most, in K.
WARMER_KELVIN = 3.0


class TrialVerdict(NamedTuple):
    """What the simulator says.

    ``saving`` is corrected. ``pair``: savings by simulator and by model. ``objection``: what speaks
    against the plan, and ``colder``: how much colder than allowed it was, in K.
    """

    saving: Saving
    pair: tuple[float, float] | None = None
    objection: str | None = None
    colder: float = 0.0


class SimulatorTrial:
    """The simulator's judgement; the present settings are simulated once."""

    def __init__(self, case: PlanCase, wishes: PlanWishes, confirm: Confirm | None) -> None:
        self._case, self._confirm = case, confirm
        self._runner = runner_of(
            case.fit.model, case.draws, case.weeks, case.limits, SEARCH_WORLDS, wishes.seed + 2
        )
        # The week that stands for most of the year.
        self._column = int(self._runner.weeks.shares.argmax())
        self._present: SimulatedWeek | None = None
        self._explicit = wishes.floor

    def confirm(self, promise: PlanPromise) -> TrialVerdict:
        """Return what the simulator says of a plan."""
        if self._confirm is None:
            return TrialVerdict(promise.saving)
        if self._present is None:
            self._present = self._simulate(self._case.settings.plan)
        found = self._simulate(promise.plan)
        results = self._runner.run([self._case.settings.plan, promise.plan])
        column = self._column
        year = WEEKS_OF_YEAR * self._case.scale
        model = float(results.cost[0, column] - results.cost[1, column]) * year
        pair = float(self._cost(self._present) - self._cost(found)) * year, model
        saving = _corrected(promise.saving, *pair)
        return TrialVerdict(saving, pair, *self._objection(saving, found, self._present))

    def _simulate(self, plan: HeatingPlan) -> SimulatedWeek:
        assert self._confirm is not None
        weeks, column = self._runner.weeks, self._column
        week = TrialWeek(
            weeks.draws[:, column],
            weeks.showers[:, column],
            weeks.months[column],
            weeks.air,
            weeks.cold,
            self._case.limits.minimum,
            self._case.volume,
        )
        return self._confirm(plan, week)

    def _cost(self, week: SimulatedWeek) -> float:
        prices = self._runner.weeks.prices[DAY_STEPS:, self._column]
        cost = float((week.watt_hours[DAY_STEPS:] * prices).sum()) / 1000
        return cost + (week.stored_start - week.stored_end) * self._runner.heat_price(self._column)

    def _objection(
        self, saving: Saving, found: SimulatedWeek, present: SimulatedWeek
    ) -> tuple[str | None, float]:
        floor = present.coldest if self._explicit is None else self._explicit
        if found.coldest < floor - _SLACK_KELVIN:
            text = (
                f"The best plan gets as cold as {found.coldest:.1f} °C in the simulator; the limit is "
                f"{floor:.1f}."
            )
            return text, floor - found.coldest
        if found.missed > present.missed:
            more = found.missed - present.missed
            return f"With the best plan the simulator misses {more} more showers.", WARMER_KELVIN
        if saving.low <= 0:
            return "In the simulator its saving is within its uncertainty.", 0.0
        return None, 0.0


def _corrected(saving: Saving, simulated: float, model: float) -> Saving:
    """Return the saving by the simulator's part of the model's, its difference in the band."""
    part = min(1.5, max(0.0, simulated / model)) if model > 0 else 0.0
    value = saving.value * part
    apart = 0.5 * abs(saving.value - value)
    low = float(np.hypot((saving.value - saving.low) * max(part, 0.2), apart))
    high = float(np.hypot((saving.high - saving.value) * max(part, 0.2), apart))
    return Saving(value, value - low, value + high)
