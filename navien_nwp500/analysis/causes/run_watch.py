"""Reasons why heating started and stopped, from statuses and what else is known. No I/O, no pandas.

``run_causes`` judges recorded statuses, ``RunWatch`` statuses as they come. The rules are the tables
of ``start_causes`` and ``stop_causes``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Iterable, Iterator, NamedTuple, Sequence

from ...history.alerts import longest_validity
from ...protocol.types import DHWMode
from .cause_types import (
    Change,
    Edge,
    ElementStart,
    HeatUse,
    Knowledge,
    OwnCommand,
    Reason,
    RunCause,
    between_text,
    changes_between,
)
from .heat_balance import HeatBalance
from .lower_fall import RecentFall
from .start_causes import HELD_MODES, element_reason, start_reason
from .status_sample import CAUSE_FIELDS, Sample, Values
from .stop_causes import stop_reason

__all__ = [
    "CAUSE_FIELDS",
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

#: A pause in the demand that is no end of a run: one source hands over to the other, as when
#: electric mode removes the heat pump's demand and raises its own (PROTOCOL 9.4).
HANDOVER = timedelta(seconds=30)
#: In electric mode the lower element follows the upper one, in the same run (PROTOCOL 14.3).
ELEMENT_HANDOVER = timedelta(seconds=90)
#: A setting may be shown so long before its effect, or after it: the response to a control still
#: shows the old demand, and a setpoint may follow one poll late (PROTOCOL 9.2, 9.9).
SETTING_LEAD = timedelta(minutes=2)
#: A lowered setpoint ends a run within this time (PROTOCOL 9.12).
STOP_LEAD = timedelta(seconds=150)
#: The compressor does not start again for so long after a stop (PROTOCOL 14.2).
LOCK_OUT = timedelta(seconds=330)
#: Statuses that a judgement may look back on: the lock-out, and two intervals of 5 min.
_LOOK_BACK = timedelta(minutes=18)
#: Intervals from which the usual one is told.
_INTERVALS = 24
_DEFAULT_INTERVAL = timedelta(minutes=5)


def run_causes(
    statuses: Iterable[tuple[datetime, Values]], known: Knowledge = Knowledge()
) -> list[RunCause]:
    """Return the heating runs in order, each with what started and what stopped it.

    ``statuses`` are in order of time: the time with its zone, and numbers by field name as they were
    sent (``CAUSE_FIELDS`` are used, each may be missing). The last run has no ``end`` while it goes
    on; a gap ends a run, because nothing is known about it.
    """
    samples = (Sample.of_values(when, values) for when, values in statuses)
    return list(judge_samples(samples, known))


def judge_samples(samples: Iterable[Sample], known: Knowledge) -> Iterator[RunCause]:
    """Yield the runs of samples, each once."""
    watch = RunWatch(known)
    for sample in samples:
        yield from (run for run in watch.add(sample) if run.stopped is not None)
    yield from watch.finish()


class _Moment(NamedTuple):
    """A sample, and the settings that changed since the one before."""

    sample: Sample
    changes: tuple[Change, ...]


@dataclass
class _Run:
    """A run that goes on. ``edge`` is its start; ``cause`` is judged again with the next status."""

    edge: Edge
    cause: RunCause
    settled: bool = False
    last_busy: Sample | None = None
    #: An element is asked for, in the mode that asked for it.
    element: bool = False
    #: The first status without demand, and the edge there.
    idle: Sample | None = None
    end: Edge | None = None


class RunWatch:
    """Detector of heating runs in statuses as they come, with the causes of start and stop.

    ``known`` may be replaced at any time by what has become known since.
    """

    def __init__(self, known: Knowledge = Knowledge()) -> None:
        self.known = known
        self._recent: deque[_Moment] = deque()
        self._intervals: deque[timedelta] = deque(maxlen=_INTERVALS)
        self._balance = HeatBalance()
        self._fall = RecentFall()
        self._held: Change | None = None
        self._stopped: Sample | None = None
        self._run: _Run | None = None

    @property
    def present(self) -> RunCause | None:
        """Return the run that goes on, with what started it; None while nothing heats."""
        return None if self._run is None or self._run.idle is not None else self._run.cause

    def add(self, sample: Sample) -> list[RunCause]:
        """Take the next status; return the run that began with it, or has ended, or both.

        A run that ended is returned one status later, when it is certain that it did not go on.
        A status that is not newer than the one before is ignored.
        """
        before = self._recent[-1].sample if self._recent else None
        if before is not None and sample.when <= before.when:
            return []
        gap = before is not None and sample.when - before.when > self._limit()
        if before is not None:
            sample = sample.carry_forward(before)
            self._intervals.append(sample.when - before.when)
        found = self._settle(sample, gap)
        if gap and self._balance.may_have_heated_before(sample):
            self._balance = HeatBalance()
        changes = () if before is None else tuple(changes_between(before, sample))
        self._recent.append(_Moment(sample, changes))
        self._note_held(sample, changes)
        if self._run is None and sample.busy:
            self._run = self._begin(sample, gap)
            found.append(self._run.cause)
        elif self._run is not None:
            self._follow(self._run, sample)
        self._balance.add(sample, heating=self._run is not None)
        self._fall.add(sample)
        self._forget(sample.when)
        return found

    def finish(self) -> list[RunCause]:
        """Return the run that goes on or has just ended; for the end of a recording."""
        run, self._run = self._run, None
        return [] if run is None else [self._ended(run)]

    def _note_held(self, sample: Sample, changes: Sequence[Change]) -> None:
        """Remember a mode that is shown in a window, and takes effect at its end (PROTOCOL 9.12)."""
        for change in changes:
            if change.kind == "mode":
                held = sample.window and change.new in HELD_MODES
                self._held = change if held else None
            elif change.kind == "window" and change.new:
                self._held = None

    def _limit(self) -> timedelta:
        """Return how long a status is valid: three usual intervals, at least 15 minutes.

        The usual interval is that in which half of the time passes, as in ``intervals``.
        """
        steps, passed = sorted(self._intervals), timedelta(0)
        half = sum(steps, timedelta(0)) / 2
        for step in steps:
            passed += step
            if passed >= half:
                return longest_validity(step)
        return longest_validity(_DEFAULT_INTERVAL)

    def _settle(self, sample: Sample, gap: bool) -> list[RunCause]:
        """Judge again with this status what was judged with the last one."""
        run = self._run
        if run is None:
            return []
        if gap:
            self._run = None
            ended, self._balance = self._ended(run, gap=True), HeatBalance()
            return [ended]
        if run.idle is not None:
            assert run.last_busy is not None
            assert run.end is not None
            electric = run.last_busy.element and sample.mode == DHWMode.ELECTRIC
            limit = ELEMENT_HANDOVER if electric else HANDOVER
            if sample.when - run.last_busy.when <= limit:
                if sample.busy and (sample.element or limit == HANDOVER):
                    run.idle = run.end = None
                    run.element = run.element and sample.mode == run.last_busy.mode
                    return []
                if electric and not sample.busy:
                    return []  # the lower element may follow
            run.end = replace(run.end, next=sample)
            self._run = None
            return [self._ended(run)]
        if not run.settled:
            run.settled = True
            run.edge = replace(run.edge, next=sample)
            if run.edge.window_blinked:
                run.edge = run.edge.in_window()
            run.cause = replace(run.cause, started=start_reason(run.edge))
        return []

    def _begin(self, sample: Sample, gap: bool) -> _Run:
        edge = replace(
            self._edge(gap, self._start_lead(sample)),
            hot_water=None if gap else self._fall.by_hot_water(sample),
            stopped=self._stopped,
        )
        before = edge.before
        cause = RunCause(
            start=sample.when,
            start_after=None if before is None else before.when,
            started=start_reason(edge),
            use=self._balance.use(sample),
        )
        return _Run(edge, cause, last_busy=sample, element=sample.element)

    def _start_lead(self, sample: Sample) -> timedelta:
        """Return how long before the last status without demand a setting may have changed.

        As the lock-out ends, a setting since the stop may have waited for it.
        """
        before, stopped = self._recent[-2].sample if len(self._recent) > 1 else None, self._stopped
        if before is None or stopped is None:
            return SETTING_LEAD
        over = stopped.when + LOCK_OUT
        if not before.when - SETTING_LEAD <= over <= sample.when + SETTING_LEAD:
            return SETTING_LEAD
        return max(SETTING_LEAD, before.when - stopped.when)

    def _follow(self, run: _Run, sample: Sample) -> None:
        if sample.busy:
            if sample.element and not run.element:
                self._note_element(run, sample)
            run.last_busy, run.element = sample, sample.element
        elif run.idle is None:
            run.idle = sample
            edge = self._edge(gap=False, lead=STOP_LEAD)
            # What was there at the start has not stopped it.
            later = tuple(one for one in edge.changes if one.latest > run.cause.start)
            run.end = replace(edge, changes=later)

    def _note_element(self, run: _Run, sample: Sample) -> None:
        edge = self._edge(gap=False, lead=SETTING_LEAD)
        before = edge.before or sample
        started = ElementStart(sample.when, before.when, element_reason(edge))
        run.cause = replace(run.cause, elements=(*run.cause.elements, started))

    def _ended(self, run: _Run, gap: bool = False) -> RunCause:
        last = run.last_busy
        assert last is not None
        self._balance = HeatBalance(run.idle or last)
        self._stopped = None if gap else run.idle
        if run.end is None:
            if not gap:
                return run.cause  # it goes on
            stopped = Reason("gap", "nothing was recorded when it stopped", "unknown")
            return replace(run.cause, end=last.when, end_after=last.when, stopped=stopped)
        assert run.idle is not None
        return replace(
            run.cause,
            end=run.idle.when,
            end_after=last.when,
            stopped=stop_reason(run.end),
        )

    def _edge(self, gap: bool, lead: timedelta) -> Edge:
        """Return the edge between the last two statuses, with what changed around it."""
        *earlier, last = self._recent
        before = earlier[-1].sample if earlier else None
        changes = list(last.changes)
        if before is not None and not gap:
            since = before.when - lead
            shown = (moment for moment in earlier if moment.sample.when >= since)
            changes = [change for moment in shown for change in moment.changes] + changes
        held = None if self._held is None else self._held.new
        return Edge(before, last.sample, tuple(changes), self.known, gap, held=held)

    def _forget(self, now: datetime) -> None:
        while len(self._recent) > 3 and now - self._recent[0].sample.when > _LOOK_BACK:
            self._recent.popleft()
