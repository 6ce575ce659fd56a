"""Fixtures of the history: each database that it supports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest


@pytest.fixture(scope="session")
def postgres(find_program: Callable[..., str]) -> Iterator[Any]:
    initdb = find_program("initdb")
    from support.postgres import running_server  # not on Windows

    with running_server(initdb) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database, of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    url: str = request.getfixturevalue("postgres").new_database()
    return url
