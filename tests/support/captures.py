"""Recordings of real heaters, and tables of facts: beside the project, never in it.

A file of tests that needs them begins, after its imports, with::

    if not captures.AVAILABLE:
        pytest.skip(captures.SKIP_REASON, allow_module_level=True)

so that without them it is one line of the summary. Values that can be written down are judged
without recordings, in test_golden_values.py.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared"
CAPTURES = SHARED / "captures"
AVAILABLE = CAPTURES.is_dir()
SKIP_REASON = "recordings of real heaters are not part of the repository; this is normal"


def payloads() -> list[bytes]:
    """The recorded status messages as they came, in their order."""
    return (CAPTURES / "status_messages.jsonl").read_bytes().splitlines()


def rest_data(name: str) -> Any:
    """The ``data`` of a recorded REST answer."""
    return rest_exchange(name)["response"]["data"]


def rest_exchange(name: str) -> Any:
    """A recorded REST exchange."""
    return json.loads((CAPTURES / "rest" / f"{name}.json").read_text("utf-8"))


def field_log() -> list[dict[str, str]]:
    """The field log, a row a status."""
    return _rows(CAPTURES / "field_log.csv")


def field_table(name: str) -> list[dict[str, str]]:
    """A table of facts: ``status_fields`` or ``feature_fields``."""
    return _rows(SHARED / f"{name}.csv")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
