"""Events of one heater for Home Assistant: a heating run starts or ends, with its cause."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime
from typing import Any, Callable

from ...analysis.causes import Knowledge, Reason, RunCause, RunWatch, Sample
from ...protocol.client_requests import ClientRequest
from ...protocol.schedules import ReservationProgram
from ...protocol.status import DeviceStatus
from ...protocol.tou import TOUInfo

STARTED, STOPPED = "started", "stopped"
#: Requests that are remembered for the causes, and events that wait for a broker.
_REQUESTS, _EVENTS = 200, 20


class HeatingEvents:
    """Events from statuses and from requests of clients; ``now`` is the clock of the heater."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._watch = RunWatch()
        self._requests: deque[ClientRequest] = deque(maxlen=_REQUESTS)
        self._events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)

    def add_request(self, request: ClientRequest) -> None:
        """Remember a request that may be the cause of what follows."""
        if request.is_change:
            self._requests.append(replace(request, when=self._now()))

    def add_status(
        self, status: DeviceStatus, program: ReservationProgram | None, plan: TOUInfo | None
    ) -> None:
        """Take the next status, with the reservations and the plan as far as they are known."""
        when = self._now()
        self._watch.known = Knowledge(
            requests=tuple(self._requests),
            reservations=program,
            plan=None if plan is None else plan.periods,
            zone=when.tzinfo,
        )
        for run in self._watch.add(Sample.of(status, when)):
            if run.stopped is not None and run.stopped.kind != "gap":
                self._events.append(_event(STOPPED, run, run.stopped, run.stopped.text))
            elif run.stopped is None and run.start_after is not None and run.cause != "unknown":
                self._events.append(_event(STARTED, run, run.started, run.text))

    def take(self) -> list[dict[str, Any]]:
        """Return the events since the last call."""
        found = list(self._events)
        self._events.clear()
        return found


def _event(kind: str, run: RunCause, reason: Reason, text: str) -> dict[str, Any]:
    first, last = (run.start_after, run.start) if kind == STARTED else (run.end_after, run.end)
    return {
        "event_type": kind,
        "cause": reason.kind,
        "text": text,
        "certainty": reason.certainty,
        "by": reason.by,
        "also_true": list(reason.also),
        "after": None if first is None else first.isoformat(timespec="seconds"),
        "time": None if last is None else last.isoformat(timespec="seconds"),
    }
