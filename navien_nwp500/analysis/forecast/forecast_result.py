"""The forecast as data: what it depends on, its times, and why a time is missing. No pandas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from ...models import UsableWater
from ..hot_water import SHOWER_LITRES
from .bands import Band
from .starts import Start

__all__ = ["Bands", "Forecast", "Situation"]


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
        from .forecast_text import sentence

        return sentence(self)

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
