"""What heat pump and elements took, for the energy queries (protocol 8.6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Energy:
    """What heat pump and elements took and how long they ran: Wh and s."""

    heat_pump_wh: float = 0.0
    element_wh: float = 0.0
    heat_pump_seconds: float = 0.0
    element_seconds: float = 0.0

    def add(self, seconds: float, heat_pump_watts: float, element_watts: float) -> None:
        """Count ``seconds`` at these powers."""
        if heat_pump_watts:
            self.heat_pump_wh += heat_pump_watts * seconds / 3600
            self.heat_pump_seconds += seconds
        if element_watts:
            self.element_wh += element_watts * seconds / 3600
            self.element_seconds += seconds
