"""Where recorded traffic is: beside the project, never in it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2] / "shared"
CAPTURES = SHARED / "captures"


def _found(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"no recorded traffic: {path} is not there")
    return path


def payloads() -> list[bytes]:
    """The recorded status messages as they came, in their order."""
    return _found(CAPTURES / "status_messages.jsonl").read_bytes().splitlines()


def rest(name: str) -> Any:
    """The ``data`` of a recorded REST answer."""
    text = _found(CAPTURES / "rest" / f"{name}.json").read_text("utf-8")
    return json.loads(text)["response"]["data"]


def field_log() -> list[dict[str, str]]:
    """The field log, a row a status."""
    return _rows(CAPTURES / "field_log.csv")


def facts(name: str) -> list[dict[str, str]]:
    """A table of facts: ``status_fields`` or ``feature_fields``."""
    return _rows(SHARED / f"{name}.csv")


def chapter(number: int) -> str:
    """One chapter of the protocol document."""
    text = _found(SHARED / "PROTOCOL.md").read_text("utf-8")
    return text.partition(f"\n## {number}. ")[2].partition("\n## ")[0]


def _rows(path: Path) -> list[dict[str, str]]:
    with _found(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
