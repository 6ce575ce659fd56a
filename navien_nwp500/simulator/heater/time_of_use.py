"""Time of use in the simulated heater: plan, price period and peak window."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping, Sequence

from ...exceptions import ValueOutOfRangeError
from ...protocol.calendar import Weekday
from ...protocol.tou import MAX_PERIODS, TOUPeriod, decode_tou, peak_windows
from ...protocol.types import TouOverride, TouStatus


def decode_plan(entries: Sequence[Mapping[str, Any]]) -> tuple[TOUPeriod, ...]:
    """Decode the periods of a written plan (PROTOCOL 8.4).

    They need not cover the year. Raises ProtocolError or ValueOutOfRangeError.
    """
    if not 1 <= len(entries) <= MAX_PERIODS:
        raise ValueOutOfRangeError(f"a plan has 1 to {MAX_PERIODS} periods, not {len(entries)}")
    # An entry is a REST interval that names its own season.
    seasons = [
        {"season": entry.get("season") if isinstance(entry, Mapping) else None, "interval": [entry]}
        for entry in entries
    ]
    periods = decode_tou({"touInfo": {"schedule": seasons}}).periods
    for period in periods:
        period.check()
    return periods


@dataclass
class TimeOfUse:
    """Plan, peak window and the override at the panel."""

    enabled: bool = False
    window_open: bool = False
    overridden: bool = False
    #: Price period outside a window.
    period: TouStatus = TouStatus.OFF_PEAK
    #: The plan as it was written, for the response.
    entries: Sequence[Mapping[str, int]] = ()
    _periods: tuple[TOUPeriod, ...] = field(default=(), repr=False)

    @property
    def window_active(self) -> bool:
        return self.enabled and self.window_open and not self.overridden

    @property
    def status(self) -> TouStatus:
        if not self.enabled:
            return TouStatus.OFF
        return TouStatus.ON_PEAK if self.window_open else self.period

    @property
    def override(self) -> TouOverride:
        followed = self.enabled and not self.overridden
        return TouOverride.FOLLOWED if followed else TouOverride.OVERRIDDEN

    def replace_plan(self, enabled: bool, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the plan; an error of :func:`decode_plan` leaves the old one unchanged."""
        self._periods = decode_plan(entries)
        self.entries = [
            {key: value for key, value in entry.items() if type(value) is int} for entry in entries
        ]
        self.enabled = enabled

    def update(self, clock: datetime) -> None:
        """Set window and price period of this minute from the plan, if there is one."""
        if self._periods:
            local = clock.replace(tzinfo=None)
            windows = peak_windows(self._periods, local.date())
            self.window_open = any(window.start <= local < window.end for window in windows)
            self.period = self._price_period(local)

    def _price_period(self, local: datetime) -> TouStatus:
        # 1 and 3 fit the price periods in every message; 2 was never seen (PROTOCOL 6.10).
        day, time = Weekday.of(local), local.time().replace(second=0, microsecond=0)
        today = [p for p in self._periods if local.month in p.months and day in p.days]
        now = [p.price_max for p in today if p.start <= time <= p.end]
        if now and min(p.price_max for p in today) < now[0]:
            return TouStatus.MID_PEAK
        return TouStatus.OFF_PEAK
