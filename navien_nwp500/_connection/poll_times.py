"""Times of the polls of a watch: at a fixed interval, or as the latest status asks for."""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Optional, Protocol, Union

from .._util.numbers import DAY, is_seconds, shown
from ..exceptions import ValueOutOfRangeError
from ..protocol.status import DeviceStatus

#: Seconds between polls, or a function that returns how long the latest status needs no poll; its
#: argument is None before the first.
PollInterval = Union[float, Callable[[Optional[DeviceStatus]], float]]


def check_interval(name: str, interval: Any) -> None:
    """Raise ValueOutOfRangeError for what is no time above 0, of at most a day."""
    if not is_seconds(interval):
        raise ValueOutOfRangeError(
            f"{name} is {shown(interval)}; it must be a number of seconds above 0, at most {DAY}"
        )


class LatestStatus(Protocol):
    """The part of ``NaviLinkMQTT`` that tells the times of polls."""

    @property
    def last_status(self) -> DeviceStatus | None:
        """Latest status of the heater."""

    @property
    def last_status_age(self) -> float:
        """Seconds since it arrived; infinite before the first."""


class RegularPolls:
    """Times of polls at a fixed interval.

    Each watch polls at a random offset, so that a thousand started together do not poll at the same
    time; the offset is kept across outages. The second poll comes before a full interval.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self.due = time.monotonic() + random.uniform(0, interval)

    def on_poll(self) -> None:
        """Set the time of the next poll, after one."""
        late = time.monotonic() - self.due
        if late >= 0:
            self.due += self._interval * (late // self._interval + 1)


class AdaptivePolls:
    """Times of polls that a function of the latest status tells.

    Each poll comes up to a tenth sooner, at random, so that many watches do not keep step.
    """

    def __init__(
        self, heater: LatestStatus, interval: Callable[[DeviceStatus | None], float]
    ) -> None:
        self._heater = heater
        self._interval = interval
        self._polled = float("-inf")
        self._share = random.uniform(0.9, 1)

    @property
    def due(self) -> float:
        """Time of the next poll, from the latest status or from an unanswered poll after it."""
        seconds = self._interval(self._heater.last_status)
        check_interval("interval", seconds)
        since = max(self._polled, time.monotonic() - self._heater.last_status_age)
        return since + seconds * self._share

    def on_poll(self) -> None:
        """Count from now, after a poll."""
        self._polled, self._share = time.monotonic(), random.uniform(0.9, 1)
