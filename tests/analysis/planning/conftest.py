"""Recordings of two simulated households, made once for all processes of a test run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.simulated_history import DEFAULT, LATE, DayPlan, record


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


@pytest.fixture(scope="session")
def late_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory, "late", LATE)


@pytest.fixture(scope="session")
def default_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory, "default", DEFAULT)
