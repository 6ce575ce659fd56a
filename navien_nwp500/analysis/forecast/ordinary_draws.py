"""Hot water that ordinary households draw, for heaters of which no history tells. No pandas.

A forecast without a history counts what may be drawn until the water is hot: each of some days of
different households is played through, so that its band is wide where people draw (PROTOCOL 14.9).
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from random import Random
from statistics import NormalDist
from typing import Iterator, NamedTuple

__all__ = ["added_minutes"]

#: Days that stand for all, and those on which nothing more is drawn: nobody is at home.
_DAYS, _EMPTY_DAYS = 45, 8
#: Litres of 40 degC a day: half of the households draw less, and one in ten twice as much or more.
_USUAL_LITRES, _LITRES_SPREAD = 220.0, 0.5
#: Litres of a shower, of a bath, and at a tap, and the part of all litres that these are.
_SIZES = ((0.65, 50.0), (0.15, 110.0), (0.2, 10.0))
#: Peaks of a day: hour, hours of deviation, and the usual part of all litres.
_PEAKS = ((7.2, 1.3, 0.4), (13.0, 2.5, 0.15), (19.5, 2.0, 0.45))
_DAY_MINUTES = 24 * 60.0


class _Draw(NamedTuple):
    minute: float
    litres: float


def added_minutes(when: datetime, minutes: float, minutes_per_litre: float) -> list[float]:
    """Return by how much heating of so many minutes, begun at ``when``, is longer on each day.

    ``when`` is in the heater's zone. Each litre of 40 degC that is drawn before the end adds
    ``minutes_per_litre``.
    """
    begin = when.hour * 60 + when.minute + when.second / 60
    return [_added(day, begin, minutes, minutes_per_litre) for day in _days()]


def _added(day: tuple[_Draw, ...], begin: float, minutes: float, minutes_per_litre: float) -> float:
    end, midnight = begin + minutes, 0.0
    # Where draws take as much as the heat pump gives there is no end.
    while day and midnight < min(end, begin + minutes + 2 * _DAY_MINUTES):
        for draw in day:
            if begin <= midnight + draw.minute < end:
                end += draw.litres * minutes_per_litre
        midnight += _DAY_MINUTES
    return end - begin - minutes


@lru_cache(maxsize=None)
def _days() -> tuple[tuple[_Draw, ...], ...]:
    """Return the days, which are the same in each run."""
    random = Random(20)
    spread = NormalDist()
    litres = [
        _USUAL_LITRES * 2.718281828 ** (_LITRES_SPREAD * spread.inv_cdf((number + 0.5) / _DAYS))
        for number in range(_DAYS)
    ]
    days = tuple(tuple(sorted(_day(random, one))) for one in litres)
    return (*days, *((),) * _EMPTY_DAYS)


def _day(random: Random, litres: float) -> Iterator[_Draw]:
    """Yield draws of one household until they are so many litres."""
    # Some draw in the morning, others in the evening.
    weights = [part * random.uniform(0.2, 1.8) for _, _, part in _PEAKS]
    drawn = 0.0
    while drawn < litres:
        size = _pick(random, [part / mean for part, mean in _SIZES])
        hour, deviation, _ = _PEAKS[_pick(random, weights)]
        one = min(_SIZES[size][1] * random.uniform(0.5, 1.5), litres - drawn + 5)
        drawn += one
        yield _Draw(60 * random.gauss(hour, deviation) % _DAY_MINUTES, one)


def _pick(random: Random, weights: list[float]) -> int:
    """Return the number of one of these, as often as its weight says."""
    left = random.random() * sum(weights)
    for number, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return number
    return len(weights) - 1
