"""Sample weeks to try plans on: days of the recording, drawn with repetition, under sample prices."""

from __future__ import annotations

from random import Random
from typing import Sequence

import numpy as np

from .draw_profile import DrawHistory, shower_steps
from .heating_plan import WEEK_DAYS
from .plan_run import SampleWeeks
from .price_weeks import PriceWeek
from .zone_arrays import Array


def sample_weeks(
    history: DrawHistory, prices: Sequence[PriceWeek], *, worlds: int, seed: int
) -> SampleWeeks:
    """Return ``worlds`` possible years, each with every price week.

    A world first draws its own days from the recording, because another month would have had others,
    and then its weeks from them. Equal seeds give equal weeks.
    """
    random = Random(seed)
    pools = [history.pool(False), history.pool(True)]
    flags = [[shower_steps(day, history.cold) for day in pool] for pool in pools]
    draws, showers = [], []
    for _ in range(worlds):
        own = [random.choices(range(len(pool)), k=len(pool)) for pool in pools]
        for _ in prices:
            chosen = [(kind, random.choice(own[kind])) for kind in (day >= 5 for day in WEEK_DAYS)]
            draws.append(np.concatenate([pools[kind][number] for kind, number in chosen]))
            showers.append(np.concatenate([flags[kind][number] for kind, number in chosen]))
    return SampleWeeks(
        draws=np.stack(draws, axis=1),
        showers=np.stack(showers, axis=1),
        prices=np.stack([week.prices for _ in range(worlds) for week in prices], axis=1),
        months=[week.months[0] for _ in range(worlds) for week in prices],
        shares=_tile([week.share for week in prices], worlds),
        worlds=np.repeat(np.arange(worlds), len(prices)),
        air=history.air,
        cold=history.cold,
    )


def _tile(values: Sequence[float], count: int) -> Array:
    return np.tile(np.array(values), count)
