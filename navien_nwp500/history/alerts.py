"""Sums over time: what happened between the first status and the last, and what needs a look."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..protocol.status import Activity, DeviceStatus

__all__ = ["Alert", "AlertWatch", "Summary"]

#: Limits of the alerts, as asked for (requirements L4).
LOW_CHARGE_PERCENT = 20
HIGH_POWER_WATTS = 4000
#: The heat pump's usual draw (432 to 479 W measured): its share when an element runs beside it.
HEAT_PUMP_WATTS = 450

_HEAT_PUMP_RUNS = {Activity.HEAT_PUMP, Activity.HYBRID}
_ELEMENT_RUNS = {Activity.ELECTRIC, Activity.HYBRID}


@dataclass(frozen=True)
class Alert:
    """Something a person should know. ``kind`` is one of error, charge, power, offline, mode."""

    kind: str
    text: str
    #: False when it is over again.
    active: bool = True


class AlertWatch:
    """Turns statuses into alerts, each said once when it begins and once when it is over."""

    def __init__(self) -> None:
        self._active: dict[str, str] = {}
        self._last: DeviceStatus | None = None

    @property
    def active(self) -> list[str]:
        """What is wrong at present, in words."""
        return list(self._active.values())

    def check(self, status: DeviceStatus) -> list[Alert]:
        """What this status brings."""
        charge, power = status.dhw_charge_per, status.current_inst_power
        found = [
            *self._change("offline", None, "the heater answers again"),
            *self._change("error", status.error_text, "the fault is gone"),
            *self._change(
                "charge",
                f"charge is {charge} %" if charge < LOW_CHARGE_PERCENT else None,
                f"charge is {charge} % again",
            ),
            *self._change(
                "power",
                f"power is {power} W" if power > HIGH_POWER_WATTS else None,
                f"power is {power} W again",
            ),
        ]
        if self._last is not None and self._last.operation_mode != status.operation_mode:
            change = f"{self._last.operation_mode.text} -> {status.operation_mode.text}"
            found.append(Alert("mode", f"operation mode {change}"))
        self._last = status
        return found

    def silence(self) -> list[Alert]:
        """What a heater that has stopped answering brings."""
        return self._change("offline", "the heater does not answer", "")

    def _change(self, kind: str, text: str | None, over: str) -> list[Alert]:
        before = self._active.pop(kind, None)
        if text is not None:
            self._active[kind] = text
            # The number may move while it lasts; the kind of fault may not.
            same = before is not None and (kind != "error" or before == text)
            return [] if same else [Alert(kind, text)]
        return [] if before is None else [Alert(kind, over, active=False)]


@dataclass
class Summary:
    """What the statuses between two moments add up to.

    Energy is power held from one status to the next; a silence longer than ``longest_hold`` counts
    as a gap and adds nothing, because nobody knows what happened in it.
    """

    longest_hold: timedelta
    statuses: int = 0
    first: datetime | None = None
    last: datetime | None = None
    heat_pump_wh: float = 0.0
    element_wh: float = 0.0
    other_wh: float = 0.0
    heat_pump_time: timedelta = field(default_factory=timedelta)
    element_time: timedelta = field(default_factory=timedelta)
    gap_time: timedelta = field(default_factory=timedelta)
    starts: int = 0
    lowest_charge: int | None = None
    highest_power: int = 0
    alerts: int = 0
    _before: DeviceStatus | None = None

    @property
    def total_wh(self) -> float:
        return self.heat_pump_wh + self.element_wh + self.other_wh

    def add(self, status: DeviceStatus, when: datetime) -> None:
        """Take the next status, received at ``when``."""
        if self._before is not None and self.last is not None:
            self._hold(self._before, when - self.last)
            if status.comp_use.active and not self._before.comp_use.active:
                self.starts += 1
        self.first = self.first or when
        self.last = when
        self._before = status
        self.statuses += 1
        charge = int(status.dhw_charge_per)
        self.lowest_charge = (
            charge if self.lowest_charge is None else min(self.lowest_charge, charge)
        )
        self.highest_power = max(self.highest_power, int(status.current_inst_power))

    def _hold(self, status: DeviceStatus, span: timedelta) -> None:
        if span < timedelta(0):
            return
        if span > self.longest_hold:
            self.gap_time += span
            return
        energy = status.current_inst_power * span.total_seconds() / 3600
        activity = status.activity
        if activity in _ELEMENT_RUNS:
            # In hybrid the meter sees both.
            share = (
                HEAT_PUMP_WATTS / status.current_inst_power if activity is Activity.HYBRID else 0.0
            )
            self.heat_pump_wh += energy * min(share, 1)
            self.element_wh += energy * (1 - min(share, 1))
        elif activity is Activity.HEAT_PUMP:
            self.heat_pump_wh += energy
        else:
            self.other_wh += energy
        if activity in _HEAT_PUMP_RUNS:
            self.heat_pump_time += span
        if activity in _ELEMENT_RUNS:
            self.element_time += span
