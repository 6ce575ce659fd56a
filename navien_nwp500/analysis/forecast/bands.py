"""Bands of 80 % around a forecast time, calibrated on how far past forecasts were off. No pandas.

A forecast of T minutes has an expected deviation that grows with T. What past forecasts missed, in
units of it, gives the band of the next one (split conformal prediction): of ten forecasts like those
before, eight come true within their band, whatever the heater. Only forecasts of a similar time count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, hypot
from statistics import NormalDist, median
from typing import NamedTuple, Sequence

__all__ = ["NOW", "Band", "Calibration", "Score", "deviation", "unlearned_errors"]

#: A band is never narrower, in minutes: a status is up to 5 minutes old, sensors have steps.
NARROWEST_MINUTES = 5.0
#: The scores of so many recoveries replace the assumed ones; those of the newest are kept.
ENOUGH_RUNS, MOST_RUNS = 19, 200
#: Each recovery is scored so often on its way: its draws make single scores vary.
SCORES_A_RUN = 3
MOST_SCORES = MOST_RUNS * SCORES_A_RUN
#: Scores of a heater of which nothing is known: nine parts of a normal distribution.
PRIOR_SCORES = (-1.282, -0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842, 1.282)
#: Finer parts of it.
_NORMAL = tuple(NormalDist().inv_cdf((part + 0.5) / 20) for part in range(20))
#: Parts of the deviation: jitter of both sensors and the stop (0.2 K each, PROTOCOL 14.1), in
#: minutes; at a start how long the lower sensor holds (14.2), in minutes; as parts of the time, the
#: heat pump's rate between heaters, measured heat 1250 ± 100 W (14.2), and the air, 1.5 K of 27 W each.
_SENSOR_MINUTES, _START_MINUTES = 2.7, 4.0
#: Deviation of the hidden heat by that of the gap between the zones at a start: the 80 % from 0 to
#: 0.6 (PROTOCOL 13, point 24). In minutes a Wh, by 1200 W.
_HIDDEN_MINUTES_PER_WH = 0.23 * 60 / 1200
_RATE_PART, _AIR_PART = 0.08, 0.035
#: An unknown air temperature: 6 K.
_UNKNOWN_AIR_PART = 0.14
#: Until own recoveries tell, towards later: cold water that one status does not show, in Wh at a
#: start and by the gap between the zones in a run. Chosen so that 8 of 10 simulated recoveries fit.
_START_COLD_WH, _RUN_COLD_PART = 300.0, 0.4
#: The rate of a heater whose recoveries are not known is 12 % off, with ``_RATE_PART``.
_UNLEARNED_RATE_PART = 0.09
#: The same in a run, in minutes: how far above the setpoint it stops, 0.3 to 1.1 K, and how much
#: of that the lower sensor shows already.
_RUN_SENSOR_MINUTES = 10.0
_MINUTES_PER_WH = 60 / 1200


@dataclass(frozen=True)
class Band:
    """A duration in minutes with the ends of its 80 % band; all are 0 for what is true already."""

    minutes: float
    least: float
    most: float

    def later(self, minutes: float) -> Band:
        """Return this band shifted by minutes."""
        return Band(self.minutes + minutes, self.least + minutes, self.most + minutes)

    def to_json(self) -> dict[str, float]:
        """Return the minutes for JSON, in steps of 0.1."""
        parts = {"minutes": self.minutes, "least": self.least, "most": self.most}
        return {name: round(value, 1) for name, value in parts.items()}


#: What is true already.
NOW = Band(0.0, 0.0, 0.0)


def deviation(
    minutes: float, *, starting_gap_wh: float | None = None, air_known: bool = True
) -> float:
    """Return the deviation in minutes that a forecast of so many minutes may have.

    ``starting_gap_wh``: before a start, the heat that the upper zone has beyond the lower one.
    """
    air = _AIR_PART if air_known else _UNKNOWN_AIR_PART
    parts = [_SENSOR_MINUTES, minutes * _RATE_PART, minutes * air]
    if starting_gap_wh is not None:
        parts += [_START_MINUTES, starting_gap_wh * _HIDDEN_MINUTES_PER_WH]
    return hypot(*parts)


def unlearned_errors(
    minutes: float,
    expected: float,
    *,
    gap_wh: float,
    hidden_wh: float,
    starting: bool,
    added: Sequence[float],
) -> list[float]:
    """Return by how much a forecast of so many minutes may be too short, before recoveries tell.

    Nine parts of equal weight, as ``PRIOR_SCORES``. ``expected``: its ``deviation``. ``hidden_wh``:
    heat that it counts and that a quiet tank lacks. ``added``: minutes that draws add, on some days.
    """
    cold_wh = _START_COLD_WH if starting else _RUN_COLD_PART * gap_wh
    sensor = 0.0 if starting else _RUN_SENSOR_MINUTES
    expected = hypot(expected, minutes * _UNLEARNED_RATE_PART)
    earlier = hypot(expected, sensor, hidden_wh * _MINUTES_PER_WH)
    later = hypot(expected, sensor, cold_wh * _MINUTES_PER_WH)
    own = [one * (earlier if one < 0 else later) for one in _NORMAL]
    errors = sorted(one + more for one in own for more in added)
    parts = len(PRIOR_SCORES) + 1
    return [errors[len(errors) * part // parts] for part in range(1, parts)]


class Score(NamedTuple):
    """Error of a forecast of so many minutes: (true - forecast) / ``deviation``."""

    minutes: float
    value: float


@dataclass(frozen=True)
class Calibration:
    """Errors of the forecasts of a heater.

    ``scores``: of forecasts made in a run, ``start_scores``: of those made before its start.
    """

    scores: Sequence[Score] = ()
    start_scores: Sequence[Score] = ()

    def band(
        self,
        minutes: float,
        expected: float,
        *,
        starting: bool = False,
        unlearned: Sequence[float] | None = None,
    ) -> Band:
        """Return the band of a forecast by its ``deviation``; it does not begin before now.

        ``unlearned``: errors in minutes that count while there are few scores; without them the
        ``deviation``.
        """
        prior = PRIOR_SCORES if unlearned is None else [one / expected for one in unlearned]
        if starting:
            low, middle, high = _quantiles(self.start_scores, minutes, ENOUGH_RUNS, prior)
        else:
            enough = ENOUGH_RUNS * SCORES_A_RUN
            low, middle, high = _quantiles(self.scores, minutes, enough, prior)
        least, most = minutes + low * expected, minutes + high * expected
        missing = NARROWEST_MINUTES - (most - least)
        if missing > 0:
            least, most = least - missing / 2, most + missing / 2
        if least < 0:
            least, most = 0.0, max(most, NARROWEST_MINUTES)
        return Band(min(max(minutes + middle * expected, least), most), least, most)


def _quantiles(
    scores: Sequence[Score], minutes: float, enough: int, prior: Sequence[float]
) -> tuple[float, float, float]:
    """Return the scores between which eight of ten forecasts of about so many minutes lie.

    The one between is their median while there are few scores; later the figures are those of the
    heater, and it is 0.
    """
    near = sorted(scores, key=lambda one: abs(one.minutes - minutes))
    near = near[: max(enough, len(near) // 3)]
    values = [one.value for one in near]
    ordered = sorted(values if len(values) >= enough else [*values, *prior])
    count = len(ordered)
    return (
        ordered[max(floor(0.1 * (count + 1)), 1) - 1],
        0.0 if len(values) >= enough else median(ordered),
        ordered[min(ceil(0.9 * (count + 1)), count) - 1],
    )
