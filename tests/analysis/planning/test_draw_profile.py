"""Draws that are learned from a recording, against those of the household."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

import numpy as np

from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.intervals import add_intervals
from navien_nwp500.analysis.planning.draw_profile import (
    DrawHistory,
    learn_draws,
    shower_steps,
)
from navien_nwp500.analysis.planning.model_fit import fit_model, lowest_setpoint
from navien_nwp500.analysis.planning.present_settings import present_settings
from navien_nwp500.analysis.recoveries import recoveries
from navien_nwp500.analysis.thermal import tank_of
from navien_nwp500.history.recordings import load
from navien_nwp500.protocol.types import DHWMode
from support.simulated_history import AFTERNOON, DEFAULT, DayPlan, record


@lru_cache(maxsize=None)
def learned(path: Path) -> DrawHistory:
    statuses = add_intervals(load([path]).table)
    return learn_draws(statuses, recoveries(statuses), HeaterModel(), cold=15.0)


def litres_between(history: DrawHistory, start: float, end: float) -> float:
    """Litres from a tank of 58 degC between two hours of a mean weekday."""
    profile = history.profile(False)[int(start * 2) : int(end * 2)]
    return float(profile.sum()) / (1.163 * (58 - 15))


def true_litres(plan: DayPlan, start: float, end: float) -> float:
    return sum(litres for hour, litres, _ in plan if start <= hour < end)


def test_the_heat_of_a_day_balances(default_file: Path, late_file: Path) -> None:
    for path, plan in ((default_file, DEFAULT), (late_file, AFTERNOON)):
        history = learned(path)
        assert len(history.days) >= 14 and history.balanced > 0.8
        assert history.air == pytest.approx(20.0, abs=0.5)
        drawn = history.daily_wh / (1.163 * (58 - 15))
        assert drawn == pytest.approx(true_litres(plan, 0, 24), rel=0.06)


def test_draws_are_where_the_household_has_them(default_file: Path, late_file: Path) -> None:
    default, late = learned(default_file), learned(late_file)
    assert litres_between(default, 5.5, 9) == pytest.approx(true_litres(DEFAULT, 5.5, 9), rel=0.12)
    assert litres_between(default, 0, 5) < 3
    assert litres_between(late, 16, 21) == pytest.approx(true_litres(AFTERNOON, 16, 21), rel=0.12)
    assert litres_between(late, 0, 6) < 3


def test_showers_are_the_large_draws() -> None:
    heat = np.zeros(288)
    heat[80:82] = 600.0
    heat[100] = 200.0
    found = shower_steps(heat, 15.0)
    assert found[80] and found[81] and found.sum() == 2


def test_what_the_heater_tells_is_the_present(default_file: Path) -> None:
    statuses = add_intervals(load([default_file]).table)
    found, tank = recoveries(statuses), tank_of(statuses, None)
    assert lowest_setpoint(statuses, found, tank) == 40.5
    # Without the threshold it follows from the energy counts.
    untold = statuses.assign(hp_lower_on_temp_setting=np.nan)
    assert lowest_setpoint(untold, [], tank) == pytest.approx(40.5, abs=0.5)
    settings = present_settings(statuses)
    assert (settings.plan.setpoint, settings.plan.mode) == (120, DHWMode.HEAT_PUMP)
    assert settings.plan.entries == () and settings.notes == ()


def test_heat_and_yield_are_refitted_from_quiet_recoveries(tmp_path: Path) -> None:
    """The usual figures are found again; with three quarters of the power the yield is higher."""
    path = tmp_path / "quiet.csv"
    record(path, ((21.0, 90.0, 5.0),), days=6)
    statuses = add_intervals(load([path]).table)
    found, tank = recoveries(statuses), tank_of(statuses, None)
    usual = fit_model(statuses, found, tank, 20.0)
    assert usual.runs >= 4
    assert usual.model.rate == pytest.approx(1.0, abs=0.05)
    assert usual.model.cop_scale == pytest.approx(1.0, abs=0.05)
    assert fit_model(statuses, found[:2], tank, 20.0).model.rate == 1.0, "too few to refit"
    statuses["heat_pump_watts"] *= 0.75
    weak = fit_model(statuses, found, tank, 20.0)
    assert weak.model.cop_scale > usual.model.cop_scale * 1.1


def test_a_daily_pattern_of_setpoints_is_the_present_plan(default_file: Path) -> None:
    statuses = add_intervals(load([default_file]).table)
    hour = (statuses["ms"] + statuses["offset"]) % 86_400_000 / 3_600_000
    statuses["setpoint"] = np.where((hour >= 6) & (hour < 22), 60.0, 45.0)
    plan = present_settings(statuses).plan
    assert [(one.minute, one.setpoint) for one in plan.entries] == [(360, 120), (1320, 90)]
