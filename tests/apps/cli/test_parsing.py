"""Parsing of typed weekdays, months and temperatures."""

from __future__ import annotations

import pytest

from navien_nwp500.apps.cli.formatting import both_units
from navien_nwp500.apps.cli.parsing import (
    days_text,
    months_text,
    parse_days,
    parse_degrees,
    parse_months,
)
from navien_nwp500.protocol.calendar import EVERY_DAY, WEEKDAYS, WEEKEND, Weekday
from navien_nwp500.protocol.types import HalfCelsius


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily", EVERY_DAY),
        ("weekdays", WEEKDAYS),
        ("mon-fri", WEEKDAYS),
        ("Sat, sunday", WEEKEND),
        ("fri-mon", WEEKEND | {Weekday.FRIDAY, Weekday.MONDAY}),
        ("tue", {Weekday.TUESDAY}),
        ("weekend,wed", WEEKEND | {Weekday.WEDNESDAY}),
    ],
)
def test_weekdays_are_parsed_and_written_the_same_way(text: str, days: set[Weekday]) -> None:
    assert parse_days(text) == days
    assert parse_days(days_text(days)) == days


def test_months_are_parsed_and_written_the_same_way() -> None:
    assert parse_months("oct-may") == {10, 11, 12, 1, 2, 3, 4, 5}
    assert months_text({10, 11, 12, 1, 2, 3, 4, 5}) == "oct-may"
    for season in range(1, 4096):
        months = {month for month in range(1, 13) if season >> (month - 1) & 1}
        assert parse_months(months_text(months)) == months


@pytest.mark.parametrize("text", ["", "mo", "monx", "mon-", "-mon", "mon--fri", "1", "mon fri"])
def test_a_text_that_is_not_a_weekday_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        parse_days(text)


def test_a_number_without_a_unit_is_in_the_unit_that_the_heater_displays() -> None:
    assert parse_degrees("120").argument("F") == {"fahrenheit": 120}
    assert parse_degrees("49.5").argument("C") == {"celsius": 49.5}
    assert parse_degrees("120 °f").argument("C") == {"fahrenheit": 120}
    assert both_units(HalfCelsius(98), "C") == "49.0 °C (120.2 °F)"
    for text in ("", "F", "1e3", "nan", "120K", "1_0"):
        with pytest.raises(ValueError):
            parse_degrees(text)
