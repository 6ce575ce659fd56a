"""Energy costs by a time-of-use plan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import time
from typing import Sequence

import numpy as np
import pandas as pd

from ..protocol.calendar import Weekday
from ..protocol.tou import TOUPeriod, check_tou
from .intervals import DAY_MS, HOUR_MS

_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Tariff:
    """A plan with one price, or a range of prices, for each minute of the year."""

    periods: Sequence[TOUPeriod]

    def check(self) -> None:
        """Raise ValueOutOfRangeError when a minute has no price or two."""
        check_tou(self.periods)

    @property
    def step_ms(self) -> int:
        """Return the longest step at whose multiples alone prices change, at most an hour."""
        edges = [minute for period in self.periods for minute in _minutes(period)]
        return math.gcd(60, *edges) * _MINUTE_MS if edges else HOUR_MS

    def price(self, local_ms: pd.Series) -> pd.DataFrame:
        """Return the ``low`` and ``high`` price per kWh at times in the recording's zone."""
        step = self.step_ms
        table = np.full((2, 12, 7, DAY_MS // step), np.nan)
        for period in self.periods:
            start, end = (minute * _MINUTE_MS // step for minute in _minutes(period))
            months = [month - 1 for month in period.months]
            for day in (_number(day) for day in period.days):
                table[0, months, day, start:end] = float(period.price_min)
                table[1, months, day, start:end] = float(period.price_max)
        when = pd.to_datetime(local_ms, unit="ms")
        slot = (local_ms % DAY_MS // step).to_numpy()
        low, high = table[:, when.dt.month.to_numpy() - 1, when.dt.day_of_week.to_numpy(), slot]
        return pd.DataFrame({"low": low, "high": high}, index=local_ms.index)


def _minutes(period: TOUPeriod) -> tuple[int, int]:
    """Return the first minute of a period and the one after its last."""

    def minute(of: time) -> int:
        return of.hour * 60 + of.minute

    return minute(period.start), minute(period.end) + 1


def _number(day: Weekday) -> int:
    """Return the number of a weekday as in pandas, Monday 0."""
    return list(Weekday).index(day)
