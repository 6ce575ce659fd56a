"""Causes of heating runs: each run of statuses gets its start and stop, by tables of rules. No pandas.

``run_watch`` finds the runs, ``start_causes`` and ``stop_causes`` are the tables, and
``recorded_causes`` (which alone needs pandas) judges a recording.
"""

from .cause_types import (
    ElementStart,
    HeatUse,
    Knowledge,
    OwnCommand,
    Reason,
    RunCause,
    between_text,
)
from .run_watch import RunWatch, judge_samples, run_causes
from .status_sample import CAUSE_FIELDS, Sample

__all__ = [
    "CAUSE_FIELDS",
    "ElementStart",
    "HeatUse",
    "Knowledge",
    "OwnCommand",
    "Reason",
    "RunCause",
    "RunWatch",
    "Sample",
    "between_text",
    "judge_samples",
    "run_causes",
]
