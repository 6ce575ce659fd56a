"""Differences of the two recorded controller firmwares, and derived status fields.

Temperatures are raw integers: half degrees for settings, tenths for sensors.
"""

from __future__ import annotations

from enum import Enum

from ...protocol.types import (
    DeciCelsius,
    DHWMode,
    EnergyCount,
    HalfCelsius,
    Percent,
    Version,
    Volume,
)

#: 35.0 degC is a charge of 0 % with both firmwares (PROTOCOL 6.8).
CHARGE_BASE = 350
#: Hundredths of a count of 4 Wh per kelvin; sizes other than 65 gallons are scaled (PROTOCOL 6.8).
COUNTS_PER_KELVIN = {Volume.GALLONS_50: 5400, Volume.GALLONS_65: 7024, Volume.GALLONS_80: 8650}


class Firmware(Enum):
    """Controller firmwares of the recordings; the value is the version number."""

    A = 0x0A010000
    B = 0x0B010000

    @property
    def version(self) -> Version:
        return Version(self.value)

    @property
    def last_status_field(self) -> int:
        """Number of the last status field it sends: 87 or 99 fields."""
        return 87 if self is Firmware.A else 99

    def energy_target(self, setpoint: HalfCelsius, mode: DHWMode, window: bool) -> DeciCelsius:
        """Return the target of the energy fields: setpoint plus the offset of PROTOCOL 6.8."""
        if self is Firmware.A:
            offset = 10 if mode in (DHWMode.HEAT_PUMP, DHWMode.HIGH_DEMAND) else 0
        else:
            offset = -20 if window else 0
        return DeciCelsius(setpoint * 5 + offset)


def panel_temperature(upper: DeciCelsius) -> HalfCelsius:
    """Return the temperature on the panel: the upper sensor, rounded down to 0.5 K."""
    return HalfCelsius(upper // 5)


def charge(upper: DeciCelsius, setpoint: HalfCelsius) -> Percent:
    """Return the charge in percent; 100 when the setpoint is not above 35.0 degC."""
    span = setpoint * 5 - CHARGE_BASE
    if span <= 0:
        return Percent(100)
    return Percent(max(0, min(100, 100 * (upper - CHARGE_BASE) // span)))


def total_energy(volume: Volume, target: DeciCelsius, base: HalfCelsius) -> EnergyCount:
    """Return the heat of a full recovery from ``base`` to ``target``."""
    return EnergyCount(_counts(volume, target - base * 5))


def missing_energy(
    volume: Volume, target: DeciCelsius, upper: DeciCelsius, lower: DeciCelsius
) -> EnergyCount:
    """Return the heat missing to ``target``; the mean of the sensors is in whole tenths."""
    return EnergyCount(_counts(volume, target - (upper + lower) // 2))


def _counts(volume: Volume, deci_kelvin: int) -> int:
    per_kelvin = COUNTS_PER_KELVIN.get(volume, COUNTS_PER_KELVIN[Volume.GALLONS_65])
    return per_kelvin * max(0, deci_kelvin) // 1000
