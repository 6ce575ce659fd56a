"""Streams of statuses from the simulated heater, with what its controller did in truth.

A stream is simulated once, in short steps, and then seen as by a client that polls it seldom or
often, with the heater's pushes or without. ``confusion`` compares what is told from the statuses
with the rules that the controller applied.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterator, Mapping, Sequence

from navien_nwp500.analysis.causes import Knowledge, RunCause, Sample, judge_samples
from navien_nwp500.analysis.causes.run_watch import HANDOVER
from navien_nwp500.protocol.client_requests import ClientRequest
from navien_nwp500.protocol.schedules import ReservationProgram
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.controller import DemandChange

#: A Monday.
MONDAY = datetime(2026, 1, 5, 5, 0, tzinfo=timezone.utc)
#: Spacing of the finest view.
FINE = 30

_STARTS: Mapping[tuple[str, str], str] = {
    ("request", "setpoint"): "setpoint",
    ("request", "mode"): "mode",
    ("request", "power"): "power",
    ("request", "vacation"): "vacation over",
    ("vacation", "vacation"): "vacation over",
    ("disinfection", "disinfection"): "disinfection",
}
_STOPS: Mapping[tuple[str, str], str] = {
    ("request", "setpoint"): "setpoint",
    ("request", "mode"): "mode",
    ("request", "power"): "off",
    ("request", "vacation"): "vacation",
    ("window begun", "mode"): "mode",
}


def true_kind(change: DemandChange) -> str:
    """The kind of the reason that belongs to what the controller did."""
    author, branch = change.author, change.branch
    if author == "reservation":
        return "reservation"
    if not change.started:
        if author == "disinfection":
            return "disinfected"
        return branch if author == "sensors" else _STOPS[author, branch]
    if author.startswith("window"):
        return author
    return branch if author == "sensors" else _STARTS[author, branch]


@dataclass
class Truth:
    """A start or an end in truth, with the heat drawn from the tank and lost by it until then."""

    when: datetime
    started: bool
    kind: str
    drawn_wh: float = 0.0
    lost_wh: float = 0.0


@dataclass
class Stream:
    """Statuses of one simulation with their times, pushes apart, and the truth."""

    polled: list[tuple[datetime, DeviceStatus]] = field(default_factory=list)
    pushed: list[tuple[datetime, DeviceStatus]] = field(default_factory=list)
    truth: list[Truth] = field(default_factory=list)
    requests: list[ClientRequest] = field(default_factory=list)

    def samples(self, spacing: int = FINE, *, pushes: bool = False, phase: int = 0) -> list[Sample]:
        """What a client sees that polls each ``spacing`` seconds."""
        seen = self.polled[phase :: spacing // FINE]
        if pushes:
            seen = sorted([*seen, *self.pushed], key=lambda one: one[0])
        return [Sample.of(status, when) for when, status in seen]

    def runs(
        self, spacing: int = FINE, *, known: Knowledge | None = None, **view: Any
    ) -> list[RunCause]:
        """What is told from it."""
        known = Knowledge(requests=tuple(self.requests)) if known is None else known
        return list(judge_samples(self.samples(spacing, **view), known))


Action = Callable[[Heater], None]


class Simulation:
    """A heater that is asked to do things, recorded as a ``Stream``."""

    def __init__(self, **options: Any) -> None:
        options = {"now": MONDAY, "draws": None, "mode": DHWMode.HEAT_PUMP, **options}
        self.heater = Heater(**options)
        self.stream = Stream()
        self._seen: list[DemandChange] = []
        self._next_poll = self.heater.now

    def run(self, hours: float = 0.0, *, minutes: float = 0.0) -> Simulation:
        """Let time pass."""
        end = self.heater.now + timedelta(hours=hours, minutes=minutes)
        while self.heater.now < end:
            until = min(end, self._next_poll)
            self.advance((until - self.heater.now).total_seconds())
            if self.heater.now >= self._next_poll:
                status = self.heater.status()
                self.stream.polled.append((self.heater.now, status))
                self._next_poll += timedelta(seconds=FINE)
        return self

    def skip(self, hours: float) -> Simulation:
        """Let time pass in which nobody looks, and stops nobody sees."""
        self.advance(hours * 3600)
        self._next_poll = self.heater.now
        return self

    def advance(self, seconds: float) -> None:
        """Let time pass in steps that give each push its time."""
        while seconds > 0:
            step = min(10.0, seconds)
            seconds -= step
            for status in self.heater.advance(step):
                self.stream.pushed.append((self.heater.now, status))
        self._note()

    def ask(self, command: str, action: Action, **values: int) -> Simulation:
        """Do what a client's request does, and record the request."""
        request = ClientRequest(self.heater.now, command, 0x02000000, values, "0a1b2c3d")
        self.stream.requests.append(request)
        action(self.heater)
        self._note()
        return self

    def ask_setpoint(self, celsius: float) -> Simulation:
        raw = HalfCelsius.from_celsius(celsius)
        return self.ask("temperature", lambda one: one.set_setpoint(raw), temperature=int(raw))

    def ask_mode(self, mode: DHWMode, days: int | None = None) -> Simulation:
        name = "vacation" if days else "dhw_mode"
        return self.ask(name, lambda one: one.set_mode(mode, days), mode=int(mode))

    def ask_power(self, on: bool) -> Simulation:
        name = "power_on" if on else "power_off"
        return self.ask(name, lambda one: one.power_on() if on else one.power_off())

    def window(self, opened: bool) -> Simulation:
        """Begin or end a time-of-use window, as the heater's own plan does."""
        tou = self.heater.settings.tou
        tou.enabled = True
        self.heater.set_tou_window(opened)
        self._note()
        return self

    def draw(self, litres: float, minutes: float = 5.0) -> Simulation:
        self.heater.draw(litres, minutes)
        return self

    def reserve(self, *entries: Any) -> Simulation:
        self.heater.write_reservations(ReservationProgram(True, tuple(entries)))
        return self

    def _note(self) -> None:
        for when, change in self.heater.demand_log:
            if not any(change is one for one in self._seen):
                self._seen = [*self._seen[-200:], change]
                truth = self.stream.truth
                # A source that hands over to another is no end.
                if truth and change.started and when - truth[-1].when <= HANDOVER:
                    truth.pop()
                    continue
                tank = self.heater.tank
                kind = true_kind(change)
                truth.append(Truth(when, change.started, kind, tank.drawn_wh, tank.lost_wh))


