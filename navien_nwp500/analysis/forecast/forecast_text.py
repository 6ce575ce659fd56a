"""The forecast in words."""

from __future__ import annotations

from datetime import datetime

from .bands import NARROWEST_MINUTES, NOW, Band
from .forecast_result import Forecast, Situation

__all__ = ["clock_text", "duration_text", "sentence", "time_text"]


def duration_text(minutes: float) -> str:
    """Write a duration as "50 min" or "2 h 50 min"; from an hour on in steps of 5 minutes."""
    if minutes < 0.5:
        return "less than a minute"
    whole = round(minutes) if minutes < 60 else 5 * round(minutes / 5)
    hours, rest = divmod(whole, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def clock_text(when: datetime, now: datetime) -> str:
    """Write a time as "15:10", on another day as "Fri 15:10", on a later week with its date."""
    days = (when.date() - now.date()).days
    if not days:
        return f"{when:%H:%M}"
    return f"{when:%a %H:%M}" if days < 7 else f"{when:%Y-%m-%d %H:%M}"


def sentence(made: Forecast) -> str:
    """Write a forecast for people."""
    if made.reason is not None:
        return f"No forecast: {made.reason}."
    parts = [_ready(made)]
    if made.litres is not None and made.situation is not Situation.DRAWING:
        parts.append(_enough(made))
    parts += [f"{note[0].upper()}{note[1:]}." for note in made.notes]
    return " ".join(part for part in parts if part)


def time_text(made: Forecast, band: Band) -> str:
    """Write a band as "in 50 min, at 15:10 (14:55 to 15:30)"."""
    time, least, most = (
        clock_text(made.at(minutes), made.when) for minutes in (band.minutes, band.least, band.most)
    )
    return f"in {duration_text(band.minutes)}, at {time} ({least} to {most})"


def _ready(made: Forecast) -> str:
    situation, times = made.situation, made.times
    if situation is Situation.HOT:
        return "The water is at the setpoint."
    if situation is Situation.DRAWING and made.not_before is not None:
        goal = "" if made.litres is None else f"{made.litres:.0f} L at 40 °C "
        return f"While water runs: {goal}not before {clock_text(made.not_before, made.when)}."
    if situation in (Situation.RESTING, Situation.OFF):
        return _at_rest(made)
    begins = ""
    if made.start is not None and made.start.when > made.when:
        begins = f"Heating starts at {clock_text(made.start.when, made.when)} ({made.start.why}). "
    if times.ready == NOW:
        end = "" if times.end in (None, NOW) else f" Heating ends {time_text(made, times.end)}."
        return f"{begins}The water is at the setpoint.{end}"
    if times.ready is not None:
        return f"{begins}At the setpoint {time_text(made, times.ready)}."
    if times.end is not None:
        return f"{begins}Heating ends {time_text(made, times.end)}."
    return f"{begins}The setpoint is not reached."


def _at_rest(made: Forecast) -> str:
    text = "The heater is off" if made.situation is Situation.OFF else "No start is foreseeable"
    if made.not_before is not None:
        text += f": not before {clock_text(made.not_before, made.when)} by standby alone"
    goal = made.if_started.ready or made.if_started.end
    if goal is not None:
        few = goal.minutes < NARROWEST_MINUTES
        text += (
            f"; heating now would take {'a few minutes' if few else duration_text(goal.minutes)}"
        )
    return f"{text}."


def _enough(made: Forecast) -> str:
    litres = f"{made.litres:.0f} L at 40 °C"
    if made.times.enough == NOW:
        return f"There are {litres} now."
    if made.times.enough is not None:
        return f"{litres} {time_text(made, made.times.enough)}."
    if made.if_started.enough is not None:
        return f"{litres}: heating now would take {duration_text(made.if_started.enough.minutes)}."
    return f"This setpoint does not give {litres}."
