"""The simulator's judgement of a plan."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from ..hot_water import SHOWER_CELSIUS
from .heating_plan import DAY_STEPS, HeatingPlan
from .plan_promise import SEARCH_WORLDS, PlanCase, PlanPromise, runner_of
from .price_weeks import WEEKS_OF_YEAR
from .proposal import Confirm, PlanWishes, Saving, SimulatedWeek, TrialWeek

#: How much colder than its limits the simulator may find a plan, in K: the model knows one upper zone.
_SLACK_KELVIN = 0.5
#: Factor on the draws of all weeks of the simulator but the first.
_MORE = 1.15
#: Few weeks raise a promise by so much at most.
_MOST_PART = 1.3
#: A saving that may be a smaller part of the cost than this is none.
LEAST_SAVING = 0.02
#: After a plan that was too cold, the next one is warmer by so much at most, in K.
WARMER_KELVIN = 3.0


class TrialVerdict(NamedTuple):
    """Result of the simulator.

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
        weeks = self._runner.weeks
        # The price week that stands for most of the year, in as many possible years.
        price_week = int(weeks.shares.argmax())
        kinds = len(weeks.worlds) // len(np.unique(weeks.worlds))
        self._columns = [price_week + kinds * number for number in range(wishes.trial_weeks)]
        # Learned draws are smoother than those of people, so one week has more.
        weeks.draws[:, self._columns[1:]] *= _MORE
        self._present: list[SimulatedWeek] | None = None
        self._explicit = wishes.floor

    def confirm(self, promise: PlanPromise, cost: float) -> TrialVerdict:
        """Return what the simulator says of a plan; ``cost`` is that of a year at present."""
        if self._confirm is None:
            return TrialVerdict(promise.saving)
        if self._present is None:
            self._present = self._simulate(self._case.settings.plan)
        found = self._simulate(promise.plan)
        results = self._runner.run([self._case.settings.plan, promise.plan])
        year = WEEKS_OF_YEAR * self._case.replay.cost / len(self._columns)
        gained = results.cost[0, self._columns] - results.cost[1, self._columns]
        pair = (self._cost(self._present) - self._cost(found)) * year, float(gained.sum()) * year
        saving = _corrected(promise.saving, *pair)
        certain = saving.low - promise.beyond
        return TrialVerdict(saving, pair, *self._objection(certain, found, self._present, cost))

    def _simulate(self, plan: HeatingPlan) -> list[SimulatedWeek]:
        assert self._confirm is not None
        weeks = self._runner.weeks
        return [
            self._confirm(
                plan,
                TrialWeek(
                    weeks.draws[:, column],
                    weeks.showers[:, column],
                    weeks.months[column],
                    weeks.air,
                    weeks.cold,
                    self._case.limits.minimum,
                    self._case.volume,
                ),
            )
            for column in self._columns
        ]

    def _cost(self, found: Sequence[SimulatedWeek]) -> float:
        """Return the cost of the weeks, for equal heat at their ends."""
        cost = 0.0
        for column, week in zip(self._columns, found):
            prices = self._runner.weeks.prices[DAY_STEPS:, column]
            cost += float((week.watt_hours[DAY_STEPS:] * prices).sum()) / 1000
            cost += (week.stored_start - week.stored_end) * self._runner.heat_price(column)
        return cost

    def _objection(
        self,
        certain: float,
        found: Sequence[SimulatedWeek],
        present: Sequence[SimulatedWeek],
        cost: float,
    ) -> tuple[str | None, float]:
        coldest, now = (min(week.coldest for week in weeks) for weeks in (found, present))
        floor = now if self._explicit is None else self._explicit
        more = sum(week.missed for week in found) - sum(week.missed for week in present)
        if more > 0:
            return f"With the best plan the simulator misses {more} more showers.", WARMER_KELVIN
        # Where showers are cold now, fewer of them count more than the coldest moment.
        fewer = self._explicit is None and now < SHOWER_CELSIUS and more < 0
        if coldest < floor - _SLACK_KELVIN and not fewer:
            text = (
                f"The best plan gets as cold as {coldest:.1f} °C in the simulator; the limit is "
                f"{floor:.1f}."
            )
            return text, floor - coldest
        if certain <= LEAST_SAVING * abs(cost):
            return "In the simulator its saving is within its uncertainty, or next to nothing.", 0.0
        return None, 0.0


def _corrected(saving: Saving, simulated: float, model: float) -> Saving:
    """Return the saving by the simulator's part of the model's, half of the correction in the band."""
    part = min(_MOST_PART, max(0.0, simulated / model)) if model > 0 else 0.0
    value = saving.value * part
    apart = 0.5 * abs(saving.value - value)
    low = float(np.hypot(saving.value - saving.low, apart))
    high = float(np.hypot(saving.high - saving.value, apart))
    return Saving(value, value - low, value + high)
