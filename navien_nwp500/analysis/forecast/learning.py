"""Fit the figures of a heater to its recordings, and score the forecasts that it would have had.

Needs the extra ``analysis``. Each recovery is forecast before its start and once on its way, with the
figures of four fifths of the others; how far off that was calibrates the bands (``bands``).
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import Iterator, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ...history.recordings import Recording
from ...protocol.types import Flag, Volume
from ..heater_model import HeaterModel
from ..intervals import add_intervals
from ..recoveries import Recovery, recoveries
from ..thermal import tank_of
from ..two_zone import TankState, heat_watts, heating_run
from .bands import MOST_RUNS, MOST_SCORES, SCORES_A_RUN, Score, deviation
from .learned import FITTED, Learned, MadeForecast

__all__ = ["learn"]

_MINUTE_MS = 60_000
#: Parts of a run at which it tells its rate, while so much is left.
_SAMPLED, _LEAST_LEFT_MINUTES = (0.1, 0.3, 0.5, 0.7), 10.0
#: Figures follow the newest recoveries; a default counts as this many of them.
_NEWEST, _DEFAULT_WEIGHT = 40, 3
#: Deviations of rate and hidden ratio between heaters (PROTOCOL 13, point 24; 14.2).
_RATE_DEVIATION, _RATIO_DEVIATION = 0.08, 0.2
#: The same of the heat hidden at a start in any case, and its spread from run to run, in Wh.
_START_DEVIATION_WH, _START_SPREAD_WH = 300.0, 400.0
#: Within so many minutes a start and a stop must have been seen.
_LONGEST_STEP_MINUTES = 16.0
#: The stop of a run to the setpoint: how far the lower sensor then is above it, in K.
_NORMAL_STOP = (-1.0, 2.0)
#: Rests tell the jacket's loss after an hour, if they are long enough.
_AFTER_RUN_MS, _LEAST_REST_HOURS = 60 * _MINUTE_MS, 2.0
#: Recoveries are scored at another part of their length each: the golden ratio spreads them.
_SPREAD = 0.6180339887
#: A recovery is scored with figures fitted without it and each fifth other.
_FOLDS = 5


class _Run(NamedTuple):
    """A recovery of the heat pump to the setpoint, in ms and degC.

    ``before``: the tank in the last status before it, with the air of then.
    """

    rows: pd.DataFrame
    start: float
    end: float
    setpoint: float
    before: TankState
    air: float

    def left(self, ms: float) -> float:
        """Return the minutes from a time to the end."""
        return (self.end - ms) / _MINUTE_MS


def learn(
    recording: Recording, *, volume: Volume | None = None, before: Learned = Learned()
) -> Learned:
    """Return what a recording tells of its heater; ``before`` is what was known.

    The figures are those of the recording alone. Forecasts of ``before`` that were made in its time
    are scored. Without a whole recovery of the heat pump ``before`` is returned as it is.
    """
    table = add_intervals(recording.table)
    model = HeaterModel().for_volume(tank_of(table, volume).volume)
    runs = [run for each in recoveries(table) if (run := _run(table, each)) is not None]
    if not runs:
        return before
    jacket = _jacket(table, model)
    if jacket is not None:
        model = _with(model, jacket_watts_per_kelvin=jacket)
    runs = runs[-MOST_RUNS:]
    samples = [list(_samples(run, model)) for run in runs]
    scores: list[Score] = []
    start_scores: list[Score] = []
    for fold in range(_FOLDS):
        others = [number for number in range(len(runs)) if number % _FOLDS != fold]
        fitted = _fit(model, [runs[n] for n in others], [samples[n] for n in others])
        for number in range(fold, len(runs), _FOLDS):
            parts = [(number * _SPREAD + n / SCORES_A_RUN) % 1.0 for n in range(SCORES_A_RUN)]
            scores += [_score(runs[number], fitted, part) for part in parts]
            start_scores.append(_start_score(runs[number], fitted))
    live, waiting = _judge(before.forecasts, runs)
    return Learned(
        _fit(model, runs, samples),
        tuple(scores),
        tuple(start_scores),
        (*before.live_scores, *live)[-MOST_SCORES:],
        len(runs),
        int(runs[-1].end),
        waiting,
    )


def _with(model: HeaterModel, **figures: float) -> HeaterModel:
    """Return a model with these figures, each within its credible range."""
    limited = {name: min(max(v, FITTED[name][0]), FITTED[name][1]) for name, v in figures.items()}
    return replace(model, **limited)


def _run(table: pd.DataFrame, each: Recovery) -> _Run | None:
    """Return a recovery of the heat pump alone that ended at the setpoint; None for another."""
    if not each.whole or each.element_wh or each.last - each.first < 2:
        return None
    rows = table.iloc[each.first : each.last + 1]
    before, last, over = table.iloc[each.first - 1], rows.iloc[-2], rows.iloc[-1]
    setpoint = float(last["setpoint"])
    steps = (rows["ms"].iat[0] - before["ms"], over["ms"] - last["ms"])
    if max(steps) > _LONGEST_STEP_MINUTES * _MINUTE_MS or rows["setpoint"].nunique() != 1:
        return None
    if rows[["upper", "lower"]].isna().any(axis=None) or pd.isna(before["lower"]):
        return None
    above = max(last["lower"], over["lower"]) - setpoint
    if not _NORMAL_STOP[0] <= above <= _NORMAL_STOP[1]:
        return None  # in a window, or ended by a command
    start = (before["ms"] + rows["ms"].iat[0]) / 2
    end = (last["ms"] + over["ms"]) / 2
    tank = TankState(float(before["upper"]), float(before["lower"]))
    return _Run(rows, start, end, setpoint, tank, _air(before, running=False))


def _air(row: pd.Series, *, running: bool) -> float:
    if pd.isna(row["ambient"]):
        return 20.0
    model = HeaterModel
    return float(row["ambient"]) + (model.intake_drop if running else -model.cabinet_kelvin)


def _predict(model: HeaterModel, tank: TankState, run: _Run, air: float) -> float | None:
    """Return the minutes that heating takes."""
    found = heating_run(model, tank, setpoint=run.setpoint, air=air)
    return None if found is None else found.seconds / 60


def _predict_at(model: HeaterModel, run: _Run, row: pd.Series) -> float | None:
    """Return the minutes from a status of the run to its end."""
    tank = _tank(model, row).running(model)
    return _predict(model, tank, run, _air(row, running=True))


def _tank(model: HeaterModel, row: pd.Series) -> TankState:
    """Return the water in a run."""
    return TankState(float(row["upper"]), float(row["lower"]) - model.stop_overshoot)


def _score(run: _Run, model: HeaterModel, part: float) -> Score:
    """Return how far off the forecast was that was made after this part of a run."""
    row = _row_at(run, part)
    left = run.left(row["ms"])
    made = _predict_at(model, run, row)
    return Score(left, 0.0) if made is None else _scored(made, left, deviation(made))


def _start_score(run: _Run, model: HeaterModel) -> Score:
    """Return how far off the forecast was that was made before a run."""
    tank = run.before.starting(model)
    made = _predict(model, tank, run, run.air)
    left = run.left(run.start)
    if made is None:
        return Score(left, 0.0)
    return _scored(made, left, deviation(made, starting_gap_wh=tank.gap_wh(model)))


def _scored(made: float, true: float, expected: float) -> Score:
    return Score(float(made), float((true - made) / expected))


def _row_at(run: _Run, part: float) -> pd.Series:
    """Return the status of a run at a part of its length."""
    at = run.start + (run.end - run.start) * part
    return run.rows.iloc[int(np.argmin(np.abs(run.rows["ms"].to_numpy()[:-1] - at)))]


class _Sample(NamedTuple):
    """Minutes left in a run, and the default forecast of them without hidden heat.

    ``gap``: minutes for the heat that the upper zone has beyond the lower one.
    """

    left: float
    made: float
    gap: float


def _samples(run: _Run, model: HeaterModel) -> Iterator[_Sample]:
    usual = replace(model, rate=1.0)
    for part in _SAMPLED:
        row = _row_at(run, part)
        left, tank, air = run.left(row["ms"]), _tank(model, row), _air(row, running=True)
        made = _predict(usual, tank, run, air)
        if made and left >= _LEAST_LEFT_MINUTES:
            gap = tank.gap_wh(model) / heat_watts(usual, tank.lower, air) * 60
            yield _Sample(left, made, gap)


def _fit(
    model: HeaterModel, runs: Sequence[_Run], samples: Sequence[Sequence[_Sample]]
) -> HeaterModel:
    """Return the model fitted to the newest runs, and to the samples of each."""
    newest = runs[-_NEWEST:]
    if not newest:
        return model
    above = [max(run.rows["lower"].iloc[-2:]) - run.setpoint for run in newest]
    overshoot = _weighted(HeaterModel.stop_overshoot, above)
    slowness, ratio = _rate_and_ratio([one for each in samples[-_NEWEST:] for one in each])
    fitted = _with(
        model, rate=1 / slowness, stop_overshoot=overshoot, running_hidden_ratio=ratio / slowness
    )
    hidden = np.array([(_hidden(run, fitted), run.before.gap_wh(model)) for run in newest]).T
    wh, ratio = _line(hidden[1], hidden[0])
    return _with(fitted, start_hidden_wh=wh, start_hidden_ratio=ratio)


def _line(gaps: np.ndarray, hidden: np.ndarray) -> tuple[float, float]:
    """Return the Wh that are hidden at a start, and the part of the gap's Wh on top."""
    priors = [[1 / _START_DEVIATION_WH, 0.0], [0.0, 1 / _RATIO_DEVIATION]]
    usual = HeaterModel
    goals = [
        usual.start_hidden_wh / _START_DEVIATION_WH,
        usual.start_hidden_ratio / _RATIO_DEVIATION,
    ]
    rows = np.column_stack([np.ones(len(gaps)), gaps])
    return _least_squares(rows, hidden, np.full(len(gaps), _START_SPREAD_WH), priors, goals)


