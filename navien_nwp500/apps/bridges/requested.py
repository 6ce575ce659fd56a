"""Requested values that the entities show until the heater has confirmed a command."""

from __future__ import annotations

from typing import Any

from ...protocol import commands
from ...protocol.features import DeviceFeatures
from ...protocol.types import DHWMode, HalfCelsius
from .controlled_heater import DEGREES, OFF, ON, mode_of
from .controls import CONTROLS, available_modes
from .entities import MODE_NAMES, on_off, shown_degrees, words


def requested_values(
    name: str, payload: str, features: DeviceFeatures, fahrenheit: bool
) -> dict[str, Any]:
    """Return the values that show what a command asks, before the heater has confirmed it.

    None of what the heater cannot have: that is refused at once.
    """
    control = next(one for one in CONTROLS if one.key == name)
    mode = mode_of(payload) if name == "mode" else None
    if name == "temperature":
        return _setpoint(payload, features, fahrenheit)
    if mode is not None and (mode in available_modes(features) or mode is DHWMode.POWER_OFF):
        power = on_off(mode is not DHWMode.POWER_OFF)
        return {"mode": words(mode), "water_heater_mode": MODE_NAMES[mode], "power": power}
    if name == "power" and payload == OFF:
        return requested_values("mode", words(DHWMode.POWER_OFF), features, fahrenheit)
    if control.platform == "switch" and payload in (ON, OFF):
        return {name: payload}
    return {name: payload} if payload in control.traits.get("options", ()) else {}


def _setpoint(payload: str, features: DeviceFeatures, fahrenheit: bool) -> dict[str, Any]:
    found = DEGREES.fullmatch(payload.strip())
    if found is None:
        return {}
    convert = HalfCelsius.from_fahrenheit if found[2] == "F" else HalfCelsius.from_celsius
    setpoint = convert(float(found[1]))
    (parameter,) = commands.TEMPERATURE.parameters
    if not parameter.allows(setpoint, features):
        return {}
    degrees = shown_degrees(setpoint, fahrenheit)
    return {"temperature": degrees, "water_heater_setpoint": degrees}
