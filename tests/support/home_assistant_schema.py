"""Published rules of Home Assistant for MQTT discovery.

Sources: ``homeassistant/components/mqtt/schemas.py`` (``DEVICE_DISCOVERY_SCHEMA``),
``.../mqtt/water_heater.py`` (its schema), ``.../sensor/const.py`` (``DEVICE_CLASS_UNITS``,
``DEVICE_CLASS_STATE_CLASSES``), ``.../binary_sensor/__init__.py`` of home-assistant/core, the
schemas in ``.../mqtt/{number,select,switch,button,text}.py``, and the pages "MQTT", "MQTT sensor",
"MQTT binary sensor" and "MQTT water heater" of home-assistant.io.
"""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

#: Keys of the message: required, optional. Home Assistant rejects others.
MESSAGE = (
    {"device", "origin", "components"},
    {"availability", "availability_mode", "state_topic", "command_topic", "qos", "encoding"},
)
DEVICE = {
    *("identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version"),
    *("serial_number", "sw_version", "via_device", "suggested_area", "configuration_url"),
}
ORIGIN = {"name", "sw_version", "support_url"}
COMMON = {
    *("platform", "unique_id", "name", "enabled_by_default", "entity_category", "icon"),
    *("state_topic", "value_template", "json_attributes_topic", "json_attributes_template"),
    # A component's own options replace those of the message.
    *("availability", "availability_mode"),
}
#: Device class of a sensor: allowed units, allowed state classes.
SENSOR_CLASSES: Mapping[str | None, tuple[set[str | None], set[str]]] = {
    "temperature": ({"°C", "°F", "K"}, {"measurement"}),
    "power": ({"mW", "W", "kW", "MW", "GW", "TW"}, {"measurement"}),
    "energy": ({"J", "kJ", "Wh", "kWh", "MWh"}, {"total", "total_increasing"}),
    "energy_storage": ({"J", "kJ", "Wh", "kWh", "MWh"}, {"measurement"}),
    "duration": ({"d", "h", "min", "s", "ms"}, {"measurement", "total", "total_increasing"}),
    "water": ({"CCF", "ft³", "m³", "gal", "L"}, {"total", "total_increasing"}),
    "volume_storage": ({"m³", "ft³", "CCF", "gal", "L", "mL"}, {"measurement"}),
    "volume_flow_rate": ({"m³/h", "ft³/min", "L/min", "gal/min", "mL/s"}, {"measurement"}),
    "signal_strength": ({"dB", "dBm"}, {"measurement"}),
    "timestamp": ({None}, set()),
    "enum": ({None}, set()),
}
SENSOR = COMMON | {
    *("device_class", "state_class", "unit_of_measurement", "options", "expire_after"),
    *("suggested_display_precision", "force_update", "json_attributes_topic"),
}
BINARY_CLASSES = {None, "running", "problem", "moisture", "heat", "cold", "power", "connectivity"}
BINARY_SENSOR = COMMON | {"device_class", "payload_on", "payload_off", "expire_after", "off_delay"}
WATER_HEATER = (COMMON - {"state_topic"}) | {
    *("current_temperature_topic", "current_temperature_template", "mode_command_template"),
    *("mode_command_topic", "mode_state_topic", "mode_state_template", "modes", "optimistic"),
    *("power_command_topic", "power_command_template", "payload_on", "payload_off", "precision"),
    *("temperature_command_topic", "temperature_command_template", "temperature_state_topic"),
    *("temperature_state_template", "temperature_unit", "min_temp", "max_temp", "initial"),
    "retain",
}
#: Entities that send: their keys beside the common ones and ``command_topic``.
SENDING: Mapping[str, set[str]] = {
    "switch": {"payload_on", "payload_off", "device_class", "optimistic"},
    "number": {"min", "max", "step", "mode", "device_class", "unit_of_measurement", "optimistic"},
    "select": {"options", "optimistic"},
    "button": {"payload_press", "device_class"},
    "notify": set(),
    "text": {"min", "max", "mode", "pattern", "optimistic"},
}
NUMBER_CLASSES = {
    None: {None},
    "temperature": {"°C", "°F", "K"},
    "duration": {"d", "h", "min", "s"},
}
MODES = {"off", "eco", "electric", "gas", "heat_pump", "high_demand", "performance"}
_TEMPLATE = re.compile(r"\{\{ value_json(?:\['(\w+)'\]|\.get\('(\w+)', ''\)) \}\}")
_KNOWN = re.compile(r"\{\{ 'online' if '(\w+)' in value_json else 'offline' \}\}")
_ATTRIBUTES = re.compile(r"\{\{ value_json\['(\w+)'\] \| tojson \}\}")


