"""Time-of-use plan: prices by month, weekday and time.

It is read over REST and written over MQTT. Times are the heater's local time, to the minute; an end
is inclusive (PROTOCOL 1.10, 8.4).
"""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from .._util.text import clean_text
from ..exceptions import ProtocolError, ValueOutOfRangeError
from .calendar import (
    EVERY_MONTH,
    MONTH_NAMES,
    Weekday,
    check_days,
    check_time,
    pack_days,
    pack_months,
    unpack_days,
    unpack_months,
)
from .fields import decode_each, require_integer, require_list, require_object

Body = Mapping[str, Any]

#: The size of the controller's table, for all periods as written (PROTOCOL 8.4).
MAX_PERIODS = 40
#: An old document allows no more for the same months and weekdays; nobody measured it (PROTOCOL 8.4).
DOUBTFUL_GROUP = 16
_MAX_PRICE = 2**31 - 1
_DECIMAL_PLACES = 5
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class TOUPeriod:
    """Price range per kWh for a time of day on some weekdays in some months.

    ``end`` is the last minute: 15:59 means until 16:00. A period does not cross midnight.
    """

    months: frozenset[int]
    days: frozenset[Weekday]
    start: datetime.time
    end: datetime.time
    price_min: Decimal
    price_max: Decimal

    def check(self) -> None:
        """Raise ValueOutOfRangeError if this must not be written; the message names what is allowed."""
        if not pack_months(self.months):
            raise ValueOutOfRangeError("at least one month must be given")
        check_days(self.days)
        check_time(self.start)
        check_time(self.end)
        if self.end < self.start:
            raise ValueOutOfRangeError("a period across midnight must be given as two periods")
        if _price(self.price_max) < _price(self.price_min):
            raise ValueOutOfRangeError("the lowest price of a period is above its highest price")


@dataclass(frozen=True)
class TOUInfo:
    """Time-of-use plan as the cloud stores it; a missing value is None.

    ``register_path`` is ``bt`` if the plan was written over Bluetooth at set-up, else ``wifi``.
    """

    name: str | None
    utility: str | None
    zip_code: str | None = field(repr=False)
    controller_id: str | None = field(repr=False)
    manufacture_id: str | None = field(repr=False)
    register_path: str | None
    source_type: str | None
    periods: tuple[TOUPeriod, ...]
    #: Why periods of the response are missing here.
    unreadable: tuple[str, ...] = ()


def decode_tou(data: Body, *, partly: bool = False) -> TOUInfo:
    """Decode the ``data`` of the REST response with exact prices. Raises ProtocolError.

    With ``partly`` a damaged period or season costs itself alone.
    """
    info = require_object(require_object(data, "data").get("touInfo"), "touInfo")
    periods: list[TOUPeriod] = []
    unreadable: list[str] = []

    def read_season(season: Any) -> None:
        number = require_integer(require_object(season, "a season"), "season", 0, 4095)
        found, problems = decode_each(
            require_list(season, "interval"),
            lambda interval: _read_period(unpack_months(number), interval),
            partly=partly,
        )
        periods.extend(found)
        unreadable.extend(f"season {number}, {problem}" for problem in problems)

    _, seasons = decode_each(require_list(info, "schedule"), read_season, partly=partly)
    return TOUInfo(
        name=_text(info, "name"),
        utility=_text(info, "utility"),
        zip_code=_zip_code(info),
        controller_id=_text(info, "controllerId"),
        manufacture_id=_text(info, "manufactureId"),
        register_path=_text(data, "registerPath"),
        source_type=_text(data, "sourceType"),
        periods=tuple(periods),
        unreadable=(*seasons, *unreadable),
    )


