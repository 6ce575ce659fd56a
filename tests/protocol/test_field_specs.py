"""Field specs, damaged fields, values derived from a status, and error codes."""

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
from support.status_examples import CORE

OPTIONAL = [spec for spec in field_specs(DeviceStatus) if not spec.required]
#: Values that no integer field can hold.
DAMAGE: list[Any] = [
    None,
    "120",
    120.0,
    True,
    2**63,
    -(2**63) - 1,
    -(10**400),
    [120],
    {"raw": [{"a": 120}]},
]


def status(**changes: Any) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**CORE, **changes})


# Definitions and decoding


def test_no_key_has_two_field_specs() -> None:
    specs = field_specs(DeviceStatus)
    assert len({spec.key for spec in specs}) == len(specs)
    features = field_specs(DeviceFeatures)
    spellings = {spec.key for spec in features} | {spec.alias for spec in features if spec.alias}
    assert len(spellings) == 44


def test_field_specs_are_numbered_without_gaps_or_duplicates() -> None:
    assert [spec.number for spec in field_specs(DeviceStatus)] == list(
        range(1, len(field_specs(DeviceStatus)) + 1)
    )
    features = [spec.number for spec in field_specs(DeviceFeatures)]
    assert features == [number for number in range(1, 45) if number != 30]


def test_every_field_spec_has_a_meaning_and_a_certainty() -> None:
    for cls in (DeviceStatus, DeviceFeatures, DeviceInfo, UserInfo):
        for spec in field_specs(cls):
            assert spec.meaning.endswith(".")
            sure = re.fullmatch(r"[a-z_0-9]+/(high|medium|low)", spec.certainty)
            assert sure, f"{spec.name}: write its source and confidence, such as captured/high"


def test_the_required_fields_are_those_of_dhw_status() -> None:
    core = {spec.name for spec in field_specs(DHWStatus)}
    names = (
        "dhw_charge_per dhw_temperature dhw_temperature_setting operation_mode comp_use "
        "heat_upper_use heat_lower_use eva_fan_use dhw_use error_code sub_error_code "
        "wifi_rssi current_inst_power"
    )
    assert core == set(names.split())
    assert {spec.name for spec in field_specs(DeviceStatus) if spec.required} == core
    own = {field.name for field in dataclasses.fields(DHWStatus)}
    assert own == core | {"device_connected", "extra"}
    assert issubclass(DeviceStatus, DHWStatus)


def test_a_status_of_required_fields_has_none_elsewhere() -> None:
    decoded = status()
    assert {getattr(decoded, spec.name) for spec in OPTIONAL} == {None}
    assert decoded.device_connected is None
    assert encode_fields(decoded) == CORE


def test_a_missing_required_field_is_an_error_with_its_name() -> None:
    for key in CORE:
        body = {other: value for other, value in CORE.items() if other != key}
        with pytest.raises(ProtocolError, match=f"{key} is missing"):
            decode_fields(DeviceStatus, body)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda value: repr(value)[:12])
def test_a_damaged_required_field_is_an_error_with_its_name(damage: Any) -> None:
    for key in CORE:
        with pytest.raises(ProtocolError, match=f"{key} is not an integer"):
            status(**{key: damage})


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda value: repr(value)[:12])
def test_a_damaged_optional_field_affects_only_itself(damage: Any) -> None:
    sound: dict[str, Any] = {spec.key: 2 for spec in OPTIONAL}
    for spec in OPTIONAL:
        decoded = status(**{**sound, spec.key: damage})
        assert getattr(decoded, spec.name) is None
        assert decoded.extra == {spec.key: damage}
        others = {getattr(decoded, other.name) for other in OPTIONAL if other is not spec}
        assert others == {2}
        assert encode_fields(decoded) == {**CORE, **sound, spec.key: damage}


@pytest.mark.parametrize("raw", [0, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)])
def test_any_64_bit_integer_is_accepted(raw: int) -> None:
    body = {spec.key: raw for spec in field_specs(DeviceStatus)}
    decoded = decode_fields(DeviceStatus, body)
    assert encode_fields(decoded) == body
    assert decoded.extra == {}


def test_unknown_keys_are_kept_and_sent_again() -> None:
    new = {"waterSprayStatus": 3, "newText": "x", "newList": [1, {"a": None}], "extra": 1}
    decoded = status(**new)
    assert decoded.extra == new
    assert encode_fields(decoded) == {**CORE, **new}


def test_zero_is_not_none() -> None:
    decoded = status(outsideTemperature=0)
    assert decoded.outside_temperature is not None and decoded.outside_temperature.celsius == 0.0
    assert decoded.current_fan_rpm is None


@pytest.mark.parametrize("body", [None, [], "status", 3, 2.5, True])
def test_a_body_that_is_not_an_object_is_an_error(body: Any) -> None:
    with pytest.raises(ProtocolError, match="expected an object"):
        decode_fields(DeviceStatus, body)


