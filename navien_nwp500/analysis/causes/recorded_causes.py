"""Causes of the heating runs in a table of recorded statuses, for the report."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Iterator, Sequence

import numpy as np
import pandas as pd

from ...history.recordings import CAUSE_COLUMNS
from ..recoveries import Recovery
from .run_watch import Knowledge, RunCause, run_causes
from .status_sample import Values

#: Columns of the table in physical units, with their field and the counts of a unit.
_SCALED = {
    "heats": ("operation_mode", 1),
    "power": ("current_inst_power", 1),
    "mode": ("dhw_operation_setting", 1),
    "setpoint": ("dhw_temperature_setting", 2),
    "upper": ("tank_upper_temperature", 10),
    "lower": ("tank_lower_temperature", 10),
    "ambient": ("ambient_temperature", 10),
    "dhw_use": ("dhw_use", 1),
    "error_code": ("error_code", 1),
    **{name: (name, 1) for name in CAUSE_COLUMNS},
}


def causes_of(
    statuses: pd.DataFrame, found: Sequence[Recovery], known: Knowledge
) -> list[RunCause | None]:
    """Return the cause of each recovery, None where the statuses show no request for heat."""
    runs = run_causes(_timed_values(statuses), known)
    return [run_within(runs, recovery.start, recovery.end) for recovery in found]


def run_within(runs: Sequence[RunCause], start: datetime, end: datetime) -> RunCause | None:
    """Return the first run that is on in a time."""
    return next(
        (run for run in runs if run.start <= end and (run.end is None or run.end > start)), None
    )


def _timed_values(statuses: pd.DataFrame) -> Iterator[tuple[datetime, Values]]:
    """Yield the statuses as they were sent."""
    names = [name for name in _SCALED if name in statuses]
    fields = [_SCALED[name][0] for name in names]
    columns = []
    for name in names:
        raw = (statuses[name] * _SCALED[name][1]).round()
        numbers: list[int | None] = raw.fillna(0).astype("int64").tolist()
        for missing in np.flatnonzero(raw.isna()).tolist():
            numbers[missing] = None
        columns.append(numbers)
    zones = {
        offset: timezone(timedelta(milliseconds=int(offset)))
        for offset in statuses["offset"].unique()
    }
    times = zip(statuses["ms"].tolist(), statuses["offset"].tolist())
    for (ms, offset), row in zip(times, zip(*columns)):
        yield datetime.fromtimestamp(ms / 1000, zones[offset]), dict(zip(fields, row))
