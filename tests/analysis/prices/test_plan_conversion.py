"""The heater's plan from tariffs: exact where it fits, else merged and told."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from navien_nwp500.analysis.prices import (
    CalendarPrices,
    DayPrice,
    FixedPrices,
    PriceInterval,
    PriceSeries,
    PriceWindow,
    plan_from_prices,
    plan_prices,
    window_plan,
)
from navien_nwp500.exceptions import ConfigurationError, ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS, WEEKEND, Weekday
from navien_nwp500.protocol.tou import check_tou, encode_tou_mqtt, largest_group, peak_windows

UTC = timezone.utc


def calendar(price: Any) -> CalendarPrices:
    """Prices by a function of month, weekday and hour."""
    days = {
        (month, day): [DayPrice(60 * h, 60 * h + 60, price(month, day, h)) for h in range(24)]
        for month in EVERY_MONTH
        for day in Weekday
    }
    return CalendarPrices(days, ZoneInfo("UTC"))


def check(periods: Any) -> None:
    check_tou(periods)
    assert len(encode_tou_mqtt(periods)) <= 40 and largest_group(periods) <= 16


def test_a_plan_that_fits_is_exact_and_has_the_fewest_periods() -> None:
    """Two seasons, of which winter is written twice as it crosses the new year."""

    def price(month: int, day: Weekday, hour: int) -> float:
        if 6 <= month <= 9 and day in WEEKDAYS and 16 <= hour < 21:
            return 0.51
        return 0.31 if 7 <= hour else 0.11

    source = calendar(price)
    plan = plan_from_prices(source)
    check(plan.periods)
    # Summer: 4 periods on weekdays, 2 at weekends; winter: 2.
    assert len(plan.periods) == 8 and len(encode_tou_mqtt(plan.periods)) == 10
    assert plan.notes == ()
    start, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2027))
    again = plan_prices(plan.periods, zone=ZoneInfo("UTC")).between(start, end)
    for one in source.between(start, end).intervals:
        found = again.at(one.start)
        assert found is not None and found.price == one.price


def test_prices_of_tiers_stay_a_range() -> None:
    days = {
        (month, day): [DayPrice(0, 1440, 0.3, (0.2, 0.4))]
        for month in EVERY_MONTH
        for day in Weekday
    }
    (period,) = plan_from_prices(CalendarPrices(days)).periods
    assert (period.price_min, period.price_max) == (Decimal("0.2"), Decimal("0.4"))
    assert (period.months, period.days) == (EVERY_MONTH, EVERY_DAY)


def test_what_does_not_fit_is_merged_and_told() -> None:
    """Every hour of every month and day has its own price; evenings stay the dearest."""
    source = calendar(
        lambda month, day, hour: round(
            0.1 + 0.004 * hour + 0.001 * month + (0.3 if 17 <= hour < 20 else 0), 5
        )
        + (0.02 if day in WEEKEND else 0)
    )
    plan = plan_from_prices(source)
    check(plan.periods)
    text = plan.notes[-1]
    assert "would need 576 periods, and the heater has 40" in text and "on average" in text
    windows = peak_windows(plan.periods, date(2026, 7, 1))
    assert [(one.start.hour, one.end.hour) for one in windows] == [(17, 20)]


def test_prices_below_zero_and_above_the_highest() -> None:
    plan = plan_from_prices(calendar(lambda m, d, hour: -0.1 if hour < 4 else 0.2))
    assert sorted({period.price_min for period in plan.periods}) == [0, Decimal("0.2")]
    assert any("below 0" in note for note in plan.notes)
    with pytest.raises(ConfigurationError, match="above 21473 per kWh"):
        plan_from_prices(calendar(lambda m, d, hour: 1e6))


def test_holidays_are_told() -> None:
    source = calendar(lambda m, d, hour: 0.2)
    held = CalendarPrices(source.days, holidays=frozenset([date(2026, 12, 25)]))
    assert any("no holidays" in note for note in plan_from_prices(held).notes)


def market(days: int, price: Any) -> FixedPrices:
    start = datetime(2026, 3, 27, tzinfo=UTC)
    step = timedelta(minutes=15)
    return FixedPrices(
        PriceSeries(
            [
                PriceInterval(start + n * step, start + (n + 1) * step, price(start + n * step))
                for n in range(days * 96)
            ]
        )
    )


def test_market_prices_become_means_of_the_local_hour() -> None:
    """The evening of Berlin is dear before and after its clock changes on 29 March."""
    berlin = ZoneInfo("Europe/Berlin")

    def price(when: datetime) -> float:
        local = when.astimezone(berlin)
        return 0.3 + (0.1 if local.day % 2 else 0) if 18 <= local.hour < 21 else 0.1

    source = market(14, price)
    plan = plan_from_prices(source, source.series, berlin)
    check(plan.periods)
    assert any("change from day to day" in note for note in plan.notes)
    for day in (date(2026, 3, 28), date(2026, 7, 1)):
        (window,) = peak_windows(plan.periods, day)
        assert (window.start.hour, window.end.hour) == (18, 21)
    with pytest.raises(ConfigurationError, match="prices of the past and a time zone"):
        plan_from_prices(source)
    with pytest.raises(ConfigurationError, match="needs whole days"):
        short = PriceSeries(source.series.intervals[:20])
        plan_from_prices(FixedPrices(short), short, berlin)


DAYS = st.frozensets(st.sampled_from(list(Weekday)), min_size=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(DAYS, st.integers(0, 23), st.integers(1, 12)), max_size=2))
def test_windows_alone_are_the_dearest_times(chosen: list[Any]) -> None:
    windows = [
        PriceWindow(days, 60 * hour, 60 * (hour + length) % 1440) for days, hour, length in chosen
    ]
    periods = window_plan(windows)
    check(periods)
    series = plan_prices(periods, zone=ZoneInfo("UTC")).between(
        datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 9, tzinfo=UTC)
    )
    dear = {
        one.start + n * timedelta(hours=1)
        for one in series.intervals
        for n in range(int((one.end - one.start) / timedelta(hours=1)))
        if one.price == 0.5
    }
    expected = set()
    for days, hour, length in chosen:
        for day in range(-1, 8):
            begin = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)
            if Weekday.of(begin) in days:
                expected |= {begin + timedelta(hours=n) for n in range(length)}
    first, last = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 9, tzinfo=UTC)
    assert dear == {one for one in expected if first <= one < last}


def test_windows_that_cannot_be_written() -> None:
    with pytest.raises(ValueOutOfRangeError, match="from minute 1440"):
        window_plan([PriceWindow(EVERY_DAY, 1440, 5)])
    with pytest.raises(ValueOutOfRangeError, match="must be above"):
        window_plan([], low=Decimal(1), high=Decimal(1))
    many = [PriceWindow(EVERY_DAY, hour * 60, hour * 60 + 30) for hour in range(1, 10)]
    with pytest.raises(ValueOutOfRangeError, match="at most 16 periods .* not 19"):
        window_plan(many)
    whole = window_plan([PriceWindow(WEEKEND, 0, 0)])
    assert len(whole) == 2