def _least_squares(
    rows: np.ndarray,
    goals: np.ndarray,
    expected: np.ndarray,
    priors: Sequence[Sequence[float]],
    prior_goals: Sequence[float],
) -> tuple[float, float]:
    """Fit two figures with their defaults as observations; rows far off, by draws, count less."""
    found = np.linalg.lstsq(np.array(priors), np.array(prior_goals), rcond=None)[0]
    for _ in range(4):
        miss = np.abs(goals - rows @ found) / expected
        weight = 1 / (expected * np.sqrt(np.maximum(1.0, miss)))
        weighted = np.vstack([rows * weight[:, None], priors])
        found = np.linalg.lstsq(weighted, np.append(goals * weight, prior_goals), rcond=None)[0]
    return float(found[0]), float(found[1])


def _rate_and_ratio(samples: Sequence[_Sample]) -> tuple[float, float]:
    """Return how much longer than forecast it takes, and the part of the gap's time on top."""
    left, made, gap = np.array([*samples, _Sample(0.0, 0.0, 0.0)]).T
    # The samples of a run are not independent.
    expected = np.array([deviation(each) for each in made]) * len(_SAMPLED) ** 0.5
    priors = [[1 / _RATE_DEVIATION, 0.0], [0.0, 1 / _RATIO_DEVIATION]]
    rows = np.column_stack([made, gap])
    goals = [1 / _RATE_DEVIATION, HeaterModel.running_hidden_ratio / _RATIO_DEVIATION]
    slowness, ratio = _least_squares(rows, left, expected, priors, goals)
    return max(slowness, 0.1), ratio


