"""Discovery message that makes a heater a device of Home Assistant, and its MQTT topics.

The format is Home Assistant's device-based discovery (2024.12 and later): one retained message for
each heater, ``homeassistant/device/<id>/config``, with device, origin and components. What the
components are is in ``entities`` and ``controls``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any, Collection, Iterator, NamedTuple

from ..._util.version import __version__
from ...protocol import commands
from ...protocol.features import DeviceFeatures
from ...protocol.fields import field_specs
from ...protocol.status import DeviceStatus
from ...protocol.types import Choice, DHWMode, Flag, HalfCelsius
from .controls import CONTROLS, available_modes, degrees_template, whole_degrees
from .entities import (
    CLOUD_ENTITIES,
    COUNTERS,
    DERIVED,
    ENERGY_FIELDS,
    ENTITIES,
    MODE_NAMES,
    NO_SENSOR_AT_ZERO,
    SCHEDULE_ENTITIES,
    TRAITS,
    EntityDescription,
    Traits,
    json_key,
    option_names,
    setpoint_limits,
)
from .forecast_values import FORECASTS
from .heating_events import STARTED, STOPPED
from .schedule_json import attributes_key


class DeviceDetails(NamedTuple):
    """Options for the heater's page in Home Assistant; None is left out."""

    configuration_url: str | None = None
    suggested_area: str | None = None


@dataclass(frozen=True)
class Topics:
    """MQTT topics of a heater."""

    root: str
    mac: str
    #: Name of the bridge, which no other has on the broker.
    bridge_name: str = "bridge"
    #: Prefix of Home Assistant's discovery.
    prefix: str = "homeassistant"
    simulated: bool = False

    @property
    def identity(self) -> str:
        """Return the id of the device, which a simulated heater does not share with a real one."""
        return f"navien_nwp500_{'simulated_' if self.simulated else ''}{self.mac}"

    @property
    def discovery(self) -> str:
        """Return the topic of the discovery message."""
        return f"{self.prefix}/device/{self.identity}/config"

    @property
    def bridge(self) -> str:
        """Return the topic that says ``online`` while the bridge runs; its last will is ``offline``."""
        return f"{self.root}/bridge/{self.bridge_name}/availability"

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
        """Return the topic of what is known without the heater, one JSON object."""
        return f"{self.root}/{self.mac}/cloud"

    @property
    def last_command(self) -> str:
        """Return the topic of what became of the last command, one JSON object."""
        return f"{self.root}/{self.mac}/command"

    @property
    def refusal(self) -> str:
        """Return the topic of each refused command, not retained, one JSON object."""
        return f"{self.root}/{self.mac}/refusal"

    @property
    def heating(self) -> str:
        """Return the topic of each start and end of heating, not retained, one JSON object."""
        return f"{self.root}/{self.mac}/heating"

    @property
    def retained(self) -> list[str]:
        """Return the topics that the broker retains of this heater."""
        return [self.discovery, self.state, self.availability, self.cloud, self.last_command]

    def command(self, name: str) -> str:
        """Return the topic of a command, by its key in ``controls.CONTROLS``."""
        return f"{self.root}/{self.mac}/{name}/set"


def sent_fields(status: DeviceStatus, features: DeviceFeatures) -> set[str]:
    """Return the fields for which this heater has values: those it sends, and its counters."""
    fields = set()
    for spec in field_specs(DeviceStatus):
        value = getattr(status, spec.name)
        if value is not None and (value != 0 or spec.name not in NO_SENSOR_AT_ZERO):
            fields.add(spec.name)
    if features.energy_usage_use == Flag.ACTIVE:
        fields |= set(ENERGY_FIELDS)
    return fields


