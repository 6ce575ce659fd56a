"""Entities that show values of a heater in Home Assistant: their names, units, classes and values.

Each status field is an entity: its type gives device class, unit and state class. ``ENTITIES`` lists
those that are enabled; all others exist but are disabled. ``controls`` has the entities that send.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable, Mapping, NamedTuple

from ...analysis.forecast import Forecast
from ...analysis.hot_water import usable_water_of
from ...models import Health, HealthState
from ...protocol.account import LastError
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
    TemperatureType,
    Watts,
)
from .forecast_values import forecast_state

Traits = Mapping[str, Any]


def _traits(
    unit: str,
    device_class: str | None = None,
    state_class: str = "measurement",
    decimals: int | None = None,
) -> Traits:
    traits: dict[str, Any] = {"unit_of_measurement": unit, "state_class": state_class}
    if device_class is not None:
        traits["device_class"] = device_class
    if decimals is not None:
        traits["suggested_display_precision"] = decimals
    return traits


#: Unit and classes of each type. Heat in the tank is stored energy, not a meter: Home Assistant
#: would offer ``energy`` for the energy dashboard. A difference of temperatures has no device
#: class: with ``temperature``, a conversion to Fahrenheit would add 32 to it.
TRAITS: Mapping[type[Quantity], Traits] = {
    Temperature: _traits("°C", "temperature"),
    DeciKelvin: _traits("K"),
    Watts: _traits("W", "power"),
    EnergyCount: _traits("kWh", "energy_storage", decimals=1),
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
    "_wh": _traits("kWh", "energy", "total_increasing", decimals=1),
    "_hours": _traits("h", "duration", "total_increasing"),
}


class EntityDescription(NamedTuple):
    """Presentation of an entity; ``traits`` are added to those of its type."""

    name: str
    traits: Traits = {}
    diagnostic: bool = False
    enabled: bool = True


_RUNNING, _PROBLEM = {"device_class": "running"}, {"device_class": "problem"}
_COUNT = {"state_class": "total_increasing"}


def _icon(name: str) -> Traits:
    return {"icon": f"mdi:{name}"}


#: The named entities, by field. All others are disabled and diagnostic.
ENTITIES: Mapping[str, EntityDescription] = {
    "dhw_temperature": EntityDescription("Tank temperature"),
    "dhw_temperature_setting": EntityDescription("Setpoint"),
    "tank_upper_temperature": EntityDescription("Upper tank temperature"),
    "tank_lower_temperature": EntityDescription("Lower tank temperature"),
    "dhw_charge_per": EntityDescription("Charge", _icon("water-percent")),
    "available_energy_capacity": EntityDescription("Missing heat", _icon("thermometer-minus")),
    "usable_energy_wh": EntityDescription("Usable heat", _icon("thermometer-plus")),
    "usable_water": EntityDescription("Usable hot water", _icon("shower-head")),
    "usable_water_least": EntityDescription("Usable hot water, least"),
    "usable_water_most": EntityDescription("Usable hot water, most"),
    "forecast": EntityDescription("Forecast", _icon("clock-check-outline")),
    "ready_time": EntityDescription("Hot at"),
    "ready_minutes": EntityDescription("Hot in"),
    "ready_minutes_least": EntityDescription("Hot in, least"),
    "ready_minutes_most": EntityDescription("Hot in, most"),
    "heating_end_time": EntityDescription("Heating ends at"),
    "current_inst_power": EntityDescription("Power"),
    "ambient_temperature": EntityDescription("Intake air temperature"),
    "outside_temperature": EntityDescription("Outside temperature"),
    "activity": EntityDescription("Activity", _icon("heat-pump")),
    "dhw_operation_setting": EntityDescription("Mode", _icon("water-boiler")),
    "tou_status": EntityDescription("Time-of-use period", _icon("clock-outline")),
    "tou_plan": EntityDescription("Time-of-use plan", _icon("cash-clock"), diagnostic=True),
    "next_reservation": EntityDescription(
        "Next reservation", {"device_class": "timestamp", **_icon("calendar-clock")}
    ),
    "comp_use": EntityDescription("Compressor", _RUNNING),
    "heat_upper_use": EntityDescription("Upper element", _RUNNING),
    "heat_lower_use": EntityDescription("Lower element", _RUNNING),
    "dhw_use": EntityDescription("Hot water draw", _RUNNING),
    "anti_legionella_operation_busy": EntityDescription("Disinfection", _RUNNING),
    "problem": EntityDescription("Problem", _PROBLEM),
    "leak": EntityDescription("Leak", {"device_class": "moisture"}),
    "condensate_overflow": EntityDescription("Condensate overflow", _PROBLEM),
    "heat_pump_wh": EntityDescription("Heat pump energy"),
    "element_wh": EntityDescription("Element energy"),
    "total_wh": EntityDescription("Energy"),
    "heat_pump_hours": EntityDescription("Heat pump time", diagnostic=True),
    "element_hours": EntityDescription("Element time", diagnostic=True),
    "error_text": EntityDescription("Fault", _icon("alert-circle-outline"), diagnostic=True),
    "error_advice": EntityDescription("Fault advice", _icon("tools"), diagnostic=True),
    "last_error": EntityDescription("Last fault", _icon("alert-outline"), diagnostic=True),
    "last_error_advice": EntityDescription("Last fault advice", _icon("tools"), diagnostic=True),
    "last_error_time": EntityDescription(
        "Last fault time", {"device_class": "timestamp"}, diagnostic=True
    ),
    "wifi_rssi": EntityDescription("Wi-Fi signal", diagnostic=True),
    "cumulated_op_time_eva_fan": EntityDescription("Air filter time", _COUNT, diagnostic=True),
    "air_filter_remaining_hours": EntityDescription("Air filter time left", diagnostic=True),
    "air_filter_due": EntityDescription("Air filter due", _PROBLEM),
    "connection": EntityDescription("Connection", _icon("lan-connect"), diagnostic=True),
    "missed": EntityDescription("Unanswered requests", diagnostic=True, enabled=False),
    "reconnects": EntityDescription("Reconnections", _COUNT, diagnostic=True, enabled=False),
    "bad_messages": EntityDescription("Bad messages", _COUNT, diagnostic=True, enabled=False),
    "heating": EntityDescription("Heating", {"icon": "mdi:heat-wave"}),
    # It changes with every status, so it would fill the log. Home Assistant knows ``last_reported``.
    "command_refused": EntityDescription("Command refused", {"icon": "mdi:alert-octagon-outline"}),
    "last_command": EntityDescription(
        "Last command", {"icon": "mdi:message-arrow-right-outline"}, diagnostic=True
    ),
    "heard": EntityDescription(
        "Last heard", {"device_class": "timestamp"}, diagnostic=True, enabled=False
    ),
}

_WATER = _traits("L", "volume_storage")
#: Codes of errors that a sensor of their own tells too (PROTOCOL 11).
_LEAK_ERROR, _CONDENSATE_ERROR = 799, 990


def _usable_water(status: DeviceStatus, part: str) -> int | None:
    water = usable_water_of(status)
    return None if water is None else water.to_json()[part]


def _flag_or_error(status: DeviceStatus, flag: Flag | None, code: int) -> str | None:
    """Return ON for the flag or the error code; one is told without the other."""
    if flag is None and status.error_code != code:
        return None
    return on_off(status.error_code == code or flag == Flag.ACTIVE)


def _air_filter_due(status: DeviceStatus) -> str | None:
    hours = status.air_filter_remaining_hours
    return None if hours is None else on_off(hours == 0)


def _enum(*names: str) -> Traits:
    return {"device_class": "enum", "options": list(names)}


class Derived(NamedTuple):
    """Entity computed from a whole status: platform, traits and the value."""

    platform: str
    traits: Traits
    value: Callable[[DeviceStatus], Any]


#: Entities computed from a whole status.
DERIVED: Mapping[str, Derived] = {
    "activity": Derived(
        "sensor",
        _enum(*(one.value.capitalize() for one in Activity if one is not Activity.UNKNOWN)),
        lambda status: _activity(status.activity),
    ),
    "problem": Derived("binary_sensor", {}, lambda status: on_off(status.error_code.active)),
    "leak": Derived(
        "binary_sensor",
        {},
        lambda status: _flag_or_error(status, status.wtr_ovr_sensor_use, _LEAK_ERROR),
    ),
    "condensate_overflow": Derived(
        "binary_sensor",
        {},
        lambda status: _flag_or_error(status, status.con_ovr_sensor_use, _CONDENSATE_ERROR),
    ),
    "error_text": Derived("sensor", {}, lambda status: status.error_text or "none"),
    "error_advice": Derived("sensor", {}, lambda status: status.error_advice or "none"),
    "usable_energy_wh": Derived(
        "sensor", TRAITS[EnergyCount], lambda status: kilowatt_hours(status.usable_energy_wh)
    ),
    # Litres at 40 degC; "usable_water" is unknown below 100, where its range alone is worth saying.
    "usable_water": Derived("sensor", _WATER, lambda status: _usable_water(status, "litres")),
    "usable_water_least": Derived("sensor", _WATER, lambda status: _usable_water(status, "least")),
    "usable_water_most": Derived("sensor", _WATER, lambda status: _usable_water(status, "most")),
    "air_filter_remaining_hours": Derived(
        "sensor", TRAITS[Hours], lambda status: status.air_filter_remaining_hours
    ),
    "air_filter_due": Derived("binary_sensor", {}, _air_filter_due),
}
#: Entities of what is known without the heater, with their traits; they stay available while it is
#: offline.
CLOUD_ENTITIES: Mapping[str, Traits] = {
    "last_error": {},
    "last_error_advice": {},
    "last_error_time": {},
    "connection": _enum(*(one.value.capitalize() for one in HealthState)),
    "missed": {"state_class": "measurement"},
    "reconnects": {},
    "bad_messages": {},
}
#: Entities of the schedules, which have the schedule as attributes.
SCHEDULE_ENTITIES = ("next_reservation", "tou_plan")
#: Fields in which 0 means that the sensor is not fitted (PROTOCOL 6.2).
NO_SENSOR_AT_ZERO = {"outside_temperature", "current_inlet_temperature", "dhw_temperature2"}

#: Home Assistant's names for the modes of a water heater. It has none for vacation, in which the
#: heater does not heat: that is shown as off, and the switch "Vacation" as on.
MODES: Mapping[str, DHWMode] = {
    "heat_pump": DHWMode.HEAT_PUMP,
    "electric": DHWMode.ELECTRIC,
    "eco": DHWMode.ENERGY_SAVER,
    "high_demand": DHWMode.HIGH_DEMAND,
    "off": DHWMode.POWER_OFF,
}
MODE_NAMES: Mapping[DHWMode, str] = {
    **{mode: name for name, mode in MODES.items()},
    DHWMode.VACATION: "off",
    DHWMode.STANDBY: "off",
}
#: Names of the lifetime counters.
ENERGY_FIELDS = (*(spec.name for spec in field_specs(EnergyTotal)), "total_wh")
#: Words for people where the name of a code does not do: Home Assistant takes "None" for unknown.
_WORDS = {"POWER_OFF": "Off", "NONE": "Off"}


def words(choice: Choice) -> str:
    """Return the name of a code for people, such as "Energy saver"."""
    return _WORDS.get(choice.name, choice.text.capitalize())


def known_words(choice: Choice | None) -> str | None:
    """Return the name of a code for people; None for one without a meaning.

    Home Assistant rejects a value that is not in the discovery message and keeps the old one.
    """
    if choice is None or not choice.known or choice.name == "UNKNOWN":
        return None
    return words(choice)


def option_names(codec: type[Choice]) -> list[str]:
    """Return the names that a code can show."""
    return [words(one) for one in codec if one.name != "UNKNOWN"]


def json_key(key: str) -> str:
    """Return the key of an entity's value in the JSON of its topic, which names the unit sent."""
    return f"{key[:-3]}_kwh" if key.endswith("_wh") else key


