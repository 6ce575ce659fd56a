"""What heat pump and elements took, for the energy queries (PROTOCOL 8.6)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from math import cos, pi
from random import Random
from typing import Iterable

from .heat_pump import HeatPump
from .status_builder import Operation


@dataclass
class EnergyUse:
    """What heat pump and elements took and how long they ran: Wh and s."""

    heat_pump_wh: float = 0.0
    element_wh: float = 0.0
    heat_pump_seconds: float = 0.0
    element_seconds: float = 0.0

    @classmethod
    def sum(cls, parts: Iterable[EnergyUse]) -> EnergyUse:
        """Several days as one."""
        total = cls()
        for part in parts:
            total.heat_pump_wh += part.heat_pump_wh
            total.element_wh += part.element_wh
            total.heat_pump_seconds += part.heat_pump_seconds
            total.element_seconds += part.element_seconds
        return total

    def add(self, seconds: float, heat_pump_watts: float, element_watts: float) -> None:
        """Count ``seconds`` at these powers."""
        if heat_pump_watts:
            self.heat_pump_wh += heat_pump_watts * seconds / 3600
            self.heat_pump_seconds += seconds
        if element_watts:
            self.element_wh += element_watts * seconds / 3600
            self.element_seconds += seconds

    def entry(self) -> dict[str, int]:
        """As the heater tells it: whole Wh and whole hours."""
        return {
            "heUsage": int(self.element_wh),
            "hpUsage": int(self.heat_pump_wh),
            "heTime": int(self.element_seconds // 3600),
            "hpTime": int(self.heat_pump_seconds // 3600),
        }


#: A unit measured over so many days (PROTOCOL 14.2).
AGE_DAYS = 359
#: Of its life, the example of PROTOCOL 8.6.
LIFETIME = EnergyUse(1_266_000.0, 146_000.0, 3124 * 3600.0, 35 * 3600.0)
#: Colder mains in winter: the share by which a day differs from the mean, by our choice.
_SEASON, _WEATHER = 0.2, 0.3
#: On one day in so many the elements helped, by our choice.
_ELEMENT_DAYS = 14


def past_days(today: date, seed: int) -> dict[date, EnergyUse]:
    """The days before today, the same for the same seed; together they are ``LIFETIME``."""
    random = Random(f"past {seed}")
    days = [today - timedelta(days=back) for back in range(AGE_DAYS, 0, -1)]
    heat_pump = [_winter(day) * random.uniform(1 - _WEATHER, 1 + _WEATHER) for day in days]
    helped = [random.randrange(_ELEMENT_DAYS) == 0 for _ in days]
    helped[-1] = True  # so that there is one
    element = [_winter(day) * on for day, on in zip(days, helped)]
    return {
        day: EnergyUse(
            LIFETIME.heat_pump_wh * much / sum(heat_pump),
            LIFETIME.element_wh * little / sum(element),
            LIFETIME.heat_pump_seconds * much / sum(heat_pump),
            LIFETIME.element_seconds * little / sum(element),
        )
        for day, much, little in zip(days, heat_pump, element)
    }


def _winter(day: date) -> float:
    return 1 + _SEASON * cos(2 * pi * day.timetuple().tm_yday / 365)


_HOUR = 3600.0


@dataclass
class LoadCounter:
    """How long a load has run, in s, and how often it started."""

    seconds: float = 0.0
    starts: int = 0
    on: bool = False

    @property
    def hours(self) -> int:
        return int(self.seconds // _HOUR)

    def count(self, seconds: float, on: bool) -> None:
        """Count a while in which it was on or off."""
        self.seconds += seconds if on else 0.0
        self.starts += on and not self.on
        self.on = on


class EnergyMeter:
    """Energies by day and over its life, hours and starts of its loads.

    The life before today is the measured unit's of PROTOCOL 14.2: 757 starts, the fan 14 h longer
    on than the compressor; how the elements' 35 h fall on the two is our choice.
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
    def past(self) -> dict[date, EnergyUse]:
        """The days before the simulation, made when somebody asks."""
        return past_days(self._today, self._seed)

    def of_day(self, day: date) -> EnergyUse:
        """What a day took; nothing when it is still ahead, or before the unit was there."""
        return self.days.get(day) or self.past.get(day) or EnergyUse()

    def of_month(self, year: int, month: int) -> list[EnergyUse]:
        """Each day of a month."""
        length = monthrange(year, month)[1]
        return [self.of_day(date(year, month, day)) for day in range(1, length + 1)]

    def count(
        self, seconds: float, day: date, heat_pump: HeatPump, operation: Operation, element: float
    ) -> None:
        """Count a while of what runs; ``element`` is the power of both, W."""
        for energy in (self.total, self.days.setdefault(day, EnergyUse())):
            energy.add(seconds, heat_pump.power, element)
        self.compressor.count(seconds, heat_pump.compressor)
        self.fan.count(seconds, heat_pump.fan)
        self.upper_element.count(seconds, operation.upper_element)
        self.lower_element.count(seconds, operation.lower_element)
        self.recirculation_pump.count(seconds, operation.circulating)
