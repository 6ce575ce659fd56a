"""Days, weeks, months and years of a heater's time zone: bounds, labels and ticks for charts.

A day has 23 or 25 hours when clocks change, or begins at one o'clock where they change at midnight.
Weeks begin on Monday. Times are milliseconds since 1970 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ..exceptions import ConfigurationError
from ..protocol.calendar import MONTH_NAMES, Weekday
from .schema import to_datetime, to_ms

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
#: Years that a span may begin in; dates of the standard library end at 9999.
_FIRST_YEAR, _LAST_YEAR = 1971, 9990


@dataclass(frozen=True)
class TimeSpan:
    """A half-open range of time. ``kind``: day, week, month, year, or None for any other range.

    ``by`` is the kind of its parts, for sums: hour, day or month.
    """

    kind: str | None
    start: int
    end: int
    label: str

    @property
    def by(self) -> str:
        length = self.end - self.start
        if self.kind == "year" or length > 93 * DAY_MS:
            return "month"
        return "hour" if self.kind == "day" or length <= 50 * HOUR_MS else "day"


def span_at(kind: str, ms: int, zone: ZoneInfo | None) -> TimeSpan:
    """Return the day, week, month or year that contains a time; without a zone it is that of UTC.

    Raises ConfigurationError for another kind, or a time outside 1971 to 9990.
    """
    first, after = _bounds(kind, _local(ms, zone).date())
    return TimeSpan(kind, _start(first, zone), _start(after, zone), _label(kind, first))


def span_before(span: TimeSpan, zone: ZoneInfo | None) -> TimeSpan:
    """Return the span before, of the same kind; for any other range, the equally long one before."""
    if span.kind is None:
        return range_span(2 * span.start - span.end, span.start, zone)
    return span_at(span.kind, span.start - 1, zone)


def range_span(start: int, end: int, zone: ZoneInfo | None) -> TimeSpan:
    """Return any range. Raises ConfigurationError if it is empty, or outside 1971 to 9990."""
    if end <= start:
        raise ConfigurationError("the range is empty; its end must be after its start")
    first, last = _local(start, zone), _local(end - 1, zone)
    same = first.date() == last.date()
    until = _clock(_local(end, zone)) if same else f"{_date(last.date())}, {_clock(last)}"
    return TimeSpan(None, start, end, f"{_date(first.date())}, {_clock(first)} to {until}")


def parts(span: TimeSpan, zone: ZoneInfo | None) -> list[TimeSpan]:
    """Return the hours, days or months of a span, cut off at its ends."""
    found = []
    at = span.start
    while at < span.end:
        part = _hour_at(at, zone) if span.by == "hour" else span_at(span.by, at, zone)
        end = min(part.end, span.end)
        label = part.label if span.by == "hour" else _short_label(span.by, _local(at, zone).date())
        found.append(TimeSpan(span.by, at, end, label))
        at = end
    return found


def ticks(span: TimeSpan, zone: ZoneInfo | None) -> list[tuple[int, str]]:
    """Return at most 13 times of a chart's axis, each with its label."""
    hours = (span.end - span.start) / HOUR_MS
    if hours <= 2:
        return _clock_ticks(span, zone, 15)
    if hours <= 6:
        return _clock_ticks(span, zone, 60)
    if hours <= 50:
        return _clock_ticks(span, zone, 180 if hours <= 30 else 360)
    days = [(ms, _local(ms, zone).date()) for ms in day_starts(span, zone) if ms >= span.start]
    if hours <= 10 * 24:
        return [(ms, _weekday_and_day(day)) for ms, day in days]
    if hours <= 35 * 24:
        return [(ms, f"{day.day} {_month(day)}") for ms, day in days if day.day in _DAY_TICKS]
    firsts = [(ms, day) for ms, day in days if day.day == 1]
    if hours <= 370 * 24:
        return [(ms, _month(day)) for ms, day in firsts]
    years = [(ms, str(day.year)) for ms, day in firsts if day.month == 1]
    return years[:: 1 + len(years) // 13]


#: Days of a month with a tick.
_DAY_TICKS = {1, 6, 11, 16, 21, 26}


def day_starts(span: TimeSpan, zone: ZoneInfo | None) -> list[int]:
    """Return the beginnings of the days that a span has a part of; the first may be before it."""
    day, found = _local(span.start, zone).date(), []
    while (ms := _start(day, zone)) < span.end:
        found.append(ms)
        day += timedelta(days=1)
    return found


def offsets(span: TimeSpan, zone: ZoneInfo | None) -> list[tuple[int, int]]:
    """Return the zone's offsets from UTC in ms over a span, each with the time until which it holds.

    The last one holds for ever.
    """
    found = []
    at, offset = span.start, _offset(span.start, zone)
    while at < span.end:
        after = min(at + DAY_MS, span.end)
        changed = _offset(after, zone)
        if changed != offset:
            found.append((_transition(at, after, zone), offset))
            offset = changed
        at = after
    return [*found, (span.end, offset)]


def _transition(low: int, high: int, zone: ZoneInfo | None) -> int:
    """Return the first time with another offset between two times, by bisection."""
    before = _offset(low, zone)
    while high - low > 1000:
        middle = (low + high) // 2
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high // 1000 * 1000


def _bounds(kind: str, day: date) -> tuple[date, date]:
    """Return the first day of the span of a day, and the first one after it."""
    if kind == "day":
        return day, day + timedelta(days=1)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if kind == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    if kind == "year":
        first = day.replace(month=1, day=1)
        return first, first.replace(year=first.year + 1)
    raise ConfigurationError(f"span is {kind!r}; it must be day, week, month or year")


def _hour_at(ms: int, zone: ZoneInfo | None) -> TimeSpan:
    """Return the rest of an hour of the heater's clock; clocks may change by half of one."""
    offset = _offset(ms, zone)
    end = (ms + offset) // HOUR_MS * HOUR_MS + HOUR_MS - offset
    if _offset(end - 1, zone) != offset:
        end = _transition(ms, end, zone)
    return TimeSpan("hour", ms, end, _clock(_local(ms, zone)))


def _start(day: date, zone: ZoneInfo | None) -> int:
    """Return the beginning of a day. A midnight that clocks leave out is the time after it."""
    return to_ms(datetime(day.year, day.month, day.day, tzinfo=zone or timezone.utc))


def _local(ms: int, zone: ZoneInfo | None) -> datetime:
    try:
        local = to_datetime(ms).astimezone(zone or timezone.utc)
    except OverflowError:
        local = datetime.min
    if not _FIRST_YEAR <= local.year <= _LAST_YEAR:
        raise ConfigurationError(
            f"times must be milliseconds since 1970 in the years {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    return local


def _offset(ms: int, zone: ZoneInfo | None) -> int:
    offset = _local(ms, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


def _clock_ticks(span: TimeSpan, zone: ZoneInfo | None, minutes: int) -> list[tuple[int, str]]:
    """Return the times whose clock shows a multiple of so many minutes since midnight."""
    quarter = HOUR_MS // 4
    found = []
    for ms in range(-(-span.start // quarter) * quarter, span.end, quarter):
        local = _local(ms, zone)
        repeated = local.fold == 1  # the second of an hour that clocks show twice
        if (60 * local.hour + local.minute) % minutes == 0 and not repeated:
            found.append((ms, _clock(local)))
    return found


def _label(kind: str, first: date) -> str:
    if kind == "year":
        return str(first.year)
    if kind == "month":
        return f"{MONTH_NAMES[first.month - 1]} {first.year}"
    if kind == "day":
        return f"{_weekday(first)}, {_date(first)}"
    last = first + timedelta(days=6)
    if first.year != last.year:
        return f"{_date(first)} to {_date(last)}"
    if first.month != last.month:
        return f"{first.day} {MONTH_NAMES[first.month - 1]} to {_date(last)}"
    return f"{first.day} to {_date(last)}"


def _short_label(kind: str, first: date) -> str:
    return MONTH_NAMES[first.month - 1] if kind == "month" else _weekday_and_day(first)


def _weekday(day: date) -> str:
    return Weekday.of(day).name.capitalize()


def _weekday_and_day(day: date) -> str:
    return f"{_weekday(day)[:3]} {day.day}"


def _month(day: date) -> str:
    return MONTH_NAMES[day.month - 1][:3]


def _date(day: date) -> str:
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"


def _clock(local: datetime) -> str:
    return f"{local:%H:%M}"


def moment_label(ms: int, zone: ZoneInfo | None) -> str:
    """Return a time for people, such as ``Thu 26 Nov 2026, 14:05``."""
    local = _local(ms, zone)
    return f"{_weekday_and_day(local.date())} {_month(local.date())} {local.year}, {_clock(local)}"
