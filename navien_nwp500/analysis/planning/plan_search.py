"""Search for the plan with the lowest cost: families of plans first, then small changes of the best."""

from __future__ import annotations

from random import Random
from typing import Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ...protocol.calendar import EVERY_DAY, WEEKDAYS, Weekday
from ...protocol.types import DHWMode, HalfCelsius
from .heating_plan import HeatingPlan, PlanEntry, PlanWindow
from .plan_run import PlanRunner, WeekResults
from .zone_arrays import Array

#: Entries that a person still overlooks; a plan may have more, with a warning.
MANY_ENTRIES = 7
MOST_ENTRIES = 16
_HALF_HOURS = 48
#: Plans that a round tries, how many of them the next round changes, and the rounds after the first.
_ROUND, _KEPT, ROUNDS = 120, 8, 4
#: Plans that are run at once.
_BATCH = 200
#: Value of a thing to write, as a part of the cost: of two nearly equal plans the simpler one wins.
_EFFORT = 0.001
#: "As now" means within the error of the model.
_TOLERANCE_KELVIN, _TOLERANCE_LITRES = 0.5, 3.0


class Genes(NamedTuple):
    """A plan in the form that the search changes.

    ``toggles``: half hour of the day and setpoint in half degrees, in order of time; none: ``setpoint``
    holds always. ``windows``: number of the set of windows. ``weekend``: whether the toggles apply
    at weekends too; if not, the highest of them holds there.
    """

    setpoint: int
    toggles: tuple[tuple[int, int], ...] = ()
    windows: int = 0
    weekend: bool = True
    mode: DHWMode = DHWMode.HEAT_PUMP


class SearchSpace(NamedTuple):
    """Limits of the search; setpoints in half degrees Celsius.

    ``window_sets``: the sets of windows, the first one empty. ``day``: mean price of each half hour.
    ``flat``: there is one price, so that only the setpoint matters. ``as_hot``: the highest setpoint of a
    plan is the highest allowed.
    """

    lowest: int
    highest: int
    present: int
    window_sets: Sequence[tuple[PlanWindow, ...]]
    day: Array
    modes: Sequence[DHWMode] = (DHWMode.HEAT_PUMP,)
    flat: bool = False
    as_hot: bool = False


class Scored(NamedTuple):
    """A plan with its expected cost of a year; ``breach`` is 0 when it keeps to the limits."""

    plan: HeatingPlan
    cost: float
    breach: float

    @property
    def rank(self) -> tuple[float, float]:
        return round(self.breach, 6), self.cost * (1 + _EFFORT * self.plan.effort)


def search(
    runner: PlanRunner,
    space: SearchSpace,
    present: WeekResults,
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] = lambda part: None,
) -> list[Scored]:
    """Return plans, the best first.

    ``present`` are the results of the present settings. ``rounds``: how often the best are changed.
    """
    random = Random(seed)
    known: dict[Genes, Scored] = {}
    fresh = [one for one in dict.fromkeys(_families(space)) if _hot_enough(one, space)]
    for number in range(rounds + 1):
        while fresh:
            batch, fresh = fresh[:_BATCH], fresh[_BATCH:]
            plans = [to_plan(genes, space) for genes in batch]
            results = runner.run(plans)
            costs, breaches = judge(results, runner, present)
            for genes, plan, cost, breach in zip(batch, plans, costs, breaches):
                known[genes] = Scored(plan, float(cost), float(breach))
        progress((number + 1) / (rounds + 1))
        best = sorted(known, key=lambda genes: known[genes].rank)[:_KEPT]
        if number < rounds:
            fresh = list(_changed(best, known, space, random))
    return sorted(known.values(), key=lambda one: one.rank)


def judge(results: WeekResults, runner: PlanRunner, present: WeekResults) -> tuple[Array, Array]:
    """Return cost of a year and breach of the limits of each plan.

    A breach is in K of water that is too cold, in showers missed beyond those of the present settings,
    and in showers that should have been there. Where a limit is not given, the coldest water of all
    weeks, and of a mean week, is that of the present settings.
    """
    shares, limits = runner.weeks.shares, runner.limits
    cost = (results.cost * shares).sum(axis=1) / len(np.unique(runner.weeks.worlds))
    missed = np.maximum(0.0, results.missed.sum(axis=1) - present.missed[0].sum())
    if limits.floor is None:
        below = _worse(present.coldest, results.coldest, _TOLERANCE_KELVIN)
    else:
        below = np.maximum(0.0, limits.floor - results.coldest).max(axis=1)
    if limits.min_showers is not None:
        wanted = limits.min_showers * limits.shower_litres
        short = np.maximum(0.0, wanted - results.fewest).max(axis=1)
    elif limits.floor is None:
        short = _worse(present.fewest, results.fewest, _TOLERANCE_LITRES)
    else:
        short = np.zeros(len(cost))
    return cost, below + missed + short / limits.shower_litres


def _worse(present: Array, found: Array, tolerance: float) -> Array:
    """Return how much lower a figure is than at present, at its worst and in the mean."""
    worst = present.min() - found.min(axis=1)
    mean = present.mean() - found.mean(axis=1)
    return np.maximum(0.0, np.maximum(worst, mean) - tolerance)


