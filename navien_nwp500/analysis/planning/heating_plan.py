"""A plan that the heater can follow: setpoints by reservation, and windows without heating.

Times are minutes of the heater's day. In the calculation time has steps of 5 minutes, and a week
begins with a Sunday that is not counted, so that each plan is in its own swing by Monday.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Iterable, Sequence

import numpy as np

from ...protocol.calendar import EVERY_DAY, EVERY_MONTH, Weekday
from ...protocol.schedules import Reservation, ReservationMode
from ...protocol.tou import TOUPeriod
from ...protocol.types import DHWMode, HalfCelsius
from .zone_arrays import Array

STEP_MINUTES = 5
DAY_STEPS = 24 * 60 // STEP_MINUTES
#: Sunday, then Monday to Sunday.
WEEK_DAYS = (6, 0, 1, 2, 3, 4, 5, 6)
WEEK_STEPS = DAY_STEPS * len(WEEK_DAYS)
_WEEK = tuple(Weekday)


@dataclass(frozen=True)
class PlanEntry:
    """New setpoint at a minute of the day on some weekdays; ``why`` is a sentence for people."""

    days: frozenset[Weekday]
    minute: int
    setpoint: HalfCelsius
    why: str = field(default="", compare=False)

    @property
    def time(self) -> time:
        return time(*divmod(self.minute, 60))


@dataclass(frozen=True)
class PlanWindow:
    """Time-of-use window, in which the heater holds back: from ``start`` to before ``end``."""

    start: int
    end: int
    days: frozenset[Weekday] = EVERY_DAY
    months: frozenset[int] = EVERY_MONTH
    why: str = field(default="", compare=False)


@dataclass(frozen=True)
class HeatingPlan:
    """Setpoint and mode, and what changes the setpoint or holds the heater back.

    ``setpoint`` holds where there is no entry. With windows the mode is heat pump, because a window
    ends every other one (PROTOCOL 9.12).
    """

    setpoint: HalfCelsius
    mode: DHWMode = DHWMode.HEAT_PUMP
    entries: tuple[PlanEntry, ...] = ()
    windows: tuple[PlanWindow, ...] = ()

    @property
    def lowest(self) -> HalfCelsius:
        """Return the lowest setpoint in the plan."""
        return min([self.setpoint] if not self.entries else [one.setpoint for one in self.entries])

    @property
    def effort(self) -> int:
        """Return the number of things to write: of two equal plans the simpler one is better."""
        return len(self.entries) + len(self.windows)

    def reservations(self) -> tuple[Reservation, ...]:
        """Return the entries as reservations; their setpoints are not checked."""
        mode = ReservationMode[self.mode.name]
        return tuple(Reservation(one.days, one.time, mode, one.setpoint) for one in self.entries)

    def periods(self, high: Decimal, low: Decimal) -> tuple[TOUPeriod, ...]:
        """Return the windows as a time-of-use plan with two prices; without windows, nothing."""
        if not self.windows:
            return ()
        periods: list[TOUPeriod] = []
        for months, groups in _month_groups(self.windows).items():
            for days, spans in groups.items():
                periods += _day_periods(months, days, spans, high, low)
        return tuple(periods)

    def setpoints(self) -> Array:
        """Return the setpoint of each step of the week in degC."""
        found = np.full(WEEK_STEPS, self.setpoint.celsius)
        events = sorted(
            (place * DAY_STEPS + one.minute // STEP_MINUTES, one.setpoint.celsius)
            for one in self.entries
            for place, day in enumerate(WEEK_DAYS)
            if _WEEK[day] in one.days
        )
        if events:
            found[:] = events[-1][1]  # as the week before ended
        for step, celsius in events:
            found[step:] = celsius
        return found

    def held(self, months: Sequence[int]) -> Array:
        """Return for each step and each of ``months`` whether a window is open."""
        found: Array = np.zeros((WEEK_STEPS, len(months)), dtype=bool)
        for window in self.windows:
            now = np.array([month in window.months for month in months])
            for place, day in enumerate(WEEK_DAYS):
                if _WEEK[day] in window.days:
                    begin = place * DAY_STEPS + window.start // STEP_MINUTES
                    found[begin : place * DAY_STEPS + window.end // STEP_MINUTES] |= now
        return found


def _month_groups(
    windows: Iterable[PlanWindow],
) -> dict[frozenset[int], dict[frozenset[Weekday], tuple[tuple[int, int], ...]]]:
    """Return the spans of each group of months and weekdays that have the same ones."""
    listed = tuple(windows)
    months_of: dict[tuple[tuple[tuple[int, int], ...], ...], set[int]] = {}
    for month in EVERY_MONTH:
        week = tuple(
            tuple(sorted((w.start, w.end) for w in listed if month in w.months and day in w.days))
            for day in _WEEK
        )
        months_of.setdefault(week, set()).add(month)
    groups: dict[frozenset[int], dict[frozenset[Weekday], tuple[tuple[int, int], ...]]] = {}
    for week, months in months_of.items():
        days_of: dict[tuple[tuple[int, int], ...], set[Weekday]] = {}
        for day, spans in zip(_WEEK, week):
            days_of.setdefault(spans, set()).add(day)
        groups[frozenset(months)] = {frozenset(days): spans for spans, days in days_of.items()}
    return groups


def _day_periods(
    months: frozenset[int],
    days: frozenset[Weekday],
    spans: tuple[tuple[int, int], ...],
    high: Decimal,
    low: Decimal,
) -> list[TOUPeriod]:
    """Return the periods of a day: ``high`` in the windows, ``low`` outside."""
    found, at = [], 0
    for start, end in (*spans, (24 * 60, 24 * 60)):
        for first, after, price in ((at, start, low), (start, end, high)):
            if first < after:
                edges = time(*divmod(first, 60)), time(*divmod(after - 1, 60))
                found.append(TOUPeriod(months, days, *edges, price, price))
        at = end
    return found
