"""What plans promise, against what they save in the simulator, for four households and two tariffs.

    PYTHONPATH=.:tests python tests/stress/promises.py [--days 42] [--seed 100] [--folder CACHE]

Each household is recorded for two weeks, a plan is made from the recording, and then the household
lives on in the simulated heater, once with its old settings and once with the plan, with draws that
the planner has not seen: those of the household itself, and not those that were learned. Both begin
alike, and heat that is left at the end is valued at the mean price. "shift" and "couple" were made up
after the planner was written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

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
    AFTERNOON,
    COUPLE,
    DEFAULT,
    INLET,
    SHIFT,
    household,
    live_day,
    record,
)

HOUSEHOLDS = {"default": DEFAULT, "late": AFTERNOON, "shift": SHIFT, "couple": COUPLE}
TARIFFS = {"peak": PEAK, "mild": MILD}
#: A Sunday; the days after it count.
START = datetime(2026, 5, 3, tzinfo=timezone.utc)
YIELD = 2.7


@dataclass(frozen=True)
class Lived:
    """Wh of each step, heat left at the end in Wh, and the water at each draw in degC."""

    watt_hours: tuple[float, ...]
    left: float
    outlets: tuple[float, ...]
    starts: int

    @property
    def days(self) -> float:
        return len(self.watt_hours) / 288

    def cost(self, tariff: CalendarPrices) -> float:
        """Return the cost of a year, for equal heat at the end."""
        prices = [price(tariff, START.date(), step) for step in range(288)]
        used = sum(one * prices[step % 288] for step, one in enumerate(self.watt_hours))
        left = self.left / YIELD * sum(prices) / len(prices)
        return (used - left) / 1000 * 365.25 / self.days

    @property
    def cold(self) -> int:
        return sum(one < 40.0 for one in self.outlets)


@lru_cache(maxsize=None)
def live(plan: HeatingPlan, name: str, days: int, seed: int) -> Lived:
    """Let a household live with a plan for some days."""
    heater = Heater(
        now=START,
        mode=DHWMode.HEAT_PUMP,
        setpoint=HalfCelsius(120),
        upper_celsius=60.0,
        lower_celsius=55.0,
        inlet_celsius=INLET,
        draws=None,
        seed=seed,
    )
    heater.write_reservations(ReservationProgram(bool(plan.entries), plan.reservations()))
    if not plan.entries:
        heater.set_setpoint(plan.setpoint)
    if plan.windows:
        heater.write_tou_plan(True, encode_tou_mqtt(plan.periods(Decimal(2), Decimal(1))))
    people = household(HOUSEHOLDS[name], seed)
    meter = heater.plant.energy_meter.compressor
    used: list[float] = []
    outlets: list[float] = []
    for day in range(days + 1):
        if day == 1:
            stored, starts = heater.tank.stored_wh, meter.starts
        before = heater.energy_total.heat_pump_wh
        for _, litres in live_day(heater, people, START.date() + timedelta(days=day)):
            after = heater.energy_total.heat_pump_wh
            if day:
                used.append(after - before)
                outlets += [heater.tank.outlet] if litres else []
            before = after
    left = heater.tank.stored_wh - stored
    return Lived(tuple(used), left, tuple(outlets), meter.starts - starts)


def price(tariff: CalendarPrices, day: date, step: int) -> float:
    return next(one.price for one in tariff.day(day) if one.start <= step * 5 < one.end)


def row(name: str, tariff: str, file: Path, days: int, seed: int) -> str:
    began = time.process_time()
    found = make_plan(load([file]), TARIFFS[tariff], confirm=simulate_week)
    seconds = time.process_time() - began
    before = live(found.present, name, days, seed)
    cost = before.cost(TARIFFS[tariff])
    plan = found.plan or found.rejected
    if plan is None or found.saving is None:
        said = f"leave it: {found.bound_times:.0f} by other times at most"
        return f"| {name} | {tariff} | {said} | - | of {cost:.0f} | - | - | {seconds:.0f} |"
    saving, after = found.saving, live(plan, name, days, seed)
    promise = f"{saving.value:.0f} ({saving.low:.0f} to {saving.high:.0f})"
    saved = cost - after.cost(TARIFFS[tariff])
    inside = "yes" if saving.low <= saved <= saving.high else "no"
    if found.plan is None:
        promise = f"leave it; of the best plan {promise}"
    coldest = f"{min(before.outlets):.0f}, {min(after.outlets):.0f}"
    cold = f"{before.cold}, {after.cold} of {len(after.outlets)}"
    numbers = f"{saved:.0f} of {cost:.0f} | {coldest} | {cold} | {seconds:.0f}"
    return f"| {name} | {tariff} | {promise} | {inside} | {numbers} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=42)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keep the recordings here")
    options = parser.parse_args()
    print(
        "| household | tariff | promised a year | in the band | saved | coldest | cold draws | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for name, plan in HOUSEHOLDS.items():
            file = folder / f"{name}.csv"
            if not file.exists():
                record(file, plan)
            for tariff in TARIFFS:
                print(row(name, tariff, file, options.days, options.seed), flush=True)


if __name__ == "__main__":
    main()
