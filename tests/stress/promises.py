"""What plans promise, against what they save in the simulator, for four households and two tariffs.

    PYTHONPATH=.:tests python tests/stress/promises.py [--days 28] [--seed 100]

Each household is recorded for two weeks, a plan is made from the recording, and then the household
lives on in the simulated heater, once with its old settings and once with the plan, with draws that
the planner has not seen: those of the household itself, and not those that were learned. Both begin
alike, and heat that is left at the end is valued at the mean price.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from navien_nwp500.analysis.planning.heating_plan import HeatingPlan
from navien_nwp500.analysis.planning.planner import make_plan
from navien_nwp500.analysis.prices import CalendarPrices
from navien_nwp500.apps.cli.plan_confirmation import simulate_week
from navien_nwp500.history.recordings import load
from navien_nwp500.protocol.schedules import ReservationProgram
from navien_nwp500.protocol.tou import encode_tou_mqtt
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater
from support.day_tariffs import MILD, PEAK
from support.simulated_history import (
    DEFAULT,
    FAMILY,
    LATE,
    SINGLE,
    DayPlan,
    household,
    record,
)

HOUSEHOLDS = {"default": DEFAULT, "late": LATE, "single": SINGLE, "family": FAMILY}
TARIFFS = {"peak": PEAK, "mild": MILD}
#: A Sunday; the days after it count.
START = datetime(2026, 5, 3, tzinfo=timezone.utc)
INLET, YIELD = 15.0, 2.7


class Lived(NamedTuple):
    """Money and kWh of a year, starts a week, and the coldest water while somebody draws."""

    cost: float
    kwh: float
    starts: float
    coldest: float


def live(
    plan: HeatingPlan,
    periods: list[dict[str, int]],
    draws: DayPlan,
    tariff: CalendarPrices,
    days: int,
    seed: int,
) -> Lived:
    """Let a household live with a plan for some days."""
    heater = Heater(
        now=START,
        mode=DHWMode.HEAT_PUMP,
        setpoint=HalfCelsius(121),
        upper_celsius=60.0,
        lower_celsius=55.0,
        inlet_celsius=INLET,
        draws=None,
        seed=seed,
    )
    heater.write_reservations(ReservationProgram(bool(plan.entries), plan.reservations()))
    if not plan.entries:
        heater.set_setpoint(plan.setpoint)
    if periods:
        heater.write_tou_plan(True, periods)
    people = household(draws, seed)
    prices = [price(tariff, START.date(), step) for step in range(288)]
    cost = used = 0.0
    coldest = 99.0
    for day in range(days + 1):
        if day == 1:
            stored, starts = heater.tank.stored_wh, heater.plant.energy_meter.compressor.starts
        for step, litres in enumerate(litres_of(people, START.date() + timedelta(days=day))):
            if litres:
                # People want warm water: from a colder tank they take more.
                warm = max(heater.tank.outlet, 40.0) - INLET
                heater.draw(litres * (58.0 - INLET) / warm, 5)
            before = heater.energy_total.heat_pump_wh
            heater.advance(300)
            if day:
                heat_pump = heater.energy_total.heat_pump_wh - before
                used += heat_pump
                cost += heat_pump / 1000 * prices[step]
                coldest = min(coldest, heater.tank.outlet) if litres else coldest
    left = heater.tank.stored_wh - stored
    cost -= left / YIELD / 1000 * sum(prices) / len(prices)
    year = 365.25 / days
    count = heater.plant.energy_meter.compressor.starts - starts
    return Lived(cost * year, used / 1000 * year, count * 7 / days, coldest)


def litres_of(people: object, day: date) -> list[float]:
    """Return the litres of each five minutes of a day."""
    found = [0.0] * 288
    for draw in people.on_day(day):  # type: ignore[attr-defined]
        found[min(287, int(draw.start // 300))] += draw.litres
    return found


def price(tariff: CalendarPrices, day: date, step: int) -> float:
    return next(one.price for one in tariff.day(day) if one.start <= step * 5 < one.end)


def row(name: str, tariff: str, file: Path, days: int, seed: int) -> str:
    began = time.process_time()
    found = make_plan(load([file]), TARIFFS[tariff], confirm=simulate_week)
    seconds = time.process_time() - began
    if found.plan is None or found.saving is None:
        said = f"leave it ({found.bound_times:.0f} by other times at most)"
        if found.rejected is None:
            return f"| {name} | {tariff} | {said} | - | - | - | {seconds:.0f} |"
        plan, promise = found.rejected, said
    else:
        plan, saving = found.plan, found.saving
        promise = f"{saving.value:.0f} ({saving.low:.0f} to {saving.high:.0f})"
    periods = encode_tou_mqtt(plan.periods(Decimal(2), Decimal(1))) if plan.windows else []
    before, after = (
        live(one, sent, HOUSEHOLDS[name], TARIFFS[tariff], days, seed)
        for one, sent in ((found.present, []), (plan, periods))
    )
    colder = f"{before.coldest:.0f} / {after.coldest:.0f}"
    starts = f"{before.starts:.0f} / {after.starts:.0f}"
    saved = f"{before.cost - after.cost:.0f} of {before.cost:.0f}"
    return f"| {name} | {tariff} | {promise} | {saved} | {starts} | {colder} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--seed", type=int, default=100)
    options = parser.parse_args()
    print("| household | tariff | promised a year | saved | starts a week | coldest | CPU s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, plan in HOUSEHOLDS.items():
            file = Path(folder) / f"{name}.csv"
            record(file, plan)
            for tariff in TARIFFS:
                print(row(name, tariff, file, options.days, options.seed), flush=True)


if __name__ == "__main__":
    main()
