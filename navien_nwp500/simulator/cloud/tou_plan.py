"""The time-of-use plan that the cloud stores for a heater (PROTOCOL 1.10)."""

from __future__ import annotations

from typing import Any, Mapping

_ALL_YEAR, _SUMMER = 4095, 480
_WEEKDAYS, _WEEKEND, _EVERY_DAY = 124, 130, 254
_DECIMALS = 5


def sample_plan(controller_serial: str, manufacture_id: str) -> dict[str, Any]:
    """Make the first plan of a heater: expensive weekday evenings, one price in summer."""
    return {
        "registerPath": "wifi",
        "sourceType": "openei",
        "touInfo": {
            "controllerId": controller_serial,
            "manufactureId": manufacture_id,
            "name": "Sample time-of-use rate",
            "schedule": [
                {"season": _ALL_YEAR - _SUMMER, "interval": _evening_peak()},
                {"season": _SUMMER, "interval": [_interval(_EVERY_DAY, 0, 24, 0.34)]},
            ],
            "utility": "Sample Utility",
            "zipCode": 10001,
        },
    }


def stored_plan(
    fields: Mapping[str, Any], controller_serial: str, manufacture_id: str
) -> dict[str, Any]:
    """Make the plan that a GET returns after a PUT of ``fields``.

    The ZIP code is text in a PUT and a number in a response. Raise KeyError, TypeError or ValueError
    for a missing or invalid field.
    """
    info = fields["touInfo"]
    return {
        "registerPath": fields["registerPath"],
        "sourceType": fields["sourceType"],
        "touInfo": {
            "controllerId": controller_serial,
            "manufactureId": manufacture_id,
            "name": info["name"],
            "schedule": list(info["schedule"]),
            "utility": info["utility"],
            "zipCode": int(info["zipCode"]),
        },
    }


def _evening_peak() -> list[dict[str, int]]:
    return [
        _interval(_WEEKDAYS, 0, 16, 0.30),
        _interval(_WEEKDAYS, 16, 21, 0.33),
        _interval(_WEEKDAYS, 21, 24, 0.30),
        _interval(_WEEKEND, 0, 24, 0.30),
    ]


def _interval(week: int, start_hour: int, end_hour: int, price: float) -> dict[str, int]:
    """Make one interval of a plan; prices per kWh, the last minute included."""
    return {
        "priceMin": round(price * 10**_DECIMALS),
        "priceMax": round((price + 0.1) * 10**_DECIMALS),
        "week": week,
        "decimalPoint": _DECIMALS,
        "startHour": start_hour,
        "startMinute": 0,
        "endHour": end_hour - 1,
        "endMinute": 59,
    }
