"""Reservations and time-of-use plan as entities of Home Assistant."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.apps.bridges.schedule_json import (
    parse_plan,
    parse_reservations,
    schedule_values,
)
from navien_nwp500.exceptions import ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS, Weekday
from navien_nwp500.protocol.schedules import Reservation, ReservationMode, ReservationProgram
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import HalfCelsius
from support.home_assistant_controls import installation

SATURDAY = datetime(2026, 8, 1, 12, 0)
MORNING = Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.ENERGY_SAVER, celsius=60)
NOON = Reservation.at(time(12, 0), [Weekday.SATURDAY], ReservationMode.POWER_OFF, celsius=50)


def program(*reservations: Reservation, enabled: bool = True) -> ReservationProgram:
    return ReservationProgram(enabled, reservations)


@pytest.mark.parametrize(
    ("entries", "now", "due"),
    [
        ((MORNING, NOON), SATURDAY, datetime(2026, 8, 3, 6, 30)),
        ((NOON,), SATURDAY, datetime(2026, 8, 8, 12, 0)),
        ((NOON, MORNING), SATURDAY - timedelta(minutes=1), SATURDAY),
        ((), SATURDAY, None),
    ],
)
def test_the_next_reservation_is_the_first_after_now(
    entries: tuple[Reservation, ...], now: datetime, due: datetime | None
) -> None:
    found = program(*entries).next_after(now)
    assert (None if found is None else found[0]) == due
    assert program(*entries, enabled=False).next_after(now) is None
    values = schedule_values(program(*entries), None, True, now)
    assert values["next_reservation"] == (None if due is None else due.astimezone().isoformat())


def test_a_reservation_that_is_disabled_is_not_the_next() -> None:
    off = Reservation.at(
        time(13, 0), EVERY_DAY, ReservationMode.ELECTRIC, celsius=50, enabled=False
    )
    found = program(off, MORNING).next_after(SATURDAY)
    assert found is not None and found[1] == MORNING


@given(
    st.lists(
        st.builds(
            Reservation,
            st.frozensets(st.sampled_from(list(Weekday)), min_size=1),
            st.times().map(lambda one: one.replace(second=0, microsecond=0)),
            st.sampled_from(ReservationMode),
            st.integers(70, 131).map(HalfCelsius),
            st.booleans(),
        ),
        max_size=5,
    ),
    st.booleans(),
    st.booleans(),
)
def test_attributes_that_are_sent_back_are_the_same_reservations(
    entries: list[Reservation], enabled: bool, fahrenheit: bool
) -> None:
    values = schedule_values(program(*entries, enabled=enabled), None, fahrenheit, SATURDAY)
    text = json.dumps(values["next_reservation_attributes"])
    assert parse_reservations(text, not fahrenheit) == (enabled, entries)


ENTRY = {"days": ["mon"], "time": "06:30", "mode": "Energy saver", "temperature": 120}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "JSON object"),
        ("{}", "reservations must be a list"),
        ({"reservations": [1]}, "reservations must be a list"),
        ({"reservations": [], "unit": "K"}, "unit"),
        ({"reservations": [], "enabled": 1}, "enabled"),
        ({"reservations": [{**ENTRY, "days": ["someday"]}]}, "days"),
        ({"reservations": [{**ENTRY, "days": [[]]}]}, "days"),
        ({"reservations": [{**ENTRY, "days": []}]}, "day"),
        ({"reservations": [{**ENTRY, "time": "25:00"}]}, "time"),
        ({"reservations": [{**ENTRY, "mode": "Vacation"}]}, "mode"),
        ({"reservations": [{**ENTRY, "temperature": 10**400}]}, "temperature"),
        ({"reservations": [{**ENTRY, "temperature": None}]}, "temperature"),
        ({"reservations": [{**ENTRY, "temperature": 200}]}, "outside"),
    ],
)
def test_reservations_that_are_none_are_refused_with_the_reason(text: Any, reason: str) -> None:
    with pytest.raises(ValueOutOfRangeError, match=reason):
        parse_reservations(text if isinstance(text, str) else json.dumps(text), True)


PERIOD = {
    "months": list(range(1, 13)),
    "days": ["mon"],
    "start": "00:00",
    "end": "23:59",
    "price_min": "0.1",
    "price_max": "0.2",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"months": [0]}, "months"),
        ({"months": "all"}, "months"),
        ({"start": "24:00"}, "start"),
        ({"price_min": "cheap"}, "price_min"),
        ({"days": None}, "days"),
    ],
)
def test_a_plan_that_is_none_is_refused_with_the_reason(change: Any, reason: str) -> None:
    with pytest.raises(ValueOutOfRangeError, match=reason):
        parse_plan(json.dumps({"periods": [{**PERIOD, **change}]}))
    with pytest.raises(ValueOutOfRangeError, match="name"):
        parse_plan(json.dumps({"periods": [PERIOD], "name": 5}))


async def test_reservations_are_written_switched_and_cleared() -> None:
    async with installation() as system:
        await system.shows(next_reservation="None", reservations="OFF")
        await system.send("reservation_list", json.dumps({"reservations": [ENTRY]}))
        await system.home.until(lambda one: one.shown("next_reservation") != "None")
        await system.shows(reservations="ON")
        display = system.home.display
        due = datetime.fromisoformat(display.shown("next_reservation"))
        assert due.tzinfo is not None and (due.weekday(), due.hour, due.minute) == (0, 6, 30)
        attributes = display.attributes("next_reservation")
        assert attributes["next_mode"] == "Energy saver" and attributes["unit"] == "°F"
        assert attributes["reservations"] == [{**ENTRY, "temperature": 120.2, "enabled": True}]
        await system.set("reservations", "OFF")
        await system.shows(next_reservation="None")
        assert len(system.heater.settings.reservations.entries) == 1
        await system.set("reservations", "ON")
        await system.send("reservation_list", json.dumps({"reservations": []}))
        await system.shows(reservations="OFF", next_reservation="None")
        assert not system.heater.settings.reservations.entries


async def test_reservations_that_are_changed_elsewhere_are_shown() -> None:
    async with installation() as system:
        await system.shows(next_reservation="None")
        await system.home.until(lambda one: one.shown("tou_plan") != "None")
        system.heater.write_reservations(program(MORNING))
        await system.home.until(lambda one: one.shown("next_reservation") != "None")


async def test_a_time_of_use_plan_is_written_and_shown() -> None:
    async with installation() as system:
        await system.shows(tou="OFF")
        await system.home.until(lambda one: one.shown("tou_plan") != "None")
        week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        text = {"name": "Summer", "utility": "Edison", "periods": [{**PERIOD, "days": week}]}
        await system.send("tou_periods", json.dumps(text))
        await system.shows(tou_plan="Summer", tou="ON")
        attributes = system.home.display.attributes("tou_plan")
        assert (attributes["name"], attributes["utility"]) == ("Summer", "Edison")
        plan = parse_plan(json.dumps(attributes))
        hours = time(0, 0), time(23, 59)
        assert plan.periods == [
            TOUPeriod(EVERY_MONTH, EVERY_DAY, *hours, Decimal("0.1"), Decimal("0.2"))
        ]
