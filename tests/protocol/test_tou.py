"""Time-of-use plan: PROTOCOL 1.10, 8.2 and 8.4."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ProtocolError, ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS, WEEKEND, Weekday
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
from navien_nwp500.protocol.tou_comparison import compare_tou

at = datetime.time
NOT_AN_INTEGER = [True, 2.0, None, "2", [2], -2, 2**70]


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
KEYS = "season week startHour startMinute endHour endMinute priceMin priceMax decimalPoint".split()
WRITTEN = [
    dict(zip(KEYS, (31, 124, start, 0, end, 59, price, price, 5)))
    for start, end, price in [(0, 14, 30000), (15, 15, 32000), (16, 20, 42000), (21, 23, 32000)]
]


def test_the_captured_write_is_encoded() -> None:
    spans = ("00:00 14:59 0.30", "15:00 15:59 0.32", "16:00 20:59 0.42", "21:00 23:59 0.32")
    periods = [period(*span.split(), WEEKDAYS, range(1, 6)) for span in spans]
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
def test_a_season_across_the_new_year_is_split(months: set[int], seasons: list[int]) -> None:
    written = encode_tou_mqtt([period("00:00", "23:59", "0.3", months=months)])
    assert [entry["season"] for entry in written] == seasons


def test_both_halves_of_a_season_have_all_its_periods() -> None:
    winter = [replace(part, months=frozenset({10, 11, 12, 1, 2, 3, 4, 5})) for part in DAY]
    written = encode_tou_mqtt(winter)
    expected = [(season, hour) for season in (31, 3584) for hour in (0, 16, 21)]
    assert [(entry["season"], entry["startHour"]) for entry in written] == expected


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
def test_prices_of_five_decimal_places_survive_a_round_trip(
    low: int, high: int, point: int
) -> None:
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


def test_a_complete_plan_is_accepted() -> None:
    check_tou(DAY)
    check_tou(list(reversed(DAY)))
    check_tou([period("00:00", "23:59", "0.3")])


def summer_saturday(*parts: TOUPeriod) -> list[TOUPeriod]:
    """Return a plan whose July Saturdays have only these periods."""
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
def test_a_gap_or_overlap_is_reported(spans: list[str], sentence: str) -> None:
    plan = summer_saturday(*(period(*span.split(), "0.3") for span in spans))
    with pytest.raises(ValueOutOfRangeError) as raised:
        check_tou(plan)
    assert str(raised.value) == f"Saturday in July: {sentence}"


@given(st.lists(st.integers(1, 1439), max_size=12, unique=True), st.data())
def test_any_division_of_a_day_is_complete_and_any_gap_is_found(
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
        with pytest.raises(ValueOutOfRangeError) as raised:
            check_tou(plan)
        expected = f"Monday in January: {lost.start:%H:%M} to {lost.end:%H:%M} is not covered"
        assert str(raised.value) == expected


def _clock(minute: int) -> datetime.time:
    return at(minute // 60, minute % 60)


def hourly(count: int, **more: Any) -> list[TOUPeriod]:
    """Return ``count`` periods that fill the day."""
    parts = [period(f"{n:02d}:00", f"{n:02d}:59", "0.3", **more) for n in range(count)]
    return [*parts[:-1], replace(parts[-1], end=at(23, 59))]


def test_the_number_of_periods_has_limits() -> None:
    with pytest.raises(ValueOutOfRangeError, match="1 to 40 periods as written, not 0"):
        check_tou([])
    check_tou(hourly(24))
    two_groups = [*hourly(16, days=WEEKDAYS), *hourly(16, days=WEEKEND)]
    check_tou(two_groups)
    summer, winter = range(6, 10), [10, 11, 12, 1, 2, 3, 4, 5]
    check_tou([*hourly(8, months=summer), *hourly(16, months=winter)])
    with pytest.raises(ValueOutOfRangeError, match="1 to 40 periods as written, not 41"):
        check_tou([*hourly(9, months=summer), *hourly(16, months=winter)])


# Differences of two plans


def differences(first: list[TOUPeriod], second: list[TOUPeriod]) -> list[tuple[Any, ...]]:
    return [
        (sorted(d.months), len(d.days), f"{d.start:%H:%M}-{d.end:%H:%M}", d.first, d.second)
        for d in compare_tou(first, second)
    ]


def test_two_plans_are_compared_by_price_and_not_by_how_they_are_cut() -> None:
    cut = [period("00:00", "07:59", "0.30"), period("08:00", "23:59", "0.300000")]
    assert differences(cut, [period("00:00", "23:59", "0.3")]) == []
    halves = [
        *(replace(one, months=frozenset(range(1, 7))) for one in DAY),
        *(replace(one, months=frozenset(range(7, 13))) for one in DAY),
    ]
    assert differences(halves, DAY) == []
    assert differences([], []) == []


def test_a_difference_is_named_with_its_months_days_times_and_prices() -> None:
    summer = frozenset({6, 7})
    dearer = [
        *(replace(one, months=EVERY_MONTH - summer) for one in DAY),
        *(replace(one, months=summer, days=WEEKEND) for one in DAY),
        *(
            replace(one, months=summer, days=WEEKDAYS, price_max=one.price_max + Decimal("0.1"))
            for one in DAY[:2]
        ),
    ]
    low, peak = DAY[0].price_max, DAY[1].price_max
    more = Decimal("0.1")
    assert differences(DAY, dearer) == [
        ([6, 7], 5, "00:00-15:59", (low, low), (low, low + more)),
        ([6, 7], 5, "16:00-20:59", (peak, peak), (peak, peak + more)),
        ([6, 7], 5, "21:00-23:59", (low, low), None),
    ]
    ((months, days, span, first, second),) = differences([], [period("00:00", "23:59", "0.3")])
    assert (len(months), days, span, first, second) == (
        *(12, 7, "00:00-23:59", None),
        (Decimal("0.3"), Decimal("0.3")),
    )


# Peak windows


def windows(periods: list[TOUPeriod], date: str) -> list[str]:
    found = peak_windows(periods, datetime.date.fromisoformat(date))
    return [f"{window.start:%d %H:%M} - {window.end:%d %H:%M}" for window in found]


def test_the_most_expensive_periods_are_the_peak() -> None:
    assert windows(DAY, "2026-07-04") == ["04 16:00 - 04 21:00"]
    assert peak_windows(DAY, datetime.date(2026, 7, 4)) == (
        PeakWindow(datetime.datetime(2026, 7, 4, 16), datetime.datetime(2026, 7, 4, 21)),
    )


def test_a_day_with_one_price_has_no_peak() -> None:
    halves = [period("00:00", "11:59", "1"), period("12:00", "23:59", "1")]
    for plan in ([], [period("00:00", "23:59", "0.3")], halves):
        assert windows(plan, "2026-07-04") == []


def test_adjacent_peaks_are_joined() -> None:
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


def test_peaks_are_joined_across_midnight() -> None:
    plan = [
        period("00:00", "04:59", "0.4"),
        period("05:00", "21:59", "0.1"),
        period("22:00", "23:59", "0.4"),
    ]
    expected = ["03 22:00 - 04 05:00", "04 22:00 - 05 05:00"]
    assert windows(plan, "2026-07-04") == expected


def test_peaks_are_joined_only_on_their_own_days() -> None:
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


def test_the_plan_of_the_cloud_survives_a_round_trip() -> None:
    info = decode_tou({"touInfo": PLAN, "registerPath": "wifi"})
    assert encode_tou_rest(info) == {**PLAN, "zipCode": "10001"}
    assert info.register_path == "wifi"
    assert info.source_type is info.controller_id is info.manufacture_id is None


@pytest.mark.parametrize("sent, read", [(1234, "01234"), ("01234", "01234"), (None, None)])
def test_a_zip_code_keeps_its_leading_zeros(sent: Any, read: str | None) -> None:
    assert decode_tou({"touInfo": {**PLAN, "zipCode": sent}}).zip_code == read


def test_the_repr_of_a_plan_hides_private_values() -> None:
    info = decode_tou({"touInfo": {**PLAN, "controllerId": "SERIAL", "manufactureId": "MADE"}})
    assert all(word not in repr(info) for word in ("SERIAL", "MADE", "10001"))


@pytest.mark.parametrize("key", ["name", "utility", "zip_code"])
def test_a_plan_needs_its_names(key: str) -> None:
    info: TOUInfo = replace(decode_tou({"touInfo": PLAN}), **{key: None})
    with pytest.raises(ValueOutOfRangeError, match="its name, its utility and its ZIP"):
        encode_tou_rest(info)


@pytest.mark.parametrize("key", sorted(INTERVAL))
def test_every_number_of_a_period_must_be_an_integer(key: str) -> None:
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


def test_a_plan_must_be_an_object() -> None:
    for data in (None, [], "x"):
        with pytest.raises(ProtocolError):
            decode_tou(data)  # type: ignore[arg-type]
