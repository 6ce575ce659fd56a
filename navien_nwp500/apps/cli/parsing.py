"""Temperatures, days, months and times as people type them, and the same for them to read."""

from __future__ import annotations

import datetime
import re
from typing import Any, Callable, Collection, Mapping, NamedTuple, Sequence

import click

from ...protocol.calendar import MONTH_NAMES, WEEKDAYS, WEEKEND, Weekday
from ...protocol.features import DeviceFeatures
from ...protocol.status import DeviceStatus
from ...protocol.types import Temperature, TemperatureType

_WEEK = tuple(Weekday)
_DAY_NAMES = tuple(day.name.lower() for day in _WEEK)
_MONTHS = tuple(name.lower() for name in MONTH_NAMES)
#: Words for several days at once.
_SETS = {"daily": frozenset(Weekday), "weekdays": WEEKDAYS, "weekend": WEEKEND}
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*°?\s*([CF]?)", re.IGNORECASE)


class Degrees(NamedTuple):
    """A temperature as it was typed; ``unit`` is C, F, or None for the heater's own."""

    value: float
    unit: str | None

    def named(self, own: str) -> dict[str, Any]:
        """The same as ``celsius`` or ``fahrenheit``; a bare number is in the ``own`` unit."""
        return {"celsius" if (self.unit or own) == "C" else "fahrenheit": self.value}


def typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make a parser the type of an option: its ValueError becomes wrong usage."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return convert


def parse_degrees(text: str) -> Degrees:
    """A temperature: ``120F``, ``49.5C`` or ``120``. Raises ValueError saying so."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no temperature, such as 120F or 49C")
    return Degrees(float(found[1]), found[2].upper() or None)


def parse_time(text: str) -> datetime.time:
    """A time of day, HH:MM. Raises ValueError saying so."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(f"{text!r} is no time of day, such as 06:30")
    return datetime.time(int(found[1]), int(found[2]))


def parse_days(text: str) -> frozenset[Weekday]:
    """Weekdays by name, range or word. Raises ValueError naming what is none."""
    sets = {word: {_WEEK.index(day) for day in days} for word, days in _SETS.items()}
    return frozenset(_WEEK[number] for number in _parse(text, _DAY_NAMES, sets))


def parse_months(text: str) -> frozenset[int]:
    """Months, 1 to 12, by name or range. Raises ValueError naming what is none."""
    return frozenset(number + 1 for number in _parse(text, _MONTHS, {"all": set(range(12))}))


def days_text(days: Collection[Weekday]) -> str:
    """Weekdays as :func:`parse_days` takes them."""
    for word, meant in _SETS.items():
        if word != "weekdays" and meant == frozenset(days):
            return word
    return _spell({_WEEK.index(day) for day in days}, _DAY_NAMES)


def months_text(months: Collection[int]) -> str:
    """Months as :func:`parse_months` takes them."""
    return "all" if len(months) == 12 else _spell({month - 1 for month in months}, _MONTHS)


def day_names(days: Collection[Weekday]) -> list[str]:
    """Weekdays for a machine, Monday first."""
    return [name for day, name in zip(_WEEK, _DAY_NAMES) if day in days]


def own_unit(status: DeviceStatus | DeviceFeatures) -> str:
    """C or F, as the heater shows it."""
    return "C" if status.temperature_type == TemperatureType.CELSIUS else "F"


def both(value: Temperature, own: str) -> str:
    """A temperature in both units, the heater's ``own`` first."""
    units = [f"{value.fahrenheit:.1f} °F", f"{value.celsius:.1f} °C"]
    if own == "C":
        units.reverse()
    return f"{units[0]} ({units[1]})"


def _parse(text: str, names: Sequence[str], sets: Mapping[str, set[int]]) -> set[int]:
    """Numbers of the names in a list of names, ranges (also across the end) and words."""
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


def _index(word: str, names: Sequence[str]) -> int:
    word = word.strip()
    for number, name in enumerate(names):
        if len(word) >= 3 and name.startswith(word):
            return number
    known = ", ".join(name[:3] for name in names)
    raise ValueError(f"{word!r} is none of {known}, nor a range of them")


def _spell(found: set[int], names: Sequence[str]) -> str:
    """Numbers as names: three and more in a row as a range, also across the end."""
    count = len(names)
    parts = []
    for start in sorted(found):
        if (start - 1) % count in found:
            continue
        length = next(step for step in range(1, count + 1) if (start + step) % count not in found)
        run = [names[(start + step) % count][:3] for step in range(length)]
        parts.append(f"{run[0]}-{run[-1]}" if length > 2 else ",".join(run))
    return ",".join(parts)
