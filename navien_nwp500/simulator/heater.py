"""The simulated heater: its controller, clock and counters around tank and heat pump.

Pure: time moves only by :meth:`Heater.advance`, on a grid of its own, so that one long call and
many short ones give the same. Temperatures in degC unless raw is said, heat and power in W.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from ..exceptions import ConfigurationError, ValueOutOfRangeError
from ..models import DeviceFeatures, DeviceStatus
from ..quantities import (
    DHWMode,
    HalfCelsius,
    HeatSource,
    RecircMode,
    Volume,
)
from .demand import RESTING_MODES, Demand
from .draws import Draw, Draws, Taps
from .energy import Energy
from .firmware import Firmware
from .heat_pump import START, HeatPump
from .report import MAXIMUM, Operation, Settings, build_features, build_status
from .switching import LOAD_SWITCHED, Switching
from .tank import Tank

__all__ = ["Draws", "Energy", "Firmware", "Heater"]

STATUS_REQUEST = 16777219
SNAPSHOT = 0

#: Pushes of one chain follow each other by 1.8 s (protocol 9.3); this is also the short step.
CHAIN_SECONDS = 2.0
CALM_SECONDS = 10.0
ELEMENT_WATTS = 5148.0  # protocol 14.3
#: Heating resumes 9 h before a vacation ends (protocol 6.10).
VACATION_LEAD_SECONDS = 9 * 3600.0
#: 396 fan hours in the recorded unit (protocol 6.4).
FAN_HOURS = 396


def _within(name: str, value: int, allowed: range) -> int:
    if value not in allowed:
        raise ValueOutOfRangeError(f"{name}: {value} is not in {allowed[0]} to {allowed[-1]}")
    return value


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
            recirculation=recirculation,
            mode=mode,
            setpoint=setpoint,
        )
        self.air_celsius = air_celsius
        self.tank = Tank(
            volume=volume, upper=upper_celsius, lower=lower_celsius, inlet=inlet_celsius, seed=seed
        )
        self.heat_pump = HeatPump(
            air=air_celsius,
            water=self.tank.condenser_water,
            bottom=self.tank.bottom,
            seed=seed + 1,
        )
        self.operation = Operation(fan_seconds=FAN_HOURS * 3600.0)
        self.energy_total = Energy(1_266_000.0, 146_000.0, 3124 * 3600.0, 35 * 3600.0)
        self.energy_days: dict[date, Energy] = {}
        self._demand = Demand()
        self._switching = Switching(self._demand, self.operation, self.heat_pump)
        self._taps = Taps(draws, now)
        self._start = now
        self._grid = 0.0
        self._owed = 0.0
        self._vacation_ends = 0.0
        self._pushes: list[DeviceStatus] = []

    @property
    def now(self) -> datetime:
        """The heater's own clock."""
        return self._start + timedelta(seconds=self._grid + self._owed)

    @property
    def features(self) -> DeviceFeatures:
        """What this heater has and allows."""
        return build_features(self.settings)

    def status(self, command: int = STATUS_REQUEST) -> DeviceStatus:
        """The whole status now; every call is a message, on which the next one's fields depend.

        After a setpoint change charge and energies follow one message later (protocol 6.8).
        """
        status = build_status(self.settings, self.operation, self.tank, self.heat_pump, command)
        self.settings.shown_setpoint = self.settings.setpoint
        return status

    def advance(self, seconds: float) -> list[DeviceStatus]:
        """Move time on; return the pushes raised since the last call, in order."""
        self._owed = round(self._owed + seconds, 6)
        while self._owed >= (step := self._step_seconds()):
            self._owed = round(self._owed - step, 6)
            self._move(step)
        pushes, self._pushes = self._pushes, []
        return pushes

    def set_mode(self, mode: DHWMode, days: int | None = None) -> None:
        """Choose what heats; vacation needs ``days``, 1 to 99."""
        self._settle()
        if mode == DHWMode.VACATION:
            if days is None:
                raise ValueOutOfRangeError("vacation needs a number of days")
            self.settings.vacation_days = _within("days", days, range(1, 100))
            self._vacation_ends = self._grid + days * 86400 - VACATION_LEAD_SECONDS
        elif mode not in tuple(DHWMode)[1:]:
            raise ValueOutOfRangeError(f"mode {int(mode)} cannot be chosen")
        if mode != self.settings.mode:
            self._write_mode(mode)

    def set_setpoint(self, raw: HalfCelsius) -> None:
        """Set the target, raw half degrees between the limits of the features."""
        self._settle()
        settings = self.settings
        minimum = settings.firmware.minimum
        _within("setpoint", raw, range(minimum, MAXIMUM + 1))
        before = settings.setpoint
        if raw == before:
            return
        settings.shown_setpoint = before
        settings.setpoint = HalfCelsius(raw)
        settings.setpoint_at = self._grid
        self._demand.setpoint_written(self.settings.readings(self.tank), before * 5)
        self.operation.source = self._demand.source

    def power_on(self) -> None:
        """Return to the mode before the heater was switched off."""
        self._settle()
        if self.settings.mode == DHWMode.POWER_OFF:
            self._write_mode(self.settings.mode_before)

    def power_off(self) -> None:
        """Switch off: no demand, freeze protection stays."""
        self.set_mode(DHWMode.POWER_OFF)

    def set_anti_legionella(self, days: int | None) -> None:
        """Switch it on with a period of 1 to 30 days, or off with None; the period is kept."""
        if days is not None:
            self.settings.anti_legionella_days = _within("days", days, range(1, 31))
        self.settings.anti_legionella = days is not None

    def set_tou(self, on: bool) -> None:
        """Switch time of use on or off; off ends a window at once."""
        self._settle()
        self.settings.tou.enabled = on
        self._window_changed()

    def set_tou_window(self, opened: bool) -> None:
        """Open or close a peak window; it is in force while time of use is on."""
        self._settle()
        self.settings.tou.window = opened
        self._window_changed()

    def set_vacation_days(self, days: int) -> None:
        """Set the day count alone; the mode stays (protocol 8.8)."""
        self.settings.vacation_days = _within("days", days, range(1, 100))

    def set_demand_response(self, on: bool) -> None:
        """Allow demand response; its events come by another port and show nothing here."""
        self.settings.demand_response = on

    def set_program_reservation(self, on: bool) -> None:
        """Switch the reservation program; the heater tells it by a snapshot (protocol 5.4)."""
        if on != self.settings.program_reservation:
            self.settings.program_reservation = on
            self._push(SNAPSHOT)

    def reset_air_filter(self) -> None:
        """Start the count of fan hours again."""
        self.operation.fan_seconds = 0.0

    def set_air_filter_life(self, hours: int) -> None:
        """Set the reminder to 1000 to 10000 fan hours in steps of 500, or off with 0."""
        if hours:
            _within("hours", hours, range(1000, 10001, 500))
        self.settings.air_filter_hours = hours

    def set_recirc_mode(self, mode: RecircMode) -> None:
        """Choose how recirculation runs."""
        self.settings.recirc_mode = RecircMode(_within("mode", mode, range(1, 5)))

    def draw(self, litres: float, minutes: float) -> None:
        """Draw hot water from now on."""
        self._settle()
        self._taps.open(Draw(self._grid, litres, minutes * 60))

    def fault(self, code: int, sub: int = 0) -> None:
        """Put a fault in force; 0 clears it."""
        self.settings.error_code, self.settings.sub_error_code = code, sub

    def _enter_mode(self, mode: DHWMode) -> None:
        settings = self.settings
        before = settings.mode
        if before not in RESTING_MODES:
            settings.mode_before = before
        settings.mode = mode
        settings.mode_at = self._grid
        if mode in RESTING_MODES:
            self._demand.clear()
        else:
            self._demand.mode_written(self.settings.readings(self.tank), before)

    def _write_mode(self, mode: DHWMode) -> None:
        self._enter_mode(mode)
        # Electric mode first removes the old demand, then raises its own by a push (protocol 9.4).
        electric = mode == DHWMode.ELECTRIC
        self.operation.source = HeatSource.NONE if electric else self._demand.source

    def _window_changed(self) -> None:
        heating = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
        # The unit drops to mode 1 when a window opens and judges again (protocol 9.12).
        if self.settings.tou.in_force and self.settings.mode in heating:
            self._enter_mode(DHWMode.HEAT_PUMP)

    def _settle(self) -> None:
        """Bring the state up to the clock, so that a write finds the present."""
        owed, self._owed = self._owed, 0.0
        if owed:
            self._move(owed)

    def _step_seconds(self) -> float:
        operation = self.operation
        quick = self.heat_pump.lively or operation.upper_element or operation.lower_element
        return CHAIN_SECONDS if quick or self._switching.waits else CALM_SECONDS

    def _move(self, seconds: float) -> None:
        operation, heat_pump = self.operation, self.heat_pump
        litres = self._taps.litres(self._grid, seconds)
        operation.drawing = litres > 0
        state = heat_pump.state
        heat_pump.step(
            seconds,
            air=self.air_celsius,
            water=self.tank.condenser_water,
            bottom=self.tank.bottom,
        )
        upper = ELEMENT_WATTS if operation.upper_element else 0.0
        lower = ELEMENT_WATTS if operation.lower_element else 0.0
        self.tank.step(
            seconds,
            air=self.air_celsius,
            condenser=heat_pump.heat,
            upper_element=upper,
            lower_element=lower,
            litres=litres,
        )
        operation.count(seconds, heat_pump.power + upper + lower, fan=heat_pump.fan)
        day = (self._start + timedelta(seconds=self._grid)).date()
        for energy in (self.energy_total, self.energy_days.setdefault(day, Energy())):
            energy.add(seconds, heat_pump.power, upper + lower)
        self._grid += seconds
        self.settings.follow(self._grid)
        if self.settings.mode == DHWMode.VACATION and self._grid >= self._vacation_ends:
            self._enter_mode(self.settings.mode_before)
        self._demand.follow(self.settings.readings(self.tank))
        if heat_pump.state == START and state != START:
            self._push(LOAD_SWITCHED)
        elif self._switching.waits:
            self._push(self._switching.next_link())

    def _push(self, command: int) -> None:
        self._pushes.append(self.status(command))
