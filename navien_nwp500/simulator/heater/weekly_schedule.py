"""Lists the heater keeps and carries out by its own clock (PROTOCOL 8.3, 8.7)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Iterable, TypeVar

from ...protocol.calendar import Weekday
from ...protocol.schedules import RecirculationEntry, Reservation
from ...protocol.types import Flag

E = TypeVar("E", Reservation, RecirculationEntry)

#: 7 or 16 by old documents; a real heater held 32 (PROTOCOL 8.3).
RESERVATIONS = 16


class WeeklySchedule(Generic[E]):
    """Entries, each for a minute of some weekdays; ``use`` is 2 on, 1 off, 0 never set."""

    def __init__(self, use: Flag = Flag.UNKNOWN) -> None:
        self.use = use
        self.entries: tuple[E, ...] = ()

    @property
    def on(self) -> bool:
        """Whether it is carried out."""
        return self.use.active

    def replace(self, enabled: bool, entries: Iterable[E]) -> None:
        """Forget the list and keep this one."""
        self.use = Flag.of(enabled)
        self.entries = tuple(entries)

    def due(self, clock: datetime) -> list[E]:
        """The entries of this minute."""
        if not self.on:
            return []
        day, now = Weekday.of(clock), (clock.hour, clock.minute)
        return [
            entry
            for entry in self.entries
            if entry.enabled and day in entry.days and (entry.time.hour, entry.time.minute) == now
        ]
