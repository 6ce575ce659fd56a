"""Figures of the benchmarks, with their floor in the same run and their goal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Callable, Sequence


@dataclass(frozen=True)
class Sample:
    """All measured values, in order."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between these lies the middle half."""
        if len(self.values) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True)
class Goal:
    """A goal; ``holds`` judges a figure."""

    text: str
    holds: Callable[[Figure], bool]


@dataclass(frozen=True)
class Figure:
    """One line of the table: ours beside a floor measured between ours (A B A B ...)."""

    what: str
    unit: str
    ours: Sample
    floor: Sample | None = None
    #: What the floor is; None with no floor.
    against: str | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of neighbours: what slows both does not move it.

        None without a floor, or above a floor that is nothing.
        """
        if self.floor is None:
            return None
        pairs = zip(self.ours.values, self.floor.values)
        ratios = [ours / floor for ours, floor in pairs if floor > 0]
        return statistics.median(ratios) if ratios else None

    @property
    def above(self) -> float | None:
        """The median of the differences of neighbours, in the figure's unit."""
        if self.floor is None:
            return None
        return statistics.median(
            ours - floor for ours, floor in zip(self.ours.values, self.floor.values)
        )

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.holds(self)


def at_most(limit: float) -> Goal:
    """The median itself stays under a limit."""
    return Goal(f"< {limit:g}", lambda figure: figure.ours.median < limit)


def at_most_above(limit: float) -> Goal:
    """The median stays so near above its floor."""
    return Goal(f"< +{limit:g}", lambda figure: figure.above is not None and figure.above < limit)


def at_most_times(limit: float) -> Goal:
    """The ratio to the floor stays under a limit."""
    return Goal(f"< x {limit:g}", lambda figure: figure.ratio is not None and figure.ratio < limit)


def at_least_times(limit: float) -> Goal:
    """The ratio to the floor stays over a limit: for rates, where more is better."""
    return Goal(f"> x {limit:g}", lambda figure: figure.ratio is not None and figure.ratio > limit)
