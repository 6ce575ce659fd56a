"""The anti-legionella cycle (PROTOCOL 8.9); no recording holds one."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.types import Flag

#: 60 degC in tenths (PROTOCOL 8.9).
TARGET = 600
_DAY = 86400.0


@dataclass
class Disinfection:
    """After its period the whole tank is heated to 60 degC once.

    By our choice the period counts from switching on and from the end of the last cycle, a cycle
    waits while the heater is off or on vacation, and a price window does not hold it up.
    """

    on: bool = True
    days: int = 7  # PROTOCOL 8.9
    busy: bool = False
    #: When the next cycle begins, in seconds of the heater's life.
    due: float = 7 * _DAY

    @property
    def use(self) -> Flag:
        return Flag.of(self.on)

    def switch(self, days: int | None, clock: float) -> None:
        """On with a period, or off with None; the period is kept."""
        self.on = days is not None
        self.busy = False
        if days is not None:
            self.days = days
            self.due = clock + days * _DAY

    def follow(self, clock: float, *, coldest: int, resting: bool) -> None:
        """Begin a cycle that is due, and end one when the coldest sensor (tenths) is hot."""
        if resting or not self.on:
            self.busy = False
        elif not self.busy:
            self.busy = clock >= self.due
        elif coldest >= TARGET:
            self.busy = False
            self.due = clock + self.days * _DAY
