"""Weekdays, months, reservations and recirculation: PROTOCOL 8.1 to 8.3 and 8.7."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any, Callable

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ProtocolError, ValueOutOfRangeError
from navien_nwp500.protocol.calendar import (
    EVERY_DAY,
    EVERY_MONTH,
    WEEKDAYS,
    WEEKEND,
    Weekday,
    pack_days,
    pack_months,
    unpack_days,
    unpack_months,
)
from navien_nwp500.protocol.schedules import (
    RecirculationEntry,
    Reservation,
    ReservationMode,
    decode_recirculation,
    decode_reservations,
    encode_recirculation,
    encode_reservations,
    entries_from_hex,
    entries_to_hex,
)
from navien_nwp500.protocol.types import DHWMode, Flag, HalfCelsius

at = datetime.time
NOT_AN_INTEGER = [True, 2.0, None, "2", [2], -2, 2**70]

# PROTOCOL 8.3: a read response, and the write of the same program.
HEX = "027c061e0376017c16000174"
ENTRIES = [
    {"enable": 2, "week": 124, "hour": 6, "min": 30, "mode": 3, "param": 118},
    {"enable": 1, "week": 124, "hour": 22, "min": 0, "mode": 1, "param": 116},
]
MORNING = Reservation(WEEKDAYS, at(6, 30), ReservationMode.ENERGY_SAVER, HalfCelsius(118))
NIGHT = Reservation(WEEKDAYS, at(22, 0), ReservationMode.HEAT_PUMP, HalfCelsius(116), False)

days_sets = st.frozensets(st.sampled_from(Weekday), min_size=1)
minutes = st.builds(at, st.integers(0, 23), st.integers(0, 59))
reservations = st.builds(
    Reservation,
    days_sets,
    minutes,
    st.sampled_from(ReservationMode),
    st.builds(HalfCelsius, st.integers(70, 131)),
    st.booleans(),
)


# Weekdays and months


@pytest.mark.parametrize(
    "days, week",
    [
        (EVERY_DAY, 254),
        (WEEKDAYS, 124),
        (WEEKEND, 130),
        ({Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY}, 84),
        (EVERY_DAY - {Weekday.SUNDAY, Weekday.MONDAY}, 62),
        ({Weekday.SUNDAY}, 128),
        ({Weekday.SATURDAY}, 2),
        (set(), 0),
    ],
)
def test_weekday_bits_of_the_protocol(days: set[Weekday], week: int) -> None:
    assert pack_days(days) == week
    assert unpack_days(week) == days


@pytest.mark.parametrize(
    "months, season",
    [
        (EVERY_MONTH, 4095),
        ({6, 7, 8, 9}, 480),
        ({10, 11, 12, 1, 2, 3, 4, 5}, 3615),
        ({1, 2, 3, 4, 5}, 31),
        ({6, 7, 8}, 224),
        ({12, 1, 2}, 2051),
    ],
)
def test_month_bits_of_the_protocol(months: set[int], season: int) -> None:
    assert pack_months(months) == season
    assert unpack_months(season) == months


@given(st.integers(0, 255), st.integers(0, 4095))
def test_weeks_without_their_unused_bit_and_seasons_survive(week: int, season: int) -> None:
    assert pack_days(unpack_days(week)) == week & 254
    assert pack_months(unpack_months(season)) == season


def test_a_date_has_its_weekday() -> None:
    # 2026-03-01 was a Sunday.
    first = datetime.date(2026, 3, 1)
    named = [Weekday.of(first + datetime.timedelta(days=n)).name[:3] for n in range(7)]
    assert named == ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@pytest.mark.parametrize("days", ["Mon", [1], [64], [None]])
def test_other_values_are_not_days(days: Any) -> None:
    with pytest.raises(ValueOutOfRangeError, match="members of Weekday"):
        pack_days(days)


@pytest.mark.parametrize("months", [[0], [13], [True], ["May"], [1.0]])
def test_other_values_are_not_months(months: Any) -> None:
    with pytest.raises(ValueOutOfRangeError, match="1, January, to 12, December"):
        pack_months(months)


@pytest.mark.parametrize("read, top", [(unpack_days, 255), (unpack_months, 4095)])
def test_bit_fields_have_limits(read: Callable[[int], Any], top: int) -> None:
    for number in (-1, top + 1):
        with pytest.raises(ProtocolError):
            read(number)


# Reservations


def test_the_example_is_decoded_from_hex_and_objects() -> None:
    for listed in (HEX, HEX.upper(), ENTRIES):
        program = decode_reservations({"reservationUse": 2, "reservation": listed})
        assert program.enabled is True
        assert program.reservations == (MORNING, NIGHT)
    morning = program.reservations[0]
    assert morning.mode is ReservationMode.ENERGY_SAVER
    assert morning.temperature.celsius == 59.0
    assert morning.temperature.fahrenheit == 138.2
    assert program.reservations[1].temperature.fahrenheit == 136.4


def test_the_example_is_encoded() -> None:
    body = {"reservationUse": 2, "reservation": ENTRIES}
    assert encode_reservations(True, [MORNING, NIGHT]) == body
    assert encode_reservations(False, [MORNING])["reservationUse"] == 1
    assert entries_to_hex(ENTRIES) == HEX
    assert entries_from_hex(HEX) == ENTRIES


def test_an_empty_list_is_sent_as_switched_off() -> None:
    assert encode_reservations(True, []) == {"reservationUse": 1, "reservation": []}


@pytest.mark.parametrize("use, enabled", [(0, False), (1, False), (2, True)])
@pytest.mark.parametrize("nothing", ["", []])
def test_an_empty_program(use: int, enabled: bool, nothing: Any) -> None:
    program = decode_reservations({"reservationUse": use, "reservation": nothing})
    assert program.enabled is enabled
    assert program.reservations == ()


def test_padding_and_an_incomplete_entry_are_dropped() -> None:
    padded = "0" * 12 + HEX[:12] + "0" * 24 + HEX[12:] + "027c061e03"
    zeros = dict.fromkeys(ENTRIES[0], 0)
    for listed in (padded, [zeros, ENTRIES[0], zeros, ENTRIES[1]]):
        program = decode_reservations({"reservationUse": 1, "reservation": listed})
        assert program.reservations == (MORNING, NIGHT)


@pytest.mark.parametrize("mode", [0, 6, 99])
def test_an_unknown_mode_is_kept_but_cannot_be_created(mode: int) -> None:
    entry = {**ENTRIES[0], "mode": mode}
    program = decode_reservations({"reservationUse": 2, "reservation": [entry]})
    odd = program.reservations[0]
    assert odd.mode == mode and not odd.mode.known
    kept = encode_reservations(True, [odd, NIGHT], unchecked=program.reservations)
    assert kept["reservation"] == [entry, ENTRIES[1]]
    with pytest.raises(ValueOutOfRangeError, match=f"cannot have mode {mode}"):
        encode_reservations(True, [odd])
    with pytest.raises(ValueOutOfRangeError):
        encode_reservations(True, [replace(odd, enabled=False)], unchecked=program.reservations)


def test_power_off_is_5_and_vacation_is_an_error() -> None:
    off = Reservation.at(at(9, 0), WEEKEND, DHWMode.POWER_OFF, celsius=50)
    assert off.mode is ReservationMode.POWER_OFF
    assert off.to_entry()["mode"] == 5
    for mode in (DHWMode.VACATION, DHWMode.STANDBY):
        with pytest.raises(ValueOutOfRangeError, match="heat pump, electric, energy saver, high"):
            Reservation.at(at(9, 0), WEEKEND, mode, celsius=50)
        with pytest.raises(ValueOutOfRangeError):
            replace(MORNING, mode=mode)
    with pytest.raises(ValueOutOfRangeError, match="ReservationMode or a DHWMode"):
        replace(MORNING, mode=5)


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
def test_modes_have_the_same_numbers_as_dhw_modes(mode: int) -> None:
    made = Reservation.at(at(9, 0), WEEKEND, DHWMode(mode), celsius=50)
    assert made.to_entry()["mode"] == mode
    assert type(made.mode) is ReservationMode


def test_both_units_of_temperature() -> None:
    warm = Reservation.at(at(6, 30), WEEKDAYS, DHWMode.ENERGY_SAVER, fahrenheit=138.2)
    assert warm == MORNING == Reservation.at(at(6, 30), WEEKDAYS, MORNING.mode, celsius=59)


@pytest.mark.parametrize(
    "given_",
    [{}, {"celsius": 50, "fahrenheit": 122}, {"celsius": float("nan")}, {"fahrenheit": 1e400}],
)
def test_exactly_one_temperature(given_: dict[str, float]) -> None:
    with pytest.raises(ValueOutOfRangeError, match="exactly one of fahrenheit and celsius"):
        Reservation.at(at(6, 30), WEEKDAYS, DHWMode.ELECTRIC, **given_)


def test_temperature_limits() -> None:
    for raw in (70, 131):
        replace(MORNING, temperature=HalfCelsius(raw)).check()
    for raw in (69, 132):
        with pytest.raises(ValueOutOfRangeError, match=r"outside 35\.0 °C \(95\.0 °F\) to 65\.5"):
            replace(MORNING, temperature=HalfCelsius(raw)).check()
    with pytest.raises(ValueOutOfRangeError, match=r"outside 40\.5 °C"):
        Reservation.at(at(6), EVERY_DAY, DHWMode.ELECTRIC, celsius=40, lowest=HalfCelsius(81))
    with pytest.raises(ValueOutOfRangeError, match=r"to 58\.0 °C"):
        encode_reservations(True, [MORNING], highest=HalfCelsius(116))


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"days": frozenset()}, "at least one day"),
        ({"time": at(6, 30, 1)}, "whole minute"),
        ({"time": at(6, 30, 0, 1)}, "whole minute"),
        ({"time": at(6, 30, tzinfo=datetime.timezone.utc)}, "without a time zone"),
        ({"time": "06:30"}, "datetime.time"),
    ],
)
def test_days_and_times_are_checked(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueOutOfRangeError, match=sentence):
        encode_reservations(True, [replace(MORNING, **change)])
    pump = RecirculationEntry(WEEKDAYS, at(6), Flag.ACTIVE)
    with pytest.raises(ValueOutOfRangeError, match=sentence):
        encode_recirculation(True, [replace(pump, **change)])


@given(st.lists(reservations, max_size=16))
def test_a_program_survives_both_encodings(program: list[Reservation]) -> None:
    body = encode_reservations(True, program)
    assert decode_reservations(body).reservations == tuple(program)
    text = entries_to_hex(body["reservation"])
    assert len(text) == 12 * len(program)
    assert decode_reservations({**body, "reservation": text}) == decode_reservations(body)


@given(st.lists(reservations, min_size=16, max_size=16, unique=True), reservations, st.data())
def test_sixteen_entries_survive_changes(
    program: list[Reservation], other: Reservation, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, 15))
    changed = [*program[:place], other, *program[place + 1 :]]
    body = encode_reservations(True, changed, unchecked=program)
    assert decode_reservations(body).reservations == tuple(changed)
    assert len(body["reservation"]) == 16


@given(st.binary(min_size=0, max_size=100))
def test_random_bytes_are_decoded_or_an_error(raw: bytes) -> None:
    body = {"reservationUse": 2, "reservation": raw.hex()}
    try:
        program = decode_reservations(body)
    except ProtocolError:
        return
    whole = [raw[n : n + 6] for n in range(0, len(raw) - len(raw) % 6, 6)]
    assert len(program.reservations) == sum(1 for part in whole if any(part))


@pytest.mark.parametrize("key", ["enable", "week", "hour", "min", "mode", "param"])
def test_every_key_must_be_an_integer(key: str) -> None:
    for wrong in NOT_AN_INTEGER:
        for read in (decode_reservations, decode_recirculation):
            with pytest.raises(ProtocolError, match=f"{key} is not an integer"):
                read({"reservationUse": 2, "reservation": [{**ENTRIES[0], key: wrong}]})
        with pytest.raises(ProtocolError, match=key):
            entries_to_hex([{**ENTRIES[0], key: wrong}])


@pytest.mark.parametrize("text", ["037c061e0376", "027c181e0376", "027c063c0376"])
def test_bytes_have_ranges(text: str) -> None:
    with pytest.raises(ProtocolError, match="is not an integer from"):
        entries_from_hex(text)


@pytest.mark.parametrize(
    "text", ["02 7c061e0376", "027c061e037g", "027c061e0376\n", "０２7c061e0376"]
)
def test_only_hex_digits_are_accepted(text: str) -> None:
    with pytest.raises(ProtocolError, match="hex digits"):
        entries_from_hex(text)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"reservationUse": 2},
        {"reservationUse": 2, "reservation": None},
        {"reservationUse": 2, "reservation": {}},
        {"reservationUse": 2, "reservation": [HEX]},
        {"reservationUse": 2, "reservation": [{}]},
        {"reservation": HEX},
        {"reservationUse": True, "reservation": HEX},
        {"reservationUse": 3, "reservation": HEX},
    ],
)
def test_a_damaged_program_is_never_decoded_partly(body: Any) -> None:
    for read in (decode_reservations, decode_recirculation):
        with pytest.raises(ProtocolError):
            read(body)


# Recirculation


def test_the_recirculation_example() -> None:
    entry = RecirculationEntry(WEEKDAYS, at(6, 0), Flag.ACTIVE)
    body = encode_recirculation(True, [entry])
    assert body == {
        "reservationUse": 2,
        "reservation": [{"enable": 2, "week": 124, "hour": 6, "min": 0, "mode": 2, "param": -1}],
    }
    assert entries_to_hex(body["reservation"]) == "027c060002ff"
    for listed in (body["reservation"], "027c060002ff"):
        program = decode_recirculation({"reservationUse": 2, "reservation": listed})
        assert (program.enabled, program.entries) == (True, (entry,))


def test_a_pump_can_be_switched_off_and_unknown_modes_are_kept() -> None:
    off = RecirculationEntry(WEEKEND, at(23, 59), Flag.READY, enabled=False)
    assert off.to_entry()["mode"] == 1
    odd = decode_recirculation({"reservationUse": 1, "reservation": "0282060007ff"}).entries[0]
    assert int(odd.pump) == 7
    assert encode_recirculation(True, [odd], unchecked=[odd])["reservation"][0]["mode"] == 7
    with pytest.raises(ValueOutOfRangeError, match="Flag.ACTIVE, on, or Flag.READY, off"):
        encode_recirculation(True, [odd])


def test_recirculation_has_at_most_twenty_entries() -> None:
    entry = RecirculationEntry(WEEKDAYS, at(6, 0), Flag.ACTIVE)
    assert len(encode_recirculation(True, [entry] * 20)["reservation"]) == 20
    with pytest.raises(ValueOutOfRangeError, match="at most 20 entries, not 21"):
        encode_recirculation(True, [entry] * 21)
    assert encode_recirculation(True, []) == {"reservationUse": 1, "reservation": []}
