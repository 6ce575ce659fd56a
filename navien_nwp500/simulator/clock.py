"""The heaters' time, which may run faster than ours."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from ..exceptions import ConfigurationError

#: At 3600 an hour passes each second; beyond 86400 a status would be older than a day.
FASTEST = 86400.0


class Clock:
    """Runs ``speed`` times as fast as the steady clock, from ``start`` on."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        if not 0 < speed <= FASTEST:
            raise ConfigurationError(f"speed is {speed}; it may be above 0, at most {FASTEST:g}")
        if start.tzinfo is None:
            raise ConfigurationError("start needs its zone")
        self.start = start
        self.speed = speed
        self._began = time.monotonic()

    def now(self) -> datetime:
        """What the heaters' clocks show."""
        return self.start + timedelta(seconds=(time.monotonic() - self._began) * self.speed)

    def real(self, seconds: float) -> float:
        """How long ``seconds`` of the heaters' time take, in seconds of ours."""
        return seconds / self.speed
