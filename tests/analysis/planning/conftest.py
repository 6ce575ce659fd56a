"""Recordings of two simulated households, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.simulated_history import DEFAULT, LATE, record


@pytest.fixture(scope="session")
def late_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("late") / "late.csv"
    record(path, LATE, days=15)
    return path


@pytest.fixture(scope="session")
def default_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("default") / "default.csv"
    record(path, DEFAULT, days=15)
    return path
