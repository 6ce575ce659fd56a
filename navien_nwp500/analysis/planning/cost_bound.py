"""Bound of what shifting can save: the cheapest heating that any control could do.

Dynamic programming over the heat in the tank, with all draws and prices known beforehand and no rule
of the heater in the way. Where a choice had to be made it favours the bound: the condenser meets the
coldest water that the stored heat allows, the bottom loses nothing, a start costs nothing, and heat
is rounded up. So no plan can cost less, except for the rounding of the tank's limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..heater_model import HeaterModel
from .zone_arrays import Array, heat_watts, power_watts

#: Parts of a step for which the heat pump may run.
FRACTIONS = 6
#: Heat is counted in these units, in Wh.
UNIT_WH = 3.0


@dataclass(frozen=True)
class FreeTank:
    """Tank without a controller: ``top`` is the highest water, ``least`` the lowest mean, in degC."""

    model: HeaterModel
    top: float
    least: float
    air: float
    cold: float

    def stored_wh(self, mean: float) -> float:
        """Return the heat above the lowest mean in Wh."""
        return self.model.wh_per_kelvin * (mean - self.least)

    def figures(self, stored: Array, hours: float) -> tuple[Array, Array, Array]:
        """Return loss, heat and electricity of a step in Wh, from the heat above the lowest mean."""
        mean = self.least + stored / self.model.wh_per_kelvin
        lower = np.clip(2 * mean - self.top, self.cold, mean)
        loss = np.maximum(0.0, self.model.jacket_watts_per_kelvin * (mean - self.air)) * hours
        heat = heat_watts(self.model, lower, self.air) * hours
        return loss, heat, power_watts(self.model, lower, self.air) * hours

    def after(self, stored: Array, drawn: float, part: float, hours: float) -> tuple[Array, Array]:
        """Return the stored heat after a step, and its electricity in Wh; below 0 is not allowed."""
        left = stored - drawn
        loss, heat, used = self.figures(left, hours)
        return left - loss + part * heat, part * used


def cheapest(
    tank: FreeTank,
    prices: Array,
    drawn: Array,
    *,
    hours: float,
    heat_price: float = 0.0,
    start_wh: float | None = None,
    fractions: int = FRACTIONS,
    unit: float = UNIT_WH,
) -> float:
    """Return the lowest possible cost of steps of ``hours``; infinite when the draws are too large.

    ``prices`` of a kWh and ``drawn`` in Wh for each step. Heat that is left at the end, less that at
    the start, is worth ``heat_price`` a Wh. ``start_wh`` is the stored heat at the start; without it
    the cheapest start counts.
    """
    full = tank.stored_wh(tank.top)
    stored = np.arange(0.0, full + unit, unit)
    cost = -stored * heat_price
    for price, heat in zip(prices[::-1], drawn[::-1]):
        best = np.full(len(stored), np.inf)
        for part in range(fractions + 1):
            after, used = tank.after(stored, float(heat), part / fractions, hours)
            place = np.ceil(after / unit - 1e-9).astype(int)
            allowed = (after >= 0) & (after <= full + unit)
            later = np.where(allowed, cost[np.clip(place, 0, len(stored) - 1)], np.inf)
            best = np.minimum(best, later + used * (price / 1000))
        cost = best
    if start_wh is not None:
        return float(cost[int(np.ceil(start_wh / unit - 1e-9))])
    return float((cost + stored * heat_price).min())
