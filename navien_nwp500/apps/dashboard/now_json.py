"""The present state of a heater, and what can be set, as JSON of the dashboard's API."""

from __future__ import annotations

import math
from typing import Any

from ...analysis.hot_water import SHOWER_LITRES, usable_water_of
from ...models import Health, HealthState
from ...protocol import commands
from ...protocol.account import DeviceInfo
from ...protocol.commands import Command
from ...protocol.features import DeviceFeatures
from ...protocol.status import DeviceStatus
from ...protocol.types import DhwControl, DHWMode, Temperature, TemperatureType, TouStatus

SELECTABLE_MODES = tuple(DHWMode(value) for value, _ in commands.DHW_MODE.value_capabilities)


def status_to_json(status: DeviceStatus) -> dict[str, Any]:
    """Return what the page shows of a status; temperatures in degrees Celsius."""
    water = usable_water_of(status)
    mode = status.dhw_operation_setting
    vacation = mode == DHWMode.VACATION
    return {
        "charge_percent": int(status.dhw_charge_percent),
        "upper_c": _celsius(status.tank_upper_temperature),
        "lower_c": _celsius(status.tank_lower_temperature),
        "water_c": _celsius(status.dhw_temperature),
        "setpoint_c": _celsius(status.dhw_temperature_setting),
        "mode": None if mode is None else {"value": mode.name.lower(), "text": mode.text},
        "on": mode != DHWMode.POWER_OFF,
        "activity": status.activity.value,
        "power_w": int(status.current_inst_power),
        "sources": list(status.heat_sources),
        "drawing": status.dhw_use.active,
        "ambient_c": _celsius(status.ambient_temperature),
        "litres": None if water is None else _litres(water.to_json()),
        "showers": None if water is None else _showers(water.least, water.most),
        "vacation_days": int(status.vacation_day_setting or 0) if vacation else None,
        "tou": _time_of_use(status),
        "error": _error(status),
    }


def connection_text(health: Health, info: DeviceInfo, problem: str | None) -> str:
    """Return a sentence about the connection.

    ``problem`` is why it could not be opened when that was last tried. The health of a heater
    changes before its first status is read, so it tells whether the problem is over.
    """
    name = info.name
    if not info.online and health.state is not HealthState.ONLINE:
        return f"{info.offline_text}."
    if problem is not None and health.state in (HealthState.IDLE, HealthState.CONNECTING):
        return f"No connection to the NaviLink cloud: {problem}. It is tried again by itself."
    return {
        HealthState.IDLE: "Not connected to the NaviLink cloud yet.",
        HealthState.CONNECTING: "Connecting to the NaviLink cloud.",
        HealthState.ONLINE: f"{name} answers.",
        HealthState.UNRESPONSIVE: f"{name} has not answered; it is asked again.",
        HealthState.OFFLINE: (
            f"{name} does not answer although the cloud does. Check its power and its Wi-Fi."
        ),
    }[health.state]


def controls_json(features: DeviceFeatures) -> list[dict[str, Any]]:
    """Return the settings that this heater lets a page change, with their limits."""
    found: list[dict[str, Any]] = []
    if _available(commands.TEMPERATURE, features):
        (parameter,) = commands.TEMPERATURE.parameters
        low, high = parameter.limits(features)
        whole = features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE
        limits = {"min_c": low / 2, "max_c": high / 2, "step_c": 1.0 if whole else 0.5}
        found.append({"command": "temperature", **limits})
    if _available(commands.DHW_MODE, features):
        choices = [
            {"value": mode.name.lower(), "text": mode.text}
            for mode, (_, capability) in zip(SELECTABLE_MODES, commands.DHW_MODE.value_capabilities)
            if capability.available(features)
        ]
        found.append({"command": "mode", "choices": choices})
    if _available(commands.POWER_ON, features):
        found.append({"command": "power"})
    if _available(commands.VACATION, features):
        low, high = commands.VACATION.parameters[0].limits(features)
        found.append({"command": "vacation", "min_days": low, "max_days": high})
    if _available(commands.TOU_ON, features):
        found.append({"command": "tou"})
    return found


def display_unit(status: DeviceStatus | None) -> str:
    """Return the unit that the heater displays, C or F; F before the first status."""
    celsius = status is not None and status.temperature_type == TemperatureType.CELSIUS
    return "C" if celsius else "F"


def _available(command: Command, features: DeviceFeatures) -> bool:
    return all(capability.available(features) for capability in command.capabilities)


def _celsius(value: Temperature | None) -> float | None:
    return None if value is None else value.celsius


def _litres(water: dict[str, int | None]) -> dict[str, int | None]:
    return {"low": water["least"], "best": water["litres"], "high": water["most"]}


def _showers(least: float, most: float) -> dict[str, int]:
    """Return the range of whole showers: no more is promised than there is."""
    return {"low": math.floor(least / SHOWER_LITRES), "high": math.floor(most / SHOWER_LITRES)}


def _time_of_use(status: DeviceStatus) -> dict[str, Any] | None:
    state = status.tou_status
    if state is None:
        return None
    if state == TouStatus.OFF:
        return {"on": False, "text": "off"}
    window = "a peak window holds heating back" if status.in_tou_window else "no peak window now"
    return {"on": True, "text": f"on, {window}"}


def _error(status: DeviceStatus) -> dict[str, Any] | None:
    if status.error_text is None:
        return None
    return {
        "code": status.error_code.text,
        "text": status.error_text,
        "advice": status.error_advice or "",
    }
