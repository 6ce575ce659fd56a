"""Weekdays, months, times and dates as people type them, and as they are written the same way."""

from __future__ import annotations

import datetime
import re
from typing import Collection, Mapping, Sequence

from .calendar import MONTH_NAMES, WEEKDAYS, WEEKEND, Weekday

_WEEK = tuple(Weekday)
_DAY_NAMES = tuple(day.name.lower() for day in _WEEK)
_MONTHS = tuple(name.lower() for name in MONTH_NAMES)
#: Names of several days.
_DAY_SETS = {"daily": frozenset(Weekday), "weekdays": WEEKDAYS, "weekend": WEEKEND}


def parse_time(text: str) -> datetime.time:
    """Parse a time of day, HH:MM. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(f"{text!r} is not a time of day such as 06:30")
    return datetime.time(int(found[1]), int(found[2]))


def parse_date(text: str) -> datetime.date:
    """Parse a date, YYYY-MM-DD. Raises ValueError."""
    try:
        return datetime.datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date such as 2026-12-24") from error


def parse_days(text: str) -> frozenset[Weekday]:
    """Parse weekdays such as ``mon,wed``, ``mon-fri`` or ``weekend``. Raises ValueError."""
    sets = {name: {_WEEK.index(day) for day in days} for name, days in _DAY_SETS.items()}
    return frozenset(_WEEK[number] for number in _parse(text, _DAY_NAMES, sets))


def parse_months(text: str) -> frozenset[int]:
    """Parse months such as ``jan,mar``, ``oct-may`` or ``all``, to 1 to 12. Raises ValueError."""
    return frozenset(number + 1 for number in _parse(text, _MONTHS, {"all": set(range(12))}))


def days_text(days: Collection[Weekday]) -> str:
    """Write weekdays as :func:`parse_days` reads them."""
    for name, members in _DAY_SETS.items():
        if name != "weekdays" and members == frozenset(days):
            return name
    return _format({_WEEK.index(day) for day in days}, _DAY_NAMES)


def months_text(months: Collection[int]) -> str:
    """Write months as :func:`parse_months` reads them."""
    return "all" if len(months) == 12 else _format({month - 1 for month in months}, _MONTHS)


def day_names(days: Collection[Weekday]) -> list[str]:
    """Return weekday names for JSON, Monday first."""
    return [name for day, name in zip(_WEEK, _DAY_NAMES) if day in days]


def _parse(text: str, names: Sequence[str], sets: Mapping[str, set[int]]) -> set[int]:
    """Return the indexes of names, of ranges (also across the end), and of named sets."""
    found: set[int] = set()
    for part in (part.strip() for part in text.lower().split(",")):
        if part in sets:
            found |= sets[part]
            continue
        first, dash, last = part.partition("-")
        start = _index(first, names)
        length = (_index(last, names) - start) % len(names) if dash else 0
        found |= {(start + step) % len(names) for step in range(length + 1)}
    return found


def _index(text: str, names: Sequence[str]) -> int:
    text = text.strip()
    for number, name in enumerate(names):
        if len(text) >= 3 and name.startswith(text):
            return number
    known = ", ".join(name[:3] for name in names)
    raise ValueError(f"{text!r} is none of {known}, nor a range of them")


def _format(found: set[int], names: Sequence[str]) -> str:
    """Write indexes as names, three or more in a row as a range, also across the end."""
    count = len(names)
    parts = []
    for start in sorted(found):
        if (start - 1) % count in found:
            continue
        length = next(step for step in range(1, count + 1) if (start + step) % count not in found)
        run = [names[(start + step) % count][:3] for step in range(length)]
        parts.append(f"{run[0]}-{run[-1]}" if length > 2 else ",".join(run))
    return ",".join(parts)
