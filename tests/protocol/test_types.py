"""Behaviour that all value types share; test_golden_values.py checks their meaning."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from navien_nwp500.protocol import types
from navien_nwp500.protocol.types import (
    Choice,
    DeciCelsius,
    ErrorCode,
    Flag,
    HalfCelsius,
    OperationMode,
    Quantity,
    Temperature,
)

MODEST = settings(max_examples=60, deadline=None, database=None)
INT32 = st.integers(-(2**31), 2**31 - 1)


def subclasses(base: type[Any]) -> list[type[Any]]:
    found = vars(types).values()
    return [t for t in found if inspect.isclass(t) and issubclass(t, base) and t is not base]


CHOICES = subclasses(Choice)
TEMPERATURES = subclasses(Temperature)
#: Every type that a field can have; Quantity and Temperature are only bases.
TYPES = [*[t for t in subclasses(Quantity) if t is not Temperature], *CHOICES]


def test_every_type_is_tested_here() -> None:
    assert set(TEMPERATURES) == {HalfCelsius, DeciCelsius}
    assert len(CHOICES) >= 14
    assert len(TYPES) >= 31


def test_an_error_code_is_active_unless_0() -> None:
    assert ErrorCode(799).active
    assert not ErrorCode(0).active


# Creating temperatures


@pytest.mark.parametrize(
    "fahrenheit, raw", [(140.9, 121), (140, 120), (120, 98), (149.9, 131), (32, 0), (95, 70)]
)
def test_fahrenheit_is_converted_to_the_nearest_half_degree(fahrenheit: float, raw: int) -> None:
    value = HalfCelsius.from_fahrenheit(fahrenheit)
    assert type(value) is HalfCelsius
    assert value == raw
    assert abs(value.fahrenheit - fahrenheit) <= 0.45
    assert DeciCelsius.from_fahrenheit(140.9) == DeciCelsius.from_celsius(60.5) == 605


@pytest.mark.parametrize("cls", TEMPERATURES)
@MODEST
@given(raw=INT32)
def test_a_temperature_survives_a_round_trip_in_both_units(
    cls: type[Temperature], raw: int
) -> None:
    value = cls(raw)
    assert cls.from_celsius(value.celsius) == raw
    assert cls.from_fahrenheit(value.fahrenheit) == raw
    assert type(cls.from_celsius(value.celsius)) is cls


@MODEST
@given(celsius=st.floats(-60, 150))
def test_celsius_is_converted_to_the_nearest_step(celsius: float) -> None:
    assert abs(HalfCelsius.from_celsius(celsius).celsius - celsius) <= 0.25
    assert abs(DeciCelsius.from_celsius(celsius).celsius - celsius) <= 0.05 + 1e-9


@pytest.mark.parametrize("cls", TEMPERATURES)
@MODEST
@given(raw=st.integers(-400, 1300))
def test_fahrenheit_has_no_rounding_error(cls: type[Temperature], raw: int) -> None:
    value = cls(raw).fahrenheit
    assert value == round(value, 2)


# Codes with names


def test_1_is_ready_and_only_2_is_active() -> None:
    assert [Flag(raw).active for raw in (-1, 0, 1, 2, 3, 255)] == [False] * 3 + [True] + [False] * 2
    assert Flag(1) is Flag.READY
    assert (Flag.of(True), Flag.of(False)) == (Flag.ACTIVE, Flag.READY)


@pytest.mark.parametrize("choice", CHOICES)
@MODEST
@given(raw=st.one_of(INT32, st.integers(-(2**63), 2**63 - 1), st.integers(-2, 100)))
def test_a_code_equals_the_number_that_was_sent(choice: type[Choice], raw: int) -> None:
    value: Any = choice(raw)
    assert type(value) is choice
    assert value == raw
    assert hash(value) == hash(raw)
    assert {raw: "found"}[value] == "found"
    assert int(value) == value.value == raw
    assert value == choice(raw)
    assert value.known is (raw in [int(member) for member in choice])
    assert value.text
    if not value.known:
        assert value.name == f"UNKNOWN_{raw}"
        assert value.text == f"unknown ({raw})"
        assert value.to_json() == f"unknown_{raw}"
        assert repr(value) == f"<{choice.__name__}.UNKNOWN_{raw}: {raw}>"


@pytest.mark.parametrize("choice", CHOICES)
def test_an_unknown_code_adds_no_member(choice: type[Choice]) -> None:
    before = list(choice)
    assert not choice(7777).known
    assert list(choice) == before
    assert not choice(7777).known


@pytest.mark.parametrize("value", ["2", None, 2.5, [2]])
def test_a_code_accepts_only_integers(value: Any) -> None:
    for choice in CHOICES:
        with pytest.raises(ValueError, match=choice.__name__):
            choice(value)


def test_a_code_has_a_text_and_a_json_form() -> None:
    assert (OperationMode(32).text, OperationMode(32).to_json()) == ("heat pump", "heat_pump")


# All types alike


@pytest.mark.parametrize("cls", TYPES)
def test_every_value_prints_as_the_number_on_every_python(cls: type[Any]) -> None:
    for raw in (-2, 0, 1, 2, 32, 121, 16777219, 2**31 - 1, -(2**31), 2**63 - 1):
        value = cls(raw)
        printed = {str(value), f"{value}", "{}".format(value), "%d" % value, "%s" % value}
        assert printed == {str(raw)}
        assert f"{value:>12}" == f"{raw:>12}"
        assert f"{value:x}" == f"{raw:x}"
        assert json.dumps(value) == str(raw)
        assert json.dumps({"v": [value]}) == json.dumps({"v": [raw]})


@pytest.mark.parametrize("cls", TYPES)
def test_every_value_counts_compares_and_hashes_as_the_number(cls: type[Any]) -> None:
    for raw in (-2, 0, 2, 7777):
        value = cls(raw)
        assert isinstance(value, int)
        assert value == raw
        assert hash(value) == hash(raw)
        assert value + 1 == raw + 1
        assert value / 10 == raw / 10
        assert (value < 5, value > 5) == (raw < 5, raw > 5)
        assert sorted([value, 5]) == sorted([raw, 5])


@pytest.mark.parametrize("cls", TYPES)
def test_every_value_survives_copy_and_pickle(cls: type[Any]) -> None:
    for raw in (2, 7777):
        value = cls(raw)
        for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert type(again) is cls
            assert again == raw


@pytest.mark.parametrize("cls", TYPES)
@MODEST
@given(raw=st.integers(-(2**63), 2**63 - 1))
def test_every_value_has_a_text_and_a_json_form(cls: type[Any], raw: int) -> None:
    value = cls(raw)
    assert isinstance(value.text, str) and value.text
    json.dumps(value.to_json(), allow_nan=False)


@pytest.mark.parametrize("cls", [cls for cls in TYPES if not issubclass(cls, Choice)])
def test_a_quantity_cannot_be_changed(cls: type[Any]) -> None:
    with pytest.raises(AttributeError):
        cls(2).celsius = 3.0
    assert not hasattr(cls(2), "__dict__")
