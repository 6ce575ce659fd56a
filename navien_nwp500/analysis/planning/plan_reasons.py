"""Reasons of a plan's entries and windows, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

import numpy as np

from .heating_plan import HeatingPlan, PlanEntry, PlanWindow
from .price_weeks import PriceWeek, mean_day
from .zone_arrays import Array


def with_reasons(plan: HeatingPlan, weeks: Sequence[PriceWeek], minimum: float) -> HeatingPlan:
    """Return the plan with a reason for each entry and window; ``minimum`` is the start threshold."""
    day = mean_day(weeks)
    ordered = sorted(plan.entries, key=lambda one: one.minute)
    entries = tuple(
        replace(one, why=_entry(one, before, after, day, minimum))
        for before, one, after in zip([*ordered[-1:], *ordered], ordered, [*ordered[1:], *ordered])
    )
    windows = tuple(replace(one, why=_window(one, day, plan)) for one in plan.windows)
    return replace(plan, entries=entries, windows=windows)


def _entry(one: PlanEntry, before: PlanEntry, after: PlanEntry, day: Array, minimum: float) -> str:
    price, later = day[one.minute // 30], _mean(day, one.minute, after.minute)
    next_price = day[after.minute // 30]
    if one.setpoint >= before.setpoint:
        text = f"heats now, at {price:.3g} a kWh, what is missing to {one.setpoint.celsius:.1f} °C"
        if next_price > price * 1.02:
            text += f"; from {after.time:%H:%M} on it costs {next_price:.3g}"
        return text
    text = f"ends a run, and starts none while the top is above {one.setpoint.celsius:.1f} °C"
    return f"{text}: the mean price is {later:.3g} until {after.time:%H:%M}"


def _window(one: PlanWindow, day: Array, plan: HeatingPlan) -> str:
    inside = _mean(day, one.start, one.end)
    return (
        f"the price is {inside:.3g} on average: the heater starts only when the top is 8 K below the "
        "setpoint, and stops 1.9 K below it"
    )


def _mean(day: Array, start: int, end: int) -> float:
    """Return the mean price between two minutes of the day, also across midnight."""
    first, after = start // 30, max(start // 30 + 1, end // 30)
    halves: Array = np.arange(first, after if end > start else 48 + end // 30) % 48
    return float(day[halves].mean()) if len(halves) else float(day[first % 48])
