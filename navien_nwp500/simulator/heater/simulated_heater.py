"""The simulated heater: controller, plant and clock.

No I/O. Only :meth:`Heater.advance` moves time, in steps of its own, so that one long call and many
short calls give the same result. Temperatures are in degC unless a parameter is named ``raw``.
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
    Reservation,
    ReservationProgram,
)
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag, HalfCelsius, RecircMode, Volume
from .controller import Controller, DemandChange, LoadSwitcher, check_limits
from .energy_meter import EnergyUse
from .firmware import Firmware
from .heat_pump import START
from .heater_state import MAX_RESERVATIONS, Recirculation, Settings
from .plant import Plant
from .status_builder import build_features, build_status, sent_fields, status_numbers
from .water_draws import Draws

#: Pushes after one change follow each other by 1.8 s (PROTOCOL 9.3), so this is the short step.
SHORT_STEP = 2.0
LONG_STEP = 10.0
#: Steps of a coarse simulation while water is heated or drawn, and at rest. Divisors of a minute: the
#: schedules are applied at its start.
COARSE_STEP, COARSE_REST_STEP = 30.0, 60.0
#: What an installer may set as the lowest setpoint: 35.0 to 45.0 degC (PROTOCOL 6.8).
MIN_SETPOINTS = HalfCelsius(70), HalfCelsius(90)


class Heater:
    """One NWP500. The next ``status`` shows a setting; its consequences come with ``advance``.

    ``min_setpoint`` is the installer's lowest setpoint. The default tank is at the start threshold,
    so the heat pump starts within a minute. With ``draws`` None nobody draws water. A value out of
    range raises ValueOutOfRangeError and changes nothing.
    """

    def __init__(
        self,
        *,
        now: datetime,
        firmware: Firmware = Firmware.B,
        volume: Volume = Volume.GALLONS_65,
        mode: DHWMode = DHWMode.ENERGY_SAVER,
        setpoint: HalfCelsius = HalfCelsius(121),
        min_setpoint: HalfCelsius = HalfCelsius(81),
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
            raise ConfigurationError("the simulated heater's clock needs a time zone")
        low, high = MIN_SETPOINTS
        if not low <= min_setpoint <= high:
            raise ConfigurationError(
                f"min_setpoint is {int(min_setpoint)}; it must be {int(low)} to {int(high)} half "
                "degrees Celsius"
            )
        self.settings = Settings(
            firmware=firmware,
            volume=volume,
            serial=serial,
            recirculation=Recirculation(recirculation),
            mode=mode,
            setpoint=setpoint,
            min_setpoint=min_setpoint,
        )
        self.plant = Plant(
            now=now,
            volume=volume,
            upper=upper_celsius,
            lower=lower_celsius,
            air=air_celsius,
            inlet=inlet_celsius,
            draws=draws,
            seed=seed,
        )
        self.tank, self.operation = self.plant.tank, self.plant.operation
        self._controller = Controller(self.settings, self.tank, self.operation)
        self._load_switcher = LoadSwitcher(
            self._controller.demand, self.operation, self.plant.heat_pump
        )
        self._start = now
        self._pending_seconds = 0.0
        self._pushes: list[DeviceStatus] = []
        self._accepted: set[Reservation] = set()

    @property
    def now(self) -> datetime:
        """Time of the heater's own clock."""
        return self._clock + timedelta(seconds=self._pending_seconds)

    @property
    def seconds_until_step(self) -> float:
        """Seconds until ``advance`` simulates a step; before that it only counts the time."""
        return self._step_seconds(coarse=False) - self._pending_seconds

    @property
    def features(self) -> DeviceFeatures:
        """Features of this heater."""
        return build_features(self.settings)

    def status(self, command: int = STATUS.code) -> DeviceStatus:
        """Return the complete status. Each call counts as a message.

        After a change of the setpoint, charge and energies change one message later (PROTOCOL 6.8).
        """
        status = build_status(
            self.settings, self.operation, self.tank, self.plant.heat_pump, command
        )
        self.settings.delayed_setpoint = self.settings.setpoint
        return status

    def status_numbers(self) -> dict[str, int]:
        """Return the fields of the next status as plain numbers, which takes a third of the time."""
        numbers = status_numbers(
            self.settings, self.operation, self.tank, self.plant.heat_pump, STATUS.code
        )
        self.settings.delayed_setpoint = self.settings.setpoint
        return {name: numbers[name] for name in sent_fields(self.settings.firmware)}

    @property
    def demand_log(self) -> list[tuple[datetime, DemandChange]]:
        """Newest starts and ends of the demand, with their times and the rules that made them."""
        log = self._controller.demand_log
        return [(self._start + timedelta(seconds=one.elapsed), one) for one in log]

    @property
    def energy_total(self) -> EnergyUse:
        """Energy since the unit was built."""
        return self.plant.energy_meter.total

    @property
    def energy_days(self) -> dict[date, EnergyUse]:
        """Energy of each day of the simulation."""
        return self.plant.energy_meter.days

    def advance(self, seconds: float, *, coarse: bool = False) -> list[DeviceStatus]:
        """Move time forward; return the pushes since the last call, in order.

        ``coarse``: with fewer steps, for long times: a status is then up to a minute old.
        """
        self._pending_seconds = round(self._pending_seconds + seconds, 6)
        while self._pending_seconds >= (step := self._step_seconds(coarse)):
            self._pending_seconds = round(self._pending_seconds - step, 6)
            self._step(step)
        pushes, self._pushes = self._pushes, []
        return pushes

    def set_mode(self, mode: DHWMode, days: int | None = None) -> None:
        """Set the mode; vacation needs ``days``. A time-of-use window defers modes 2 to 4."""
        self._catch_up()
        self._controller.set_mode(mode, days)

    def set_setpoint(self, raw: HalfCelsius) -> None:
        """Set the setpoint in half degrees, within the limits of the features."""
        self._catch_up()
        self._controller.set_setpoint(raw)

    def power_on(self) -> None:
        """Return to the mode before the heater was switched off."""
        self._catch_up()
        self._controller.power_on()

    def power_off(self) -> None:
        """Switch off; freeze protection stays on."""
        self.set_mode(DHWMode.POWER_OFF)

    def set_anti_legionella(self, days: int | None) -> None:
        """Switch anti-legionella on with a period, or off with None, which keeps the period."""
        if days is not None:
            check_limits(self.settings, ANTI_LEGIONELLA_ON, days=days)
        self._catch_up()
        self.settings.disinfection.set_period(days, self._controller.elapsed)

    def set_tou_enabled(self, on: bool) -> None:
        """Switch time of use on or off; off ends a window at once and keeps the plan."""
        self._catch_up()
        self.settings.tou.enabled = on
        self._controller.apply_window()

    def write_tou_plan(self, on: bool, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the time-of-use plan; as any list write it starts no heating (PROTOCOL 8.3).

        Raises ProtocolError or ValueOutOfRangeError; the old plan then stays.
        """
        self._catch_up()
        self.settings.tou.replace_plan(on, entries)
        self.settings.tou.update(self._clock)
        self._controller.apply_window(starts_heating=False)

    def set_tou_window(self, opened: bool) -> None:
        """Open or close a peak window; it is active while time of use is on."""
        self._catch_up()
        self.settings.tou.window_open = opened
        self._controller.apply_window()

    def set_vacation_days(self, days: int) -> None:
        """Set the number of days; the mode does not change (PROTOCOL 8.8)."""
        check_limits(self.settings, VACATION_DAYS, days=days)
        self.settings.vacation_days = days

    def set_demand_response(self, on: bool) -> None:
        """Allow demand response. Its events come by another port and have no effect here."""
        self.settings.demand_response = on

    def set_reservations_enabled(self, on: bool) -> None:
        """Switch the reservations on or off; a change pushes a snapshot (PROTOCOL 5.4)."""
        reservations = self.settings.reservations
        before, reservations.use = reservations.enabled, Flag.of(on)
        if on != before:
            self._push(SNAPSHOT)

    def write_reservations(self, program: ReservationProgram) -> None:
        """Replace the reservations; an entry that was ever stored is not checked (PROTOCOL 8.3).

        Raises ValueOutOfRangeError; the old list then stays.
        """
        self._catch_up()
        entries = program.reservations
        self._accepted.update(self.settings.reservations.entries)
        low, high = map(HalfCelsius, TEMPERATURE.parameters[0].limits(self.features))
        if len(entries) > MAX_RESERVATIONS:
            raise ValueOutOfRangeError(
                f"{len(entries)} reservations; the heater stores {MAX_RESERVATIONS}"
            )
        for reservation in entries:
            if reservation not in self._accepted:
                reservation.check(lowest=low, highest=high)
        self.settings.reservations.entries = entries
        self.set_reservations_enabled(program.enabled)

    def write_recirculation(self, program: RecirculationProgram) -> None:
        """Replace the recirculation schedule.

        Raises ValueOutOfRangeError; the old schedule then stays.
        """
        self._catch_up()
        if len(program.entries) > MAX_RECIRCULATION_ENTRIES:
            raise ValueOutOfRangeError(f"more than {MAX_RECIRCULATION_ENTRIES} entries")
        for entry in program.entries:
            entry.check()
        self.settings.recirculation.schedule.replace(program.enabled, program.entries)

    def set_status_fields(self, fields: Mapping[str, int]) -> None:
        """Publish these status fields from now on; fields that are simulated are not affected."""
        self.settings.other_fields.update(fields)

    def reset_air_filter(self) -> None:
        """Reset the fan hours."""
        self.operation.fan_seconds = 0.0

    def set_air_filter_life(self, hours: int) -> None:
        """Set the reminder to this number of fan hours, or switch it off with 0."""
        check_limits(self.settings, AIR_FILTER_LIFE, hours=hours)
        self.settings.air_filter_hours = hours

    def set_recirc_mode(self, mode: RecircMode) -> None:
        """Set the recirculation mode."""
        check_limits(self.settings, RECIRC_MODE, mode=mode)
        self.settings.recirculation.mode = RecircMode(mode)

    def draw(self, litres: float, minutes: float) -> None:
        """Draw hot water from now on."""
        self._catch_up()
        self.plant.draw(self._controller.elapsed, litres, minutes)

    def set_error_code(self, code: int, sub_code: int = 0) -> None:
        """Publish an error code; 0 clears it."""
        self.settings.error_code, self.settings.sub_error_code = code, sub_code

    @property
    def _clock(self) -> datetime:
        """Time up to which the simulation has run."""
        return self._start + timedelta(seconds=self._controller.elapsed)

    def _catch_up(self) -> None:
        """Simulate the pending time, so that a change starts from the present state."""
        seconds, self._pending_seconds = self._pending_seconds, 0.0
        if seconds:
            self._step(seconds)

    def _step_seconds(self, coarse: bool) -> float:
        operation, heat_pump = self.operation, self.plant.heat_pump
        elements = operation.upper_element or operation.lower_element
        if heat_pump.needs_short_steps or elements or self._load_switcher.pending:
            return SHORT_STEP
        if not coarse:
            return LONG_STEP
        return COARSE_STEP if heat_pump.compressor or operation.drawing else COARSE_REST_STEP

    def _step(self, seconds: float) -> None:
        controller, heat_pump = self._controller, self.plant.heat_pump
        state, minute = heat_pump.state, self._clock.minute
        self.operation.circulating = self.settings.recirculation.running
        self.plant.step(controller.elapsed, seconds)
        controller.elapsed += seconds
        if self._clock.minute != minute:
            controller.start_minute(self._clock)
        controller.update()
        if heat_pump.state == START and state != START:
            self._push(LOAD_SWITCHED)
        elif self._load_switcher.pending:
            self._push(self._load_switcher.switch_next())

    def _push(self, command: int) -> None:
        self._pushes.append(self.status(command))
