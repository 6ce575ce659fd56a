"""Time of use as the heater keeps it: its plan, the price period, the peak window in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping, Sequence

from ...exceptions import ValueOutOfRangeError
from ...protocol.calendar import Weekday
from ...protocol.tou import MAX_PERIODS, TOUPeriod, decode_tou, peak_windows
from ...protocol.types import TouOverride, TouStatus


def read_entries(entries: Sequence[Mapping[str, Any]]) -> tuple[TOUPeriod, ...]:
    """The periods of a written plan (PROTOCOL 8.4).

    They need not cover the year: only a table of the heater's own size must hold them. Raises
    ProtocolError or ValueOutOfRangeError.
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
    """Time of use: whether it is on, whether a peak window is in force, and the panel's override."""

    enabled: bool = False
    window: bool = False
    overridden: bool = False
    #: The price period outside a window.
    period: TouStatus = TouStatus.OFF_PEAK
    #: The numbers as they were written, for the answer.
    entries: Sequence[Mapping[str, int]] = ()
    _periods: tuple[TOUPeriod, ...] = field(default=(), repr=False)

    @property
    def in_force(self) -> bool:
        return self.enabled and self.window and not self.overridden

    @property
    def status(self) -> TouStatus:
        if not self.enabled:
            return TouStatus.OFF
        return TouStatus.ON_PEAK if self.window else self.period

    @property
    def override(self) -> TouOverride:
        followed = self.enabled and not self.overridden
        return TouOverride.FOLLOWED if followed else TouOverride.OVERRIDDEN

    def write(self, enabled: bool, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the plan; raises as :func:`read_entries`, and then keeps the old one."""
        self._periods = read_entries(entries)
        self.entries = [
            {key: value for key, value in entry.items() if type(value) is int} for entry in entries
        ]
        self.enabled = enabled

    def follow(self, clock: datetime) -> None:
        """Take window and price period of this minute from the plan, when there is one."""
        if self._periods:
            local = clock.replace(tzinfo=None)
            windows = peak_windows(self._periods, local.date())
            self.window = any(window.start <= local < window.end for window in windows)
            self.period = self._period_of(local)

    def _period_of(self, local: datetime) -> TouStatus:
        # 1 and 3 fit the price periods in every message, 2 was never seen (PROTOCOL 6.10).
        day, time = Weekday.of(local), local.time().replace(second=0, microsecond=0)
        today = [p for p in self._periods if local.month in p.months and day in p.days]
        now = [p.price_max for p in today if p.start <= time <= p.end]
        if now and min(p.price_max for p in today) < now[0]:
            return TouStatus.MID_PEAK
        return TouStatus.OFF_PEAK
