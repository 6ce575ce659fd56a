"""Sensor entities of Home Assistant: one for each of ``values.SENSORS`` and each heater."""

from __future__ import annotations

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import CONNECTION_NETWORK_MAC, DeviceInfo
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from navien_nwp500 import DeviceFeatures, NaviLinkDevice

from .account import DOMAIN
from .coordinator import NavienConfigEntry, NavienCoordinator
from .values import SENSORS, Sensor

PARALLEL_UPDATES = 0  # an update sends nothing


class HeaterSensor(CoordinatorEntity[NavienCoordinator], SensorEntity):
    """One value of one heater; the coordinator triggers its update."""

    _attr_has_entity_name = True
    _attr_state_class = "measurement"

    def __init__(
        self, coordinator: NavienCoordinator, device: NaviLinkDevice, sensor: Sensor
    ) -> None:
        super().__init__(coordinator)
        self._device, self._sensor = device, sensor
        self._attr_unique_id = f"{device.mac_address}-{sensor.key}"
        self._attr_translation_key = sensor.key
        self._attr_native_unit_of_measurement = sensor.unit
        self._attr_device_class = sensor.device_class
        features = coordinator.feed.features[device.mac_address]
        self._attr_device_info = device_info(device, features)

    @property
    def available(self) -> bool:
        return super().available and self.coordinator.feed.available(self._device)

    @property
    def native_value(self) -> float | None:
        status = self._device.last_status
        return None if status is None else self._sensor.value(status)


def device_info(device: NaviLinkDevice, features: DeviceFeatures) -> DeviceInfo:
    """Return how Home Assistant shows a heater; the MAC address joins it with the router's device."""
    firmware = features.controller_sw_version
    return DeviceInfo(
        identifiers={(DOMAIN, device.mac_address)},
        connections={(CONNECTION_NETWORK_MAC, device.mac_address)},
        name=device.name,
        manufacturer="Navien",
        model="NWP500",
        serial_number=features.controller_serial_number,
        sw_version=None if firmware is None else firmware.text,
    )


async def async_setup_entry(
    hass: HomeAssistant, entry: NavienConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    """Add the sensors of each heater once it has answered, also of one that is offline at first."""
    coordinator, added = entry.runtime_data, set[str]()

    def add_new() -> None:
        feed = coordinator.feed
        new = [one for one in feed.devices if one.mac_address in feed.features.keys() - added]
        added.update(one.mac_address for one in new)
        async_add_entities(HeaterSensor(coordinator, one, key) for one in new for key in SENSORS)

    entry.async_on_unload(coordinator.async_add_listener(add_new))
    add_new()
