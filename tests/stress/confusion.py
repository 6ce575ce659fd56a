"""Confusion table of causes on a simulated quarter: what the controller did, and what is told.

A household draws water; an app changes setpoint, mode and power on some days; reservations and a
time-of-use plan run; a vacation, disinfection cycles and an electric week are in it. The same
quarter is seen every 30 s, every 5 min, and every 5 min with the heater's pushes.

    PYTHONPATH=.:tests python tests/stress/confusion.py --days 90
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime, time, timedelta, timezone
from random import Random

from navien_nwp500.analysis.causes import Knowledge
from navien_nwp500.models import (
    WEEKDAYS,
    WEEKEND,
    Reservation,
    ReservationMode,
    ReservationProgram,
)
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator.heater.water_draws import Draws
from support.heating_causes import Comparison, Simulation, compare

#: A Monday.
START = datetime(2026, 1, 5, tzinfo=timezone.utc)
VIEWS = {
    "every 30 s": {"spacing": 30},
    "every 5 min": {"spacing": 300, "phase": 3},
    "every 5 min, and pushes": {"spacing": 300, "phase": 3, "pushes": True},
}
#: Between hours of the day, with time of use, on weekdays.
WINDOW = 16, 21
RESERVATIONS = (
    Reservation(WEEKDAYS, time(6, 0), ReservationMode.HEAT_PUMP, HalfCelsius(120)),
    Reservation(WEEKDAYS, time(9, 30), ReservationMode.HEAT_PUMP, HalfCelsius(104)),
    Reservation(WEEKEND, time(8, 15), ReservationMode.ENERGY_SAVER, HalfCelsius(116)),
)


class Quarter:
    """A simulated quarter, day by day; equal seeds give equal quarters."""

    def __init__(self, seed: int, first: int = 0) -> None:
        self._random = Random(seed)
        self._first = first
        self.simulation = Simulation(
            now=START + timedelta(days=first),
            draws=Draws(seed=seed),
            upper_celsius=58.0,
            lower_celsius=52.0,
            seed=seed,
        )

    def live(self, days: int) -> None:
        """Live through so many days, from the first on."""
        for day in range(self._first, self._first + days):
            self._change_for_weeks(day)
            self._day(day, day % 13 < 6)

    def _change_for_weeks(self, day: int) -> None:
        simulation, heater = self.simulation, self.simulation.heater
        if day % 14 == 0:
            on = day % 28 == 14
            heater.write_reservations(ReservationProgram(on, RESERVATIONS if on else ()))
            heater.set_anti_legionella(7 if on else None)
        if day % 30 == 20:
            simulation.ask_mode(DHWMode.VACATION, 2)
        if day % 45 == 36:
            simulation.ask_mode(DHWMode.ELECTRIC)
        if day % 45 == 40:
            simulation.ask_mode(DHWMode.HIGH_DEMAND)
        if day % 45 == 43:
            simulation.ask_mode(DHWMode.HEAT_PUMP)

    def _day(self, day: int, windows: bool) -> None:
        """Live through a day whose events come at random minutes."""
        events = [
            (self._random.uniform(7, 23), self._app)
            for _ in range(self._random.choice((0, 0, 1, 2)))
        ]
        if windows:
            events += [(WINDOW[0], self._open), (WINDOW[1], self._close)]
        begin = START + timedelta(days=day)
        for hour, event in sorted(events, key=lambda one: one[0]):
            self._until(begin + timedelta(hours=hour))
            event()
        self._until(begin + timedelta(days=1))

    def _until(self, when: datetime) -> None:
        seconds = (when - self.simulation.heater.now).total_seconds()
        if seconds > 0:
            self.simulation.run(minutes=seconds / 60)

    def _open(self) -> None:
        self.simulation.window(True)

    def _close(self) -> None:
        self.simulation.window(False)

    def _app(self) -> None:
        """Do what a person does in the app."""
        simulation, mode = self.simulation, self.simulation.heater.settings.mode
        choice = self._random.random()
        if mode == DHWMode.POWER_OFF:
            simulation.ask_power(True)
        elif mode == DHWMode.VACATION:
            simulation.ask_mode(DHWMode.HEAT_PUMP)
        elif choice < 0.6:
            simulation.ask_setpoint(self._random.choice((50.0, 54.0, 57.0, 60.0, 62.5)))
        elif choice < 0.85:
            modes = (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
            simulation.ask_mode(self._random.choice(modes))
        else:
            simulation.ask_power(False)
            simulation.run(minutes=self._random.uniform(20, 120))
            simulation.ask_power(True)


def judge(quarter: Quarter, view: dict[str, int]) -> tuple[Comparison, Comparison]:
    """Return what is told of the starts, and of the ends, of a quarter that is seen so."""
    stream = quarter.simulation.stream
    known = Knowledge(
        requests=tuple(stream.requests),
        reservations=ReservationProgram(True, RESERVATIONS),
        zone=timezone.utc,
    )
    runs = stream.runs(known=known, **view)
    starts, stops = (compare(stream.truth, runs, started=one) for one in (True, False))
    return starts, stops


def table(found: Comparison) -> str:
    """Return the confusion table: a line for each kind in truth, with what was told for it."""
    lines = []
    for true in sorted({true for true, _, _ in found.counts}):
        told: Counter[str] = Counter()
        for (kind, name, certainty), count in found.counts.items():
            if kind == true:
                told[f"{name} ({certainty})"] += count
        shown = ", ".join(f"{count} {name}" for name, count in told.most_common())
        lines.append(f"  {true:14} {sum(told.values()):4}  {shown}")
    share = 100 * found.right / max(1, found.total)
    lines.append(
        f"  right {found.right} of {found.total} ({share:.1f} %), sure and wrong "
        f"{found.sure_and_wrong}, not visible {found.missed}, not in truth {found.wrong_times}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quarter = Quarter(options.seed)
    quarter.live(options.days)
    for name, view in VIEWS.items():
        starts, stops = judge(quarter, view)
        print(f"{options.days} days, {name}\n starts\n{table(starts)}\n stops\n{table(stops)}\n")


if __name__ == "__main__":
    main()
