"""Bound of what shifting can save: the cheapest heating that any control could do.

Dynamic programming over the heat in the tank, with all draws and prices known beforehand and no rule
of the heater in the way. Where a choice had to be made it favours the bound: the condenser meets the
coldest water that the stored heat allows, the bottom loses nothing, a start costs nothing, heat may
be thrown away and is rounded up. So no plan can cost less, except for the rounding of the tank's limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..heater_model import HeaterModel
from .tank_layers import HEATED, LAYERS
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
        above = LAYERS - HEATED
        lower = np.clip((LAYERS * mean - above * self.top) / HEATED, self.cold, mean)
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
    count = int(np.ceil(full / unit)) + 1
    # Draws are rounded down, stored heat up: both make the bound lower.
    taken = np.floor(np.asarray(drawn) / unit + 1e-9).astype(int)
    most = int(taken.max(initial=0))
    left = (np.arange(count + most) - most) * unit
    parts = np.arange(fractions + 1)[:, None] / fractions
    after, used = tank.after(left, 0.0, parts, hours)
    used = np.broadcast_to(used, after.shape) / 1000
    place = np.clip(np.ceil(after / unit - 1e-9).astype(int), 0, count - 1)
    barred = np.where((after >= 0) & (after <= full + unit), 0.0, np.inf)
    value = np.arange(count) * unit * heat_price
    cost = np.minimum.accumulate(-value)
    for price, step in zip(prices[::-1], taken[::-1]):
        best = (cost[place] + barred + used * price).min(axis=0)
        # What is left after the draw decides.
        cost = best[most - step : most - step + count]
        # Warmer water costs more to heat. Heat may be thrown away, so that more is never worse.
        cost = np.minimum.accumulate(cost)
    if start_wh is not None:
        return float(cost[min(count - 1, int(np.ceil(start_wh / unit - 1e-9)))])
    return float((cost + value).min())
