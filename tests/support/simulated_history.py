"""Recordings of simulated households, made in seconds: a heater polled every five minutes.

The simulation has few steps: a status may be a minute old, which at five minutes does not matter.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
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
#: A Monday.
START = datetime(2026, 3, 2, tzinfo=timezone.utc)


def household(plan: DayPlan, seed: int = 0) -> Draws:
    return Draws(plan, jitter_minutes=15.0, jitter_litres=0.2, seed=seed)


def record(
    path: Path,
    plan: DayPlan,
    *,
    days: int = 14,
    setpoint: int = 121,
    mode: DHWMode = DHWMode.HEAT_PUMP,
    inlet: float = 15.0,
    zone: str = "UTC",
    seed: int = 0,
) -> Heater:
    """Record a household for some days; return the heater."""
    heater = Heater(
        now=START,
        mode=mode,
        setpoint=HalfCelsius(setpoint),
        draws=household(plan, seed),
        inlet_celsius=inlet,
        seed=seed,
    )
    with CsvRecorder(path, heater="02:00:00:00:00:01", zone=ZoneInfo(zone)) as recorder:
        recorder.write(heater.status(), heater.now)
        for _ in range(days * 288):
            heater.advance(300, coarse=True)
            recorder.write(heater.status(), heater.now)
    return heater