def test_a_message_cannot_be_changed() -> None:
    for message in (decode_fields(DHWStatus, CORE), DeviceFeatures(), DeviceInfo(), UserInfo()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            message.extra = {}  # type: ignore[misc]


def test_dhw_charge_percent_is_an_alias() -> None:
    assert status().dhw_charge_percent == 98
    decoded = status(dhwChargePer=17)
    assert decoded.dhw_charge_percent is decoded.dhw_charge_per
    assert "dhw_charge_percent" not in {field.name for field in dataclasses.fields(DeviceStatus)}


@pytest.mark.parametrize("cls", [DeviceStatus, DeviceFeatures])
def test_decoded_fields_have_the_type_of_their_spec(cls: type[Any]) -> None:
    specs = field_specs(cls)
    decoded = decode_fields(cls, {spec.key: "2" if spec.codec is str else 2 for spec in specs})
    for spec in specs:
        assert type(getattr(decoded, spec.name)) is spec.codec, spec.name
        assert spec.codec is str or spec.codec.__module__ == types.__name__


def test_to_json_is_plain_json_without_unsent_fields() -> None:
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


@pytest.mark.parametrize(
    "sent, to_setpoint",
    [({}, None), ({"totalEnergyCapacity": 9}, None), ({"availableEnergyCapacity": 9}, 36)],
)
def test_an_energy_without_its_fields_is_none(
    sent: dict[str, int], to_setpoint: int | None
) -> None:
    assert status(**sent).energy_to_setpoint_wh == to_setpoint
    assert status(**sent).usable_energy_wh is None


@pytest.mark.parametrize(
    "sent, activity",
    [
        ({}, Activity.STANDBY),
        ({"operationBusy": 0}, Activity.STANDBY),
        ({"currentInstPower": -5}, Activity.UNKNOWN),
    ],
)
def test_activity_without_other_fields(sent: dict[str, int], activity: Activity) -> None:
    assert status(**sent).activity is activity


def test_a_heat_source_is_on_only_at_2() -> None:
    assert status(compUse=0, heatUpperUse=3, heatLowerUse=-1).heat_sources == ()
    every = status(compUse=2, heatUpperUse=2, heatLowerUse=2).heat_sources
    assert every == ("heat pump", "upper element", "lower element")


@pytest.mark.parametrize("power", [0, 1, 17])
def test_codes_without_power_mean_standby(power: int) -> None:
    codes = {"operationMode": 96, "operationBusy": 1, "currentHeatUse": 3, "currentStatenum": 50}
    flags = dict.fromkeys(("compUse", "evaFanUse", "heatUpperUse", "heatLowerUse"), 2)
    assert status(currentInstPower=power, **codes, **flags).activity is Activity.STANDBY


def test_the_six_activities() -> None:
    names = {"standby", "heat pump", "electric", "hybrid", "starting", "unknown"}
    assert {activity.value for activity in Activity} == names


# Features


def test_both_keys_of_the_mixing_valve_are_decoded_and_one_is_sent() -> None:
    for key in ("mixingValueUse", "mixingValveUse"):
        decoded = decode_fields(DeviceFeatures, {key: 2})
        assert decoded.mixing_valve_use == 2
        assert decoded.extra == {}
        assert encode_fields(decoded) == {"mixingValueUse": 2}


def test_the_heaters_own_key_of_the_mixing_valve_has_priority() -> None:
    decoded = decode_fields(DeviceFeatures, {"mixingValueUse": 1, "mixingValveUse": 2})
    assert decoded.mixing_valve_use == 1
    assert decoded.extra == {"mixingValveUse": 2}


def test_a_capability_is_set_only_at_2() -> None:
    decoded = decode_fields(DeviceFeatures, {"powerUse": 2, "holidayUse": 1, "dhwUse": 0})
    flags = (decoded.power_use, decoded.holiday_use, decoded.dhw_use, decoded.hpwh_use)
    assert [flag is not None and flag.active for flag in flags] == [True, False, False, False]


@pytest.mark.parametrize("damage", [None, 5, 1.5, True, ["x"], {}])
def test_a_serial_number_that_is_not_text_goes_to_extra(damage: Any) -> None:
    decoded = decode_fields(DeviceFeatures, {"controllerSerialNumber": damage, "powerUse": 2})
    assert decoded.controller_serial_number is None
    assert decoded.extra == {"controllerSerialNumber": damage}
    assert decoded.power_use == 2


def test_private_fields_are_not_in_the_repr() -> None:
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


# Error codes


@pytest.mark.parametrize(
    "code, sub_code, text",
    [
        (407, 1, "E407 hot-water temperature sensor: below its limit"),
        (407, 2, "E407 hot-water temperature sensor: above its limit"),
        (445, 1, "E445 mixing valve: fails to open"),
        (445, 2, "E445 mixing valve: fails to close"),
        (480, 1, "E480 upper tank sensor: below its limit"),
        (481, 2, "E481 lower tank sensor: above its limit"),
        (515, 25, "E515 relay: upper element"),
        (515, 26, "E515 relay: lower element"),
        (515, 27, "E515 relay: compressor"),
        (615, 4, "E615 input circuit: ADC reference"),
        (615, 27, "E615 input circuit: ECO feedback"),
        (615, 30, "E615 input circuit: lower element feedback"),
        (799, 0, "E799 water leak"),
        (910, 1, "E910 discharge sensor: below its limit"),
        (914, 2, "E914 evaporator sensor: above its limit"),
        (920, 1, "E920 ambient air sensor: below its limit"),
        (799, 9, "E799 water leak: sub-code 9"),
        (480, 7, "E480 upper tank sensor: sub-code 7"),
        (123, 0, "E123 unknown error code"),
        (123, 4, "E123 unknown error code: sub-code 4"),
        (7, 0, "E007 unknown error code"),
        (65535, 0, "E65535 unknown error code"),
    ],
)
def test_an_error_code_has_a_description(code: int, sub_code: int, text: str) -> None:
    assert error_codes.describe_error(code, sub_code) == text
    assert status(errorCode=code, subErrorCode=sub_code).error_text == text


def test_no_error_has_no_description() -> None:
    assert error_codes.describe_error(0) is None
    assert error_codes.describe_error(0, 3) is None
    assert status().error_text is None
