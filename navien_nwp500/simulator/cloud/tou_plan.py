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
                {"season": _SUMMER, "interval": [_interval(_EVERY_DAY, 0, 24, 0.34, 0.44)]},
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


def empty_plan(controller_serial: str, manufacture_id: str) -> dict[str, Any]:
    """Make the plan that a GET returns after a DELETE; its form is our choice."""
    info = {"controllerId": controller_serial, "manufactureId": manufacture_id, "schedule": []}
    return {"registerPath": "wifi", "sourceType": "openei", "touInfo": info}


def converted_plan(record: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a rate of OpenEI to the ``touInfo`` of a PUT.

    Months with the same schedule share a season. The price of a period is that of its lowest and
    of its highest tier. Raise LookupError, TypeError, ValueError or OverflowError for an invalid
    record.
    """
    seasons: dict[str, dict[str, Any]] = {}
    days = record["energyweekdayschedule"], record["energyweekendschedule"]
    for month in range(12):
        weekday, weekend = (day[month] for day in days)
        season = seasons.setdefault(
            str((weekday, weekend)),
            {"season": 0, "interval": _converted_days(record, weekday, weekend)},
        )
        season["season"] |= 1 << month
    named = {"utility": str(record["utility"]), "name": str(record["name"])}
    return {**named, "schedule": list(seasons.values())}


def _converted_days(
    record: Mapping[str, Any], weekday: list[int], weekend: list[int]
) -> list[dict[str, int]]:
    weeks = {_EVERY_DAY: weekday} if weekday == weekend else {_WEEKDAYS: weekday, _WEEKEND: weekend}
    intervals = []
    for week, hours in weeks.items():
        if len(hours) != 24:
            raise ValueError("a day has 24 hours")
        starts = [hour for hour in range(24) if hour == 0 or hours[hour] != hours[hour - 1]]
        for start, end in zip(starts, [*starts[1:], 24]):
            tiers = record["energyratestructure"][hours[start]]
            prices = [tier["rate"] + tier.get("adj", 0) for tier in tiers]
            intervals.append(_interval(week, start, end, min(prices), max(prices)))
    return intervals


def _evening_peak() -> list[dict[str, int]]:
    return [
        _interval(_WEEKDAYS, 0, 16, 0.30, 0.40),
        _interval(_WEEKDAYS, 16, 21, 0.33, 0.43),
        _interval(_WEEKDAYS, 21, 24, 0.30, 0.40),
        _interval(_WEEKEND, 0, 24, 0.30, 0.40),
    ]


def _interval(
    week: int, start_hour: int, end_hour: int, lowest: float, highest: float
) -> dict[str, int]:
    """Make one interval of a plan; prices per kWh, the last minute included."""
    return {
        "priceMin": round(lowest * 10**_DECIMALS),
        "priceMax": round(highest * 10**_DECIMALS),
        "week": week,
        "decimalPoint": _DECIMALS,
        "startHour": start_hour,
        "startMinute": 0,
        "endHour": end_hour - 1,
        "endMinute": 59,
    }
