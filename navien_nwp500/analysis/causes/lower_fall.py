"""Fall of the lower sensor in the last half hour: by hot water, or by slow cooling."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from .status_sample import Sample

#: The time that counts, and the step in which it is kept.
RECENT = timedelta(minutes=30)
_STEP = timedelta(minutes=1)
#: Hot water was used: a fall of so many K with a draw seen, or so many K an hour.
DRAWN_KELVIN = 1.5
DRAWN_KELVIN_PER_HOUR = 1.0


class _Point(NamedTuple):
    when: datetime
    lower: float
    drawing: bool


class RecentFall:
    """The lower sensor and the draws of the last half hour."""

    def __init__(self) -> None:
        self._points: deque[_Point] = deque()

    def add(self, sample: Sample) -> None:
        """Take the next status."""
        if sample.lower is None:
            return
        point = _Point(sample.when, sample.lower, bool(sample.drawing))
        last = self._points[-1] if self._points else None
        if last is not None and sample.when - last.when < _STEP:
            self._points[-1] = last._replace(drawing=last.drawing or point.drawing)
        else:
            self._points.append(point)
        # One older point stays, for statuses that are far apart.
        while len(self._points) > 2 and sample.when - self._points[1].when > RECENT:
            self._points.popleft()

    def by_hot_water(self, sample: Sample) -> bool | None:
        """Return whether hot water explains the fall until a status; None if nothing was seen."""
        recent = [one for one in self._points if sample.when - one.when <= RECENT]
        seen = recent or list(self._points)[-1:]
        earlier = [one for one in seen if one.when < sample.when]
        if sample.lower is None or not earlier:
            return None
        highest = max(earlier, key=lambda one: one.lower)
        fell = highest.lower - sample.lower
        hours = max(RECENT, sample.when - highest.when) / timedelta(hours=1)
        drawn = bool(sample.drawing) or any(one.drawing for one in earlier)
        return (drawn and fell >= DRAWN_KELVIN) or fell / hours > DRAWN_KELVIN_PER_HOUR
