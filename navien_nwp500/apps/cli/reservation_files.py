"""Reservations in a JSON file, as ``reservations list --json`` prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..._util.files import decode_text, display_path
from ...exceptions import ConfigurationError, ValueOutOfRangeError
from ...protocol.schedules import Reservation, ReservationMode, ReservationProgram
from .parsing import parse_days, parse_time

#: A list of the 32 reservations that a heater has place for takes 8 kB.
_MAX_BYTES = 1_000_000


def read_reservations(file: Path) -> ReservationProgram:
    """Read the reservations. Raises ConfigurationError naming the entry and what is wrong, OSError."""
    name = display_path(file)
    with open(file, "rb") as opened:
        content = opened.read(_MAX_BYTES + 1)
    try:
        found = json.loads(decode_text(content[:_MAX_BYTES]))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not JSON: {type(error).__name__}") from error
    entries = found.get("reservations") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError(
            f"{name} has no reservations; make it with: navien-nwp500 reservations list --json"
        )
    program = []
    for number, entry in enumerate(entries, 1):
        try:
            program.append(_reservation(entry))
        except (KeyError, TypeError, ValueError, ValueOutOfRangeError) as error:
            raise ConfigurationError(f"{name}, reservation {number}: {error}") from error
    return ReservationProgram(bool(found.get("enabled", True)), tuple(program))


def _reservation(entry: Any) -> Reservation:
    mode = ReservationMode[str(entry["mode"]).upper().replace("-", "_")]
    return Reservation.at(
        parse_time(str(entry["time"])),
        parse_days(",".join(map(str, entry["days"]))),
        mode,
        celsius=float(entry["temperature"]["celsius"]),
        enabled=bool(entry.get("enabled", True)),
    )
