"""What starts and stops heating (PROTOCOL 9.12 and 14.3), from what the sensors read."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.types import DHWMode, HeatSource

HEAT_PUMP_MODES = (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
#: Written inside a TOU window these wait for its end (PROTOCOL 9.12).
HELD_MODES = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
RESTING_MODES = (DHWMode.VACATION, DHWMode.POWER_OFF, DHWMode.STANDBY)

#: In a TOU window a recovery ends 1.9 K below the setpoint, threshold 2.0 K (PROTOCOL 9.12).
WINDOW_CAP = 20
#: In a window the heat pump starts with the upper sensor more than 8.0 K short (PROTOCOL 9.12).
WINDOW_START = 80
#: A setpoint write in a window starts it when more than 2.2 K short (PROTOCOL 9.12).
WINDOW_WRITE = 22
#: A mode write starts the heat pump: lower sensor 2.0 K short; upper in mode 1 more than 1.1 K.
MODE_LOWER_SHORT = 20
MODE_1_UPPER_SHORT = 11
#: Short by so much on entry to a mode, the upper element starts (PROTOCOL 14.3).
ELEMENT_ENTRY = {DHWMode.ELECTRIC: 3, DHWMode.ENERGY_SAVER: 10, DHWMode.HIGH_DEMAND: 4}
#: Later it starts 2.3 K below the setpoint in mode 4 (PROTOCOL 14.3); mode 2 is unmeasured.
ELEMENT_AGAIN = 23
#: In mode 3 it stops 0.9 K below the setpoint and coasts to it (PROTOCOL 14.3).
ENERGY_SAVER_STOP = 9
FREEZE_ON, FREEZE_OFF = 60, 100


@dataclass(frozen=True)
class SensorReadings:
    """What the rules look at, all temperatures in tenths of a degree Celsius."""

    upper: int
    lower: int
    setpoint: int
    minimum: int
    mode: DHWMode
    window: bool = False

    @property
    def upper_short(self) -> int:
        return self.setpoint - self.upper

    @property
    def lower_short(self) -> int:
        return self.setpoint - self.lower


class Demand:
    """Which sources are wanted; the lock-out and the order of switching are the heater's."""

    def __init__(self) -> None:
        self.heat_pump = False
        self.upper_element = False
        self.lower_element = False

    @property
    def element(self) -> bool:
        return self.upper_element or self.lower_element

    @property
    def source(self) -> HeatSource:
        return HeatSource(self.heat_pump + 2 * self.element)

    def clear(self) -> None:
        """Want nothing."""
        self.heat_pump = self.upper_element = self.lower_element = False

    def follow(self, now: SensorReadings) -> None:
        """Judge by the sensors alone, as the heater does all the time."""
        self._follow_heat_pump(now)
        self._follow_elements(now)
        if min(now.upper, now.lower) < FREEZE_ON:
            self.upper_element = True

    def mode_written(self, now: SensorReadings, before: DHWMode) -> None:
        """Judge afresh after a mode write that changed the mode."""
        self._elements_on_entry(now)
        if now.mode not in HEAT_PUMP_MODES:
            self.heat_pump = False
        elif not self.heat_pump:
            self.heat_pump = self._mode_starts(now, before)

    def setpoint_written(self, now: SensorReadings, before: int) -> None:
        """Judge afresh after a write that changed the setpoint; ``before`` in tenths too."""
        if now.mode in RESTING_MODES:
            return
        enough = WINDOW_WRITE if now.window else 0
        if now.mode in HEAT_PUMP_MODES:
            self.heat_pump = now.upper_short > enough
        raised = now.setpoint > before
        if raised and not self.element and now.upper_short >= ELEMENT_ENTRY.get(now.mode, 9999):
            self.upper_element = True

    def disinfect(self, now: SensorReadings) -> None:
        """Want the source of the mode until the whole tank is hot, by our choice."""
        if now.mode in HEAT_PUMP_MODES:
            self.heat_pump = True
        elif not self.element:
            self.upper_element = now.upper_short > 0
            self.lower_element = not self.upper_element

    @staticmethod
    def _mode_starts(now: SensorReadings, before: DHWMode) -> bool:
        if before in RESTING_MODES or before == DHWMode.ELECTRIC:
            return now.upper_short > 0 or now.lower_short >= MODE_LOWER_SHORT
        if now.mode == DHWMode.HEAT_PUMP:
            return now.upper_short > MODE_1_UPPER_SHORT or now.lower_short >= MODE_LOWER_SHORT
        return now.upper_short > 0

    def _follow_heat_pump(self, now: SensorReadings) -> None:
        if now.mode not in HEAT_PUMP_MODES:
            return
        target = now.setpoint - (WINDOW_CAP if now.window else 0)
        if self.heat_pump:
            # LOG-B stops with the upper sensor above the Off threshold, others by the lower one.
            self.heat_pump = now.upper <= target or now.lower < target
        elif now.window:
            self.heat_pump = now.upper_short > WINDOW_START
        else:
            self.heat_pump = now.lower <= now.minimum and now.upper_short > 0

    def _follow_elements(self, now: SensorReadings) -> None:
        if now.mode == DHWMode.ELECTRIC:
            self._follow_electric(now)
        elif now.mode == DHWMode.ENERGY_SAVER:
            self.lower_element = False
            on = now.upper_short > ENERGY_SAVER_STOP
            self.upper_element = on and (self.upper_element or now.upper <= now.minimum)
        elif now.mode == DHWMode.HIGH_DEMAND:
            self.lower_element = False
            on = now.upper_short > 0
            self.upper_element = on and (self.upper_element or now.upper_short >= ELEMENT_AGAIN)
        else:
            self.lower_element = False
            self.upper_element = self.upper_element and now.upper < FREEZE_OFF

    def _follow_electric(self, now: SensorReadings) -> None:
        if self.lower_element:
            self.lower_element = now.lower_short > 0
        elif self.upper_element:
            self.upper_element = now.upper_short > 0
            # Then the lower element to the setpoint; never both (PROTOCOL 14.3).
            self.lower_element = not self.upper_element and now.lower_short > 0
        elif now.upper_short >= ELEMENT_AGAIN:
            self.upper_element = True
        else:
            self.lower_element = now.lower <= now.minimum

    def _elements_on_entry(self, now: SensorReadings) -> None:
        self.lower_element = False
        self.upper_element = now.upper_short >= ELEMENT_ENTRY.get(now.mode, 9999)
        if now.mode == DHWMode.ELECTRIC and not self.upper_element:
            self.lower_element = now.lower_short >= ELEMENT_ENTRY[now.mode]
