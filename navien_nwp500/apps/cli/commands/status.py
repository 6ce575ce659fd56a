"""``status`` and ``devices``, and a status as JSON or in words."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ....device import NaviLinkDevice
from ....exceptions import APIError
from ....protocol.fields import encode_fields, to_json
from ....protocol.redaction import logger
from ....protocol.status import DeviceStatus
from ....protocol.types import Temperature, TemperatureType
from ..context import choose, first_answer, open_context

_LOGGER = logger("navien_nwp500.cli")


async def status(
    simulate: bool, speed: float, device: str | None, as_json: bool, unit: str | None
) -> None:
    """Read one status and print it."""
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        found = await first_answer(heater, heater.get_status())
        if as_json:
            print(json.dumps(document(heater, found), indent=2))
        else:
            print("\n".join(words(heater, found, unit)))


async def devices(simulate: bool, as_json: bool) -> None:
    """List the account's heaters."""
    async with open_context(simulate) as here:
        found = await here.client.get_devices(connect=False)
        firmware = await asyncio.gather(*map(_firmware, found))
    if as_json:
        known = [
            {**identity(device), "firmware": versions} for device, versions in zip(found, firmware)
        ]
        print(json.dumps(known, indent=2))
        return
    for device, versions in zip(found, firmware):
        state = "online" if device.info.online else "offline"
        said = f"{device.mac_address}  type {device.device_type}  {state:7}  {device.name}"
        print(f"{said}  firmware {', '.join(versions)}" if versions else said)


async def _firmware(device: NaviLinkDevice) -> list[str]:
    """The versions the cloud knows of; none is no fault of a list."""
    try:
        parts = await device.get_firmware_info()
    except APIError as error:
        _LOGGER.debug("the firmware of %s is not known: %s", device.name, error)
        return []
    return [part.cur_version.text for part in parts if part.cur_version]


def identity(device: NaviLinkDevice) -> dict[str, Any]:
    """Which heater it is."""
    return {
        "name": device.name,
        "mac_address": device.mac_address,
        "device_type": device.device_type,
        "connected": device.info.connected,
    }


def document(device: NaviLinkDevice, status: DeviceStatus) -> dict[str, Any]:
    """A status for a machine: as sent, and what it means."""
    reading = to_json(status)
    reading["activity"] = status.activity.value
    reading["heat_sources"] = list(status.heat_sources)
    reading["error_text"] = status.error_text
    reading["energy_to_setpoint_wh"] = status.energy_to_setpoint_wh
    reading["usable_energy_wh"] = status.usable_energy_wh
    reading["device_connected"] = status.device_connected
    return {"device": identity(device), "status": encode_fields(status), "reading": reading}


def degrees(value: Temperature | None, status: DeviceStatus, unit: str | None = None) -> str:
    """A temperature in ``unit``, C or F; in the heater's own display unit when None."""
    if value is None:
        return "-"
    if unit is None:
        unit = "C" if status.temperature_type == TemperatureType.CELSIUS else "F"
    return f"{value.celsius:.1f} °C" if unit == "C" else f"{value.fahrenheit:.1f} °F"


def words(device: NaviLinkDevice, status: DeviceStatus, unit: str | None = None) -> list[str]:
    """A status for a person, a line a fact."""
    sources = " and ".join(status.heat_sources) or "nothing"
    facts = {
        "heater": device.name,
        "charge": f"{status.dhw_charge_percent} %",
        "water": _in(unit, status.dhw_temperature, status),
        "setpoint": _in(unit, status.dhw_temperature_setting, status),
        "tank": f"{degrees(status.tank_upper_temperature, status, unit)} above, "
        f"{degrees(status.tank_lower_temperature, status, unit)} below",
        "mode": "-" if status.dhw_operation_setting is None else status.dhw_operation_setting.text,
        "activity": f"{status.activity.value}, {status.current_inst_power} W ({sources} on)",
        "hot water": "being drawn" if status.dhw_use.active else "not drawn",
        "missing": _watt_hours(status.energy_to_setpoint_wh),
        "usable": _watt_hours(status.usable_energy_wh),
        "Wi-Fi": status.wifi_rssi.text,
        "fault": status.error_text or "none",
    }
    return [f"{name:10} {value}" for name, value in facts.items()]


def line(status: DeviceStatus, when: str, alerts: list[str], unit: str | None = None) -> str:
    """A status in one line of at most 80 columns; alerts follow on their own."""
    water = degrees(status.dhw_temperature, status, unit)
    below = degrees(status.tank_lower_temperature, status, unit)
    text = (
        f"{when}  {status.dhw_charge_percent:3d} %  {water:>8}  {below:>8} below  "
        f"{status.activity.value:9} {status.current_inst_power:5d} W"
    )
    return "\n".join([text, *(f"{when}  ! {alert}" for alert in alerts)])


def _in(unit: str | None, value: Temperature, status: DeviceStatus) -> str:
    """In both units while none is asked for."""
    return value.text if unit is None else degrees(value, status, unit)


def _watt_hours(value: int | None) -> str:
    return "-" if value is None else f"{value} Wh"
