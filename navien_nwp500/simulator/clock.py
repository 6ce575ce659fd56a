"""The heaters' time, which may run faster than ours, stand still, or be moved by hand."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from ..exceptions import ConfigurationError

#: At 3600 an hour passes each second; beyond 86400 a status would be older than a day.
FASTEST = 86400.0


class Clock:
    """Runs ``speed`` times as fast as the steady clock, from ``start`` on.

    While it is ``frozen`` only ``move`` moves it.
    """

    def __init__(self, start: datetime, speed: float = 1.0, *, frozen: bool = False) -> None:
        if not 0 < speed <= FASTEST:
            raise ConfigurationError(f"speed is {speed}; it may be above 0, at most {FASTEST:g}")
        if start.tzinfo is None:
            raise ConfigurationError("start needs its zone")
        self.speed = speed
        self._frozen = frozen
        self._shown = start
        self._since = time.monotonic()

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen

    def now(self) -> datetime:
        """What the heaters' clocks show."""
        if self._frozen:
            return self._shown
        return self._shown + timedelta(seconds=(time.monotonic() - self._since) * self.speed)

    def freeze(self) -> None:
        """Stand still. The heaters go on answering; nothing heats, nothing is drawn."""
        self._shown, self._frozen = self.now(), True

    def thaw(self) -> None:
        """Run on from where it stands."""
        self._shown, self._since, self._frozen = self.now(), time.monotonic(), False

    def move(self, by: timedelta) -> None:
        """Put it forward, running or frozen. Raises ConfigurationError for a way back."""
        if by < timedelta(0):
            raise ConfigurationError(f"the heaters' time is moved by {by}; it goes forward only")
        self._shown += by

    def real(self, seconds: float) -> float:
        """How long ``seconds`` of the heaters' time take while it runs, in seconds of ours."""
        return seconds / self.speed
