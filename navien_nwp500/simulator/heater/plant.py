"""The heater without its controller: tank, heat pump, elements, water draws and energy meter.

Temperatures in degC, heat and power in W.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ...protocol.types import Volume
from .energy_meter import EnergyMeter
from .heat_pump import HeatPump
from .heater_state import Operation
from .tank import Tank
from .water_draws import Draw, Draws, DrawSchedule

ELEMENT_WATTS = 5148.0  # PROTOCOL 14.3
#: 396 fan hours in the recorded unit (PROTOCOL 6.4).
FAN_HOURS = 396


class Plant:
    """Physical parts of the heater; ``operation`` holds the loads that are switched on."""

    def __init__(
        self,
        *,
        now: datetime,
        volume: Volume,
        upper: float,
        lower: float,
        air: float,
        inlet: float,
        draws: Draws | None,
        seed: int,
    ) -> None:
        self.tank = Tank(volume=volume, upper=upper, lower=lower, inlet=inlet, seed=seed)
        self.heat_pump = HeatPump(
            air=air, water=self.tank.condenser_water, bottom=self.tank.bottom, seed=seed + 1
        )
        self.operation = Operation(fan_seconds=FAN_HOURS * 3600.0)
        self.energy_meter = EnergyMeter(now.date(), seed)
        self._air = air
        self._draws = DrawSchedule(draws, now)
        self._start = now

    def draw(self, elapsed: float, litres: float, minutes: float) -> None:
        """Draw hot water from ``elapsed`` on, in seconds after the start."""
        self._draws.add(Draw(elapsed, litres, minutes * 60))

    def step(self, elapsed: float, seconds: float) -> None:
        """Run for ``seconds`` from ``elapsed`` on, in seconds after the start."""
        operation, heat_pump, tank = self.operation, self.heat_pump, self.tank
        litres = self._draws.litres(elapsed, seconds)
        operation.drawing = litres > 0
        heat_pump.step(seconds, air=self._air, water=tank.condenser_water, bottom=tank.bottom)
        upper = ELEMENT_WATTS if operation.upper_element else 0.0
        lower = ELEMENT_WATTS if operation.lower_element else 0.0
        tank.step(
            seconds,
            air=self._air,
            condenser=heat_pump.heat,
            upper_element=upper,
            lower_element=lower,
            litres=litres,
        )
        elements = upper + lower
        operation.update_meters(seconds, heat_pump.power + elements, fan=heat_pump.fan)
        day = (self._start + timedelta(seconds=elapsed)).date()
        self.energy_meter.count(seconds, day, heat_pump, operation, elements)
