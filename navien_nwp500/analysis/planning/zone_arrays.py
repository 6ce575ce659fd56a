"""The plant of ``two_zone`` for many tanks at once: the same equations on arrays.

A tank is one place in the arrays. Temperatures in degC, heat in Wh, power in W. The heat pump follows
the measured figures of PROTOCOL 14.2 and not the fit beside them, which ``two_zone`` uses: a search
looks for the cheapest electricity, and the fit promises a third of the measured power for water as
cold as no recording had it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..heater_model import HeaterModel
from ..two_zone import WH_PER_LITRE_KELVIN

#: An array of numbers. numpy's own type for it needs another form for each Python version.
Array = Any

#: As in ``two_zone.draw``; its steps of 2 L are finer than a plan needs.
_DRAW_LITRES, _DRAW_GAP, _DRAW_GAP_AT_REST = 34.0, 16.7, 0.7
_PART_LITRES = 4.0
#: While so much of a tank is hot, its outlet is as hot as its upper zone; below it cools so many times
#: as fast. A full tank of 60 degC then gives 155 L, and is at 40 degC with a mean of 36 (PROTOCOL 14.8).
_HOT_SHARE, _COOLING = 0.60, 4.0


def heat_watts(model: HeaterModel, lower: Array, air: float) -> Array:
    """Return the heat of the heat pump in a long run, with ``air`` as it is at rest."""
    x = air - model.intake_drop - 20
    return np.maximum(0.0, model.rate * (1400 + 38 * x - 8 * (lower - 50)))


def power_watts(model: HeaterModel, lower: Array, air: float) -> Array:
    """Return the electricity of the heat pump in a long run, without that of its start."""
    x, y = air - model.intake_drop - 20, lower - 46
    power = 390 + x + 4.45 * y + 0.037 * y * y
    return np.maximum(100.0, power * (model.rate / model.cop_scale))


class Tanks:
    """Water of many tanks: ``upper`` and ``lower`` zone, and ``hidden`` heat missing below."""

    def __init__(self, model: HeaterModel, upper: Array, lower: Array) -> None:
        self.model = model
        self.upper, self.lower = upper.copy(), lower.copy()
        self.hidden = np.zeros_like(self.upper)

    def stored_wh(self) -> Array:
        """Return the heat of the water above 0 degC, in Wh."""
        return self.model.wh_per_kelvin * (self.upper + self.lower) / 2 - self.hidden

    def outlet(self, cold: float) -> Array:
        """Return the water at the outlet, and about the upper sensor, in degC.

        The border between hot and cold water has a height, which the two zones do not know.
        """
        warm = np.maximum(1.0, self.upper - cold)
        hot = (self.stored_wh() / self.model.wh_per_kelvin - cold) / warm
        return cold + warm * np.clip(1 - _COOLING * (_HOT_SHARE - hot), 0.0, 1.0)

    def step(self, seconds: float, air: float, condenser: Array, upper_element: Array) -> None:
        """Simulate ``seconds``, at most 15 minutes, with these heats in W: ``two_zone.step``."""
        model, upper, lower = self.model, self.upper, self.lower
        hours = seconds / 3600
        half = model.wh_per_kelvin / 2
        gap = np.maximum(0.0, upper - lower)
        jacket = model.jacket_watts_per_kelvin / 2 * hours
        bottom = model.bottom_watts * hours * (1 - np.exp(-gap / model.bottom_gap))
        bottom = np.where(lower > air, bottom, 0.0)
        equal = 1 - np.exp(-hours / model.gap_hours)
        risen = self.hidden * equal
        exchanged = gap * (equal / 2)
        hidden = self.hidden - risen
        heat = condenser * hours
        filled = np.minimum(heat, np.maximum(0.0, hidden))
        upper = upper + (upper_element * hours - jacket * (upper - air)) / half - exchanged
        lower = lower - (jacket * (lower - air) + bottom + risen) / half + exchanged
        heat = heat - filled
        to_lower = heat * (0.5 + 0.5 * np.minimum(1.0, gap / model.mixing_gap))
        self.hidden = hidden - filled
        self._mix(upper + (heat - to_lower) / half, lower + to_lower / half)

    def draw(self, where: Array, litres: Array, cold: float) -> None:
        """Draw ``litres`` from the tanks of the columns ``where``: ``two_zone.draw``."""
        model = self.model
        half = model.wh_per_kelvin / 2
        size = model.wh_per_kelvin / HeaterModel.wh_per_kelvin
        upper, lower, hidden = (one[:, where] for one in (self.upper, self.lower, self.hidden))
        left = np.minimum(litres, 1000.0)
        while (left > 0).any():
            part = np.clip(left, 0.0, _PART_LITRES)
            left = left - part
            heat = np.maximum(0.0, part * WH_PER_LITRE_KELVIN * (upper - cold))
            gap = np.maximum(0.0, upper - lower) + _DRAW_GAP_AT_REST
            reach = np.maximum(0.0, lower - cold)
            fall = part * (1 - np.exp(-gap / _DRAW_GAP)) * reach / (_DRAW_LITRES * size)
            seen = np.minimum(heat, fall * half)
            lower = lower - seen / half
            hidden = hidden + heat - seen
            beyond = np.maximum(0.0, hidden - np.maximum(0.0, lower - cold) * half)
            hidden, upper = hidden - beyond, upper - beyond / half
        self.upper[:, where], self.lower[:, where], self.hidden[:, where] = upper, lower, hidden
        self._mix(self.upper, self.lower)

    def _mix(self, upper: Array, lower: Array) -> None:
        turned = lower > upper
        mean = (upper + lower) / 2
        self.upper = np.where(turned, mean, upper)
        self.lower = np.where(turned, mean, lower)
