"""Measuring in turns, so that what slows the machine slows all alike."""

from __future__ import annotations

import sys
from typing import Awaitable, Callable, Mapping

from .figures import Sample


def in_turns(rounds: int, takes: Mapping[str, Callable[[], float]]) -> dict[str, Sample]:
    """Take each once to warm up, then all in turns."""
    found: dict[str, list[float]] = {name: [] for name in takes}
    for number in range(-1, rounds):
        for name, take in takes.items():
            value = take()
            if number >= 0:
                found[name].append(value)
    return {name: Sample(values) for name, values in found.items()}


async def in_turns_async(
    rounds: int, takes: Mapping[str, Callable[[], Awaitable[float]]]
) -> dict[str, Sample]:
    """As ``in_turns``, for what is awaited."""
    found: dict[str, list[float]] = {name: [] for name in takes}
    for number in range(-1, rounds):
        for name, take in takes.items():
            value = await take()
            if number >= 0:
                found[name].append(value)
    return {name: Sample(values) for name, values in found.items()}


def progress(text: str) -> None:
    """Say on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
