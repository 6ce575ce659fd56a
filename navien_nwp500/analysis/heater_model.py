"""Figures of one heater that its recordings can refit; the defaults are of one unit (PROTOCOL 14).

No pandas here: the forecast of one status uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..protocol.types import Volume
from .hot_water import WH_PER_KELVIN

__all__ = ["HeaterModel"]


@dataclass(frozen=True)
class HeaterModel:
    """Constants of a heater for ``two_zone``; each default is the figure of PROTOCOL 14."""

    #: Heat capacity of the whole tank in Wh/K, half of it in each zone (PROTOCOL 14.1).
    wh_per_kelvin: float = WH_PER_KELVIN[Volume.GALLONS_65]
    #: Heat of this heat pump by that of PROTOCOL 14.2.
    rate: float = 1.0
    #: Heat by electricity of this heat pump, by that of PROTOCOL 14.2.
    cop_scale: float = 1.0
    #: How far the lower sensor is above the setpoint when the heat pump stops, in K (PROTOCOL 9.3).
    #: While it runs, the sensor shows so much more than the water (PROTOCOL 14.2).
    stop_overshoot: float = 0.65
    #: How far below the stop a recovery ends inside a time-of-use window, in K (PROTOCOL 9.12).
    window_stop_short: float = 1.9
    #: Heat lost through the jacket in W/K, and from the bottom in W (PROTOCOL 14.4).
    jacket_watts_per_kelvin: float = 2.36
    bottom_watts: float = 27.0
    #: The sensors see 1 - exp(-gap / this) of the bottom's loss, in K (PROTOCOL 14.4).
    bottom_gap: float = 1.02
    #: Time constant in hours with which the gap between the zones closes at rest (PROTOCOL 14.1).
    gap_hours: float = 26.7
    #: Below this gap in K the heat pump begins to heat the upper zone too (PROTOCOL 14.1).
    mixing_gap: float = 2.3
    #: Electricity of a start in Wh before the tank gains (PROTOCOL 14.2).
    start_wh: float = 160.0
    #: Heat missing below the lower sensor, at a start and in a run, by the heat that the upper zone
    #: has beyond the lower one. Recoveries after draws took 1.0 to 1.6 of what both sensors show
    #: (PROTOCOL 13, point 24), quiet ones nothing more (14.7).
    start_hidden_ratio: float = 0.3
    #: Heat missing there at a start in any case, in Wh: the lower sensor holds for 11 to 12 min
    #: (PROTOCOL 14.2). By the time off it would be no better in the simulator.
    start_hidden_wh: float = 250.0
    running_hidden_ratio: float = 0.1
    #: From demand to start, and from a stop to the next start, in s (PROTOCOL 9.1, 9.9).
    start_seconds: float = 30.0
    lock_out_seconds: float = 330.0
    #: Part of the drawn heat that the mean of both sensors does not show (PROTOCOL 14.5).
    hidden_share: float = 0.37
    #: Minutes that a litre drawn while heating adds (PROTOCOL 14.7).
    minutes_per_litre: float = 1.24
    #: Mean of the tank in degC at which its outlet runs cold (PROTOCOL 14.8).
    empty_celsius: float = 38.0
    #: One element in W (PROTOCOL 14.3), and the part of the tank that the upper one heats first.
    element_watts: float = 5148.0
    upper_element_share: float = 0.28
    #: How much warmer than the air the intake sensor is at rest, and how much colder in a run, in K
    #: (PROTOCOL 14.2, 9.7).
    cabinet_kelvin: float = 3.4
    intake_drop: float = 3.0

    def for_volume(self, volume: Volume) -> HeaterModel:
        """Return this model with the heat capacity of another tank size; unknown sizes change nothing."""
        return replace(self, wh_per_kelvin=WH_PER_KELVIN.get(volume, self.wh_per_kelvin))
