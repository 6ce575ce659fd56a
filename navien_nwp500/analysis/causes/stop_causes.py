"""Table of what stops heating (PROTOCOL 8.9, 9.3, 9.12, 11.2, 14.3): the first rule that matches wins.

``before`` is the last status with demand, ``after`` the first one without it.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from ...protocol.error_codes import describe_error
from ...protocol.types import DHWMode
from .cause_types import Edge, Reason, first_reason
from .setting_authors import author_of
from .start_causes import FREEZE, JITTER
from .status_sample import degrees, mode_text

#: In a window a recovery ends 1.9 to 2.0 K below the setpoint (PROTOCOL 9.12).
WINDOW_STOP_SHORT = 2.0
#: Statuses show such a stop at least so far below it.
WINDOW_STOP_NEAREST = 1.3
#: In mode 3 the element stops 0.9 K below the setpoint (PROTOCOL 14.3).
SAVER_ELEMENT_SHORT = 0.9
#: After a stop the lower sensor falls by 0.5 K within 2 min (LOG-B), so the last status before it or
#: the first one after it is so far below the stop point.
FALL = 0.5
#: The anti-legionella cycle ends at 60 degC (PROTOCOL 8.9).
DISINFECTED = 60.0
#: Freeze protection goes on to 10 degC in the simulator; real units were not measured.
FREEZE_OVER = 10.0
#: Air in which the heat pump works (PROTOCOL 11.2), in degC.
AIR = (5.0, 45.0)

_RESTING = (DHWMode.POWER_OFF, DHWMode.STANDBY, DHWMode.VACATION)


class StopRule(NamedTuple):
    """A row of the table."""

    name: str
    judge: Callable[[Edge], "Reason | None"]


def stop_reason(edge: Edge) -> Reason:
    """Return why heating stopped."""
    found = [reason for reason in (rule.judge(edge) for rule in STOP_RULES) if reason]
    unknown = Reason("unknown", f"no rule of the heater explains it{_how_far(edge)}", "unknown")
    return first_reason(found) or unknown


def _off(edge: Edge) -> Reason | None:
    change = edge.change("mode")
    if change is None or change.new not in _RESTING:
        return None
    author = author_of(edge, change)
    vacation = change.new == DHWMode.VACATION
    kind = "vacation" if vacation else "off"
    text = "a vacation began" if vacation else "the heater was switched off"
    kind = "reservation" if author.by == "reservation" else kind
    return Reason(kind, text + author.text, by=author.by)


def _mode(edge: Edge) -> Reason | None:
    """Judge a mode without the source that was heating."""
    change = edge.change("mode")
    assert edge.before is not None
    if change is None or change.new in _RESTING:
        return None
    heat_pump, element = edge.before.heat_pump, edge.before.element
    stops = (change.new == DHWMode.ELECTRIC and heat_pump) or (
        change.new == DHWMode.HEAT_PUMP and element and not heat_pump
    )
    if not stops and (not element or change.new == DHWMode.ELECTRIC):
        return None
    author, window = author_of(edge, change), edge.change("window")
    text = f"the mode was changed to {mode_text(change.new)}"
    if window is not None and window.new and not author.by:
        text = "a time-of-use window began and selected the heat pump"
        return Reason("mode", text, by="window")
    kind = "reservation" if author.by == "reservation" else "mode"
    return Reason(kind, text + author.text, "sure" if stops else "likely", by=author.by)


def _setpoint(edge: Edge) -> Reason | None:
    change = edge.change("setpoint")
    upper = edge.highest("upper")
    if change is None or change.new >= change.old or upper is None:
        return None
    most_short = 2.2 if edge.after.window else 0.0  # PROTOCOL 9.12
    if change.new - upper > most_short + JITTER:
        return None
    author = author_of(edge, change)
    text = f"the setpoint was lowered below the upper tank, to {degrees(change.new)}{author.text}"
    return Reason("reservation" if author.by == "reservation" else "setpoint", text, by=author.by)


def _error(edge: Edge) -> Reason | None:
    assert edge.before is not None
    code = edge.after.error or edge.before.error
    if not code:
        return None
    new = edge.before.error != edge.after.error
    text = describe_error(code, 0) or f"error {code}"
    return Reason("error", f"the heater reports {text}", "likely" if new else "unknown")


def _disinfected(edge: Edge) -> Reason | None:
    assert edge.before is not None
    if not edge.before.disinfecting or edge.after.disinfecting:
        return None
    sensors = [edge.highest("upper"), edge.highest("lower")]
    hot = all(one is not None and one >= DISINFECTED - 2 * FALL for one in sensors)
    text = "the anti-legionella cycle was done" if hot else "the anti-legionella cycle was ended"
    return Reason("disinfected", text, "sure" if hot else "likely", by="heater")


def _window(edge: Edge) -> Reason | None:
    """Judge a window: it ends a recovery below the setpoint, and as it begins one above that."""
    if not edge.after.window or edge.before is None or not edge.before.by_heat_pump:
        return None
    lower, setpoint = edge.highest("lower"), edge.after.setpoint
    if lower is None or setpoint is None or lower < setpoint - WINDOW_STOP_SHORT - FALL:
        return None
    began = edge.change("window")
    if began is not None:
        text = "a time-of-use window began, and the tank was warm enough for it"
        return Reason("window", text, by="window")
    if lower >= setpoint - FALL:
        return None  # the setpoint
    text = f"the time-of-use window ends a recovery {WINDOW_STOP_SHORT:.0f} K below the setpoint"
    certainty = "sure" if lower <= setpoint - WINDOW_STOP_NEAREST else "likely"
    return Reason("window", text, certainty, by="window")


def _reached(edge: Edge) -> Reason | None:
    """Judge the heat pump, which goes on until the lower sensor has the setpoint (PROTOCOL 9.3)."""
    assert edge.before is not None
    lower, setpoint = edge.highest("lower"), edge.before.setpoint
    if not edge.before.by_heat_pump or lower is None or setpoint is None:
        return None
    if lower < setpoint - FALL:
        return None
    return Reason("reached", f"the tank reached its setpoint of {degrees(setpoint)}", by="heater")


def _element_reached(edge: Edge) -> Reason | None:
    assert edge.before is not None
    mode, setpoint = edge.after.mode, edge.before.setpoint
    if not edge.before.element or edge.before.heat_pump or setpoint is None:
        return None
    if mode in _RESTING:
        return None  # freeze protection
    short = SAVER_ELEMENT_SHORT if mode == DHWMode.ENERGY_SAVER else 0.0
    warmest = [one for one in (edge.highest("upper"), edge.highest("lower")) if one is not None]
    if not warmest or max(warmest) < setpoint - short - FALL:
        return None
    return Reason(
        "reached", f"the element reached the setpoint of {degrees(setpoint)}", by="heater"
    )


def _thawed(edge: Edge) -> Reason | None:
    assert edge.before is not None
    upper = edge.highest("upper")
    if not edge.before.element or upper is None:
        return None
    if edge.before.mode not in _RESTING and not FREEZE < upper <= FREEZE_OVER + 5:
        return None
    return Reason("thawed", "freeze protection had warmed the tank", by="heater")


def _air(edge: Edge) -> Reason | None:
    assert edge.before is not None
    air, (low, high) = edge.before.air, AIR
    if not edge.before.by_heat_pump or air is None or low <= air <= high:
        return None
    return Reason("air", f"air of {degrees(air)}, in which the heat pump does not work", "likely")


def _upper_reached(edge: Edge) -> Reason | None:
    """Judge a stop with the upper sensor alone at the setpoint, as in LOG-B (PROTOCOL 9.3)."""
    assert edge.before is not None
    upper, setpoint = edge.highest("upper"), edge.before.setpoint
    if edge.after.window or not edge.before.by_heat_pump or upper is None or setpoint is None:
        return None
    if upper < setpoint - JITTER or _reached(edge) is not None:
        return None
    # In energy saver mode the upper sensor decides (PROTOCOL 14.3).
    saver = edge.after.mode == DHWMode.ENERGY_SAVER and upper > setpoint
    text = f"the upper tank had its setpoint of {degrees(setpoint)}"
    return Reason("reached", text, "sure" if saver else "likely")


#: Columns: the row's name, and the function that judges it.
STOP_RULES: tuple[StopRule, ...] = (
    StopRule("off", _off),
    StopRule("mode", _mode),
    StopRule("setpoint", _setpoint),
    StopRule("error", _error),
    StopRule("disinfected", _disinfected),
    StopRule("window", _window),
    StopRule("reached", _reached),
    StopRule("element", _element_reached),
    StopRule("thawed", _thawed),
    StopRule("air", _air),
    StopRule("upper", _upper_reached),
)


def _how_far(edge: Edge) -> str:
    lower, setpoint = edge.highest("lower"), edge.after.setpoint
    if lower is None or setpoint is None or lower >= setpoint:
        return ""
    return f": the lower tank was {setpoint - lower:.1f} K below the setpoint"
