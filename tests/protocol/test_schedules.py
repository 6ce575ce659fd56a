"""Schedules against the examples of PROTOCOL 8.1 to 8.4 and 8.7, and all that is refused."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal, localcontext
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
from navien_nwp500.protocol.tou import (
    PeakWindow,
    TOUInfo,
    TOUPeriod,
    check_tou,
    decode_tou,
    encode_tou_mqtt,
    encode_tou_rest,
    peak_windows,
)
from navien_nwp500.protocol.types import DHWMode, Flag, HalfCelsius

at = datetime.time
NOT_AN_INTEGER = [True, 2.0, None, "2", [2], -2, 2**70]

# PROTOCOL 8.3: the read reply and the write that sets the same program.
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
def test_weeks_of_the_protocol(days: set[Weekday], week: int) -> None:
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
def test_seasons_of_the_protocol(months: set[int], season: int) -> None:
    assert pack_months(months) == season
    assert unpack_months(season) == months


@given(st.integers(0, 255))
def test_every_week_comes_back_without_its_unused_bit(week: int) -> None:
    assert pack_days(unpack_days(week)) == week & 254


@given(st.integers(0, 4095))
def test_every_season_comes_back(season: int) -> None:
    assert pack_months(unpack_months(season)) == season


def test_a_date_has_its_weekday() -> None:
    # 2026-03-01 was a Sunday.
    first = datetime.date(2026, 3, 1)
    named = [Weekday.of(first + datetime.timedelta(days=n)).name[:3] for n in range(7)]
    assert named == ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@pytest.mark.parametrize("days", ["Mon", [1], [64], [None]])
def test_other_things_are_no_days(days: Any) -> None:
    with pytest.raises(ValueOutOfRangeError, match="members of Weekday"):
        pack_days(days)


@pytest.mark.parametrize("months", [[0], [13], [True], ["May"], [1.0]])
def test_other_things_are_no_months(months: Any) -> None:
    with pytest.raises(ValueOutOfRangeError, match="1, January, to 12, December"):
        pack_months(months)


@pytest.mark.parametrize("read, top", [(unpack_days, 255), (unpack_months, 4095)])
def test_bit_fields_have_limits(read: Callable[[int], Any], top: int) -> None:
    for number in (-1, top + 1):
        with pytest.raises(ProtocolError):
            read(number)


# Reservations


def test_the_example_read_as_hex_and_as_objects() -> None:
    for listed in (HEX, HEX.upper(), ENTRIES):
        program = decode_reservations({"reservationUse": 2, "reservation": listed})
        assert program.enabled is True
        assert program.reservations == (MORNING, NIGHT)
    morning = program.reservations[0]
    assert morning.mode is ReservationMode.ENERGY_SAVER
    assert morning.temperature.celsius == 59.0
    assert morning.temperature.fahrenheit == 138.2
    assert program.reservations[1].temperature.fahrenheit == 136.4


def test_the_example_written() -> None:
    assert encode_reservations(True, [MORNING, NIGHT]) == {
        "reservationUse": 2,
        "reservation": ENTRIES,
    }
    assert encode_reservations(False, [MORNING])["reservationUse"] == 1
    assert entries_to_hex(ENTRIES) == HEX
    assert entries_from_hex(HEX) == ENTRIES


def test_an_empty_list_is_a_program_that_is_off() -> None:
    assert encode_reservations(True, []) == {"reservationUse": 1, "reservation": []}


@pytest.mark.parametrize("use, enabled", [(0, False), (1, False), (2, True)])
@pytest.mark.parametrize("nothing", ["", []])
def test_an_empty_program(use: int, enabled: bool, nothing: Any) -> None:
    program = decode_reservations({"reservationUse": use, "reservation": nothing})
    assert program.enabled is enabled
    assert program.reservations == ()


def test_padding_and_a_partial_entry_are_skipped() -> None:
    padded = "0" * 12 + HEX[:12] + "0" * 24 + HEX[12:] + "027c061e03"
    zeros = dict.fromkeys(ENTRIES[0], 0)
    for listed in (padded, [zeros, ENTRIES[0], zeros, ENTRIES[1]]):
        program = decode_reservations({"reservationUse": 1, "reservation": listed})
        assert program.reservations == (MORNING, NIGHT)


@pytest.mark.parametrize("mode", [0, 6, 99])
def test_an_unknown_mode_is_kept_but_not_made(mode: int) -> None:
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


def test_power_off_is_five_and_vacation_is_refused() -> None:
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
def test_the_modes_a_person_chooses_have_the_same_numbers(mode: int) -> None:
    made = Reservation.at(at(9, 0), WEEKEND, DHWMode(mode), celsius=50)
    assert made.to_entry()["mode"] == mode
    assert type(made.mode) is ReservationMode


def test_either_unit_of_temperature() -> None:
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
def test_a_program_survives_both_forms(program: list[Reservation]) -> None:
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
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    body = {"reservationUse": 2, "reservation": raw.hex()}
    try:
        program = decode_reservations(body)
    except ProtocolError:
        return
    whole = [raw[n : n + 6] for n in range(0, len(raw) - len(raw) % 6, 6)]
    assert len(program.reservations) == sum(1 for part in whole if any(part))


@pytest.mark.parametrize("key", ["enable", "week", "hour", "min", "mode", "param"])
def test_every_byte_is_an_integer(key: str) -> None:
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
def test_hex_is_hex(text: str) -> None:
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
def test_a_damaged_program_is_never_read_in_part(body: Any) -> None:
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


def test_a_pump_goes_off_too_and_unknown_modes_are_kept() -> None:
    off = RecirculationEntry(WEEKEND, at(23, 59), Flag.READY, enabled=False)
    assert off.to_entry()["mode"] == 1
    odd = decode_recirculation({"reservationUse": 1, "reservation": "0282060007ff"}).entries[0]
    assert int(odd.pump) == 7
    assert encode_recirculation(True, [odd], unchecked=[odd])["reservation"][0]["mode"] == 7
    with pytest.raises(ValueOutOfRangeError, match="Flag.ACTIVE, on, or Flag.READY, off"):
        encode_recirculation(True, [odd])


def test_recirculation_has_twenty_entries() -> None:
    entry = RecirculationEntry(WEEKDAYS, at(6, 0), Flag.ACTIVE)
    assert len(encode_recirculation(True, [entry] * 20)["reservation"]) == 20
    with pytest.raises(ValueOutOfRangeError, match="at most 20 entries, not 21"):
        encode_recirculation(True, [entry] * 21)
    assert encode_recirculation(True, []) == {"reservationUse": 1, "reservation": []}


# Time of use


def period(
    start: str, end: str, price: str, days: Any = EVERY_DAY, months: Any = EVERY_MONTH
) -> TOUPeriod:
    first, last = at.fromisoformat(start), at.fromisoformat(end)
    return TOUPeriod(frozenset(months), days, first, last, Decimal(price), Decimal(price))


DAY = [
    period("00:00", "15:59", "0.3"),
    period("16:00", "20:59", "0.45"),
    period("21:00", "23:59", "0.3"),
]

# PROTOCOL 8.4: the captured write.
WRITTEN = [
    {
        "season": 31,
        "week": 124,
        "startHour": start,
        "startMinute": 0,
        "endHour": end,
        "endMinute": 59,
        "priceMin": price,
        "priceMax": price,
        "decimalPoint": 5,
    }
    for start, end, price in [(0, 14, 30000), (15, 15, 32000), (16, 20, 42000), (21, 23, 32000)]
]


def test_the_written_example() -> None:
    months = range(1, 6)
    periods = [
        period("00:00", "14:59", "0.30", WEEKDAYS, months),
        period("15:00", "15:59", "0.32", WEEKDAYS, months),
        period("16:00", "20:59", "0.42", WEEKDAYS, months),
        period("21:00", "23:59", "0.32", WEEKDAYS, months),
    ]
    assert encode_tou_mqtt(periods) == WRITTEN
    with pytest.raises(ValueOutOfRangeError, match="Saturday in January: 00:00 to 23:59 is not"):
        check_tou(periods)


@pytest.mark.parametrize(
    "months, seasons",
    [
        ({10, 11, 12, 1, 2, 3, 4, 5}, [31, 3584]),
        ({12, 1}, [1, 2048]),
        ({1, 6, 12}, [1, 2080]),
        ({1, 6}, [33]),
        ({6, 12}, [2080]),
        (EVERY_MONTH, [4095]),
    ],
)
def test_a_season_across_the_new_year_is_written_as_two(
    months: set[int], seasons: list[int]
) -> None:
    written = encode_tou_mqtt([period("00:00", "23:59", "0.3", months=months)])
    assert [entry["season"] for entry in written] == seasons


def test_both_halves_of_a_season_carry_all_its_periods() -> None:
    winter = [replace(part, months=frozenset({10, 11, 12, 1, 2, 3, 4, 5})) for part in DAY]
    written = encode_tou_mqtt(winter)
    assert [(entry["season"], entry["startHour"]) for entry in written] == [
        (31, 0),
        (31, 16),
        (31, 21),
        (3584, 0),
        (3584, 16),
        (3584, 21),
    ]


@pytest.mark.parametrize(
    "price, sent",
    [
        ("0.34831", 34831),
        ("0", 0),
        ("1", 100000),
        ("0.000005", 1),
        ("0.0000049999", 0),
        ("0.348315", 34832),
        ("0.348325", 34833),
        ("0.3483149999999999999999999999999999999999", 34831),
        ("21474.83647", 2**31 - 1),
    ],
)
def test_prices_are_rounded_half_up(price: str, sent: int) -> None:
    with localcontext() as context:
        context.prec = 3
        entry = encode_tou_mqtt([period("00:00", "23:59", price)])[0]
    assert (entry["priceMin"], entry["priceMax"], entry["decimalPoint"]) == (sent, sent, 5)


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 5))
def test_prices_of_five_places_come_back(low: int, high: int, point: int) -> None:
    low, high = sorted((low // 10 ** (5 - point), high // 10 ** (5 - point)))
    interval = {**WRITTEN[0], "priceMin": low, "priceMax": high, "decimalPoint": point}
    info = decode_tou({"touInfo": {"schedule": [{"season": 31, "interval": [interval]}]}})
    assert info.periods[0].price_max * 10**point == high
    again = encode_tou_mqtt(info.periods)[0]
    assert again["priceMin"] == low * 10 ** (5 - point)
    assert again["priceMax"] == high * 10 ** (5 - point)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"months": frozenset()}, "at least one month"),
        ({"months": frozenset({13})}, "12, December"),
        ({"days": frozenset()}, "at least one day"),
        ({"start": at(0, 0, 1)}, "whole minute"),
        ({"end": at(23, 59, 59)}, "whole minute"),
        ({"start": at(21), "end": at(5, 59)}, "given as two"),
        ({"price_min": Decimal("0.5")}, "lowest price of a period is above"),
        ({"price_min": Decimal("-0.1")}, "from 0 to 21474 per kWh"),
        ({"price_max": Decimal("21474.83648")}, "from 0 to 21474 per kWh"),
        ({"price_max": Decimal("NaN")}, "a price must be a Decimal"),
        ({"price_max": Decimal("Infinity")}, "a price must be a Decimal"),
        ({"price_max": 0.3}, "a price must be a Decimal"),
    ],
)
def test_a_period_is_checked(change: dict[str, Any], sentence: str) -> None:
    wrong = replace(DAY[0], **change)
    for use in (encode_tou_mqtt, check_tou):
        with pytest.raises(ValueOutOfRangeError, match=sentence):
            use([wrong])


def test_a_whole_plan_passes() -> None:
    check_tou(DAY)
    check_tou(list(reversed(DAY)))
    check_tou([period("00:00", "23:59", "0.3")])


def summer_saturday(*parts: TOUPeriod) -> list[TOUPeriod]:
    """A plan whose July Saturdays are these periods alone."""
    rest = EVERY_DAY - {Weekday.SATURDAY}
    return [
        period("00:00", "23:59", "0.3", months=EVERY_MONTH - {7}),
        period("00:00", "23:59", "0.3", rest, [7]),
        *(replace(p, months=frozenset({7}), days=frozenset({Weekday.SATURDAY})) for p in parts),
    ]


@pytest.mark.parametrize(
    "spans, sentence",
    [
        (["00:00 15:58", "17:01 23:59"], "15:59 to 17:00 is not covered"),
        (["00:00 15:59", "16:01 23:59"], "16:00 to 16:00 is not covered"),
        (["00:01 23:59"], "00:00 to 00:00 is not covered"),
        (["00:00 23:58"], "23:59 to 23:59 is not covered"),
        ([], "00:00 to 23:59 is not covered"),
        (["00:00 15:59", "15:59 23:59"], "15:59 to 15:59 is covered twice"),
        (["12:00 12:29", "00:00 23:59"], "12:00 to 12:29 is covered twice"),
        (["00:00 23:59", "00:00 23:59"], "00:00 to 23:59 is covered twice"),
    ],
)
def test_the_gap_or_overlap_is_named(spans: list[str], sentence: str) -> None:
    plan = summer_saturday(*(period(*span.split(), "0.3") for span in spans))
    with pytest.raises(ValueOutOfRangeError) as refused:
        check_tou(plan)
    assert str(refused.value) == f"Saturday in July: {sentence}"


@given(st.lists(st.integers(1, 1439), max_size=12, unique=True), st.data())
def test_any_cut_of_a_day_is_whole_and_any_loss_is_found(
    cuts: list[int], data: st.DataObject
) -> None:
    edges = [0, *sorted(cuts), 1440]
    plan = [
        TOUPeriod(EVERY_MONTH, EVERY_DAY, _clock(a), _clock(b - 1), Decimal(0), Decimal(0))
        for a, b in zip(edges, edges[1:])
    ]
    check_tou(plan)
    lost = plan.pop(data.draw(st.integers(0, len(plan) - 1)))
    if plan:
        with pytest.raises(ValueOutOfRangeError) as refused:
            check_tou(plan)
        expected = f"Monday in January: {lost.start:%H:%M} to {lost.end:%H:%M} is not covered"
        assert str(refused.value) == expected


def _clock(minute: int) -> datetime.time:
    return at(minute // 60, minute % 60)


def hourly(count: int, **more: Any) -> list[TOUPeriod]:
    """``count`` periods that fill the day."""
    parts = [period(f"{n:02d}:00", f"{n:02d}:59", "0.3", **more) for n in range(count)]
    return [*parts[:-1], replace(parts[-1], end=at(23, 59))]


def test_periods_are_counted() -> None:
    with pytest.raises(ValueOutOfRangeError, match="1 to 40 periods as written, not 0"):
        check_tou([])
    check_tou(hourly(16))
    with pytest.raises(ValueOutOfRangeError, match="17 periods .* 16 are allowed"):
        check_tou(hourly(17))
    two_groups = [*hourly(16, days=WEEKDAYS), *hourly(16, days=WEEKEND)]
    check_tou(two_groups)
    summer, winter = range(6, 10), [10, 11, 12, 1, 2, 3, 4, 5]
    check_tou([*hourly(8, months=summer), *hourly(16, months=winter)])
    with pytest.raises(ValueOutOfRangeError, match="1 to 40 periods as written, not 41"):
        check_tou([*hourly(9, months=summer), *hourly(16, months=winter)])


# Peak windows


def windows(periods: list[TOUPeriod], date: str) -> list[str]:
    found = peak_windows(periods, datetime.date.fromisoformat(date))
    return [f"{window.start:%d %H:%M} - {window.end:%d %H:%M}" for window in found]


def test_the_dearest_periods_are_the_peak() -> None:
    assert windows(DAY, "2026-07-04") == ["04 16:00 - 04 21:00"]
    assert peak_windows(DAY, datetime.date(2026, 7, 4)) == (
        PeakWindow(datetime.datetime(2026, 7, 4, 16), datetime.datetime(2026, 7, 4, 21)),
    )


def test_a_day_of_one_price_has_no_peak() -> None:
    assert windows([period("00:00", "23:59", "0.3")], "2026-07-04") == []
    assert (
        windows([period("00:00", "11:59", "1"), period("12:00", "23:59", "1")], "2026-07-04") == []
    )
    assert windows([], "2026-07-04") == []


def test_peaks_that_meet_are_one_and_others_stay_apart() -> None:
    plan = [
        period("00:00", "06:59", "0.1"),
        period("07:00", "07:59", "0.4"),
        period("08:00", "09:59", "0.4"),
        period("10:00", "16:59", "0.2"),
        period("17:00", "18:59", "0.4"),
        period("19:00", "23:59", "0.2"),
    ]
    expected = ["04 07:00 - 04 10:00", "04 17:00 - 04 19:00"]
    assert windows(plan, "2026-07-04") == windows(plan[::-1], "2026-07-04") == expected


def test_a_peak_joins_across_midnight() -> None:
    plan = [
        period("00:00", "04:59", "0.4"),
        period("05:00", "21:59", "0.1"),
        period("22:00", "23:59", "0.4"),
    ]
    expected = ["03 22:00 - 04 05:00", "04 22:00 - 05 05:00"]
    assert windows(plan, "2026-07-04") == expected


def test_the_masks_decide_whether_a_peak_joins() -> None:
    # 2026-07-03 is a Friday; its peak runs to midnight, Saturday has one price.
    plan = [
        period("00:00", "04:59", "0.4", WEEKDAYS),
        period("05:00", "21:59", "0.1", WEEKDAYS),
        period("22:00", "23:59", "0.4", WEEKDAYS),
        period("00:00", "23:59", "0.1", WEEKEND),
    ]
    assert windows(plan, "2026-07-03") == ["02 22:00 - 03 05:00", "03 22:00 - 04 00:00"]
    assert windows(plan, "2026-07-04") == []
    assert windows(plan, "2026-07-06") == ["06 00:00 - 06 05:00", "06 22:00 - 07 05:00"]


# The cloud's plan


INTERVAL = {key: value for key, value in WRITTEN[0].items() if key != "season"}
PLAN: dict[str, Any] = {
    "name": "Sample time-of-use rate",
    "schedule": [{"season": 31, "interval": [INTERVAL]}],
    "utility": "Sample Utility",
    "zipCode": 10001,
}


def test_what_the_cloud_sends_and_takes_back() -> None:
    info = decode_tou({"touInfo": PLAN, "registerPath": "wifi"})
    assert encode_tou_rest(info) == {**PLAN, "zipCode": "10001"}
    assert info.register_path == "wifi"
    assert info.source_type is info.controller_id is info.manufacture_id is None


@pytest.mark.parametrize("sent, read", [(1234, "01234"), ("01234", "01234"), (None, None)])
def test_a_zip_code_keeps_its_leading_zeros(sent: Any, read: str | None) -> None:
    assert decode_tou({"touInfo": {**PLAN, "zipCode": sent}}).zip_code == read


def test_where_the_heater_is_does_not_show() -> None:
    info = decode_tou({"touInfo": {**PLAN, "controllerId": "SERIAL", "manufactureId": "MADE"}})
    assert all(word not in repr(info) for word in ("SERIAL", "MADE", "10001"))


@pytest.mark.parametrize("key", ["name", "utility", "zip_code"])
def test_a_plan_without_its_names_is_not_sent(key: str) -> None:
    info: TOUInfo = replace(decode_tou({"touInfo": PLAN}), **{key: None})
    with pytest.raises(ValueOutOfRangeError, match="its name, its utility and its ZIP"):
        encode_tou_rest(info)


@pytest.mark.parametrize("key", sorted(INTERVAL))
def test_every_number_of_a_period_is_an_integer(key: str) -> None:
    for wrong in NOT_AN_INTEGER:
        interval = {**INTERVAL, key: wrong}
        with pytest.raises(ProtocolError, match=key):
            decode_tou({"touInfo": {"schedule": [{"season": 31, "interval": [interval]}]}})


@pytest.mark.parametrize(
    "plan",
    [
        None,
        {},
        {"schedule": None},
        {"schedule": [None]},
        {"schedule": [{"season": 4096, "interval": []}]},
        {"schedule": [{"season": 31}]},
        {"schedule": [{"season": 31, "interval": [None]}]},
        {"schedule": [{"season": 31, "interval": [{**INTERVAL, "decimalPoint": 11}]}]},
        {"schedule": [{"season": 31, "interval": [{**INTERVAL, "startHour": 15}]}]},
        {**PLAN, "name": 5},
        {**PLAN, "zipCode": 10.5},
        {**PLAN, "zipCode": True},
        {**PLAN, "zipCode": 100000},
    ],
)
def test_a_damaged_plan_is_a_protocol_error(plan: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_tou({"touInfo": plan})


def test_a_plan_is_an_object() -> None:
    for data in (None, [], "x"):
        with pytest.raises(ProtocolError):
            decode_tou(data)  # type: ignore[arg-type]
