"""Parse what people type: temperatures here, weekdays, months and times in ``calendar_text``."""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple

import click

from ..._util.hosts import is_host
from ...exceptions import ConfigurationError
from ...protocol.calendar_text import (
    day_names,
    days_text,
    months_text,
    parse_date,
    parse_days,
    parse_months,
    parse_time,
)

__all__ = [
    "Degrees",
    "day_names",
    "days_text",
    "months_text",
    "option_type",
    "parse_date",
    "parse_days",
    "parse_degrees",
    "parse_listen",
    "parse_months",
    "parse_time",
]

_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*°?\s*([CF]?)", re.IGNORECASE)


class Degrees(NamedTuple):
    """A typed temperature; ``unit`` is C, F, or None for the unit that the heater displays."""

    value: float
    unit: str | None

    def argument(self, display_unit: str) -> dict[str, Any]:
        """Return it as the keyword argument ``celsius`` or ``fahrenheit``."""
        return {"celsius" if (self.unit or display_unit) == "C" else "fahrenheit": self.value}


def option_type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Turn a parser into the type of an option: its ValueError becomes wrong usage."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return convert


def parse_degrees(text: str) -> Degrees:
    """Parse a temperature such as ``120F``, ``49.5C`` or ``120``. Raises ValueError."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a temperature such as 120F or 49C")
    return Degrees(float(found[1]), found[2].upper() or None)


def parse_listen(text: str) -> tuple[str, int]:
    """Parse the value of ``--listen``. Raises ConfigurationError."""
    host, _, port = text.rpartition(":")
    if not is_host(host.strip("[]")) or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"--listen is {text!r}; it must be HOST:PORT")
    return host.strip("[]"), int(port)
