"""Table of what starts heating (PROTOCOL 8.8, 8.9, 9.12, 14.3): the first rule that matches wins.

Temperatures in degC, differences in K. ``before`` is the last status without demand, ``after`` the
first one with it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Callable, NamedTuple

from ...protocol.types import DHWMode
from .cause_types import Change, Edge, Reason, first_reason
from .setting_authors import author_of, plan_edge, requests_within
from .status_sample import degrees, mode_text

#: Sensors jitter by 0.2 K (PROTOCOL 14.1).
JITTER = 0.25
#: Near its start point the lower sensor starts heating, in K: statuses are apart, sensors jitter.
NEAR_START_POINT = 0.55
#: A tank that waited for the end of a window starts within this time of it (PROTOCOL 9.12).
WINDOW_LEAD = timedelta(seconds=60)
#: A control takes effect within this time (PROTOCOL 9.9).
CONTROL_LEAD = timedelta(seconds=35)
#: A demand that comes again within this time of a stop, with the same settings, goes on.
CONTINUED = timedelta(minutes=10)
#: How far the upper sensor must be below the setpoint: in a window it starts by itself, or after a
#: new setpoint; with a new mode 1, or with another (PROTOCOL 9.12).
WINDOW_SHORT = 8.0
WINDOW_SETPOINT_SHORT = 2.2
MODE_1_SHORT = 1.1
#: How far the lower sensor must be below it for a new mode (PROTOCOL 9.12).
MODE_LOWER_SHORT = 2.0
#: The upper element starts: on entry of a mode, and later in modes 2 and 4 (PROTOCOL 14.3).
ELEMENT_ENTRY_SHORT = {DHWMode.ELECTRIC: 0.3, DHWMode.ENERGY_SAVER: 1.0, DHWMode.HIGH_DEMAND: 0.4}
ELEMENT_SHORT = 2.3
#: So far below the setpoint statuses showed it as the element started, in K.
ELEMENT_SHOWN_SHORT = 2.0
#: Freeze protection, where its threshold was not recorded (PROTOCOL 14.3).
FREEZE = 6.0
#: Lowest setpoints that were recorded, for recordings that name none (PROTOCOL 6.8).
USUAL_START_POINTS = (35.0, 40.5)

_HEATING = (DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
#: A window holds these back until its end.
HELD_MODES = _HEATING[1:]
_OFF = (DHWMode.POWER_OFF, DHWMode.STANDBY)
#: Modes in which only freeze protection uses the element.
_WITHOUT_ELEMENT = (*_OFF, DHWMode.VACATION, DHWMode.HEAT_PUMP)


class StartRule(NamedTuple):
    """A row of the table."""

    name: str
    judge: Callable[[Edge], "Reason | None"]


def start_reason(edge: Edge) -> Reason:
    """Return why heating started."""
    if edge.before is None or edge.gap:
        return _unseen(edge)
    found = [reason for reason in (rule.judge(edge) for rule in START_RULES) if reason]
    return first_reason(found) or _late(edge) or Reason("unknown", _unexplained(edge), "unknown")


def element_reason(edge: Edge) -> Reason:
    """Return why an element joined the heat pump, which was heating already, or took over from it."""
    # The rules of the element ask what it would do alone.
    alone = replace(edge, after=edge.after._replace(heat_pump=False))
    rules = (rule for rule in START_RULES if rule.name in _ELEMENT_RULES)
    found = [reason for reason in (rule.judge(alone) for rule in rules) if reason]
    return first_reason(found) or Reason("unknown", _unexplained(edge), "unknown")


def _unseen(edge: Edge) -> Reason:
    """Return the reason of a run that was on at the first status, or at the first after a gap."""
    if edge.before is None:
        text = "it was already heating when the recording began"
        return Reason("unknown", text, "unknown")
    found = [reason for reason in (rule.judge(edge) for rule in START_RULES) if reason]
    text = "it was already heating when the recording went on"
    return Reason("unknown", text, "unknown", tuple(one.text for one in found))


def _disinfection(edge: Edge) -> Reason | None:
    text = "the anti-legionella cycle heats the whole tank"
    if edge.after.disinfecting:
        return Reason("disinfection", text, by="heater")
    if edge.next is not None and edge.next.disinfecting:
        return Reason("disinfection", text, "likely", by="heater")
    return None


def _freeze(edge: Edge) -> Reason | None:
    coldest = [one for one in (edge.lowest("upper"), edge.lowest("lower")) if one is not None]
    freeze = FREEZE if edge.after.freeze_at is None else edge.after.freeze_at
    if edge.after.mode not in _WITHOUT_ELEMENT or not coldest or min(coldest) > freeze + JITTER:
        return None
    text = f"freeze protection: the tank was at {degrees(min(coldest))}"
    return Reason("freeze", text, "likely", by="heater")


def _power(edge: Edge) -> Reason | None:
    change = edge.change("mode")
    if change is None or change.old not in _OFF or change.new not in _HEATING:
        return None
    return _by_author(edge, change, "power", "the heater was switched on")


def _vacation(edge: Edge) -> Reason | None:
    change = edge.change("mode")
    if change is None or change.old != DHWMode.VACATION or change.new not in _HEATING:
        return None
    found = _by_author(edge, change, "vacation over", "the vacation ended")
    return found if found.by else replace(found, certainty="likely")


def _window_mode(edge: Edge) -> Reason | None:
    """Judge a window that selects mode 1, or ends and brings back the mode that waited."""
    mode, window = edge.change("mode"), edge.change("window")
    if window is not None and not window.new and mode is None and edge.held is not None:
        return _held_mode(edge.held)
    if mode is None or window is None or mode.old not in _HEATING:
        return None
    if not _is_mode_of_window(mode, window) or author_of(edge, mode).by:
        return None
    if window.new:
        text = "a time-of-use window began and selected the heat pump"
        return Reason("window begun", text, by="window")
    return _held_mode(mode.new)


def _held_mode(mode: int) -> Reason:
    text = f"the time-of-use window ended, and {mode_text(mode)} mode, which had waited, came"
    return Reason("window over", text, "likely", by="window")


def _mode(edge: Edge) -> Reason | None:
    change = edge.change("mode")
    if change is None or change.old not in _HEATING or change.new not in _HEATING:
        return None
    window = edge.change("window")
    if window is not None and _is_mode_of_window(change, window):
        if not author_of(edge, change).by:
            return None
    if not _mode_starts(edge, change.new):
        return None
    text = f"the mode was changed to {mode_text(change.new)}"
    return _by_author(edge, change, "mode", text)


def _setpoint(edge: Edge) -> Reason | None:
    change = edge.change("setpoint")
    if change is None or change.old is None:
        return None
    least = WINDOW_SETPOINT_SHORT if edge.after.window else 0.0
    if not _short(edge, "upper", change.new, least):
        return None
    way = "raised" if change.new > change.old else "lowered"
    text = f"the setpoint was {way} from {degrees(change.old)} to {degrees(change.new)}"
    return _by_author(edge, change, "setpoint", text)


def _window_over(edge: Edge) -> Reason | None:
    change, before = edge.change("window"), edge.before
    if change is None or change.new or before is None or not _at_start_point(edge):
        return None
    waited = _is_at(before.lower, edge, JITTER)
    if not (before.window or waited) or before.when - change.latest > WINDOW_LEAD:
        return None  # it had ended before the tank was cold enough
    off = edge.change("tou_on")
    if off is not None and not off.new:
        return _by_author(edge, off, "window over", "time of use was switched off")
    text = "the time-of-use window ended, for which the tank had waited"
    if edge.known.plan is not None and plan_edge(edge, change) is None:
        text = "a time-of-use window ended, but not by the plan: time of use was overridden"
    return Reason("window over", text, "sure" if waited else "likely", by="window")


def _window_cold(edge: Edge) -> Reason | None:
    in_window = edge.after.window or (edge.before is not None and edge.before.window)
    if not in_window or not _short(edge, "upper", edge.after.setpoint, WINDOW_SHORT):
        return None
    began = edge.change("window")
    text = f"the upper tank was more than {WINDOW_SHORT:.0f} K too cold, in a time-of-use window"
    if began is not None and began.new:
        text += ", which began"
    return Reason("window cold", text, by="heater")


def _tank(edge: Edge) -> Reason | None:
    if not edge.after.by_heat_pump or edge.after.window or not _at_start_point(edge):
        return None
    if edge.before is not None and edge.before.window:
        return None  # the window's end is another row
    point = edge.after.start_at
    named = "its start point" if point is None else f"its start point of {degrees(point)}"
    full = not _short(edge, "upper", edge.after.setpoint, 0.0)
    # In high demand mode the element starts earlier, and may be off again between two polls.
    hidden = edge.after.mode == DHWMode.HIGH_DEMAND and not edge.is_narrow
    sure = point is not None and not full and not hidden
    ways = {
        True: f"hot water was used, and the lower tank fell to {named}",
        False: f"the tank cooled slowly, and its lower part fell to {named}",
        None: f"the lower tank fell to {named}",
    }
    text = ways[edge.hot_water]
    return Reason("tank", text, "sure" if sure else "likely", by="heater")


def _element(edge: Edge) -> Reason | None:
    """Judge an element that starts by itself: how cold the tank must be depends on the mode."""
    mode, after = edge.after.mode, edge.after
    if not after.element or mode is None:
        return None
    if mode in (DHWMode.ELECTRIC, DHWMode.HIGH_DEMAND):
        if _short(edge, "upper", after.setpoint, ELEMENT_SHOWN_SHORT + JITTER):
            # With both on, the heat pump may have been the first.
            certainty = "likely" if after.heat_pump else "sure"
            text = f"the upper tank was {ELEMENT_SHORT} K too cold, for the element"
            return Reason("element", text, certainty, by="heater")
    if after.heat_pump:
        return None
    if mode == DHWMode.ELECTRIC and _at_start_point(edge):
        return Reason("element", "the lower tank fell to the element's start point", by="heater")
    upper = edge.lowest("upper")
    if mode == DHWMode.ENERGY_SAVER and upper is not None and _is_at(upper, edge):
        text = "the upper tank fell to the element's start point"
        return Reason("element", text, "likely", by="heater")
    if edge.change("mode") or edge.change("setpoint"):
        return None
    # It warms its sensor by 1 K a minute (PROTOCOL 14.3): the coldest moment was between statuses.
    return Reason("element", "the element started by itself", "likely", by="heater")


def _control(edge: Edge) -> Reason | None:
    """Judge a control that changed no setting: each has demand judged afresh (PROTOCOL 9.12)."""
    assert edge.before is not None
    if edge.change("mode") or edge.change("setpoint") or edge.change("tou_on"):
        return None
    first = edge.before.when - CONTROL_LEAD
    for request in requests_within(edge, first, edge.after.when):
        if request.code >= 0x02000000 and "entries" not in request.values:
            text = f"a client sent {request.command.replace('_', ' ')}, which changed nothing else"
            by = "own" if request.own else "client"
            return Reason("control", text, "likely", by=by)
    if edge.before.control or edge.after.control:
        text = "a client sent a control that changed nothing else"
        return Reason("control", text, "likely", by="client")
    return None


def _load_up(edge: Edge) -> Reason | None:
    if not edge.after.load_up:
        return None
    return Reason("load up", "the grid asked for heat in advance (load-up)", "likely", by="grid")


def _continued(edge: Edge) -> Reason | None:
    """Judge a demand that comes again soon after a stop, with the same settings."""
    stopped, after = edge.stopped, edge.after
    if stopped is None or after.when - stopped.when > CONTINUED:
        return None
    if (stopped.mode, stopped.setpoint) != (after.mode, after.setpoint):
        return None
    text = f"it went on after the pause that followed the stop at {stopped.when:%H:%M}"
    return Reason("continued", text, "likely", by="heater")


#: Columns: the row's name, and the function that judges it.
START_RULES: tuple[StartRule, ...] = (
    StartRule("disinfection", _disinfection),
    StartRule("freeze", _freeze),
    StartRule("vacation over", _vacation),
    StartRule("power", _power),
    StartRule("window over", _window_over),
    StartRule("window mode", _window_mode),
    StartRule("window cold", _window_cold),
    StartRule("setpoint", _setpoint),
    StartRule("mode", _mode),
    StartRule("element", _element),
    StartRule("tank", _tank),
    StartRule("load up", _load_up),
    StartRule("control", _control),
    StartRule("continued", _continued),
)

#: Rows that start an element in a run too.
_ELEMENT_RULES = ("disinfection", "freeze", "window mode", "setpoint", "mode", "element")


def _late(edge: Edge) -> Reason | None:
    """Return the reason of a setting shown one message later, or of a mode at its limits."""
    for kind in ("setpoint", "mode"):
        change = edge.late_change(kind)
        if change is not None:
            new = degrees(change.new) if kind == "setpoint" else mode_text(change.new)
            text = f"the {kind} was changed to {new}, which the next status showed"
            return replace(_by_author(edge, change, kind, text), certainty="likely")
    changed = edge.change("mode")
    if changed is None or not {changed.old, changed.new} <= {*_HEATING}:
        return None
    text = f"the mode was changed to {mode_text(changed.new)}, with the tank near its setpoint"
    return replace(_by_author(edge, changed, "mode", text), certainty="likely")


def _unexplained(edge: Edge) -> str:
    """Return that nothing explains it, with the numbers that a person needs to find out."""
    after = edge.after
    numbers = [
        f"{name} {degrees(value)}"
        for name, value in (
            ("upper tank", after.upper),
            ("lower tank", after.lower),
            ("setpoint", after.setpoint),
        )
        if value is not None
    ]
    written = next(
        requests_within(edge, datetime.min.replace(tzinfo=timezone.utc), after.when), None
    )
    if written is not None:
        local = written.when.astimezone(after.when.tzinfo)
        numbers.append(f"last write {written.command.replace('_', ' ')}, {local:%Y-%m-%d %H:%M}")
    return ": ".join(filter(None, ("no rule of the heater explains it", ", ".join(numbers))))


def _by_author(edge: Edge, change: Change, kind: str, text: str) -> Reason:
    """Return the reason of a changed setting, with who changed it."""
    author = author_of(edge, change)
    by_itself = kind == "vacation over" and not author.by
    # Heating resumes 9 h before the end of a vacation (PROTOCOL 6.10).
    text += author.text if not by_itself else ", by itself (9 h before its end) or by a client"
    return Reason("reservation" if author.by == "reservation" else kind, text, by=author.by)


def _is_mode_of_window(mode: Change, window: Change) -> bool:
    """Return True for a mode that a window selects at its beginning or gives back at its end."""
    near = window.earliest <= mode.latest and mode.earliest <= window.latest
    if window.new:
        return near and mode.new == DHWMode.HEAT_PUMP
    return near and mode.new in _HEATING[1:]


def _mode_starts(edge: Edge, mode: int) -> bool:
    setpoint = edge.after.setpoint
    if mode == DHWMode.ELECTRIC:
        short = ELEMENT_ENTRY_SHORT[DHWMode.ELECTRIC]
        return _short(edge, "upper", setpoint, short) or _short(edge, "lower", setpoint, short)
    if mode == DHWMode.HEAT_PUMP:
        upper = _short(edge, "upper", setpoint, MODE_1_SHORT)
        return upper or _short(edge, "lower", setpoint, MODE_LOWER_SHORT)
    return _short(edge, "upper", setpoint, 0.0)


def _short(edge: Edge, sensor: str, setpoint: float | None, kelvin: float) -> bool:
    """Return True when a sensor is, or may be, further below the setpoint."""
    lowest = edge.lowest(sensor)
    return lowest is None or setpoint is None or setpoint - lowest > kelvin - JITTER


def _at_start_point(edge: Edge) -> bool:
    return _is_at(edge.lowest("lower"), edge)


def _is_at(value: float | None, edge: Edge, near: float = NEAR_START_POINT) -> bool:
    """Return True when a sensor is at the start point that was known last, or within so many K."""
    if value is None:
        return False
    point = edge.after.start_at
    if point is None:
        return any(abs(value - usual) <= 2 * JITTER for usual in USUAL_START_POINTS)
    return value <= point + near
