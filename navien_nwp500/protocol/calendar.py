"""Weekdays and months as bit fields, and times of the heater's clock (PROTOCOL 8.1, 8.2)."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Iterable

from ..exceptions import ProtocolError, ValueOutOfRangeError


class Weekday(Enum):
    """Day of the week; the value is its bit in ``week`` (bit 0 is unused; PROTOCOL 8.1)."""

    MONDAY = 64
    TUESDAY = 32
    WEDNESDAY = 16
    THURSDAY = 8
    FRIDAY = 4
    SATURDAY = 2
    SUNDAY = 128

    @classmethod
    def of(cls, date: datetime.date) -> Weekday:
        """Return the weekday of a date."""
        return tuple(cls)[date.weekday()]


EVERY_DAY = frozenset(Weekday)
WEEKEND = frozenset((Weekday.SATURDAY, Weekday.SUNDAY))
WEEKDAYS = EVERY_DAY - WEEKEND
EVERY_MONTH = frozenset(range(1, 13))
MONTH_NAMES = tuple(
    "January February March April May June July August September October November December".split()
)


def pack_days(days: Iterable[Weekday]) -> int:
    """Return the ``week`` of the given weekdays, 0 to 254 (PROTOCOL 8.1).

    Raises ValueOutOfRangeError when one of them is not a Weekday.
    """
    found = frozenset(days)
    if not all(isinstance(day, Weekday) for day in found):
        raise ValueOutOfRangeError("days must be members of Weekday, such as Weekday.MONDAY")
    return sum(day.value for day in found)


def unpack_days(week: int) -> frozenset[Weekday]:
    """Return the weekdays of a ``week``, 0 to 255; its unused bit is ignored.

    Raises ProtocolError for other numbers.
    """
    if not 0 <= week <= 255:
        raise ProtocolError("week is not a number from 0 to 255")
    return frozenset(day for day in Weekday if week & day.value)


def pack_months(months: Iterable[int]) -> int:
    """Return the ``season`` of months from 1 to 12, 0 to 4095 (PROTOCOL 8.2).

    Raises ValueOutOfRangeError for other months.
    """
    found = frozenset(months)
    if not all(type(month) is int and month in EVERY_MONTH for month in found):
        raise ValueOutOfRangeError("months must be numbers from 1, January, to 12, December")
    return sum(1 << (month - 1) for month in found)


def unpack_months(season: int) -> frozenset[int]:
    """Return the months of a ``season``, 0 to 4095. Raises ProtocolError for other numbers."""
    if not 0 <= season <= 4095:
        raise ProtocolError("season is not a number from 0 to 4095")
    return frozenset(month for month in EVERY_MONTH if season >> (month - 1) & 1)


def check_time(time: datetime.time) -> None:
    """Raise ValueOutOfRangeError unless this is a whole minute without a time zone."""
    if not isinstance(time, datetime.time):
        raise ValueOutOfRangeError("a time of day must be a datetime.time")
    if time.second or time.microsecond or time.tzinfo is not None:
        raise ValueOutOfRangeError(f"{time} is not a whole minute without a time zone")


def check_days(days: Iterable[Weekday]) -> None:
    """Raise ValueOutOfRangeError unless at least one weekday is given."""
    if not pack_days(days):
        raise ValueOutOfRangeError("at least one day of the week must be given")
