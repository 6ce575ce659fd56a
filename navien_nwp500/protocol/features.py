"""Features message: capabilities and limits of a heater."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .fields import field_spec
from .types import (
    Code,
    DhwControl,
    Flag,
    HalfCelsius,
    TemperatureType,
    TempFormula,
    UnitType,
    Version,
    Volume,
)


@dataclass(frozen=True)
class DeviceFeatures:
    """Capabilities and limits of a heater. A capability flag is set only at 2; 0 and 1 mean no."""

    # fmt: off
    country_code: Code | None = field_spec(1, "countryCode", "field/medium", "Market; 3 on US units.")
    model_type_code: UnitType | None = field_spec(2, "modelTypeCode", "library/medium", "Product family.")
    control_type_code: Code | None = field_spec(3, "controlTypeCode", "library/low", "Controller hardware/firmware family.")
    volume_code: Volume | None = field_spec(4, "volumeCode", "app/high", "Tank size as a code, not in gallons.")
    controller_sw_version: Version | None = field_spec(5, "controllerSwVersion", "captured/high", "Main controller firmware.")
    panel_sw_version: Version | None = field_spec(6, "panelSwVersion", "field/medium", "Panel firmware; 0 on NWP500.")
    wifi_sw_version: Version | None = field_spec(7, "wifiSwVersion", "captured/high", "Wi-Fi module firmware.")
    controller_sw_code: Code | None = field_spec(8, "controllerSwCode", "library/medium", "Controller firmware branch.")
    panel_sw_code: Code | None = field_spec(9, "panelSwCode", "library/low", "Panel firmware branch.")
    wifi_sw_code: Code | None = field_spec(10, "wifiSwCode", "library/medium", "Wi-Fi firmware branch.")
    recirc_sw_version: Version | None = field_spec(11, "recircSwVersion", "field/low", "Recirculation module firmware; newer firmware only.")
    recirc_model_type_code: Code | None = field_spec(12, "recircModelTypeCode", "field/low", "Recirculation module; 0 none.")
    controller_serial_number: str | None = field_spec(13, "controllerSerialNumber", "captured/high", "Controller serial; time-of-use calls need it.", private=True)
    power_use: Flag | None = field_spec(14, "powerUse", "field/high", "Remote power on/off available.")
    holiday_use: Flag | None = field_spec(15, "holidayUse", "field/high", "Vacation mode available (1 to 99 days).")
    program_reservation_use: Flag | None = field_spec(16, "programReservationUse", "field/high", "Reservation program (and TOU) available.")
    dhw_use: Flag | None = field_spec(17, "dhwUse", "field/high", "Hot-water function available; mode changes require it.")
    dhw_temperature_setting_use: DhwControl | None = field_spec(18, "dhwTemperatureSettingUse", "app/medium", "Resolution of the setpoint; not a flag.")
    dhw_temperature_min: HalfCelsius | None = field_spec(19, "dhwTemperatureMin", "field/high", "Lowest setpoint, an installer's setting of 35.0 to 45.0 degC; it cannot be set remotely.")
    dhw_temperature_max: HalfCelsius | None = field_spec(20, "dhwTemperatureMax", "field/high", "Highest setpoint; 131.")
    smart_diagnostic_use: Flag | None = field_spec(21, "smartDiagnosticUse", "library/medium", "Smart diagnostic available.")
    wifi_rssi_use: Flag | None = field_spec(22, "wifiRssiUse", "library/medium", "Wi-Fi signal reported.")
    temperature_type: TemperatureType | None = field_spec(23, "temperatureType", "field/high", "Default display unit.")
    temp_formula_type: TempFormula | None = field_spec(24, "tempFormulaType", "field/high", "Rounding of Fahrenheit in the maker's app.")
    energy_usage_use: Flag | None = field_spec(25, "energyUsageUse", "field/high", "Energy history available.")
    freeze_protection_use: Flag | None = field_spec(26, "freezeProtectionUse", "field/high", "Freeze protection present.")
    freeze_protection_temp_min: HalfCelsius | None = field_spec(27, "freezeProtectionTempMin", "library/high", "Lowest freeze threshold, 6.0 degC.")
    freeze_protection_temp_max: HalfCelsius | None = field_spec(28, "freezeProtectionTempMax", "library/high", "Highest freeze threshold, 10.0 degC.")
    mixing_valve_use: Flag | None = field_spec(29, "mixingValueUse", "library2/high", "Mixing valve fitted.", alias="mixingValveUse")
    dr_setting_use: Flag | None = field_spec(31, "drSettingUse", "field/medium", "Demand response settable.")
    anti_legionella_setting_use: Flag | None = field_spec(32, "antiLegionellaSettingUse", "field/high", "Anti-legionella settable.")
    hpwh_use: Flag | None = field_spec(33, "hpwhUse", "library/medium", "The unit is a heat-pump water heater.")
    dhw_refill_use: Flag | None = field_spec(34, "dhwRefillUse", "library/low", "Refill (dry-fire) detection available.")
    eco_use: Flag | None = field_spec(35, "ecoUse", "library/medium", "Energy-cut-off protection fitted.")
    electric_use: Flag | None = field_spec(36, "electricUse", "field/high", "Electric-only mode (2) selectable.")
    heatpump_use: Flag | None = field_spec(37, "heatpumpUse", "field/high", "Heat-pump-only mode (1) selectable.")
    energy_saver_use: Flag | None = field_spec(38, "energySaverUse", "field/high", "Energy-saver mode (3) selectable.")
    high_demand_use: Flag | None = field_spec(39, "highDemandUse", "field/high", "High-demand mode (4) selectable.")
    recirculation_use: Flag | None = field_spec(40, "recirculationUse", "field/medium", "Recirculation pump supported.")
    recirc_reservation_use: Flag | None = field_spec(41, "recircReservationUse", "field/medium", "Recirculation schedule supported.")
    title24_use: Flag | None = field_spec(42, "title24Use", "field/low", "Title 24 recirculation rules.")
    recirc_temperature_min: HalfCelsius | None = field_spec(43, "recircTemperatureMin", "library/low", "Lowest recirculation temperature.")
    recirc_temperature_max: HalfCelsius | None = field_spec(44, "recircTemperatureMax", "library/low", "Highest recirculation temperature.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)
