"""Roll-up of statuses to quarter hours: integrals over the time in which the values are known.

A status is valid until the next one, at most 15 minutes. The rest of a longer pause is unknown: it adds
no energy, and the quarter hours in it have fewer ``seconds_known``, or do not exist. The last status of
all is valid from the next one on, whose time is not known yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from ..protocol.types import Flag

QUARTER_MS = 900_000
#: The longest time for which a status counts.
VALID_MS = 900_000
_WH = 3_600_000
#: Fields whose mean over the known time is stored, and the columns of the means.
_MEANS = {
    "dhw_charge_per": "charge_avg",
    "tank_upper_temperature": "upper_avg",
    "tank_lower_temperature": "lower_avg",
    "ambient_temperature": "ambient_avg",
}
_FLAGS = {
    "comp_use": "compressor_s",
    "heat_upper_use": "upper_s",
    "heat_lower_use": "lower_s",
    "dhw_use": "draw_s",
}
#: The fields of a status that a roll-up needs.
FIELDS = (*_MEANS, *_FLAGS, "current_inst_power", "dhw_temperature_setting")


def quarter_start(ms: int) -> int:
    """Return the start of the quarter hour that contains a time."""
    return ms // QUARTER_MS * QUARTER_MS


def roll_up(statuses: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the quarter hours of statuses in order of time, as rows of the table ``quarter``."""
    found: dict[int, _Quarter] = {}
    following = [time for time, _ in statuses[1:]]
    for (start, values), after in zip(statuses, [*following, statuses[-1][0]] if statuses else []):
        end = min(after, start + VALID_MS)
        found.setdefault(quarter_start(start), _Quarter()).see(values)
        while start < end:
            quarter = quarter_start(start)
            until = min(end, quarter + QUARTER_MS)
            found.setdefault(quarter, _Quarter()).add(values, until - start)
            start = until
    return [{"time": time, **quarter.row()} for time, quarter in sorted(found.items())]


class _Quarter:
    """Sums over one quarter hour."""

    def __init__(self) -> None:
        self._known_ms = 0
        self._watt_ms = 0
        self._sums = {name: [0, 0] for name in _MEANS}
        self._flags = dict.fromkeys(_FLAGS, 0)
        self._watts: list[int] = []
        self._charges: list[int] = []
        self._setpoint: int | None = None

    def see(self, values: Mapping[str, Any]) -> None:
        """Take the extremes of a status that is valid in this quarter hour."""
        if values["current_inst_power"] is not None:
            self._watts.append(values["current_inst_power"])
        if values["dhw_charge_per"] is not None:
            self._charges.append(values["dhw_charge_per"])
        self._setpoint = values["dhw_temperature_setting"]

    def add(self, values: Mapping[str, Any], ms: int) -> None:
        """Add the part of a status's time that lies in this quarter hour."""
        self.see(values)
        self._known_ms += ms
        self._watt_ms += (values["current_inst_power"] or 0) * ms
        for name, sums in self._sums.items():
            if values[name] is not None:
                sums[0] += values[name] * ms
                sums[1] += ms
        for name in _FLAGS:
            if values[name] == Flag.ACTIVE:
                self._flags[name] += ms

    def row(self) -> dict[str, Any]:
        """Return the columns of the table ``quarter``."""
        return {
            "seconds_known": self._known_ms / 1000,
            "wh": self._watt_ms / _WH,
            "watts_max": max(self._watts, default=None),
            "charge_min": min(self._charges, default=None),
            "charge_max": max(self._charges, default=None),
            "setpoint": self._setpoint,
            **{
                column: self._sums[name][0] / self._sums[name][1] if self._sums[name][1] else None
                for name, column in _MEANS.items()
            },
            **{column: self._flags[name] / 1000 for name, column in _FLAGS.items()},
        }


@dataclass
class Day:
    """Sums over a day of the heater's time zone: 23 or 25 hours long when clocks change.

    ``wh``: energy. ``seconds_known``: the time of which it is known.
    """

    day: date
    seconds_known: float = 0.0
    wh: float = 0.0
    compressor_s: float = 0.0
    upper_s: float = 0.0
    lower_s: float = 0.0
    draw_s: float = 0.0


_SUMS = ("seconds_known", "wh", "compressor_s", "upper_s", "lower_s", "draw_s")


def add_days(quarters: Iterable[Mapping[str, Any]], zone: ZoneInfo | None) -> list[Day]:
    """Sum quarter hours over the days of a time zone, UTC if it is unknown.

    The offsets of all zones are whole quarter hours, so that each belongs to one day.
    """
    found: dict[date, Day] = {}
    for quarter in quarters:
        local = datetime.fromtimestamp(quarter["time"] / 1000, zone or timezone.utc).date()
        if local not in found:
            found[local] = Day(local)
        day = found[local]
        for name in _SUMS:
            setattr(day, name, getattr(day, name) + quarter[name])
    return [found[day] for day in sorted(found)]
