"""Energy use by day or month, and over the lifetime of the heater (PROTOCOL 8.6).

A response names only its years and months, so one query must be answered before the next is sent.
"""

from __future__ import annotations

import calendar
import datetime
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ..exceptions import ProtocolError
from .fields import decode_each, decode_fields, field_spec, require_integer, require_list


@dataclass(frozen=True)
class _Energy:
    # fmt: off
    heat_pump_wh: int = field_spec(1, "hpUsage", "captured/high", "Consumption of the heat pump, Wh.", required=True)
    element_wh: int = field_spec(2, "heUsage", "captured/high", "Consumption of the elements, Wh.", required=True)
    heat_pump_hours: int = field_spec(3, "hpTime", "captured/high", "Running time of the heat pump, whole h.", required=True)
    element_hours: int = field_spec(4, "heTime", "captured/high", "Running time of the elements, whole h.", required=True)
    # fmt: on

    @property
    def total_wh(self) -> int:
        """Consumption of heat pump and elements together, in Wh."""
        return self.heat_pump_wh + self.element_wh


@dataclass(frozen=True)
class EnergyTotal(_Energy):
    """Lifetime total, the same in every response; not the sum of a response."""

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class EnergyUsage(_Energy):
    """Energy use of one day, or of the month that begins on ``date``. Future days are zeros."""

    date: datetime.date  # type: ignore[misc]  # mypy takes every field spec for a default
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class EnergyHistory:
    """Response to an energy query: lifetime total, and days or months with the oldest first.

    ``unreadable`` says why days or months are missing.
    """

    total: EnergyTotal
    usage: tuple[EnergyUsage, ...]
    unreadable: tuple[str, ...] = ()


def decode_energy_daily(response: Mapping[str, Any], *, partly: bool = False) -> EnergyHistory:
    """Decode the ``response`` of a daily query.

    Raises ProtocolError if it is malformed, has more days than the month or a day twice. With
    ``partly`` a damaged day costs itself alone, and anything else its month.
    """
    return _history(response, _days, partly)


def decode_energy_monthly(response: Mapping[str, Any], *, partly: bool = False) -> EnergyHistory:
    """Decode the ``response`` of a monthly query.

    Raises ProtocolError if it is malformed, has a thirteenth month or a month twice. With
    ``partly`` a damaged month costs itself alone, and anything else its year.
    """
    return _history(response, _months, partly)


def _history(
    response: Mapping[str, Any],
    dates_of: Callable[[Mapping[str, Any]], list[datetime.date]],
    partly: bool,
) -> EnergyHistory:
    if not isinstance(response, Mapping):
        raise ProtocolError("the response is not an object")
    total = decode_fields(EnergyTotal, response.get("total", {}))
    usage: dict[datetime.date, EnergyUsage] = {}
    unreadable: list[str] = []

    def read_part(part: Any) -> None:
        entries = require_list(part, "data")
        dates = dates_of(part)
        if len(entries) > len(dates):
            raise ProtocolError(
                f"data has {len(entries)} entries, but only {len(dates)} are possible"
            )
        for date, item in zip(dates, entries):
            if date in usage:
                raise ProtocolError(f"{date} is in the response twice")
            try:
                usage[date] = decode_fields(EnergyUsage, item, date=date)
            except ProtocolError as error:
                if not partly:
                    raise
                unreadable.append(f"{date}: {error}")

    _, parts = decode_each(require_list(response, "usage"), read_part, partly=partly)
    days = tuple(usage[date] for date in sorted(usage))
    return EnergyHistory(total, days, (*parts, *unreadable))


def _days(part: Mapping[str, Any]) -> list[datetime.date]:
    year, month = require_integer(part, "year", 2000, 2099), require_integer(part, "month", 1, 12)
    length = calendar.monthrange(year, month)[1]
    return [datetime.date(year, month, day) for day in range(1, length + 1)]


def _months(part: Mapping[str, Any]) -> list[datetime.date]:
    year = require_integer(part, "year", 2000, 2099)
    return [datetime.date(year, month, 1) for month in range(1, 13)]
