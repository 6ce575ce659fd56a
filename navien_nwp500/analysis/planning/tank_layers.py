"""Many tanks of eleven layers at once, in arrays: the plant of a plan.

Whether the lower sensor falls to the threshold of a start decides when electricity is used, and only
layers tell it within a few kelvin. The equations are those of the simulated heater's tank (PROTOCOL
14.1, 14.4, 14.5, 14.8), which ``analysis`` does not know; a test holds them together. Temperatures in
degC, heat in Wh, power in W.
"""

from __future__ import annotations

import numpy as np

from ..heater_model import HeaterModel
from ..two_zone import WH_PER_LITRE_KELVIN
from .zone_arrays import Array

LAYERS = 11
#: The condenser heats five layers (PROTOCOL 14.1); the upper element's sensor is in the eighth, and the
#: outlet a layer above it, so that 22 L come after the sensor has turned cold (PROTOCOL 14.8).
HEATED, _UPPER, OUTLET = 5, 8, 9
#: The lower sensor shows so much more than the water between its two layers, in K (LOG-B).
_LOWER_OFFSET = 0.25
#: Between two layers in W/K: a time constant of 27 h between the halves (PROTOCOL 14.1).
_CONDUCTION = 14.0
#: Part of the bottom's loss in a tank of one temperature (PROTOCOL 14.4).
_BOTTOM_LEAST = 0.8
#: Time constant with which the condenser stirs the layers that it heats, in s.
_STIRRING_SECONDS = 250.0
#: The inlet stirs water colder than the outlet by so many K, so many times the part that flows in.
_INLET_KELVIN, _INLET_STIRRING = 6.0, 1.5
#: A draw is made in such parts of a layer; larger ones mix less.
_PART = 0.15


class Tanks:
    """Water of many tanks; ``layers`` from the lowest on, then the axes of the tanks."""

    def __init__(self, model: HeaterModel, upper: Array, lower: Array) -> None:
        """Make tanks of two halves with these temperatures."""
        self.model = model
        half = LAYERS // 2
        lower = lower - _LOWER_OFFSET
        self.layers = np.stack([lower] * half + [(upper + lower) / 2] + [upper] * half)
        self._layer_wh = model.wh_per_kelvin / LAYERS

    @property
    def upper(self) -> Array:
        """Return what the upper sensor shows in degC."""
        return self.layers[_UPPER]

    @property
    def lower(self) -> Array:
        """Return what the lower sensor shows at rest in degC."""
        return (self.layers[3] + self.layers[4]) / 2 + _LOWER_OFFSET

    @property
    def outlet(self) -> Array:
        """Return the water that a draw takes in degC."""
        return self.layers[OUTLET]

    @property
    def heated(self) -> Array:
        """Return the mean of the water that the condenser heats in degC."""
        return self.layers[:HEATED].mean(axis=0)

    def copy(self) -> Tanks:
        """Return the same tanks, apart from these."""
        return self._with(self.layers.copy())

    def repeated(self, count: int) -> Tanks:
        """Return ``count`` columns of the first tank of each row."""
        return self._with(np.repeat(self.layers[:, :, :1], count, axis=2))

    def single(self, column: int) -> Tanks:
        """Return the tanks of one column."""
        return self._with(self.layers[:, :, column : column + 1].copy())

    def _with(self, layers: Array) -> Tanks:
        tanks = Tanks(self.model, layers[_UPPER], layers[0])
        tanks.layers = layers
        return tanks

    def stored_wh(self) -> Array:
        """Return the heat of the water above 0 degC, in Wh."""
        return self.layers.sum(axis=0) * self._layer_wh

    def step(self, seconds: float, air: float, condenser: Array, upper_element: Array) -> None:
        """Simulate ``seconds``, at most 15 minutes, with these heats in W."""
        hours, model, layers = seconds / 3600, self.model, self.layers
        gap = np.maximum(0.0, layers[_UPPER] - (layers[3] + layers[4]) / 2)
        share = np.maximum(_BOTTOM_LEAST, 1 - np.exp(-gap / model.bottom_gap))
        bottom = np.where(layers[0] > air, model.bottom_watts * hours * share, 0.0)
        cooled = model.jacket_watts_per_kelvin / LAYERS * hours / self._layer_wh
        flows = np.diff(layers, axis=0) * (_CONDUCTION * hours / self._layer_wh)
        layers = layers - (layers - air) * cooled
        layers[:-1] += flows
        layers[1:] -= flows
        layers[0] -= bottom / self._layer_wh
        self.layers = layers
        running = np.asarray(condenser) > 0
        if running.any():
            self._heat_below(condenser * hours, running, 1 - np.exp(-seconds / _STIRRING_SECONDS))
        if np.any(upper_element):
            layers[_UPPER] += upper_element * hours / self._layer_wh
            self._rise(_UPPER, 1)

    def _heat_below(self, heat: Array, running: Array, stirred: float) -> None:
        zone = self.layers[:HEATED]
        zone += heat / (HEATED * self._layer_wh)
        zone += (zone.mean(axis=0) - zone) * np.where(running, stirred, 0.0)
        self._rise(0, HEATED)

    def _rise(self, first: int, count: int) -> None:
        """Mix ``count`` layers from ``first`` on with those above that are colder."""
        layers = self.layers
        above = first + count
        inverted = layers[above - 1] > layers[above]
        if not inverted.any():
            return
        part = layers[:, inverted]
        total, size = part[first:above].sum(axis=0), np.full(part.shape[1], count)
        growing: Array = np.ones(part.shape[1], dtype=bool)
        for layer in range(above, LAYERS):
            growing = growing & (total > part[layer] * size)
            total = total + np.where(growing, part[layer], 0.0)
            size = size + growing
        number: Array = np.arange(LAYERS)[:, None]
        mixed = (number >= first) & (number < first + size)
        layers[:, inverted] = np.where(mixed, total / size, part)

    def draw(self, where: Array, litres: Array, cold: float) -> None:
        """Draw ``litres`` from the tanks of the columns ``where``; cold water in degC flows in below."""
        layers = self.layers[:, :, where]
        left = np.minimum(litres, 1000.0) / (self._layer_wh / WH_PER_LITRE_KELVIN)
        while (left > 1e-9).any():
            part = np.clip(left, 0.0, _PART)
            left = left - part
            outlet = layers[OUTLET].copy()
            drawn = layers[: OUTLET + 1]
            below = np.concatenate([np.full_like(drawn[:1], cold), drawn[:-1]])
            drawn = drawn + part * (below - drawn)
            cooler = drawn < outlet - _INLET_KELVIN
            count = np.maximum(1, cooler.sum(axis=0))
            mean = np.where(cooler, drawn, 0.0).sum(axis=0) / count
            drawn += np.where(cooler, (mean - drawn) * (_INLET_STIRRING * part), 0.0)
            layers[: OUTLET + 1] = drawn
        self.layers[:, :, where] = layers
