"""Forecasts of the statuses of one heater as they come: it knows when a run began. No pandas."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..protocol.status import DeviceStatus
from .forecast import Forecast, forecast
from .learned import Learned

__all__ = ["ForecastWatch"]

#: Between two statuses further apart a run may have begun at any time.
_LONGEST_STEP = timedelta(minutes=16)


class ForecastWatch:
    """Forecasts of one heater with what is ``learned`` of it; ``learned`` may be replaced."""

    def __init__(self, learned: Learned = Learned()) -> None:
        self.learned = learned
        self._before: tuple[datetime, bool] | None = None
        self._since: datetime | None = None

    def forecast(self, status: DeviceStatus, when: datetime, **options: Any) -> Forecast:
        """Return the forecast of the newest status; ``options`` as of ``forecast``."""
        running = status.comp_use.active
        before, self._before = self._before, (when, running)
        if not running:
            self._since = None
        elif before is not None and not before[1]:
            self._since = when if when - before[0] <= _LONGEST_STEP else None
        return forecast(status, when, learned=self.learned, since=self._since, **options)
