"""What the heater tells: whole status and feature messages from its settings and its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import Any, Collection, TypeVar

from ...protocol.features import DeviceFeatures
from ...protocol.fields import field_specs
from ...protocol.schedules import Reservation
from ...protocol.status import DeviceStatus
from ...protocol.types import (
    DhwControl,
    DHWMode,
    Flag,
    HalfCelsius,
    HeatSource,
    OperationMode,
    TemperatureType,
    TempFormula,
    UnitType,
    Volume,
)
from .demand import SensorReadings
from .disinfection import TARGET, Disinfection
from .firmware import Firmware, charge, missing_energy, shown_temperature, total_energy
from .heat_pump import HeatPump
from .recirculation import Recirculation
from .tank import Tank
from .time_of_use import TimeOfUse
from .weekly_schedule import WeeklySchedule

T = TypeVar("T")

STANDBY_WATTS = 1.0
#: The reading follows a switched load within some seconds (PROTOCOL 6.7).
METER_SECONDS = 3.0
#: The energy target follows a mode change within about 10 s (PROTOCOL 6.8).
MODE_FOLLOWS_SECONDS = 10.0
#: The element thresholds follow the setpoint with delay (PROTOCOL 6.9), here by our choice.
ELEMENT_FOLLOWS_SECONDS = 30.0
MAXIMUM = HalfCelsius(131)  # 65.5 degC, PROTOCOL 7.1

#: The same in every recorded message (PROTOCOL 6.4).
_CONSTANT: dict[str, int] = {
    "outside_temperature": 0,
    "special_function_status": 1,
    "did_reload": Flag.READY,
    "freeze_protection_use": Flag.ACTIVE,
    "dhw_use_sustained": 0,
    "smart_diagnostic": 0,
    "fault_status1": 0,
    "fault_status2": 0,
    "eco_use": Flag.ACTIVE,
    "target_super_heat": 50,
    "shut_off_valve_use": Flag.READY,
    "con_ovr_sensor_use": Flag.READY,
    "wtr_ovr_sensor_use": Flag.READY,
    "dr_event_status": 0,
    "freeze_protection_temperature": 12,
    "program_reservation_type": 0,
    "temperature_type": TemperatureType.FAHRENHEIT,
    "temp_formula_type": TempFormula.STANDARD,
    "error_buzzer_use": Flag.ACTIVE,
    "current_inlet_temperature": 0,
    "dhw_temperature2": 0,
    "current_dhw_flow_rate": 0,
    "mixing_rate": 0,
    "scald_use": Flag.ACTIVE,
    "air_filter_alarm_elapsed": 0,
    "cumulated_dhw_flow_rate": 0,
    "dr_override_status": 0,
}

_CAPABILITIES: dict[str, Any] = {
    "country_code": 3,
    "model_type_code": UnitType.NPF,
    "control_type_code": 100,
    "panel_sw_version": 0,
    "wifi_sw_version": 0x02070000,
    "controller_sw_code": 0x02000711,
    "panel_sw_code": 0,
    "wifi_sw_code": 268435985,
    "dhw_temperature_setting_use": DhwControl.HALF_DEGREE,
    "dhw_temperature_max": MAXIMUM,
    "temperature_type": TemperatureType.FAHRENHEIT,
    "temp_formula_type": TempFormula.STANDARD,
    "freeze_protection_temp_min": 12,
    "freeze_protection_temp_max": 20,
    "mixing_valve_use": Flag.READY,
    "dhw_refill_use": Flag.READY,
}


@dataclass
class Settings:
    """What was set, and the settings some fields still show the old value of."""

    firmware: Firmware
    volume: Volume
    serial: str
    recirculation: Recirculation
    mode: DHWMode
    setpoint: HalfCelsius
    mode_before: DHWMode = DHWMode.ENERGY_SAVER
    #: Written inside a price window, waits for its end (PROTOCOL 9.12).
    held_mode: DHWMode | None = None
    vacation_days: int = 0
    air_filter_hours: int = 1000
    demand_response: bool = False
    error_code: int = 0
    sub_error_code: int = 0
    tou: TimeOfUse = field(default_factory=TimeOfUse)
    disinfection: Disinfection = field(default_factory=Disinfection)
    reservations: WeeklySchedule[Reservation] = field(default_factory=WeeklySchedule)
    #: Fields of the status that only a control has set.
    kept: dict[str, int] = field(default_factory=dict)
    mode_at: float = 0.0
    setpoint_at: float = 0.0

    def __post_init__(self) -> None:
        self.shown_setpoint = self.element_setpoint = self.setpoint
        self.shown_mode = self.mode

    def readings(self, tank: Tank) -> SensorReadings:
        """What the rules of demand look at."""
        disinfects = self.disinfection.busy
        return SensorReadings(
            upper=tank.upper,
            lower=tank.lower,
            setpoint=max(self.setpoint * 5, TARGET if disinfects else 0),
            minimum=self.firmware.minimum * 5,
            mode=self.mode,
            window=self.tou.in_force and not disinfects,
        )

    def follow(self, clock: float) -> None:
        """Let the fields that lag behind a write follow; ``clock`` in s, as ``mode_at``."""
        off = self.mode in (DHWMode.POWER_OFF, DHWMode.STANDBY)
        if clock - self.mode_at >= MODE_FOLLOWS_SECONDS and not off:
            self.shown_mode = self.mode
        if clock - self.setpoint_at >= ELEMENT_FOLLOWS_SECONDS:
            self.element_setpoint = self.setpoint


@dataclass
class Operation:
    """What runs, as the heater publishes it; ``power`` in W is what its meter shows."""

    source: HeatSource = HeatSource.NONE
    mode: OperationMode = OperationMode.STANDBY
    upper_element: bool = False
    lower_element: bool = False
    drawing: bool = False
    circulating: bool = False
    power: float = 1.0
    fan_seconds: float = 0.0

    def count(self, seconds: float, watts: float, *, fan: bool) -> None:
        """Let the meter near what is drawn, 1 W at least, and count the fan's time."""
        watts = watts or STANDBY_WATTS
        self.power = watts + (self.power - watts) * exp(-seconds / METER_SECONDS)
        self.fan_seconds += seconds if fan else 0.0


