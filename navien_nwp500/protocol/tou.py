"""Time of use: the plan of prices by month, weekday and time.

Read over REST, written over MQTT. Times are the heater's local time, to the minute; an end is
inclusive. Source: PROTOCOL 1.10 and 8.4.
"""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

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
from .fields import require_integer, require_list, require_object

Body = Mapping[str, Any]


#: So many periods a plan may have of the same months and weekdays, and in all as it is written.
PERIODS_OF_A_GROUP, PERIODS = 16, 40
_MOST = 2**31 - 1
_POINT = 5
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class TOUPeriod:
    """A range of prices per kWh at a time of some weekdays in some months.

    ``end`` is its last minute: 15:59 means up to 16:00. A period does not cross midnight.
    """

    months: frozenset[int]
    days: frozenset[Weekday]
    start: datetime.time
    end: datetime.time
    price_min: Decimal
    price_max: Decimal

    def check(self) -> None:
        """Raise ValueOutOfRangeError for what must not be written, saying what is allowed."""
        if not pack_months(self.months):
            raise ValueOutOfRangeError("at least one month must be named")
        check_days(self.days)
        check_time(self.start)
        check_time(self.end)
        if self.end < self.start:
            raise ValueOutOfRangeError("a period across midnight must be given as two")
        if _price(self.price_max) < _price(self.price_min):
            raise ValueOutOfRangeError("the lowest price of a period is above its highest")


@dataclass(frozen=True)
class TOUInfo:
    """A time-of-use plan as the cloud keeps it; what it did not say is None.

    ``register_path``: ``bt`` when the plan was written over Bluetooth at set-up, else ``wifi``.
    """

    name: str | None
    utility: str | None
    zip_code: str | None = field(repr=False)
    controller_id: str | None = field(repr=False)
    manufacture_id: str | None = field(repr=False)
    register_path: str | None
    source_type: str | None
    periods: tuple[TOUPeriod, ...]


def decode_tou(data: Body) -> TOUInfo:
    """Read the ``data`` of the REST answer, prices exactly. Raises ProtocolError."""
    info = require_object(require_object(data, "data").get("touInfo"), "touInfo")
    periods = []
    for season in require_list(info, "schedule"):
        months = unpack_months(
            require_integer(require_object(season, "a season"), "season", 0, 4095)
        )
        periods += [_read_period(months, interval) for interval in require_list(season, "interval")]
    return TOUInfo(
        name=_text(info, "name"),
        utility=_text(info, "utility"),
        zip_code=_zip_code(info),
        controller_id=_text(info, "controllerId"),
        manufacture_id=_text(info, "manufactureId"),
        register_path=_text(data, "registerPath"),
        source_type=_text(data, "sourceType"),
        periods=tuple(periods),
    )


def _text(body: Body, key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise ProtocolError(f"{key} is not a text")
    return value


def _zip_code(info: Body) -> str | None:
    # A number in replies, which has lost its leading zeros; a text in requests (PROTOCOL 1.10).
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
        Decimal(f"{require_integer(body, key, 0, _MOST)}E-{point}")
        for key in ("priceMin", "priceMax")
    )
    return TOUPeriod(months, days, start, end, low, high)


def _price(price: Decimal) -> int:
    if not isinstance(price, Decimal) or not price.is_finite():
        raise ValueOutOfRangeError('a price is a Decimal, such as Decimal("0.34831")')
    if not 0 <= price <= Decimal(f"{_MOST}E-{_POINT}"):
        raise ValueOutOfRangeError(f"a price is from 0 to {_MOST // 10**_POINT} per kWh")
    return int(price.quantize(Decimal(f"1E-{_POINT}"), context=_EXACT).scaleb(_POINT, _EXACT))


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
        "decimalPoint": _POINT,
    }


def _by_season(periods: Iterable[TOUPeriod]) -> dict[int, list[dict[str, int]]]:
    seasons: dict[int, list[dict[str, int]]] = {}
    for period in periods:
        seasons.setdefault(pack_months(period.months), []).append(_interval(period))
    return seasons


def _calendar_years(season: int) -> list[int]:
    # A season across the year's end goes over MQTT as two, January's first (PROTOCOL 8.2).
    months = unpack_months(season)
    if months == EVERY_MONTH or not {1, 12} <= months:
        return [season]
    early = pack_months(range(1, min(EVERY_MONTH - months)))
    return [early, season - early]


