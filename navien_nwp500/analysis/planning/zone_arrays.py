"""Heat and electricity of the heat pump for many heaters at once, in arrays.

Temperatures in degC, power in W. Both follow the measured figures of PROTOCOL 14.2 and not the fit beside
them, which ``two_zone`` uses: a search looks for the cheapest electricity, and the fit promises a third
of the measured power for water as cold as no recording had it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..heater_model import HeaterModel

#: An array of numbers. numpy's own type for it needs another form for each Python version.
Array = Any


def heat_watts(model: HeaterModel, lower: Array, air: float) -> Array:
    """Return the heat of the heat pump in a long run, with ``air`` as it is at rest."""
    x = air - model.intake_drop - 20
    return np.maximum(0.0, model.rate * (1400 + 38 * x - 8 * (lower - 50)))


def power_watts(model: HeaterModel, lower: Array, air: float) -> Array:
    """Return the electricity of the heat pump in a long run, without that of its start."""
    x, y = air - model.intake_drop - 20, lower - 46
    power = 390 + x + 4.45 * y + 0.037 * y * y
    return np.maximum(100.0, power * (model.rate / model.cop_scale))
