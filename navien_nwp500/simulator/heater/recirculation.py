"""The recirculation pump, where one is fitted (PROTOCOL 8.7, 12.6).

No unit with a pump was ever recorded: when it runs follows from the names of its modes, and the
heat it costs is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ...protocol.schedules import RecirculationEntry
from ...protocol.types import Flag, RecircMode
from .weekly_schedule import WeeklySchedule

#: The hot button runs the pump so long, by our choice.
BUTTON_MINUTES = 5


def _empty() -> WeeklySchedule[RecirculationEntry]:
    return WeeklySchedule(Flag.READY)  # read so while there is no schedule (PROTOCOL 8.7)


@dataclass
class Recirculation:
    """The pump's mode, its weekly schedule and what is left of a press of its button."""

    fitted: bool
    mode: RecircMode = RecircMode.ALWAYS
    schedule: WeeklySchedule[RecirculationEntry] = field(default_factory=_empty)
    scheduled: bool = False
    minutes_left: int = 0

    @property
    def runs(self) -> bool:
        """Whether the pump runs."""
        if not self.fitted:
            return False
        if self.mode == RecircMode.WEEKLY:
            return self.scheduled and self.schedule.on
        if self.mode == RecircMode.HOT_BUTTON:
            return self.minutes_left > 0
        return self.mode == RecircMode.ALWAYS

    def press(self) -> None:
        """Run once; the button means something in its own mode only, by our choice."""
        if self.mode == RecircMode.HOT_BUTTON:
            self.minutes_left = BUTTON_MINUTES

    def follow(self, clock: datetime) -> None:
        """Begin a minute."""
        self.minutes_left = max(0, self.minutes_left - 1)
        for entry in self.schedule.due(clock):
            self.scheduled = entry.pump.active
