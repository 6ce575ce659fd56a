"""Conversion of command arguments to wire integers, with errors that name the valid values."""

from __future__ import annotations

from typing import Any

from .._util.numbers import is_within, shown
from ..exceptions import ValueOutOfRangeError
from ..protocol.types import DHWMode, HalfCelsius

#: Numbers that an early design used for modes, and the modes they meant.
EARLY_MODES = {32: DHWMode.HEAT_PUMP, 33: DHWMode.ELECTRIC, 34: DHWMode.ENERGY_SAVER}
SELECTABLE_MODES = (DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


def to_mode(mode: Any) -> DHWMode:
    """Return a mode that can be set. Raises ValueOutOfRangeError."""
    choices = ", ".join(f"DHWMode.{choice.name} ({int(choice)})" for choice in SELECTABLE_MODES)
    if isinstance(mode, int) and not isinstance(mode, bool):
        if mode in SELECTABLE_MODES:
            return DHWMode(mode)
        if mode in EARLY_MODES:
            meant = EARLY_MODES[mode]
            raise ValueOutOfRangeError(
                f"{int(mode)} is the number of an early design; DHWMode.{meant.name} is {int(meant)}. "
                f"The modes are {choices}"
            )
        if mode == DHWMode.VACATION:
            raise ValueOutOfRangeError("vacation needs a number of days: start_vacation(days=…)")
        if mode in (DHWMode.STANDBY, DHWMode.POWER_OFF):
            raise ValueOutOfRangeError(
                f"{int(mode)} cannot be set: to switch the heater off use turn_off(). The modes "
                f"are {choices}"
            )
    raise ValueOutOfRangeError(f"mode is {shown(mode)}, which is not one; the modes are {choices}")


def to_temperature(
    fahrenheit: float | None, celsius: float | None, *, whole_degrees: bool
) -> HalfCelsius:
    """Return the nearest temperature, given in exactly one unit. Raises ValueOutOfRangeError."""
    if (fahrenheit is None) == (celsius is None):
        raise ValueOutOfRangeError("give the temperature once: fahrenheit=… or celsius=…")
    value = fahrenheit if celsius is None else celsius
    if value is None or not is_within(value, -1000, 1000):
        unit = "fahrenheit" if celsius is None else "celsius"
        raise ValueOutOfRangeError(f"{unit} is {shown(value)}, which is not a temperature")
    degrees = value if fahrenheit is None else (value - 32) / 1.8
    return HalfCelsius.from_celsius(round(degrees) if whole_degrees else degrees)


def to_integer(name: str, value: Any) -> int:
    """Return a whole number. Raises ValueOutOfRangeError."""
    if not isinstance(value, int) or not is_within(value, -(2**31), 2**31 - 1):
        raise ValueOutOfRangeError(
            f"{name} is {shown(value)}; it must be a whole number of 32 bits"
        )
    return value
