"""The heater's controller: commands, schedules and sensors change the demand, which switches loads.

``elapsed`` is seconds since the start of the simulation, ``clock`` the heater's own wall clock.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import NamedTuple

from ...exceptions import ValueOutOfRangeError
from ...protocol.commands import TEMPERATURE, VACATION, Command
from ...protocol.messages import DEMAND_CHANGED, LOAD_SWITCHED, OPERATION_MODE_CHANGED
from ...protocol.schedules import Reservation
from ...protocol.types import DHWMode, HalfCelsius, HeatSource, OperationMode
from .demand import DEFERRED_MODES, RESTING_MODES, Demand
from .heat_pump import HeatPump
from .heater_state import Operation, Settings
from .status_builder import build_features
from .tank import Tank

#: Heating resumes 9 h before a vacation ends (PROTOCOL 6.10).
VACATION_LEAD_SECONDS = 9 * 3600.0
#: Changes of the demand that are kept.
DEMAND_LOG = 100


class DemandChange(NamedTuple):
    """A start or an end of the demand for heat.

    ``elapsed``: seconds since the start of the simulation. ``author``: who had the demand judged:
    request, reservation, window begun, window over, vacation, disinfection or sensors. ``branch``:
    setpoint, mode, power, vacation, disinfection, or the rule of the sensors, as ``Demand.branch``
    names it.
    """

    elapsed: float
    started: bool
    author: str
    branch: str


def check_limits(settings: Settings, command: Command, **values: int) -> None:
    """Check the parameters of a command against this heater's limits.

    Raises ValueOutOfRangeError.
    """
    features = build_features(settings)
    for parameter in command.parameters:
        value = values[parameter.name]
        if not parameter.allows(value, features):
            low, high = parameter.limits(features)
            raise ValueOutOfRangeError(f"{parameter.name}: {value} is not in {low} to {high}")


class Controller:
    """Demand of the heater, changed by commands, schedules, time and sensors."""

    def __init__(self, settings: Settings, tank: Tank, operation: Operation) -> None:
        self.demand = Demand()
        self.elapsed = 0.0
        self._settings = settings
        self._tank = tank
        self._operation = operation
        self._vacation_end = 0.0
        #: The newest starts and ends of the demand, for tests of what others conclude from statuses.
        self.demand_log: deque[DemandChange] = deque(maxlen=DEMAND_LOG)
        self._author = "request"
        self._window_over = False

    def set_mode(self, mode: DHWMode, days: int | None) -> None:
        """Change the mode; in a time-of-use window modes 2 to 4 are deferred (PROTOCOL 9.12)."""
        settings = self._settings
        if mode == DHWMode.VACATION:
            if days is None:
                raise ValueOutOfRangeError("vacation needs a number of days")
            check_limits(settings, VACATION, days=days)
            settings.vacation_days = days
            self._vacation_end = self.elapsed + days * 86400 - VACATION_LEAD_SECONDS
        elif mode not in tuple(DHWMode)[1:]:
            raise ValueOutOfRangeError(f"mode {int(mode)} cannot be selected")
        if settings.tou.window_active and mode in DEFERRED_MODES:
            settings.deferred_mode = mode
            return
        settings.deferred_mode = None
        if mode != settings.mode:
            self._change_mode_by_command(mode)

    def set_setpoint(self, raw: HalfCelsius) -> None:
        """Change the setpoint; raises ValueOutOfRangeError outside the limits of the features."""
        check_limits(self._settings, TEMPERATURE, temperature=raw)
        if raw != self._settings.setpoint:
            self._change_setpoint(HalfCelsius(raw))
            self._operation.source = self.demand.source

    def power_on(self) -> None:
        """Return to the previous mode; in a window to mode 1, and defer the previous one."""
        settings = self._settings
        if settings.mode != DHWMode.POWER_OFF:
            return
        if settings.tou.window_active and settings.previous_mode in DEFERRED_MODES:
            settings.deferred_mode = settings.previous_mode
            self._change_mode_by_command(DHWMode.HEAT_PUMP)
        else:
            self._change_mode_by_command(settings.previous_mode)

    def apply_window(self, *, starts_heating: bool = True) -> None:
        """Force mode 1 in an active window, or apply the deferred mode after it (PROTOCOL 9.12).

        ``starts_heating`` is False after the write of a list (PROTOCOL 8.3).
        """
        settings = self._settings
        self._window_over = not settings.tou.window_active
        author = self._author
        self._author = "window over" if self._window_over else "window begun"
        if settings.tou.window_active:
            if settings.mode in DEFERRED_MODES:
                self._change_mode(DHWMode.HEAT_PUMP, starts_heating)
        elif settings.deferred_mode is not None:
            deferred, settings.deferred_mode = settings.deferred_mode, None
            if deferred != settings.mode:
                self._change_mode(deferred, starts_heating)
        self._author = author

    def start_minute(self, clock: datetime) -> None:
        """Apply the schedules of this minute; a missed minute is not caught up."""
        settings = self._settings
        active = settings.tou.window_active
        settings.tou.update(clock)
        if settings.tou.window_active != active:
            self.apply_window()
        settings.recirculation.start_minute(clock)
        if settings.mode != DHWMode.VACATION:
            for reservation in settings.reservations.due_entries(clock):
                self._apply_reservation(reservation)

    def update(self) -> None:
        """Update the demand from time and sensors, as the heater does all the time."""
        settings = self._settings
        settings.update_delayed(self.elapsed)
        if settings.mode == DHWMode.VACATION and self.elapsed >= self._vacation_end:
            self._author = "vacation"
            self._change_mode(settings.previous_mode)
            self.apply_window()
        disinfecting = settings.disinfection.running
        self._update_disinfection()
        disinfected = disinfecting and not settings.disinfection.running
        self._author = "disinfection" if disinfected else "sensors"
        before, now = self.demand.source, settings.sensor_values(self._tank)
        self.demand.update(now)
        self._note(before, self.demand.branch(now, window_over=self._window_over))
        self._author, self._window_over = "request", False

    def _note(self, before: HeatSource, branch: str) -> None:
        """Log a start or an end of the demand."""
        started = self.demand.source != HeatSource.NONE
        if started != (before != HeatSource.NONE):
            change = DemandChange(self.elapsed, started, self._author, branch)
            self.demand_log.append(change)

    def _apply_reservation(self, reservation: Reservation) -> None:
        """Change setpoint, then mode; a window defers every mode (PROTOCOL 8.3, 9.12)."""
        self._author = "reservation"
        self._change_setpoint(reservation.temperature)
        if not reservation.mode.known:
            self._author = "request"
            return  # on units that another library wrote (PROTOCOL 8.3)
        mode = DHWMode[reservation.mode.name]
        if self._settings.tou.window_active:
            self._settings.deferred_mode = mode
        elif mode != self._settings.mode:
            self._change_mode(mode)
        self._author = "request"

    def _change_setpoint(self, raw: HalfCelsius) -> None:
        settings = self._settings
        before = settings.setpoint
        if raw != before:
            settings.delayed_setpoint = before
            settings.setpoint = raw
            settings.setpoint_changed_at = self.elapsed
            source = self.demand.source
            self.demand.change_setpoint(settings.sensor_values(self._tank), before * 5)
            self._note(source, "setpoint")

    def _change_mode(self, mode: DHWMode, starts_heating: bool = True) -> None:
        settings = self._settings
        before = settings.mode
        if before not in RESTING_MODES:
            settings.previous_mode = before
        settings.mode = mode
        settings.mode_changed_at = self.elapsed
        source = self.demand.source
        if mode in RESTING_MODES:
            self.demand.clear()
        elif not starts_heating:
            self.demand.keep_to_mode(mode)
        else:
            self.demand.change_mode(settings.sensor_values(self._tank), before)
        self._note(source, _mode_branch(before, mode))

    def _change_mode_by_command(self, mode: DHWMode) -> None:
        self._change_mode(mode)
        # Electric mode first removes the old demand, then raises its own by a push (PROTOCOL 9.4).
        electric = mode == DHWMode.ELECTRIC
        self._operation.source = HeatSource.NONE if electric else self.demand.source

    def _update_disinfection(self) -> None:
        settings, tank = self._settings, self._tank
        if not (settings.disinfection.enabled or settings.disinfection.running):
            return
        resting = settings.mode in RESTING_MODES
        coldest = min(tank.upper, tank.lower)
        settings.disinfection.update(self.elapsed, coldest=coldest, resting=resting)
        if settings.disinfection.running and self.demand.source == HeatSource.NONE:
            self._author = "disinfection"
            self.demand.disinfect(settings.sensor_values(tank))
            self._note(HeatSource.NONE, "disinfection")


def _mode_branch(before: DHWMode, after: DHWMode) -> str:
    """Return what a change of the mode is: of power, of vacation, or of the mode alone."""
    if DHWMode.VACATION in (before, after):
        return "vacation"
    return "power" if DHWMode.POWER_OFF in (before, after) else "mode"


class LoadSwitcher:
    """Switching of loads after a change of demand, one change and one push at a time."""

    def __init__(self, demand: Demand, operation: Operation, heat_pump: HeatPump) -> None:
        self._demand = demand
        self._operation = operation
        self._heat_pump = heat_pump

    @property
    def pending(self) -> bool:
        """True while the operation differs from the demand."""
        operation, demand = self._operation, self._demand
        if operation.source != demand.source or operation.mode != 32 * demand.source:
            return True
        loads = (operation.upper_element, operation.lower_element)
        return loads != (demand.upper_element, demand.lower_element)

    def switch_next(self) -> int:
        """Make the next change in the order of PROTOCOL 9.2 to 9.5; return its event code."""
        operation, demand = self._operation, self._demand
        if operation.source != demand.source:
            operation.source = demand.source
            return DEMAND_CHANGED
        target = 32 * demand.source
        if operation.mode != target:
            mode = operation.mode & target
            if operation.mode == mode:
                mode |= 32 if target & ~mode & 32 else 64
            operation.mode = OperationMode(mode)
            self._heat_pump.request_heat(bool(mode & 32))
            return OPERATION_MODE_CHANGED
        operation.upper_element = demand.upper_element
        operation.lower_element = demand.lower_element
        return LOAD_SWITCHED
