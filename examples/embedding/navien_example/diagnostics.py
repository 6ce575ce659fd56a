"""Diagnostics for a bug report: everything that helps, nothing that identifies a person or a home."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_EMAIL, CONF_PASSWORD
from homeassistant.core import HomeAssistant

from navien_nwp500 import DeviceFeatures, DeviceStatus

from .coordinator import NavienConfigEntry

#: Keys of private values. The name, the MAC address and the location of a heater are left out.
PRIVATE = {CONF_EMAIL, CONF_PASSWORD, "title", "unique_id", "controller_serial_number"}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: NavienConfigEntry
) -> dict[str, Any]:
    """Return settings, and health, status and features of each heater."""
    feed = entry.runtime_data.feed
    heaters = []
    for device in feed.devices:
        status, features = device.last_status, feed.features.get(device.mac_address)
        heaters.append(
            {
                "available": feed.available(device),
                "health": {**asdict(device.health), "state": device.health.state.value},
                "status": values(status),
                "features": values(features),
            }
        )
    error = None if feed.error is None else type(feed.error).__name__
    found = {"entry": dict(entry.data), "options": dict(entry.options), "error": error}
    return async_redact_data({**found, "heaters": heaters}, PRIVATE)


def values(message: DeviceStatus | DeviceFeatures | None) -> dict[str, Any]:
    """Return the fields of a message; those that the library does not know may hold anything."""
    if message is None:
        return {}
    found = {one.name: getattr(message, one.name) for one in fields(message) if one.name != "extra"}
    return {name: one.to_json() if hasattr(one, "to_json") else one for name, one in found.items()}
