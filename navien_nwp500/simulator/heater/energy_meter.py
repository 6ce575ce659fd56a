"""Energy, hours and starts of the simulated heater, for the energy queries (PROTOCOL 8.6)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from math import cos, pi
from random import Random
from typing import Iterable

from .heat_pump import HeatPump
from .heater_state import Operation


@dataclass
class EnergyUse:
    """Energy (Wh) and running time (s) of heat pump and elements."""

    heat_pump_wh: float = 0.0
    element_wh: float = 0.0
    heat_pump_seconds: float = 0.0
    element_seconds: float = 0.0

    @classmethod
    def sum(cls, parts: Iterable[EnergyUse]) -> EnergyUse:
        """Return the sum of several days."""
        total = cls()
        for part in parts:
            total.heat_pump_wh += part.heat_pump_wh
            total.element_wh += part.element_wh
            total.heat_pump_seconds += part.heat_pump_seconds
            total.element_seconds += part.element_seconds
        return total

    def add(self, seconds: float, heat_pump_watts: float, element_watts: float) -> None:
        """Add ``seconds`` at these powers."""
        if heat_pump_watts:
            self.heat_pump_wh += heat_pump_watts * seconds / 3600
            self.heat_pump_seconds += seconds
        if element_watts:
            self.element_wh += element_watts * seconds / 3600
            self.element_seconds += seconds

    def to_entry(self) -> dict[str, int]:
        """Convert to an entry of an energy response: whole Wh and whole hours."""
        return {
            "heUsage": int(self.element_wh),
            "hpUsage": int(self.heat_pump_wh),
            "heTime": int(self.element_seconds // 3600),
            "hpTime": int(self.heat_pump_seconds // 3600),
        }


#: Age of the measured unit in days (PROTOCOL 14.2).
AGE_DAYS = 359
#: Lifetime energy in the example of PROTOCOL 8.6.
LIFETIME = EnergyUse(1_266_000.0, 146_000.0, 3124 * 3600.0, 35 * 3600.0)
#: How far a day differs from the mean (in winter the mains are colder), our choice.
_SEASON, _WEATHER = 0.2, 0.3
#: The elements ran on one day in 14, our choice.
_ELEMENT_DAYS = 14
_HOUR = 3600.0


def generate_past_days(today: date, seed: int) -> dict[date, EnergyUse]:
    """Return the days before today. They add up to ``LIFETIME``; equal seeds give equal days."""
    random = Random(f"past {seed}")
    days = [today - timedelta(days=back) for back in range(AGE_DAYS, 0, -1)]
    heat_pump = [_season_factor(day) * random.uniform(1 - _WEATHER, 1 + _WEATHER) for day in days]
    element_on = [random.randrange(_ELEMENT_DAYS) == 0 for _ in days]
    element_on[-1] = True  # at least one day
    element = [_season_factor(day) * on for day, on in zip(days, element_on)]
    return {
        day: EnergyUse(
            LIFETIME.heat_pump_wh * heat_pump_share / sum(heat_pump),
            LIFETIME.element_wh * element_share / sum(element),
            LIFETIME.heat_pump_seconds * heat_pump_share / sum(heat_pump),
            LIFETIME.element_seconds * element_share / sum(element),
        )
        for day, heat_pump_share, element_share in zip(days, heat_pump, element)
    }


def _season_factor(day: date) -> float:
    return 1 + _SEASON * cos(2 * pi * day.timetuple().tm_yday / 365)


@dataclass
class LoadCounter:
    """Running time of a load in s, and its number of starts."""

    seconds: float = 0.0
    starts: int = 0
    on: bool = False

    @property
    def hours(self) -> int:
        return int(self.seconds // _HOUR)

    def count(self, seconds: float, on: bool) -> None:
        """Add ``seconds`` in which the load was on or off."""
        self.seconds += seconds if on else 0.0
        self.starts += on and not self.on
        self.on = on


class EnergyMeter:
    """Energy by day and over the heater's life, hours and starts of its loads.

    The life before today is that of the unit measured in PROTOCOL 14.2: 757 starts, the fan 14 h
    longer on than the compressor. How the 35 h of the elements are divided is our choice.
    """

    def __init__(self, today: date, seed: int) -> None:
        self.installed = today - timedelta(days=AGE_DAYS)
        self.total = replace(LIFETIME)
        self.days: dict[date, EnergyUse] = {}
        hours = LIFETIME.heat_pump_seconds
        self.compressor = LoadCounter(hours, 757)
        self.fan = LoadCounter(hours + 14 * _HOUR, 757)
        self.upper_element = LoadCounter(LIFETIME.element_seconds - 2 * _HOUR, 62)
        self.lower_element = LoadCounter(2 * _HOUR, 9)
        self.recirculation_pump = LoadCounter()
        self._today = today
        self._seed = seed

    @cached_property
    def past_days(self) -> dict[date, EnergyUse]:
        """Days before the simulation."""
        return generate_past_days(self._today, self._seed)

    def days_of_month(self, year: int, month: int) -> list[EnergyUse]:
        """Return each day of a month; zero for future days and days before the installation."""
        length = monthrange(year, month)[1]
        days = [date(year, month, day) for day in range(1, length + 1)]
        return [self.days.get(day) or self.past_days.get(day) or EnergyUse() for day in days]

    def count(
        self, seconds: float, day: date, heat_pump: HeatPump, operation: Operation, element: float
    ) -> None:
        """Add ``seconds`` of the present operation; ``element`` is the power of both in W."""
        for energy in (self.total, self.days.setdefault(day, EnergyUse())):
            energy.add(seconds, heat_pump.power, element)
        self.compressor.count(seconds, heat_pump.compressor)
        self.fan.count(seconds, heat_pump.fan)
        self.upper_element.count(seconds, operation.upper_element)
        self.lower_element.count(seconds, operation.lower_element)
        self.recirculation_pump.count(seconds, operation.circulating)
