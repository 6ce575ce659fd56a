"""Values shown for a heater. Does not import Home Assistant, only uses its units and classes."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

from navien_nwp500 import DeviceStatus


class Sensor(NamedTuple):
    """Name, unit and device class of a sensor in Home Assistant, and how to read its value."""

    name: str
    unit: str
    device_class: Optional[str]
    value: Callable[[DeviceStatus], Optional[float]]


SENSORS = (
    Sensor("Charge", "%", None, lambda status: status.dhw_charge_percent),
    Sensor("Water", "°C", "temperature", lambda status: status.dhw_temperature.celsius),
    Sensor("Setpoint", "°C", "temperature", lambda status: status.dhw_temperature_setting.celsius),
    Sensor("Power", "W", "power", lambda status: status.current_inst_power),
)