def encode_tou_mqtt(periods: Iterable[TOUPeriod]) -> list[dict[str, int]]:
    """The ``reservation`` list of a time-of-use write, season by season.

    Prices are exact to 5 decimal places, rounded half up beyond. Raises ValueOutOfRangeError for
    a period that cannot be written; whether they make a whole plan :func:`check_tou` tells.
    """
    return [
        {"season": part, **interval}
        for season, intervals in _by_season(periods).items()
        for part in _calendar_years(season)
        for interval in intervals
    ]


def encode_tou_rest(info: TOUInfo) -> dict[str, Any]:
    """The ``touInfo`` of the cloud's PUT; prices as in :func:`encode_tou_mqtt`.

    Raises ValueOutOfRangeError when a period cannot be written, or name, utility or ZIP is None.
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
    """Refuse a plan that does not give every minute of the year exactly one period.

    Also refused: no period, more than 16 of the same months and weekdays, more than the 40 the
    controller's table holds as written over MQTT (PROTOCOL 8.4). Raises ValueOutOfRangeError
    naming the first gap or overlap, its first and its last minute.
    """
    written = len(encode_tou_mqtt(periods))
    if not 1 <= written <= PERIODS:
        raise ValueOutOfRangeError(f"a plan has 1 to {PERIODS} periods as written, not {written}")
    groups = Counter((pack_months(period.months), pack_days(period.days)) for period in periods)
    most = max(groups.values())
    if most > PERIODS_OF_A_GROUP:
        raise ValueOutOfRangeError(
            f"{most} periods have the same months and weekdays; {PERIODS_OF_A_GROUP} are allowed"
        )
    for month, name in enumerate(MONTH_NAMES, 1):
        for day in Weekday:
            mine = [p for p in periods if month in p.months and day in p.days]
            _check_cover(f"{day.name.title()} in {name}", mine)


def _check_cover(where: str, periods: Iterable[TOUPeriod]) -> None:
    spans = [(_minute(period.start), _minute(period.end)) for period in periods]
    due = 0
    for first, last in [*sorted(spans), (24 * 60, 24 * 60)]:
        if first > due:
            raise ValueOutOfRangeError(f"{where}: {_span(due, first - 1)} is not covered")
        if first < due:
            raise ValueOutOfRangeError(
                f"{where}: {_span(first, min(last, due - 1))} is covered twice"
            )
        due = last + 1


def _minute(time: datetime.time) -> int:
    return time.hour * 60 + time.minute


def _span(first: int, last: int) -> str:
    return " to ".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (first, last))


class PeakWindow(NamedTuple):
    """From ``start`` until before ``end``, in the heater's local time."""

    start: datetime.datetime
    end: datetime.datetime


def peak_windows(periods: Sequence[TOUPeriod], date: datetime.date) -> tuple[PeakWindow, ...]:
    """The windows that touch a date, in which the heater holds back (PROTOCOL 8.4, 9.12).

    A day's periods of the highest ``price_max`` are its peak, none when all cost the same;
    those that meet are one window, also across midnight.
    """
    one_day = datetime.timedelta(days=1)
    midnight = datetime.datetime(date.year, date.month, date.day)
    joined: list[PeakWindow] = []
    for near in (midnight - one_day, midnight, midnight + one_day):
        for window in _peaks(periods, near):
            if joined and window.start <= joined[-1].end:
                window = PeakWindow(joined[-1].start, max(joined.pop().end, window.end))
            joined.append(window)
    return tuple(w for w in joined if w.start < midnight + one_day and w.end > midnight)


def _peaks(periods: Sequence[TOUPeriod], midnight: datetime.datetime) -> list[PeakWindow]:
    day = Weekday.of(midnight)
    today = [p for p in periods if midnight.month in p.months and day in p.days]
    prices = {period.price_max for period in today}
    if len(prices) < 2:
        return []
    return sorted(
        PeakWindow(
            midnight + datetime.timedelta(minutes=_minute(period.start)),
            midnight + datetime.timedelta(minutes=_minute(period.end) + 1),
        )
        for period in today
        if period.price_max == max(prices)
    )
