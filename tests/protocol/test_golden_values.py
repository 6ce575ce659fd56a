"""Golden values, written by hand with their section of reference/PROTOCOL.md.

They need no captures: a wrong scale, swapped fields, another code or topic fails in any clone. The
numbers come from the captures that the sections name; nothing here is calculated by the library.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from navien_nwp500 import DeviceStatus, models
from navien_nwp500.history import csv
from navien_nwp500.protocol import error_codes, types
from navien_nwp500.protocol.fields import FieldSpec, field_specs
from navien_nwp500.protocol.messages import decode_status
from navien_nwp500.protocol.schedules import ReservationMode
from navien_nwp500.protocol.types import (
    Bits,
    Choice,
    Code,
    Days,
    DeciCelsius,
    DeciKelvin,
    DeciLitresPerMinute,
    DeviceType,
    DhwControl,
    DHWMode,
    DrEvent,
    EnergyCount,
    ErrorCode,
    Flag,
    HalfCelsius,
    HeatPumpState,
    HeatSource,
    Hours,
    Litres,
    OperationMode,
    Percent,
    PushSetting,
    Quantity,
    RecircMode,
    Rpm,
    SignalStrength,
    Steps,
    Temperature,
    TemperatureType,
    TempFormula,
    TouOverride,
    TouStatus,
    UnitType,
    Version,
    Volume,
    Watts,
)
from support.reference_page import chapter, resolves
from support.status_examples import HEATING, IDLE

FIELDS = Path(__file__).with_name("golden_fields.txt")


# Values


class Golden(NamedTuple):
    """Source, value as sent, and its meaning as JSON and as text."""

    source: str
    value: Quantity
    meaning: Any
    text: str


def half(source: str, raw: int, celsius: float, fahrenheit: float) -> Golden:
    meaning = {"celsius": celsius, "fahrenheit": fahrenheit}
    return Golden(source, HalfCelsius(raw), meaning, f"{celsius:.1f} °C ({fahrenheit:.1f} °F)")


def tenth(source: str, raw: int, celsius: float, fahrenheit: float) -> Golden:
    golden = half(source, 0, celsius, fahrenheit)
    return golden._replace(value=DeciCelsius(raw))


def difference(source: str, raw: int, kelvin: float, fahrenheit_degrees: float) -> Golden:
    meaning = {"kelvin": kelvin, "fahrenheit_degrees": fahrenheit_degrees}
    return Golden(source, DeciKelvin(raw), meaning, f"{kelvin:.15g} K")


# fmt: off
VALUES = (
    # Half degrees Celsius.
    half("PROTOCOL 6.14", 121, 60.5, 140.9),
    half("PROTOCOL 6.14", 122, 61.0, 141.8),
    half("PROTOCOL 6.5", 120, 60.0, 140.0),
    half("PROTOCOL 6.5", 118, 59.0, 138.2),
    half("PROTOCOL 6.3", 98, 49.0, 120.2),
    half("PROTOCOL 5.6", 117, 58.5, 137.3),
    half("PROTOCOL 7.1", 131, 65.5, 149.9),
    half("PROTOCOL 6.8", 81, 40.5, 104.9),
    half("PROTOCOL 6.8", 70, 35.0, 95.0),
    half("PROTOCOL 6.3", 12, 6.0, 42.8),
    half("PROTOCOL 6.3", 0, 0.0, 32.0),
    half("PROTOCOL 6.3", -80, -40.0, -40.0),
    half("PROTOCOL 6.3", -1, -0.5, 31.1),
    # Tenths of a degree Celsius.
    tenth("PROTOCOL 6.14", 605, 60.5, 140.9),
    tenth("PROTOCOL 6.14", 610, 61.0, 141.8),
    tenth("PROTOCOL 6.14", 615, 61.5, 142.7),
    tenth("PROTOCOL 6.5", 601, 60.1, 140.18),
    tenth("PROTOCOL 6.5", 594, 59.4, 138.92),
    tenth("PROTOCOL 6.5", 386, 38.6, 101.48),
    tenth("PROTOCOL 6.5", 696, 69.6, 157.28),
    tenth("PROTOCOL 6.3", 73, 7.3, 45.14),
    tenth("PROTOCOL 6.3", 0, 0.0, 32.0),
    tenth("PROTOCOL 6.3", -400, -40.0, -40.0),
    # Differences: no 32 in Fahrenheit.
    difference("PROTOCOL 6.5", -2, -0.2, -0.36),
    difference("PROTOCOL 6.5", 157, 15.7, 28.26),
    difference("PROTOCOL 6.5", 52, 5.2, 9.36),
    difference("PROTOCOL 6.4", 50, 5.0, 9.0),
    difference("PROTOCOL 6.3", 0, 0.0, 0.0),
    # Heat in counts of 4 Wh.
    Golden("PROTOCOL 6.5", EnergyCount(1404), {"Wh": 5616}, "5616 Wh"),
    Golden("PROTOCOL 6.5", EnergyCount(21), {"Wh": 84}, "84 Wh"),
    Golden("PROTOCOL 6.5", EnergyCount(77), {"Wh": 308}, "308 Wh"),
    Golden("PROTOCOL 6.8", EnergyCount(1861), {"Wh": 7444}, "7444 Wh"),
    Golden("PROTOCOL 6.8", EnergyCount(0), {"Wh": 0}, "0 Wh"),
    # Everything else.
    Golden("PROTOCOL 6.3", DeciLitresPerMinute(57), {"L/min": 5.7}, "5.7 L/min"),
    Golden("PROTOCOL 6.3", SignalStrength(58), {"dBm": -58}, "-58 dBm"),
    Golden("PROTOCOL 6.3", SignalStrength(-58), {"dBm": -58}, "-58 dBm"),
    Golden("PROTOCOL 6.3", SignalStrength(0), {"dBm": 0}, "0 dBm"),
    Golden("PROTOCOL 6.14", Watts(466), {"W": 466}, "466 W"),
    Golden("PROTOCOL 6.7", Watts(5378), {"W": 5378}, "5378 W"),
    Golden("PROTOCOL 6.14", Percent(99), {"%": 99}, "99 %"),
    Golden("PROTOCOL 8.9", Days(7), {"d": 7}, "7 d"),
    Golden("PROTOCOL 6.4", Hours(396), {"h": 396}, "396 h"),
    Golden("PROTOCOL 6.3", Hours(200_000), {"h": 200_000}, "200000 h"),
    Golden("PROTOCOL 9.6", Rpm(900), {"rpm": 900}, "900 rpm"),
    Golden("PROTOCOL 6.4", Steps(480), {"steps": 480}, "480 steps"),
    Golden("PROTOCOL 6.3", Litres(10_000_000), {"L": 10_000_000}, "10000000 L"),
    Golden("PROTOCOL 1.9", Version(184614912), "11.1.0.0", "11.1.0.0"),
    Golden("PROTOCOL 1.9", Version(167837696), "10.1.0.0", "10.1.0.0"),
    Golden("PROTOCOL 1.9", Version(0x0B050000), "11.5.0.0", "11.5.0.0"),
    Golden("PROTOCOL 1.9", Version(34013184), "2.7.0.0", "2.7.0.0"),
    Golden("PROTOCOL 1.9", Version(0), "0.0.0.0", "0.0.0.0"),
    Golden("PROTOCOL 6.3", Version(0x7F0102FF), "127.1.2.255", "127.1.2.255"),
    Golden("PROTOCOL 6.3", Version(-1), "255.255.255.255", "255.255.255.255"),
    Golden("PROTOCOL 5.2", Code(16777219), 16777219, "16777219"),
    Golden("PROTOCOL 6.4", Code(1880), 1880, "1880"),
    Golden("PROTOCOL 6.4", Code(2147483647), 2147483647, "2147483647"),
    Golden("PROTOCOL 6.4", Bits(0x24), 0x24, "0x24"),
    Golden("PROTOCOL 11", ErrorCode(0), 0, "none"),
    Golden("PROTOCOL 11", ErrorCode(799), 799, "E799"),
    Golden("PROTOCOL 11", ErrorCode(96), 96, "E096"),
)
NAMES: tuple[tuple[str, type[Choice], dict[int, str]], ...] = (
    ("PROTOCOL 6.2", Flag, {0: "UNKNOWN", 1: "READY", 2: "ACTIVE"}),
    ("PROTOCOL 12.1", OperationMode, {0: "STANDBY", 32: "HEAT_PUMP", 64: "ELECTRIC", 96: "HYBRID"}),
    ("PROTOCOL 12.2", DHWMode, {0: "STANDBY", 1: "HEAT_PUMP", 2: "ELECTRIC", 3: "ENERGY_SAVER", 4: "HIGH_DEMAND", 5: "VACATION", 6: "POWER_OFF"}),
    ("PROTOCOL 12.3", HeatSource, {0: "NONE", 1: "HEAT_PUMP", 2: "ELEMENT", 3: "HEAT_PUMP_AND_ELEMENT"}),
    ("PROTOCOL 9.1", HeatPumpState, {20: "IDLE", 30: "PRE_RUN", 40: "COMPRESSOR_START", 50: "RUN", 60: "FAN_RUN_ON", 70: "LOCK_OUT"}),
    ("PROTOCOL 12.5", TouStatus, {0: "OFF", 1: "OFF_PEAK", 2: "MID_PEAK", 3: "ON_PEAK"}),
    ("PROTOCOL 12.5", TouOverride, {0: "UNKNOWN", 1: "OVERRIDDEN", 2: "FOLLOWED"}),
    ("PROTOCOL 12.6", RecircMode, {0: "UNKNOWN", 1: "ALWAYS", 2: "WEEKLY", 3: "HOT_BUTTON", 4: "NONE"}),
    ("PROTOCOL 12.7", DrEvent, {0: "NONE", 1: "RUN_NORMAL", 2: "SHED", 3: "LOAD_UP", 4: "LOAD_UP_ADVANCED", 5: "CRITICAL_PEAK", 6: "GRID_EMERGENCY"}),
    ("PROTOCOL 12.8", DhwControl, {0: "UNKNOWN", 1: "DISABLED", 2: "HALF_DEGREE", 3: "ONE_DEGREE", 4: "THREE_STAGES"}),
    ("PROTOCOL 12.9", TemperatureType, {1: "CELSIUS", 2: "FAHRENHEIT"}),
    ("PROTOCOL 12.9", TempFormula, {0: "ASYMMETRIC", 1: "STANDARD"}),
    ("PROTOCOL 12.10", UnitType, {513: "NPF", 514: "NPF_SYSTEM"}),
    ("PROTOCOL 1.8", PushSetting, {0: "NOT_REPORTED", 1: "ON", 2: "OFF"}),
    ("PROTOCOL 16", DeviceType, {1: "NAVILINK", 2: "NAVILINK_LITE", 8: "HYDRONIC_MODULE", 50: "NFB700_MAIN", 51: "NFB700_SUB", 52: "NWP500"}),
    ("PROTOCOL 7.1", Volume, {1: "GALLONS_50", 2: "GALLONS_65", 3: "GALLONS_80"}),
    ("PROTOCOL 8.3", ReservationMode, {1: "HEAT_PUMP", 2: "ELECTRIC", 3: "ENERGY_SAVER", 4: "HIGH_DEMAND", 5: "POWER_OFF"}),
)
# fmt: on


@pytest.mark.parametrize(
    "golden", VALUES, ids=lambda golden: f"{type(golden.value).__name__} {int(golden.value)}"
)
def test_a_value_has_the_documented_meaning(golden: Golden) -> None:
    assert resolves(golden.source)
    assert golden.value.to_json() == golden.meaning
    assert golden.value.text == golden.text
    if isinstance(golden.value, Temperature):
        assert golden.value.physical == golden.meaning["celsius"]
    elif isinstance(golden.meaning, dict):
        assert golden.value.physical == next(iter(golden.meaning.values()))


def test_a_unit_has_a_property_of_its_own() -> None:
    # PROTOCOL 6.3
    assert (HalfCelsius(121).celsius, HalfCelsius(121).fahrenheit) == (60.5, 140.9)
    assert (DeciCelsius(605).celsius, DeciCelsius(605).fahrenheit) == (60.5, 140.9)
    assert (DeciKelvin(157).kelvin, DeciKelvin(157).fahrenheit_degrees) == (15.7, 28.26)
    assert (EnergyCount(21).watt_hours, Watts(466).watts, SignalStrength(58).dbm) == (84, 466, -58)


def test_every_quantity_has_a_golden_value() -> None:
    shown = {type(golden.value) for golden in VALUES if golden.value}
    kinds = [kind for kind in vars(types).values() if isinstance(kind, type)]
    every = {kind for kind in kinds if issubclass(kind, Quantity)} - {Quantity, Temperature}
    assert every == shown, "write a value by hand, with its source"


@pytest.mark.parametrize(
    "source, choice, names", NAMES, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_code_has_the_documented_names(
    source: str, choice: type[Choice], names: dict[int, str]
) -> None:
    assert resolves(source)
    assert {member.value: member.name for member in choice} == names


def test_every_code_with_names_is_listed() -> None:
    kinds = [kind for kind in vars(types).values() if isinstance(kind, type)]
    every = {kind for kind in kinds if issubclass(kind, Choice)} - {Choice}
    assert every | {ReservationMode} == {choice for _, choice, _ in NAMES}


def test_a_temperature_difference_has_no_celsius_or_fahrenheit() -> None:
    # PROTOCOL 6.3: never + 32.
    assert not hasattr(DeciKelvin(157), "fahrenheit")
    assert not hasattr(DeciKelvin(157), "celsius")


def test_a_tank_has_its_nominal_volume() -> None:
    # PROTOCOL 7.1
    assert [Volume(code).litres for code in (1, 2, 3, 4)] == [189.2, 246.0, 302.8, None]


# Field tables


def pinned() -> dict[str, list[str]]:
    text = "\n".join(line for line in FIELDS.read_text("utf-8").splitlines() if line[:1] != "#")
    parts = [part.splitlines() for part in text.strip().split("\n\n")]
    return {name: lines for name, *lines in parts}


def line(spec: FieldSpec) -> str:
    marks = " core" * spec.required + f" or {spec.alias}" * (spec.alias is not None)
    return f"{spec.number} {spec.key} {spec.name} {spec.codec.__name__}{marks}"


@pytest.mark.parametrize("name", pinned())
def test_field_specs_have_their_order_and_types(name: str) -> None:
    lines = pinned()[name]
    # A new field comes after these.
    assert [line(spec) for spec in field_specs(getattr(models, name))][: len(lines)] == lines


def test_every_message_of_the_heater_is_pinned() -> None:
    sizes = {name: len(lines) for name, lines in pinned().items()}
    known = {
        "DeviceStatus": 103,  # PROTOCOL 6.1
        "DeviceFeatures": 43,  # PROTOCOL 7.1, with the second spelling in its field spec
        "UserInfo": 5,
        "DeviceInfo": 12,  # PROTOCOL 1.7, 1.8
        "LastError": 2,
        "Descaling": 2,
        "AlarmInfo": 3,
        "Installer": 4,
        "AppVersion": 2,  # PROTOCOL 1.17
        "FirmwareInfo": 3,
    }
    assert set(sizes) == set(known)
    assert all(sizes[name] >= count for name, count in known.items())


# Whole statuses


def status(sent: dict[str, int], **changes: int) -> DeviceStatus:
    return decode_status(json.dumps({**sent, **changes}))


def meanings(decoded: DeviceStatus) -> dict[str, str]:
    return {spec.name: getattr(decoded, spec.name).text for spec in field_specs(DeviceStatus)[:99]}


def test_the_texts_of_an_idle_status() -> None:
    # PROTOCOL 6.5 and 6.11
    texts = meanings(status(IDLE))
    expected = {
        "dhw_temperature": "60.0 °C (140.0 °F)",
        "dhw_temperature_setting": "60.5 °C (140.9 °F)",
        "tank_upper_temperature": "60.1 °C (140.2 °F)",
        "tank_lower_temperature": "60.3 °C (140.5 °F)",
        "discharge_temperature": "38.6 °C (101.5 °F)",
        "suction_temperature": "37.7 °C (99.9 °F)",
        "evaporator_temperature": "24.2 °C (75.6 °F)",
        "ambient_temperature": "22.6 °C (72.7 °F)",
        "target_super_heat": "5 K",
        "current_super_heat": "15.7 K",
        "he_upper_off_diff_temp_setting": "-0.2 K",
        "hp_lower_on_temp_setting": "40.5 °C (104.9 °F)",
        "freeze_protection_temperature": "6.0 °C (42.8 °F)",
        "total_energy_capacity": "5616 Wh",
        "available_energy_capacity": "84 Wh",
        "current_inst_power": "1 W",
        "dhw_charge_per": "98 %",
        "wifi_rssi": "-58 dBm",
        "eev_step": "480 steps",
        "operation_mode": "standby",
        "operation_busy": "ready",
        "current_heat_use": "none",
        "current_statenum": "idle",
        "dhw_operation_setting": "energy saver",
        "eco_use": "active",
        "comp_use": "ready",
        "dhw_use_sustained": "unknown",
        "temperature_type": "fahrenheit",
        "temp_formula_type": "standard",
        "tou_status": "off",
        "tou_override_status": "overridden",
        "anti_legionella_period": "7 d",
        "air_filter_alarm_period": "1000 h",
        "recirc_operation_mode": "always",
        "recirc_dhw_flow_rate": "0 L/min",
        "error_code": "none",
    }
    assert {name: texts[name] for name in expected} == expected
    assert len(texts) == 99


def test_the_texts_of_a_heat_pump_status() -> None:
    # PROTOCOL 6.5
    texts = meanings(status(HEATING))
    expected = {
        "dhw_temperature": "59.0 °C (138.2 °F)",
        "tank_upper_temperature": "59.4 °C (138.9 °F)",
        "discharge_temperature": "69.6 °C (157.3 °F)",
        "suction_temperature": "10.0 °C (50.0 °F)",
        "evaporator_temperature": "6.7 °C (44.1 °F)",
        "ambient_temperature": "16.0 °C (60.8 °F)",
        "current_super_heat": "5.2 K",
        "available_energy_capacity": "308 Wh",
        "current_inst_power": "463 W",
        "operation_mode": "heat pump",
        "operation_busy": "active",
        "current_heat_use": "heat pump",
        "current_statenum": "run",
        "target_fan_rpm": "900 rpm",
        "current_fan_rpm": "894 rpm",
        "fan_pwm": "1880",
        "comp_use": "active",
    }
    assert {name: texts[name] for name in expected} == expected


@pytest.mark.parametrize(
    "values, cells",
    [
        ((99, 32, 121, 466, 605, 610), "99,32,121,466,60.5,61.0"),
        ((100, 0, 122, 1, 610, 615), "100,0,122,1,61.0,61.5"),
    ],
)
def test_the_early_field_notes_are_the_first_columns(
    values: tuple[int, ...], cells: str, tmp_path: Path
) -> None:
    # PROTOCOL 6.14: charge, mode, hot water, power, upper and lower sensor.
    names = "dhwChargePer operationMode dhwTemperature currentInstPower"
    keys = f"{names} tankUpperTemperature tankLowerTemperature".split()
    decoded = status(IDLE, **dict(zip(keys, values)))
    with csv.CsvRecorder(tmp_path / "notes.csv") as recorder:
        recorder.write(decoded, datetime(2026, 1, 1, tzinfo=timezone.utc))
    header, row = (tmp_path / "notes.csv").read_text("utf-8").splitlines()
    assert ",".join(row.split(",")[1:7]) == cells
    assert header.startswith(
        "timestamp,dhw_charge_percent,operation_mode,dhw_temperature,current_inst_power,"
        "tank_upper_temp,tank_lower_temp,"
    )
    # Panel and sensor agree, as in PROTOCOL 6.8.
    assert decoded.tank_upper_temperature is not None
    assert decoded.tank_upper_temperature.celsius == decoded.dhw_temperature.celsius


# Values derived from several fields


@pytest.mark.parametrize(
    "source, total, missing, to_setpoint_wh, usable_wh",
    [
        ("PROTOCOL 6.5", 1404, 21, 84, 5532),
        ("PROTOCOL 6.5", 1404, 77, 308, 5308),
        ("PROTOCOL 6.8", 1861, 386, 1544, 5900),
        ("PROTOCOL 6.8", 1791, 302, 1208, 5956),
        ("PROTOCOL 6.8", 1720, 0, 0, 6880),
    ],
)
def test_energy_to_setpoint_and_usable_energy(
    source: str, total: int, missing: int, to_setpoint_wh: int, usable_wh: int
) -> None:
    assert resolves(source)
    decoded = status(IDLE, totalEnergyCapacity=total, availableEnergyCapacity=missing)
    assert decoded.energy_to_setpoint_wh == to_setpoint_wh
    assert decoded.usable_energy_wh == usable_wh


# fmt: off
ACTIVITIES = (
    ("PROTOCOL 6.5", {}, "standby", ()),
    ("PROTOCOL 6.5", HEATING, "heat pump", ("heat pump",)),
    # In the lock-out a new demand draws 1 W; before a start only the fan runs.
    ("PROTOCOL 9.1", {"operationMode": 32, "operationBusy": 2, "currentStatenum": 70}, "starting", ()),
    ("PROTOCOL 6.7", {"operationBusy": 2, "currentInstPower": 17}, "starting", ()),
    ("PROTOCOL 6.7", {"operationMode": 64, "currentInstPower": 5193, "heatUpperUse": 2}, "electric", ("upper element",)),
    ("PROTOCOL 6.7", {"operationMode": 96, "currentInstPower": 5378, "compUse": 2, "heatUpperUse": 2}, "hybrid", ("heat pump", "upper element")),
    # Codes are late by one message: power decides.
    ("PROTOCOL 6.7", {"currentInstPower": 432}, "heat pump", ()),
    ("PROTOCOL 6.7", {"currentInstPower": 5171}, "electric", ()),
    ("PROTOCOL 6.7", {"currentInstPower": 5378, "compUse": 2}, "hybrid", ("heat pump",)),
    ("PROTOCOL 14.3", {"currentInstPower": 5092, "heatLowerUse": 2}, "electric", ("lower element",)),
)
# fmt: on


@pytest.mark.parametrize("source, sent, activity, sources", ACTIVITIES)
def test_activity_and_heat_sources(
    source: str, sent: dict[str, int], activity: str, sources: tuple[str, ...]
) -> None:
    assert resolves(source)
    decoded = status(IDLE, **sent)
    assert (decoded.activity.value, decoded.heat_sources) == (activity, sources)


@pytest.mark.parametrize(
    "sent, in_window",
    [
        ({}, False),
        ({"touStatus": 1, "touOverrideStatus": 2}, False),
        ({"touStatus": 3, "touOverrideStatus": 2}, True),
        ({"touStatus": 1, "touOverrideStatus": 2, "hpUpperOnTempSetting": 121}, True),
        ({"touStatus": 3, "touOverrideStatus": 1}, False),
    ],
)
def test_a_peak_window_is_recognised_by_status_and_thresholds(
    sent: dict[str, int], in_window: bool
) -> None:
    # PROTOCOL 6.9 and 6.10
    assert status(IDLE, **sent).in_tou_window is in_window


def test_error_codes_match_the_protocol() -> None:
    # PROTOCOL 11
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in chapter(11).splitlines()
        if row.startswith("| ") and not row.startswith("| code")
    ]
    assert len(rows) == 32
    listed = {int(code): (panel, subs.split(), words) for code, panel, subs, words in rows}
    known = error_codes.ERRORS
    assert {code: words for code, (_, _, words) in listed.items()} == {
        code: described.meaning for code, described in known.items()
    }
    for code, (panel, subs, words) in listed.items():
        assert error_codes.describe_error(code) == f"{panel} {words}"
        assert sorted(sub for sub, detail in known[code].sub_codes.items() if detail) == [
            int(sub) for sub in subs
        ]
        assert len({error_codes.describe_error(code, int(sub)) for sub in subs}) == len(subs)
    assert status(IDLE, errorCode=480, subErrorCode=1).error_text == (
        "E480 upper tank sensor: below its limit"
    )
    assert status(IDLE).error_text is None and status(IDLE).error_advice is None


def test_every_error_code_has_the_advice_of_the_protocol() -> None:
    # PROTOCOL 11.1; each of its lines names the codes and begins with "- "
    lines = re.findall(r"^- ((?:\d+(?:, )?)+):", chapter(11), re.M)
    listed = [int(code) for line in lines for code in line.split(", ")]
    assert sorted(listed) == sorted(error_codes.ERRORS)
    for code, described in error_codes.ERRORS.items():
        assert described.advice.endswith(".")
        assert set(described.sub_advice) <= set(described.sub_codes), code
    assert status(IDLE, errorCode=326).error_advice == (
        "Fill the tank until water without air flows from the outlet: heating an empty tank "
        "destroys the elements."
    )
    assert "thermistor" in str(status(IDLE, errorCode=615, subErrorCode=27).error_advice)
    assert "element" in str(status(IDLE, errorCode=615, subErrorCode=29).error_advice)
    assert status(IDLE, errorCode=123).error_advice == (
        "Look it up in the manual, or call the service."
    )


def test_the_only_sub_code_of_the_fan_has_no_words() -> None:
    # PROTOCOL 11: "909 comes with sub-code 1, which says nothing more"
    assert status(IDLE, errorCode=909, subErrorCode=1).error_text == "E909 evaporator fan"
    assert status(IDLE, errorCode=909, subErrorCode=2).error_text == (
        "E909 evaporator fan: sub-code 2"
    )


@pytest.mark.parametrize(
    "sent, left",
    [
        ({}, 1000 - 396),
        ({"airFilterAlarmPeriod": 300}, 0),
        ({"airFilterAlarmPeriod": 0}, None),
        ({"airFilterAlarmUse": 1}, None),
        ({"cumulatedOpTimeEvaFan": None}, None),
    ],
)
def test_the_hours_left_of_the_air_filter(sent: dict[str, Any], left: int | None) -> None:
    # PROTOCOL 6.4: "airFilterAlarmPeriod minus this, not below 0"
    known = {"airFilterAlarmUse": 2, "airFilterAlarmPeriod": 1000, "cumulatedOpTimeEvaFan": 396}
    assert status(IDLE, **{**known, **sent}).air_filter_remaining_hours == left


@pytest.mark.parametrize("tenths, outside", [(49, True), (50, False), (450, False), (451, True)])
def test_the_heat_pump_needs_air_of_5_to_45_degrees(tenths: int, outside: bool) -> None:
    # PROTOCOL 11.2
    assert status(IDLE, ambientTemperature=tenths).air_outside_limits is outside
