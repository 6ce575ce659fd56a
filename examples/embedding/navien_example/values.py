"""Values shown for a heater. Does not import Home Assistant, only uses its units and classes.

The names are in ``strings.json``, under the same keys.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

from navien_nwp500 import DeviceStatus


class Sensor(NamedTuple):
    """Key, unit and device class of a sensor in Home Assistant, and how to read its value."""

    key: str
    unit: str
    device_class: Optional[str]
    value: Callable[[DeviceStatus], Optional[float]]


SENSORS = (
    Sensor("charge", "%", None, lambda status: status.dhw_charge_percent),
    Sensor("water", "°C", "temperature", lambda status: status.dhw_temperature.celsius),
    Sensor("setpoint", "°C", "temperature", lambda status: status.dhw_temperature_setting.celsius),
    Sensor("power", "W", "power", lambda status: status.current_inst_power),
)
