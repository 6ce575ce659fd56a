"""Checks of numbers that a caller gives, of any type and size."""

from __future__ import annotations

from typing import Any

#: A day, in seconds: the longest interval or time limit.
DAY = 86400


def is_within(value: Any, low: float, high: float) -> bool:
    """Return True for a number of a range; False for NaN, text and a bool.

    Never converts: an int may be too large for a float.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def is_seconds(value: Any) -> bool:
    """Return True for a time above 0, of at most a day."""
    return is_within(value, 0, DAY) and value > 0


def shown(value: Any) -> str:
    """Return a value for a message, shortened; the ``repr`` of a very large int is an error."""
    try:
        text = repr(value)
    except ValueError:
        return "a number with thousands of digits"
    return text if len(text) <= 200 else f"{text[:199]}…"
