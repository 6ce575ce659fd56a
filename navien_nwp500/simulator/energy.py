"""What heat pump and elements took, for the energy queries (protocol 8.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable


@dataclass
class Energy:
    """What heat pump and elements took and how long they ran: Wh and s."""

    heat_pump_wh: float = 0.0
    element_wh: float = 0.0
    heat_pump_seconds: float = 0.0
    element_seconds: float = 0.0

    @classmethod
    def sum(cls, parts: Iterable[Energy]) -> Energy:
        """Several days as one."""
        total = cls()
        for part in parts:
            total.heat_pump_wh += part.heat_pump_wh
            total.element_wh += part.element_wh
            total.heat_pump_seconds += part.heat_pump_seconds
            total.element_seconds += part.element_seconds
        return total

    def add(self, seconds: float, heat_pump_watts: float, element_watts: float) -> None:
        """Count ``seconds`` at these powers."""
        if heat_pump_watts:
            self.heat_pump_wh += heat_pump_watts * seconds / 3600
            self.heat_pump_seconds += seconds
        if element_watts:
            self.element_wh += element_watts * seconds / 3600
            self.element_seconds += seconds

    def entry(self) -> dict[str, int]:
        """As the heater tells it: whole Wh and whole hours."""
        return {
            "heUsage": int(self.element_wh),
            "hpUsage": int(self.heat_pump_wh),
            "heTime": int(self.element_seconds // 3600),
            "hpTime": int(self.heat_pump_seconds // 3600),
        }
