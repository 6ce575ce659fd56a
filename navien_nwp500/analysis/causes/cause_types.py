"""Types of causes: what is known about a start or a stop, and what is said about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Iterator, NamedTuple, Sequence

from ...protocol.client_requests import ClientRequest
from ...protocol.schedules import ReservationProgram
from ...protocol.tou import TOUPeriod
from .status_sample import Sample

#: ``sure``: the rule holds and nothing else fits. ``likely``: it holds, but other rules do too, or a
#: value is at its limit. ``unknown``: no rule fits, or nothing was recorded.
CERTAINTIES = ("sure", "likely", "unknown")


@dataclass(frozen=True)
class Reason:
    """Reason of a start or a stop.

    ``kind`` is a word for programs, ``text`` a sentence part for people, ``certainty`` one of sure,
    likely and unknown. ``also``: what else fits. ``by``: who changed the setting, where one was:
    ``client``, ``own``, ``reservation``, ``window``, ``heater`` or empty.
    """

    kind: str
    text: str
    certainty: str = "sure"
    also: tuple[str, ...] = ()
    by: str = ""


def first_reason(found: Sequence[Reason]) -> Reason | None:
    """Return the first of the reasons that fit, with the others beside it; None without one."""
    if not found:
        return None
    first, others = found[0], [one for one in found[1:] if one.kind != found[0].kind]
    if others and first.certainty == "sure":
        first = replace(first, certainty="likely")
    return replace(first, also=(*first.also, *(other.text for other in others)))


@dataclass(frozen=True)
class HeatUse:
    """Heat that left the tank since the last run, in Wh, and the draws that were seen.

    ``missed`` is True when gaps or long intervals may hide draws.
    """

    drawn_wh: float
    lost_wh: float
    draws: int
    last_draw: datetime | None
    missed: bool = False

    @property
    def hot_water_share(self) -> float | None:
        """Return the share of hot water, 0 to 1; None when hardly any heat left the tank."""
        total = self.drawn_wh + self.lost_wh
        return self.drawn_wh / total if total >= 50 else None


class ElementStart(NamedTuple):
    """An element that joined the heat pump in a run, or took over from it, and why.

    It started between ``start_after``, the last status without it, and ``start``.
    """

    start: datetime
    start_after: datetime
    reason: Reason

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        times = {"start": _iso(self.start), "start_after": _iso(self.start_after)}
        return {**times, "reason": asdict(self.reason)}


@dataclass(frozen=True)
class RunCause:
    """One heating run, from the first to the last request for heat, with its causes.

    It started between ``start_after``, the last status without it (None when that is not known),
    and ``start``; likewise ``end_after`` and ``end``. ``end`` and ``stopped`` are None while it goes
    on. ``use`` is the heat that had left the tank before; None when that is not known. ``elements``:
    where an element joined the heat pump on the way.
    """

    start: datetime
    start_after: datetime | None
    started: Reason
    use: HeatUse | None = None
    end: datetime | None = None
    end_after: datetime | None = None
    stopped: Reason | None = None
    elements: tuple[ElementStart, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: times as text with their offset, shares from 0 to 1."""
        use = self.use
        return {
            "start": _iso(self.start),
            "start_after": _iso(self.start_after),
            "end": _iso(self.end),
            "end_after": _iso(self.end_after),
            "started": asdict(self.started),
            "stopped": None if self.stopped is None else asdict(self.stopped),
            "elements": [one.to_dict() for one in self.elements],
            "hot_water_share": None if use is None else use.hot_water_share,
            "draws": None if use is None else use.draws,
            "last_draw": None if use is None else _iso(use.last_draw),
            "draws_missed": None if use is None else use.missed,
        }

    @property
    def cause(self) -> str:
        """Return what started it, a word for programs."""
        return self.started.kind

    @property
    def certainty(self) -> str:
        """Return how certain the start's cause is: sure, likely or unknown."""
        return self.started.certainty

    @property
    def also(self) -> tuple[str, ...]:
        """Return what else fits the start."""
        return self.started.also

    @property
    def text(self) -> str:
        """Return what started it, for people, with the shares of hot water and cooling."""
        share = share_text(self.use)
        return f"{self.started.text}; {share}" if share else self.started.text


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat(timespec="seconds")


def share_text(use: HeatUse | None) -> str:
    """Return such as ``71 % hot water (3 draws, last 06:52), 29 % cooling``; empty if unknown."""
    share = None if use is None else use.hot_water_share
    if use is None or share is None:
        return ""
    percent = round(100 * share)
    if not percent:
        return "100 % cooling"
    seen = ""
    if use.last_draw is not None:
        seen = f" ({use.draws} draw{'s' * (use.draws != 1)} seen, last {use.last_draw:%H:%M})"
    return f"{percent} % hot water{seen}, {100 - percent} % cooling"


