"""Captured traffic of real heaters: each number here was read from it by hand."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any, Callable

import pytest

from navien_nwp500.protocol.account import DeviceInfo, FirmwareInfo, UserInfo, parse_device_info
from navien_nwp500.protocol.calendar import WEEKDAYS, WEEKEND
from navien_nwp500.protocol.capture import MQTT, OUT, CaptureEntry, find_private, mask_entry
from navien_nwp500.protocol.fields import decode_fields, encode_fields, field_specs
from navien_nwp500.protocol.messages import Message, decode_status, encode_status, parse_message
from navien_nwp500.protocol.status import Activity, DeviceStatus
from navien_nwp500.protocol.tou import (
    TOUPeriod,
    check_tou,
    decode_tou,
    encode_tou_mqtt,
    encode_tou_rest,
    peak_windows,
)
from navien_nwp500.protocol.types import (
    DHWMode,
    Flag,
    HeatPumpState,
    HeatSource,
    OperationMode,
    Quantity,
    TemperatureType,
    TempFormula,
    TouOverride,
    TouStatus,
)
from support import captures
from support.cloud_tools import key_paths, response_keys
from support.field_log import HALVES_OF_A_DEGREE, TENTHS_OF_A_DEGREE, log_numbers, log_status

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)

MAC = "0123456789ab"
CLIENT = "3f0e7c1a-0000-4000-8000-000000000001"
PUSH_TOPIC = f"cmd/52/navilink-{MAC}/res"
MESSAGES = 30

LOCK_OUT, HEAT_PUMP, HYBRID, ELECTRIC, VACATION_KEPT = 0, 2, 7, 23, 29
RUNNING = {
    2: "heat pump",
    3: "heat pump",
    4: "heat pump",
    5: "heat pump",
    6: "hybrid",
    7: "hybrid",
    8: "heat pump",
    9: "heat pump",
    10: "hybrid",
    11: "heat pump",
    23: "electric",
    24: "electric",
}
AT_REST = {16: "standby", 20: "standby", 27: "standby", 28: "standby"}


def every_message(test: Callable[[int], None]) -> Callable[[], None]:
    """Return a test that tries each message in turn, as 30 tests of each would take longer to start."""

    def try_each() -> None:
        for number in range(MESSAGES):
            test(number)

    return try_each


def message(number: int) -> Message:
    parsed = parse_message(PUSH_TOPIC, captures.payloads()[number])
    assert parsed is not None
    return parsed


def status(number: int) -> DeviceStatus:
    found = message(number).status
    assert found is not None
    return found


def sent(number: int) -> dict[str, int]:
    content: dict[str, int] = json.loads(captures.payloads()[number])["response"]["status"]
    return content


def test_thirty_messages_were_captured() -> None:
    assert len(captures.payloads()) == MESSAGES


@every_message
def test_every_message_is_parsed_with_its_heater(number: int) -> None:
    parsed = message(number)
    assert (parsed.mac_address, parsed.client_id) == (MAC, CLIENT)
    assert parsed.binary_code is None
    assert parsed.features is None


@every_message
def test_every_message_is_decoded_to_the_sent_numbers(number: int) -> None:
    decoded = status(number)
    assert decoded.extra == {}
    assert decoded.device_connected == 2
    shown = [int(getattr(decoded, spec.name)) for spec in field_specs(DeviceStatus)[:87]]
    assert shown == list(sent(number).values())


@every_message
def test_fields_the_firmware_does_not_send_are_none(number: int) -> None:
    decoded = status(number)
    later = field_specs(DeviceStatus)[87:]
    assert {getattr(decoded, spec.name) for spec in later} == {None}


@every_message
def test_every_message_is_encoded_in_the_same_order(number: int) -> None:
    original = sent(number)
    assert list(json.loads(encode_status(status(number))).items()) == list(original.items())


@every_message
def test_a_stored_message_is_decoded_without_device_connected(number: int) -> None:
    payload = captures.payloads()[number]
    stored = decode_status(payload)
    assert stored.device_connected is None
    assert encode_fields(stored) == sent(number)
    assert decode_status(payload.decode()) == stored
    assert decode_status(json.dumps(sent(number))) == stored


def test_session_ids_distinguish_responses_from_pushes() -> None:
    ids = [message(number).session_id for number in range(MESSAGES)]
    assert ids[0] == "1758919563666"
    assert ids[1] == "2"
    answers = [number for number, text in enumerate(ids) if len(text) == 13]
    assert answers == [0, 2, 4, 8, 11, 12, 14, 16, 17, 20, 23, 25]
    assert all(len(text) in (1, 13) and text.isdigit() for text in ids)


@every_message
def test_the_panel_temperature_is_the_upper_sensor_rounded_down(number: int) -> None:
    # PROTOCOL 6.8, exact in all 2,167 messages.
    decoded = status(number)
    upper = decoded.tank_upper_temperature
    assert upper is not None
    assert abs(upper / 10 - decoded.dhw_temperature / 2) < 0.5
    assert decoded.dhw_temperature == math.floor(upper / 5)
    assert 0 <= upper.celsius - decoded.dhw_temperature.celsius < 0.5


@every_message
def test_activity_of_captured_messages(number: int) -> None:
    expected = {**RUNNING, **AT_REST}.get(number, "starting")
    assert status(number).activity.value == expected


@every_message
def test_messages_with_low_power_are_not_heating(number: int) -> None:
    decoded = status(number)
    if decoded.current_inst_power < 50:
        assert decoded.activity in (Activity.STANDBY, Activity.STARTING)


def test_lock_out_after_a_run() -> None:
    s = status(LOCK_OUT)
    assert (s.command, s.operation_mode, s.operation_busy) == (16777219, 32, 2)
    assert s.operation_mode is OperationMode.HEAT_PUMP
    assert s.operation_mode.name == "HEAT_PUMP"
    assert s.activity is Activity.STARTING
    assert s.heat_sources == ()
    assert s.current_inst_power == 1
    assert s.current_inst_power.watts == 1
    assert s.dhw_temperature == 117
    assert (s.dhw_temperature.celsius, s.dhw_temperature.fahrenheit) == (58.5, 137.3)
    assert s.dhw_temperature_setting == 121
    assert s.dhw_temperature_setting.fahrenheit == 140.9
    assert s.tank_upper_temperature == 586
    assert physical(s, "tank_upper_temperature") == (58.6, 137.48)
    assert s.tank_lower_temperature == 536
    assert physical(s, "tank_lower_temperature") == (53.6, 128.48)
    assert s.discharge_temperature == 561
    assert physical(s, "discharge_temperature") == (56.1, 132.98)
    assert s.target_super_heat == 50
    assert difference(s, "target_super_heat") == (5.0, 9.0)
    assert s.current_super_heat == -1
    assert difference(s, "current_super_heat") == (-0.1, -0.18)
    assert s.wifi_rssi == 59
    assert s.wifi_rssi.dbm == -59
    assert s.dhw_charge_per == s.dhw_charge_percent == 92
    assert s.dhw_charge_per.to_json() == {"%": 92}
    assert s.comp_use is Flag.READY
    assert not s.comp_use.active
    assert s.eev_use is Flag.ACTIVE
    assert s.eva_fan_use is Flag.READY
    assert s.current_statenum is HeatPumpState.LOCK_OUT
    assert s.tou_status is TouStatus.ON_PEAK
    assert s.tou_override_status is TouOverride.FOLLOWED
    assert s.dhw_operation_setting is DHWMode.HEAT_PUMP
    assert s.current_heat_use is HeatSource.HEAT_PUMP
    assert s.temperature_type is TemperatureType.FAHRENHEIT
    assert s.temp_formula_type is TempFormula.STANDARD
    assert s.total_energy_capacity == 1861
    assert s.total_energy_capacity.watt_hours == 7444
    assert s.energy_to_setpoint_wh == 1544
    assert s.usable_energy_wh == 5900
    assert s.error_text is None
    assert not s.error_code.active


def test_heat_pump_running() -> None:
    s = status(HEAT_PUMP)
    assert s.activity is Activity.HEAT_PUMP
    assert s.heat_sources == ("heat pump",)
    assert s.comp_use is s.eva_fan_use is Flag.ACTIVE
    assert s.current_inst_power == 432
    assert s.current_inst_power.to_json() == {"W": 432}
    assert s.current_statenum is HeatPumpState.RUN
    assert physical(s, "discharge_temperature") == (69.0, 156.2)
    assert physical(s, "suction_temperature") == (13.5, 56.3)
    assert physical(s, "evaporator_temperature") == (11.1, 51.98)
    assert physical(s, "ambient_temperature") == (25.8, 78.44)
    assert difference(s, "current_super_heat") == (4.6, 8.28)
    assert (s.target_fan_rpm, s.current_fan_rpm, s.fan_pwm) == (550, 542, 1462)
    assert s.eev_step == 140
    assert physical(s, "hp_upper_on_temp_setting") == (60.5, 140.9)
    assert physical(s, "he_upper_on_temp_setting") == (35.0, 95.0)
    assert difference(s, "hp_lower_on_diff_temp_setting") == (0.4, 0.72)
    assert difference(s, "hp_lower_off_diff_temp_setting") == (0.2, 0.36)
    assert physical(s, "freeze_protection_temperature") == (6.0, 42.8)
    assert s.anti_legionella_use is Flag.READY
    assert s.anti_legionella_period == 7
    assert s.cumulated_op_time_eva_fan == 185
    assert s.available_energy_capacity == 379
    assert s.energy_to_setpoint_wh == 1516
    assert s.usable_energy_wh == 5928


def test_hybrid_while_codes_are_late() -> None:
    # Message 7: the element has just been switched off, but its power is still measured.
    s = status(HYBRID)
    assert s.command == 0x0400001C
    assert s.operation_mode is OperationMode.HEAT_PUMP
    assert s.heat_upper_use is s.heat_lower_use is Flag.READY
    assert s.current_inst_power == 5378
    assert s.activity is Activity.HYBRID
    assert s.heat_sources == ("heat pump",)
    assert s.total_energy_capacity == 1791
    assert s.energy_to_setpoint_wh == 1208
    assert s.usable_energy_wh == 5956


def test_electric_element_alone() -> None:
    s = status(ELECTRIC)
    assert s.activity is Activity.ELECTRIC
    assert s.heat_sources == ("upper element",)
    assert s.operation_mode is OperationMode.ELECTRIC
    assert s.dhw_operation_setting is DHWMode.HIGH_DEMAND
    assert s.current_heat_use is HeatSource.HEAT_PUMP_AND_ELEMENT
    assert s.current_statenum is HeatPumpState.IDLE
    assert s.heat_upper_use is Flag.ACTIVE
    assert s.heat_lower_use is s.comp_use is Flag.READY
    assert s.current_inst_power == 5193
    assert s.dhw_use is Flag.ACTIVE
    assert s.dhw_temperature == 120
    assert (s.dhw_temperature.celsius, s.dhw_temperature.fahrenheit) == (60.0, 140.0)
    assert physical(s, "tank_upper_temperature") == (60.0, 140.0)
    assert physical(s, "tank_lower_temperature") == (59.7, 139.46)
    assert s.wifi_rssi.dbm == -60
    assert s.dhw_charge_percent == 98
    assert s.eev_step == 407
    assert difference(s, "current_super_heat") == (8.6, 15.48)
    assert difference(s, "he_upper_on_diff_temp_setting") == (0.4, 0.72)
    assert s.tou_status is TouStatus.OFF_PEAK
    assert s.energy_to_setpoint_wh == 196
    assert s.usable_energy_wh == 6968


def test_vacation_days_are_masked_after_a_vacation() -> None:
    s = status(VACATION_KEPT)
    assert s.dhw_operation_setting is DHWMode.HEAT_PUMP
    assert (s.vacation_day_setting, s.vacation_day_elapsed) == (2, 2)
    assert s.current_statenum is HeatPumpState.PRE_RUN
    assert s.dhw_charge_per == 100
    assert s.energy_to_setpoint_wh == 0
    assert s.usable_energy_wh == 6880
    assert s.activity is Activity.STARTING


def physical(decoded: DeviceStatus, name: str) -> tuple[float, float]:
    value = getattr(decoded, name)
    return value.celsius, value.fahrenheit


def difference(decoded: DeviceStatus, name: str) -> tuple[float, float]:
    value = getattr(decoded, name)
    return value.kelvin, value.fahrenheit_degrees


# The field log: 99 keys of newer firmware.


def test_every_status_of_the_field_log_survives_a_round_trip() -> None:
    lines = captures.field_log()
    assert len(lines) == 700
    keys = {spec.name: spec.key for spec in field_specs(DeviceStatus)}
    for line in lines:
        numbers = log_numbers(line)
        decoded = log_status(line)
        assert len(numbers) == 99
        assert {name: getattr(decoded, name) for name in numbers} == numbers
        assert encode_fields(decoded) == {keys[name]: value for name, value in numbers.items()}


def test_the_field_log_has_the_first_99_fields() -> None:
    decoded = log_status(captures.field_log()[0])
    names = [spec.name for spec in field_specs(DeviceStatus)]
    assert list(encode_fields(decoded)) == [spec.key for spec in field_specs(DeviceStatus)[:99]]
    assert {getattr(decoded, name) for name in names[99:]} == {None}


def test_the_field_log_agrees_with_the_client_that_wrote_it() -> None:
    # An independent client decoded it; our integers must give its Fahrenheit.
    for line in captures.field_log():
        decoded = log_status(line)
        for name in HALVES_OF_A_DEGREE:
            assert getattr(decoded, name).fahrenheit == pytest.approx(float(line[name]), abs=0.006)
        for name in TENTHS_OF_A_DEGREE - {"target_super_heat", "current_super_heat"}:
            assert getattr(decoded, name).fahrenheit == pytest.approx(float(line[name]), abs=0.006)
        for name in ("target_super_heat", "current_super_heat"):
            # That client added the 32 of a temperature to these differences.
            shown = getattr(decoded, name).fahrenheit_degrees + 32
            assert shown == pytest.approx(float(line[name]), abs=0.006)


def test_the_first_status_of_the_field_log() -> None:
    s = log_status(captures.field_log()[0])
    assert (s.dhw_temperature, s.tank_upper_temperature, s.tank_lower_temperature) == (
        117,
        588,
        588,
    )
    assert (s.discharge_temperature, s.suction_temperature) == (659, 73)
    assert (s.evaporator_temperature, s.ambient_temperature) == (61, 156)
    assert (s.target_super_heat, s.current_super_heat) == (50, 35)
    assert s.he_upper_off_diff_temp_setting == -2
    assert difference(s, "he_upper_off_diff_temp_setting") == (-0.2, -0.36)
    assert s.heat_min_op_temperature == 81
    assert physical(s, "heat_min_op_temperature") == (40.5, 104.9)
    assert s.energy_to_setpoint_wh == 476
    assert s.usable_energy_wh == 5140
    assert s.current_inst_power == 442
    assert s.activity is Activity.HEAT_PUMP


def test_the_field_log_follows_the_rules_of_charge_and_panel() -> None:
    # PROTOCOL 6.8: the panel is exact; charge is exact in 2,103 of 2,122, the rest are off by 1.
    off = 0
    for line in captures.field_log():
        s = log_status(line)
        upper = s.tank_upper_temperature
        assert upper is not None
        assert s.dhw_temperature == upper // 5
        charge = 100 * (upper - 350) // (5 * s.dhw_temperature_setting - 350)
        assert abs(s.dhw_charge_per - min(100, max(0, charge))) <= 1
        off += s.dhw_charge_per != min(100, max(0, charge))
    assert off <= 19


def test_statuses_of_the_field_log_with_low_power_are_not_heating() -> None:
    seen = {Activity.HEAT_PUMP: 0, Activity.STANDBY: 0}
    for line in captures.field_log():
        s = log_status(line)
        if s.current_inst_power < 50:
            assert s.activity in (Activity.STANDBY, Activity.STARTING)
        else:
            assert s.activity is Activity.HEAT_PUMP
        seen[s.activity] = seen.get(s.activity, 0) + 1
    assert seen[Activity.HEAT_PUMP] >= 217
    assert seen[Activity.STANDBY] >= 400


# REST


def test_the_captured_user_is_decoded() -> None:
    user = decode_fields(UserInfo, captures.rest_data("sign_in")["userInfo"])
    assert (user.user_type, user.user_status, user.user_seq) == ("O", "NORMAL", 20002)
    assert user.extra == {}
    assert encode_fields(user) == captures.rest_data("sign_in")["userInfo"]


def heater(record: dict[str, Any]) -> DeviceInfo:
    """Decode the device info of REST: its two inner objects as one."""
    return decode_fields(DeviceInfo, {**record["deviceInfo"], **record["location"]})


def test_the_captured_list_and_device_info_have_one_type() -> None:
    listed = heater(captures.rest_data("device_list")[0])
    asked = heater(captures.rest_data("device_info"))
    assert (listed.mac_address, listed.additional_value) == (MAC, "1234")
    assert (asked.mac_address, asked.additional_value) == (None, None)
    assert listed.home_seq == asked.home_seq == 10001
    assert listed.device_type == asked.device_type == 52
    assert listed.device_name == asked.device_name == "NWP500"
    assert (listed.connected, listed.online) == (2, True)
    assert (listed.install_type, asked.install_type) == (None, "R")
    # The city keeps its trailing space.
    assert listed.city == asked.city == "Sampletown "
    assert asked.extra["altitude"] is None
    assert listed.extra == {}


def test_the_captured_firmware_is_decoded() -> None:
    parts = [
        decode_fields(FirmwareInfo, entry)
        for entry in captures.rest_data("firmware_info")["firmwares"]
    ]
    assert [part.cur_sw_code for part in parts] == [33556241, 268435985, 268435761, 268435777]
    assert [texts(part.cur_version) for part in parts[:2]] == ["10.1.0.0", "2.7.0.0"]
    assert [part.downloaded_version for part in parts] == [0, None, None, None]


def texts(value: Quantity | None) -> Any:
    return None if value is None else value.text


NEWER_PARTS = (
    ".data[].error",
    ".data[].descaling",
    ".data[].deviceInfo.modelTypeCode",
    ".data[].deviceInfo.installerId",
)


@pytest.mark.parametrize(
    "name",
    ["sign_in", "refresh", "device_list", "device_info", "firmware_info", "tou", "push_token"],
)
def test_every_captured_response_has_the_documented_keys(name: str) -> None:
    exchange = captures.rest_exchange(name)
    base, path = exchange["path"][:9], exchange["path"][9:]
    assert (base, exchange["status"]) == ("/api/v2.1", 200)
    # Parts of the list are newer than the recording (PROTOCOL 1.7).
    newer = {path for path in response_keys(path) if path.startswith(NEWER_PARTS)}
    assert key_paths(exchange["response"]) == response_keys(path) - newer


# The cloud's time-of-use plan


def test_the_captured_plan() -> None:
    info = decode_tou(captures.rest_data("tou"))
    assert info.name == "S-TOU-X Sample Rate Time of Use Baseline Region Z (All Electric Service)"
    assert (info.utility, info.zip_code) == ("Sample Gas & Electric LLC", "10001")
    assert (info.controller_id, info.manufacture_id) == ("12345678AB12345678", "1234E5678901234")
    assert (info.register_path, info.source_type) == ("bt", "openei")
    assert len(info.periods) == 12
    winter, summer = frozenset({10, 11, 12, 1, 2, 3, 4, 5}), frozenset({6, 7, 8, 9})
    assert info.periods[1] == TOUPeriod(
        winter, WEEKDAYS, time(16, 0), time(20, 59), Decimal("0.33"), Decimal("0.43")
    )
    assert info.periods[11] == TOUPeriod(
        summer, WEEKEND, time(21, 0), time(23, 59), Decimal("0.34"), Decimal("0.44")
    )


def test_the_captured_plan_is_complete_and_survives_a_round_trip() -> None:
    recorded = captures.rest_data("tou")
    info = decode_tou(recorded)
    check_tou(info.periods)
    back = encode_tou_rest(info)
    assert back["schedule"] == recorded["touInfo"]["schedule"]
    assert back["zipCode"] == "10001"
    written = encode_tou_mqtt(info.periods)
    assert [entry["season"] for entry in written] == [31] * 6 + [3584] * 6 + [480] * 6
    (window,) = peak_windows(info.periods, date(2026, 7, 4))
    assert (window.start.hour, window.end.hour) == (16, 21)


# Masks


def frame(payload: Any, topic: str = f"cmd/52/navilink-{MAC}/st") -> CaptureEntry:
    return CaptureEntry(datetime(2026, 1, 1, 6, tzinfo=timezone.utc), OUT, MQTT, topic, payload)


def test_masking_keeps_measured_values() -> None:
    for payload in captures.payloads():
        masked = mask_entry(frame(json.loads(payload), PUSH_TOPIC))
        before, after = (parse_message(masked.name, one) for one in (payload, masked.content))
        assert before is not None and after is not None
        assert after.body == before.body and after.session_id == before.session_id
    for name in ("device_list", "device_info", "firmware_info", "tou", "sign_in", "refresh"):
        masked = mask_entry(frame(captures.rest_data(name)))
        assert find_private(masked.line) == [] and "eyJ" not in masked.line
    assert decode_tou(mask_entry(frame(captures.rest_data("tou"))).payload).periods
    assert parse_device_info(mask_entry(frame(captures.rest_data("device_list"))).payload[0]).online
