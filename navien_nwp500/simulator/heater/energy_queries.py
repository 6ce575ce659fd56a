"""The energy a heater took, as its answers tell it (PROTOCOL 8.6)."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ...exceptions import ProtocolError
from ...protocol.fields import require_integer, require_list
from .energy_meter import EnergyMeter, EnergyUse


def daily(counts: EnergyMeter, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each day of the months asked for; days ahead are zeros. Raises ProtocolError."""
    year = require_integer(body, "year", 2000, 2099)
    return [
        {"year": year, "month": month, "data": _entries(counts.of_month(year, month))}
        for month in _numbers(body, "month", 1, 12)
    ]


def monthly(counts: EnergyMeter, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each month of the years asked for. Raises ProtocolError."""
    return [
        {
            "year": year,
            "data": _entries(EnergyUse.sum(counts.of_month(year, month)) for month in range(1, 13)),
        }
        for year in _numbers(body, "year", 2000, 2099)
    ]


def _entries(energies: Iterable[EnergyUse]) -> list[dict[str, int]]:
    return [energy.entry() for energy in energies]


def _numbers(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> list[int]:
    """The numbers asked for, each once, in order."""
    found = {
        require_integer({key: value}, key, lowest, highest) for value in require_list(body, key)
    }
    if not found:
        raise ProtocolError(f"{key} names nothing")
    return sorted(found)