def on_off(on: bool) -> str:
    """Return the payload of a binary sensor or switch."""
    return "ON" if on else "OFF"


def kilowatt_hours(watt_hours: float | None) -> float | None:
    """Convert Wh to kWh; None stays None."""
    return None if watt_hours is None else watt_hours / 1000


def shows_fahrenheit(values: DeviceStatus | DeviceFeatures) -> bool:
    """Return True if the heater is set to Fahrenheit: Home Assistant then gets whole degrees of it."""
    return values.temperature_type == TemperatureType.FAHRENHEIT


def shown_degrees(value: HalfCelsius, fahrenheit: bool) -> float:
    """Return a setpoint as the water heater shows it: whole Fahrenheit, or half Celsius.

    A whole number of Fahrenheit comes back as it was set: the nearest half degree Celsius is less
    than half a degree Fahrenheit away.
    """
    return round(value.fahrenheit) if fahrenheit else value.celsius


def setpoint_limits(low: HalfCelsius, high: HalfCelsius, fahrenheit: bool) -> tuple[float, float]:
    """Return the lowest and highest setpoint, as shown, that the heater allows."""
    first, last = shown_degrees(low, fahrenheit), shown_degrees(high, fahrenheit)
    if fahrenheit:
        first += HalfCelsius.from_fahrenheit(first) < low
        last -= HalfCelsius.from_fahrenheit(last) > high
    return first, last


