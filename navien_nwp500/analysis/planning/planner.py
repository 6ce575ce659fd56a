"""A plan from a recording and prices: learn, bound, search, confirm, and say what it saves.

Nothing is read or sent here. The simulator, which this package does not know, is handed in as
``Confirm``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Callable, Sequence

import numpy as np

from ...exceptions import ConfigurationError
from ...history.recordings import Recording
from ...protocol.types import DHWMode
from ..heater_model import HeaterModel
from ..hot_water import SHOWER_CELSIUS
from ..intervals import DAY_MS, add_intervals
from ..prices import CalendarPrices, FixedPrices, PriceSource
from ..recoveries import recoveries
from ..thermal import tank_of
from ..two_zone import WH_PER_LITRE_KELVIN
from .cost_bound import FreeTank, cheapest
from .draw_profile import DrawHistory, air_celsius, learn_draws
from .heating_plan import DAY_STEPS, HeatingPlan, PlanWindow
from .model_fit import fit_model, lowest_setpoint
from .plan_promise import SEARCH_WORLDS, PlanCase, promises_of, runner_of, year_figures
from .plan_reasons import with_reasons
from .plan_replay import replay_days
from .plan_run import Limits, PlanRunner, WeekResults
from .plan_search import ROUNDS, Scored, SearchSpace, search
from .plan_trial import LEAST_SAVING, WARMER_KELVIN, SimulatorTrial
from .present_settings import present_settings
from .price_weeks import PriceWeek, mean_day, mean_price_windows, price_weeks, top_price_windows
from .proposal import Confirm, PlanProposal, PlanWishes, Saving
from .tank_layers import LAYERS, OUTLET

#: Whole days of history that a plan needs.
LEAST_DAYS = 14
#: Older days count no more: people and seasons change.
_MOST_DAYS = 92
#: Plans that the simulator tries, one after another, until it confirms one.
_TRIES = 3


def make_plan(
    recording: Recording,
    source: PriceSource,
    wishes: PlanWishes = PlanWishes(),
    *,
    confirm: Confirm | None = None,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda text: None,
) -> PlanProposal:
    """Return the plan that saves most, or why there is none.

    ``progress`` gets sentences while it works. ``rounds``: how often the best plans are changed; fewer
    take less time. Raises ConfigurationError when recording or prices do not suffice.
    """
    case, runner, present = prepare(recording, source, wishes, progress)
    bound, times = _bounds(case, runner, present, wishes)
    progress(_bound_text(bound, times, source.currency))
    figures = year_figures(present, runner, 0, case.replay)
    proposal = PlanProposal(
        "",
        case.settings.plan,
        figures,
        bound,
        times,
        source.currency,
        notes=case.notes,
        days=len(case.draws.days),
        fit=case.fit,
        draws=case.draws,
    )
    if _as_now(wishes) and times < LEAST_SAVING * figures.cost:
        return replace(proposal, verdict=_leave())
    space = _space(case, wishes)
    found = search(
        runner,
        space,
        present,
        seed=wishes.seed,
        rounds=rounds,
        progress=lambda part: progress(f"searching plans: {part:.0%}"),
    )
    return _decide(case, wishes, found, proposal, confirm, progress)


def prepare(
    recording: Recording,
    source: PriceSource,
    wishes: PlanWishes,
    progress: Callable[[str], None],
) -> tuple[PlanCase, PlanRunner, WeekResults]:
    """Learn from the recording; return the case, and the present settings on sample weeks."""
    _check_modes(source, wishes)
    statuses = add_intervals(recording.table)
    recent = statuses["ms"] > statuses["ms"].max() - _MOST_DAYS * DAY_MS
    statuses = statuses[recent].reset_index(drop=True)
    if statuses[["upper", "lower"]].isna().all().any():
        raise ConfigurationError("the recording has no tank temperatures; a plan needs both")
    found = recoveries(statuses)
    tank = tank_of(statuses, None)
    air = air_celsius(statuses, HeaterModel())
    fit = fit_model(statuses, found, tank, air, wishes.cold)
    draws = learn_draws(statuses, found, fit.model, cold=wishes.cold)
    _check_days(draws)
    progress(
        f"learned {len(draws.days)} days: {draws.daily_wh / 1000:.1f} kWh of hot water a day; {fit.text}"
    )
    after = datetime.fromtimestamp(int(statuses["ms"].iloc[-1]) / 1000, timezone.utc)
    offset = timedelta(milliseconds=int(statuses["offset"].iloc[-1]))
    weeks = price_weeks(source, after, offset)
    settings = present_settings(statuses)
    minimum = lowest_setpoint(statuses, found, tank)
    limits = Limits(minimum, wishes.floor, wishes.min_showers, wishes.shower_litres)
    runner = runner_of(fit.model, draws, weeks, limits, SEARCH_WORLDS, wishes.seed)
    present = runner.run([settings.plan])
    replay = replay_days(statuses, draws, fit.model, settings.plan, limits, mean_day(weeks))
    notes = (*source.notes, *settings.notes, *replay.notes, *_coverage(draws))
    fixed = isinstance(source, FixedPrices)
    case = PlanCase(fit, draws, settings, limits, weeks, replay, tank.volume, notes, fixed)
    return case, runner, present


def _as_now(wishes: PlanWishes) -> bool:
    """Return whether the water is to stay as hot as it is."""
    return wishes.floor is None and wishes.min_showers is None


def _check_modes(source: PriceSource, wishes: PlanWishes) -> None:
    if isinstance(source, CalendarPrices) and source.power_charged:
        if set(wishes.modes) - {DHWMode.HEAT_PUMP}:
            raise ConfigurationError(
                "this tariff charges for the highest power of the household, which a plan cannot "
                "count, and an element draws several kW: leave --modes at heat-pump"
            )


def _check_days(draws: DrawHistory) -> None:
    count = len(draws.days)
    if count >= LEAST_DAYS:
        return
    missing = LEAST_DAYS - count
    kinds = [
        text
        for text, weekend in (("no weekday", False), ("no day of a weekend", True))
        if not any(day.weekend == weekend for day in draws.days)
    ]
    more = f", and {' and '.join(kinds)} among them" if count and kinds else ""
    raise ConfigurationError(
        f"a plan needs {LEAST_DAYS} whole days of history; this has {count}{more}. "
        f"{missing} more: navien-nwp500 monitor --csv tank.csv --interval 300"
    )


def _coverage(draws: DrawHistory) -> tuple[str, ...]:
    if draws.balanced >= 0.5:
        return ()
    text = (
        f"Only {draws.balanced:.0%} of the drawn heat is checked by whole recoveries; the rest is "
        "estimated from the sensors."
    )
    return (text,)


def _space(case: PlanCase, wishes: PlanWishes) -> SearchSpace:
    present = case.settings.plan
    top = max([present.setpoint, *(one.setpoint for one in present.entries)])
    highest = int(top) if wishes.highest is None else round(wishes.highest * 2)
    day = mean_day(case.weeks)
    sets: list[tuple[PlanWindow, ...]] = [()]
    if not case.flat:
        holds = (
            [mean_price_windows(day)]
            if case.fixed
            else [top_price_windows(case.weeks, n) for n in (1, 2)]
        )
        sets += [one for one in holds if one and one not in sets]
    return SearchSpace(
        lowest=round(case.limits.minimum * 2),
        highest=highest,
        present=int(top),
        window_sets=sets,
        day=day,
        modes=wishes.modes,
        flat=case.flat,
        as_hot=_as_now(wishes),
    )


def _bounds(
    case: PlanCase, runner: PlanRunner, present: WeekResults, wishes: PlanWishes
) -> tuple[float, float]:
    """Return what no plan can save more than in a year, and what other times alone cannot."""
    weeks, limits, model = runner.weeks, case.limits, case.fit.model
    top = max([case.settings.plan.setpoint, *(e.setpoint for e in case.settings.plan.entries)])
    highest = top.celsius if wishes.highest is None else wishes.highest
    floor = float(present.coldest.min()) - 0.5 if limits.floor is None else limits.floor
    # The showers that must be there are heat that must be there (PROTOCOL 14.8).
    litres = (limits.min_showers or 0.0) * limits.shower_litres
    if _as_now(wishes):
        litres = max(0.0, float(present.fewest.min()) - 3.0)
    heat = litres * WH_PER_LITRE_KELVIN * (SHOWER_CELSIUS - weeks.cold)
    last = 19.0 * WH_PER_LITRE_KELVIN * (highest - weeks.cold)
    wanted = model.empty_celsius + (heat - last) / model.wh_per_kelvin if litres else 0.0
    # Hot water down to the outlet is enough for the floor.
    hot = (LAYERS - OUTLET) / LAYERS
    least = max(wanted, weeks.cold + hot * (min(floor, highest) - weeks.cold))
    tank = FreeTank(model, highest, min(least, highest - 1), weeks.air, weeks.cold)
    bound = times = 0.0
    columns = np.flatnonzero(weeks.worlds < 3)
    for column in columns:
        prices = weeks.prices[DAY_STEPS:, column]
        cost = cheapest(
            tank,
            prices.reshape(-1, 6).min(axis=1),
            weeks.draws[DAY_STEPS:, column].reshape(-1, 6).sum(axis=1),
            hours=0.5,
            heat_price=runner.heat_price(int(column)),
        )
        now, used = present.cost[0, column], present.watt_hours[0, column] / 1000
        bound += float(now - cost) * weeks.shares[column]
        # The same electricity at the lowest price of all.
        times += float(now - used * prices.min()) * weeks.shares[column]
    factor = case.replay.cost / len(np.unique(weeks.worlds[columns]))
    bound = max(0.0, bound * factor)
    return bound, min(bound, max(0.0, times * factor))


def _bound_text(bound: float, times: float, currency: str | None) -> str:
    money = currency or "of the tariff's money"
    return (
        f"no plan, however clever, saves more than {bound:.0f} {money} a year; heating at other times "
        f"alone no more than {times:.0f}"
    )


def _decide(
    case: PlanCase,
    wishes: PlanWishes,
    found: Sequence[Scored],
    proposal: PlanProposal,
    confirm: Confirm | None,
    progress: Callable[[str], None],
) -> PlanProposal:
    """Try the best plans on fresh weeks and in the simulator; return the proposal."""
    keeping = [one.plan for one in found if one.breach <= 1e-6]
    if not keeping:
        return replace(proposal, verdict=_impossible(found[0], case, wishes))
    # Who asked for nothing keeps water as hot as now: only other times count as a saving.
    most = proposal.bound_times if _as_now(wishes) else float("inf")
    promises, present = promises_of(case, wishes, keeping[:40], most)
    proposal = replace(proposal, present_figures=present)
    if case.flat:  # more starts wear the machine for nothing
        promises = [one for one in promises if one.figures.starts <= present.starts]
    if not promises:
        return replace(proposal, verdict=_leave())
    trial = SimulatorTrial(case, wishes, confirm)
    warmest = -99.0
    for number in range(_TRIES):
        promise = next((one for one in promises if one.figures.coldest >= warmest), None)
        if promise is None:
            break
        promises.remove(promise)
        if confirm is not None:
            progress(f"trying plan {number + 1} in the simulator")
        verdict = trial.confirm(promise, proposal.present_figures.cost)
        proposal = replace(
            proposal,
            figures=promise.figures._replace(
                cost=proposal.present_figures.cost - verdict.saving.value
            ),
            saving=verdict.saving,
            simulated=verdict.pair,
        )
        if verdict.objection is None:
            return replace(
                proposal,
                verdict=_verdict(verdict.saving, proposal.currency),
                plan=with_reasons(promise.plan, case.weeks, case.limits.minimum),
                window_prices=_window_prices(promise.plan, case.weeks),
            )
        # Colder than the model thinks: only plans that are warmer by as much are tried next.
        warmest = promise.figures.coldest + min(verdict.colder, WARMER_KELVIN)
        proposal = replace(
            proposal, rejected=promise.plan, verdict=f"{_leave()} {verdict.objection}"
        )
    return proposal


def _window_prices(plan: HeatingPlan, weeks: Sequence[PriceWeek]) -> tuple[Decimal, Decimal]:
    """Return the mean price inside and outside of the windows, the first one always higher."""
    held = plan.held([week.months[0] for week in weeks])
    prices = np.stack([week.prices for week in weeks], axis=1)
    if not held.any() or held.all():
        return Decimal(2), Decimal(1)
    high, low = float(prices[held].mean()), float(prices[~held].mean())
    low = max(0.0, low)
    high = max(high, low + 0.01)
    return Decimal(f"{high:.5f}"), Decimal(f"{low:.5f}")


def _impossible(best: Scored, case: PlanCase, wishes: PlanWishes) -> str:
    """Return which draw breaks the limits even with the plan that comes nearest."""
    runner = runner_of(
        case.fit.model, case.draws, case.weeks, case.limits, SEARCH_WORLDS, wishes.seed
    )
    results = runner.run([best.plan])
    figures = year_figures(results, runner, 0, case.replay)
    day, step = figures.coldest_at
    days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
    when = f"{days[day]} at {step // 12:02d}:{step % 12 * 5:02d}"
    floor, wanted = case.limits.floor, case.limits.min_showers
    if floor is not None and figures.coldest < floor:
        return (
            f"No plan keeps the water at {floor:.1f} °C: the draw of {when} gets "
            f"{figures.coldest:.1f} °C with the best of them. Lower --floor, or raise --highest."
        )
    showers = figures.fewest / case.limits.shower_litres
    return (
        f"No plan always keeps {wanted or 0:.1f} showers: the best has {showers:.1f} at the "
        f"worst moment; its coldest draw is that of {when}. Lower --min-showers, or raise --highest."
    )


def _leave() -> str:
    return "Leave it as it is: no plan saves anything for certain."


def _verdict(saving: Saving, currency: str | None) -> str:
    money = currency or "of the tariff's money"
    return (
        f"This plan saves {saving.value:.0f} {money} a year, with 80 % certainty {saving.low:.0f} to "
        f"{saving.high:.0f}."
    )
