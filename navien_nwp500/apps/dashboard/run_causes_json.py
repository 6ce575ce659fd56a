"""Causes of the heating runs of the history, for the runs that the API lists."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ...analysis.causes import CAUSE_FIELDS, Knowledge, OwnCommand, RunCause, run_causes
from ...history.cause_records import stored_records
from ...history.schema import to_datetime, to_ms
from ...history.spans import DAY_MS
from ...history.store import HistoryStore, StoredHeater
from ...protocol.schedules import ReservationProgram
from ...protocol.tou import TOUPeriod

#: The newest part of a range in which causes are told: they are judged from every status.
LONGEST_MS = 32 * DAY_MS
#: What left the tank before a run is seen from the run before it.
_LEAD_MS = 2 * DAY_MS
#: Heating is asked for up to two minutes before the compressor runs (PROTOCOL 9.4).
_TOLERANCE_MS = 120_000
_COMMAND_NAMES = {"mode": "dhw_mode", "tou": "tou_on", "power": "power_on"}


def add_causes(
    content: dict[str, Any],
    store: HistoryStore,
    heater: StoredHeater,
    *,
    since: int,
    until: int,
    reservations: ReservationProgram | None,
    plan: Sequence[TOUPeriod] | None,
) -> dict[str, Any]:
    """Add cause, certainty and stop to the runs of ``runs_json``; they stay None where unknown."""
    if not content["runs"]:
        return content
    newest = max(run["end"] or run["start"] for run in content["runs"])
    first = max(since, newest - LONGEST_MS) - _LEAD_MS
    records = stored_records(store, heater, CAUSE_FIELDS, since=first, until=until)
    known = Knowledge(
        requests=records.requests,
        commands=[
            OwnCommand(to_datetime(one.asked), _COMMAND_NAMES.get(one.name, one.name), one.who)
            for one in records.commands
        ],
        reservations=reservations,
        plan=plan,
        zone=records.zone,
    )
    causes = [(to_ms(one.start), one) for one in run_causes(records.statuses, known)]
    for run in content["runs"]:
        run.update(_cause(run, causes))
    return content


def _cause(run: Mapping[str, Any], causes: list[tuple[int, RunCause]]) -> dict[str, Any]:
    """Return the cause of the run of the heater's demand that a run of its parts belongs to."""
    for start, cause in reversed(causes):
        if start > run["start"] + _TOLERANCE_MS:
            continue
        if cause.end is not None and to_ms(cause.end) < run["start"] - _TOLERANCE_MS:
            return {}
        stop = None if cause.stopped is None else cause.stopped.text
        return {"cause": cause.text, "certainty": cause.certainty, "stop": stop}
    return {}
