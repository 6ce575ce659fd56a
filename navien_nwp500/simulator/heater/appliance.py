"""The simulated heater: its controller and clock around the machine.

Pure: time moves only by :meth:`Heater.advance`, on a grid of its own, so that one long call and
many short ones give the same. Temperatures in degC unless raw is said.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Mapping, Sequence

from ...exceptions import ConfigurationError, ValueOutOfRangeError
from ...protocol.commands import (
    AIR_FILTER_LIFE,
    ANTI_LEGIONELLA_ON,
    RECIRC_MODE,
    STATUS,
    TEMPERATURE,
    VACATION_DAYS,
)
from ...protocol.features import DeviceFeatures
from ...protocol.messages import LOAD_SWITCHED, SNAPSHOT
from ...protocol.schedules import (
    MAX_RECIRCULATION_ENTRIES,
    RecirculationProgram,
    ReservationProgram,
)
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag, HalfCelsius, RecircMode, Volume
from .controller import Controller, check
from .energy_meter import EnergyUse
from .firmware import Firmware
from .heat_pump import START
from .load_events import LoadEvents
from .plant import Plant
from .recirculation import Recirculation
from .status_builder import Settings, build_features, build_status
from .water_draws import Draws
from .weekly_schedule import RESERVATIONS

__all__ = ["Draws", "EnergyUse", "Firmware", "Heater"]

#: Pushes of one chain follow each other by 1.8 s (PROTOCOL 9.3); this is also the short step.
CHAIN_SECONDS = 2.0
CALM_SECONDS = 10.0


class Heater:
    """One NWP500. Writes take effect in the next ``status``; what follows comes from ``advance``.

    The default tank stands at the start threshold, so the heat pump starts within a minute.
    ``draws`` None means nobody draws; a value out of range raises ValueOutOfRangeError.
    """

    def __init__(
        self,
        *,
        now: datetime,
        firmware: Firmware = Firmware.B,
        volume: Volume = Volume.GALLONS_65,
        mode: DHWMode = DHWMode.ENERGY_SAVER,
        setpoint: HalfCelsius = HalfCelsius(121),
        upper_celsius: float = 55.0,
        lower_celsius: float = 40.4,
        air_celsius: float = 20.0,
        inlet_celsius: float = 18.0,
        draws: Draws | None = Draws(),
        serial: str = "12345678AB12345678",
        recirculation: bool = False,
        seed: int = 0,
    ) -> None:
        if now.tzinfo is None:
            raise ConfigurationError("the heater's clock needs a time zone")
        self.settings = Settings(
            firmware=firmware,
            volume=volume,
            serial=serial,
            recirculation=Recirculation(recirculation),
            mode=mode,
            setpoint=setpoint,
        )
        self.machine = Plant(
            now=now,
            volume=volume,
            upper=upper_celsius,
            lower=lower_celsius,
            air=air_celsius,
            inlet=inlet_celsius,
            draws=draws,
            seed=seed,
        )
        self.tank, self.operation = self.machine.tank, self.machine.operation
        self._controller = Controller(self.settings, self.tank, self.operation)
        self._switching = LoadEvents(
            self._controller.demand, self.operation, self.machine.heat_pump
        )
        self._start = now
        self._owed = 0.0
        self._pushes: list[DeviceStatus] = []

    @property
    def now(self) -> datetime:
        """The heater's own clock."""
        return self._clock + timedelta(seconds=self._owed)

    @property
    def features(self) -> DeviceFeatures:
        """What this heater has and allows."""
        return build_features(self.settings)

    def status(self, command: int = STATUS.code) -> DeviceStatus:
        """The whole status now; every call is a message, on which the next one's fields depend.

        After a setpoint change charge and energies follow one message later (PROTOCOL 6.8).
        """
        status = build_status(
            self.settings, self.operation, self.tank, self.machine.heat_pump, command
        )
        self.settings.shown_setpoint = self.settings.setpoint
        return status

    @property
    def energy_total(self) -> EnergyUse:
        """What was taken since the unit was built."""
        return self.machine.counts.total

    @property
    def energy_days(self) -> dict[date, EnergyUse]:
        """What was taken on each day of the simulation."""
        return self.machine.counts.days

    def advance(self, seconds: float) -> list[DeviceStatus]:
        """Move time on; return the pushes raised since the last call, in order."""
        self._owed = round(self._owed + seconds, 6)
        while self._owed >= (step := self._step_seconds()):
            self._owed = round(self._owed - step, 6)
            self._move(step)
        pushes, self._pushes = self._pushes, []
        return pushes

    def set_mode(self, mode: DHWMode, days: int | None = None) -> None:
        """Choose what heats; vacation needs ``days``. In a price window modes 2 to 4 wait."""
        self._settle()
        self._controller.write_mode(mode, days)

    def set_setpoint(self, raw: HalfCelsius) -> None:
        """Set the target, raw half degrees between the limits of the features."""
        self._settle()
        self._controller.write_setpoint(raw)

    def power_on(self) -> None:
        """Return to the mode before the heater was switched off."""
        self._settle()
        self._controller.power_on()

    def power_off(self) -> None:
        """Switch off: no demand, freeze protection stays."""
        self.set_mode(DHWMode.POWER_OFF)

    def set_anti_legionella(self, days: int | None) -> None:
        """Switch it on with a period, or off with None; the period is kept."""
        if days is not None:
            check(self.settings, ANTI_LEGIONELLA_ON, days=days)
        self._settle()
        self.settings.disinfection.switch(days, self._controller.seconds)

    def set_tou(self, on: bool) -> None:
        """Switch time of use on or off; off ends a window at once, the plan is kept."""
        self._settle()
        self.settings.tou.enabled = on
        self._controller.window_changed()

    def write_tou(self, on: bool, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the plan; raises ProtocolError or ValueOutOfRangeError and keeps the old one."""
        self._settle()
        self.settings.tou.write(on, entries)
        self.settings.tou.follow(self._clock)
        self._controller.window_changed()

    def set_tou_window(self, opened: bool) -> None:
        """Open or close a peak window; it is in force while time of use is on."""
        self._settle()
        self.settings.tou.window = opened
        self._controller.window_changed()

    def set_vacation_days(self, days: int) -> None:
        """Set the day count alone; the mode stays (PROTOCOL 8.8)."""
        check(self.settings, VACATION_DAYS, days=days)
        self.settings.vacation_days = days

    def set_demand_response(self, on: bool) -> None:
        """Allow demand response; its events come by another port and show nothing here."""
        self.settings.demand_response = on

    def set_program_reservation(self, on: bool) -> None:
        """Switch the reservation program; the heater tells it by a snapshot (PROTOCOL 5.4)."""
        reservations = self.settings.reservations
        before, reservations.use = reservations.on, Flag.of(on)
        if on != before:
            self._push(SNAPSHOT)

    def write_reservations(self, program: ReservationProgram) -> None:
        """Replace the list; raises ValueOutOfRangeError and keeps the old one.

        What the heater holds already may come back as it is (PROTOCOL 8.3).
        """
        self._settle()
        kept, found = self.settings.reservations.entries, program.reservations
        low, high = map(HalfCelsius, TEMPERATURE.parameters[0].limits(self.features))
        if len(found) > RESERVATIONS:
            raise ValueOutOfRangeError(f"{len(found)} reservations, {RESERVATIONS} are kept")
        for reservation in found:
            if reservation not in kept:
                reservation.check(lowest=low, highest=high)
        self.settings.reservations.entries = found
        self.set_program_reservation(program.enabled)

    def write_recirculation(self, program: RecirculationProgram) -> None:
        """Replace the schedule; raises ValueOutOfRangeError and keeps the old one."""
        self._settle()
        if len(program.entries) > MAX_RECIRCULATION_ENTRIES:
            raise ValueOutOfRangeError(f"more than {MAX_RECIRCULATION_ENTRIES} entries")
        for entry in program.entries:
            entry.check()
        self.settings.recirculation.schedule.replace(program.enabled, program.entries)

    def keep(self, fields: Mapping[str, int]) -> None:
        """Show these fields of the status from now on, as far as nothing here moves them."""
        self.settings.kept.update(fields)

    def reset_air_filter(self) -> None:
        """Start the count of fan hours again."""
        self.operation.fan_seconds = 0.0

    def set_air_filter_life(self, hours: int) -> None:
        """Set the reminder to so many fan hours, or off with 0."""
        check(self.settings, AIR_FILTER_LIFE, hours=hours)
        self.settings.air_filter_hours = hours

    def set_recirc_mode(self, mode: RecircMode) -> None:
        """Choose how recirculation runs."""
        check(self.settings, RECIRC_MODE, mode=mode)
        self.settings.recirculation.mode = RecircMode(mode)

    def draw(self, litres: float, minutes: float) -> None:
        """Draw hot water from now on."""
        self._settle()
        self.machine.draw(self._controller.seconds, litres, minutes)

    def fault(self, code: int, sub: int = 0) -> None:
        """Put a fault in force; 0 clears it."""
        self.settings.error_code, self.settings.sub_error_code = code, sub

    @property
    def _clock(self) -> datetime:
        """The heater's own clock where it has moved to."""
        return self._start + timedelta(seconds=self._controller.seconds)

    def _settle(self) -> None:
        """Bring the state up to the clock, so that a write finds the present."""
        owed, self._owed = self._owed, 0.0
        if owed:
            self._move(owed)

    def _step_seconds(self) -> float:
        operation = self.operation
        quick = self.machine.heat_pump.lively or operation.upper_element or operation.lower_element
        return CHAIN_SECONDS if quick or self._switching.waits else CALM_SECONDS

    def _move(self, seconds: float) -> None:
        controller, heat_pump = self._controller, self.machine.heat_pump
        state, minute = heat_pump.state, self._clock.minute
        self.operation.circulating = self.settings.recirculation.runs
        self.machine.run(controller.seconds, seconds)
        controller.seconds += seconds
        if self._clock.minute != minute:
            controller.begin_minute(self._clock)
        controller.follow()
        if heat_pump.state == START and state != START:
            self._push(LOAD_SWITCHED)
        elif self._switching.waits:
            self._push(self._switching.next_link())

    def _push(self, command: int) -> None:
        self._pushes.append(self.status(command))