def to_plan(genes: Genes, space: SearchSpace) -> HeatingPlan:
    """Return the plan of some genes, without its reasons."""
    windows = space.window_sets[genes.windows]
    mode = DHWMode.HEAT_PUMP if windows else genes.mode
    if not genes.toggles:
        return HeatingPlan(HalfCelsius(genes.setpoint), mode, (), windows)
    days = EVERY_DAY if genes.weekend else WEEKDAYS
    entries = [PlanEntry(days, half * 30, HalfCelsius(to)) for half, to in genes.toggles]
    high = max(to for _, to in genes.toggles)
    if not genes.weekend and genes.toggles[-1][1] != high:
        entries.append(PlanEntry(frozenset([Weekday.SATURDAY]), 0, HalfCelsius(high)))
    entries.sort(key=lambda one: one.minute)
    return HeatingPlan(HalfCelsius(high), mode, tuple(entries), windows)


def _families(space: SearchSpace) -> Iterator[Genes]:
    """Iterate over plans of each kind: constant, windows, and top-up and hold."""
    high = min(space.present, space.highest)
    levels = sorted({space.highest, high, *range(high, space.lowest - 1, -6)})
    for setpoint in levels:
        for windows in range(len(space.window_sets)):
            yield Genes(setpoint, windows=windows)
        for mode in space.modes:
            yield Genes(setpoint, mode=mode)
    if space.lowest >= space.highest or space.flat:
        return
    rises = _rises(space.day)
    for hold in rises:
        for early in (1, 2, 4, 6, 10, 16):
            for low in sorted({space.lowest, (space.lowest + high) // 2, high - 1}):
                if space.lowest <= low < high:
                    toggles = _ordered(((hold - early, high), (hold, low)))
                    yield Genes(high, toggles)
    for hold in rises:  # hold alone, until the price falls again
        for last in (4, 8, 12):
            yield Genes(high, _ordered(((hold, space.lowest), (hold + last, high))))


def _rises(day: Array) -> list[int]:
    """Return the half hours at which the price rises; the largest rises first, at most four."""
    steps = day - np.roll(day, 1)
    rises = np.flatnonzero(steps > 0.02 * np.abs(day).mean())
    return [int(half) for half in sorted(rises, key=lambda half: -steps[half])[:4]]


def _changed(
    best: Sequence[Genes], known: dict[Genes, Scored], space: SearchSpace, random: Random
) -> Iterator[Genes]:
    """Iterate over new plans, each a change of one of the best."""
    found: set[Genes] = set()
    for _ in range(_ROUND * 4):
        genes = _change(random.choice(best), space, random)
        if genes not in known and genes not in found and _possible(genes, space):
            found.add(genes)
            yield genes
        if len(found) >= _ROUND:
            return


def _change(genes: Genes, space: SearchSpace, random: Random) -> Genes:
    kind = random.random()
    if space.flat or not genes.toggles or kind < 0.08:
        return _restart(genes, space, random)
    if kind < 0.16 and len(space.window_sets) > 1:
        return genes._replace(windows=random.randrange(len(space.window_sets)))
    if kind < 0.24:
        return genes._replace(weekend=not genes.weekend)
    toggles = list(genes.toggles)
    place = random.randrange(len(toggles))
    half, to = toggles[place]
    if kind < 0.34 and len(toggles) > 2:
        del toggles[place]
    elif kind < 0.42 and len(toggles) < MANY_ENTRIES:
        toggles.append((random.randrange(_HALF_HOURS), random.choice((to - 4, to + 4, to + 12))))
    elif kind < 0.72:
        toggles[place] = half + random.choice((-4, -2, -1, 1, 2, 4)), to
    else:
        toggles[place] = half, to + random.choice((-12, -6, -3, -2, -1, 1, 2, 3, 6, 12))
    return genes._replace(toggles=_ordered(toggles, space))


def _restart(genes: Genes, space: SearchSpace, random: Random) -> Genes:
    """Return another constant setpoint, or toggles where there were none."""
    step = random.choice((-4, -2, -1, 1, 2, 4))
    if space.flat or genes.toggles or random.random() < 0.5:
        top = max((to for _, to in genes.toggles), default=genes.setpoint)
        setpoint = min(space.highest, max(space.lowest, top + step))
        return Genes(setpoint, (), genes.windows, True, genes.mode)
    half = random.randrange(_HALF_HOURS)
    later = half + random.choice((2, 4, 8, 16))
    low = random.randint(space.lowest, max(space.lowest, genes.setpoint - 1))
    return genes._replace(toggles=_ordered(((half, genes.setpoint), (later, low)), space))


def _ordered(
    toggles: Sequence[tuple[int, int]], space: SearchSpace | None = None
) -> tuple[tuple[int, int], ...]:
    """Return toggles within the day in order of time, one for a half hour, within the limits."""
    found = {half % _HALF_HOURS: to for half, to in toggles}
    if space is not None:
        found = {half: min(space.highest, max(space.lowest, to)) for half, to in found.items()}
    return tuple(sorted(found.items()))


def _hot_enough(genes: Genes, space: SearchSpace) -> bool:
    top = max((to for _, to in genes.toggles), default=genes.setpoint)
    return top == space.highest or not space.as_hot


def _possible(genes: Genes, space: SearchSpace) -> bool:
    """Return whether each toggle changes the setpoint, by 0.5 K or more."""
    if not _hot_enough(genes, space):
        return False
    if not genes.toggles:
        return genes.weekend
    if len(genes.toggles) < 2 or not all(
        space.lowest <= to <= space.highest for _, to in genes.toggles
    ):
        return False
    tos = [to for _, to in genes.toggles]
    return all(one != other for one, other in zip(tos, [tos[-1], *tos]))
