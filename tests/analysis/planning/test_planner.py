"""Plans of simulated households: what is proposed, what is not, and that it keeps its promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

import numpy as np

from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.intervals import add_intervals
from navien_nwp500.analysis.planning.draw_profile import learn_draws
from navien_nwp500.analysis.planning.heating_plan import (
    DAY_STEPS,
    WEEK_STEPS,
    HeatingPlan,
    PlanEntry,
    PlanWindow,
)
from navien_nwp500.analysis.planning.plan_promise import promises_of
from navien_nwp500.analysis.planning.plan_replay import replay_days
from navien_nwp500.analysis.planning.plan_run import Limits, PlanRunner, SampleWeeks
from navien_nwp500.analysis.planning.plan_search import SearchSpace, search
from navien_nwp500.analysis.planning.planner import make_plan, prepare
from navien_nwp500.analysis.planning.price_weeks import price_weeks, top_price_windows
from navien_nwp500.analysis.planning.proposal import PlanWishes
from navien_nwp500.analysis.prices import FixedPrices, PriceInterval, PriceSeries
from navien_nwp500.analysis.recoveries import recoveries
from navien_nwp500.apps.cli.plan_confirmation import simulate_week
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.recordings import load
from navien_nwp500.protocol.calendar import EVERY_DAY
from navien_nwp500.protocol.schedules import ReservationProgram
from navien_nwp500.protocol.tou import check_tou, encode_tou_mqtt
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.water_draws import Draws
from support.day_tariffs import FLAT, MILD, PEAK
from support.simulated_history import AFTERNOON, live_day

PRESENT = HeatingPlan(HalfCelsius(121))


def test_showers_after_work_are_heated_before_and_the_heater_holds_back(late_file: Path) -> None:
    said: list[str] = []
    wishes = PlanWishes(trial_weeks=1)
    recording = load([late_file])
    found = make_plan(
        recording, PEAK, wishes, confirm=simulate_week, rounds=1, progress=said.append
    )
    plan, saving = found.plan, found.saving
    assert plan is not None and saving is not None and found.figures is not None, found.verdict
    # Heated before the price rises, held back after it; a window alone leaves the water too cold. The
    # simulator agrees.
    assert plan.mode == DHWMode.HEAT_PUMP and plan.entries
    assert 0 < saving.low < saving.value < saving.high <= found.bound
    assert found.simulated is not None and found.simulated[0] > 0
    assert found.figures.coldest >= found.present_figures.coldest - 1.0
    assert found.figures.missed <= found.present_figures.missed
    assert all(one.why for one in (*plan.entries, *plan.windows))
    assert all(one.mode.name == "HEAT_PUMP" for one in plan.reservations())
    periods = plan.periods(*found.window_prices)
    if periods:
        check_tou(periods)
    # The bound is the first thing that is said after what was learned.
    assert "saves more than" in said[1] and said[2].startswith("searching")


WINDOW = HeatingPlan(HalfCelsius(120), windows=(PlanWindow(16 * 60, 21 * 60),))


def simulated_cost(plan: HeatingPlan, days: int) -> float:
    """Return the cost of some days of AFTERNOON in the simulated heater, for equal heat at the end."""
    start = datetime(2026, 5, 3, tzinfo=timezone.utc)
    heater = Heater(
        now=start,
        mode=plan.mode,
        setpoint=plan.setpoint,
        upper_celsius=60.0,
        lower_celsius=55.0,
        inlet_celsius=15.0,
        draws=None,
    )
    heater.write_reservations(ReservationProgram(bool(plan.entries), plan.reservations()))
    if plan.windows:
        heater.write_tou_plan(True, encode_tou_mqtt(plan.periods(Decimal(2), Decimal(1))))
    people = Draws(AFTERNOON, jitter_minutes=0.0, jitter_litres=0.0)
    prices = np.full(288, 0.33)
    prices[16 * 12 : 21 * 12] = 0.45
    cost, before, stored = 0.0, heater.energy_total.heat_pump_wh, heater.tank.stored_wh
    for day in range(days):
        for step, _ in live_day(heater, people, start.date() + timedelta(days=day)):
            now = heater.energy_total.heat_pump_wh
            cost += (now - before) / 1000 * prices[step]
            before = now
    return cost - (heater.tank.stored_wh - stored) / 2.7 / 1000 * float(prices.mean())


def test_a_window_alone_saves_nothing_where_a_run_starts_before_it(late_file: Path) -> None:
    """The draw of 15:30 starts a run, which a window does not stop (PROTOCOL 9.12)."""
    present = replace(WINDOW, windows=())
    now = simulated_cost(present, 2)
    assert simulated_cost(WINDOW, 2) == pytest.approx(now, rel=0.01)
    topped = HeatingPlan(
        HalfCelsius(120),
        entries=(
            PlanEntry(EVERY_DAY, 14 * 60, HalfCelsius(120)),
            PlanEntry(EVERY_DAY, 18 * 60, HalfCelsius(96)),
        ),
        windows=WINDOW.windows,
    )
    assert simulated_cost(topped, 2) < 0.97 * now
    wishes = PlanWishes()
    case, _, _ = prepare(load([late_file]), MILD, wishes, lambda text: None)
    promises, _ = promises_of(case, wishes, [WINDOW, topped], float("inf"))
    assert [one.plan for one in promises] == [topped]


def test_a_replay_of_the_recorded_days_costs_what_was_recorded(late_file: Path) -> None:
    statuses = add_intervals(load([late_file]).table)
    draws = learn_draws(statuses, recoveries(statuses), HeaterModel(), cold=15.0)
    day = np.full(48, 0.33)
    day[32:42] = 0.45
    present = replace(WINDOW, windows=())
    found = replay_days(statuses, draws, HeaterModel(), present, Limits(40.5), day)
    assert found.days >= 10 and found.notes == ()
    assert found.cost == pytest.approx(1.0, abs=0.05) and found.error < 0.05
    # A heater that takes a third more than its model: corrected, said, and less certain.
    statuses["heat_pump_watts"] *= 1.33
    other = replay_days(statuses, draws, HeaterModel(), present, Limits(40.5), day)
    assert other.energy == pytest.approx(1.33 * found.energy)
    assert other.error > 0.15 and "corrected" in other.notes[0]


def test_the_default_household_leaves_it_as_it_is(default_file: Path) -> None:
    found = make_plan(load([default_file]), MILD, confirm=simulate_week, rounds=2)
    assert found.plan is None
    assert found.verdict.startswith("Leave it as it is")
    # It heats when electricity is cheap already: hardly anything comes from other times.
    assert found.bound_times < 0.1 * found.present_figures.cost


def test_at_a_flat_price_nothing_is_proposed(default_file: Path) -> None:
    found = make_plan(load([default_file]), FLAT)
    assert found.plan is None and found.verdict.startswith("Leave it as it is")


def test_a_floor_that_cannot_be_kept_names_the_draw(default_file: Path) -> None:
    found = make_plan(load([default_file]), PEAK, PlanWishes(floor=59.5), rounds=0)
    assert found.plan is None
    assert "No plan keeps the water at 59.5 °C: the draw of " in found.verdict
    day, _, rest = found.verdict.partition("the draw of ")[2].partition(" at ")
    assert day in "Monday Tuesday Wednesday Thursday Friday Saturday Sunday" and rest[2] == ":"


def test_no_element_where_the_highest_power_costs(default_file: Path) -> None:
    wishes = PlanWishes(modes=(DHWMode.HEAT_PUMP, DHWMode.HIGH_DEMAND))
    with pytest.raises(ConfigurationError, match="highest power .* --modes at heat-pump"):
        make_plan(load([default_file]), replace(PEAK, power_charged=True), wishes)


def test_a_short_history_says_what_is_missing(default_file: Path) -> None:
    recording = load([default_file])
    table = recording.table
    week = table[table["ms"] < table["ms"].iloc[0] + 5 * 86_400_000].reset_index(drop=True)
    with pytest.raises(
        ConfigurationError, match="needs 14 whole days of history; this has 5, and"
    ) as error:
        make_plan(replace(recording, table=week), PEAK)
    assert "no day of a weekend among them. 9 more: " in str(error.value)
    with pytest.raises(ConfigurationError, match="no tank temperatures"):
        make_plan(replace(recording, table=table.assign(upper=float("nan"))), PEAK)


def sample(prices: Any, draws: dict[float, float]) -> SampleWeeks:
    """Return one week with the same prices and draws (hour: Wh) each day."""
    wanted = np.zeros((WEEK_STEPS, 1))
    for day in range(8):
        for hour, heat in draws.items():
            wanted[day * DAY_STEPS + int(hour * 12)] = heat
    return SampleWeeks(
        wanted,
        wanted > 700,
        np.tile(prices, 8)[:, None],
        [1],
        np.array([52.0]),
        np.array([0]),
        20.0,
        15.0,
    )


def runner(prices: Any, draws: dict[float, float]) -> PlanRunner:
    return PlanRunner(HeaterModel(), sample(prices, draws), Limits(40.5))


def best_plan(run: PlanRunner, prices: Any) -> HeatingPlan:
    """Return what two rounds of changes find: enough for one price rise a day."""
    present = run.run([PRESENT])
    space = SearchSpace(81, 121, 121, [()], prices.reshape(48, -1).mean(axis=1))
    return search(run, space, present, seed=3, rounds=2)[0].plan


DRAWS = {6.5: 2500.0, 18.0: 1200.0, 20.0: 1800.0}
#: Electricity is dear from 20:30 to midnight.
EVENING = np.full(DAY_STEPS, 0.15)
EVENING[20 * 12 + 6 : 24 * 12] = 0.60


@pytest.fixture(scope="module")
def evening_plan() -> HeatingPlan:
    return best_plan(runner(EVENING, DRAWS), EVENING)


def test_nothing_is_heated_in_a_price_spike_without_draws() -> None:
    prices = np.full(DAY_STEPS, 0.2)
    prices[21 * 12 : 23 * 12] = 5.0
    run = runner(prices, DRAWS)
    spike = np.tile(prices > 1, 8)[DAY_STEPS:]
    plans = [PRESENT, best_plan(run, prices)]
    watts = run.run(plans, keep_watts=True).watts[DAY_STEPS:]
    assert watts[spike][:, 0].any(), "the present settings do heat in it"
    assert not watts[spike][:, 1].any()


def test_a_constant_on_all_prices_keeps_the_plan(evening_plan: HeatingPlan) -> None:
    plain, prices = evening_plan, EVENING + 0.02
    more = best_plan(runner(prices, DRAWS), prices)
    assert plain.entries and [one.minute for one in plain.entries] == [
        one.minute for one in more.entries
    ]
    assert [one.setpoint for one in plain.entries] == [one.setpoint for one in more.entries]


def test_no_plan_costs_less_than_the_bound(evening_plan: HeatingPlan) -> None:
    from navien_nwp500.analysis.planning.cost_bound import FreeTank, cheapest

    run = runner(EVENING, DRAWS)
    results = run.run([PRESENT, evening_plan])
    coldest = float(results.coldest.min())
    tank = FreeTank(HeaterModel(), 60.5, (min(coldest, 60.0) + 15) / 2, 20.0, 15.0)
    drawn = run.weeks.draws[DAY_STEPS:, 0].reshape(-1, 6).sum(axis=1)
    bound = cheapest(
        tank,
        run.weeks.prices[DAY_STEPS::6, 0],
        drawn,
        hours=0.5,
        heat_price=run.heat_price(0),
    )
    assert bound <= float(results.cost.min())


def test_what_is_not_heated_before_the_week_ends_is_not_a_saving() -> None:
    """Both plans are equal until Sunday evening, when one heats after the draw and one waits."""
    run = runner(np.full(DAY_STEPS, 0.3), {19.0: 2000.0, 19.25: 2000.0})
    run.weeks.draws[: 7 * DAY_STEPS] = 0.0
    waiting = HeatingPlan(
        HalfCelsius(121),
        entries=(
            PlanEntry(EVERY_DAY, 2 * 60, HalfCelsius(121)),
            PlanEntry(EVERY_DAY, 18 * 60, HalfCelsius(84)),
        ),
    )
    found = run.run([PRESENT, waiting], keep_watts=True)
    evening = found.watts[-5 * 12 :].sum(axis=0)[:, 0] / 12
    assert evening[0] > 1000 and evening[1] == 0
    week = found.watts[DAY_STEPS:].sum(axis=0)[:, 0] / 12 / 1000 * 0.3
    plain = week[0] - week[1]
    # Valued at the mean price, the heat that is missing takes most of the seeming saving away.
    assert float(found.cost[0, 0] - found.cost[1, 0]) < plain - 0.7 * evening[0] / 1000 * 0.3


def test_a_start_near_8_kelvin_in_a_window_is_doubtful() -> None:
    taps = {19 + number / 4: 250.0 for number in range(10)}
    run = runner(np.full(DAY_STEPS, 0.3), {17.5: 3000.0, 18.5: 1500.0, **taps})
    window = PlanWindow(16 * 60, 22 * 60)
    found = run.run([replace(PRESENT, windows=(window,)), PRESENT])
    assert found.doubtful[0].any() and not found.doubtful[1].any()


def test_windows_are_the_highest_prices_of_a_calendar() -> None:
    weeks = price_weeks(PEAK, datetime(2026, 3, 1, tzinfo=timezone.utc), timedelta())
    assert len(weeks) == 1 and weeks[0].share == pytest.approx(365.25 / 7)
    windows = top_price_windows(weeks, 1)
    assert [(one.start, one.end, one.days) for one in windows] == [(960, 1260, EVERY_DAY)]
    assert top_price_windows(weeks, 2) == ()


def test_published_prices_are_sampled_and_too_few_are_refused() -> None:
    def prices(days: int) -> FixedPrices:
        start = datetime(2026, 3, 1, 6, tzinfo=timezone.utc)
        hours = [start + timedelta(hours=n) for n in range(days * 24)]
        return FixedPrices(
            PriceSeries(
                [PriceInterval(h, h + timedelta(hours=1), 0.1 + h.hour / 100) for h in hours]
            )
        )

    weeks = price_weeks(prices(40), datetime(2026, 4, 1, tzinfo=timezone.utc), timedelta(hours=-5))
    assert len(weeks) == 4 and sum(one.share for one in weeks) == pytest.approx(365.25 / 7)
    # Midnight at the heater is 5:00 in UTC.
    assert weeks[0].prices[0] == pytest.approx(0.15)
    with pytest.raises(ConfigurationError, match="no whole week"):
        price_weeks(prices(8), datetime(2026, 4, 1, tzinfo=timezone.utc), timedelta())
