"""The tables of fields: what a row promises, what damage costs, what follows from a status."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol import error_codes, types
from navien_nwp500.protocol.account import DeviceInfo, UserInfo
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import decode_fields, encode_fields, field_specs, to_json
from navien_nwp500.protocol.status import Activity, DeviceStatus, DHWStatus
from navien_nwp500.protocol.types import HalfCelsius

CORE = {
    "dhwChargePer": 98,
    "dhwTemperature": 120,
    "dhwTemperatureSetting": 121,
    "operationMode": 0,
    "compUse": 1,
    "heatUpperUse": 1,
    "heatLowerUse": 1,
    "evaFanUse": 1,
    "dhwUse": 1,
    "errorCode": 0,
    "subErrorCode": 0,
    "wifiRssi": 58,
    "currentInstPower": 1,
}
OPTIONAL = [row for row in field_specs(DeviceStatus) if not row.required]
#: What no field of integers can hold.
DAMAGE: list[Any] = [None, "120", 120.0, True, 10**400, -(10**400), [120], {"raw": [{"a": 120}]}]


def status(**changes: Any) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**CORE, **changes})


# Judged by hand


def test_no_key_has_two_rows() -> None:
    rows = field_specs(DeviceStatus)
    assert len({row.key for row in rows}) == len(rows)
    features = field_specs(DeviceFeatures)
    spellings = {row.key for row in features} | {row.alias for row in features if row.alias}
    assert len(spellings) == 44


def test_rows_are_numbered_without_gaps_or_doubles() -> None:
    assert [row.number for row in field_specs(DeviceStatus)] == list(
        range(1, len(field_specs(DeviceStatus)) + 1)
    )
    features = [row.number for row in field_specs(DeviceFeatures)]
    assert features == [number for number in range(1, 45) if number != 30]


def test_every_row_says_what_it_means_and_how_sure_that_is() -> None:
    for cls in (DeviceStatus, DeviceFeatures, DeviceInfo, UserInfo):
        for row in field_specs(cls):
            assert row.meaning.endswith(".")
            sure = re.fullmatch(r"[a-z_0-9]+/(high|medium|low)", row.certainty)
            assert sure, f"{row.name}: write its source and how sure it is, such as captured/high"


def test_the_one_key_that_cannot_be_guessed() -> None:
    decoded = status(heLowerOnTDiffempSetting=4)
    assert decoded.he_lower_on_diff_temp_setting == 4
    assert decoded.extra == {}


def test_the_core_is_exactly_what_every_status_carries() -> None:
    core = {row.name for row in field_specs(DHWStatus)}
    assert core == {
        "dhw_charge_per",
        "dhw_temperature",
        "dhw_temperature_setting",
        "operation_mode",
        "comp_use",
        "heat_upper_use",
        "heat_lower_use",
        "eva_fan_use",
        "dhw_use",
        "error_code",
        "sub_error_code",
        "wifi_rssi",
        "current_inst_power",
    }
    assert {row.name for row in field_specs(DeviceStatus) if row.required} == core
    own = {field.name for field in dataclasses.fields(DHWStatus)}
    assert own == core | {"device_connected", "extra"}
    assert issubclass(DeviceStatus, DHWStatus)


def test_the_core_alone_is_a_status_and_all_else_is_none() -> None:
    decoded = status()
    assert {getattr(decoded, row.name) for row in OPTIONAL} == {None}
    assert decoded.device_connected is None
    assert encode_fields(decoded) == CORE


@pytest.mark.parametrize("key", CORE)
def test_a_status_without_one_of_the_core_is_refused_by_name(key: str) -> None:
    body = {other: value for other, value in CORE.items() if other != key}
    with pytest.raises(ProtocolError, match=f"{key} is missing"):
        decode_fields(DeviceStatus, body)


@pytest.mark.parametrize("key", CORE)
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda value: repr(value)[:12])
def test_a_damaged_core_field_refuses_the_status_by_name(key: str, damage: Any) -> None:
    with pytest.raises(ProtocolError, match=f"{key} is not an integer"):
        status(**{key: damage})


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda value: repr(value)[:12])
def test_a_damaged_optional_field_costs_that_field_alone(damage: Any) -> None:
    sound: dict[str, Any] = {row.key: 2 for row in OPTIONAL}
    for row in OPTIONAL:
        decoded = status(**{**sound, row.key: damage})
        assert getattr(decoded, row.name) is None
        assert decoded.extra == {row.key: damage}
        others = {getattr(decoded, other.name) for other in OPTIONAL if other is not row}
        assert others == {2}
        assert encode_fields(decoded) == {**CORE, **sound, row.key: damage}


@pytest.mark.parametrize("raw", [0, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)])
def test_any_integer_a_register_can_hold_is_kept(raw: int) -> None:
    body = {row.key: raw for row in field_specs(DeviceStatus)}
    decoded = decode_fields(DeviceStatus, body)
    assert encode_fields(decoded) == body
    assert decoded.extra == {}


@pytest.mark.parametrize("raw", [2**63, -(2**63) - 1])
def test_an_integer_beyond_every_register_is_damage(raw: int) -> None:
    assert status(fanPwm=raw).fan_pwm is None
    with pytest.raises(ProtocolError):
        status(wifiRssi=raw)


def test_unknown_keys_are_kept_and_sent_again() -> None:
    new = {"waterSprayStatus": 3, "newText": "x", "newList": [1, {"a": None}], "extra": 1}
    decoded = status(**new)
    assert decoded.extra == new
    assert encode_fields(decoded) == {**CORE, **new}


def test_zero_is_a_value_and_not_absence() -> None:
    decoded = status(outsideTemperature=0, fanPwm=0)
    assert decoded.outside_temperature == 0
    assert decoded.outside_temperature is not None
    assert decoded.outside_temperature.celsius == 0.0
    assert decoded.fan_pwm == 0
    assert decoded.current_fan_rpm is None


@pytest.mark.parametrize("body", [None, [], "status", 3, 2.5, True])
def test_what_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(ProtocolError, match="expected an object"):
        decode_fields(DeviceStatus, body)


def test_a_status_cannot_be_changed() -> None:
    decoded = status()
    with pytest.raises(dataclasses.FrozenInstanceError):
        decoded.dhw_temperature = HalfCelsius(99)  # type: ignore[misc]
    for message in (decode_fields(DHWStatus, CORE), DeviceFeatures(), DeviceInfo(), UserInfo()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            message.extra = {}  # type: ignore[misc]


def test_dhw_charge_percent_is_another_name() -> None:
    assert status().dhw_charge_percent == 98
    decoded = status(dhwChargePer=17)
    assert decoded.dhw_charge_percent is decoded.dhw_charge_per
    assert "dhw_charge_percent" not in {field.name for field in dataclasses.fields(DeviceStatus)}


def test_every_field_of_a_decoded_status_is_of_the_type_its_row_names() -> None:
    decoded = decode_fields(DeviceStatus, {row.key: 2 for row in field_specs(DeviceStatus)})
    for row in field_specs(DeviceStatus):
        assert type(getattr(decoded, row.name)) is row.codec
        assert isinstance(getattr(decoded, row.name), int)
        assert row.codec.__module__ == types.__name__


def test_a_reading_is_plain_json_and_leaves_out_what_was_not_sent() -> None:
    decoded = status(tankUpperTemperature=605, currentSuperHeat=-2, totalEnergyCapacity=1404)
    meaning = json.loads(json.dumps(to_json(decoded)))
    assert meaning["dhw_temperature"] == {"celsius": 60.0, "fahrenheit": 140.0}
    assert meaning["tank_upper_temperature"] == {"celsius": 60.5, "fahrenheit": 140.9}
    assert meaning["current_super_heat"] == {"kelvin": -0.2, "fahrenheit_degrees": -0.36}
    assert meaning["total_energy_capacity"] == {"Wh": 5616}
    assert meaning["wifi_rssi"] == {"dBm": -58}
    assert meaning["comp_use"] == "ready"
    assert meaning["operation_mode"] == "standby"
    assert "fan_pwm" not in meaning
    assert len(meaning) == len(CORE) + 3


# Derived values


def test_energies_come_in_watt_hours() -> None:
    decoded = status(totalEnergyCapacity=1404, availableEnergyCapacity=21)
    assert decoded.energy_to_setpoint_wh == 84
    assert decoded.usable_energy_wh == 5532


@pytest.mark.parametrize(
    "sent, to_setpoint",
    [({}, None), ({"totalEnergyCapacity": 9}, None), ({"availableEnergyCapacity": 9}, 36)],
)
def test_an_energy_without_its_parts_is_none(sent: dict[str, int], to_setpoint: int | None) -> None:
    assert status(**sent).energy_to_setpoint_wh == to_setpoint
    assert status(**sent).usable_energy_wh is None


def test_a_charged_tank_needs_nothing() -> None:
    assert status(availableEnergyCapacity=0).energy_to_setpoint_wh == 0


@pytest.mark.parametrize(
    "sent, sources",
    [
        ({}, ()),
        ({"compUse": 2}, ("heat pump",)),
        ({"heatUpperUse": 2}, ("upper element",)),
        ({"heatLowerUse": 2}, ("lower element",)),
        (
            {"compUse": 2, "heatUpperUse": 2, "heatLowerUse": 2},
            ("heat pump", "upper element", "lower element"),
        ),
        ({"compUse": 0, "heatUpperUse": 3, "heatLowerUse": -1}, ()),
    ],
)
def test_heat_sources_are_the_loads_at_2(sent: dict[str, int], sources: tuple[str, ...]) -> None:
    assert status(**sent).heat_sources == sources


@pytest.mark.parametrize(
    "sent, activity",
    [
        ({"currentInstPower": 1}, Activity.STANDBY),
        ({"currentInstPower": 0}, Activity.STANDBY),
        ({"currentInstPower": 1, "operationBusy": 1}, Activity.STANDBY),
        ({"currentInstPower": 1, "operationBusy": 0}, Activity.STANDBY),
        ({"currentInstPower": 1, "operationBusy": 2}, Activity.STARTING),
        ({"currentInstPower": 17, "operationBusy": 2, "evaFanUse": 2}, Activity.STARTING),
        ({"currentInstPower": 432, "compUse": 2}, Activity.HEAT_PUMP),
        ({"currentInstPower": 479, "compUse": 2, "operationMode": 32}, Activity.HEAT_PUMP),
        ({"currentInstPower": 5171, "heatUpperUse": 2}, Activity.ELECTRIC),
        ({"currentInstPower": 5171}, Activity.ELECTRIC),
        ({"currentInstPower": 5378, "compUse": 2, "heatUpperUse": 2}, Activity.HYBRID),
        ({"currentInstPower": 5378, "compUse": 2}, Activity.HYBRID),
        ({"currentInstPower": -5}, Activity.UNKNOWN),
    ],
)
def test_activity_is_judged_by_power_first(sent: dict[str, int], activity: Activity) -> None:
    assert status(**sent).activity is activity


@pytest.mark.parametrize("power", [0, 1, 17])
def test_codes_alone_never_make_a_heater_heat(power: int) -> None:
    decoded = status(
        currentInstPower=power,
        operationMode=96,
        compUse=2,
        evaFanUse=2,
        heatUpperUse=2,
        heatLowerUse=2,
        operationBusy=1,
        currentHeatUse=3,
        currentStatenum=50,
    )
    assert decoded.activity is Activity.STANDBY


def test_ready_is_not_running() -> None:
    # 1 in every flag, and the power of a heat pump: nothing says an element.
    assert status(currentInstPower=450).activity is Activity.HEAT_PUMP
    assert status(currentInstPower=450).heat_sources == ()


def test_the_activities_are_the_six_words_asked_for() -> None:
    assert {activity.value for activity in Activity} == {
        "standby",
        "heat pump",
        "electric",
        "hybrid",
        "starting",
        "unknown",
    }


def test_an_unknown_mode_stays_readable_and_is_not_off() -> None:
    decoded = status(operationMode=33)
    assert decoded.operation_mode == 33
    assert not decoded.operation_mode.known
    assert decoded.operation_mode.text == "unknown (33)"
    assert encode_fields(decoded)["operationMode"] == 33


# Features


def test_both_spellings_of_the_mixing_valve_are_understood_and_one_is_sent() -> None:
    for key in ("mixingValueUse", "mixingValveUse"):
        decoded = decode_fields(DeviceFeatures, {key: 2})
        assert decoded.mixing_valve_use == 2
        assert decoded.extra == {}
        assert encode_fields(decoded) == {"mixingValueUse": 2}


def test_the_heaters_own_spelling_of_the_mixing_valve_wins() -> None:
    decoded = decode_fields(DeviceFeatures, {"mixingValueUse": 1, "mixingValveUse": 2})
    assert decoded.mixing_valve_use == 1
    assert decoded.extra == {"mixingValveUse": 2}


def test_a_capability_permits_only_at_2() -> None:
    decoded = decode_fields(DeviceFeatures, {"powerUse": 2, "holidayUse": 1, "dhwUse": 0})
    flags = (decoded.power_use, decoded.holiday_use, decoded.dhw_use, decoded.hpwh_use)
    assert [flag is not None and flag.active for flag in flags] == [True, False, False, False]


def test_features_say_what_they_mean() -> None:
    decoded = decode_fields(
        DeviceFeatures,
        {
            "modelTypeCode": 513,
            "volumeCode": 2,
            "controllerSwVersion": 184614912,
            "controllerSerialNumber": "12345678AB12345678",
            "dhwTemperatureMin": 81,
            "dhwTemperatureMax": 131,
            "dhwTemperatureSettingUse": 2,
        },
    )
    assert decoded.model_type_code is types.UnitType.NPF
    assert decoded.volume_code is not None and decoded.volume_code.litres == 246.0
    assert decoded.controller_sw_version is not None
    assert decoded.controller_sw_version.text == "11.1.0.0"
    assert decoded.controller_serial_number == "12345678AB12345678"
    assert decoded.dhw_temperature_min is not None and decoded.dhw_temperature_max is not None
    assert decoded.dhw_temperature_min.fahrenheit == 104.9
    assert decoded.dhw_temperature_max.celsius == 65.5
    assert decoded.dhw_temperature_setting_use is types.DhwControl.HALF_DEGREE


@pytest.mark.parametrize("damage", [None, 5, 1.5, True, ["x"], {}])
def test_a_serial_number_that_is_no_text_is_kept_aside(damage: Any) -> None:
    decoded = decode_fields(DeviceFeatures, {"controllerSerialNumber": damage, "powerUse": 2})
    assert decoded.controller_serial_number is None
    assert decoded.extra == {"controllerSerialNumber": damage}
    assert decoded.power_use == 2


def test_what_a_person_is_called_and_lives_stays_out_of_representations() -> None:
    user = decode_fields(UserInfo, {"userType": "O", "userFirstName": "Ada", "userSeq": 20002})
    info = decode_fields(
        DeviceInfo, {"macAddress": "0123456789ab", "address": "1 Elm Street", "city": "Elmton"}
    )
    shown = repr(user) + str(info)
    for secret in ("Ada", "20002", "0123456789ab", "Elm"):
        assert secret not in shown


@pytest.mark.parametrize(
    "connected, online", [(2, True), (1, False), (0, False), (None, False), (3, False)]
)
def test_2_alone_means_online(connected: int | None, online: bool) -> None:
    assert DeviceInfo(connected=connected).online is online


# Faults


@pytest.mark.parametrize(
    "code, sub_code, text",
    [
        (96, 0, "E096 upper electric element"),
        (97, 0, "E097 lower electric element"),
        (407, 1, "E407 hot-water temperature sensor: below its limit"),
        (407, 2, "E407 hot-water temperature sensor: above its limit"),
        (445, 1, "E445 mixing valve: fails to open"),
        (445, 2, "E445 mixing valve: fails to close"),
        (480, 1, "E480 upper tank sensor: below its limit"),
        (481, 2, "E481 lower tank sensor: above its limit"),
        (515, 25, "E515 relay: upper element"),
        (515, 26, "E515 relay: lower element"),
        (515, 27, "E515 relay: compressor"),
        (596, 0, "E596 Wi-Fi"),
        (615, 4, "E615 input circuit: ADC reference"),
        (615, 27, "E615 input circuit: ECO feedback"),
        (615, 30, "E615 input circuit: lower element feedback"),
        (799, 0, "E799 water leak"),
        (901, 0, "E901 high-limit (ECO) cut-off"),
        (910, 1, "E910 discharge sensor: below its limit"),
        (914, 2, "E914 evaporator sensor: above its limit"),
        (920, 1, "E920 ambient air sensor: below its limit"),
        (990, 0, "E990 condensate overflow"),
        (799, 9, "E799 water leak: sub-code 9"),
        (480, 7, "E480 upper tank sensor: sub-code 7"),
        (123, 0, "E123 unknown error code"),
        (123, 4, "E123 unknown error code: sub-code 4"),
        (7, 0, "E007 unknown error code"),
        (65535, 0, "E65535 unknown error code"),
    ],
)
def test_a_fault_is_said_in_words(code: int, sub_code: int, text: str) -> None:
    assert error_codes.describe_error(code, sub_code) == text
    assert status(errorCode=code, subErrorCode=sub_code).error_text == text


def test_no_fault_is_none() -> None:
    assert error_codes.describe_error(0) is None
    assert error_codes.describe_error(0, 3) is None
    assert status().error_text is None