def violations(message: Mapping[str, Any]) -> list[str]:
    """Return what Home Assistant would reject or warn about."""
    required, optional = MESSAGE
    found = [f"{key} is missing" for key in required - message.keys()]
    found += [f"{key} is unknown" for key in message.keys() - required - optional]
    found += [f"device {key}" for key in message["device"].keys() - DEVICE]
    found += [f"origin {key}" for key in message["origin"].keys() - ORIGIN]
    if not message["device"].get("identifiers") or not message["origin"].get("name"):
        found.append("device needs identifiers, origin a name")
    if message.get("availability_mode", "latest") not in {"all", "any", "latest"}:
        found.append("availability_mode")
    if any(set(one) != {"topic"} for one in message["availability"]):
        found.append("availability")
    if urls := {message["device"].get("configuration_url"), message["origin"].get("support_url")}:
        found += [f"url {url}" for url in urls if url and not re.match("https?://[^/]", url)]
    for kind, value in message["device"].get("connections", []):
        if kind != "mac" or not re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", value):
            found.append(f"connection {kind} {value}")
    identities = [entity.get("unique_id") for entity in components(message).values()]
    if None in identities or len(set(identities)) != len(identities):
        found.append("each component needs its own unique_id")
    for key, entity in components(message).items():
        found += [f"{key}: {text}" for text in _entity(entity)]
    return found


