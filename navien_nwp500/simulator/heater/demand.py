"""Rules that start and stop heating (PROTOCOL 9.12, 14.3), from the sensor values."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.types import DHWMode, HeatSource

HEAT_PUMP_MODES = (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
#: Set during a time-of-use window, these wait for its end (PROTOCOL 9.12).
DEFERRED_MODES = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
RESTING_MODES = (DHWMode.VACATION, DHWMode.POWER_OFF, DHWMode.STANDBY)

# Deficits: how far a sensor is below the setpoint, in tenths of a kelvin.
#: A recovery runs on until the lower sensor is 0.6 to 0.7 K above the setpoint, whatever the upper
#: one shows (PROTOCOL 9.12).
STOP_EXCESS = 6
#: In a time-of-use window a recovery ends 1.9 K below the setpoint, threshold 2.0 K (PROTOCOL 9.12).
WINDOW_STOP_DEFICIT = 20
#: In a window the heat pump starts when the upper deficit exceeds 8.0 K (PROTOCOL 9.12).
WINDOW_START_DEFICIT = 80
#: A new setpoint in a window starts it when the upper deficit exceeds 2.2 K (PROTOCOL 9.12).
WINDOW_SETPOINT_DEFICIT = 22
#: A new mode starts the heat pump: lower deficit 2.0 K, or upper deficit above 1.1 K in mode 1.
MODE_LOWER_DEFICIT = 20
MODE_1_UPPER_DEFICIT = 11
#: Upper deficits that start the upper element when a mode is entered (PROTOCOL 14.3).
ELEMENT_ENTRY_DEFICITS = {DHWMode.ELECTRIC: 3, DHWMode.ENERGY_SAVER: 10, DHWMode.HIGH_DEMAND: 4}
#: Later it starts at 2.3 K in mode 4 (PROTOCOL 14.3); mode 2 is not measured.
ELEMENT_START_DEFICIT = 23
#: In mode 3 it stops 0.9 K below the setpoint; residual heat does the rest (PROTOCOL 14.3).
ENERGY_SAVER_STOP_DEFICIT = 9
#: Freeze protection by the upper element, in tenths of a degree Celsius.
FREEZE_ON, FREEZE_OFF = 60, 100
_NEVER = 9999
#: By number: a lookup is five times faster than the enumeration's own, and made at every step.
_SOURCES = tuple(HeatSource)


@dataclass(frozen=True)
class SensorValues:
    """Sensor temperatures and settings the rules use, in tenths of a degree Celsius."""

    upper: int
    lower: int
    setpoint: int
    minimum: int
    mode: DHWMode
    window: bool = False

    @property
    def upper_deficit(self) -> int:
        return self.setpoint - self.upper

    @property
    def lower_deficit(self) -> int:
        return self.setpoint - self.lower


class Demand:
    """Heat sources that are requested; lock-out and switching order are applied elsewhere."""

    def __init__(self) -> None:
        self.heat_pump = False
        self.upper_element = False
        self.lower_element = False

    @property
    def element(self) -> bool:
        return self.upper_element or self.lower_element

    @property
    def source(self) -> HeatSource:
        return _SOURCES[self.heat_pump + 2 * (self.upper_element or self.lower_element)]

    def clear(self) -> None:
        """Request no heat source."""
        self.heat_pump = self.upper_element = self.lower_element = False

    def update(self, now: SensorValues) -> None:
        """Update the demand from the sensors alone, as the heater does all the time."""
        self._update_heat_pump(now)
        self._update_elements(now)
        if min(now.upper, now.lower) < FREEZE_ON:
            self.upper_element = True

    def branch(self, now: SensorValues, *, window_over: bool) -> str:
        """Return the rule that ``update`` applied last, when it has started or ended the demand.

        ``window_over`` is True when a time-of-use window has just ended.
        """
        if self.source == HeatSource.NONE:
            if now.mode in HEAT_PUMP_MODES and now.window:
                return "window"
            return "thawed" if now.mode in RESTING_MODES else "reached"
        if min(now.upper, now.lower) < FREEZE_ON:
            return "freeze"
        if not self.heat_pump:
            return "element"
        if now.window:
            return "window cold"
        return "window over" if window_over else "tank"

    def change_mode(self, now: SensorValues, before: DHWMode) -> None:
        """Update the demand after a change of the mode."""
        self._enter_element_mode(now)
        if now.mode not in HEAT_PUMP_MODES:
            self.heat_pump = False
        elif not self.heat_pump:
            self.heat_pump = self._mode_starts_heat_pump(now, before)

    def keep_to_mode(self, mode: DHWMode) -> None:
        """Drop the heat pump in a mode without it, and start nothing: a list was written."""
        if mode not in HEAT_PUMP_MODES:
            self.heat_pump = False

    def change_setpoint(self, now: SensorValues, before: int) -> None:
        """Update the demand after a change of the setpoint; ``before`` in tenths too."""
        if now.mode in RESTING_MODES:
            return
        if now.mode in HEAT_PUMP_MODES:
            self.heat_pump = now.upper_deficit > (WINDOW_SETPOINT_DEFICIT if now.window else 0)
        raised = now.setpoint > before
        if raised and not self.element and self._enters_element(now):
            self.upper_element = True

    def disinfect(self, now: SensorValues) -> None:
        """Request the source of the mode for a disinfection cycle, our choice."""
        if now.mode in HEAT_PUMP_MODES:
            self.heat_pump = True
        elif not self.element:
            self.upper_element = now.upper_deficit > 0
            self.lower_element = not self.upper_element

    @staticmethod
    def _mode_starts_heat_pump(now: SensorValues, before: DHWMode) -> bool:
        if before in RESTING_MODES or before == DHWMode.ELECTRIC:
            return now.upper_deficit > 0 or now.lower_deficit >= MODE_LOWER_DEFICIT
        if now.mode == DHWMode.HEAT_PUMP:
            upper = now.upper_deficit > MODE_1_UPPER_DEFICIT
            return upper or now.lower_deficit >= MODE_LOWER_DEFICIT
        return now.upper_deficit > 0

    @staticmethod
    def _enters_element(now: SensorValues) -> bool:
        return now.upper_deficit >= ELEMENT_ENTRY_DEFICITS.get(now.mode, _NEVER)

    def _update_heat_pump(self, now: SensorValues) -> None:
        if now.mode not in HEAT_PUMP_MODES:
            return
        if self.heat_pump:
            stop = now.setpoint + (-WINDOW_STOP_DEFICIT if now.window else STOP_EXCESS)
            self.heat_pump = now.lower < stop
        elif now.window:
            self.heat_pump = now.upper_deficit > WINDOW_START_DEFICIT
        else:
            self.heat_pump = now.lower <= now.minimum and now.upper_deficit > 0

    def _update_elements(self, now: SensorValues) -> None:
        if now.mode == DHWMode.ELECTRIC:
            self._update_electric_mode(now)
            return
        self.lower_element = False
        if now.mode == DHWMode.ENERGY_SAVER:
            on = now.upper_deficit > ENERGY_SAVER_STOP_DEFICIT
            self.upper_element = on and (self.upper_element or now.upper <= now.minimum)
        elif now.mode == DHWMode.HIGH_DEMAND:
            starts = now.upper_deficit >= ELEMENT_START_DEFICIT
            self.upper_element = now.upper_deficit > 0 and (self.upper_element or starts)
        else:
            self.upper_element = self.upper_element and now.upper < FREEZE_OFF

    def _update_electric_mode(self, now: SensorValues) -> None:
        if self.lower_element:
            self.lower_element = now.lower_deficit > 0
        elif self.upper_element:
            self.upper_element = now.upper_deficit > 0
            # Then the lower element to the setpoint; never both (PROTOCOL 14.3).
            self.lower_element = not self.upper_element and now.lower_deficit > 0
        elif now.upper_deficit >= ELEMENT_START_DEFICIT:
            self.upper_element = True
        else:
            self.lower_element = now.lower <= now.minimum

    def _enter_element_mode(self, now: SensorValues) -> None:
        self.lower_element = False
        self.upper_element = self._enters_element(now)
        if now.mode == DHWMode.ELECTRIC and not self.upper_element:
            self.lower_element = now.lower_deficit >= ELEMENT_ENTRY_DEFICITS[now.mode]