def build_features(settings: Settings) -> DeviceFeatures:
    """What this heater has and allows; older firmware leaves out the newer keys."""
    newer = settings.firmware is not Firmware.A
    values: dict[str, Any] = dict(_CAPABILITIES)
    values.update(
        volume_code=settings.volume,
        controller_sw_version=settings.firmware.version,
        controller_serial_number=settings.serial,
        dhw_temperature_min=settings.firmware.minimum,
    )
    if newer:
        pump = Flag.of(settings.recirculation.fitted)
        values.update(recirc_sw_version=0, recirc_model_type_code=0, title24_use=Flag.READY)
        values.update(recirculation_use=pump, recirc_reservation_use=pump)
        values.update(recirc_temperature_min=81, recirc_temperature_max=120)
    for row in field_specs(DeviceFeatures):
        if row.codec is Flag and not row.name.startswith(("recirc", "title24")):
            values.setdefault(row.name, Flag.ACTIVE)
    return _typed(DeviceFeatures, values, last_row=44)


def build_status(
    settings: Settings, operation: Operation, tank: Tank, heat_pump: HeatPump, command: int
) -> DeviceStatus:
    """One whole status with the keys this firmware sends."""
    values: dict[str, Any] = {"command": command, **_CONSTANT, **settings.kept}
    values.update(_setting_fields(settings))
    values.update(_operation_fields(operation))
    values.update(_heat_pump_fields(heat_pump))
    values.update(_tank_fields(settings, tank))
    values.update(_threshold_fields(settings))
    values.update(_recirculation_fields(settings))
    last_row = settings.firmware.last_status_row
    return _typed(DeviceStatus, values, last_row=last_row, also=settings.kept)


def _typed(cls: type[T], values: dict[str, Any], *, last_row: int, also: Collection[str] = ()) -> T:
    typed = {}
    for row in field_specs(cls):
        value = values.get(row.name)
        if value is not None and (row.number <= last_row or row.name in also):
            typed[row.name] = row.codec(value)
    return cls(**typed)


def _setting_fields(settings: Settings) -> dict[str, int]:
    return {
        "error_code": settings.error_code,
        "sub_error_code": settings.sub_error_code,
        "dhw_operation_setting": settings.mode,
        "dhw_temperature_setting": settings.setpoint,
        "dhw_target_temperature_setting": settings.setpoint,
        "program_reservation_use": Flag.of(settings.reservations.on),
        "vacation_day_setting": settings.vacation_days,
        "vacation_day_elapsed": settings.vacation_days,
        "anti_legionella_use": settings.disinfection.use,
        "anti_legionella_period": settings.disinfection.days,
        "anti_legionella_operation_busy": Flag.of(settings.disinfection.busy),
        "air_filter_alarm_use": Flag.of(settings.air_filter_hours > 0),
        "air_filter_alarm_period": settings.air_filter_hours,
        "tou_status": settings.tou.status,
        "tou_override_status": settings.tou.override,
        "heat_min_op_temperature": settings.firmware.minimum,
    }


