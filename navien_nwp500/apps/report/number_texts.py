"""Texts of numbers in a report."""

from __future__ import annotations

import math

from ...analysis.intervals import HOUR_MS

NOTHING = "–"


def number_text(value: float, form: str) -> str:
    """Format a number; NaN is a dash."""
    return NOTHING if math.isnan(value) else f"{value:{form}}"


def kwh_text(wh: float) -> str:
    """Format watt-hours as kWh."""
    return f"{wh / 1000:.2f}"


def hours_text(ms: float) -> str:
    """Format milliseconds as hours."""
    return f"{ms / HOUR_MS:.1f}"


def percent_text(share: float) -> str:
    """Format a share of 1 as percent."""
    return f"{number_text(share * 100, '.0f')} %"


def count_text(number: float, noun: str, several: str = "") -> str:
    """Format a number with its noun, in the plural unless it is 1."""
    return f"{number:.0f} {noun if number == 1 else several or noun + 's'}"


def money_text(low: float, high: float, places: int = 2) -> str:
    """Format an amount, or the range of one; NaN is a dash."""
    if math.isnan(low):
        return NOTHING
    least, most = f"{low:.{places}f}", f"{high:.{places}f}"
    return least if least == most else f"{least} to {most}"
