"""Recordings of two simulated households, made once for all processes of a test run."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from support.simulated_history import AFTERNOON, DEFAULT, DayPlan, record


def recorded(factory: pytest.TempPathFactory, name: str, plan: DayPlan) -> Path:
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path, draft = folder / f"{name}.csv", folder / f"{name}.draft.csv"
    with open(folder / f"{name}.lock", "w") as lock:
        wait_for(lock)
        if not path.exists():
            draft.unlink(missing_ok=True)
            record(draft, plan)
            os.replace(draft, path)
    return path


def wait_for(lock: Any) -> None:
    """Wait until no other process records; on Windows each may record."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return
    fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.fixture(scope="session", autouse=True)
def tracked_once() -> Iterator[None]:
    """Lead the tank along each recording once; many tests learn from the same two."""
    draw_profile = pytest.importorskip("navien_nwp500.analysis.planning.draw_profile")
    model_fit = importlib.import_module("navien_nwp500.analysis.planning.model_fit")
    known: dict[Any, Any] = {}

    def track(statuses: Any, *figures: Any) -> Any:
        sums = statuses[["ms", "upper", "lower", "heat_pump_watts"]].sum()
        key = (len(statuses), *sums, *figures)
        if key not in known:
            known[key] = track_tank(statuses, *figures)
        return known[key]

    track_tank = draw_profile.track_tank
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw_profile, "track_tank", track)
        patch.setattr(model_fit, "track_tank", track)
        yield


@pytest.fixture(scope="session")
def late_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory, "late", AFTERNOON)


@pytest.fixture(scope="session")
def default_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory, "default", DEFAULT)