def discovery(
    name: str,
    topics: Topics,
    features: DeviceFeatures,
    fields: set[str],
    *,
    control: bool,
    fahrenheit: bool = False,
    details: DeviceDetails = DeviceDetails(),
) -> dict[str, Any]:
    """Return the message that makes a heater a device of Home Assistant.

    ``fields`` are those of ``sent_fields``. Without ``control`` nothing can be changed: the values
    that a control would show are sensors. With ``fahrenheit`` setpoints are whole degrees of it.
    """
    identity = topics.identity
    offered = [one for one in CONTROLS if one.available(features)]
    hidden = {one.shows for one in CONTROLS if control or one not in offered}
    components = {**dict(_value_entities(fields, hidden)), **_command_reports(topics)}
    components["heating"] = _heating(topics)
    for key in components.keys() & set(ENERGY_FIELDS):
        components[key].update(_when_known(json_key(key), topics))
    if features.program_reservation_use == Flag.ACTIVE:
        components.update((key, _schedule(key, topics)) for key in SCHEDULE_ENTITIES)
    for key, traits in CLOUD_ENTITIES.items():
        own = {"state_topic": topics.cloud, "availability": [{"topic": topics.bridge}]}
        components[key] = {**_entity(key, "sensor", traits), **own}
    for one in offered if control else ():
        command = {"command_topic": topics.command(one.key)}
        components[one.key] = {**one.entity(features, fahrenheit), **command}
    if control:
        components["water_heater"] = _water_heater(topics, features, fahrenheit)
    for key, entity in components.items():
        entity["unique_id"] = f"{identity}_{key}"
    for key, platform in (*((one.key, one.platform) for one in CONTROLS), ("water_heater",) * 2):
        # Its platform alone removes an entity that was offered before.
        components.setdefault(key, {"platform": platform})
    return {
        "device": _device(topics, name, features, details),
        "origin": {"name": "navien-nwp500", "sw_version": __version__, **_support()},
        "availability": [{"topic": topics.bridge}, {"topic": topics.availability}],
        "availability_mode": "all",
        "state_topic": topics.state,
        "qos": 1,
        "components": components,
    }


def _command_reports(topics: Topics) -> dict[str, dict[str, Any]]:
    """Return the entities that say what became of commands, also while the heater is offline."""
    own: Traits = {"availability": [{"topic": topics.bridge}]}
    refused = _entity("command_refused", "event", {**own, "event_types": ["refused"]})
    refused["state_topic"] = topics.refusal
    del refused["value_template"]
    last = _entity("last_command", "sensor", {**own, "json_attributes_topic": topics.last_command})
    last["state_topic"] = topics.last_command
    last["value_template"] = "{{ value_json['text'] }}"
    return {"command_refused": refused, "last_command": last}


def _heating(topics: Topics) -> dict[str, Any]:
    """Return the entity whose events are starts and ends of heating, with their causes."""
    entity = _entity("heating", "event", {"event_types": [STARTED, STOPPED]})
    entity["state_topic"] = topics.heating
    del entity["value_template"]
    return entity


def _when_known(key: str, topics: Topics) -> dict[str, Any]:
    """Return the traits of a value that is available once it is in the state."""
    known = f"{{{{ 'online' if '{key}' in value_json else 'offline' }}}}"
    availability = [topics.bridge, topics.availability]
    return {
        "value_template": f"{{{{ value_json.get('{key}', '') }}}}",
        "availability": [
            *({"topic": topic} for topic in availability),
            {"topic": topics.state, "value_template": known},
        ],
    }


def _device(
    topics: Topics, name: str, features: DeviceFeatures, details: DeviceDetails
) -> dict[str, Any]:
    pairs = zip(*[iter(topics.mac)] * 2)
    device: dict[str, Any] = {
        "identifiers": [topics.identity],
        "connections": [["mac", ":".join("".join(pair) for pair in pairs)]],
        "name": f"{name} (simulated)" if topics.simulated else name,
        "manufacturer": "Navien",
        "model": "NWP500",
    }
    if features.volume_code is not None and features.volume_code.known:
        gallons = features.volume_code.name.rpartition("_")[2]
        device["model"] = f"NWP500, {gallons} gal ({features.volume_code.litres:.0f} L)"
    versions = (("", features.controller_sw_version), ("Wi-Fi ", features.wifi_sw_version))
    known = [f"{part}{version.text}" for part, version in versions if version is not None]
    optional = {
        "sw_version": ", ".join(known),
        "serial_number": features.controller_serial_number,
        **details._asdict(),
    }
    return {**device, **{key: value for key, value in optional.items() if value}}