def _text(body: Body, key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise ProtocolError(f"{key} is not text")
    return None if value is None else clean_text(value)


def _zip_code(info: Body) -> str | None:
    # A number without leading zeros in responses, text in requests (PROTOCOL 1.10).
    if type(info.get("zipCode")) is int:
        return f"{require_integer(info, 'zipCode', 0, 99999):05d}"
    return _text(info, "zipCode")


def _read_period(months: frozenset[int], interval: Any) -> TOUPeriod:
    body = require_object(interval, "a period")
    days = unpack_days(require_integer(body, "week", 0, 255))
    start, end = (
        datetime.time(
            require_integer(body, f"{edge}Hour", 0, 23),
            require_integer(body, f"{edge}Minute", 0, 59),
        )
        for edge in ("start", "end")
    )
    if end < start:
        raise ProtocolError("a period ends before it starts")
    point = require_integer(body, "decimalPoint", 0, 10)
    low, high = (
        Decimal(f"{require_integer(body, key, 0, _MAX_PRICE)}E-{point}")
        for key in ("priceMin", "priceMax")
    )
    return TOUPeriod(months, days, start, end, low, high)


def _price(price: Decimal) -> int:
    if not isinstance(price, Decimal) or not price.is_finite():
        raise ValueOutOfRangeError('a price must be a Decimal, such as Decimal("0.34831")')
    if not 0 <= price <= Decimal(f"{_MAX_PRICE}E-{_DECIMAL_PLACES}"):
        raise ValueOutOfRangeError(
            f"a price must be from 0 to {_MAX_PRICE // 10**_DECIMAL_PLACES} per kWh"
        )
    return int(written_price(price).scaleb(_DECIMAL_PLACES, _EXACT))


def _interval(period: TOUPeriod) -> dict[str, int]:
    period.check()
    return {
        "week": pack_days(period.days),
        "startHour": period.start.hour,
        "startMinute": period.start.minute,
        "endHour": period.end.hour,
        "endMinute": period.end.minute,
        "priceMin": _price(period.price_min),
        "priceMax": _price(period.price_max),
        "decimalPoint": _DECIMAL_PLACES,
    }


def _by_season(periods: Iterable[TOUPeriod]) -> dict[int, list[dict[str, int]]]:
    seasons: dict[int, list[dict[str, int]]] = {}
    for period in periods:
        seasons.setdefault(pack_months(period.months), []).append(_interval(period))
    return seasons


def _split_at_new_year(season: int) -> list[int]:
    # A season across the end of the year is sent over MQTT as two, January first (PROTOCOL 8.2).
    months = unpack_months(season)
    if months == EVERY_MONTH or not {1, 12} <= months:
        return [season]
    early = pack_months(range(1, min(EVERY_MONTH - months)))
    return [early, season - early]


def encode_tou_mqtt(periods: Iterable[TOUPeriod]) -> list[dict[str, int]]:
    """Encode the ``reservation`` list of a time-of-use write, season by season.

    Prices are rounded half up to 5 decimal places. Raises ValueOutOfRangeError for a period that
    cannot be written; :func:`check_tou` checks the plan as a whole.
    """
    return [
        {"season": part, **interval}
        for season, intervals in _by_season(periods).items()
        for part in _split_at_new_year(season)
        for interval in intervals
    ]


def encode_tou_put(info: TOUInfo) -> dict[str, Any]:
    """Encode the body of the cloud's PUT, without heater and account (PROTOCOL 1.10).

    Raises as :func:`encode_tou_rest`.
    """
    plan = encode_tou_rest(info)
    return {
        "registerPath": info.register_path or "wifi",
        "sourceData": {"label": plan["name"]},
        "sourceType": info.source_type or "openei",
        "touInfo": plan,
        "zipCode": plan["zipCode"],
    }


def encode_tou_rest(info: TOUInfo) -> dict[str, Any]:
    """Encode the ``touInfo`` of the cloud's PUT; prices as in :func:`encode_tou_mqtt`.

    Raises ValueOutOfRangeError if a period cannot be written, or name, utility or ZIP is None.
    """
    if info.name is None or info.utility is None or info.zip_code is None:
        raise ValueOutOfRangeError("a plan needs its name, its utility and its ZIP code")
    schedule = [
        {"season": season, "interval": intervals}
        for season, intervals in _by_season(info.periods).items()
    ]
    return {
        "name": info.name,
        "schedule": schedule,
        "utility": info.utility,
        "zipCode": info.zip_code,
    }


def check_tou(periods: Sequence[TOUPeriod]) -> None:
    """Raise ValueOutOfRangeError unless every minute of the year has exactly one period.

    The message names the first and last minute of the first gap or overlap. A plan must have 1 to
    40 periods as written over MQTT, the size of the controller's table (PROTOCOL 8.4).
    """
    written = len(encode_tou_mqtt(periods))
    if not 1 <= written <= MAX_PERIODS:
        raise ValueOutOfRangeError(
            f"a plan has 1 to {MAX_PERIODS} periods as written, not {written}"
        )
    for month, name in enumerate(MONTH_NAMES, 1):
        for day in Weekday:
            matching = [p for p in periods if month in p.months and day in p.days]
            _check_coverage(f"{day.name.title()} in {name}", matching)


def largest_group(periods: Iterable[TOUPeriod]) -> int:
    """Return the largest number of periods that have the same months and weekdays."""
    groups = Counter((pack_months(period.months), pack_days(period.days)) for period in periods)
    return max(groups.values(), default=0)


def _check_coverage(where: str, periods: Iterable[TOUPeriod]) -> None:
    spans = [(minute_of_day(period.start), minute_of_day(period.end)) for period in periods]
    expected = 0
    for first, last in [*sorted(spans), (24 * 60, 24 * 60)]:
        if first > expected:
            raise ValueOutOfRangeError(
                f"{where}: {_format_minutes(expected, first - 1)} is not covered"
            )
        if first < expected:
            raise ValueOutOfRangeError(
                f"{where}: {_format_minutes(first, min(last, expected - 1))} is covered twice"
            )
        expected = last + 1


def minute_of_day(time: datetime.time) -> int:
    """Return the minutes since midnight."""
    return time.hour * 60 + time.minute


def _format_minutes(first: int, last: int) -> str:
    return " to ".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (first, last))


