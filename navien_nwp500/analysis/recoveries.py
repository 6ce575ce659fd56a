"""What has a beginning and an end: gaps, recoveries, alerts; and what was changed, when."""

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
    """No readings between two."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Recovery:
    """Heating from off to off.

    ``whole`` is False when a gap or an edge of the recording hides one of the two; length and
    energy are then what was seen. ``first`` and ``last`` are rows of the table, the latter the
    reading at which it was over.
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
    """A setpoint or mode that a person, a program or a plan changed; ``kind`` names which."""

    when: datetime
    kind: str
    before: str
    after: str


@dataclass(frozen=True)
class AlertSpan:
    """An alert from the reading that brought it to the one that ended it, None while it lasts."""

    start: datetime
    end: datetime | None
    kind: str
    text: str


def moment(held: pd.DataFrame, row: int) -> datetime:
    """When a reading came, on the recording's own clock."""
    zone = timezone(timedelta(milliseconds=int(held["offset"].iat[row])))
    return datetime.fromtimestamp(int(held["ms"].iat[row]) / 1000, zone)


def gaps(held: pd.DataFrame) -> list[Gap]:
    """Where readings are missing for longer than one is taken to hold."""
    rows = np.flatnonzero(~held["known"].to_numpy()[:-1]).tolist()
    return [Gap(moment(held, row), moment(held, row + 1)) for row in rows]


def recoveries(held: pd.DataFrame) -> list[Recovery]:
    """Each time the heater heated."""
    running = (held["heat_pump"] | held["element"]).to_numpy()
    known = held["known"].to_numpy()
    hours = held["length"].where(held["known"], 0) / 3.6e6
    heat_pump = (held["heat_pump_watts"] * hours).to_numpy()
    element = (held["element_watts"] * hours).to_numpy()
    charge = held["charge"].to_numpy()
    found = []
    for first, last in _runs(running, known):
        over = last + 1 if known[last] else last
        span = slice(first, last + 1)
        found.append(
            Recovery(
                start=moment(held, first),
                end=moment(held, over),
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


def changes(held: pd.DataFrame) -> list[SettingChange]:
    """Changes of the setpoint and of the mode chosen, seen from one reading to the next."""
    found = [
        SettingChange(moment(held, row), "setpoint", _degrees(before), _degrees(after))
        for row, before, after in _steps(held["setpoint"])
    ] + [
        SettingChange(
            moment(held, row), "mode", DHWMode(int(before)).text, DHWMode(int(after)).text
        )
        for row, before, after in _steps(held["mode"])
    ]
    return sorted(found, key=lambda change: change.when)


def alerts(held: pd.DataFrame) -> list[AlertSpan]:
    """What ``reports.AlertWatch`` would have said of faults, charge and power."""
    found = []
    charge, power = held["charge"], held["power"]
    for first, last in _runs(charge < LOW_CHARGE_PERCENT):
        text = f"charge below {LOW_CHARGE_PERCENT} %, lowest {charge[first : last + 1].min():.0f} %"
        found.append(_alert(held, first, last, "charge", text))
    for first, last in _runs(power > HIGH_POWER_WATTS):
        text = f"power above {HIGH_POWER_WATTS} W, highest {power[first : last + 1].max():.0f} W"
        found.append(_alert(held, first, last, "power", text))
    code, detail = held["error_code"].fillna(0), held["sub_error_code"].fillna(0)
    same = (code == code.shift(-1)) & (detail == detail.shift(-1))
    for first, last in _runs(code != 0, same.to_numpy()):
        text = error_codes.describe_error(int(code[first]), int(detail[first])) or ""
        found.append(_alert(held, first, last, "error", text))
    return sorted(found, key=lambda alert: alert.start)


def _alert(held: pd.DataFrame, first: int, last: int, kind: str, text: str) -> AlertSpan:
    end = moment(held, last + 1) if last + 1 < len(held) else None
    return AlertSpan(moment(held, first), end, kind, text)


def _runs(flags: pd.Series, joined: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """First and last row of each run of true flags; ``joined`` tells which rows go on to the next."""
    on = np.asarray(flags, dtype=bool)
    goes_on = on[:-1] & on[1:] & (True if joined is None else joined[:-1])
    starts = np.flatnonzero(on & ~np.append(False, goes_on))
    ends = np.flatnonzero(on & ~np.append(goes_on, False))
    return zip(starts.tolist(), ends.tolist())


def _steps(values: pd.Series) -> Iterator[tuple[int, float, float]]:
    """Where a value differs from the one said before it."""
    said = values.dropna()
    changed = said[said != said.shift()].iloc[1:]
    for row, before, after in zip(changed.index, said.shift()[changed.index], changed):
        yield int(row), float(before), float(after)


def _degrees(celsius: float) -> str:
    value = HalfCelsius(round(celsius * 2))
    return f"{value.fahrenheit:.1f} °F ({value.celsius:.1f} °C)"
