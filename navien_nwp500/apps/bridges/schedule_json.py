"""Reservations and time-of-use plan of a heater as JSON for Home Assistant, and from it.

What an entity shows as its attributes can be sent back as it is. Times are those of the heater's
clock, which is taken to be in the time zone of this computer.
"""

from __future__ import annotations

import json
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Collection, Mapping, NamedTuple

from ...exceptions import ValueOutOfRangeError
from ...protocol.calendar import Weekday
from ...protocol.schedules import Reservation, ReservationMode, ReservationProgram
from ...protocol.tou import TOUInfo, TOUPeriod
from .entities import known_words, words

_DAYS = {day.name[:3].lower(): day for day in Weekday}


class Plan(NamedTuple):
    """Time-of-use plan to be written; a text that is None stays as it is."""

    periods: list[TOUPeriod]
    enabled: bool
    name: str | None
    utility: str | None


def schedule_values(
    program: ReservationProgram | None, plan: TOUInfo | None, fahrenheit: bool, now: datetime
) -> dict[str, Any]:
    """Return what the entities of the schedules show, and their attributes; None means unknown."""
    values: dict[str, Any] = {"next_reservation": None, "tou_plan": None}
    values.update({attributes_key(key): {} for key in tuple(values)})
    if program is not None:
        attributes: dict[str, Any] = {
            "enabled": program.enabled,
            "unit": "°F" if fahrenheit else "°C",
            "reservations": [_reservation_json(one, fahrenheit) for one in program.reservations],
        }
        following = program.next_after(now)
        if following is not None:
            values["next_reservation"] = following[0].astimezone().isoformat()
            shown = _reservation_json(following[1], fahrenheit)
            attributes.update({f"next_{key}": shown[key] for key in ("mode", "temperature")})
        values[attributes_key("next_reservation")] = attributes
    if plan is not None:
        values["tou_plan"] = (plan.name or "Without a name")[:255] if plan.periods else "No plan"
        values[attributes_key("tou_plan")] = {
            "name": plan.name,
            "utility": plan.utility,
            "periods": [_period_json(one) for one in plan.periods],
        }
    return values


def attributes_key(key: str) -> str:
    """Return the key of an entity's attributes in the JSON of its topic."""
    return f"{key}_attributes"


def _reservation_json(one: Reservation, fahrenheit: bool) -> dict[str, Any]:
    return {
        "days": _day_names(one.days),
        "time": f"{one.time:%H:%M}",
        "mode": known_words(one.mode),
        "temperature": one.temperature.fahrenheit if fahrenheit else one.temperature.celsius,
        "enabled": one.enabled,
    }


def _period_json(one: TOUPeriod) -> dict[str, Any]:
    return {
        "months": sorted(one.months),
        "days": _day_names(one.days),
        "start": f"{one.start:%H:%M}",
        "end": f"{one.end:%H:%M}",
        "price_min": str(one.price_min),
        "price_max": str(one.price_max),
    }


def _day_names(days: Collection[Weekday]) -> list[str]:
    return [name for name, day in _DAYS.items() if day in days]


def parse_reservations(text: str, fahrenheit: bool) -> tuple[bool, list[Reservation]]:
    """Parse the attributes of the next reservation, sent back: ``enabled`` and ``reservations``.

    Without ``unit`` temperatures are in the unit of the heater. Raises ValueOutOfRangeError.
    """
    body = _object(text)
    unit = body.get("unit", "°F" if fahrenheit else "°C")
    if unit not in ("°F", "°C"):
        raise ValueOutOfRangeError("unit must be °F or °C")
    entries = [
        Reservation.at(
            _time(entry, "time"),
            _days(entry),
            _mode(entry),
            enabled=_boolean(entry, "enabled"),
            fahrenheit=_number(entry, "temperature") if unit == "°F" else None,
            celsius=_number(entry, "temperature") if unit == "°C" else None,
        )
        for entry in _entries(body, "reservations")
    ]
    return _boolean(body, "enabled"), entries


def parse_plan(text: str) -> Plan:
    """Parse the attributes of the time-of-use plan, sent back. Raises ValueOutOfRangeError.

    ``enabled`` false writes it switched off.
    """
    body = _object(text)
    periods = [
        TOUPeriod(
            frozenset(_months(entry)),
            _days(entry),
            _time(entry, "start"),
            _time(entry, "end"),
            _price(entry, "price_min"),
            _price(entry, "price_max"),
        )
        for entry in _entries(body, "periods")
    ]
    return Plan(
        periods, _boolean(body, "enabled"), *(_text(body, key) for key in ("name", "utility"))
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ValueOutOfRangeError("the message must be JSON") from error
    if not isinstance(body, dict):
        raise ValueOutOfRangeError("the message must be a JSON object")
    return body


def _entries(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = body.get(key)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueOutOfRangeError(f"{key} must be a list of JSON objects")
    return listed


def _boolean(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, True)
    if not isinstance(value, bool):
        raise ValueOutOfRangeError(f"{key} must be true or false")
    return value


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueOutOfRangeError(f"{key} must be a text")
    return value


def _number(body: Mapping[str, Any], key: str) -> float:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not -1000 < value < 1000:
        raise ValueOutOfRangeError(f"{key} must be a number of degrees")
    return float(value)


def _time(body: Mapping[str, Any], key: str) -> time:
    try:
        return datetime.strptime(str(body.get(key)), "%H:%M").time()
    except ValueError as error:
        raise ValueOutOfRangeError(f"{key} must be a time such as 06:30") from error


def _days(body: Mapping[str, Any]) -> frozenset[Weekday]:
    listed = body.get("days")
    if not isinstance(listed, list) or not all(str(one) in _DAYS for one in listed):
        raise ValueOutOfRangeError(f"days must be a list of {', '.join(_DAYS)}")
    return frozenset(_DAYS[str(one)] for one in listed)


def _months(body: Mapping[str, Any]) -> list[int]:
    listed = body.get("months")
    if not isinstance(listed, list) or not all(
        type(one) is int and 1 <= one <= 12 for one in listed
    ):
        raise ValueOutOfRangeError("months must be a list of numbers from 1 to 12")
    return listed


def _mode(body: Mapping[str, Any]) -> ReservationMode:
    modes = {words(one): one for one in ReservationMode}
    found = modes.get(str(body.get("mode")))
    if found is None:
        raise ValueOutOfRangeError(f"mode must be one of {', '.join(modes)}")
    return found


def _price(body: Mapping[str, Any], key: str) -> Decimal:
    try:
        return Decimal(str(body.get(key)))
    except InvalidOperation as error:
        raise ValueOutOfRangeError(f"{key} must be a number") from error
