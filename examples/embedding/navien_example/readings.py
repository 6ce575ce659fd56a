"""What is shown of a heater: a row each. Nothing of Home Assistant is in here but its words."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

from navien_nwp500 import DeviceStatus


class Sensor(NamedTuple):
    """A name for people, Home Assistant's unit and device class, and where the value comes from."""

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
