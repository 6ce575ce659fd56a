"""Recoveries of a simulated heater, polled as a recording is: for forecasts and what they learn."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Iterable, NamedTuple, Sequence

from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater

MIDNIGHT = datetime(2026, 1, 5, tzinfo=timezone.utc)
MAC = "04786332fca0"
POLL_MINUTES = 5.0


class SimulatedRecovery(NamedTuple):
    """A recovery: statuses with their minute, the start at 0, and the minute at which it ended."""

    statuses: Sequence[tuple[float, DeviceStatus]]
    end: float


def simulated_recovery(seed: int) -> SimulatedRecovery:
    """Recover a tank from which water was drawn; in a third of them a little more is drawn meanwhile."""
    random = Random(seed)
    setpoint = HalfCelsius(random.choice([113, 117, 121]))
    upper = random.uniform(setpoint.celsius - 3, setpoint.celsius - 1)
    heater = Heater(
        now=MIDNIGHT,
        draws=None,
        upper_celsius=upper,
        lower_celsius=upper - random.uniform(0, 5),
        air_celsius=random.uniform(16, 25),
        inlet_celsius=random.uniform(12, 22),
        setpoint=setpoint,
        mode=DHWMode.POWER_OFF,
        seed=seed,
    )
    heater.draw(random.uniform(5, 25), minutes=4)
    heater.advance(10 * 60)
    statuses = [(-0.5, heater.status())]
    heater.set_mode(DHWMode.HEAT_PUMP)
    draw_at = POLL_MINUTES * random.randint(2, 16) if random.random() < 1 / 3 else None
    minute, step = 0.0, POLL_MINUTES
    while True:
        heater.advance(step * 60, coarse=True)
        minute += step
        status = heater.status()
        if not status.comp_use.active:
            return SimulatedRecovery([*statuses, (minute + 4, status)], minute - step / 2)
        if minute % POLL_MINUTES == 0:
            statuses.append((minute, status))
        if minute == draw_at:
            heater.draw(random.uniform(3, 10), minutes=2)
        # Near its end look each minute, so that the end is known.
        close = status.tank_lower_temperature >= 5 * setpoint - 1
        step = 1.0 if close else POLL_MINUTES


def record(path: Path, recoveries: Iterable[SimulatedRecovery], mac: str = MAC) -> None:
    """Write recoveries to a recording, one every twelve hours."""
    with CsvRecorder(path, heater=mac) as recorder:
        for number, recovery in enumerate(recoveries):
            start = MIDNIGHT + timedelta(hours=12 * number)
            for minute, status in recovery.statuses:
                recorder.write(status, start + timedelta(minutes=minute))
