"""Sensor entities of Home Assistant: one for each of ``values.SENSORS`` and each heater."""

from __future__ import annotations

from homeassistant.components.sensor import SensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import CONNECTION_NETWORK_MAC, DeviceInfo
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity, DataUpdateCoordinator

from navien_nwp500 import NaviLinkDevice

from .feed import available
from .values import SENSORS, Sensor


class HeaterSensor(CoordinatorEntity, SensorEntity):
    """One value of one heater; the coordinator triggers its update."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: DataUpdateCoordinator, device: NaviLinkDevice, sensor: Sensor
    ) -> None:
        super().__init__(coordinator)
        self._device, self._sensor = device, sensor
        self._attr_unique_id = f"{device.mac_address}-{sensor.name}"
        self._attr_name, self._attr_state_class = sensor.name, "measurement"
        self._attr_native_unit_of_measurement = sensor.unit
        self._attr_device_class = sensor.device_class
        connection = (CONNECTION_NETWORK_MAC, device.mac_address)
        self._attr_device_info = DeviceInfo(connections={connection}, name=device.name)

    @property
    def available(self) -> bool:
        return available(self._device)

    @property
    def native_value(self) -> float | None:
        status = self._device.last_status
        return None if status is None else self._sensor.value(status)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddEntitiesCallback
) -> None:
    """Add the sensors of every heater of the account."""
    coordinator, devices = entry.runtime_data
    async_add_entities(
        HeaterSensor(coordinator, one, sensor) for one in devices for sensor in SENSORS
    )