@dataclass
class Comparison:
    """Kinds as they were in truth and as they were told, with how certain that was said to be."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missed: int = 0
    wrong_times: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def right(self) -> int:
        return sum(count for (true, told, _), count in self.counts.items() if true == told)

    @property
    def sure_and_wrong(self) -> int:
        return sum(
            count
            for (true, told, certainty), count in self.counts.items()
            if true != told and certainty == "sure"
        )


def compare(truth: Sequence[Truth], runs: Sequence[RunCause], *, started: bool) -> Comparison:
    """Compare the starts or the ends; of those that a client cannot see, ``missed`` is the number."""
    found = Comparison()
    told = list(_told(runs, started))
    for one in truth:
        if one.started != started:
            continue
        match = next(((a, b, r) for a, b, r in told if a is not None and a <= one.when <= b), None)
        if match is None:
            found.missed += 1
            continue
        told.remove(match)
        found.counts[one.kind, match[2].kind, match[2].certainty] += 1
    found.wrong_times = sum(1 for a, _, _ in told if a is not None)
    return found


def _told(runs: Sequence[RunCause], started: bool) -> Iterator[tuple[Any, datetime, Any]]:
    for run in runs:
        if started:
            yield run.start_after, run.start, run.started
        elif run.end is not None:
            yield run.end_after, run.end, run.stopped