def _operation_fields(operation: Operation) -> dict[str, int]:
    return {
        "operation_mode": operation.mode,
        "operation_busy": Flag.of(operation.source != HeatSource.NONE),
        "current_heat_use": operation.source,
        "heat_upper_use": Flag.of(operation.upper_element),
        "heat_lower_use": Flag.of(operation.lower_element),
        "current_inst_power": round(operation.power),
        "dhw_use": Flag.of(operation.drawing or operation.circulating),
        "cumulated_op_time_eva_fan": int(operation.fan_seconds // 3600),
    }


def _heat_pump_fields(heat_pump: HeatPump) -> dict[str, int]:
    return {
        "discharge_temperature": round(10 * heat_pump.discharge),
        "suction_temperature": round(10 * heat_pump.suction),
        "evaporator_temperature": round(10 * heat_pump.evaporator),
        "ambient_temperature": round(10 * heat_pump.ambient),
        "current_super_heat": round(10 * heat_pump.superheat),
        "comp_use": Flag.of(heat_pump.compressor),
        "eva_fan_use": Flag.of(heat_pump.fan),
        "eev_use": Flag.of(heat_pump.eev),
        "current_statenum": heat_pump.state,
        "target_fan_rpm": round(heat_pump.target_fan_rpm),
        "current_fan_rpm": round(heat_pump.fan_rpm),
        "fan_pwm": heat_pump.fan_pwm,
        "eev_step": round(heat_pump.eev_step),
    }


def _tank_fields(settings: Settings, tank: Tank) -> dict[str, int]:
    firmware, volume = settings.firmware, settings.volume
    upper, lower = tank.upper, tank.lower
    in_force = settings.tou.in_force
    target = firmware.target(settings.shown_setpoint, settings.shown_mode, in_force)
    return {
        "tank_upper_temperature": upper,
        "tank_lower_temperature": lower,
        "dhw_temperature": shown_temperature(upper),
        "dhw_charge_per": charge(upper, settings.shown_setpoint),
        "total_energy_capacity": total_energy(volume, target, firmware.minimum),
        "available_energy_capacity": missing_energy(volume, target, upper, lower),
        # 55 to 63 recorded; the tank's own noise stands in for the radio's.
        "wifi_rssi": 58,
    }


def _threshold_fields(settings: Settings) -> dict[str, int]:
    old = settings.firmware is Firmware.A
    window = settings.tou.in_force
    minimum, setpoint, mode = settings.firmware.minimum, settings.setpoint, settings.shown_mode
    element_modes = (DHWMode.ELECTRIC, DHWMode.HIGH_DEMAND)
    element_on = mode in element_modes
    if old:  # PROTOCOL 6.9: also in mode 1, and in mode 3 while a window is in force
        element_on |= mode == DHWMode.HEAT_PUMP or (window and mode == DHWMode.ENERGY_SAVER)
    values: dict[str, int] = {
        "hp_upper_on_temp_setting": setpoint if window else minimum,
        "hp_lower_on_temp_setting": setpoint if window and old else minimum,
        "hp_upper_off_temp_setting": setpoint,
        "hp_lower_off_temp_setting": setpoint,
        "he_upper_on_temp_setting": settings.element_setpoint if element_on else minimum,
        "he_lower_on_temp_setting": minimum,
        "he_upper_off_temp_setting": settings.element_setpoint,
        "he_lower_off_temp_setting": settings.element_setpoint,
    }
    for row in field_specs(DeviceStatus):
        if row.name.endswith("_diff_temp_setting"):
            values[row.name] = 0
    if not old:  # LOG-B, and LIB2D for the window
        values["he_upper_off_diff_temp_setting"] = -2
        values["hp_upper_on_diff_temp_setting"] = 16 if window else 0
        return values
    saver = mode == DHWMode.ENERGY_SAVER
    values["hp_upper_on_diff_temp_setting"] = 4 if window and saver else 0
    values["hp_lower_on_diff_temp_setting"] = 4 if window else 0
    lower_off = mode in (DHWMode.HEAT_PUMP, DHWMode.HIGH_DEMAND)
    values["hp_lower_off_diff_temp_setting"] = 2 if lower_off else 0
    upper_on = mode in element_modes or (window and saver)
    values["he_upper_on_diff_temp_setting"] = 4 if upper_on else 0
    return values


def _recirculation_fields(settings: Settings) -> dict[str, int]:
    recirculation = settings.recirculation
    return {
        "recirc_operation_busy": Flag.of(recirculation.runs),
        "recirc_reservation_use": Flag.of(recirculation.schedule.on),
        "recirc_operation_mode": recirculation.mode,
        "recirc_temp_setting": 0,
        "recirc_temperature": 0,
        "recirc_pump_operation_status": 0,
        "recirc_faucet_temperature": 0,
        "recirc_hot_btn_ready": 2,
        "recirc_operation_reason": 0,
        "recirc_dhw_flow_rate": 0,
        "recirc_error_status": 0,
    }
