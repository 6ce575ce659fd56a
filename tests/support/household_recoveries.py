"""Recoveries of simulated households that go on drawing, and of quiet tanks: for un-learned forecasts.

A heater that heats faster or slower is the simulated one on another clock: the minutes of its runs are
divided by its rate.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from statistics import mean
from typing import Iterator, NamedTuple, Sequence

from navien_nwp500.analysis.forecast import forecast
from navien_nwp500.analysis.forecast.bands import Band
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import DHWMode, HalfCelsius, Volume
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.water_draws import Draws
from support.simulated_history import DEFAULT, FAMILY, LATE, SINGLE, START, DayPlan, household

HOUSEHOLDS: dict[str, DayPlan] = {
    "default": DEFAULT,
    "late": LATE,
    "single": SINGLE,
    "family": FAMILY,
}
#: How fast heaters heat by that of PROTOCOL 14.2: our assumption, half more than its spread.
RATE_DEVIATION = 0.12
POLL_MINUTES = 5


class Forecasted(NamedTuple):
    """The minutes that it took, and the band that was told."""

    true: float
    band: Band

    @property
    def error(self) -> float:
        return self.band.minutes - self.true


class Recovery(NamedTuple):
    """A recovery: the status before it, those in it with their minutes, and the minute of its end."""

    begin: datetime
    before: DeviceStatus
    statuses: Sequence[tuple[float, DeviceStatus]]
    end: float

    def start(self) -> Iterator[Forecasted]:
        """Yield the forecast before it, which names a time while no water runs."""
        made = forecast(self.before, self.begin, volume=Volume.GALLONS_65)
        band = made.times.end or made.if_started.end
        if band is not None and not self.before.dhw_use.active:
            yield Forecasted(self.end, band)

    def later(self, minute: float) -> Iterator[Forecasted]:
        """Yield the forecast of the first status from a minute on in which no water runs."""
        for at, status in self.statuses:
            if at >= minute and not status.dhw_use.active:
                when = self.begin + timedelta(minutes=at)
                band = forecast(status, when, volume=Volume.GALLONS_65).times.end
                if band is not None:
                    yield Forecasted(self.end - at, band)
                return


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


def recovery(heater: Heater, rate: float, before: DeviceStatus, begin: datetime) -> Recovery:
    """Follow a heater that has just begun to heat to the end of its run."""
    statuses, minute = [], 0.0
    while True:
        heater.advance(60 * POLL_MINUTES, coarse=True)
        minute += POLL_MINUTES
        status = heater.status()
        if not status.comp_use.active and minute > POLL_MINUTES:
            return Recovery(begin, before, statuses, (minute - POLL_MINUTES / 2) / rate)
        statuses.append((minute / rate, status))


def asked_recovery(seed: int, plan: DayPlan) -> Recovery | None:
    """Start heating at some hour of a household's day; None if it heats then or is hot."""
    random = Random(seed)
    hour = random.uniform(7.5, 23)
    setpoint = random.choice([113, 117, 121])
    heater = simulated(random, setpoint, household(plan, seed), plan[0][0] - 1)
    heater.advance((hour - plan[0][0] + 1) * 3600, coarse=True)
    hot = heater.tank.upper >= heater.settings.setpoint.celsius * 10 - 2
    if heater.plant.heat_pump.compressor or hot:
        return None
    heater.set_mode(DHWMode.POWER_OFF)
    heater.advance(10)
    before, begin = heater.status(), heater.now
    heater.set_mode(DHWMode.HEAT_PUMP)
    return recovery(heater, random.gauss(1, RATE_DEVIATION), before, begin)


def own_recoveries(seed: int, plan: DayPlan, days: int) -> Iterator[Recovery]:
    """Yield the recoveries that a heater starts by itself in some days of a household."""
    random = Random(seed)
    heater = simulated(random, random.choice([113, 117, 121]), household(plan, seed), 4.0)
    rate, end = random.gauss(1, RATE_DEVIATION), heater.now + timedelta(days=days)
    while heater.now < end:
        before, begin = heater.status(), heater.now
        heater.advance(60 * POLL_MINUTES, coarse=True)
        if heater.plant.heat_pump.compressor:
            yield recovery(heater, rate, before, begin)


def quiet_recovery(seed: int) -> Recovery:
    """Return a start to a higher setpoint after a rest without a draw, and none later."""
    random = Random(seed)
    setpoint = random.choice([105, 109, 113])
    heater = simulated(random, setpoint, None)
    heater.set_mode(DHWMode.POWER_OFF)
    heater.advance(random.choice([0.5, 2, 6, 12, 24, 30]) * 3600, coarse=True)
    heater.set_setpoint(HalfCelsius(setpoint + random.choice([4, 8, 12])))
    heater.advance(10)
    before = heater.status()
    heater.set_mode(DHWMode.HEAT_PUMP)
    return recovery(heater, random.gauss(1, RATE_DEVIATION), before, START)


def inside(found: Sequence[Forecasted]) -> float:
    return mean(one.band.least <= one.true <= one.band.most for one in found)


def figures(name: str, found: Sequence[Forecasted]) -> str:
    """Return a line of a table: how far off forecasts were, and how often the band held."""
    if not found:
        return f"{name:28} none"
    errors = [one.error for one in found]
    width = mean(one.band.most - one.band.least for one in found)
    early = mean(one.true < one.band.least for one in found)
    return (
        f"{name:28} {len(found):4} {mean(errors):+7.0f} {mean(map(abs, errors)):6.0f} "
        f"{inside(found):8.2f} {early:7.2f} {width:7.0f}"
    )


HEADER = f"{'':28} {'n':>4} {'error':>7} {'size':>6} {'in band':>8} {'sooner':>7} {'width':>7}"
