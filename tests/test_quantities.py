"""What the integers mean, by hand; the scales are those of protocol 6.3."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navien_nwp500 import quantities
from navien_nwp500.quantities import (
    Bits,
    Choice,
    Code,
    Days,
    DeciCelsius,
    DeciKelvin,
    DeciLitresPerMinute,
    DhwControl,
    DHWMode,
    DrEvent,
    EnergyCount,
    ErrorCode,
    Flag,
    HalfCelsius,
    HeatPumpState,
    HeatSource,
    Hours,
    Litres,
    OperationMode,
    Percent,
    Quantity,
    RecircMode,
    Rpm,
    SignalStrength,
    Steps,
    Temperature,
    TemperatureType,
    TempFormula,
    TouOverride,
    TouStatus,
    UnitType,
    Version,
    Volume,
    Watts,
)

MODEST = settings(max_examples=60, deadline=None, database=None)
INT32 = st.integers(-(2**31), 2**31 - 1)


def types(base: type[Any]) -> list[type[Any]]:
    found = vars(quantities).values()
    return [t for t in found if inspect.isclass(t) and issubclass(t, base) and t is not base]


CHOICES = types(Choice)
TEMPERATURES = types(Temperature)
#: Every type a field can have; Quantity itself and Temperature are only what they share.
TYPES = [*[t for t in types(Quantity) if t is not Temperature], *CHOICES]


def test_all_the_types_are_judged_here() -> None:
    assert set(TEMPERATURES) == {HalfCelsius, DeciCelsius}
    assert len(CHOICES) >= 14
    assert len(TYPES) >= 31


@pytest.mark.parametrize(
    "raw, celsius, fahrenheit",
    [
        (121, 60.5, 140.9),
        (120, 60.0, 140.0),
        (98, 49.0, 120.2),
        (117, 58.5, 137.3),
        (131, 65.5, 149.9),
        (81, 40.5, 104.9),
        (70, 35.0, 95.0),
        (12, 6.0, 42.8),
        (0, 0.0, 32.0),
        (-80, -40.0, -40.0),
        (-1, -0.5, 31.1),
    ],
)
def test_half_degrees(raw: int, celsius: float, fahrenheit: float) -> None:
    value = HalfCelsius(raw)
    assert value == raw
    assert (value.celsius, value.fahrenheit, value.physical) == (celsius, fahrenheit, celsius)
    assert value.reading == {"celsius": celsius, "fahrenheit": fahrenheit}
    assert value.text == f"{celsius:.1f} °C ({fahrenheit:.1f} °F)"


@pytest.mark.parametrize(
    "raw, celsius, fahrenheit",
    [
        (605, 60.5, 140.9),
        (601, 60.1, 140.18),
        (594, 59.4, 138.92),
        (386, 38.6, 101.48),
        (73, 7.3, 45.14),
        (0, 0.0, 32.0),
        (-400, -40.0, -40.0),
    ],
)
def test_tenths_of_a_degree(raw: int, celsius: float, fahrenheit: float) -> None:
    value = DeciCelsius(raw)
    assert (value.celsius, value.fahrenheit, value.physical) == (celsius, fahrenheit, celsius)


@pytest.mark.parametrize(
    "raw, kelvin, fahrenheit_degrees",
    [(-2, -0.2, -0.36), (157, 15.7, 28.26), (52, 5.2, 9.36), (50, 5.0, 9.0), (0, 0.0, 0.0)],
)
def test_a_difference_never_gets_the_32_of_a_temperature(
    raw: int, kelvin: float, fahrenheit_degrees: float
) -> None:
    value = DeciKelvin(raw)
    assert (value.kelvin, value.fahrenheit_degrees) == (kelvin, fahrenheit_degrees)
    assert value.reading == {"kelvin": kelvin, "fahrenheit_degrees": fahrenheit_degrees}
    assert not hasattr(value, "fahrenheit")
    assert not hasattr(value, "celsius")


@pytest.mark.parametrize("counts, wh", [(1404, 5616), (21, 84), (77, 308), (0, 0), (1861, 7444)])
def test_an_energy_count_is_4_watt_hours(counts: int, wh: int) -> None:
    assert EnergyCount(counts).watt_hours == wh
    assert EnergyCount(counts).reading == {"Wh": wh}


@pytest.mark.parametrize("raw, dbm", [(58, -58), (-58, -58), (0, 0)])
def test_signal_strength_is_sent_without_its_sign(raw: int, dbm: int) -> None:
    assert SignalStrength(raw).dbm == dbm
    assert SignalStrength(raw).reading == {"dBm": dbm}


@pytest.mark.parametrize(
    "raw, text",
    [
        (184614912, "11.1.0.0"),
        (167837696, "10.1.0.0"),
        (34013184, "2.7.0.0"),
        (0, "0.0.0.0"),
        (0x7F0102FF, "127.1.2.255"),
        (-1, "255.255.255.255"),
    ],
)
def test_four_bytes_make_a_version(raw: int, text: str) -> None:
    assert Version(raw) == raw
    assert Version(raw).text == Version(raw).reading == text


@pytest.mark.parametrize(
    "value, reading, text",
    [
        (Watts(5378), {"W": 5378}, "5378 W"),
        (Percent(98), {"%": 98}, "98 %"),
        (Days(7), {"d": 7}, "7 d"),
        (Hours(200_000), {"h": 200_000}, "200000 h"),
        (Rpm(894), {"rpm": 894}, "894 rpm"),
        (Steps(480), {"steps": 480}, "480 steps"),
        (Litres(10_000_000), {"L": 10_000_000}, "10000000 L"),
        (DeciLitresPerMinute(57), {"L/min": 5.7}, "5.7 L/min"),
        (EnergyCount(1404), {"Wh": 5616}, "5616 Wh"),
        (SignalStrength(58), {"dBm": -58}, "-58 dBm"),
        (DeciKelvin(-2), {"kelvin": -0.2, "fahrenheit_degrees": -0.36}, "-0.2 K"),
        (Code(16777219), 16777219, "16777219"),
        (Code(2147483647), 2147483647, "2147483647"),
        (Bits(0x24), 0x24, "0x24"),
        (ErrorCode(0), 0, "none"),
        (ErrorCode(799), 799, "E799"),
        (ErrorCode(96), 96, "E096"),
    ],
)
def test_readings_and_texts(value: Quantity, reading: Any, text: str) -> None:
    assert value.reading == reading
    assert value.text == text


def test_a_fault_is_active_when_it_has_a_number() -> None:
    assert ErrorCode(799).active
    assert not ErrorCode(0).active


# Making temperatures


@pytest.mark.parametrize(
    "fahrenheit, raw", [(140.9, 121), (140, 120), (120, 98), (149.9, 131), (32, 0), (95, 70)]
)
def test_a_wish_in_fahrenheit_becomes_the_nearest_half_degree(fahrenheit: float, raw: int) -> None:
    wish = HalfCelsius.from_fahrenheit(fahrenheit)
    assert type(wish) is HalfCelsius
    assert wish == raw
    assert abs(wish.fahrenheit - fahrenheit) <= 0.45


@pytest.mark.parametrize("cls", TEMPERATURES)
@MODEST
@given(raw=INT32)
def test_a_temperature_survives_both_scales(cls: type[Temperature], raw: int) -> None:
    value = cls(raw)
    assert cls.from_celsius(value.celsius) == raw
    assert cls.from_fahrenheit(value.fahrenheit) == raw
    assert type(cls.from_celsius(value.celsius)) is cls


@MODEST
@given(celsius=st.floats(-60, 150))
def test_a_wish_in_celsius_is_met_to_half_a_step(celsius: float) -> None:
    assert abs(HalfCelsius.from_celsius(celsius).celsius - celsius) <= 0.25
    assert abs(DeciCelsius.from_celsius(celsius).celsius - celsius) <= 0.05 + 1e-9


@pytest.mark.parametrize("cls", TEMPERATURES)
@MODEST
@given(raw=st.integers(-400, 1300))
def test_fahrenheit_has_no_dust_of_floating_point(cls: type[Temperature], raw: int) -> None:
    value = cls(raw).fahrenheit
    assert value == round(value, 2)


# Codes with names


@pytest.mark.parametrize(
    "choice, names",
    [
        (Flag, {0: "UNKNOWN", 1: "READY", 2: "ACTIVE"}),
        (OperationMode, {0: "STANDBY", 32: "HEAT_PUMP", 64: "ELECTRIC", 96: "HYBRID"}),
        (
            DHWMode,
            {
                0: "STANDBY",
                1: "HEAT_PUMP",
                2: "ELECTRIC",
                3: "ENERGY_SAVER",
                4: "HIGH_DEMAND",
                5: "VACATION",
                6: "POWER_OFF",
            },
        ),
        (HeatSource, {0: "NONE", 1: "HEAT_PUMP", 2: "ELEMENT", 3: "HEAT_PUMP_AND_ELEMENT"}),
        (
            HeatPumpState,
            {
                20: "IDLE",
                30: "PRE_RUN",
                40: "COMPRESSOR_START",
                50: "RUN",
                60: "FAN_RUN_ON",
                70: "LOCK_OUT",
            },
        ),
        (TouStatus, {0: "OFF", 1: "OFF_PEAK", 2: "MID_PEAK", 3: "ON_PEAK"}),
        (TouOverride, {0: "UNKNOWN", 1: "OVERRIDDEN", 2: "FOLLOWED"}),
        (RecircMode, {0: "UNKNOWN", 1: "ALWAYS", 2: "WEEKLY", 3: "HOT_BUTTON", 4: "NONE"}),
        (
            DrEvent,
            {
                0: "NONE",
                1: "RUN_NORMAL",
                2: "SHED",
                3: "LOAD_UP",
                4: "LOAD_UP_ADVANCED",
                5: "CRITICAL_PEAK",
                6: "GRID_EMERGENCY",
            },
        ),
        (
            DhwControl,
            {0: "UNKNOWN", 1: "DISABLED", 2: "HALF_DEGREE", 3: "ONE_DEGREE", 4: "THREE_STAGES"},
        ),
        (TemperatureType, {1: "CELSIUS", 2: "FAHRENHEIT"}),
        (TempFormula, {0: "ASYMMETRIC", 1: "STANDARD"}),
        (UnitType, {513: "NPF", 514: "NPF_SYSTEM"}),
        (Volume, {1: "GALLONS_50", 2: "GALLONS_65", 3: "GALLONS_80"}),
    ],
)
def test_the_names_of_the_codes(choice: type[Choice], names: dict[int, str]) -> None:
    # Protocol 6.2 and 12.
    assert {member.value: member.name for member in choice} == names


def test_every_code_with_names_is_listed_above() -> None:
    marks = test_the_names_of_the_codes.pytestmark  # type: ignore[attr-defined]
    assert {arguments[0] for arguments in marks[0].args[1]} == set(CHOICES)


def test_1_is_ready_and_only_2_is_active() -> None:
    assert [Flag(raw).active for raw in (-1, 0, 1, 2, 3, 255)] == [False] * 3 + [True] + [False] * 2
    assert Flag(1) is Flag.READY
    assert (Flag.of(True), Flag.of(False)) == (Flag.ACTIVE, Flag.READY)


def test_a_tank_has_its_nominal_volume() -> None:
    assert [Volume(code).litres for code in (1, 2, 3, 4)] == [189.2, 246.0, 302.8, None]


@pytest.mark.parametrize("choice", CHOICES)
@MODEST
@given(raw=st.one_of(INT32, st.integers(-(2**63), 2**63 - 1), st.integers(-2, 100)))
def test_a_code_is_the_number_that_was_sent_known_or_not(choice: type[Choice], raw: int) -> None:
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
        assert value.reading == f"unknown_{raw}"
        assert repr(value) == f"<{choice.__name__}.UNKNOWN_{raw}: {raw}>"


@pytest.mark.parametrize("choice", CHOICES)
def test_meeting_an_unknown_code_teaches_no_new_name(choice: type[Choice]) -> None:
    before = list(choice)
    assert not choice(7777).known
    assert list(choice) == before
    assert not choice(7777).known


@pytest.mark.parametrize("value", ["2", None, 2.5, [2]])
def test_a_code_is_made_of_integers_alone(value: Any) -> None:
    for choice in CHOICES:
        with pytest.raises(ValueError, match=choice.__name__):
            choice(value)


def test_texts_of_codes_read_well() -> None:
    assert OperationMode(32).text == "heat pump"
    assert HeatPumpState(70).text == "lock out"
    assert OperationMode(32).reading == "heat_pump"
    assert OperationMode(33).text == "unknown (33)"


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
def test_every_value_can_be_read_and_told(cls: type[Any], raw: int) -> None:
    value = cls(raw)
    assert isinstance(value.text, str) and value.text
    json.dumps(value.reading, allow_nan=False)


@pytest.mark.parametrize("cls", [cls for cls in TYPES if not issubclass(cls, Choice)])
def test_a_quantity_cannot_be_changed(cls: type[Any]) -> None:
    with pytest.raises(AttributeError):
        cls(2).celsius = 3.0
    assert not hasattr(cls(2), "__dict__")
