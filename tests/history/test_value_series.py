"""Series, energy, runs and commands of a history, against values by hand, in both databases."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterator

import pytest

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database
from navien_nwp500.history.energy_periods import PriceTable, energy_periods
from navien_nwp500.history.heating_runs import heating_runs
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.spans import DAY_MS, HOUR_MS, range_span, span_at
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource, StoredHeater
from navien_nwp500.history.value_series import recorded_bounds, recorded_gaps, value_series

MINUTE = 60_000
#: 28 March 2026, 00:00 in Berlin: the day before one of 23 hours.
START = to_ms(datetime(2026, 3, 27, 23, tzinfo=timezone.utc))
NEVER = START + 1000 * DAY_MS


def reading(minute: float, watts: int, **values: int | None) -> Reading:
    known = {
        "current_inst_power": watts,
        "tank_upper_temperature": 500,
        "tank_lower_temperature": 400,
        "dhw_charge_per": 60,
        "dhw_temperature_setting": 110,
        "comp_use": 2 if watts > 100 else 1,
        "heat_upper_use": 1,
        "heat_lower_use": 1,
    }
    return Reading(START + round(minute * MINUTE), {**known, **values})


@pytest.fixture
def store(where: str) -> Iterator[HistoryStore]:
    with Database(where) as database:
        yield HistoryStore(database)


@pytest.fixture
def heater(store: HistoryStore) -> StoredHeater:
    # Of another heater, which must not matter.
    other = store.ensure_heater("ffffffffffff", zone="UTC")
    store.add(other, [reading(minute, 900) for minute in range(0, 3000, 10)], ReadingSource.LIVE)
    return store.ensure_heater("0123456789ab", zone="Europe/Berlin")


def add(store: HistoryStore, heater: StoredHeater, *readings: Reading) -> None:
    store.add(heater, readings, ReadingSource.LIVE)


def test_a_bucket_has_the_mean_over_its_known_time(
    store: HistoryStore, heater: StoredHeater
) -> None:
    upper = {"tank_upper_temperature": 550}
    # 400 W until minute 8, 100 W until 10; the status of minute 10 counts until 25, then a gap.
    add(store, heater, reading(0, 400), reading(8, 100, **upper), reading(10, 200))
    add(store, heater, reading(40, 300, current_inst_power=None), reading(45, 0))
    hour = range_span(START, START + HOUR_MS, heater.time_zone)
    found = value_series(store, heater, hour, points=13, now=NEVER)
    assert (found.source, found.bucket_ms, len(found.times)) == ("status", 5 * MINUTE, 12)
    power, tank = found.values["power_w"], found.values["upper_c"]
    none = [None] * 3
    assert power.mean == [400, (3 * 400 + 2 * 100) / 5, 200, 200, 200, *none, None, 0, None, None]
    assert power.min == [400, 100, 200, 200, 200, *none, None, 0, None, None]
    assert power.max == [400, 400, 200, 200, 200, *none, None, 0, None, None]
    assert tank.mean[:3] == [50, 52, 50] and tank.max[:3] == [50, 55, 50]
    assert found.energy_wh[:3] == pytest.approx([400 / 12, 280 / 12, 200 / 12])
    assert found.energy_wh[5:] == [None, None, None, 0, 0, None, None]
    assert found.setpoint_c == [55] * 5 + none + [55, 55, None, None]
    assert found.gaps == [
        (START + 25 * MINUTE, START + 40 * MINUTE),
    ]
    # A status that has come long before "now" is followed by a gap.
    silent = recorded_gaps(store, heater, hour, now=START + 70 * MINUTE, shortest=MINUTE)
    assert silent == found.gaps
    later = range_span(START, START + 2 * HOUR_MS, heater.time_zone)
    silent = recorded_gaps(store, heater, later, now=START + 70 * MINUTE, shortest=MINUTE)
    assert silent == [*found.gaps, (START + 60 * MINUTE, START + 70 * MINUTE)]


def test_a_status_from_before_the_range_counts_into_it(
    store: HistoryStore, heater: StoredHeater
) -> None:
    add(store, heater, reading(-10, 600), reading(20, 0), reading(200, 0), reading(205, 0))
    quarter = range_span(START, START + 15 * MINUTE, heater.time_zone)
    found = value_series(store, heater, quarter, points=4, now=NEVER)
    assert found.values["power_w"].mean == [600, None, None]
    assert found.gaps == [(START + 5 * MINUTE, START + 15 * MINUTE)]
    # A range in a gap has nothing but the gap; one before the first status has none.
    inside = range_span(START + 60 * MINUTE, START + 90 * MINUTE, heater.time_zone)
    found = value_series(store, heater, inside, points=2, now=NEVER)
    assert set(found.energy_wh) == {None}
    assert found.gaps == [(inside.start, inside.end)]
    before = range_span(START - DAY_MS, START - HOUR_MS, heater.time_zone)
    assert value_series(store, heater, before, points=24, now=NEVER).gaps == []
    assert recorded_bounds(store, heater) == (START - 15 * MINUTE, START + 210 * MINUTE)


def test_all_ways_to_sum_the_energy_agree(store: HistoryStore, heater: StoredHeater) -> None:
    """Two months at 20 minutes, so that a quarter of the time is unknown, over a clock change."""
    watts = [(7 * number) % 500 for number in range(60 * 72)]
    add(
        store, heater, *(reading(20 * n, one) for n, one in enumerate(watts)), reading(20 * 4320, 0)
    )
    zone = heater.time_zone
    expected = sum(watts) / 4
    whole = range_span(START - DAY_MS, START + 62 * DAY_MS, zone)
    days = {day.day.isoformat(): day.wh for day in store.days(heater)}
    assert sum(days.values()) == pytest.approx(expected)
    for points in (50, 300, 2000):
        found = value_series(store, heater, whole, points=points, now=NEVER)
        assert found.source == "quarter" and len(found.times) <= points
        assert sum(one or 0 for one in found.energy_wh) == pytest.approx(expected)
    short_day = span_at("day", START + 30 * HOUR_MS, zone)
    assert short_day.end - short_day.start == 23 * HOUR_MS
    series = value_series(store, heater, short_day, points=600, now=NEVER)
    rows, total = energy_periods(store, heater, short_day, now=NEVER, prices=None)
    assert len(rows) == 23
    assert total.wh == pytest.approx(days["2026-03-29"])
    assert sum(one or 0 for one in series.energy_wh) == pytest.approx(total.wh)
    assert sum(row.wh or 0 for row in rows) == pytest.approx(total.wh)
    assert total.known == pytest.approx(0.75, abs=0.01) and rows[5].known == 0.75
    march, total = energy_periods(
        store, heater, span_at("month", START, zone), now=NEVER, prices=None
    )
    assert [row.wh for row in march[:27]] == [None] * 27
    assert march[28].wh == pytest.approx(days["2026-03-29"])
    assert total.wh == pytest.approx(sum(wh for day, wh in days.items() if day < "2026-04"))


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        # Half an hour from UTC, and clocks that change by half an hour.
        ("Asia/Kolkata", datetime(2026, 3, 27, 18, 30), [24, 24, 24]),
        ("Australia/Lord_Howe", datetime(2026, 4, 3, 13), [24, 24.5, 24]),
        ("America/St_Johns", datetime(2026, 10, 31, 2, 30), [24, 25, 24]),
    ],
)
def test_days_of_60_watts_have_60_watt_hours_an_hour(
    store: HistoryStore, zone: str, first: datetime, hours: list[float]
) -> None:
    """A status every 10 minutes, from a day before to a day after."""
    heater = store.ensure_heater("0123456789ab", zone=zone)
    begin = to_ms(first.replace(tzinfo=timezone.utc))
    times = range(begin - DAY_MS, begin + 4 * DAY_MS, 10 * MINUTE)
    add(store, heater, *(reading(0, 60)._replace(ms=ms) for ms in times))
    days = [span_at("day", begin, heater.time_zone)]
    days += [span_at("day", days[0].end, heater.time_zone)]
    days += [span_at("day", days[1].end, heater.time_zone)]
    assert days[0].start == begin
    for day, length in zip(days, hours):
        rows, total = energy_periods(store, heater, day, now=NEVER, prices=None)
        assert total.wh == pytest.approx(60 * length) and total.known == 1
        assert sum(row.wh or 0 for row in rows) == pytest.approx(60 * length)
        series = value_series(store, heater, day, points=96, now=NEVER)
        assert sum(one or 0 for one in series.energy_wh) == pytest.approx(60 * length)
        assert set(series.values["power_w"].mean) == {60} and series.gaps == []
    by_day = {day.day: day.wh for day in store.days(heater)}
    local = [datetime.fromtimestamp(day.start / 1000, heater.time_zone).date() for day in days]
    assert [by_day[day] for day in local] == pytest.approx([60 * one for one in hours])


def test_days_of_many_years_are_those_of_the_heater(
    store: HistoryStore, heater: StoredHeater
) -> None:
    # A status of 60 W at 23:50 of four days: 10 minutes and 5. The second day has 23 hours.
    for day, offset in ((0, 0), (1, 60), (190, 60), (191, 60)):
        late = (day + 1) * 1440 - 10 - offset
        add(store, heater, reading(late, 60), reading(late + 15, 0))
    years = range_span(START, START + 800 * DAY_MS, heater.time_zone)
    found = value_series(store, heater, years, points=2000, now=START)
    assert (found.source, found.bucket_ms, len(found.times)) == ("day", DAY_MS, 801)
    energy = {n: round(one, 6) for n, one in enumerate(found.energy_wh) if one is not None}
    assert energy == {0: 10, 1: 15, 2: 5, 190: 10, 191: 15, 192: 5}
    # The chart of two years of days in fewer points has the same energy.
    fewer = value_series(store, heater, years, points=100, now=START)
    assert len(fewer.times) <= 100 and sum(one or 0 for one in fewer.energy_wh) == 60


def test_a_year_shows_the_last_setpoint_and_extremes_of_each_bucket(
    store: HistoryStore, heater: StoredHeater
) -> None:
    add(store, heater, reading(0, 400, dhw_charge_per=90), reading(15, 20, dhw_charge_per=30))
    add(store, heater, reading(30, 20, dhw_temperature_setting=100), reading(45, 0))
    year = span_at("year", START, heater.time_zone)
    found = value_series(store, heater, year, points=400, now=START + HOUR_MS)
    (index,) = (n for n, one in enumerate(found.energy_wh) if one is not None)
    assert found.times[index] == START and found.setpoint_c[index] == 55
    power, charge = found.values["power_w"], found.values["charge_percent"]
    assert power.mean[index] == pytest.approx(440 / 3) and power.max[index] == 400
    assert (charge.min[index], charge.max[index]) == (30, 90)
    lower = {"dhw_temperature_setting": 100}
    add(store, heater, reading(60, 0, **lower), reading(75, 0, **lower))
    assert value_series(store, heater, year, points=400, now=START).setpoint_c[index] == 50


def test_deleted_statuses_leave_their_quarter_hours(
    store: HistoryStore, heater: StoredHeater
) -> None:
    add(store, heater, *(reading(5 * n, 120) for n in range(25)))
    store.prune(NEVER)
    day = span_at("day", START, heater.time_zone)
    found = value_series(store, heater, day, points=600, now=START)
    assert (found.source, found.bucket_ms) == ("quarter", 15 * MINUTE)
    assert found.values["power_w"].mean[:8] == [120] * 8
    assert found.energy_wh[8:10] == [0, None]


@pytest.mark.parametrize("points", [0, 2001, -5])
def test_a_number_of_points_out_of_range_is_refused(
    store: HistoryStore, heater: StoredHeater, points: int
) -> None:
    with pytest.raises(ConfigurationError, match="1 to 2000"):
        value_series(store, heater, span_at("day", START, None), points=points, now=START)


def test_a_cost_is_that_of_each_quarter_hour(store: HistoryStore, heater: StoredHeater) -> None:
    add(store, heater, *(reading(5 * n, 1200) for n in range(13)))
    # 0.10 in the first half hour, 0.50 until minute 40, then no price is known.
    prices = [
        (START, START + 30 * MINUTE, 0.10),
        (START + 30 * MINUTE, START + 40 * MINUTE, 0.50),
    ]
    day = span_at("day", START, heater.time_zone)
    rows, total = energy_periods(store, heater, day, now=NEVER, prices=prices)
    assert (rows[0].wh, rows[0].cost, total.cost) == (1200, None, None)
    rows, total = energy_periods(
        store, heater, day, now=NEVER, prices=[*prices, (START + 40 * MINUTE, NEVER, 0.20)]
    )
    assert total.cost == rows[0].cost == pytest.approx(0.6 * 0.10 + 0.2 * 0.50 + 0.4 * 0.20)
    assert rows[1].wh == 0 and rows[1].cost == 0
    assert rows[2].wh is None and rows[2].cost is None
    assert PriceTable([]).cost(0, 1, 5.0) is None
    assert PriceTable([(0, 2, 0.5)]).cost(0, 3, 6000) is None
    assert PriceTable([(0, 2, 0.5), (2, 9, 0.2)]).cost(0, 3, 6000) == pytest.approx(2.4)


def test_runs_have_start_end_energy_and_temperatures(
    store: HistoryStore, heater: StoredHeater
) -> None:
    hot = {"tank_upper_temperature": 600, "tank_lower_temperature": 590}
    add(store, heater, reading(-5, 1), reading(0, 400), reading(10, 460), reading(20, 1, **hot))
    element: dict[str, Any] = {"comp_use": 1, "heat_upper_use": 2}
    add(store, heater, reading(100, 1), reading(110, 5000, **element), reading(200, 1))
    add(store, heater, reading(300, 400), reading(330, 400))
    day = span_at("day", START, heater.time_zone)
    last, third, second, first = heating_runs(store, heater, day)
    assert (first.start - START, (first.end or 0) - START) == (0, 20 * MINUTE)
    assert first.wh == pytest.approx(400 / 6 + 460 / 6) and first.max_watts == 460
    assert (first.upper_from, first.upper_to, first.lower_from, first.lower_to) == (50, 60, 40, 59)
    assert (first.element, second.element) == (False, True)
    # A gap ends a run 15 minutes after its last status.
    assert (second.end or 0) - START == 125 * MINUTE and second.wh == pytest.approx(1250)
    assert (second.upper_from, second.upper_to) == (50, 50)
    # Also one after which it heats again: what was between is not known.
    assert (third.start - START, (third.end or 0) - START) == (300 * MINUTE, 315 * MINUTE)
    assert (last.start - START, last.end, last.wh) == (330 * MINUTE, None, 0)
    # A run that began before the range is whole.
    part = range_span(START + 15 * MINUTE, START + 30 * MINUTE, heater.time_zone)
    assert heating_runs(store, heater, part) == [first]
    rest = range_span(START + 26 * MINUTE, START + 30 * MINUTE, heater.time_zone)
    assert heating_runs(store, heater, rest) == []


def test_a_command_is_stored_once_with_its_outcome(
    store: HistoryStore, heater: StoredHeater
) -> None:
    log = CommandLog(store)
    details: dict[str, Any] = {"name": "temperature", "arguments": {"celsius": 55.5}, "who": "page"}
    assert log.begin(heater, "one", ms=START, **details)
    assert not log.begin(heater, "one", ms=START + 5, **{**details, "name": "mode"})
    assert [one.id for one in log.unfinished()] == ["one"]
    log.end("one", ms=START + 900, outcome="confirmed", text="The setpoint is 55.5 °C.")
    log.end("one", ms=START + 999, outcome="failed", text="late")
    found = log.find("one")
    assert found is not None and log.unfinished() == [] and log.find("two") is None
    assert (found.name, found.arguments, found.asked) == ("temperature", {"celsius": 55.5}, START)
    assert (found.outcome, found.answered) == ("confirmed", START + 900)
    assert log.within(heater, START, START + 1) == [found]
    assert log.within(heater, START + 1, NEVER) == []