def state(
    status: DeviceStatus,
    energy: EnergyTotal | None,
    received: datetime | None,
    made: Forecast | None = None,
) -> dict[str, Any]:
    """Return the values of all entities of a heater by JSON key; None means unknown.

    The lifetime counters are left out before the first answer to the request for them.
    """
    values = {spec.name: _value(getattr(status, spec.name)) for spec in field_specs(DeviceStatus)}
    values.update((json_key(key), one.value(status)) for key, one in DERIVED.items())
    values.update(forecast_state(made))
    for key in ENERGY_FIELDS if energy is not None else ():
        value = getattr(energy, key)
        values[json_key(key)] = kilowatt_hours(value) if key.endswith("_wh") else value
    values["heard"] = None if received is None else received.isoformat(timespec="seconds")
    mode, fahrenheit = status.dhw_operation_setting, shows_fahrenheit(status)
    values["water_heater_mode"] = None if mode is None else MODE_NAMES.get(mode)
    for key, degrees in (
        ("water_heater_temperature", status.dhw_temperature),
        ("water_heater_setpoint", status.dhw_temperature_setting),
    ):
        values[key] = shown_degrees(degrees, fahrenheit)
    return values


def cloud_state(error: LastError | None, health: Health) -> dict[str, Any]:
    """Return the values of ``CLOUD_ENTITIES``; None means unknown."""
    values: dict[str, Any] = dict.fromkeys(CLOUD_ENTITIES)
    values["connection"] = health.state.value.capitalize()
    values.update({key: getattr(health, key) for key in ("missed", "reconnects", "bad_messages")})
    if error is not None and error.error_code is not None:
        time = error.time if error.text is not None else None
        values["last_error"] = error.text or "none"
        values["last_error_advice"] = error.advice or "none"
        values["last_error_time"] = None if time is None else time.isoformat()
    return values


def _value(value: Any) -> Any:
    if isinstance(value, Flag):
        return on_off(value.active) if value in (Flag.READY, Flag.ACTIVE) else None
    if isinstance(value, Choice):
        return known_words(value)
    if isinstance(value, EnergyCount):
        return kilowatt_hours(value.watt_hours)
    return value.physical if isinstance(value, Quantity) else value


def _activity(activity: Activity) -> str | None:
    return None if activity is Activity.UNKNOWN else activity.value.capitalize()
