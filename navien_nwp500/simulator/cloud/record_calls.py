"""REST calls about the records of a heater in the cloud (PROTOCOL 1.10, 1.17, 1.18).

No client needs them to read or control a heater; the calls of each day are in ``rest_api``.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any, Callable, Mapping

from .accounts import CloudAccount, Location
from .rest_fields import (
    NO_DATA,
    Fields,
    RestError,
    bad_request,
    check_user_type,
    find_heater,
    read_count,
    read_object,
    read_text,
)
from .tou_plan import converted_plan, empty_plan, sample_plan, stored_plan

Call = Callable[[CloudAccount, Fields], Any]

MAX_PAGE = 20
#: Software codes of the controller and of the Wi-Fi module (PROTOCOL 1.9).
MAIN_CONTROLLER, WIFI_MODULE = 33556241, 268435985

_USER_KINDS = ("O", "M")
_ALARMS = ("isErrorAlarm", "isDescalingAlarm", "isEtcAlarm")
_ON, _OFF = 1, 2
_PLACES = ("state", "city", "address")
_COORDINATES = ("latitude", "longitude")
#: Year, month and day without leading zeros, as the app sends it.
_DATE = re.compile(r"20\d\d-([1-9]|1[0-2])-([1-9]|[12]\d|3[01])")
_REGISTERED_AT = 1700000000000


def _tou(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = find_heater(account, fields)
    read_text(fields, "controllerId")
    check_user_type(account, fields)
    return heater.tou_plan or sample_plan(heater.controller_serial, heater.manufacture_id)


def _store_tou(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = find_heater(account, fields)
    check_user_type(account, fields)
    try:
        heater.tou_plan = stored_plan(fields, heater.controller_serial, heater.manufacture_id)
    except (KeyError, TypeError, ValueError) as error:
        raise bad_request() from error
    return {key: heater.tou_plan[key] for key in ("sourceType", "touInfo")}


def _delete_tou(account: CloudAccount, fields: Fields) -> object:
    """Delete the plan; one that was registered over Bluetooth is found by its controller."""
    heater = find_heater(account, fields)
    for key in ("sourceType", "userType"):
        read_text(fields, key)
    if read_text(fields, "registerPath") == "bt":
        _check_controller(heater.controller_serial, fields)
    heater.tou_plan = empty_plan(heater.controller_serial, heater.manufacture_id)
    return NO_DATA


def _convert_tou(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    for key in ("sourceType", "userType"):
        read_text(fields, key)
    read_count(fields, "sourceVersion")
    records = fields.get("sourceData")
    if not isinstance(records, list):
        raise bad_request()
    try:
        return {"touInfo": [converted_plan(record) for record in records]}
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise bad_request() from error


def _manufacture_id(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    heater = find_heater(account, fields)
    _check_controller(heater.controller_serial, fields)
    return {"manufactureId": heater.manufacture_id}


def _check_controller(serial: str, fields: Fields) -> None:
    if read_text(fields, "controllerId") != serial:
        raise RestError(500, "INTERNAL_SERVER_ERROR")


def _push_settings(account: CloudAccount, fields: Fields) -> dict[str, int]:
    alarms = find_heater(account, fields).alarms
    return {key: alarms[key] for key in _alarm_keys(account)}


def _set_push_settings(account: CloudAccount, fields: Fields) -> object:
    heater = find_heater(account, fields)
    changed = {key: fields[key] for key in _ALARMS if key in fields}
    if any(value not in (_ON, _OFF) for value in changed.values()):
        raise bad_request()
    heater.alarms.update(changed)
    return NO_DATA


def _alarm_keys(account: CloudAccount) -> list[str]:
    is_member = account.user_type == "M"
    return [key for key in _ALARMS if not (is_member and key == "isDescalingAlarm")]


def _simple_list(account: CloudAccount, fields: Fields) -> list[dict[str, Any]]:
    if read_text(fields, "targetUserId").lower() != account.email.lower():
        raise RestError(404, "COMMON_NOT_AUTHORIZED")
    return [
        {
            "macAddress": heater.mac_address,
            "additionalValue": heater.additional_value,
            "deviceType": heater.device_type,
            "modelTypeCode": heater.model_type_code,
            "deviceName": heater.device_name,
        }
        for heater in paginated(account.heaters, fields)
    ]


def paginated(entries: Any, fields: Fields) -> Any:
    """Return the entries that ``offset`` and ``count`` select, at most a page. Raise RestError."""
    offset, count = read_count(fields, "offset"), min(read_count(fields, "count"), MAX_PAGE)
    return entries[offset : offset + count]


def _change_info(account: CloudAccount, fields: Fields) -> object:
    """Rename a heater, and change its place if one is given."""
    device = read_object(fields, "deviceInfo")
    heater = find_heater(account, device)
    name, place = read_text(device, "deviceName"), heater.location
    install_type = read_text(device, "installType") if "installType" in device else None
    if "location" in fields:
        place = _changed_place(place, read_object(fields, "location"))
    heater.device_name, heater.location = name, place
    heater.install_type = install_type or heater.install_type
    return NO_DATA


def _changed_place(place: Location, changes: Fields) -> Location:
    found: dict[str, Any] = {key: changes[key] for key in _COORDINATES if key in changes}
    if any(type(value) not in (int, float) for value in found.values()):
        raise bad_request()
    found.update({key: read_text(changes, key) for key in _PLACES if key in changes})
    return replace(place, **found)


def _maintenance_history(kind: str) -> Call:
    def call(account: CloudAccount, fields: Fields) -> list[dict[str, Any]]:
        entries = find_heater(account, fields).maintenance.get(kind, [])
        found: list[dict[str, Any]] = paginated(entries, fields)
        return found

    return call


def _record_maintenance(kind: str) -> Call:
    def call(account: CloudAccount, fields: Fields) -> object:
        heater = find_heater(account, fields)
        date = read_text(fields, "maintenanceDate")
        if read_count(fields, "deviceType") != heater.device_type or not _DATE.fullmatch(date):
            raise bad_request()
        entry = {"maintenanceDate": date, "registerAt": int(time.time() * 1000)}
        heater.maintenance.setdefault(kind, []).insert(0, entry)
        return NO_DATA

    return call


def _error_list(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    """Return no errors, and only to an installer."""
    if account.user_type in _USER_KINDS:
        raise RestError(404, "COMMON_NOT_AUTHORIZED")
    find_heater(account, fields)
    return {"timeZone": "America/New_York", "errorInfo": []}


def _preferences(account: CloudAccount, fields: Fields) -> object:
    """Refuse: the display format is for devices of type 8, which are not simulated."""
    raise bad_request()


def _firmware_description(account: CloudAccount, fields: Fields) -> dict[str, Any]:
    code, version = read_count(fields, "swCode"), read_count(fields, "swVersion")
    names = {MAIN_CONTROLLER: "Controller", WIFI_MODULE: "Wi-Fi module"}
    if code not in names:
        raise RestError(404, "NOT_FOUND")
    return {
        "description": f"{names[code]} of a heat pump water heater",
        "modelNumber": None,
        "modelType": 513,  # PROTOCOL 12.10
        "productFamily": None,
        "registerAt": _REGISTERED_AT,
        "runTime": 10,
        "swCode": code,
        "swVersion": version,
    }


#: Calls by method and path, whose ``userId`` must be the account's.
CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", "/device/tou"): _tou,
    ("PUT", "/device/tou"): _store_tou,
    ("DELETE", "/device/tou"): _delete_tou,
    ("POST", "/device/tou/convert"): _convert_tou,
    ("GET", "/device/tou/manufacture-id"): _manufacture_id,
    ("POST", "/user/get-push-settings"): _push_settings,
    ("POST", "/user/set-push-settings"): _set_push_settings,
    ("POST", "/device/simple-list"): _simple_list,
    ("POST", "/device/change-info"): _change_info,
    ("POST", "/device/filter/history"): _maintenance_history("filter"),
    ("POST", "/device/filter/change-info"): _record_maintenance("filter"),
    ("POST", "/device/cip/history"): _maintenance_history("cip"),
    ("POST", "/device/cip/change-info"): _record_maintenance("cip"),
}
#: Calls that name no ``userId``.
CALLS_WITHOUT_USER: Mapping[tuple[str, str], Call] = {
    ("POST", "/device/error/list"): _error_list,
    ("GET", "/device/preferences/format"): _preferences,
    ("POST", "/device/preferences/format"): _preferences,
    ("POST", "/firmware/info"): _firmware_description,
}
