"""Draws of hot water: a daily plan with seeded jitter, and single draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random

#: A household of three (morning showers, kitchen, evening): hour of the day, litres, minutes.
DAY_PLAN: tuple[tuple[float, float, float], ...] = (
    (6.5, 40.0, 6.0),
    (7.0, 35.0, 5.0),
    (7.6, 6.0, 2.0),
    (9.5, 4.0, 1.0),
    (12.4, 8.0, 2.0),
    (15.0, 4.0, 1.0),
    (17.8, 10.0, 3.0),
    (18.7, 20.0, 5.0),
    (20.9, 45.0, 7.0),
    (22.2, 8.0, 2.0),
)


@dataclass(frozen=True)
class Draw:
    """One draw: start in seconds after midnight, litres, duration in seconds."""

    start: float
    litres: float
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds

    def litres_between(self, begin: float, end: float) -> float:
        """Return the litres drawn between two times, in seconds after the same midnight."""
        overlap = min(end, self.end) - max(begin, self.start)
        return self.litres * overlap / self.seconds if overlap > 0 else 0.0


class Draws:
    """Daily plan of (hour of the day, litres, minutes); the jitter differs from day to day.

    Equal seeds give equal draws.
    """

    def __init__(
        self,
        plan: tuple[tuple[float, float, float], ...] = DAY_PLAN,
        *,
        jitter_minutes: float = 10.0,
        jitter_litres: float = 0.15,
        seed: int = 0,
    ) -> None:
        self._plan = plan
        self._jitter_minutes = jitter_minutes
        self._jitter_litres = jitter_litres
        self._seed = seed

    def on_day(self, day: date) -> tuple[Draw, ...]:
        """Return the draws that start on that day."""
        random = Random(f"{self._seed} {day.isoformat()}")
        return tuple(
            Draw(
                max(0.0, hour * 3600 + random.uniform(-1, 1) * self._jitter_minutes * 60),
                litres * (1 + random.uniform(-1, 1) * self._jitter_litres),
                minutes * 60,
            )
            for hour, litres, minutes in self._plan
        )

    def during_day(self, day: date) -> tuple[Draw, ...]:
        """Return the draws of that day and those that started on the day before and go on."""
        before = self.on_day(day - timedelta(days=1))
        shifted = (replace(draw, start=draw.start - 86400) for draw in before)
        return tuple(draw for draw in shifted if draw.end > 0) + self.on_day(day)


class DrawSchedule:
    """Daily plan and single draws of one heater; times are seconds after ``start``."""

    def __init__(self, plan: Draws | None, start: datetime) -> None:
        self._plan = plan
        self._start = start
        self._midnight = start.hour * 3600.0 + start.minute * 60 + start.second
        self._day = -1.0
        #: Those of the day that have not ended.
        self._planned: tuple[Draw, ...] = ()
        self._next = 0.0
        self._single: list[Draw] = []

    def add(self, draw: Draw) -> None:
        """Add a single draw."""
        self._single.append(draw)

    def litres(self, begin: float, seconds: float) -> float:
        """Return the litres drawn in ``seconds`` from ``begin`` on."""
        end = begin + seconds
        litres = sum(draw.litres_between(begin, end) for draw in self._single)
        self._single = [draw for draw in self._single if draw.end > end]
        if self._plan is None:
            return litres
        day, clock = divmod(self._midnight + begin, 86400)
        if day != self._day:
            self._day = day
            self._planned = self._plan.during_day(self._start.date() + timedelta(days=day))
            self._next = min((draw.start for draw in self._planned), default=86400.0)
        if clock + seconds <= self._next:
            return litres
        litres += sum(d.litres_between(clock, clock + seconds) for d in self._planned)
        self._planned = tuple(draw for draw in self._planned if draw.end > clock + seconds)
        self._next = min((draw.start for draw in self._planned), default=86400.0)
        return litres
