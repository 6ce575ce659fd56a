"""Events in a recording: gaps, recoveries, alerts, changed settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Iterator

import numpy as np
import pandas as pd

from ..history.alerts import HIGH_POWER_WATTS, LOW_CHARGE_PERCENT
from ..protocol import error_codes
from ..protocol.types import DHWMode, HalfCelsius


@dataclass(frozen=True)
class Gap:
    """A gap between two statuses."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Recovery:
    """One heating run, from off to off.

    ``whole`` is False when a gap or an edge of the recording hides its start or end; length and
    energy are then of the visible part. ``first`` and ``last`` are rows of the table, ``last`` the
    status at which it was over.
    """

    start: datetime
    end: datetime
    heat_pump_wh: float
    element_wh: float
    charge_before: int
    charge_after: int
    whole: bool
    first: int
    last: int

    @property
    def hours(self) -> float:
        return (self.end - self.start).total_seconds() / 3600


@dataclass(frozen=True)
class SettingChange:
    """A changed setpoint or mode; ``kind`` names which."""

    when: datetime
    kind: str
    before: str
    after: str


@dataclass(frozen=True)
class AlertSpan:
    """An alert, from the status that raised it to the one that ended it; ``end`` None while it lasts."""

    start: datetime
    end: datetime | None
    kind: str
    text: str


def status_time(statuses: pd.DataFrame, row: int) -> datetime:
    """Return the time of a status, in the recording's zone."""
    zone = timezone(timedelta(milliseconds=int(statuses["offset"].iat[row])))
    return datetime.fromtimestamp(int(statuses["ms"].iat[row]) / 1000, zone)


def gaps(statuses: pd.DataFrame) -> list[Gap]:
    """Return the gaps between the statuses."""
    rows = np.flatnonzero(~statuses["known"].to_numpy()[:-1]).tolist()
    return [Gap(status_time(statuses, row), status_time(statuses, row + 1)) for row in rows]


def recoveries(statuses: pd.DataFrame) -> list[Recovery]:
    """Return the heating runs."""
    running = (statuses["heat_pump"] | statuses["element"]).to_numpy()
    known = statuses["known"].to_numpy()
    hours = statuses["length"].where(statuses["known"], 0) / 3.6e6
    heat_pump = (statuses["heat_pump_watts"] * hours).to_numpy()
    element = (statuses["element_watts"] * hours).to_numpy()
    charge = statuses["charge"].to_numpy()
    found = []
    for first, last in _runs(running, known):
        over = last + 1 if known[last] else last
        span = slice(first, last + 1)
        found.append(
            Recovery(
                start=status_time(statuses, first),
                end=status_time(statuses, over),
                heat_pump_wh=float(heat_pump[span].sum()),
                element_wh=float(element[span].sum()),
                charge_before=int(charge[first]),
                charge_after=int(charge[over]),
                whole=bool(first > 0 and known[first - 1] and known[last]),
                first=first,
                last=over,
            )
        )
    return found


def changes(statuses: pd.DataFrame) -> list[SettingChange]:
    """Return the changes of setpoint and selected mode between two statuses."""
    found = [
        SettingChange(status_time(statuses, row), "setpoint", _degrees(before), _degrees(after))
        for row, before, after in _steps(statuses["setpoint"])
    ] + [
        SettingChange(
            status_time(statuses, row), "mode", DHWMode(int(before)).text, DHWMode(int(after)).text
        )
        for row, before, after in _steps(statuses["mode"])
    ]
    return sorted(found, key=lambda change: change.when)


def alerts(statuses: pd.DataFrame) -> list[AlertSpan]:
    """Return the alerts that ``AlertWatch`` raises for errors, charge and power."""
    found = []
    charge, power = statuses["charge"], statuses["power"]
    for first, last in _runs(charge < LOW_CHARGE_PERCENT):
        text = f"charge below {LOW_CHARGE_PERCENT} %, lowest {charge[first : last + 1].min():.0f} %"
        found.append(_alert(statuses, first, last, "charge", text))
    for first, last in _runs(power > HIGH_POWER_WATTS):
        text = f"power above {HIGH_POWER_WATTS} W, highest {power[first : last + 1].max():.0f} W"
        found.append(_alert(statuses, first, last, "power", text))
    code, detail = statuses["error_code"].fillna(0), statuses["sub_error_code"].fillna(0)
    same = (code == code.shift(-1)) & (detail == detail.shift(-1))
    for first, last in _runs(code != 0, same.to_numpy()):
        text = error_codes.describe_error(int(code[first]), int(detail[first])) or ""
        found.append(_alert(statuses, first, last, "error", text))
    return sorted(found, key=lambda alert: alert.start)


def _alert(statuses: pd.DataFrame, first: int, last: int, kind: str, text: str) -> AlertSpan:
    end = status_time(statuses, last + 1) if last + 1 < len(statuses) else None
    return AlertSpan(status_time(statuses, first), end, kind, text)


def _runs(flags: pd.Series, joined: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """Return first and last row of each run of true flags.

    ``joined`` is True where a row continues in the next one.
    """
    on = np.asarray(flags, dtype=bool)
    goes_on = on[:-1] & on[1:] & (True if joined is None else joined[:-1])
    starts = np.flatnonzero(on & ~np.append(False, goes_on))
    ends = np.flatnonzero(on & ~np.append(goes_on, False))
    return zip(starts.tolist(), ends.tolist())


def _steps(values: pd.Series) -> Iterator[tuple[int, float, float]]:
    """Return the rows where a value differs from the one before."""
    known_values = values.dropna()
    changed = known_values[known_values != known_values.shift()].iloc[1:]
    for row, before, after in zip(changed.index, known_values.shift()[changed.index], changed):
        yield int(row), float(before), float(after)


def _degrees(celsius: float) -> str:
    value = HalfCelsius(round(celsius * 2))
    return f"{value.fahrenheit:.1f} °F ({value.celsius:.1f} °C)"
