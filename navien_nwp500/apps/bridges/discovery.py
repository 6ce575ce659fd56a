"""Home Assistant entities of a heater, their values and topics, made from the field specs.

Each field is an entity: its type gives device class, unit and state class. ``ENTITIES`` lists those
that are enabled; all others exist but are disabled. The format is Home Assistant's device-based
discovery (2024.12 and later): one retained message for each heater,
``homeassistant/device/<id>/config``, with device, origin and components.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from ..._util.version import __version__
from ...analysis.hot_water import usable_water_of
from ...protocol.account import LastError
from ...protocol.commands import DHW_MODE, POWER_OFF, TEMPERATURE
from ...protocol.energy import EnergyTotal
from ...protocol.features import DeviceFeatures
from ...protocol.fields import field_specs
from ...protocol.status import Activity, DeviceStatus
from ...protocol.types import (
    Choice,
    Code,
    Days,
    DeciKelvin,
    DeciLitresPerMinute,
    DhwControl,
    DHWMode,
    EnergyCount,
    Flag,
    HalfCelsius,
    Hours,
    Litres,
    Percent,
    Quantity,
    Rpm,
    SignalStrength,
    Steps,
    Temperature,
    Watts,
)

Traits = Mapping[str, Any]


def _traits(unit: str, device_class: str | None = None, state_class: str = "measurement") -> Traits:
    traits = {"unit_of_measurement": unit, "state_class": state_class}
    return traits if device_class is None else {"device_class": device_class, **traits}


#: Unit and classes of each type. Heat in the tank is stored energy, not a meter: Home Assistant
#: would offer ``energy`` for the energy dashboard. A difference of temperatures has no device
#: class: with ``temperature``, a conversion to Fahrenheit would add 32 to it.
TRAITS: Mapping[type[Quantity], Traits] = {
    Temperature: _traits("°C", "temperature"),
    DeciKelvin: _traits("K"),
    Watts: _traits("W", "power"),
    EnergyCount: _traits("Wh", "energy_storage"),
    Percent: _traits("%"),
    Hours: _traits("h", "duration"),
    Days: _traits("d", "duration"),
    Rpm: _traits("rpm"),
    Steps: _traits("steps"),
    Litres: _traits("L", "water", "total_increasing"),
    DeciLitresPerMinute: _traits("L/min", "volume_flow_rate"),
    SignalStrength: _traits("dBm", "signal_strength"),
    Code: {},
}
#: Unit and classes of the lifetime counters: plain integers whose names end with the unit.
COUNTERS: Mapping[str, Traits] = {
    "_wh": _traits("Wh", "energy", "total_increasing"),
    "_hours": _traits("h", "duration", "total_increasing"),
}


class EntityDescription(NamedTuple):
    """Presentation of an enabled entity; ``traits`` are added to those of its type."""

    name: str
    traits: Traits = {}
    diagnostic: bool = False


_RUNNING, _PROBLEM = {"device_class": "running"}, {"device_class": "problem"}

#: The enabled entities, by field. All others are disabled and diagnostic.
ENTITIES: Mapping[str, EntityDescription] = {
    "dhw_temperature": EntityDescription("Tank temperature"),
    "tank_upper_temperature": EntityDescription("Upper tank temperature"),
    "tank_lower_temperature": EntityDescription("Lower tank temperature"),
    "dhw_charge_per": EntityDescription("Charge", {"icon": "mdi:water-percent"}),
    "available_energy_capacity": EntityDescription("Missing heat"),
    "usable_energy_wh": EntityDescription("Usable heat"),
    "usable_water": EntityDescription("Usable hot water", {"icon": "mdi:shower-head"}),
    "usable_water_least": EntityDescription("Usable hot water, least"),
    "usable_water_most": EntityDescription("Usable hot water, most"),
    "current_inst_power": EntityDescription("Power"),
    "ambient_temperature": EntityDescription("Intake air temperature"),
    "activity": EntityDescription("Activity", {"icon": "mdi:heat-pump"}),
    "dhw_operation_setting": EntityDescription("Mode", {"icon": "mdi:water-boiler"}),
    "tou_status": EntityDescription("Time of use", {"icon": "mdi:clock-outline"}),
    "comp_use": EntityDescription("Compressor", _RUNNING),
    "heat_upper_use": EntityDescription("Upper element", _RUNNING),
    "heat_lower_use": EntityDescription("Lower element", _RUNNING),
    "dhw_use": EntityDescription("Hot water", _RUNNING),
    "anti_legionella_operation_busy": EntityDescription("Disinfection", _RUNNING),
    "problem": EntityDescription("Problem", _PROBLEM),
    "wtr_ovr_sensor_use": EntityDescription("Leak", {"device_class": "moisture"}),
    "con_ovr_sensor_use": EntityDescription("Condensate overflow", _PROBLEM),
    "heat_pump_wh": EntityDescription("Heat pump energy"),
    "element_wh": EntityDescription("Element energy"),
    "total_wh": EntityDescription("Energy"),
    "heat_pump_hours": EntityDescription("Heat pump time", diagnostic=True),
    "element_hours": EntityDescription("Element time", diagnostic=True),
    "error_text": EntityDescription("Fault", {"icon": "mdi:alert-circle-outline"}, diagnostic=True),
    "error_advice": EntityDescription("Fault advice", {"icon": "mdi:tools"}, diagnostic=True),
    "last_error": EntityDescription("Last fault", {"icon": "mdi:alert-outline"}, diagnostic=True),
    "last_error_advice": EntityDescription(
        "Last fault advice", {"icon": "mdi:tools"}, diagnostic=True
    ),
    "last_error_time": EntityDescription(
        "Last fault time", {"device_class": "timestamp"}, diagnostic=True
    ),
    "wifi_rssi": EntityDescription("Wi-Fi signal", diagnostic=True),
    "cumulated_op_time_eva_fan": EntityDescription(
        "Air filter time", {"state_class": "total_increasing"}, diagnostic=True
    ),
    "air_filter_remaining_hours": EntityDescription("Air filter time left", diagnostic=True),
    "heard": EntityDescription("Last heard", {"device_class": "timestamp"}, diagnostic=True),
}

_WATER = _traits("L", "volume_storage")


def _usable_water(status: DeviceStatus, part: str) -> int | None:
    water = usable_water_of(status)
    return None if water is None else water.to_json()[part]


#: Entities computed from a whole status: platform, traits and the value.
DERIVED: Mapping[str, tuple[str, Traits, Callable[[DeviceStatus], Any]]] = {
    "activity": (
        "sensor",
        {"device_class": "enum", "options": [one.value for one in Activity]},
        lambda status: status.activity.value,
    ),
    "problem": ("binary_sensor", {}, lambda status: _on_off(status.error_code.active)),
    "error_text": ("sensor", {}, lambda status: status.error_text or "none"),
    "error_advice": ("sensor", {}, lambda status: status.error_advice or "none"),
    "usable_energy_wh": ("sensor", TRAITS[EnergyCount], lambda status: status.usable_energy_wh),
    # Litres at 40 degC; "usable_water" is unknown below 100, where its range alone is worth saying.
    "usable_water": ("sensor", _WATER, lambda status: _usable_water(status, "litres")),
    "usable_water_least": ("sensor", _WATER, lambda status: _usable_water(status, "least")),
    "usable_water_most": ("sensor", _WATER, lambda status: _usable_water(status, "most")),
    "air_filter_remaining_hours": (
        "sensor",
        TRAITS[Hours],
        lambda status: status.air_filter_remaining_hours,
    ),
}
#: Entities of what the cloud knows; they stay available while the heater is offline.
CLOUD_FIELDS = ("last_error", "last_error_advice", "last_error_time")

#: Home Assistant's names for the modes of a water heater; it has none for vacation.
MODES: Mapping[str, DHWMode] = {
    "heat_pump": DHWMode.HEAT_PUMP,
    "electric": DHWMode.ELECTRIC,
    "eco": DHWMode.ENERGY_SAVER,
    "high_demand": DHWMode.HIGH_DEMAND,
    "off": DHWMode.POWER_OFF,
}
_MODE_NAMES = {mode: name for name, mode in MODES.items()}
#: Names of the lifetime counters.
ENERGY_FIELDS = (*(spec.name for spec in field_specs(EnergyTotal)), "total_wh")


def state(
    status: DeviceStatus, energy: EnergyTotal | None, received: datetime | None
) -> dict[str, Any]:
    """Return the values of all entities of a heater; None means unknown."""
    values = {spec.name: _value(getattr(status, spec.name)) for spec in field_specs(DeviceStatus)}
    values.update((key, value(status)) for key, (_, _, value) in DERIVED.items())
    values.update({key: getattr(energy, key, None) for key in ENERGY_FIELDS})
    values["heard"] = None if received is None else received.isoformat(timespec="seconds")
    # Home Assistant has no vacation mode: the water heater's mode is unknown, "Mode" shows it.
    mode = status.dhw_operation_setting
    values["water_heater_mode"] = None if mode is None else _MODE_NAMES.get(mode)
    return values


def cloud_state(error: LastError | None) -> dict[str, Any]:
    """Return the values of ``CLOUD_FIELDS``; None means unknown."""
    if error is None or error.error_code is None:
        return dict.fromkeys(CLOUD_FIELDS)
    time = error.time if error.text is not None else None
    return {
        "last_error": error.text or "none",
        "last_error_advice": error.advice or "none",
        "last_error_time": None if time is None else time.isoformat(),
    }


def _value(value: Any) -> Any:
    if isinstance(value, Flag):
        return _on_off(value.active) if value in (Flag.READY, Flag.ACTIVE) else None
    if isinstance(value, Choice):
        # Home Assistant rejects an option that is not in the discovery message and keeps the old one.
        return value.name.lower() if value.known else None
    return value.physical if isinstance(value, Quantity) else value


def _on_off(on: bool) -> str:
    return "ON" if on else "OFF"


@dataclass(frozen=True)
class Topics:
    """MQTT topics of a heater."""

    root: str
    mac: str

    @property
    def bridge(self) -> str:
        """Return the topic that says ``online`` while a bridge runs; its last will is ``offline``."""
        return f"{self.root}/bridge/availability"

    @property
    def availability(self) -> str:
        """Return the topic that says ``online`` while the heater responds."""
        return f"{self.root}/{self.mac}/availability"

    @property
    def state(self) -> str:
        """Return the topic of all values, one JSON object."""
        return f"{self.root}/{self.mac}/state"

    @property
    def cloud(self) -> str:
        """Return the topic of what the cloud knows, one JSON object."""
        return f"{self.root}/{self.mac}/cloud"

    def command(self, name: str) -> str:
        """Return the topic of a command: temperature, mode or power."""
        return f"{self.root}/{self.mac}/{name}/set"


def discovery(
    name: str, topics: Topics, features: DeviceFeatures, fields: set[str], *, control: bool
) -> dict[str, Any]:
    """Return the message that makes a heater a device of Home Assistant.

    ``fields`` are the names of the fields this heater sends; without ``control`` the message has
    no command topics.
    """
    identity = f"navien_nwp500_{topics.mac}"
    components = {
        key: {"unique_id": f"{identity}_{key}", **entity} for key, entity in _entities(fields)
    }
    for key in CLOUD_FIELDS:
        entity = _entity(key, "sensor", {})
        own = {"state_topic": topics.cloud, "availability": [{"topic": topics.bridge}]}
        components[key] = {"unique_id": f"{identity}_{key}", **entity, **own}
    heater = _water_heater(topics, features, control)
    components["water_heater"] = {"unique_id": f"{identity}_water_heater", **heater}
    return {
        "device": _device(identity, name, features),
        "origin": {"name": "navien-nwp500", "sw_version": __version__},
        "availability": [{"topic": topics.bridge}, {"topic": topics.availability}],
        "availability_mode": "all",
        "state_topic": topics.state,
        "qos": 1,
        "components": components,
    }


def _device(identity: str, name: str, features: DeviceFeatures) -> dict[str, Any]:
    device = {"identifiers": [identity], "name": name, "manufacturer": "Navien", "model": "NWP500"}
    if features.controller_sw_version is not None:
        device["sw_version"] = features.controller_sw_version.text
    return device


def _entities(fields: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in field_specs(DeviceStatus):
        if spec.name in fields:
            yield spec.name, _entity(spec.name, *_platform(spec.codec))
    for key, (platform, traits, _) in DERIVED.items():
        yield key, _entity(key, platform, traits)
    for key in ENERGY_FIELDS:
        if key in fields:
            yield key, _entity(key, "sensor", COUNTERS[key[key.rindex("_") :]])
    yield "heard", _entity("heard", "sensor", {})


def _platform(codec: type[Any]) -> tuple[str, Traits]:
    if issubclass(codec, Flag):
        return "binary_sensor", {}
    if issubclass(codec, Choice):
        return "sensor", {"device_class": "enum", "options": [one.name.lower() for one in codec]}
    return "sensor", next(TRAITS[base] for base in codec.__mro__ if base in TRAITS)


def _entity(key: str, platform: str, traits: Traits) -> dict[str, Any]:
    description = ENTITIES.get(key)
    entity: dict[str, Any] = {
        "platform": platform,
        "name": description.name if description is not None else key.replace("_", " ").capitalize(),
        "value_template": f"{{{{ value_json['{key}'] }}}}",
        **traits,
        **(description.traits if description is not None else {}),
    }
    if description is None or description.diagnostic:
        entity["entity_category"] = "diagnostic"
    if description is None:
        entity["enabled_by_default"] = False
    return entity


def _water_heater(topics: Topics, features: DeviceFeatures, control: bool) -> dict[str, Any]:
    """Return the water heater entity; ``None`` makes Home Assistant use the device's name."""
    entity: dict[str, Any] = {"platform": "water_heater", "name": None}
    for attribute, key in (
        ("current_temperature", "dhw_temperature"),
        ("temperature_state", "dhw_temperature_setting"),
        ("mode_state", "water_heater_mode"),
    ):
        entity[f"{attribute}_topic"] = topics.state
        entity[f"{attribute}_template"] = f"{{{{ value_json['{key}'] }}}}"
    whole_degrees = features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE
    entity["temperature_unit"], entity["precision"] = "C", 1.0 if whole_degrees else 0.5
    (limits,) = TEMPERATURE.parameters
    low, high = limits.limits(features)
    if high:
        entity["min_temp"], entity["max_temp"] = HalfCelsius(low).celsius, HalfCelsius(high).celsius
    modes = [
        DHWMode(value)
        for value, capability in DHW_MODE.value_capabilities
        if capability.available(features)
    ]
    # Off is shown as a state, even if the heater does not offer it as a choice.
    entity["modes"] = [_MODE_NAMES[mode] for mode in (*modes, DHWMode.POWER_OFF)]
    if control:
        entity["temperature_command_topic"] = topics.command("temperature")
        entity["mode_command_topic"] = topics.command("mode")
        if all(capability.available(features) for capability in POWER_OFF.capabilities):
            entity["power_command_topic"] = topics.command("power")
    return entity