def _weighted(default: float, values: Sequence[float]) -> float:
    """Return the median of the values, drawn to the default while they are few."""
    if not values:
        return default
    count = len(values)
    return (median(values) * count + default * _DEFAULT_WEIGHT) / (count + _DEFAULT_WEIGHT)


def _hidden(run: _Run, model: HeaterModel) -> float:
    """Return the heat in Wh that a run took beyond what the sensors showed at its start."""
    made = _predict(model, run.before, run, run.air)
    if made is None:
        return 0.0
    heat = heat_watts(model, run.before.lower, run.air)
    return (run.left(run.start) - made) / 60 * heat


def _jacket(table: pd.DataFrame, model: HeaterModel) -> float | None:
    """Return the loss through the jacket in W/K from rests without a draw; None without one."""
    resting = ~(table["heat_pump"] | table["element"]) & (table["dhw_use"] == Flag.READY)
    usable = resting & table[["upper", "lower", "ambient"]].notna().all(axis=1)
    group = (~usable | ~table["known"].shift(fill_value=False)).cumsum()[usable]
    lost = kelvin_hours = 0.0
    for _, rows in table[usable].groupby(group):
        rows = rows[rows["ms"] >= rows["ms"].iat[0] + _AFTER_RUN_MS]
        if len(rows) < 2:
            continue
        hours = float(rows["ms"].iat[-1] - rows["ms"].iat[0]) / 3.6e6
        mean = (rows["upper"] + rows["lower"]) / 2
        gap = max(0.0, float((rows["upper"] - rows["lower"]).mean()))
        warmer = float(mean.mean() - rows["ambient"].median()) + model.cabinet_kelvin
        if hours < _LEAST_REST_HOURS or warmer < 10:
            continue
        bottom = model.bottom_watts * (1 - np.exp(-gap / model.bottom_gap)) * hours
        lost += model.wh_per_kelvin * float(mean.iat[0] - mean.iat[-1]) - bottom
        kelvin_hours += warmer * hours
    return lost / kelvin_hours if kelvin_hours > 200 else None


def _judge(
    forecasts: Sequence[MadeForecast], runs: Sequence[_Run]
) -> tuple[list[Score], tuple[MadeForecast, ...]]:
    """Return the scores of forecasts that a recovery ended, and those that no recording covers."""
    scores = []
    for made in forecasts:
        run = next((one for one in runs if one.start <= made.ms <= one.end), None)
        if run is not None:
            scores.append(_scored(made.minutes, run.left(made.ms), made.deviation))
    return scores, tuple(made for made in forecasts if made.ms > runs[-1].end)
