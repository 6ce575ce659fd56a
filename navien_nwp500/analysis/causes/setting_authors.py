"""Authors of settings: another client, this program, a reservation, or nobody that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Iterator, NamedTuple

from ...protocol.calendar import Weekday
from ...protocol.client_requests import ClientRequest
from ...protocol.commands import COMMANDS
from ...protocol.schedules import Reservation
from ...protocol.tou import peak_windows
from .cause_types import Change, Edge

#: A request takes effect within some 30 s (PROTOCOL 9.9), and its setting may be shown one message
#: later; clocks differ by a few seconds.
REQUEST_LEAD = timedelta(seconds=120)
CLOCK_SLACK = timedelta(seconds=5)
#: A reservation comes within 5 s of its minute (PROTOCOL 8.3); it may be shown one message later.
RESERVATION_SLACK = timedelta(seconds=120)

#: A window begins and ends within a minute of the plan.
PLAN_SLACK = timedelta(seconds=60)

#: The status field that shows each setting.
_FIELDS = {
    "mode": "dhw_operation_setting",
    "setpoint": "dhw_temperature_setting",
    "tou_on": "tou_status",
    "window": "tou_status",
}
#: Commands by the setting that they change; a list is confirmed by itself.
_COMMANDS = {
    kind: {
        command.name
        for command in COMMANDS
        if any(expected.field == name for expected in command.expects)
    }
    | ({"write_tou"} if name == "tou_status" else set())
    for kind, name in _FIELDS.items()
}
_CONTROLS = {
    kind: {command.code for command in COMMANDS if command.name in names and command.is_control}
    for kind, names in _COMMANDS.items()
}


class Author(NamedTuple):
    """Author of a setting: a word for programs, and words after the sentence for people."""

    by: str
    text: str


def author_of(edge: Edge, change: Change) -> Author:
    """Return who made a change, by the best evidence there is."""
    wanted = _COMMANDS[change.kind]
    first, last = change.earliest - REQUEST_LEAD, change.latest + CLOCK_SLACK
    for command in edge.known.commands:
        if first <= command.when <= last and command.name in wanted:
            return Author("own", f" by this program ({command.who})")
    for request in requests_within(edge, first, last):
        if request.command in wanted and _agrees(request, change):
            return Author("own", " by this program") if request.own else _client(request)
    entry = reservation_of(edge, change)
    if entry is not None:
        return Author("reservation", f" by the reservation at {entry.time:%H:%M}")
    answered = [one.control for one in (*edge.samples, edge.next) if one is not None]
    if _CONTROLS[change.kind] & set(answered):
        return Author("client", " by a client, such as the app, whose command the heater answered")
    return Author("", _guess(edge, change))


def requests_within(edge: Edge, first: datetime, last: datetime) -> Iterator[ClientRequest]:
    """Yield the recorded requests that change the heater, latest first."""
    for request in reversed(edge.known.requests):
        if first <= request.when <= last and request.is_change:
            yield request


def reservation_of(edge: Edge, change: Change) -> Reservation | None:
    """Return the reservation that was due at a change and sets what it shows."""
    program, zone = edge.known.reservations, edge.known.zone
    if program is None or zone is None or not program.enabled:
        return None
    first, last = change.earliest - RESERVATION_SLACK, change.latest + CLOCK_SLACK
    minute = first.astimezone(zone).replace(second=0, microsecond=0)
    while minute <= last:
        for entry in program.reservations:
            due = entry.enabled and (entry.time.hour, entry.time.minute) == (
                minute.hour,
                minute.minute,
            )
            if due and minute >= first and Weekday.of(minute) in entry.days:
                if _sets(entry, change):
                    return entry
        minute += timedelta(minutes=1)
    return None


def plan_edge(edge: Edge, change: Change) -> datetime | None:
    """Return when a window of the known plan began or ended at a change of the window, if one did."""
    zone = edge.known.zone
    if edge.known.plan is None or zone is None:
        return None
    first, last = change.earliest - PLAN_SLACK, change.latest + PLAN_SLACK
    for day in {first.astimezone(zone).date(), last.astimezone(zone).date()}:
        for window in peak_windows(edge.known.plan, day):
            local = window.start if change.new else window.end
            when = local.replace(tzinfo=zone)
            if first <= when <= last:
                return when
    return None


def _sets(entry: Reservation, change: Change) -> bool:
    if change.kind == "setpoint":
        return bool(entry.temperature.celsius == change.new)
    # In a list 5 is off, in a status 6 (PROTOCOL 8.3).
    mode = 6 if entry.mode == 5 else int(entry.mode)
    return change.kind == "mode" and mode == change.new


def _agrees(request: ClientRequest, change: Change) -> bool:
    """Return False for a request whose value is another than the one that came."""
    name = {"setpoint": "temperature", "mode": "mode"}.get(change.kind, "")
    sent = request.values.get(name)
    return sent is None or sent == round(change.new * (2 if change.kind == "setpoint" else 1))


def _client(request: ClientRequest) -> Author:
    named = f" ({request.client})" if request.client else ""
    return Author("client", f" by another client{named}, such as the app")


def _guess(edge: Edge, change: Change) -> str:
    """Return what may have made a change that nothing recorded explains."""
    on = edge.after.reservations_on
    if on is False:
        return "; no reservation is on, so at the panel or by a client that was not seen"
    narrow = change.latest - change.earliest <= timedelta(seconds=60)
    local = change.latest.astimezone(edge.known.zone) if edge.known.zone else change.latest
    if narrow and local.second > 45:
        return "; not at a full minute, so by no reservation"
    return "; by a client, at the panel, or by a reservation"