def between_text(after: datetime | None, when: datetime) -> str:
    """Return ``06:51``, or ``between 06:51 and 06:56`` when it may be any time in there.

    The earlier time has its date when it is half a day before or more.
    """
    if after is None:
        return f"before {when:%H:%M}"
    if when - after <= timedelta(seconds=60):
        return f"{when:%H:%M}"
    far = when - after >= timedelta(hours=12)
    return f"between {after:{'%Y-%m-%d %H:%M' if far else '%H:%M'}} and {when:%H:%M}"


class OwnCommand(NamedTuple):
    """A command of a program that keeps a record, with its name and who gave it."""

    when: datetime
    name: str
    who: str

    @classmethod
    def of_record(cls, when: datetime, name: str, who: str) -> OwnCommand:
        """Return a command of the record, which has the dashboard's names for some of them."""
        return cls(when, _HEATER_NAMES.get(name, name), who)


#: Names of the dashboard's commands that are not those of the heater (COMMANDS.md).
_HEATER_NAMES = {"mode": "dhw_mode", "tou": "tou_on", "power": "power_on"}


@dataclass(frozen=True)
class Knowledge:
    """Knowledge besides the statuses.

    ``requests``: of other clients, as recorded. ``commands``: of this program. ``reservations`` and
    ``plan``: of the heater, None when unknown. ``zone``: of the heater's clock.
    """

    requests: Sequence[ClientRequest] = ()
    commands: Sequence[OwnCommand] = ()
    reservations: ReservationProgram | None = None
    plan: Sequence[TOUPeriod] | None = None
    zone: tzinfo | None = None


class Change(NamedTuple):
    """A changed setting, made between ``earliest`` and ``latest``."""

    kind: str  # a field of Sample: mode, setpoint, window or tou_on
    old: Any
    new: Any
    earliest: datetime
    latest: datetime


def changes_between(before: Sample, after: Sample) -> Iterator[Change]:
    """Yield the settings that two neighbouring statuses show differently."""
    for kind in ("mode", "setpoint", "window", "tou_on"):
        old, new = getattr(before, kind), getattr(after, kind)
        if old is not None and new is not None and old != new:
            yield Change(kind, old, new, before.when, after.when)


@dataclass(frozen=True)
class Edge:
    """Two neighbouring statuses between which heating started or stopped.

    ``before`` is None at the beginning of a recording; after a ``gap`` it is the one before it.
    ``changes`` are those of settings up to ``after``. ``next`` is the status after ``after``, once
    there is one. ``held``: mode that was written in a window and waits for its end. ``hot_water``:
    whether draws explain how fast the lower tank fell; None if unknown. ``stopped``: the status with
    which the run before was over.
    """

    before: Sample | None
    after: Sample
    changes: tuple[Change, ...]
    known: Knowledge = field(repr=False, default=Knowledge())
    gap: bool = False
    next: Sample | None = None
    held: int | None = None
    hot_water: bool | None = None
    stopped: Sample | None = None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Return the two statuses, or the one that there is."""
        return (self.after,) if self.before is None else (self.before, self.after)

    @property
    def is_narrow(self) -> bool:
        """True when hardly anything can have happened between the two statuses unseen."""
        before = self.before
        return before is not None and self.after.when - before.when <= timedelta(seconds=60)

    def change(self, kind: str) -> Change | None:
        """Return the last change of a setting; None if it did not change."""
        return next((one for one in reversed(self.changes) if one.kind == kind), None)

    def late_change(self, kind: str) -> Change | None:
        """Return the change of a setting that the next status shows; None if there is none."""
        if self.next is None or self.next.when - self.after.when > timedelta(seconds=60):
            return None
        found = changes_between(self.after, self.next)
        return next((change for change in found if change.kind == kind), None)

    @property
    def window_blinked(self) -> bool:
        """True when only ``after`` shows no window: single statuses have an unknown time of use."""
        before, after = self.before, self.next
        seen = before is not None and after is not None and before.window and after.window
        return bool(seen) and not self.after.window

    def in_window(self) -> Edge:
        """Return the edge with ``after`` in the window as the statuses around it."""
        shown = self.after._replace(window=True, tou_on=True)
        kept = tuple(one for one in self.changes if one.kind not in ("window", "tou_on"))
        return replace(self, after=shown, changes=kept)

    def lowest(self, name: str) -> float | None:
        """Return the lower value of a sensor at both statuses."""
        values = [getattr(one, name) for one in self.samples if getattr(one, name) is not None]
        return min(values) if values else None

    def highest(self, name: str) -> float | None:
        """Return the higher value of a sensor at both statuses."""
        values = [getattr(one, name) for one in self.samples if getattr(one, name) is not None]
        return max(values) if values else None