def written_price(price: Decimal) -> Decimal:
    """Round a price half up to the 5 decimal places with which it is written."""
    return price.quantize(Decimal(f"1E-{_DECIMAL_PLACES}"), context=_EXACT)


class PeakWindow(NamedTuple):
    """Peak price window from ``start`` to before ``end``, in the heater's local time."""

    start: datetime.datetime
    end: datetime.datetime


def peak_windows(periods: Sequence[TOUPeriod], date: datetime.date) -> tuple[PeakWindow, ...]:
    """Return the windows of a date in which the heater reduces heating (PROTOCOL 8.4, 9.12).

    The periods of a day with the highest ``price_max`` are its peak; there is none if all cost the
    same. Adjacent periods are one window, also across midnight.
    """
    one_day = datetime.timedelta(days=1)
    midnight = datetime.datetime(date.year, date.month, date.day)
    joined: list[PeakWindow] = []
    for day in (midnight - one_day, midnight, midnight + one_day):
        for window in _day_peaks(periods, day):
            if joined and window.start <= joined[-1].end:
                window = PeakWindow(joined[-1].start, max(joined.pop().end, window.end))
            joined.append(window)
    return tuple(w for w in joined if w.start < midnight + one_day and w.end > midnight)


def _day_peaks(periods: Sequence[TOUPeriod], midnight: datetime.datetime) -> list[PeakWindow]:
    day = Weekday.of(midnight)
    today = [p for p in periods if midnight.month in p.months and day in p.days]
    prices = {period.price_max for period in today}
    if len(prices) < 2:
        return []
    return sorted(
        PeakWindow(
            midnight + datetime.timedelta(minutes=minute_of_day(period.start)),
            midnight + datetime.timedelta(minutes=minute_of_day(period.end) + 1),
        )
        for period in today
        if period.price_max == max(prices)
    )
