"""When hot water is drawn: a day plan that repeats, with seeded jitter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random

#: A household of three: morning showers, kitchen, evening.
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
    """One draw: seconds after midnight, litres, length in seconds."""

    start: float
    litres: float
    seconds: float

    @property
    def ends(self) -> float:
        return self.start + self.seconds

    def litres_between(self, begin: float, end: float) -> float:
        """What is drawn between two times, in seconds after the same midnight."""
        overlap = min(end, self.ends) - max(begin, self.start)
        return self.litres * overlap / self.seconds if overlap > 0 else 0.0


class Draws:
    """A repeatable day plan of (hour of the day, litres, minutes); jitter differs from day to day."""

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

    def of(self, day: date) -> tuple[Draw, ...]:
        """The draws that begin on that day."""
        random = Random(f"{self._seed} {day.isoformat()}")
        return tuple(
            Draw(
                max(0.0, hour * 3600 + random.uniform(-1, 1) * self._jitter_minutes * 60),
                litres * (1 + random.uniform(-1, 1) * self._jitter_litres),
                minutes * 60,
            )
            for hour, litres, minutes in self._plan
        )

    def around(self, day: date) -> tuple[Draw, ...]:
        """The draws of that day and what may be left of the day before, in that day's seconds."""
        before = self.of(day - timedelta(days=1))
        late = tuple(replace(draw, start=draw.start - 86400) for draw in before)
        return tuple(draw for draw in late if draw.ends > 0) + self.of(day)


class WaterDraws:
    """All that is drawn: the day plan, and single draws in seconds after ``start``."""

    def __init__(self, plan: Draws | None, start: datetime) -> None:
        self._plan = plan
        self._start = start
        self._midnight = start.hour * 3600.0 + start.minute * 60 + start.second
        self._day = -1.0
        self._planned: tuple[Draw, ...] = ()
        self._single: list[Draw] = []

    def open(self, draw: Draw) -> None:
        """Add a single draw."""
        self._single.append(draw)

    def litres(self, begin: float, seconds: float) -> float:
        """What is drawn in ``seconds`` from ``begin``, itself in seconds after the start."""
        end = begin + seconds
        litres = sum(draw.litres_between(begin, end) for draw in self._single)
        self._single = [draw for draw in self._single if draw.ends > end]
        if self._plan is None:
            return litres
        day, clock = divmod(self._midnight + begin, 86400)
        if day != self._day:
            self._day = day
            self._planned = self._plan.around(self._start.date() + timedelta(days=day))
        return litres + sum(d.litres_between(clock, clock + seconds) for d in self._planned)
