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
from navien_nwp500.analysis.prices.plan_conversion import openei_plan
from navien_nwp500.analysis.prices.timed_prices import TariffOptions
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
    assert [note.split(",")[0][:36] for note in plan.notes] == [
        "The heater holds heating back in the",
        "In that time heating ends about 2 K ",
    ]
    start, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2027))
    again = plan_prices(plan.periods, zone=ZoneInfo("UTC")).between(start, end)
    for one in source.between(start, end).intervals:
        found = again.at(one.start)
        assert found is not None and found.price == one.price


def openei(periods: int, hours: dict[str, list[int]], seasons: list[str]) -> dict[str, Any]:
    """A rate of such a shape, with an invented price for each period, in two tiers."""
    tiers = [[{"max": 300, "rate": 0.2 + n / 50}, {"rate": 0.3 + n / 50}] for n in range(periods)]
    months = [hours[season] for season in seasons]
    return {
        "name": "Shape",
        "energyratestructure": tiers,
        "energyweekdayschedule": months,
        "energyweekendschedule": months,
    }


SEASONS = ["winter"] * 5 + ["summer"] * 4 + ["winter"] * 3
#: Two seasons; evenings 16 to 21 are dear.
E_TOU_C = openei(
    4, {"winter": [0] * 16 + [1] * 5 + [0] * 3, "summer": [2] * 16 + [3] * 5 + [2] * 3}, SEASONS
)
#: Two seasons; 15 to 24 partly dear, 16 to 21 dear.
EV2_A = openei(
    6,
    {
        "winter": [0] * 15 + [1] + [2] * 5 + [1] * 3,
        "summer": [3] * 15 + [4] + [5] * 5 + [4] * 3,
    },
    SEASONS,
)


@pytest.mark.parametrize(("rate", "runs", "entries"), [(E_TOU_C, 3, 9), (EV2_A, 4, 12)])
def test_rates_with_a_season_across_the_new_year(
    rate: dict[str, Any], runs: int, entries: int
) -> None:
    plan = openei_plan(rate, "file", TariffOptions())
    check(plan.periods)
    written = encode_tou_mqtt(plan.periods)
    # January to May, October to December, June to September; all days are 254.
    assert len(written) == entries
    assert [sum(one["season"] == mask for one in written) for mask in (31, 3584, 480)] == [runs] * 3
    assert {one["week"] for one in written} == {254}
    for day in (date(2026, 1, 7), date(2026, 7, 4)):
        (window,) = peak_windows(plan.periods, day)
        assert (window.start.hour, window.end.hour) == (16, 21)
    text = " ".join(plan.notes)
    for part in (
        "highest tier decides",
        "no holidays",
        "2 K below",
        "Fixed and minimum",
        "heat pump",
    ):
        assert part in text
    assert ("dearest time of a day alone" in text) == (runs == 4)
    # What concerns the options of a report alone is not said here.
    assert "--monthly-kwh" not in text and "--holidays" not in text


def test_weekdays_and_weekends_are_written_apart() -> None:
    plan = plan_from_prices(
        calendar(lambda m, day, hour: 0.4 if day in WEEKDAYS and hour > 17 else 0.2)
    )
    assert {one["week"] for one in encode_tou_mqtt(plan.periods)} == {124, 130}
    assert any("One price all day" in note and "weekend" in note for note in plan.notes)


def test_a_plan_with_one_price_holds_nothing_back() -> None:
    notes = plan_from_prices(calendar(lambda m, d, hour: 0.2)).notes
    assert notes == ("Each day has one price, so the heater never holds heating back.",)


def test_prices_that_differ_by_less_than_the_heater_stores() -> None:
    plan = plan_from_prices(calendar(lambda m, d, hour: 0.200004 if hour > 17 else 0.2))
    assert len(plan.periods) == 1
    assert any("less than 0.00001" in note for note in plan.notes)


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
    text = plan.notes[0]
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
