"""Hot water that the tank gives without heating, from its two sensors (PROTOCOL 14.8). No pandas."""

from __future__ import annotations

from math import isfinite
from typing import Mapping, NamedTuple

from ..exceptions import ValueOutOfRangeError
from ..models import UsableWater
from ..protocol.status import DeviceStatus
from ..protocol.types import Volume

__all__ = ["usable_water", "usable_water_of"]

#: Shower water in degC, to which the tank's water is mixed.
SHOWER_CELSIUS = 40.0
#: Water of that temperature for a shower, in litres.
SHOWER_LITRES = 60.0
#: Cold water that is assumed where nothing else is known: the heater does not measure it.
COLD_CELSIUS = 15.0
#: Heat capacity in Wh/K by the heater's own counts: 65 gallons measured, others scaled (14.1).
WH_PER_KELVIN: Mapping[Volume, float] = {
    Volume.GALLONS_50: 216.0,
    Volume.GALLONS_65: 281.0,
    Volume.GALLONS_80: 346.0,
}
#: Water in a tank in litres (PROTOCOL 14.1).
_RATED_LITRES: Mapping[Volume, float] = {
    Volume.GALLONS_50: 171.0,
    Volume.GALLONS_65: 239.0,
    Volume.GALLONS_80: 288.0,
}
_WH_PER_LITRE_KELVIN = 1.163
#: Fewer kelvin tell no heat capacity; by its own target a total is off by no more than this part.
_LEAST_KELVIN, _COUNTED_PART = 5.0, 0.02
#: First byte of the codes of controls, which the response to one has too (PROTOCOL 4.2).
_CONTROL = 0x02
#: Mean of the tank in degC at which its outlet runs cold: estimate, least and most water.
_EMPTY_CELSIUS = (38.0, 41.0, 36.0)
#: Litres that come after the upper sensor has fallen to ``_LAG_CELSIUS``, in the same order.
_LAG_LITRES = (19.0, 0.0, 28.0)
_LAG_CELSIUS = 40.6
#: Part of the tank that an element warms before the rest: 66 of 239 L (PROTOCOL 14.3).
_ELEMENT_PART = 0.28


def usable_water(
    upper: float,
    lower: float,
    *,
    volume: Volume = Volume.GALLONS_65,
    cold: float = COLD_CELSIUS,
    element_ran: bool = False,
) -> UsableWater:
    """Return the water of 40 degC that the tank gives without heating.

    ``upper`` and ``lower`` are its sensors and ``cold`` the cold water, in degC. With
    ``element_ran``, within about two hours, the upper sensor stands for the upper 28 % of the tank
    and not for half of it. Raises ValueOutOfRangeError for an unknown size, for a temperature that
    is not a number, and for cold water outside 0 to 40 degC.

    Source: PROTOCOL 14.8, from drawdowns of one heater.
    """
    if volume not in WH_PER_KELVIN:
        raise ValueOutOfRangeError(f"the size of tank {volume} is not known")
    if not (isfinite(upper) and isfinite(lower)):
        raise ValueOutOfRangeError(f"sensor temperatures {upper} and {lower} are no numbers")
    if not 0 <= cold < SHOWER_CELSIUS:
        raise ValueOutOfRangeError(f"cold water of {cold:g} degC is not in 0 to {SHOWER_CELSIUS:g}")
    if upper < SHOWER_CELSIUS:
        return UsableWater(0.0, 0.0, 0.0)
    part = _ELEMENT_PART if element_ran and upper > lower else 0.5
    mean = part * upper + (1 - part) * lower
    most = _RATED_LITRES[volume] * (upper - cold) / (SHOWER_CELSIUS - cold)

    def litres(empty: float, lag: float) -> float:
        heat = max(0.0, WH_PER_KELVIN[volume] * (mean - empty))
        if upper >= _LAG_CELSIUS:
            heat += lag * _WH_PER_LITRE_KELVIN * (upper - cold)
        return min(heat / (_WH_PER_LITRE_KELVIN * (SHOWER_CELSIUS - cold)), most)

    return UsableWater(*map(litres, _EMPTY_CELSIUS, _LAG_LITRES))


def usable_water_of(
    status: DeviceStatus, *, volume: Volume | None = None, cold: float = COLD_CELSIUS
) -> UsableWater | None:
    """Return the usable water of a status, as ``usable_water``; None without sensor values.

    Without ``volume`` the tank's size follows from the heater's energy counts; 65 gallons where they
    do not tell. An element counts as having run when it is on now.
    """
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    if upper is None or lower is None:
        return None
    return usable_water(
        upper.celsius,
        lower.celsius,
        volume=volume or volume_of(status),
        cold=cold,
        element_ran=status.heat_upper_use.active or status.heat_lower_use.active,
    )


def volume_of(status: DeviceStatus) -> Volume:
    """Return the size of the tank by the heater's energy counts; 65 gallons where they do not tell.

    The total tells it by the setpoint, except just after that was changed: counts and charge still
    belong to the old one. The heat above the lowest setpoint, which is the total minus what is
    missing, tells it by the sensors, whatever the setpoint (PROTOCOL 6.8).
    """
    total, missing = status.total_energy_capacity, status.available_energy_capacity
    minimum = status.heat_min_op_temperature
    if total is None or minimum is None:
        return Volume.GALLONS_65
    found = []
    by_setpoint = status.dhw_temperature_setting.celsius - minimum.celsius
    by_setpoint -= 2 * status.in_tou_window
    is_answer = status.command is not None and status.command >> 24 == _CONTROL
    if by_setpoint >= _LEAST_KELVIN and not is_answer:
        found.append(_nearest(total.watt_hours / by_setpoint))
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    if missing is not None and upper is not None and lower is not None:
        by_sensors = (upper.celsius + lower.celsius) / 2 - minimum.celsius
        # Of a tank that is hotter than its target the count is too low.
        counted = missing.watt_hours > 0 or not found or found[0].miss > _COUNTED_PART
        if by_sensors >= _LEAST_KELVIN and counted:
            found.append(_nearest((total.watt_hours - missing.watt_hours) / by_sensors))
    return min(found, key=lambda one: one.miss).volume if found else Volume.GALLONS_65


class _Size(NamedTuple):
    """A size of tank, and by which part its heat capacity differs from the one counted."""

    volume: Volume
    miss: float


def _nearest(capacity: float) -> _Size:
    sizes = (_Size(one, abs(capacity / wh - 1)) for one, wh in WH_PER_KELVIN.items())
    return min(sizes, key=lambda one: one.miss)
