"""Spans of the heater's time zone: bounds, parts, labels and ticks."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.schema import to_datetime, to_ms
from navien_nwp500.history.spans import (
    DAY_MS,
    HOUR_MS,
    TimeSpan,
    day_starts,
    offsets,
    parts,
    range_span,
    span_at,
    span_before,
    ticks,
)

BERLIN = ZoneInfo("Europe/Berlin")
KINDS = ("day", "week", "month", "year")


def utc(*when: int) -> int:
    return to_ms(datetime(*when, tzinfo=timezone.utc))  # type: ignore[arg-type, misc]


def hours(span: TimeSpan) -> float:
    return (span.end - span.start) / HOUR_MS


# Days of the past: governments change the rules of the future, and the tables of zones follow.
@pytest.mark.parametrize(
    ("zone", "noon", "length", "first_hours"),
    [
        ("Europe/Berlin", (2024, 3, 31, 12), 23, ["00:00", "01:00", "03:00"]),
        ("Europe/Berlin", (2024, 10, 27, 12), 25, ["00:00", "01:00", "02:00", "02:00", "03:00"]),
        ("Asia/Kolkata", (2026, 3, 29, 12), 24, ["00:00", "01:00"]),
        ("Asia/Kathmandu", (2026, 3, 29, 12), 24, ["00:00", "01:00"]),
        # Clocks change by half an hour, at 2:00 to 1:30 and back.
        ("Australia/Lord_Howe", (2024, 4, 7, 2), 24.5, ["00:00", "01:00", "01:30", "02:00"]),
        ("Australia/Lord_Howe", (2024, 10, 6, 2), 23.5, ["00:00", "01:00", "02:30", "03:00"]),
        # At 2:45 to 3:45: two parts of hours.
        ("Pacific/Chatham", (2024, 9, 28, 23), 23, ["00:00", "01:00", "02:00", "03:45", "04:00"]),
        # Midnight is left out: the day begins at 1:00.
        ("America/Havana", (2024, 3, 10, 16), 23, ["01:00", "02:00"]),
        ("America/Havana", (2024, 11, 3, 16), 25, ["00:00", "00:00", "01:00"]),
    ],
)
def test_a_day_has_the_hours_that_the_heaters_clock_shows(
    zone: str, noon: tuple[int, ...], length: float, first_hours: list[str]
) -> None:
    own = ZoneInfo(zone)
    day = span_at("day", utc(*noon), own)
    assert hours(day) == length
    rows = parts(day, own)
    assert [row.label for row in rows][: len(first_hours)] == first_hours
    assert all(hours(row) <= 1 for row in rows)
    # Each hour of the clock is an hour, except where clocks change by half of one.
    assert [row.start for row in rows] == [day.start, *(row.end for row in rows[:-1])]
    assert rows[-1].end == day.end
    labels = [label for _, label in ticks(day, own)]
    assert len(set(labels)) == len(labels) <= 9


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "Asia/Kolkata", "America/Havana"])
@pytest.mark.parametrize("kind", KINDS)
def test_spans_follow_each_other_without_gap_or_overlap(kind: str, zone: str | None) -> None:
    own = None if zone is None else ZoneInfo(zone)
    end = utc(2028, 3, 2)  # after a leap day
    span = span_at(kind, end, own)
    for _ in range(40 if kind != "year" else 5):
        before = span_before(span, own)
        assert (before.kind, before.end) == (kind, span.start)
        assert span_at(kind, before.start, own) == before == span_at(kind, before.end - 1, own)
        pieces = parts(span, own)
        assert (pieces[0].start, pieces[-1].end) == (span.start, span.end)
        assert all(one.end == next_.start for one, next_ in zip(pieces, pieces[1:]))
        assert 4 <= len(ticks(span, own)) <= 13
        assert all(span.start <= ms < span.end for ms, _ in ticks(span, own))
        span = before


def test_labels_are_those_of_people() -> None:
    at = utc(2026, 12, 31, 23, 30)  # in Berlin already the next year
    labels = {kind: span_at(kind, at, BERLIN).label for kind in KINDS}
    assert labels == {
        "day": "Friday, 1 January 2027",
        "week": "28 December 2026 to 3 January 2027",
        "month": "January 2027",
        "year": "2027",
    }
    assert span_at("week", utc(2026, 4, 1), None).label == "30 March to 5 April 2026"
    assert span_at("week", utc(2026, 4, 8), None).label == "6 to 12 April 2026"
    assert [one.label for one in parts(span_at("year", at, None), None)][:2] == [
        "January",
        "February",
    ]
    assert parts(span_at("week", utc(2026, 4, 8), None), None)[0].label == "Mon 6"
    within_a_day = range_span(utc(2026, 4, 8, 6), utc(2026, 4, 8, 7, 30), BERLIN)
    assert within_a_day.label == "8 April 2026, 08:00 to 09:30"
    longer = range_span(utc(2026, 4, 8), utc(2026, 4, 10), None)
    assert longer.label == "8 April 2026, 00:00 to 9 April 2026, 23:59"
    assert span_before(longer, None) == range_span(utc(2026, 4, 6), utc(2026, 4, 8), None)


def test_a_range_of_any_length_has_ticks_and_days() -> None:
    start = utc(2026, 3, 28, 22, 10)
    for length in (30 * 60_000, 5 * HOUR_MS, 40 * HOUR_MS, 9 * DAY_MS, 30 * DAY_MS, 300 * DAY_MS):
        span = range_span(start, start + length, BERLIN)
        assert 1 <= len(ticks(span, BERLIN)) <= 13
        days = day_starts(span, BERLIN)
        assert days[0] <= span.start < days[1] if len(days) > 1 else days[0] <= span.start
    decades = range_span(utc(1980, 1, 1), utc(2026, 1, 1), BERLIN)
    assert 4 <= len(ticks(decades, BERLIN)) <= 13


def test_offsets_change_when_the_clocks_do() -> None:
    year = span_at("year", utc(2026, 6, 1), BERLIN)
    hour = HOUR_MS
    assert offsets(year, BERLIN) == [
        (utc(2026, 3, 29, 1), hour),
        (utc(2026, 10, 25, 1), 2 * hour),
        (year.end, hour),
    ]
    assert offsets(year, None) == [(year.end, 0)]


@pytest.mark.parametrize("ms", [-1, 0, 10**17, -(10**17)])
def test_a_time_that_no_calendar_has_is_refused(ms: int) -> None:
    with pytest.raises(ConfigurationError, match="1971 to 9990"):
        span_at("day", ms, BERLIN)


def test_another_kind_and_an_empty_range_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="day, week, month or year"):
        span_at("decade", utc(2026, 1, 1), None)
    with pytest.raises(ConfigurationError, match="empty"):
        range_span(5 * DAY_MS * 100, 5 * DAY_MS * 100, None)
    assert to_datetime(utc(2026, 1, 1)).year == 2026
