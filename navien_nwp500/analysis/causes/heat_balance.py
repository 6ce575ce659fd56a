"""Heat that left the tank since the last run: hot water that was drawn, and cooling (PROTOCOL 14.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import exp

from ...protocol.types import Volume
from ..hot_water import WH_PER_KELVIN
from .cause_types import HeatUse
from .status_sample import Sample

#: Loss through the jacket in W/K, and from the bottom in W, of which the sensors see a part that
#: grows with the gap between them (PROTOCOL 14.4).
JACKET_WATTS_PER_KELVIN = 2.36
BOTTOM_WATTS = 27.0
BOTTOM_GAP_KELVIN = 1.02
#: At rest the intake sensor shows so much more than the air (PROTOCOL 14.2).
CABINET_KELVIN = 3.4
#: The sensors' mean shows this part of the heat that was drawn (PROTOCOL 14.5).
SEEN_OF_DRAWS = 0.63
#: Both sensors fall within 2 min of a stop without any heat being lost (LOG-B).
SETTLING = timedelta(minutes=3)
#: A lower sensor that falls by more between two statuses shows a draw (PROTOCOL 14.5), in K.
DRAW_KELVIN = 0.4
#: Draws of a household are at least so long apart; one draw may pause.
PAUSE = timedelta(minutes=3)
#: Longer intervals may hide a draw.
LONGEST_INTERVAL = timedelta(minutes=10)
#: Within a longer gap the heater may have heated, and in a shorter one if the tank is warmer, in K.
LONGEST_GAP, WARMED_KELVIN = timedelta(hours=1), 0.3


class HeatBalance:
    """Sums of the heat that leaves the tank between two runs."""

    def __init__(self, end: Sample | None = None) -> None:
        """Begin with the status at which a run was over; None when that is not known."""
        self._since = self._last = end
        self._settled_at = None if end is None else end.when + SETTLING
        self._lost = self._seen_lost = 0.0
        self._draws = 0
        self._last_draw: datetime | None = None
        self._missed = end is None

    def may_have_heated_before(self, sample: Sample) -> bool:
        """Return True if the heater may have heated in the gap that ends with this status."""
        before, now = None if self._last is None else _mean(self._last), _mean(sample)
        if self._last is None or before is None or now is None:
            return False
        return sample.when - self._last.when > LONGEST_GAP or now > before + WARMED_KELVIN

    def add(self, sample: Sample, heating: bool) -> None:
        """Take the next status; the one with which heating begins is the last."""
        before, self._last = self._last, sample
        if _mean(sample) is None:
            return
        if self._since is None or (self._settled_at and sample.when <= self._settled_at):
            self._since = sample
            self._settled_at = self._settled_at or sample.when
            return
        if before is None or _mean(before) is None:
            return
        if heating and before.busy:
            return
        self._add_loss(before, sample)
        self._add_draw(before, sample)
        self._missed |= sample.when - before.when > LONGEST_INTERVAL

    def use(self, sample: Sample) -> HeatUse | None:
        """Return the heat that left until this status, with which heating begins."""
        if self._since is None or self._last is None:
            return None
        last = self._last
        lost, seen, draws, when = self._lost, self._seen_lost, self._draws, self._last_draw
        self._add_loss(last, sample)
        self._add_draw(last, sample)
        found = self._use(sample)
        self._lost, self._seen_lost, self._draws, self._last_draw = lost, seen, draws, when
        return found

    def _use(self, sample: Sample) -> HeatUse | None:
        assert self._since is not None
        first, now = _mean(self._since), _mean(sample)
        if first is None or now is None:
            return None
        fell = WH_PER_KELVIN[Volume.GALLONS_65] * (first - now)
        drawn = max(0.0, fell - self._seen_lost) / SEEN_OF_DRAWS
        if not self._draws and drawn < self._lost / 3:
            drawn = 0.0  # within what air and sensors leave open
        return HeatUse(drawn, self._lost, self._draws, self._last_draw, self._missed)

    def _add_loss(self, before: Sample, after: Sample) -> None:
        first, now = _mean(before), _mean(after)
        if first is None or now is None:
            return
        hours = (after.when - before.when).total_seconds() / 3600
        air = 20.0 if before.air is None else before.air - CABINET_KELVIN
        jacket = max(0.0, JACKET_WATTS_PER_KELVIN * ((first + now) / 2 - air) * hours)
        gap = max(0.0, (before.upper or 0.0) - (before.lower or 0.0))
        bottom = BOTTOM_WATTS * hours
        self._lost += jacket + bottom
        self._seen_lost += jacket + bottom * (1 - exp(-gap / BOTTOM_GAP_KELVIN))

    def _add_draw(self, before: Sample, after: Sample) -> None:
        fell = (before.lower or 0.0) - (after.lower or 0.0)
        if not after.drawing and fell <= DRAW_KELVIN:
            return
        if self._last_draw is None or after.when - self._last_draw > max(
            PAUSE, after.when - before.when
        ):
            self._draws += 1
        self._last_draw = after.when


def _mean(sample: Sample) -> float | None:
    if sample.upper is None or sample.lower is None:
        return None
    return (sample.upper + sample.lower) / 2