def _support() -> dict[str, str]:
    """Return the address for support, if the package's metadata name one."""
    try:
        entries = metadata.metadata("navien-nwp500").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # not installed: run from its source
        return {}
    urls = [entry.rpartition(", ")[2] for entry in entries]
    return {"support_url": urls[0]} if urls else {}


def _value_entities(
    fields: set[str], hidden: set[str | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in field_specs(DeviceStatus):
        if spec.name in fields:
            yield spec.name, _entity(spec.name, *_platform(spec.codec), hidden)
    for key, (platform, traits, _) in DERIVED.items():
        yield key, _entity(key, platform, traits)
    for key, one in FORECASTS.items():
        yield key, _entity(key, "sensor", one.traits)
    for key in ENERGY_FIELDS:
        if key in fields:
            yield key, _entity(key, "sensor", COUNTERS[key[key.rindex("_") :]])
    yield "heard", _entity("heard", "sensor", {})


def _schedule(key: str, topics: Topics) -> dict[str, Any]:
    template = f"{{{{ value_json['{attributes_key(key)}'] | tojson }}}}"
    attributes = {"json_attributes_topic": topics.state, "json_attributes_template": template}
    return {**_entity(key, "sensor", {}), **attributes}


def _platform(codec: type[Any]) -> tuple[str, Traits]:
    if issubclass(codec, Flag):
        return "binary_sensor", {}
    if issubclass(codec, Choice):
        return "sensor", {"device_class": "enum", "options": option_names(codec)}
    return "sensor", next(TRAITS[base] for base in codec.__mro__ if base in TRAITS)


def _entity(
    key: str, platform: str, traits: Traits, hidden: Collection[str | None] = ()
) -> dict[str, Any]:
    description = _describe(key, hidden)
    entity: dict[str, Any] = {
        "platform": platform,
        "name": description.name,
        "value_template": f"{{{{ value_json['{json_key(key)}'] }}}}",
        **traits,
        **description.traits,
    }
    if description.diagnostic:
        entity["entity_category"] = "diagnostic"
    if not description.enabled:
        entity["enabled_by_default"] = False
    return entity


def _describe(key: str, hidden: Collection[str | None]) -> EntityDescription:
    """Return how a value is presented; one that a control shows has the control's name."""
    control = _CONTROL_NAMES.get(key)
    other = EntityDescription(
        key.replace("_", " ").capitalize() if control is None else control,
        diagnostic=control is None,
        enabled=control is not None,
    )
    description = ENTITIES.get(key, other)
    return description._replace(enabled=False) if key in hidden else description


def _water_heater(topics: Topics, features: DeviceFeatures, fahrenheit: bool) -> dict[str, Any]:
    """Return the water heater entity; ``None`` makes Home Assistant use the device's name."""
    entity: dict[str, Any] = {"platform": "water_heater", "name": None}
    for attribute, key in (
        ("current_temperature", "water_heater_temperature"),
        ("temperature_state", "water_heater_setpoint"),
        ("mode_state", "water_heater_mode"),
    ):
        entity[f"{attribute}_topic"] = topics.state
        entity[f"{attribute}_template"] = f"{{{{ value_json['{key}'] }}}}"
    entity["temperature_unit"] = "F" if fahrenheit else "C"
    entity["precision"] = 1.0 if fahrenheit or whole_degrees(features) else 0.5
    (limits,) = commands.TEMPERATURE.parameters
    low, high = (HalfCelsius(one) for one in limits.limits(features))
    if high:
        entity["min_temp"], entity["max_temp"] = setpoint_limits(low, high, fahrenheit)
    # Off is shown as a state, even if the heater does not offer it as a choice.
    modes = (*available_modes(features), DHWMode.POWER_OFF)
    entity["modes"] = [MODE_NAMES[mode] for mode in modes]
    entity["temperature_command_topic"] = topics.command("temperature")
    entity["temperature_command_template"] = degrees_template(fahrenheit)
    entity["mode_command_topic"] = topics.command("mode")
    if all(capability.available(features) for capability in commands.POWER_OFF.capabilities):
        entity["power_command_topic"] = topics.command("power")
    return entity


_CONTROL_NAMES = {one.shows: one.name for one in CONTROLS if one.shows is not None}
