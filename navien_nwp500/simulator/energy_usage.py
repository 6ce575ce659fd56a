"""The energy a heater took, as its answers tell it (protocol 8.6)."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ..exceptions import ProtocolError
from ..wire import integer, items
from .counts import Counts
from .energy import Energy


def daily(counts: Counts, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each day of the months asked for; days ahead are zeros. Raises ProtocolError."""
    year = integer(body, "year", 2000, 2099)
    return [
        {"year": year, "month": month, "data": _entries(counts.of_month(year, month))}
        for month in _numbers(body, "month", 1, 12)
    ]


def monthly(counts: Counts, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each month of the years asked for. Raises ProtocolError."""
    return [
        {
            "year": year,
            "data": _entries(Energy.sum(counts.of_month(year, month)) for month in range(1, 13)),
        }
        for year in _numbers(body, "year", 2000, 2099)
    ]


def _entries(energies: Iterable[Energy]) -> list[dict[str, int]]:
    return [energy.entry() for energy in energies]


def _numbers(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> list[int]:
    """The numbers asked for, each once, in order."""
    found = {integer({key: value}, key, lowest, highest) for value in items(body, key)}
    if not found:
        raise ProtocolError(f"{key} names nothing")
    return sorted(found)
