"""Entities of a heater in Home Assistant: names, units and words as a person reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.message import Message
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import DeviceStatus, DHWMode
from navien_nwp500.analysis.forecast import forecast
from navien_nwp500.apps.bridges.controlled_heater import ControlledHeater
from navien_nwp500.apps.bridges.controls import COMMANDS, CONTROLS, control_values
from navien_nwp500.apps.bridges.discovery import DeviceDetails, Topics, discovery, sent_fields
from navien_nwp500.apps.bridges.entities import (
    DERIVED,
    ENERGY_FIELDS,
    ENTITIES,
    MODES,
    cloud_state,
    setpoint_limits,
    shown_degrees,
    shows_fahrenheit,
    state,
)
from navien_nwp500.apps.bridges.forecast_values import FORECASTS
from navien_nwp500.models import Health, HealthState
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.energy import EnergyTotal
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import field_specs
from navien_nwp500.protocol.types import (
    DhwControl,
    DrEvent,
    ErrorCode,
    Flag,
    HalfCelsius,
    Hours,
    RecircMode,
    TouOverride,
    Volume,
    Watts,
)
from navien_nwp500.simulator import Heater, Simulator
from support.cli import run, start
from support.home_assistant import CONFIG, MAC, bridging, home_assistant
from support.home_assistant_schema import Display, components, violations
from support.mqtt_brokers import BuiltIn
from support.reliability_tools import wait_until, within_limit

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TOPICS = Topics("r", MAC)
HEALTH = Health(HealthState.ONLINE, NOW, NOW, 0, 0, 0)
#: Every field a heater can send.
FIELDS = {spec.name for spec in field_specs(DeviceStatus)} | set(ENERGY_FIELDS)
NO_FOLLOWER: Any = SimpleNamespace(heater=None, reservations=None, tou_plan=None)


@pytest.fixture
async def broker() -> AsyncIterator[BuiltIn]:
    found = BuiltIn()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def heater() -> Heater:
    return Heater(now=NOW, draws=None)


def message(features: DeviceFeatures, **options: Any) -> dict[str, Any]:
    """Return the discovery message of a heater that sends every field."""
    found = discovery("H", TOPICS, features, FIELDS, **{"control": True, **options})
    assert violations(found) == []
    return found


def entities(features: DeviceFeatures, **options: Any) -> dict[str, dict[str, Any]]:
    return components(message(features, **options))


def enabled(features: DeviceFeatures, **options: Any) -> dict[str, dict[str, Any]]:
    found = entities(features, **options)
    return {key: one for key, one in found.items() if one.get("enabled_by_default", True)}


def values(status: DeviceStatus) -> dict[str, Any]:
    target = ControlledHeater(NO_FOLLOWER)
    target.observe(status)
    shown = state(status, EnergyTotal(1000, 2000, 3, 4), NOW, forecast(status, NOW))
    return {**shown, **control_values(target, status)}


def display(heater: Heater, status: DeviceStatus, **options: Any) -> Display:
    retained = {
        TOPICS.state: json.dumps(values(status)),
        TOPICS.cloud: json.dumps(cloud_state(None, HEALTH)),
        TOPICS.last_command: json.dumps({"text": "none"}),
    }
    unit = shows_fahrenheit(status)
    return Display(message(heater.features, fahrenheit=unit, **options), retained)


def test_every_field_is_an_entity_and_every_description_is_used(heater: Heater) -> None:
    found = entities(heater.features)
    assert set(ENTITIES) | set(DERIVED) | set(FORECASTS) | FIELDS <= set(found)
    hidden = {one.shows for one in CONTROLS}
    offered = {one.key: one for one in CONTROLS}
    for key, entity in found.items():
        if key in offered:
            expected = offered[key].enabled
        elif key in ENTITIES:
            expected = ENTITIES[key].enabled and key not in hidden
        else:
            expected = key == "water_heater"
            assert expected or key in hidden or entity["entity_category"] == "diagnostic"
        assert entity.get("enabled_by_default", True) is expected, key
        assert not expected or len(entity["name"] or "") <= 24


def test_no_control_has_the_key_of_a_value(heater: Heater) -> None:
    shown = {*state(heater.status(), None, None), *cloud_state(None, HEALTH), *FIELDS, *DERIVED}
    assert not shown & {one.key for one in CONTROLS} and len(COMMANDS) == len(CONTROLS)


def test_every_value_is_accepted_in_every_mode(heater: Heater) -> None:
    for mode in DHWMode:
        status = replace(heater.status(), dhw_operation_setting=mode)
        assert display(heater, status).rejected() == [], mode
        assert display(heater, status, control=False).rejected() == [], mode


def test_a_forecast_is_a_time_and_its_band_in_minutes(heater: Heater) -> None:
    heater.advance(1800)  # the default tank starts by itself
    status = heater.status()
    made = forecast(status, NOW)
    shown = state(status, None, NOW, made)
    found = entities(heater.features)
    ready = made.times.ready
    assert ready is not None and shown["forecast"] == made.text
    assert found["ready_time"]["device_class"] == "timestamp"
    assert shown["ready_time"].endswith(":00+00:00")
    assert abs(datetime.fromisoformat(shown["ready_time"]) - made.at(ready.minutes)) < timedelta(
        minutes=1
    )
    minutes = [shown[f"ready_minutes{part}"] for part in ("_least", "", "_most")]
    assert minutes == [round(ready.least), round(ready.minutes), round(ready.most)]
    assert found["ready_minutes"]["unit_of_measurement"] == "min"
    assert found["ready_minutes"]["device_class"] == "duration"
    # Nothing tells when a heater that is off starts: only the sentence has a value.
    off = replace(status, dhw_operation_setting=DHWMode.POWER_OFF, comp_use=Flag.READY)
    off = replace(off, current_inst_power=Watts(1), operation_busy=Flag.READY)
    shown = state(off, None, NOW, forecast(off, NOW))
    assert [key for key in FORECASTS if shown[key] is not None] == ["forecast"]


def test_only_lifetime_counters_have_the_device_class_energy(heater: Heater) -> None:
    meters = {
        key for key, one in entities(heater.features).items() if one.get("device_class") == "energy"
    }
    assert meters == {"heat_pump_wh", "element_wh", "total_wh"}
    for key in meters:
        meter = entities(heater.features)[key]
        assert meter["state_class"] == "total_increasing"
        assert meter["unit_of_measurement"] == "kWh" and meter["suggested_display_precision"] == 1


def test_energy_and_heat_are_in_kilowatt_hours(heater: Heater) -> None:
    status = heater.status()
    shown = display(heater, status)
    assert shown.shown("total_wh") == "3.0" and shown.shown("heat_pump_wh") in ("1.0", "2.0")
    assert status.usable_energy_wh is not None
    assert float(shown.shown("usable_energy_wh")) == status.usable_energy_wh / 1000
    missing = status.available_energy_capacity
    assert missing is not None
    assert float(shown.shown("available_energy_capacity")) == missing.watt_hours / 1000


def test_codes_are_words_and_unknown_is_no_option(heater: Heater) -> None:
    found = entities(heater.features, control=False)
    assert found["dhw_operation_setting"]["options"] == [
        *("Standby", "Heat pump", "Electric", "Energy saver", "High demand", "Vacation", "Off")
    ]
    assert found["activity"]["options"] == [
        *("Standby", "Starting", "Heat pump", "Electric", "Hybrid")
    ]
    assert found["tou_status"]["options"] == ["Off", "Off peak", "Mid peak", "On peak"]
    assert found["tou_override_status"]["options"] == ["Overridden", "Followed"]
    assert found["recirc_operation_mode"]["options"] == ["Always", "Weekly", "Hot button", "Off"]
    for key, one in found.items():
        for option in one.get("options", []):
            assert option[0].isupper() and "_" not in option, key
    shown = display(heater, heater.status(), control=False)
    assert shown.shown("dhw_operation_setting") == "Energy saver"
    unknown = replace(
        heater.status(),
        tou_override_status=TouOverride.UNKNOWN,
        recirc_operation_mode=RecircMode.UNKNOWN,
        dr_event_status=DrEvent(99),
    )
    assert display(heater, unknown).rejected() == []
    assert values(unknown)["tou_override_status"] is values(unknown)["dr_event_status"] is None
    assert values(unknown)["recirculation_mode"] is None
    negative = replace(
        heater.status(), current_inst_power=type(heater.status().current_inst_power)(-1)
    )
    assert values(negative)["activity"] is None


@pytest.mark.parametrize(
    ("mode", "shown"),
    [(DHWMode.VACATION, "off"), (DHWMode.POWER_OFF, "off"), (DHWMode(1), "heat_pump")],
)
def test_the_water_heater_has_a_state_in_every_mode(
    heater: Heater, mode: DHWMode, shown: str
) -> None:
    found = display(heater, replace(heater.status(), dhw_operation_setting=mode))
    assert found.shown("water_heater", "mode_state_template") == shown
    assert found.shown("vacation") == ("ON" if mode is DHWMode.VACATION else "OFF")
    assert found.shown("power") == ("OFF" if mode is DHWMode.POWER_OFF else "ON")


def test_a_whole_fahrenheit_comes_back_as_it_was_set() -> None:
    for degrees in range(95, 151):
        raw = HalfCelsius.from_fahrenheit(degrees)
        assert shown_degrees(raw, True) == degrees
    assert HalfCelsius.from_fahrenheit(125) == 103  # 124.7 degF, shown as 124.5 in half Celsius
    assert shown_degrees(HalfCelsius(103), False) == 51.5


def test_every_whole_fahrenheit_within_the_limits_is_allowed() -> None:
    for low in range(70, 91):
        for high in range(115, 132):
            first, last = setpoint_limits(HalfCelsius(low), HalfCelsius(high), True)
            assert low <= HalfCelsius.from_fahrenheit(first) <= low + 1
            assert high - 1 <= HalfCelsius.from_fahrenheit(last) <= high
    assert setpoint_limits(HalfCelsius(81), HalfCelsius(131), True) == (105, 150)
    assert setpoint_limits(HalfCelsius(81), HalfCelsius(131), False) == (40.5, 65.5)


@pytest.mark.parametrize("fahrenheit", [True, False])
def test_setpoints_are_in_the_unit_of_the_heater(heater: Heater, fahrenheit: bool) -> None:
    found = entities(heater.features, fahrenheit=fahrenheit)
    unit, precision, step = ("F", 1.0, 1) if fahrenheit else ("C", 0.5, 0.5)
    water_heater, number = found["water_heater"], found["temperature"]
    assert (water_heater["temperature_unit"], water_heater["precision"]) == (unit, precision)
    assert (number["unit_of_measurement"], number["step"]) == (f"°{unit}", step)
    assert (number["min"], number["max"]) == (water_heater["min_temp"], water_heater["max_temp"])
    for template in (number["command_template"], water_heater["temperature_command_template"]):
        assert template == f"{{{{ value }}}} °{unit}"


def test_a_heater_of_whole_degrees_has_them_as_its_step(heater: Heater) -> None:
    whole = replace(heater.features, dhw_temperature_setting_use=DhwControl.ONE_DEGREE)
    found = entities(whole)
    assert found["water_heater"]["precision"] == found["temperature"]["step"] == 1


async def test_a_fahrenheit_that_is_set_comes_back(sim: Simulator, broker: BuiltIn) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        found = json.loads(home.retained[CONFIG])["components"]
        assert (found["water_heater"]["min_temp"], found["water_heater"]["max_temp"]) == (105, 150)
        await home.publish(found["water_heater"]["temperature_command_topic"], "125.0 °F")
        await home.until_water_heater("temperature", "125")
        assert home.display.shown("temperature") == "125"
        await wait_until(lambda: sim.units[0].heater.status().dhw_temperature_setting == 103)
        await home.publish(found["temperature"]["command_topic"], "50 °C")
        await home.until_water_heater("temperature", "122")


async def test_a_changed_unit_is_discovered_anew(sim: Simulator, broker: BuiltIn) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        sim.units[0].heater.set_status_fields({"temperature_type": 1})
        await home.until_water_heater("temperature", "60.5")
        assert json.loads(home.retained[CONFIG])["components"]["water_heater"]["precision"] == 0.5


@pytest.mark.parametrize(
    ("key", "field", "code"),
    [("leak", "wtr_ovr_sensor_use", 799), ("condensate_overflow", "con_ovr_sensor_use", 990)],
)
def test_a_leak_is_on_for_its_flag_and_for_its_error(
    heater: Heater, key: str, field: str, code: int
) -> None:
    status: Any = heater.status()
    cases = ((Flag.READY, 0, "OFF"), (Flag.ACTIVE, 0, "ON"), (Flag.READY, code, "ON"))
    for flag, error, shown in (
        *cases,
        (None, code, "ON"),
        (None, 0, None),
        (Flag.READY, 480, "OFF"),
    ):
        one = replace(status, **{field: flag}, error_code=ErrorCode(error))
        assert values(one)[key] == shown
    assert key in enabled(heater.features) and field not in enabled(heater.features)


def test_the_air_filter_is_due_when_no_time_is_left(heater: Heater) -> None:
    status = heater.status()
    for period, used, due in ((1000, 999, "OFF"), (1000, 1000, "ON"), (0, 5000, None)):
        one = replace(
            status, air_filter_alarm_period=Hours(period), cumulated_op_time_eva_fan=Hours(used)
        )
        assert values(one)["air_filter_due"] == due


def test_last_heard_is_off_so_that_it_does_not_fill_the_log(heater: Heater) -> None:
    assert "heard" in entities(heater.features) and "heard" not in enabled(heater.features)
    assert enabled(heater.features)["dhw_use"]["name"] == "Hot water draw"


def test_a_sensor_that_is_not_fitted_is_no_entity(heater: Heater) -> None:
    fields = sent_fields(heater.status(), heater.features)
    assert "outside_temperature" not in fields and "ambient_temperature" in fields
    fitted = replace(heater.status(), outside_temperature=HalfCelsius(20))
    assert "outside_temperature" in sent_fields(fitted, heater.features)
    assert "outside_temperature" in enabled(heater.features)


def test_the_page_of_the_device_says_what_it_is(
    heater: Heater, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = message(heater.features)["device"]
    assert device["serial_number"] == heater.features.controller_serial_number
    assert device["connections"] == [["mac", "01:23:45:67:89:ab"]]
    assert heater.features.volume_code is not None
    size = heater.features.volume_code.name.rpartition("_")[2]
    assert device["model"].startswith(f"NWP500, {size} gal (")
    assert device["sw_version"].endswith(", Wi-Fi 2.7.0.0")
    assert not {"configuration_url", "suggested_area"} & device.keys()
    page = DeviceDetails("http://localhost:8080", "Utility room")
    device = message(heater.features, details=page)["device"]
    assert device["configuration_url"] == page.configuration_url
    assert device["suggested_area"] == "Utility room"
    bare = DeviceFeatures(volume_code=Volume(9))
    assert set(discovery("H", TOPICS, bare, set(), control=True)["device"]) == {
        *("identifiers", "connections", "name", "manufacturer", "model")
    }
    package = Message()
    monkeypatch.setattr(metadata, "metadata", lambda name: package)
    assert "support_url" not in message(heater.features)["origin"]
    package["Project-URL"] = "Issues, https://example.org/issues"
    assert message(heater.features)["origin"]["support_url"] == "https://example.org/issues"


def test_without_control_there_are_sensors_in_place_of_controls(heater: Heater) -> None:
    found = enabled(heater.features, control=False)
    assert {one["platform"] for one in found.values()} == {"sensor", "binary_sensor", "event"}
    assert not [key for one in found.values() for key in one if "command" in key]
    assert found["dhw_temperature_setting"]["name"] == "Setpoint"
    assert found["dhw_operation_setting"]["name"] == "Mode"
    assert found["vacation_day_setting"]["name"] == "Vacation days"
    assert "recirc_operation_mode" not in found  # no pump
    # Their platform alone removes those that were offered before.
    assert message(heater.features, control=False)["components"]["water_heater"] == {
        "platform": "water_heater"
    }


def test_every_control_command_has_an_entity() -> None:
    covered = {command for one in CONTROLS for command in one.commands}
    assert {one for one in commands.COMMANDS if one.is_control} <= covered


@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: str(one.key))
def test_a_control_is_offered_only_where_the_heater_has_it(control: Any, heater: Heater) -> None:
    everything = replace(
        heater.features,
        **{spec.name: Flag.ACTIVE for spec in field_specs(DeviceFeatures) if spec.codec is Flag},
    )
    assert control.key in entities(everything)
    for command in control.commands:
        for capability in command.capabilities:
            without = replace(everything, **{capability.field: 0})
            assert control.key not in entities(without)


def test_modes_and_their_names_are_those_of_the_heater(heater: Heater) -> None:
    few = replace(heater.features, electric_use=Flag.READY, holiday_use=Flag.READY)
    assert entities(few)["mode"]["options"] == ["Heat pump", "Energy saver", "High demand", "Off"]
    assert entities(few)["water_heater"]["modes"] == ["heat_pump", "eco", "high_demand", "off"]
    assert set(entities(heater.features)["water_heater"]["modes"]) == set(MODES)


async def test_the_command_line_gives_link_area_and_schedules(
    sim: Simulator, broker: BuiltIn, tmp_path: Path
) -> None:
    words = ("bridge", "mqtt", "--broker", f"mqtt://127.0.0.1:{broker.port}")
    link = ("--configuration-url", "http://127.0.0.1:8080", "--area", "Utility room")
    async with home_assistant(broker) as home:
        process = await start(tmp_path, *words, *link, **sim.environment)
        try:
            await home.until(lambda one: one.available and one.shown("tou_plan") != "None")
        finally:
            process.terminate()
            await within_limit(process.communicate())
        device = json.loads(home.retained[CONFIG])["device"]
        assert device["configuration_url"] == "http://127.0.0.1:8080"
        assert device["suggested_area"] == "Utility room"


@pytest.mark.parametrize("url", ["dashboard", "ftp://h", "https://"])
async def test_a_link_that_home_assistant_would_reject_is_refused(url: str, tmp_path: Path) -> None:
    words = ("bridge", "mqtt", "--simulate", "--broker", "mqtt://127.0.0.1")
    code, out, err = await run(tmp_path, *words, "--configuration-url", url)
    assert (code, out) == (2, "") and "http:// or https://" in err
