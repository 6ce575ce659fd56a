"""The clock of the simulated heaters, which may run fast, be frozen, or be moved forward."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from .._util.numbers import is_within, shown
from ..exceptions import ConfigurationError

#: At 3600 an hour passes each second; above 86400 a status would be older than a day.
MAX_SPEED = 86400.0


class Clock:
    """A clock that starts at ``start`` and runs ``speed`` times as fast as real time.

    While it is ``frozen``, only ``move`` changes it. Raises ConfigurationError for a speed out of
    range or a ``start`` without time zone.
    """

    def __init__(self, start: datetime, speed: float = 1.0, *, frozen: bool = False) -> None:
        if not is_within(speed, 0, MAX_SPEED) or not speed:
            raise ConfigurationError(
                f"speed is {shown(speed)}; it must be above 0 and at most {MAX_SPEED:g}"
            )
        if start.tzinfo is None:
            raise ConfigurationError("start has no time zone; give it one")
        self.speed = speed
        self._frozen = frozen
        self._time = start
        self._real_start = time.monotonic()

    @property
    def frozen(self) -> bool:
        """Return whether the clock is frozen."""
        return self._frozen

    def now(self) -> datetime:
        """Return the time of the heaters."""
        if self._frozen:
            return self._time
        return self._time + timedelta(seconds=(time.monotonic() - self._real_start) * self.speed)

    def freeze(self) -> None:
        """Stop the clock. The heaters still respond; nothing heats, and no water is drawn."""
        self._time, self._frozen = self.now(), True

    def unfreeze(self) -> None:
        """Continue from the present time of the clock."""
        self._time, self._real_start, self._frozen = self.now(), time.monotonic(), False

    def move(self, by: timedelta) -> None:
        """Move the clock forward, running or frozen. Raise ConfigurationError if ``by`` is negative."""
        if by < timedelta(0):
            raise ConfigurationError(
                f"the heaters' time cannot be moved by {by}; it moves forward only"
            )
        self._time += by

    def real_seconds(self, seconds: float) -> float:
        """Convert seconds of the heaters' time to real seconds."""
        return seconds / self.speed
