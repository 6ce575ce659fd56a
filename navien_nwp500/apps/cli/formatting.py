"""Write statuses and temperatures as text and JSON."""

from __future__ import annotations

import json
import textwrap
from typing import Any, Mapping

from ...analysis.hot_water import SHOWER_CELSIUS, usable_water_of
from ...device import NaviLinkDevice
from ...protocol.account import LastError
from ...protocol.features import DeviceFeatures
from ...protocol.fields import encode_fields, to_json
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Temperature, TemperatureType
from .output import print_result

#: Columns of a text that is wrapped.
WIDTH = 80
#: Printed when a command was not sent because it would change nothing.
UNCHANGED = "The heater already has this setting. Nothing was sent."


def print_json(device: NaviLinkDevice, *, done: bool = False, **content: Any) -> None:
    """Print a JSON document about a heater; ``done`` as for ``print_result``."""
    print_result(json.dumps({"device": device_json(device), **content}, indent=2), done=done)


def device_json(device: NaviLinkDevice) -> dict[str, Any]:
    """Return the identity of a heater for JSON."""
    return {
        "name": device.name,
        "mac_address": device.mac_address,
        "device_type": device.device_type,
        "connected": device.info.connected,
    }


def error_json(error: LastError | None) -> dict[str, Any] | None:
    """Return the last error that the cloud knows for JSON; None when there was none."""
    if error is None or error.text is None:
        return None
    return {
        "code": error.error_code,
        "text": error.text,
        "advice": error.advice,
        "time": error.error_occured_time,
    }


def status_json(status: DeviceStatus) -> dict[str, Any]:
    """Return a status for JSON: the raw fields, and their meaning."""
    meaning = to_json(status)
    meaning["activity"] = status.activity.value
    meaning["heat_sources"] = list(status.heat_sources)
    meaning["error_text"] = status.error_text
    meaning["error_advice"] = status.error_advice
    meaning["air_filter_remaining_hours"] = status.air_filter_remaining_hours
    meaning["energy_to_setpoint_wh"] = status.energy_to_setpoint_wh
    meaning["usable_energy_wh"] = status.usable_energy_wh
    water = usable_water_of(status)
    meaning["usable_water"] = None if water is None else water.to_json()
    meaning["device_connected"] = status.device_connected
    return {"status": encode_fields(status), "reading": meaning}


def usable_text(status: DeviceStatus) -> str:
    """Write the hot water that the tank gives without heating."""
    water = usable_water_of(status)
    if water is None:
        return "-"
    return f"{water.text} at {SHOWER_CELSIUS:.0f} °C"


def display_unit(values: DeviceStatus | DeviceFeatures) -> str:
    """Return the unit that the heater displays, C or F."""
    return "C" if values.temperature_type == TemperatureType.CELSIUS else "F"


def degrees(value: Temperature | None, status: DeviceStatus, unit: str | None = None) -> str:
    """Write a temperature in ``unit``, C or F; by default as the heater displays."""
    if value is None:
        return "-"
    if (unit or display_unit(status)) == "C":
        return f"{value.celsius:.1f} °C"
    return f"{value.fahrenheit:.1f} °F"


def both_units(value: Temperature, first: str) -> str:
    """Write a temperature in both units, ``first`` (C or F) before the other."""
    units = [f"{value.fahrenheit:.1f} °F", f"{value.celsius:.1f} °C"]
    if first == "C":
        units.reverse()
    return f"{units[0]} ({units[1]})"


def facts_table(facts: Mapping[str, str | None]) -> str:
    """Write the facts, each with its name first; those that are None are left out."""
    lines = (f"{name:10} {value}" for name, value in facts.items() if value is not None)
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent=" " * 11, break_long_words=False)
        for line in lines
    )


def state_text(status: DeviceStatus) -> str:
    """Write mode, setpoint and activity in a sentence."""
    mode = status.dhw_operation_setting
    setpoint = both_units(status.dhw_temperature_setting, display_unit(status))
    if mode == DHWMode.POWER_OFF:
        return f"The heater is off; its setpoint is {setpoint}."
    if mode == DHWMode.VACATION:
        days = days_in_words(status.vacation_day_setting)
        return f"The heater is on vacation for {days}; its setpoint is {setpoint}."
    name = "unknown" if mode is None else mode.text
    return f"The heater is set to {setpoint}; mode {name}, {status.activity.value}."


def days_in_words(days: int | None) -> str:
    """Write a number of days."""
    return "an unknown time" if days is None else f"{days} day{'' if days == 1 else 's'}"
