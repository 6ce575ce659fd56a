"""Device info, last error and app version of the REST service, written by hand (PROTOCOL 1)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from navien_nwp500.exceptions import UnsupportedDeviceError
from navien_nwp500.models import Address, AppVersion, DeviceType, LastError, PushSetting
from navien_nwp500.protocol.account import APP_VERSION, parse_device_info

#: An entry of the list of 2026 (PROTOCOL 1.7).
LISTED: dict[str, Any] = {
    "deviceInfo": {
        "homeSeq": 10001,
        "macAddress": "0123456789ab",
        "additionalValue": "1234",
        "deviceType": 52,
        "deviceName": "NWP500",
        "connected": 1,
        "modelTypeCode": 513,
        "installerId": "installer@example.com",
        "newKey": 1,
    },
    "location": {"state": "Sample State", "city": "Sampletown", "address": "1 Sample Street"},
    "error": {"errorCode": 799, "errorOccuredTime": "2026-01-02T03:04:05.678Z", "other": 2},
    "descaling": {"descalingStartTime": None, "descalingEndTime": "2026-03-07"},
    "newPart": {"a": 3},
}
#: A single response (PROTOCOL 1.8).
SINGLE: dict[str, Any] = {
    "deviceInfo": {"homeSeq": 10001, "deviceType": 52, "installType": "R", "connected": 2},
    "location": {"state": None, "latitude": 40.0},
    "installer": {"installerId": "7", "installerFirstName": "In", "installerPhoneNumber": "555"},
    "alarmInfo": {"isEtcAlarm": 1, "isErrorAlarm": 2, "isDescalingAlarm": 0},
    "descaling": {"descalingStartTime": None, "descalingEndTime": None},
}


def test_the_list_holds_the_last_error_and_the_descaling() -> None:
    info = parse_device_info(LISTED)
    assert info.error is not None and info.descaling is not None
    assert info.error.error_code == 799 and info.error.text == "E799 water leak"
    assert str(info.error.advice).startswith("Close the water supply")
    assert info.error.time == datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc)
    assert info.error.extra == {"other": 2}
    assert info.descaling.descaling_end_time == "2026-03-07"
    assert info.device_type is DeviceType.NWP500 and not info.online
    assert info.model_type_code == 513 and info.installer_id == "installer@example.com"
    assert info.extra == {"newKey": 1, "newPart": {"a": 3}}
    assert info.alarm_info is None and info.installer is None


def test_the_single_response_holds_the_push_settings_and_the_installer() -> None:
    info = parse_device_info(SINGLE)
    assert info.alarm_info is not None and info.installer is not None
    assert info.alarm_info.is_etc_alarm is PushSetting.ON
    assert info.alarm_info.is_error_alarm is PushSetting.OFF
    assert info.alarm_info.is_descaling_alarm is PushSetting.NOT_REPORTED
    assert info.installer.installer_phone_number == "555"
    assert "555" not in repr(info) and "installer@" not in repr(parse_device_info(LISTED))
    assert info.error is None and info.extra["latitude"] == 40.0


@pytest.mark.parametrize("damaged", [None, 7, "E799", [], {"errorCode": "x"}])
def test_a_damaged_part_costs_only_itself(damaged: Any) -> None:
    info = parse_device_info({**LISTED, "error": damaged})
    assert info.mac_address == "0123456789ab" and info.descaling is not None
    assert info.error is None or info.error.text is None
    kept = info.extra["error"] if info.error is None else info.error.extra
    assert kept == damaged


@pytest.mark.parametrize("code", [None, 0])
def test_no_code_and_code_0_have_no_text(code: Any) -> None:
    # N: a null code is not the same claim as no error; neither is an error.
    info = parse_device_info({**LISTED, "error": {"errorCode": code, "errorOccuredTime": None}})
    assert info.error is not None and info.error.error_code == code
    assert (info.error.text, info.error.advice, info.error.time) == (None, None, None)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02 03:04:05.1+0000", datetime(2026, 1, 2, 3, 4, 5, 100000, timezone.utc)),
        (
            "2026-01-02T03:04:05.1234567-05:30",
            datetime(2026, 1, 2, 3, 4, 5, 123456, timezone(-timedelta(hours=5, minutes=30))),
        ),
        ("2026-01-02T03:04:05", None),  # the zone is not known
        ("2026-13-02T03:04:05Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_time_of_an_error_has_a_zone_or_is_none(
    text: str | None, expected: datetime | None
) -> None:
    assert LastError(error_occured_time=text).time == expected


def test_a_device_type_has_a_description() -> None:
    # PROTOCOL 16
    assert DeviceType(1).description == "a tankless unit or boiler, type 1"
    assert DeviceType(8).description == "a hydronic unit, type 8"
    assert DeviceType(99).description == "a device of an unknown kind, type 99"


@pytest.mark.parametrize("device_type", [1, 2, 8, 50, 51, 99, 0])
def test_another_device_has_no_address(device_type: int) -> None:
    """Without an address there is no topic and no request (PROTOCOL 16)."""
    with pytest.raises(UnsupportedDeviceError, match=f"type {device_type}; only the NWP500"):
        Address("0123456789ab", "1234", 10001, device_type)


@pytest.mark.parametrize(
    "oldest, outdated",
    [("2.00.00", False), (APP_VERSION, False), ("2.03.01", True), ("10.0", True), ("x", False)],
)
def test_the_app_version_of_this_library_may_be_outdated(oldest: str, outdated: bool) -> None:
    assert AppVersion(app_force_version=oldest).outdated is outdated
    assert not AppVersion().outdated
