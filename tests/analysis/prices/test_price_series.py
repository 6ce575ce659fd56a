"""Price series and calendar prices: coverage, daylight saving time, sums of costs."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.analysis.prices import (
    CalendarPrices,
    ClockSpan,
    DayPrice,
    FixedPrices,
    PriceInterval,
    PriceSeries,
    plan_prices,
)
from navien_nwp500.exceptions import ConfigurationError, ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, Weekday
from navien_nwp500.protocol.tou import TOUPeriod

UTC = timezone.utc
T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(*prices: float | None, step: timedelta = HOUR) -> PriceSeries:
    return PriceSeries(
        [
            PriceInterval(T0 + number * step, T0 + (number + 1) * step, price)
            for number, price in enumerate(prices)
            if price is not None
        ]
    )


def clock_prices(zone: str | None, *edges: int) -> CalendarPrices:
    """Prices that are the hour at which they begin."""
    day = [
        DayPrice(start * 60, end * 60, float(start))
        for start, end in zip((0, *edges), (*edges, 24))
    ]
    days = {(month, weekday): day for month in EVERY_MONTH for weekday in Weekday}
    return CalendarPrices(days, None if zone is None else ZoneInfo(zone))


def test_cost_is_by_time_and_none_where_a_price_is_missing() -> None:
    series = hourly(0.10, -0.05, None, 0.40)
    assert series.cost(T0, T0 + HOUR, 500) == pytest.approx(0.05)
    assert series.cost(T0 + HOUR / 2, T0 + 2 * HOUR, 3000) == pytest.approx(0.10 - 0.10)
    assert series.cost(T0 + HOUR, T0 + HOUR, 1000) == -0.05
    assert series.cost(T0, T0 + 3 * HOUR, 1) is None
    assert series.cost(T0 - HOUR, T0 + HOUR, 1) is None
    assert list(series.gaps(T0, T0 + 5 * HOUR)) == [
        (T0 + 2 * HOUR, T0 + 3 * HOUR),
        (T0 + 4 * HOUR, T0 + 5 * HOUR),
    ]
    assert series.at(T0 + 2 * HOUR) is None and series.at(T0 + 4 * HOUR) is None
    with pytest.raises(ValueOutOfRangeError, match="ends before"):
        series.cost(T0 + HOUR, T0, 1)


def test_an_interval_with_a_scope_has_a_range_of_costs() -> None:
    series = PriceSeries([PriceInterval(T0, T0 + HOUR, 0.3, (0.2, 0.5))])
    assert series.cost_scope(T0, T0 + HOUR, 1000) == (0.2, 0.5)
    assert series.cost_scope(T0, T0 + 2 * HOUR, 1000) is None


@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
def test_the_step_is_that_of_the_prices(minutes: int) -> None:
    step = timedelta(minutes=minutes)
    assert hourly(1, 2, 3, step=step).step == step
    assert PriceSeries([]).step is None


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ([(T0, T0, 1.0)], "not after"),
        ([(T0, T0 + HOUR, float("nan"))], "not a number"),
        ([(T0, T0 + HOUR, float("inf"))], "not a number"),
        ([(T0, T0 + HOUR, 0.3, (0.4, 0.3))], "not a number"),
        ([(T0.replace(tzinfo=None), T0 + HOUR, 1.0)], "not a whole second in UTC"),
        ([(T0, T0 + 2 * HOUR, 1.0), (T0 + HOUR, T0 + 3 * HOUR, 1.0)], "overlaps"),
        ([(T0 + HOUR, T0 + 2 * HOUR, 1.0), (T0, T0 + HOUR, 1.0)], "overlaps"),
    ],
)
def test_wrong_intervals_are_refused(intervals: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(ValueOutOfRangeError, match=message):
        PriceSeries([PriceInterval(*one) for one in intervals])  # type: ignore[arg-type]


@given(
    st.lists(st.floats(-1, 1) | st.none(), min_size=1, max_size=30),
    st.lists(st.integers(0, 40 * 900), min_size=3, max_size=3),
)
def test_costs_add_up(prices: list[float | None], seconds: list[int]) -> None:
    """The cost of a span is the sum of its parts, at constant power; gaps and prices fill the time."""
    series = hourly(*prices, step=timedelta(minutes=15))
    first, middle, last = (T0 + timedelta(seconds=one) for one in sorted(seconds))
    power = 450.0
    parts = [
        series.cost(start, end, power * ((end - start) / HOUR))
        for start, end in ((first, middle), (middle, last))
        if start < end
    ]
    whole = series.cost(first, last, power * ((last - first) / HOUR))
    if first < last:
        assert (whole is None) == (None in parts)
        assert whole is None or whole == pytest.approx(sum(map(float, parts)))  # type: ignore[arg-type]
    covered = [(one.start, one.end) for one in series.within(first, last)]
    spans = sorted([*covered, *series.gaps(first, last)])
    assert [start for start, _ in spans] == [first, *[end for _, end in spans]][: len(spans)]
    assert not spans or spans[-1][1] == last


ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    st.integers(1, 10 * 24 * 60),
)
def test_a_calendar_covers_every_second_once(zone: str, start: datetime, minutes: int) -> None:
    begin = start.replace(microsecond=0, tzinfo=UTC)
    end = begin + timedelta(minutes=minutes)
    series = clock_prices(zone, 7, 16, 21).between(begin, end)
    assert not list(series.gaps(begin, end))
    assert (series.intervals[0].start, series.intervals[-1].end) == (begin, end)
    for one in series.intervals:
        for time in (one.start, one.end - timedelta(seconds=1)):
            hour = time.astimezone(ZoneInfo(zone)).hour
            assert one.price == max(edge for edge in (0, 7, 16, 21) if edge <= hour)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 1.0),
        ("America/New_York", date(2026, 11, 1), 3.0),
        ("America/New_York", date(2026, 6, 1), 2.0),
        ("Australia/Lord_Howe", date(2026, 4, 5), 2.5),
    ],
)
def test_a_clock_change_skips_or_repeats_a_price(zone: str, day: date, hours: float) -> None:
    """New York skips 02:00 or repeats 01:00; Lord Howe Island repeats half of an hour."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    start = midnight.astimezone(UTC)
    end = (midnight + timedelta(days=1)).astimezone(UTC)
    series = clock_prices(zone, 1, 3).between(start, end)
    found = sum(((one.end - one.start) / HOUR for one in series.intervals if one.price == 1), 0.0)
    assert found == hours


