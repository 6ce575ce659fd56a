"""Status and feature messages from the state of the simulated heater."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Collection, TypeVar

from ...protocol.features import DeviceFeatures
from ...protocol.fields import field_specs
from ...protocol.status import DeviceStatus
from ...protocol.types import (
    DhwControl,
    DHWMode,
    Flag,
    HalfCelsius,
    HeatSource,
    TemperatureType,
    TempFormula,
    UnitType,
)
from .firmware import Firmware, charge, missing_energy, panel_temperature, total_energy
from .heat_pump import HeatPump
from .heater_state import Operation, Settings
from .tank import Tank

T = TypeVar("T")

MAX_SETPOINT = HalfCelsius(131)  # 65.5 degC (PROTOCOL 7.1)

#: Equal in every recorded message (PROTOCOL 6.4).
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

_NO_DIFFERENCES = {
    spec.name: 0 for spec in field_specs(DeviceStatus) if spec.name.endswith("_diff_temp_setting")
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
    "dhw_temperature_max": MAX_SETPOINT,
    "temperature_type": TemperatureType.FAHRENHEIT,
    "temp_formula_type": TempFormula.STANDARD,
    "freeze_protection_temp_min": 12,
    "freeze_protection_temp_max": 20,
    "mixing_valve_use": Flag.READY,
    "dhw_refill_use": Flag.READY,
}


def build_features(settings: Settings) -> DeviceFeatures:
    """Return the features of this heater; older firmware omits the newer fields."""
    newer = settings.firmware is not Firmware.A
    values: dict[str, Any] = dict(_CAPABILITIES)
    values.update(
        volume_code=settings.volume,
        controller_sw_version=settings.firmware.version,
        controller_serial_number=settings.serial,
        dhw_temperature_min=settings.min_setpoint,
    )
    if newer:
        pump = Flag.of(settings.recirculation.fitted)
        values.update(recirc_sw_version=0, recirc_model_type_code=0, title24_use=Flag.READY)
        values.update(recirculation_use=pump, recirc_reservation_use=pump)
        values.update(recirc_temperature_min=81, recirc_temperature_max=120)
    for spec in field_specs(DeviceFeatures):
        if spec.codec is Flag and not spec.name.startswith(("recirc", "title24")):
            values.setdefault(spec.name, Flag.ACTIVE)
    return _typed(DeviceFeatures, values, last=44)


def build_status(
    settings: Settings, operation: Operation, tank: Tank, heat_pump: HeatPump, command: int
) -> DeviceStatus:
    """Return a complete status with the fields this firmware sends."""
    values = status_numbers(settings, operation, tank, heat_pump, command)
    last = settings.firmware.last_status_field
    return _typed(DeviceStatus, values, last=last, also=settings.other_fields)


def status_numbers(
    settings: Settings, operation: Operation, tank: Tank, heat_pump: HeatPump, command: int
) -> dict[str, int]:
    """Return the fields of a status by name, also those that this firmware does not send."""
    values: dict[str, int] = {"command": command, **_CONSTANT, **settings.other_fields}
    values.update(_setting_fields(settings))
    values.update(_operation_fields(operation))
    values.update(_heat_pump_fields(heat_pump))
    values.update(_tank_fields(settings, tank))
    values.update(_threshold_fields(settings))
    values.update(_recirculation_fields(settings))
    return values


@lru_cache(maxsize=None)
def sent_fields(firmware: Firmware) -> tuple[str, ...]:
    """Return the names of the status fields that this firmware sends."""
    return tuple(
        spec.name for spec in field_specs(DeviceStatus) if spec.number <= firmware.last_status_field
    )


def _typed(cls: type[T], values: dict[str, Any], *, last: int, also: Collection[str] = ()) -> T:
    """Build the message from the fields up to number ``last`` and those in ``also``."""
    typed = {}
    for spec in field_specs(cls):
        value = values.get(spec.name)
        if value is not None and (spec.number <= last or spec.name in also):
            typed[spec.name] = spec.codec(value)
    return cls(**typed)


def _setting_fields(settings: Settings) -> dict[str, int]:
    return {
        "error_code": settings.error_code,
        "sub_error_code": settings.sub_error_code,
        "dhw_operation_setting": settings.mode,
        "dhw_temperature_setting": settings.setpoint,
        "dhw_target_temperature_setting": settings.setpoint,
        "program_reservation_use": Flag.of(settings.reservations.enabled),
        "vacation_day_setting": settings.vacation_days,
        "vacation_day_elapsed": settings.vacation_days,
        "anti_legionella_use": Flag.of(settings.disinfection.enabled),
        "anti_legionella_period": settings.disinfection.days,
        "anti_legionella_operation_busy": Flag.of(settings.disinfection.running),
        "air_filter_alarm_use": Flag.of(settings.air_filter_hours > 0),
        "air_filter_alarm_period": settings.air_filter_hours,
        "tou_status": settings.tou.status,
        "tou_override_status": settings.tou.override,
        "heat_min_op_temperature": settings.min_setpoint,
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
    setpoint, window = settings.delayed_setpoint, settings.tou.window_active
    target = firmware.energy_target(setpoint, settings.delayed_mode, window)
    return {
        "tank_upper_temperature": upper,
        "tank_lower_temperature": lower,
        "dhw_temperature": panel_temperature(upper),
        "dhw_charge_per": charge(upper, setpoint),
        "total_energy_capacity": total_energy(volume, target, settings.min_setpoint),
        "available_energy_capacity": missing_energy(volume, target, upper, lower),
        # 55 to 63 in the recordings.
        "wifi_rssi": 58,
    }


def _threshold_fields(settings: Settings) -> dict[str, int]:
    old = settings.firmware is Firmware.A
    window = settings.tou.window_active
    minimum, setpoint, mode = (
        settings.min_setpoint,
        settings.setpoint,
        settings.delayed_mode,
    )
    element_modes = (DHWMode.ELECTRIC, DHWMode.HIGH_DEMAND)
    element_on = mode in element_modes
    if old:  # PROTOCOL 6.9: also in mode 1, and in mode 3 in an active window
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
    values.update(_NO_DIFFERENCES)
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
        "recirc_operation_busy": Flag.of(recirculation.running),
        "recirc_reservation_use": Flag.of(recirculation.schedule.enabled),
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
