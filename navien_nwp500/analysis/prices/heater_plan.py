"""The heater's own plan in JSON, as ``tou set`` reads it and ``tou show --json`` writes it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Callable, NamedTuple, TypeVar

from ..._util.numbers import shown
from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_MONTH, Weekday
from ...protocol.calendar_text import day_names, parse_days, parse_months, parse_time
from ...protocol.tou import TOUPeriod

T = TypeVar("T")


class PlanFile(NamedTuple):
    """Content of a plan file; a text that it does not have is None.

    ``notes`` are sentences: each simplification of a plan that was made from another tariff.
    """

    periods: list[TOUPeriod]
    name: str | None = None
    utility: str | None = None
    zip_code: str | None = None
    notes: tuple[str, ...] = ()


def parse_plan(content: Any, file: str) -> PlanFile:
    """Read the periods, and the texts, of a plan.

    Raises ConfigurationError naming the file, the key or the period, and the error.
    """
    body = content if isinstance(content, dict) else {"periods": content}
    listed = body.get("periods")
    if not isinstance(listed, list):
        raise ConfigurationError(
            f"{file} contains no list of periods, as navien-nwp500 tou set --help shows it"
        )
    periods = [
        _parse_period(f"{file}, period {number}", raw) for number, raw in enumerate(listed, 1)
    ]
    name, utility, zip_code = (_text(file, body, key) for key in ("name", "utility", "zip_code"))
    return PlanFile(periods, name, utility, zip_code)


def _text(file: str, body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{file}: {key} is {shown(value)}; it must be a text")
    return value


def _parse_period(where: str, raw: Any) -> TOUPeriod:
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where} is not an object")
    keys = {"months", "days", "start", "end", "price_min", "price_max"}
    unknown = ", ".join(sorted(set(raw) - keys))
    if unknown:
        raise ConfigurationError(
            f"{where}: {unknown} is not known; a period has {', '.join(sorted(keys))}"
        )

    def value(key: str, read: Callable[[Any], T]) -> T:
        if key not in raw:
            raise ConfigurationError(f"{where}: {key} is missing")
        try:
            return read(raw[key])
        except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise ConfigurationError(f"{where}: {key} is {shown(raw[key])}: {error}") from error

    return TOUPeriod(
        value("months", _months),
        value("days", _days),
        value("start", parse_time),
        value("end", parse_time),
        value("price_min", _price),
        value("price_max", _price),
    )


def _months(value: Any) -> frozenset[int]:
    if isinstance(value, str):
        return parse_months(value)
    if not isinstance(value, list) or not all(
        type(month) is int and month in EVERY_MONTH for month in value
    ):
        raise ValueError("it must be numbers from 1 to 12, or a text such as jun-sep")
    return frozenset(value)


def _days(value: Any) -> frozenset[Weekday]:
    return parse_days(value if isinstance(value, str) else ",".join(value))


def _price(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("it must be a decimal number as text, such as 0.34831")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("it must be a decimal number, such as 0.34831") from error


def period_json(period: TOUPeriod) -> dict[str, Any]:
    """Return a period as in a plan file."""
    return {
        "months": sorted(period.months),
        "days": day_names(period.days),
        "start": f"{period.start:%H:%M}",
        "end": f"{period.end:%H:%M}",
        "price_min": str(period.price_min),
        "price_max": str(period.price_max),
    }
