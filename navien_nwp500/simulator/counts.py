"""What the unit has counted since it was built (protocol 8.6, 8.13)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

from .energy import Energy
from .heat_pump import HeatPump
from .history import AGE_DAYS, LIFETIME, past_days
from .report import Operation

_HOUR = 3600.0


@dataclass
class Load:
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


class Counts:
    """Energies by day and over its life, hours and starts of its loads.

    The life before today is the measured unit's of protocol 14.2: 757 starts, the fan 14 h longer
    on than the compressor; how the elements' 35 h fall on the two is our choice.
    """

    def __init__(self, today: date, seed: int) -> None:
        self.installed = today - timedelta(days=AGE_DAYS)
        self.total = replace(LIFETIME)
        self.days: dict[date, Energy] = {}
        hours = LIFETIME.heat_pump_seconds
        self.compressor = Load(hours, 757)
        self.fan = Load(hours + 14 * _HOUR, 757)
        self.upper_element = Load(LIFETIME.element_seconds - 2 * _HOUR, 62)
        self.lower_element = Load(2 * _HOUR, 9)
        self.recirculation_pump = Load()
        self._today = today
        self._seed = seed

    @cached_property
    def past(self) -> dict[date, Energy]:
        """The days before the simulation, made when somebody asks."""
        return past_days(self._today, self._seed)

    def of_day(self, day: date) -> Energy:
        """What a day took; nothing when it is still ahead, or before the unit was there."""
        return self.days.get(day) or self.past.get(day) or Energy()

    def of_month(self, year: int, month: int) -> list[Energy]:
        """Each day of a month."""
        length = monthrange(year, month)[1]
        return [self.of_day(date(year, month, day)) for day in range(1, length + 1)]

    def count(
        self, seconds: float, day: date, heat_pump: HeatPump, operation: Operation, element: float
    ) -> None:
        """Count a while of what runs; ``element`` is the power of both, W."""
        for energy in (self.total, self.days.setdefault(day, Energy())):
            energy.add(seconds, heat_pump.power, element)
        self.compressor.count(seconds, heat_pump.compressor)
        self.fan.count(seconds, heat_pump.fan)
        self.upper_element.count(seconds, operation.upper_element)
        self.lower_element.count(seconds, operation.lower_element)
        self.recirculation_pump.count(seconds, operation.circulating)
