"""Knowledge of one heater: its figures, the errors of its forecasts, and forecasts to be judged.

It is kept as JSON; ``learning`` fits it to recordings. No pandas here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any, Mapping, Sequence

from ..heater_model import HeaterModel
from .bands import Calibration, Score

__all__ = ["Learned", "MadeForecast"]

#: What is fitted, with the lowest and highest credible value; all else keeps its default.
FITTED: Mapping[str, tuple[float, float]] = {
    "rate": (0.4, 2.0),
    "stop_overshoot": (-1.0, 2.0),
    "jacket_watts_per_kelvin": (0.5, 8.0),
    "start_hidden_ratio": (-0.5, 3.0),
    "start_hidden_wh": (-500.0, 3000.0),
    "running_hidden_ratio": (-0.5, 2.0),
}
_MOST_FORECASTS = 100
_SCORES = ("scores", "start_scores", "live_scores")


@dataclass(frozen=True)
class MadeForecast:
    """A forecast of when heating ends: when it was made, its minutes and their deviation."""

    ms: int
    minutes: float
    deviation: float


@dataclass(frozen=True)
class Learned:
    """Figures of a heater; the defaults are those of a heater without recordings.

    ``runs``: recoveries they are fitted to, ``until`` the end of the last, in ms since 1970.
    ``scores`` and ``start_scores``: of the forecasts that the recordings would have had in runs and
    before them, ``live_scores``: of those that were made in runs (``bands``). ``forecasts``: those
    that no recording has judged yet.
    """

    model: HeaterModel = HeaterModel()
    scores: Sequence[Score] = ()
    start_scores: Sequence[Score] = ()
    live_scores: Sequence[Score] = ()
    runs: int = 0
    until: int = 0
    forecasts: Sequence[MadeForecast] = ()

    @property
    def calibration(self) -> Calibration:
        """Errors of the forecasts of this heater."""
        return Calibration((*self.scores, *self.live_scores), self.start_scores)

    def with_forecast(self, made: MadeForecast) -> Learned:
        """Return this with a forecast to be judged by later recordings."""
        return replace(self, forecasts=(*self.forecasts, made)[-_MOST_FORECASTS:])

    def to_json(self) -> dict[str, Any]:
        """Return this for JSON."""
        return {
            "model": {name: getattr(self.model, name) for name in FITTED},
            **{name: _rounded(getattr(self, name)) for name in _SCORES},
            "runs": self.runs,
            "until": self.until,
            "forecasts": [asdict(one) for one in self.forecasts],
        }

    @classmethod
    def from_json(cls, content: Any) -> Learned:
        """Read what ``to_json`` wrote. Raises ValueError for anything else."""
        try:
            model = {name: _number(content["model"][name], *FITTED[name]) for name in FITTED}
            scores, start_scores, live_scores = (
                tuple(
                    Score(_number(minutes, 0, 1e6), _number(value, -1000, 1000))
                    for minutes, value in content[name]
                )
                for name in _SCORES
            )
            forecasts = tuple(
                MadeForecast(
                    _number(entry["ms"], 0, 1e15),
                    _number(entry["minutes"], 0, 1e6),
                    _number(entry["deviation"], 0.1, 1e6),
                )
                for entry in content["forecasts"]
            )
            runs, until = (int(_number(content[name], 0, 1e15)) for name in ("runs", "until"))
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError("it does not hold the figures of a heater") from error
        return cls(HeaterModel(**model), scores, start_scores, live_scores, runs, until, forecasts)


def _rounded(scores: Sequence[Score]) -> list[list[float]]:
    return [[round(one.minutes, 1), round(one.value, 4)] for one in scores]


def _number(value: Any, low: float, high: float) -> Any:
    if type(value) not in (int, float) or not isfinite(value) or not low <= value <= high:
        raise ValueError(f"{value!r} is not a number from {low:g} to {high:g}")
    return value