def components(message: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entities of a message. One with nothing but its platform removes an entity."""
    return {key: one for key, one in message["components"].items() if set(one) != {"platform"}}


def _entity(entity: Mapping[str, Any]) -> list[str]:
    check = {"sensor": _sensor, "binary_sensor": _binary_sensor, "event": _event}
    check["water_heater"] = _water_heater
    check.update(dict.fromkeys(SENDING, _sending))
    platform = entity.get("platform")
    if platform not in check:
        return [f"platform {platform}"]
    found = check[platform](entity)
    allowed = "config" if platform in SENDING else "diagnostic"
    if entity.get("entity_category") not in {None, allowed}:
        found.append(f"a {platform} may be {allowed} only")
    if entity["name"] is not None and not entity["name"].strip():
        found.append("no name")
    return found


def _sensor(entity: Mapping[str, Any]) -> list[str]:
    found = [f"unknown {key}" for key in entity.keys() - SENSOR]
    device_class, unit = entity.get("device_class"), entity.get("unit_of_measurement")
    state_class = entity.get("state_class")
    if device_class is not None:
        units, state_classes = SENSOR_CLASSES.get(device_class, (set(), set()))
        if unit not in units:
            found.append(f"unit {unit} with class {device_class}")
        if state_class is not None and state_class not in state_classes:
            found.append(f"state class {state_class} with class {device_class}")
    if {"unknown", "none", "unavailable"} & {one.lower() for one in entity.get("options", [])}:
        found.append("an option that Home Assistant reserves")
    if ("options" in entity) != (device_class == "enum"):
        found.append("options belong to enum")
    if state_class not in {None, "measurement", "total", "total_increasing"}:
        found.append(f"state class {state_class}")
    return found


def _binary_sensor(entity: Mapping[str, Any]) -> list[str]:
    found = [f"unknown {key}" for key in entity.keys() - BINARY_SENSOR]
    if entity.get("device_class") not in BINARY_CLASSES:
        found.append(f"class {entity['device_class']}")
    return found


def _event(entity: Mapping[str, Any]) -> list[str]:
    found = [f"unknown {key}" for key in entity.keys() - (COMMON | {"event_types"})]
    return found if entity.get("event_types") and entity.get("state_topic") else [*found, "event"]


def _sending(entity: Mapping[str, Any]) -> list[str]:
    """Check an entity that sends."""
    platform = entity["platform"]
    allowed = COMMON | SENDING[platform] | {"command_topic", "command_template"}
    found = [f"unknown {key}" for key in entity.keys() - allowed]
    if not entity.get("command_topic"):
        found.append("no command topic")
    if platform == "number":
        if entity.get("unit_of_measurement") not in NUMBER_CLASSES[entity.get("device_class")]:
            found.append("unit")
        if not entity["min"] < entity["max"] or entity["step"] < 0.001:
            found.append("limits")
    if platform == "select":
        options = entity["options"]
        if len(set(options)) != len(options) or "none" in {one.lower() for one in options}:
            found.append(f"options {options}")
    if platform == "text" and not 0 <= entity.get("min", 0) <= entity.get("max", 255) <= 255:
        found.append("length")
    return found


def _water_heater(entity: Mapping[str, Any]) -> list[str]:
    found = [f"unknown {key}" for key in entity.keys() - WATER_HEATER]
    if not set(entity["modes"]) <= MODES or len(set(entity["modes"])) != len(entity["modes"]):
        found.append(f"modes {entity['modes']}")
    if entity["precision"] not in {0.1, 0.5, 1.0} or entity["temperature_unit"] not in {"C", "F"}:
        found.append("precision or unit")
    if not entity["min_temp"] < entity["max_temp"]:
        found.append("limits")
    return found


class Display:
    """Values that Home Assistant shows of one heater, from the messages it received."""

    def __init__(self, message: Mapping[str, Any], retained: Mapping[str, str]) -> None:
        self._message = message
        self._retained = retained

    def component(self, key: str) -> Mapping[str, Any]:
        """Return what the message says of an entity."""
        found: Mapping[str, Any] = self._message["components"][key]
        return found

    @property
    def available(self) -> bool:
        """Return True if all availability topics of the message say online."""
        return self._online(self._message)

    def entity_available(self, key: str) -> bool:
        """Return True if all availability topics of an entity say online."""
        return self._online({**self._message, **self._message["components"][key]})

    def _online(self, options: Mapping[str, Any]) -> bool:
        return all(self._says_online(**one) for one in options["availability"])

    def _says_online(self, topic: str, value_template: str | None = None) -> bool:
        text = self._retained.get(topic)
        if value_template is None:
            return text == "online"
        match = _KNOWN.fullmatch(value_template)
        assert match is not None
        return text is not None and match[1] in json.loads(text)

    @property
    def values(self) -> dict[str, Any]:
        """Return the values of the state topic."""
        found: dict[str, Any] = json.loads(self._retained[self._message["state_topic"]])
        return found

    def shown(self, key: str, template: str = "value_template") -> str:
        """Return the state of an entity as its template renders it; ``None`` means unknown."""
        entity = components(self._message)[key]
        match = _TEMPLATE.fullmatch(entity[template])
        assert match is not None
        values = json.loads(self._retained[entity.get("state_topic", self._message["state_topic"])])
        if match[2] is not None:  # nothing is shown before the first value
            return str(values.get(match[2]))
        # Home Assistant renders a missing key as empty and warns at each message.
        return str(values[match[1]])

    def attributes(self, key: str) -> dict[str, Any]:
        """Return the attributes of an entity; Home Assistant rejects all but JSON objects."""
        entity = components(self._message)[key]
        match = _ATTRIBUTES.fullmatch(entity["json_attributes_template"])
        assert match is not None
        found = json.loads(self._retained[entity["json_attributes_topic"]])[match[1]]
        assert isinstance(found, dict)
        return found

    def rejected(self) -> list[str]:
        """Return the entities whose value Home Assistant would reject or could not plot."""
        found = []
        for key, entity in components(self._message).items():
            if entity["platform"] == "water_heater":
                if self.shown(key, "mode_state_template") not in {*entity["modes"], "None"}:
                    found.append(key)
                continue
            if entity["platform"] in {"button", "notify", "event"}:
                continue
            shown = self.shown(key)
            if shown == "None":
                continue
            if len(shown) > 255:  # the longest state
                found.append(key)
            if entity["platform"] in {"binary_sensor", "switch"} and shown not in {"ON", "OFF"}:
                found.append(key)
            if "options" in entity and shown not in entity["options"]:
                found.append(key)
            if "unit_of_measurement" in entity or "state_class" in entity:
                float(shown)
            if (
                entity["platform"] == "number"
                and not entity["min"] <= float(shown) <= entity["max"]
            ):
                found.append(key)
            if entity["platform"] == "text" and not re.match(entity.get("pattern", ""), shown):
                found.append(key)
        return found
