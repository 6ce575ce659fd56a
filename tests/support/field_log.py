"""The recorded statuses with their times: the field log as it was sent, and the captured messages.

Both need the captures beside the repository (``captures``).
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from navien_nwp500.protocol.fields import decode_fields, field_specs
from navien_nwp500.protocol.messages import decode_status
from navien_nwp500.protocol.status import DeviceStatus
from support import captures

# The field log: 99 keys of newer firmware, converted by the rules of its README.

TENTHS_OF_A_DEGREE = {
    "tank_upper_temperature",
    "tank_lower_temperature",
    "discharge_temperature",
    "suction_temperature",
    "evaporator_temperature",
    "ambient_temperature",
    "target_super_heat",
    "current_super_heat",
}
HALVES_OF_A_DEGREE = {
    "dhw_temperature",
    "dhw_temperature_setting",
    "dhw_target_temperature_setting",
    "dhw_temperature2",
    "freeze_protection_temperature",
    "heat_min_op_temperature",
    "recirc_temp_setting",
    "recirc_temperature",
    "recirc_faucet_temperature",
    "current_inlet_temperature",
    *(
        f"{source}_{place}_{edge}_temp_setting"
        for source in ("hp", "he")
        for place in ("upper", "lower")
        for edge in ("on", "off")
    ),
}
# PROTOCOL 6.4: the keys in which the newer firmware sends 0 for off.
ZERO_WHEN_OFF = {"dhw_use_sustained"}
NAMES = {
    "current_heat_use": {"UNKNOWN": 0, "HEATPUMP": 1},
    "operation_mode": {"STANDBY": 0, "HEAT_PUMP_MODE": 32},
    "dhw_operation_setting": {"ENERGY_SAVER": 3},
    "temperature_type": {"FAHRENHEIT": 2},
    "temp_formula_type": {"STANDARD": 1},
    "error_code": {"NO_ERROR": 0},
    "tou_status": {"False": 0},
    "tou_override_status": {"True": 1},
}
_KEYS = {spec.name: spec.key for spec in field_specs(DeviceStatus)}
NOT_SENT = {"timestamp", "freeze_protection_temp_min", "freeze_protection_temp_max"}


def raw(name: str, text: str) -> int:
    """Return the number that was sent for a column of the field log."""
    if name in NAMES:
        return NAMES[name][text]
    if text in ("True", "False"):
        return 2 if text == "True" else 0 if name in ZERO_WHEN_OFF else 1
    if name in HALVES_OF_A_DEGREE:
        return round((float(text) - 32) / 0.9)
    if name in TENTHS_OF_A_DEGREE:
        return round((float(text) - 32) / 0.18)
    if name.endswith(("_diff_temp_setting", "_flow_rate")):
        return round(float(text) * 10)
    return int(text)


def log_numbers(line: dict[str, str]) -> dict[str, int]:
    return {name: raw(name, text) for name, text in line.items() if name not in NOT_SENT}


def log_status(line: dict[str, str]) -> DeviceStatus:
    return status_of_numbers(log_numbers(line))


def status_of_numbers(numbers: dict[str, int]) -> DeviceStatus:
    """Return the status that numbers by field name make."""
    body = {_KEYS[name]: value for name, value in numbers.items()}
    return decode_status(json.dumps(body).encode())


def log_time(line: dict[str, str]) -> datetime:
    """Return when a row of the field log was received."""
    return datetime.fromisoformat(line["timestamp"]).replace(tzinfo=timezone.utc)


@lru_cache(maxsize=None)
def log_numbers_by_time() -> tuple[tuple[datetime, dict[str, int]], ...]:
    """Return the rows of the field log in order of time: two pollers were interleaved in it."""
    found = [(log_time(line), log_numbers(line)) for line in captures.field_log()]
    return tuple(sorted(found, key=lambda one: one[0]))


@lru_cache(maxsize=None)
def captured_statuses() -> tuple[tuple[datetime, DeviceStatus], ...]:
    """Return the captured messages in order, each with its time.

    The session id of a response is the time of its request; a push has none, and stands one second
    after the message before it.
    """
    found: list[tuple[datetime, DeviceStatus]] = []
    for payload in captures.payloads():
        message = json.loads(payload)
        number = int(message["sessionID"])
        if number < 10:
            when = found[-1][0] + timedelta(seconds=1)
        else:
            when = datetime.fromtimestamp(number / 1000, timezone.utc)
        found.append((when, decode_fields(DeviceStatus, message["response"]["status"])))
    return tuple(found)