def test_a_holiday_has_its_own_prices() -> None:
    plain = clock_prices("UTC")
    other = {month: [DayPrice(0, 1440, 99.0)] for month in EVERY_MONTH}
    source = CalendarPrices(
        plain.days, plain.zone, holidays=frozenset([date(2026, 3, 2)]), holiday_prices=other
    )
    series = source.between(T0, T0 + timedelta(days=3))
    assert [one.price for one in series.intervals] == [0, 99, 0]


def test_without_a_zone_the_clock_is_given() -> None:
    source = clock_prices(None, 12)
    with pytest.raises(ConfigurationError, match="name the time zone"):
        source.between(T0, T0 + HOUR)
    clock = [ClockSpan(T0, T0 + HOUR, 11 * HOUR), ClockSpan(T0 + HOUR, T0 + 3 * HOUR, 10 * HOUR)]
    series = source.between(T0, T0 + 3 * HOUR, clock)
    assert [(one.start - T0, one.price) for one in series.intervals] == [
        (timedelta(), 0),
        (HOUR, 0),
        (2 * HOUR, 12),
    ]


def test_the_heaters_plan_has_its_range_of_prices() -> None:
    def period(start: str, end: str, low: str, high: str) -> TOUPeriod:
        times = (datetime.strptime(text, "%H:%M").time() for text in (start, end))
        return TOUPeriod(EVERY_MONTH, EVERY_DAY, *times, Decimal(low), Decimal(high))

    periods = [period("16:00", "23:59", "0.4", "0.4"), period("00:00", "15:59", "0.2", "0.3")]
    series = plan_prices(periods, zone=ZoneInfo("UTC")).between(T0, T0 + timedelta(days=1))
    assert [one[2:] for one in series.intervals] == [(0.25, (0.2, 0.3)), (0.4, None)]
    with pytest.raises(ValueOutOfRangeError, match="not covered"):
        plan_prices(periods[1:])


def test_fixed_prices_are_cut() -> None:
    source = FixedPrices(PriceSeries(hourly(1, 2, 3).intervals, "EUR", "market", ("a note",)))
    series = source.between(T0 + HOUR / 2, T0 + 2 * HOUR)
    assert [one.price for one in series.intervals] == [1, 2]
    assert (series.currency, series.label, series.notes) == ("EUR", "market", ("a note",))
