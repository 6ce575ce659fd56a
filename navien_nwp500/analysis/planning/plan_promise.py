"""Savings of plans in a year, on weeks that the search did not see, with an 80 % band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Sequence

import numpy as np

from ...protocol.types import Volume
from ..heater_model import HeaterModel
from .draw_profile import DrawHistory
from .heating_plan import DAY_STEPS, HeatingPlan, PlanWindow
from .model_fit import ModelFit
from .plan_replay import ReplayResult
from .plan_run import DOUBTFUL_KELVIN, Limits, PlanRunner, WeekResults
from .present_settings import PresentSettings
from .price_weeks import PriceWeek
from .proposal import PlanWishes, Saving, YearFigures
from .sample_worlds import sample_weeks
from .start_rules import WINDOW_START
from .zone_arrays import Array

#: Possible years in the search, and fresh ones for what is promised.
SEARCH_WORLDS, _PROMISE_WORLDS, _MOST_COLUMNS = 6, 10, 60
#: Two-sided 80 % of Student's distribution, by degrees of freedom.
_STUDENT = {3: 1.638, 4: 1.533, 5: 1.476, 6: 1.440, 7: 1.415, 8: 1.397, 9: 1.383}
_STUDENT_MANY = 1.282
#: Among plans that save so much of the best, the simplest is taken.
_NEARLY = 0.95


@dataclass(frozen=True)
class PlanCase:
    """Figures known before the search."""

    fit: ModelFit
    draws: DrawHistory
    settings: PresentSettings
    limits: Limits
    weeks: Sequence[PriceWeek]
    replay: ReplayResult
    volume: Volume
    notes: tuple[str, ...]
    fixed: bool

    @property
    def flat(self) -> bool:
        """Return whether there is one price at all times."""
        return all(np.ptp(week.prices) < 1e-9 for week in self.weeks)


def runner_of(
    model: HeaterModel,
    draws: DrawHistory,
    weeks: Sequence[PriceWeek],
    limits: Limits,
    worlds: int,
    seed: int,
) -> PlanRunner:
    """Return a runner over sample weeks: every price week in each of some possible years."""
    worlds = max(4, min(worlds, _MOST_COLUMNS // len(weeks)))
    return PlanRunner(model, sample_weeks(draws, weeks, worlds=worlds, seed=seed), limits)


def year_figures(
    results: WeekResults, runner: PlanRunner, row: int, by: ReplayResult
) -> YearFigures:
    """Return the figures of the plan in a row of the results, corrected by the replay."""
    weeks = runner.weeks
    worlds = len(np.unique(weeks.worlds))
    shares = weeks.shares / worlds
    column = int(results.coldest[row].argmin())
    step = int(results.coldest_step[row, column])
    place, rest = divmod(step, DAY_STEPS)
    return YearFigures(
        cost=float((results.cost[row] * shares).sum()) * by.cost,
        kwh=float((results.watt_hours[row] * shares).sum()) * by.energy / 1000,
        starts=float(results.starts[row].mean()),
        coldest=float(results.coldest[row, column]),
        coldest_at=((place + 6) % 7, rest),
        missed=float((results.missed[row] * shares).sum()),
        fewest=float(results.fewest[row].min()),
    )


class PlanPromise(NamedTuple):
    """A plan on fresh weeks; ``beyond``: what it saves more than other times can, by a cooler tank."""

    plan: HeatingPlan
    figures: YearFigures
    saving: Saving
    beyond: float = 0.0


def promises_of(
    case: PlanCase, wishes: PlanWishes, plans: Sequence[HeatingPlan], most: float
) -> tuple[list[PlanPromise], YearFigures]:
    """Return the plans that save, the best first, on weeks that the search did not see.

    A plan whose saving is not certain without what is beyond ``most`` does not count.
    """
    runner = runner_of(
        case.fit.model, case.draws, case.weeks, case.limits, _PROMISE_WORLDS, wishes.seed + 1
    )
    results = runner.run([case.settings.plan, *plans])
    now = year_figures(results, runner, 0, case.replay)
    found = []
    reach = _doubts(results, runner, case, plans)
    for row, plan in enumerate(plans, 1):
        figures = year_figures(results, runner, row, case.replay)
        unsure = _STUDENT_MANY * case.replay.error * figures.cost
        saving = _saving(results.cost[0] - results.cost[row], runner, case.replay.cost, unsure)
        saving = Saving(saving.value, saving.low - reach[row], saving.high + reach[row])
        beyond = max(0.0, saving.value - most)
        found.append(PlanPromise(plan, figures, saving, beyond))
    found = [one for one in found if one.saving.low > one.beyond]
    found.sort(key=lambda one: -one.saving.value)
    if not found:
        return [], now
    best = found[0].saving.value
    simple = min(
        (one for one in found if one.saving.value >= _NEARLY * best),
        key=lambda one: (one.plan.effort, -one.saving.value),
    )
    return _distinct([simple, *found]), now


def _distinct(found: Sequence[PlanPromise]) -> list[PlanPromise]:
    """Return the first plan of each kind: by its number of entries and its windows."""
    kinds: dict[tuple[int, tuple[PlanWindow, ...]], PlanPromise] = {}
    for one in found:
        kinds.setdefault((len(one.plan.entries), one.plan.windows), one)
    return list(kinds.values())


def _saving(differences: Array, runner: PlanRunner, scale: float, unsure: float) -> Saving:
    """Return the mean saving over possible years, and the band for one more year.

    ``unsure`` is what the error of the model adds to the band, on each side.
    """
    weeks = runner.weeks
    numbers = np.unique(weeks.worlds)
    years = np.array(
        [float((differences * weeks.shares)[weeks.worlds == one].sum()) for one in numbers]
    )
    years = years * scale
    spread = float(years.std(ddof=1)) * _STUDENT.get(len(years) - 1, 1.38)
    spread = float(np.hypot(spread * np.sqrt(1 + 1 / len(years)), unsure))
    mean = float(years.mean())
    return Saving(mean, mean - spread, mean + spread)


def _doubts(
    results: WeekResults, runner: PlanRunner, case: PlanCase, plans: Sequence[HeatingPlan]
) -> Array:
    """Return how much each saving changes with a threshold of the window 1.5 K lower or higher."""
    reach = np.zeros(len(plans) + 1)
    rows: Array = np.flatnonzero(results.doubtful.any(axis=1))
    if not len(rows):
        return reach
    worlds = len(np.unique(runner.weeks.worlds))
    shares = runner.weeks.shares * case.replay.cost / worlds
    usual = ((results.cost[0] - results.cost[rows]) * shares).sum(axis=1)
    everything = [case.settings.plan, *plans]
    tried = [everything[0], *(everything[row] for row in rows)]
    for shift in (-DOUBTFUL_KELVIN, DOUBTFUL_KELVIN):
        runner.window_start = WINDOW_START + shift
        other = runner.run(tried)
        saved = ((other.cost[0] - other.cost[1:]) * shares).sum(axis=1)
        reach[rows] = np.maximum(reach[rows], np.abs(saved - usual))
    runner.window_start = WINDOW_START
    return reach
