"""The heater's controller: what it makes of writes, of its plans and of what its sensors read.

``seconds`` is the heater's life so far; ``clock`` its own wall clock.
"""

from __future__ import annotations

from datetime import datetime

from ...exceptions import ValueOutOfRangeError
from ...protocol.commands import TEMPERATURE, VACATION, Command
from ...protocol.schedules import Reservation
from ...protocol.types import DHWMode, HalfCelsius, HeatSource
from .demand import HELD_MODES, RESTING_MODES, Demand
from .status_builder import Operation, Settings, build_features
from .tank import Tank

#: Heating resumes 9 h before a vacation ends (PROTOCOL 6.10).
VACATION_LEAD_SECONDS = 9 * 3600.0


def check(settings: Settings, command: Command, **values: int) -> None:
    """Refuse, with ValueOutOfRangeError, what the row of a command does not allow this heater."""
    features = build_features(settings)
    for parameter in command.parameters:
        value = values[parameter.name]
        if not parameter.allows(value, features):
            low, high = parameter.limits(features)
            raise ValueOutOfRangeError(f"{parameter.name}: {value} is not in {low} to {high}")


class Controller:
    """Judges what is wanted; what then runs is led there one change at a time, by others."""

    def __init__(self, settings: Settings, tank: Tank, operation: Operation) -> None:
        self.demand = Demand()
        self.seconds = 0.0
        self._settings = settings
        self._tank = tank
        self._operation = operation
        self._vacation_ends = 0.0

    def write_mode(self, mode: DHWMode, days: int | None) -> None:
        """Take a mode; in a price window modes 2 to 4 wait for its end (PROTOCOL 9.12)."""
        settings = self._settings
        if mode == DHWMode.VACATION:
            if days is None:
                raise ValueOutOfRangeError("vacation needs a number of days")
            check(settings, VACATION, days=days)
            settings.vacation_days = days
            self._vacation_ends = self.seconds + days * 86400 - VACATION_LEAD_SECONDS
        elif mode not in tuple(DHWMode)[1:]:
            raise ValueOutOfRangeError(f"mode {int(mode)} cannot be chosen")
        if settings.tou.in_force and mode in HELD_MODES:
            settings.held_mode = mode
            return
        settings.held_mode = None
        if mode != settings.mode:
            self._write_mode(mode)

    def write_setpoint(self, raw: HalfCelsius) -> None:
        """Take a setpoint within the limits of the features."""
        check(self._settings, TEMPERATURE, temperature=raw)
        if raw != self._settings.setpoint:
            self._enter_setpoint(HalfCelsius(raw))
            self._operation.source = self.demand.source

    def power_on(self) -> None:
        """Return to the mode before; in a price window to mode 1, and that mode waits."""
        settings = self._settings
        if settings.mode != DHWMode.POWER_OFF:
            return
        if settings.tou.in_force and settings.mode_before in HELD_MODES:
            settings.held_mode = settings.mode_before
            self._write_mode(DHWMode.HEAT_PUMP)
        else:
            self._write_mode(settings.mode_before)

    def window_changed(self) -> None:
        """Apply what a window forces, or what waited for its end (PROTOCOL 9.12)."""
        settings = self._settings
        if settings.tou.in_force:
            if settings.mode in HELD_MODES:
                self._enter_mode(DHWMode.HEAT_PUMP)
        elif settings.held_mode is not None:
            held, settings.held_mode = settings.held_mode, None
            if held != settings.mode:
                self._enter_mode(held)

    def begin_minute(self, clock: datetime) -> None:
        """Do what the plans say for this minute; a minute that is over is never made up for."""
        settings = self._settings
        in_force = settings.tou.in_force
        settings.tou.follow(clock)
        if settings.tou.in_force != in_force:
            self.window_changed()
        settings.recirculation.follow(clock)
        if settings.mode != DHWMode.VACATION:
            for reservation in settings.reservations.due(clock):
                self._carry_out(reservation)

    def follow(self) -> None:
        """Judge by time and sensors alone, as the heater does all the time."""
        settings = self._settings
        settings.follow(self.seconds)
        if settings.mode == DHWMode.VACATION and self.seconds >= self._vacation_ends:
            self._enter_mode(settings.mode_before)
            self.window_changed()
        self._disinfect()
        self.demand.follow(settings.readings(self._tank))

    def _carry_out(self, reservation: Reservation) -> None:
        """Setpoint, then mode; in a window the mode always waits (PROTOCOL 8.3, 9.12)."""
        self._enter_setpoint(reservation.temperature)
        if not reservation.mode.known:
            return  # on units that another library wrote (PROTOCOL 8.3)
        mode = DHWMode[reservation.mode.name]
        if self._settings.tou.in_force:
            self._settings.held_mode = mode
        elif mode != self._settings.mode:
            self._enter_mode(mode)

    def _enter_setpoint(self, raw: HalfCelsius) -> None:
        settings = self._settings
        before = settings.setpoint
        if raw != before:
            settings.shown_setpoint = before
            settings.setpoint = raw
            settings.setpoint_at = self.seconds
            self.demand.setpoint_written(settings.readings(self._tank), before * 5)

    def _enter_mode(self, mode: DHWMode) -> None:
        settings = self._settings
        before = settings.mode
        if before not in RESTING_MODES:
            settings.mode_before = before
        settings.mode = mode
        settings.mode_at = self.seconds
        if mode in RESTING_MODES:
            self.demand.clear()
        else:
            self.demand.mode_written(settings.readings(self._tank), before)

    def _write_mode(self, mode: DHWMode) -> None:
        self._enter_mode(mode)
        # Electric mode first removes the old demand, then raises its own by a push (PROTOCOL 9.4).
        electric = mode == DHWMode.ELECTRIC
        self._operation.source = HeatSource.NONE if electric else self.demand.source

    def _disinfect(self) -> None:
        settings, tank = self._settings, self._tank
        resting = settings.mode in RESTING_MODES
        coldest = min(tank.upper, tank.lower)
        settings.disinfection.follow(self.seconds, coldest=coldest, resting=resting)
        if settings.disinfection.busy and self.demand.source == HeatSource.NONE:
            self.demand.disinfect(settings.readings(tank))
