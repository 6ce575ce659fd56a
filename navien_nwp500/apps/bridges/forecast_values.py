"""When the water is hot, as entities of Home Assistant and metrics of Prometheus.

Without a foreseeable time they are unknown, except the sentence that says what is known.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple

from ...analysis.forecast import Forecast
from ...analysis.forecast.bands import Band

Traits = Mapping[str, Any]

_TIME: Traits = {"device_class": "timestamp"}
_MINUTES: Traits = {
    "unit_of_measurement": "min",
    "device_class": "duration",
    "state_class": "measurement",
}


class ForecastValue(NamedTuple):
    """A sensor made of a forecast: its traits and its value."""

    traits: Traits
    value: Callable[[Forecast], Any]


def _time(made: Forecast, band: Band | None) -> str | None:
    """Return the time of a band, to the minute: each second would be another state."""
    if band is None:
        return None
    return made.at(band.minutes).replace(second=0, microsecond=0).isoformat()


def _minutes(band: Band | None, part: str = "minutes") -> int | None:
    return None if band is None else round(getattr(band, part))


#: The sensors of a forecast, by key.
FORECASTS: Mapping[str, ForecastValue] = {
    # Home Assistant takes states of up to 255 characters.
    "forecast": ForecastValue({}, lambda made: made.text[:255]),
    "ready_time": ForecastValue(_TIME, lambda made: _time(made, made.times.ready)),
    "ready_minutes": ForecastValue(_MINUTES, lambda made: _minutes(made.times.ready)),
    "ready_minutes_least": ForecastValue(
        _MINUTES, lambda made: _minutes(made.times.ready, "least")
    ),
    "ready_minutes_most": ForecastValue(_MINUTES, lambda made: _minutes(made.times.ready, "most")),
    "heating_end_time": ForecastValue(_TIME, lambda made: _time(made, made.times.end)),
}


def forecast_state(made: Forecast | None) -> dict[str, Any]:
    """Return the values of the sensors by key; None means unknown."""
    return {key: None if made is None else one.value(made) for key, one in FORECASTS.items()}
