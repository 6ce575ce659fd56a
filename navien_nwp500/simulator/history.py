"""The life a simulated heater had before the simulation began."""

from __future__ import annotations

from datetime import date, timedelta
from math import cos, pi
from random import Random

from .energy import Energy

#: A unit measured over so many days (protocol 14.2).
AGE_DAYS = 359
#: Of its life, the example of protocol 8.6.
LIFETIME = Energy(1_266_000.0, 146_000.0, 3124 * 3600.0, 35 * 3600.0)
#: Colder mains in winter: the share by which a day differs from the mean, by our choice.
_SEASON, _WEATHER = 0.2, 0.3
#: On one day in so many the elements helped, by our choice.
_ELEMENT_DAYS = 14


def past_days(today: date, seed: int) -> dict[date, Energy]:
    """The days before today, the same for the same seed; together they are ``LIFETIME``."""
    random = Random(f"past {seed}")
    days = [today - timedelta(days=back) for back in range(AGE_DAYS, 0, -1)]
    heat_pump = [_winter(day) * random.uniform(1 - _WEATHER, 1 + _WEATHER) for day in days]
    helped = [random.randrange(_ELEMENT_DAYS) == 0 for _ in days]
    helped[-1] = True  # so that there is one
    element = [_winter(day) * on for day, on in zip(days, helped)]
    return {
        day: Energy(
            LIFETIME.heat_pump_wh * much / sum(heat_pump),
            LIFETIME.element_wh * little / sum(element),
            LIFETIME.heat_pump_seconds * much / sum(heat_pump),
            LIFETIME.element_seconds * little / sum(element),
        )
        for day, much, little in zip(days, heat_pump, element)
    }


def _winter(day: date) -> float:
    return 1 + _SEASON * cos(2 * pi * day.timetuple().tm_yday / 365)
