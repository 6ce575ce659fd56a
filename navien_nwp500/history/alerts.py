"""Alerts of a heater, and a summary of its statuses over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..protocol.status import Activity, DeviceStatus

__all__ = ["Alert", "AlertWatch", "Summary"]

#: Limits of the alerts.
LOW_CHARGE_PERCENT = 20
HIGH_POWER_WATTS = 4000
#: Usual power of the heat pump (432 to 479 W measured): its share when an element runs too.
HEAT_PUMP_WATTS = 450

#: A status is valid until the next one, for at most this number of usual intervals, within these
#: limits. A longer silence is a gap.
USUAL_INTERVALS = 3
SHORTEST_LIMIT = timedelta(minutes=15)
LONGEST_LIMIT = timedelta(hours=2)

_HEAT_PUMP_RUNS = {Activity.HEAT_PUMP, Activity.HYBRID}
_ELEMENT_RUNS = {Activity.ELECTRIC, Activity.HYBRID}


def longest_validity(interval: timedelta) -> timedelta:
    """Return how long a status is valid when statuses are polled at this interval."""
    return min(max(USUAL_INTERVALS * interval, SHORTEST_LIMIT), LONGEST_LIMIT)


#: Kind of the event of a client's request, in the history.
REQUEST = "request"


@dataclass(frozen=True)
class Alert:
    """Message for a person. ``kind`` is one of error, charge, power, offline, mode.

    The history records requests of clients in the same way, with the kind ``REQUEST``.
    """

    kind: str
    text: str
    #: False when the condition has ended.
    active: bool = True


class AlertWatch:
    """Detector of alerts in statuses: one alert when a condition begins, one when it ends."""

    def __init__(self) -> None:
        self._active: dict[str, str] = {}
        self._last: DeviceStatus | None = None

    @property
    def active(self) -> list[str]:
        """Return the texts of the present alerts."""
        return list(self._active.values())

    def check(self, status: DeviceStatus) -> list[Alert]:
        """Return the alerts that a status causes."""
        charge, power = status.dhw_charge_per, status.current_inst_power
        found = [
            *self._change("offline", None, "the heater answers again"),
            *self._change("error", status.error_text, "the error has ended"),
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

    def no_response(self) -> list[Alert]:
        """Return the alerts for a heater that has stopped responding."""
        return self._change("offline", "the heater does not answer", "")

    def _change(self, kind: str, text: str | None, over: str) -> list[Alert]:
        before = self._active.pop(kind, None)
        if text is not None:
            self._active[kind] = text
            # A changed number is the same alert; a changed error code is a new one.
            same = before is not None and (kind != "error" or before == text)
            return [] if same else [Alert(kind, text)]
        return [] if before is None else [Alert(kind, over, active=False)]


@dataclass
class Summary:
    """Sums over the statuses of a period.

    Energy is the power of a status times the time to the next one. An interval longer than
    ``max_interval`` counts as a gap and adds no energy, because the power in it is unknown.
    """

    max_interval: timedelta
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
    _previous: DeviceStatus | None = None

    @property
    def total_wh(self) -> float:
        """Return the energy of heat pump, elements and everything else."""
        return self.heat_pump_wh + self.element_wh + self.other_wh

    def add(self, status: DeviceStatus, when: datetime) -> None:
        """Add the next status, received at ``when``."""
        if self._previous is not None and self.last is not None:
            self._add_interval(self._previous, when - self.last)
            if status.comp_use.active and not self._previous.comp_use.active:
                self.starts += 1
        self.first = self.first or when
        self.last = when
        self._previous = status
        self.statuses += 1
        charge = int(status.dhw_charge_per)
        self.lowest_charge = (
            charge if self.lowest_charge is None else min(self.lowest_charge, charge)
        )
        self.highest_power = max(self.highest_power, int(status.current_inst_power))

    def _add_interval(self, status: DeviceStatus, span: timedelta) -> None:
        if span < timedelta(0):
            return
        if span > self.max_interval:
            self.gap_time += span
            return
        energy = status.current_inst_power * span.total_seconds() / 3600
        activity = status.activity
        if activity in _ELEMENT_RUNS:
            # In hybrid operation the power is that of both.
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
