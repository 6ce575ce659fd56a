"""When the water is hot: a forecast from one status, with its 80 % band. No pandas, no I/O.

It gives no time where nothing tells when heating starts, but what is known: how long standby alone
takes to start it, and how long heating now would take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Sequence

from ...exceptions import ValueOutOfRangeError
from ...protocol.schedules import ReservationProgram
from ...protocol.status import Activity, DeviceStatus
from ...protocol.tou import TOUPeriod
from ...protocol.types import DHWMode, HeatPumpState, Volume
from ..heater_model import HeaterModel
from ..hot_water import COLD_CELSIUS, usable_water_of, volume_of
from ..two_zone import LONGEST_SECONDS, TankState
from .bands import NOW, Band, Calibration, deviation, unlearned_errors
from .forecast_result import Bands, Forecast, Situation
from .heating_times import SAVER_STOP_SHORT, UPPER_ELEMENT_SECONDS, Heating, heating_times
from .learned import Learned
from .ordinary_draws import added_minutes
from .starts import HEAT_PUMP_MODES, Rest, Start, next_start, standby_minutes, window_end

__all__ = ["Bands", "Forecast", "Situation", "forecast"]

#: Air in degC that is assumed where its sensor sends nothing, and what the figures hold for.
_AIR_CELSIUS, _AIR_RANGE = 20.0, (-5.0, 45.0)
#: Lowest setpoint where the heater does not send it (PROTOCOL 6.8).
_MINIMUM_CELSIUS = 40.5
#: Temperatures that a tank can have; anything else is a broken sensor.
_TANK_RANGE = (1.0, 99.0)


def forecast(
    status: DeviceStatus,
    when: datetime,
    *,
    learned: Learned = Learned(),
    litres: float | None = None,
    cold: float = COLD_CELSIUS,
    volume: Volume | None = None,
    reservations: ReservationProgram | None = None,
    periods: Sequence[TOUPeriod] = (),
) -> Forecast:
    """Return when the water is hot, from a status received at ``when``, in the heater's zone.

    ``litres`` of 40 degC are a further goal, with ``cold`` water in degC. ``learned`` are the figures
    of this heater. ``reservations`` and ``periods``, the time-of-use plan while it is on, foresee a
    start. Raises ValueOutOfRangeError for litres that are not above 0, and as ``usable_water``.

    Source: PROTOCOL 9.12 and 14.
    """
    if litres is not None and not 0 < litres < 10_000:
        raise ValueOutOfRangeError(f"{litres:g} litres are not above 0 and below 10000")
    setpoint = status.dhw_temperature_setting.celsius
    empty = Forecast(when, Situation.UNKNOWN, setpoint, litres, runs=learned.runs)
    reason = _missing(status)
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    if reason is not None or upper is None or lower is None:
        return replace(empty, reason=reason)
    size = volume or volume_of(status)
    water = usable_water_of(status, volume=size, cold=cold)
    model, tank = learned.model.for_volume(size), TankState(upper.celsius, lower.celsius)
    case = _Case(status, when, tank, learned.calibration, model, litres, size, cold)
    return case.complete(replace(empty, water=water), reservations, periods)


def _missing(status: DeviceStatus) -> str | None:
    """Return why nothing can be said of a status."""
    for name, value in (
        ("upper", status.tank_upper_temperature),
        ("lower", status.tank_lower_temperature),
    ):
        if value is None:
            return f"the heater sends no temperature of the {name} tank sensor"
        if not _TANK_RANGE[0] <= value.celsius <= _TANK_RANGE[1]:
            return f"the {name} tank sensor says {value.celsius:.1f} °C, which no tank has"
    if status.activity is Activity.UNKNOWN:
        return "the heater sends no valid power, so it is not known whether it heats"
    resting = status.activity in (Activity.STANDBY, Activity.STARTING)
    if status.error_code.active and resting:
        return "the heater reports an error and does not heat"
    return None


class _Timed(NamedTuple):
    """Times of one run: ``quiet_minutes`` and ``deviation`` are those of ``Forecast``."""

    bands: Bands
    quiet_minutes: float = 0.0
    deviation: float = 0.0


@dataclass(frozen=True)
class _Case:
    """A status with what is needed to forecast it."""

    status: DeviceStatus
    when: datetime
    sensors: TankState
    calibration: Calibration
    model: HeaterModel
    litres: float | None
    volume: Volume
    cold: float

    def complete(
        self,
        empty: Forecast,
        reservations: ReservationProgram | None,
        periods: Sequence[TOUPeriod],
    ) -> Forecast:
        """Return the forecast of this case."""
        if self.heats or self.status.activity is Activity.STARTING:
            made = self._of_run(empty, periods)
        else:
            made = self._of_rest(empty, reservations, periods)
        times = made.times
        if self.sensors.upper >= self.setpoint:
            times = times._replace(ready=NOW)
        if self.litres is not None and made.water is not None:
            if made.water.estimate >= self.litres:
                times = times._replace(enough=NOW)
        return self._while_drawing(replace(made, times=times))

    @property
    def heats(self) -> bool:
        return self.status.activity in (Activity.HEAT_PUMP, Activity.ELECTRIC, Activity.HYBRID)

    @property
    def setpoint(self) -> float:
        return self.status.dhw_temperature_setting.celsius

    @property
    def mode(self) -> DHWMode:
        return self.status.dhw_operation_setting or DHWMode.HEAT_PUMP

    @property
    def air(self) -> float:
        """Air around the heater: its sensor is warmed at rest, and cooled in a run."""
        sensor = self.status.ambient_temperature
        if sensor is None:
            return _AIR_CELSIUS
        runs = self.status.comp_use.active
        room = sensor.celsius + (self.model.intake_drop if runs else -self.model.cabinet_kelvin)
        return min(max(room, _AIR_RANGE[0]), _AIR_RANGE[1])

    @property
    def rest(self) -> Rest:
        status = self.status
        minimum = status.heat_min_op_temperature or status.hp_lower_on_temp_setting
        if status.in_tou_window:
            minimum = status.heat_min_op_temperature
        return Rest(
            self.sensors,
            self.air,
            self.setpoint,
            _MINIMUM_CELSIUS if minimum is None else minimum.celsius,
            self.mode,
            status.in_tou_window,
        )

    def _of_run(self, empty: Forecast, periods: Sequence[TOUPeriod]) -> Forecast:
        """Return the forecast of a heater that heats, or is about to."""
        status, running = self.status, self.status.comp_use.active and self.heats
        tank, waiting = self._running_tank(running), 0.0
        if not self.heats:
            tank = self.sensors.starting(self.model)
            locked = status.current_statenum == HeatPumpState.LOCK_OUT
            seconds = self._start_seconds(self.mode in HEAT_PUMP_MODES)
            seconds = self.model.lock_out_seconds / 2 if locked else seconds
            waiting = seconds / 60
        element = status.heat_upper_use.active
        condenser = self.mode in HEAT_PUMP_MODES or running
        heating = self._heating(self.setpoint, self.mode, condenser, element)
        made = self._times(tank, heating, not self.heats)
        notes: tuple[str, ...] = ()
        if status.in_tou_window and condenser:
            short = replace(heating, stop=heating.stop - self._window_short)
            in_window = self._times(tank, short, not self.heats)
            closes, end = window_end(periods, self.when), in_window.bands.end
            if closes is None or end is None or self._before(end, closes):
                made = in_window
                if made.bands.ready is None:  # an element may reach it
                    notes = ("in a time-of-use window it stops 2 K below the setpoint",)
        times = made.bands
        if status.anti_legionella_operation_busy is not None:
            if status.anti_legionella_operation_busy.active:
                times = times._replace(end=None)
                notes += ("a disinfection is running, whose end is not known",)
        return replace(
            empty,
            situation=Situation.HEATING if self.heats else Situation.STARTING,
            times=times.later(waiting),
            notes=notes,
            quiet_minutes=made.quiet_minutes,
            deviation=made.deviation,
        )

    def _running_tank(self, running: bool) -> TankState:
        """Return the water of a heater that heats, with its hidden heat if the heat pump runs."""
        if not running:
            return self.sensors
        tank = self.sensors._replace(lower=self.sensors.lower - self.model.stop_overshoot)
        return tank.running(self.model)

    @property
    def _window_short(self) -> float:
        return self.model.window_stop_short + self.model.stop_overshoot

    def _before(self, end: Band, closes: datetime) -> bool:
        return self.when + timedelta(minutes=end.minutes) < closes

    def _of_rest(
        self,
        empty: Forecast,
        reservations: ReservationProgram | None,
        periods: Sequence[TOUPeriod],
    ) -> Forecast:
        """Return the forecast of a heater at rest."""
        rest = self.rest
        start = next_start(self.model, rest, self.when, reservations=reservations, periods=periods)
        if start is not None:
            times = self._started(start.rest, start.when)
            waiting = (start.when - self.when).total_seconds() / 60
            made = replace(empty, start=start, times=times.later(waiting))
            made = replace(made, situation=Situation.FORESEEN)
        else:
            made = replace(empty, situation=Situation.RESTING)
        if rest.mode in (DHWMode.POWER_OFF, DHWMode.STANDBY, DHWMode.VACATION):
            made = replace(made, situation=Situation.OFF if start is None else made.situation)
        elif rest.mode in HEAT_PUMP_MODES and start is None:
            minutes = standby_minutes(self.model, rest, fastest=True)
            if minutes is not None:
                made = replace(made, not_before=made.at(minutes))
        made = replace(made, notes=self._unknown_starts(rest, start, reservations))
        if self.sensors.upper >= self.setpoint:
            made = replace(made, situation=Situation.HOT, times=made.times._replace(end=NOW))
        elif made.situation is not Situation.FORESEEN:
            started = rest if rest.mode not in _OFF_MODES else replace(rest, mode=_USUAL_MODE)
            made = replace(made, if_started=self._started(started))
        return made

    def _unknown_starts(
        self, rest: Rest, start: Start | None, reservations: ReservationProgram | None
    ) -> tuple[str, ...]:
        """Return what may start heating at a time that is not known here."""
        if start is not None or self.sensors.upper >= self.setpoint:
            return ()
        if rest.in_window and rest.mode in HEAT_PUMP_MODES and rest.tank.lower <= rest.minimum:
            return ("it waits for the end of a time-of-use window, which is not known here",)
        use = self.status.program_reservation_use
        if reservations is None and use is not None and use.active:
            return ("a reservation may start it, which is not considered here",)
        return ()

    def _started(self, rest: Rest, begin: datetime | None = None) -> Bands:
        """Return the times if heating started now, or at ``begin``."""
        condenser = rest.mode in HEAT_PUMP_MODES
        heating = self._heating(rest.setpoint, rest.mode, condenser, not condenser)
        if rest.in_window:
            heating = replace(heating, stop=heating.stop - self._window_short)
        times = self._times(rest.tank.starting(self.model), heating, True, begin).bands
        return times.later(self._start_seconds(condenser) / 60)

    def _start_seconds(self, condenser: bool) -> float:
        """Return the time from demand until the first sensor rises."""
        return self.model.start_seconds if condenser else UPPER_ELEMENT_SECONDS

    def _heating(self, setpoint: float, mode: DHWMode, condenser: bool, element: bool) -> Heating:
        short = SAVER_STOP_SHORT if mode == DHWMode.ENERGY_SAVER else 0.0
        element_stop = setpoint - short if element else None
        return Heating(setpoint, self.air, setpoint, condenser, element_stop)

    def _times(
        self, tank: TankState, heating: Heating, starting: bool, begin: datetime | None = None
    ) -> _Timed:
        """Return the times of heating that begins now, or at ``begin``."""
        times = heating_times(
            *(self.model, tank, heating),
            litres=self.litres,
            volume=self.volume,
            cold=self.cold,
        )
        # An element is as fast as expected, with or without draws.
        fast = 0.0 if heating.condenser else LONGEST_SECONDS
        if heating.element_stop == heating.setpoint:
            fast = max(fast, times.ready or 0.0)
        calibration, known = self.calibration, self.status.ambient_temperature is not None
        gap_wh = tank.gap_wh(self.model)

        def expected(minutes: float) -> float:
            return deviation(minutes, starting_gap_wh=gap_wh if starting else None, air_known=known)

        def band(minutes: float) -> Band:
            usual = expected(minutes)
            if minutes <= fast:
                return calibration.band(minutes, usual, starting=starting)
            unlearned = unlearned_errors(
                *(minutes, usual),
                gap_wh=gap_wh,
                hidden_wh=tank.hidden_wh,
                starting=starting,
                added=added_minutes(begin or self.when, minutes, self.model.minutes_per_litre),
            )
            return calibration.band(minutes, usual, starting=starting, unlearned=unlearned)

        bands = Bands(*(None if one is None else band(one) for one in times))
        if times.end is None:
            return _Timed(bands)
        return _Timed(bands, times.end, expected(times.end))

    def _while_drawing(self, made: Forecast) -> Forecast:
        """Give only the earliest time while water runs, which nobody knows the end of."""
        if not self.status.dhw_use.active:
            return made
        times = made.times if made.times.end is not None else made.if_started
        goal = times.enough if made.litres is not None else times.ready or times.end
        if made.situation is Situation.HOT or goal is None or goal == NOW:
            return made
        kept = Bands(*(one if one == NOW else None for one in made.times))
        return replace(
            made, situation=Situation.DRAWING, times=kept, not_before=made.at(goal.least)
        )


_OFF_MODES = (DHWMode.POWER_OFF, DHWMode.STANDBY, DHWMode.VACATION)
#: In which heating now would take the time that is given while the heater is off.
_USUAL_MODE = DHWMode.HEAT_PUMP
