"""State of the simulated heater: settings, weekly schedules and what is switched on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import exp
from typing import Generic, Iterable, TypeVar

from ...protocol.calendar import Weekday
from ...protocol.schedules import RecirculationEntry, Reservation
from ...protocol.types import (
    DHWMode,
    Flag,
    HalfCelsius,
    HeatSource,
    OperationMode,
    RecircMode,
    Volume,
)
from .demand import SensorValues
from .firmware import Firmware
from .tank import Tank
from .time_of_use import TimeOfUse

EntryT = TypeVar("EntryT", Reservation, RecirculationEntry)

#: The longest list that a real heater is known to store (PROTOCOL 8.3).
MAX_RESERVATIONS = 32
#: How long the hot button runs the pump, our choice.
HOT_BUTTON_MINUTES = 5
#: 60 degC in tenths (PROTOCOL 8.9).
DISINFECTION_TARGET = 600
STANDBY_WATTS = 1.0
#: The published power follows a switched load within some seconds (PROTOCOL 6.7).
METER_SECONDS = 3.0
#: The energy target follows a mode change within about 10 s (PROTOCOL 6.8).
MODE_DELAY_SECONDS = 10.0
#: The element thresholds follow the setpoint with a delay (PROTOCOL 6.9); its length is our choice.
ELEMENT_DELAY_SECONDS = 30.0
_DAY_SECONDS = 86400.0


class WeeklySchedule(Generic[EntryT]):
    """Entries, each for one minute of some weekdays; ``use`` is 2 on, 1 off, 0 never set."""

    def __init__(self, use: Flag = Flag.UNKNOWN) -> None:
        self.use = use
        self.entries: tuple[EntryT, ...] = ()

    @property
    def enabled(self) -> bool:
        return self.use.active

    def replace(self, enabled: bool, entries: Iterable[EntryT]) -> None:
        """Replace all entries."""
        self.use = Flag.of(enabled)
        self.entries = tuple(entries)

    def due_entries(self, clock: datetime) -> list[EntryT]:
        """Return the enabled entries of this minute; none while the schedule is off."""
        if not self.enabled:
            return []
        day, minute = Weekday.of(clock), (clock.hour, clock.minute)
        return [
            entry
            for entry in self.entries
            if entry.enabled
            and day in entry.days
            and (entry.time.hour, entry.time.minute) == minute
        ]


def _no_recirculation_schedule() -> WeeklySchedule[RecirculationEntry]:
    return WeeklySchedule(Flag.READY)  # the value without a schedule (PROTOCOL 8.7)


@dataclass
class Recirculation:
    """Recirculation pump, where one is fitted: mode, weekly schedule and hot button.

    No recorded unit has a pump. When it runs is concluded from the names of its modes; the heat it
    costs is not simulated (PROTOCOL 8.7, 12.6).
    """

    fitted: bool
    mode: RecircMode = RecircMode.ALWAYS
    schedule: WeeklySchedule[RecirculationEntry] = field(default_factory=_no_recirculation_schedule)
    scheduled: bool = False
    minutes_left: int = 0

    @property
    def running(self) -> bool:
        if not self.fitted:
            return False
        if self.mode == RecircMode.WEEKLY:
            return self.scheduled and self.schedule.enabled
        if self.mode == RecircMode.HOT_BUTTON:
            return self.minutes_left > 0
        return self.mode == RecircMode.ALWAYS

    def press_hot_button(self) -> None:
        """Run the pump once. Ignored in other modes, our choice."""
        if self.mode == RecircMode.HOT_BUTTON:
            self.minutes_left = HOT_BUTTON_MINUTES

    def start_minute(self, clock: datetime) -> None:
        """Count the hot button down and apply the schedule entries of this minute."""
        self.minutes_left = max(0, self.minutes_left - 1)
        for entry in self.schedule.due_entries(clock):
            self.scheduled = entry.pump.active


@dataclass
class Disinfection:
    """Anti-legionella cycle: heats the whole tank to 60 degC once a period (PROTOCOL 8.9).

    No recording contains one, so three rules are our choice: the period starts at switching on and
    at the end of the last cycle, a cycle waits while the heater is off or on vacation, and a
    time-of-use window does not delay it. Times are in seconds since the start of the simulation.
    """

    enabled: bool = False  # as delivered, with 7 days (PROTOCOL 8.9)
    days: int = 7
    running: bool = False
    due: float = 7 * _DAY_SECONDS

    def set_period(self, days: int | None, elapsed: float) -> None:
        """Switch on with a period in days, or off with None; off leaves the period unchanged."""
        self.enabled = days is not None
        self.running = False
        if days is not None:
            self.days = days
            self.due = elapsed + days * _DAY_SECONDS

    def update(self, elapsed: float, *, coldest: int, resting: bool) -> None:
        """Start a cycle that is due; end it when the colder sensor (in tenths) is hot enough."""
        if resting or not self.enabled:
            self.running = False
        elif not self.running:
            self.running = elapsed >= self.due
        elif coldest >= DISINFECTION_TARGET:
            self.running = False
            self.due = elapsed + self.days * _DAY_SECONDS


@dataclass
class Settings:
    """Settings, and the older values that some status fields still show after a change."""

    firmware: Firmware
    volume: Volume
    serial: str
    recirculation: Recirculation
    mode: DHWMode
    setpoint: HalfCelsius
    #: The installer's lowest setpoint: start thresholds and energies count from it (PROTOCOL 6.8).
    min_setpoint: HalfCelsius
    previous_mode: DHWMode = DHWMode.ENERGY_SAVER
    #: Set during a time-of-use window, applied at its end (PROTOCOL 9.12).
    deferred_mode: DHWMode | None = None
    vacation_days: int = 0
    air_filter_hours: int = 1000
    demand_response: bool = False
    error_code: int = 0
    sub_error_code: int = 0
    tou: TimeOfUse = field(default_factory=TimeOfUse)
    disinfection: Disinfection = field(default_factory=Disinfection)
    reservations: WeeklySchedule[Reservation] = field(default_factory=WeeklySchedule)
    #: Status fields that only a control command sets.
    other_fields: dict[str, int] = field(default_factory=dict)
    mode_changed_at: float = 0.0
    setpoint_changed_at: float = 0.0

    def __post_init__(self) -> None:
        self.delayed_setpoint = self.element_setpoint = self.setpoint
        self.delayed_mode = self.mode

    def sensor_values(self, tank: Tank) -> SensorValues:
        """Return the input of the demand rules."""
        disinfecting = self.disinfection.running
        return SensorValues(
            upper=tank.upper,
            lower=tank.lower,
            setpoint=max(self.setpoint * 5, DISINFECTION_TARGET if disinfecting else 0),
            minimum=self.min_setpoint * 5,
            mode=self.mode,
            window=self.tou.window_active and not disinfecting,
        )

    def update_delayed(self, elapsed: float) -> None:
        """Update the fields that follow a change with a delay; ``elapsed`` in seconds."""
        off = self.mode in (DHWMode.POWER_OFF, DHWMode.STANDBY)
        if elapsed - self.mode_changed_at >= MODE_DELAY_SECONDS and not off:
            self.delayed_mode = self.mode
        if elapsed - self.setpoint_changed_at >= ELEMENT_DELAY_SECONDS:
            self.element_setpoint = self.setpoint


@dataclass
class Operation:
    """Loads that are on, as the heater publishes them; ``power`` is the published power in W."""

    source: HeatSource = HeatSource.NONE
    mode: OperationMode = OperationMode.STANDBY
    upper_element: bool = False
    lower_element: bool = False
    drawing: bool = False
    circulating: bool = False
    power: float = STANDBY_WATTS
    fan_seconds: float = 0.0

    def update_meters(self, seconds: float, watts: float, *, fan: bool) -> None:
        """Move the published power towards ``watts``, at least 1 W, and count the fan's time."""
        watts = watts or STANDBY_WATTS
        self.power = watts + (self.power - watts) * exp(-seconds / METER_SECONDS)
        self.fan_seconds += seconds if fan else 0.0
