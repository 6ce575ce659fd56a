"""Recordings of simulated households, made in seconds: a heater polled every five minutes.

The simulation has few steps: a status may be a minute old, which at five minutes does not matter.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator
from zoneinfo import ZoneInfo

from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.water_draws import DAY_PLAN, Draws

DayPlan = tuple[tuple[float, float, float], ...]

#: Hour of the day, litres, minutes. The simulator's own household showers in the morning.
DEFAULT: DayPlan = DAY_PLAN
#: Showers after work: as much as a full tank gives, when electricity is dear.
LATE: DayPlan = (
    (7.0, 6.0, 2.0),
    (12.4, 8.0, 2.0),
    (17.0, 35.0, 6.0),
    (18.2, 15.0, 4.0),
    (19.0, 12.0, 4.0),
    (20.0, 30.0, 5.0),
    (22.0, 6.0, 2.0),
)
#: One person.
SINGLE: DayPlan = ((6.8, 35.0, 5.0), (12.5, 4.0, 1.0), (19.0, 12.0, 3.0))
#: Both ends of the day, and the tank twice.
FAMILY: DayPlan = (
    (6.0, 40.0, 6.0),
    (6.6, 40.0, 6.0),
    (7.2, 30.0, 5.0),
    (12.0, 10.0, 3.0),
    (17.5, 20.0, 5.0),
    (19.0, 45.0, 7.0),
    (20.2, 40.0, 6.0),
)
#: Baths in the afternoon and evening: more than a full tank gives,.
AFTERNOON: DayPlan = (
    (7.0, 20.0, 3.0),
    (12.5, 30.0, 5.0),
    (15.5, 50.0, 7.0),
    (16.5, 50.0, 7.0),
    (18.0, 30.0, 5.0),
    (20.0, 40.0, 6.0),
)
#: One person who works at night, and two who shower in the evening.
SHIFT: DayPlan = (
    (4.6, 30.0, 5.0),
    (13.2, 15.0, 4.0),
    (16.2, 8.0, 2.0),
    (21.7, 40.0, 6.0),
    (22.4, 12.0, 3.0),
)
COUPLE: DayPlan = (
    (6.4, 25.0, 4.0),
    (8.1, 25.0, 4.0),
    (12.2, 10.0, 3.0),
    (17.6, 35.0, 6.0),
    (19.1, 12.0, 4.0),
    (21.4, 35.0, 6.0),
)
#: The litres of a plan are of a tank so hot, in degC; people want the same heat from another one.
TANK, INLET = 58.0, 15.0
#: A Monday.
START = datetime(2026, 3, 2, tzinfo=timezone.utc)


def household(plan: DayPlan, seed: int = 0) -> Draws:
    return Draws(plan, jitter_minutes=15.0, jitter_litres=0.2, seed=seed)


def litres_of(people: Draws, day: date) -> list[float]:
    """Return the litres of each five minutes of a day."""
    found = [0.0] * 288
    for draw in people.on_day(day):
        found[min(287, int(draw.start // 300))] += draw.litres
    return found


def live_day(heater: Heater, people: Draws, day: date) -> Iterator[tuple[int, float]]:
    """Let people live for a day; yield the step and its litres after each five minutes.

    From a colder tank they take more water, as behind a mixing tap.
    """
    for step, litres in enumerate(litres_of(people, day)):
        if litres:
            heater.draw(litres * (TANK - INLET) / (max(heater.tank.outlet, 40.0) - INLET), 5)
        heater.advance(300, coarse=True)
        yield step, litres


def record(path: Path, plan: DayPlan, *, days: int = 14, seed: int = 0) -> None:
    """Record a household for some days."""
    heater = Heater(
        now=START,
        mode=DHWMode.HEAT_PUMP,
        setpoint=HalfCelsius(120),
        inlet_celsius=INLET,
        draws=None,
        seed=seed,
    )
    people = household(plan, seed)
    with CsvRecorder(path, heater="02:00:00:00:00:01", zone=ZoneInfo("UTC")) as recorder:
        recorder.write(heater.status(), heater.now)
        for day in range(days):
            for _ in live_day(heater, people, START.date() + timedelta(days=day)):
                recorder.write(heater.status(), heater.now)
