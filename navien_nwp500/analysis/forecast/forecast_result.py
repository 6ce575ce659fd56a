"""The forecast as data and in words: its times, and why a time is missing. No pandas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from ...models import UsableWater
from ..hot_water import SHOWER_LITRES
from .bands import NARROWEST_MINUTES, NOW, Band
from .starts import Start

__all__ = ["Bands", "Forecast", "Situation", "duration_text", "time_text"]


class Situation(Enum):
    """Inputs of a forecast."""

    HOT = "hot"
    HEATING = "heating"
    STARTING = "starting"
    FORESEEN = "start foreseen"
    RESTING = "resting"
    DRAWING = "drawing"
    OFF = "off"
    UNKNOWN = "unknown"


class Bands(NamedTuple):
    """Times until the water is at the setpoint, heating ends, and there is water enough."""

    ready: Band | None = None
    end: Band | None = None
    enough: Band | None = None

    def later(self, minutes: float) -> Bands:
        """Return all times shifted by minutes."""
        return Bands(*(None if one is None else one.later(minutes) for one in self))

    def to_json(self) -> dict[str, dict[str, float] | None]:
        """Return the minutes for JSON."""
        return {name: one and one.to_json() for name, one in self._asdict().items()}


@dataclass(frozen=True)
class Forecast:
    """Forecast of one status, made at ``when``; times are minutes after it.

    ``times``: what is foreseen; a time is None when it is not, or not asked (``enough``: ``litres``
    of 40 degC). ``if_started``: the same if heating started now, at rest. ``start``: a foreseen
    start. ``not_before``: no earlier, by standby alone at rest, or while water runs. ``reason``: why
    there is no forecast at all. ``water``: hot water that is there now.
    ``quiet_minutes``: of a run until ``end`` by the heater's figures alone, without what may be drawn,
    and ``deviation``: how far off that may be.
    """

    when: datetime
    situation: Situation
    setpoint: float
    litres: float | None = None
    water: UsableWater | None = None
    times: Bands = Bands()
    if_started: Bands = Bands()
    start: Start | None = None
    not_before: datetime | None = None
    reason: str | None = None
    #: Why a time that was asked for is not among ``times``.
    notes: tuple[str, ...] = ()
    quiet_minutes: float = 0.0
    deviation: float = 0.0
    #: Recoveries of this heater that the figures are fitted to.
    runs: int = 0

    def at(self, minutes: float) -> datetime:
        """Return the time after so many minutes."""
        return self.when + timedelta(minutes=minutes)

    @property
    def showers(self) -> tuple[int, int] | None:
        """Least and most showers of 60 L that the tank gives now."""
        if self.water is None:
            return None
        return int(self.water.least / SHOWER_LITRES), int(self.water.most / SHOWER_LITRES)

    @property
    def text(self) -> str:
        """The forecast in one sentence or two, with times in the zone of ``when``."""
        if self.reason is not None:
            return f"No forecast: {self.reason}."
        parts = [_ready(self)]
        if self.litres is not None and self.situation is not Situation.DRAWING:
            parts.append(_enough(self))
        parts += [f"{note[0].upper()}{note[1:]}." for note in self.notes]
        return " ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """Return the forecast for JSON: its text, and durations in minutes."""

        def iso(when: datetime | None) -> str | None:
            return None if when is None else when.isoformat(timespec="seconds")

        showers = self.showers
        return {
            "text": self.text,
            "made": iso(self.when),
            "situation": self.situation.value,
            "setpoint_c": self.setpoint,
            "litres": self.litres,
            **self.times.to_json(),
            "start": iso(self.start and self.start.when),
            "start_reason": self.start and self.start.why,
            "not_before": iso(self.not_before),
            "if_started_now": self.if_started.to_json(),
            "reason": self.reason,
            "notes": list(self.notes),
            "water_now": None if self.water is None else self.water.to_json(),
            "showers_now": None if showers is None else {"least": showers[0], "most": showers[1]},
            "fitted_to_recoveries": self.runs,
        }


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
