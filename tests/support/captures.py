"""Captures of real heaters and tables of their fields, which lie beside the repository.

A test module that needs them begins, after its imports, with::

    if not captures.AVAILABLE:
        pytest.skip(captures.SKIP_REASON, allow_module_level=True)

so that without them it is one line of the summary. ``test_golden_values.py`` checks values that can
be written down, without captures.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared"
CAPTURES = SHARED / "captures"
AVAILABLE = CAPTURES.is_dir()
SKIP_REASON = "captures of real heaters are not part of the repository; this is normal"


def payloads() -> list[bytes]:
    """Return the captured status messages, unchanged and in order."""
    return (CAPTURES / "status_messages.jsonl").read_bytes().splitlines()


def rest_data(name: str) -> Any:
    """Return the ``data`` of a captured REST response."""
    return rest_exchange(name)["response"]["data"]


def rest_exchange(name: str) -> Any:
    """Return a captured REST request and its response."""
    return json.loads((CAPTURES / "rest" / f"{name}.json").read_text("utf-8"))


def field_log() -> list[dict[str, str]]:
    """Return the field log, one dict for each status."""
    return _read_csv(CAPTURES / "field_log.csv")


def field_table(name: str) -> list[dict[str, str]]:
    """Return a table of known fields: ``status_fields`` or ``feature_fields``."""
    return _read_csv(SHARED / f"{name}.csv")


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
