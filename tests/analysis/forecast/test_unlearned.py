"""Without a recording of the heater: the band holds eight of ten, after draws and without them.

``pytest -s`` on this file prints the figures of ``docs/FORECAST.md``.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from statistics import mean
from typing import NamedTuple, Sequence

import pytest

from navien_nwp500.analysis.forecast import forecast
from navien_nwp500.analysis.forecast.bands import Band
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import DHWMode, HalfCelsius, Volume
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.water_draws import Draws
from support.simulated_history import DEFAULT, FAMILY, LATE, SINGLE, START, household

AFTER_DRAWS, QUIET = 64, 50
#: How fast heaters heat by that of PROTOCOL 14.2: our assumption, half more than its spread.
RATE_DEVIATION = 0.12
#: When a forecast in the run is made, in minutes after the start.
LATER = 20


class Case(NamedTuple):
    """A recovery: the status before it and in it, and the minutes from the start to the end."""

    before: DeviceStatus
    running: DeviceStatus
    minutes: float


def recovery(heater: Heater, rate: float) -> Case:
    """Start a heater at rest and let it heat to its end, ``rate`` times as fast as the simulator."""
    heater.set_mode(DHWMode.POWER_OFF)
    heater.advance(10)
    before = heater.status()
    heater.set_mode(DHWMode.HEAT_PUMP)
    heater.advance(60 + LATER * 60, coarse=True)
    running, minutes = heater.status(), LATER + 0.5
    while heater.plant.heat_pump.compressor:
        heater.advance(120, coarse=True)
        minutes += 2
    return Case(before, running, (minutes - 1) / rate)


def simulated(random: Random, setpoint: int, draws: Draws | None, hour: float = 0.0) -> Heater:
    """Return a heater that has just heated all its water."""
    return Heater(
        now=START + timedelta(hours=hour),
        draws=draws,
        upper_celsius=setpoint / 2 + 0.2,
        lower_celsius=setpoint / 2 + 0.2,
        air_celsius=random.uniform(16, 25),
        inlet_celsius=random.uniform(12, 22),
        setpoint=HalfCelsius(setpoint),
        mode=DHWMode.HEAT_PUMP,
        seed=random.randrange(1000),
    )


def after_draws(seed: int) -> Case | None:
    """Return a start at some hour of a household's day; None if it heats then or is hot."""
    random = Random(seed)
    plan, hour = random.choice((DEFAULT, LATE, SINGLE, FAMILY)), random.uniform(7.5, 23)
    past = tuple(one for one in plan if one[0] < hour - 0.1)
    heater = simulated(
        random, random.choice([113, 117, 121]), household(past, seed), past[0][0] - 1
    )
    heater.advance((hour - past[0][0] + 1) * 3600, coarse=True)
    hot = heater.tank.upper >= heater.settings.setpoint.celsius * 10 - 2
    if heater.plant.heat_pump.compressor or hot:
        return None
    return recovery(heater, random.gauss(1, RATE_DEVIATION))


def quiet(seed: int) -> Case:
    """Return a start to a higher setpoint after a rest without a draw."""
    random = Random(seed)
    setpoint = random.choice([105, 109, 113])
    heater = simulated(random, setpoint, None)
    heater.set_mode(DHWMode.POWER_OFF)
    heater.advance(random.choice([0.5, 2, 6, 12, 24, 30]) * 3600, coarse=True)
    heater.set_setpoint(HalfCelsius(setpoint + random.choice([4, 8, 12])))
    heater.advance(10)
    return recovery(heater, random.gauss(1, RATE_DEVIATION))


def print_figures(name: str, pairs: Sequence[tuple[float, Band]]) -> None:
    errors = [band.minutes - true for true, band in pairs]
    print(
        f"\n{name}: {len(pairs)} forecasts, mean error {mean(errors):.0f} min, mean size "
        f"{mean(map(abs, errors)):.0f} min, in band {inside(pairs):.2f}, width "
        f"{mean(band.most - band.least for _, band in pairs):.0f} min"
    )


def inside(pairs: Sequence[tuple[float, Band]]) -> float:
    return mean(band.least <= true <= band.most for true, band in pairs)


def starts(cases: Sequence[Case]) -> list[tuple[float, Band]]:
    found = []
    for case in cases:
        made = forecast(case.before, START, volume=Volume.GALLONS_65)
        band = made.if_started.end or made.times.end
        assert band is not None
        found.append((case.minutes, band))
    return found


def in_run(cases: Sequence[Case]) -> list[tuple[float, Band]]:
    found = []
    for case in cases:
        band = forecast(case.running, START, volume=Volume.GALLONS_65).times.end
        if band is not None and case.running.comp_use.active:
            found.append((case.minutes * (1 - LATER / case.minutes), band))
    return found


@pytest.mark.parametrize("group", ["after draws", "quiet"])
def test_the_band_holds_eight_of_ten_without_a_recording(group: str) -> None:
    if group == "quiet":
        cases = [quiet(seed) for seed in range(QUIET)]
    else:
        found = (after_draws(seed) for seed in range(10_000))
        cases = [case for case, _ in zip((one for one in found if one), range(AFTER_DRAWS))]
    before, later = starts(cases), in_run(cases)
    print_figures(f"{group}, before the start", before)
    print_figures(f"{group}, {LATER} min after it", later)
    assert 0.75 <= inside(before) <= 0.95
    assert 0.75 <= inside(later) <= 0.95
