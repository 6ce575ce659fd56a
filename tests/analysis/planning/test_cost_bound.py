"""The bound against every way to heat, one by one."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

import numpy as np

from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.planning.cost_bound import FreeTank, cheapest

TANK = FreeTank(HeaterModel(), top=60.0, least=38.0, air=20.0, cold=15.0)
STEPS = 9
#: Hours of a step, so that a whole one gives about 1250 Wh.
HOURS = 1.0


def every_way(prices: Any, drawn: Any, start: float, heat_price: float) -> float:
    """Return the lowest cost over all ways to switch the heat pump, step by step."""
    best = np.inf
    full = TANK.stored_wh(TANK.top)
    for way in product((0.0, 1.0), repeat=STEPS):
        stored, cost = start, 0.0
        for part, price, heat in zip(way, prices, drawn):
            stored, used = (float(one) for one in TANK.after(stored, heat, part, HOURS))
            cost += used * price / 1000
            if not 0 <= stored <= full:
                break
        else:
            best = min(best, cost - (stored - 0.0) * heat_price)
    return float(best)


@pytest.mark.parametrize("seed", range(30))
def test_no_way_to_heat_is_cheaper_than_the_bound(seed: int) -> None:
    random = Random(seed)
    prices = np.array([random.choice((0.1, 0.2, 0.45, random.random())) for _ in range(STEPS)])
    drawn = np.array([random.choice((0.0, 0.0, 400.0, 1500.0, 2500.0)) for _ in range(STEPS)])
    start = random.uniform(500.0, 5000.0)
    heat_price = random.choice((0.0, 0.05 / 1000))
    best = every_way(prices, drawn, start, heat_price)
    bound = cheapest(
        TANK,
        prices,
        drawn,
        hours=HOURS,
        heat_price=heat_price,
        start_wh=start,
        fractions=1,
        unit=1.0,
    )
    if best == np.inf:
        return
    assert bound <= best + 1e-9
    # Rounding to 1 Wh a step is all that it is lower.
    assert bound >= best - 0.01 * max(0.1, abs(best)) - 0.02
    coarse = cheapest(
        TANK, prices, drawn, hours=HOURS, heat_price=heat_price, start_wh=start, unit=20.0
    )
    assert coarse <= bound + 1e-9


def test_draws_that_no_heating_can_serve_have_no_cost() -> None:
    drawn = np.full(STEPS, 9000.0)
    assert cheapest(TANK, np.ones(STEPS), drawn, hours=HOURS, start_wh=100.0) == np.inf
