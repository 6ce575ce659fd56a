"""A plan tried in the simulated heater itself, without its cloud."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError
from ...protocol.schedules import ReservationProgram
from ...protocol.tou import encode_tou_mqtt
from ...protocol.types import HalfCelsius

if TYPE_CHECKING:
    from ...analysis.planning.heating_plan import HeatingPlan
    from ...analysis.planning.proposal import SimulatedWeek, TrialWeek

_WH_PER_LITRE_KELVIN = 1.163
_WARM = 40.0


def simulate_week(plan: HeatingPlan, week: TrialWeek) -> SimulatedWeek:
    """Return what a plan does in a week of the simulated heater, a Sunday before it included.

    Draws take as much water as their heat needs at the temperature of the moment, as behind a mixing
    tap. Raises ConfigurationError without the simulator's packages.
    """
    try:
        import numpy as np

        from ...analysis.planning.heating_plan import DAY_STEPS
        from ...analysis.planning.proposal import SimulatedWeek
        from ...simulator import Heater
    except ModuleNotFoundError as error:
        raise ConfigurationError(str(error)) from error
    heater = Heater(
        now=_sunday(week.month),
        mode=plan.mode,
        setpoint=plan.setpoint,
        min_setpoint=HalfCelsius.from_celsius(week.minimum),
        upper_celsius=plan.setpoint.celsius,
        lower_celsius=plan.setpoint.celsius - 5.0,
        air_celsius=week.air,
        inlet_celsius=week.cold,
        volume=week.volume,
        draws=None,
    )
    heater.write_reservations(ReservationProgram(bool(plan.entries), plan.reservations()))
    periods = plan.periods(Decimal(2), Decimal(1))
    if periods:
        heater.write_tou_plan(True, encode_tou_mqtt(periods))
    used, before = np.zeros(len(week.draws)), _electricity(heater)
    start = coldest = 99.0
    missed, cold_before = 0, False
    for step, heat in enumerate(week.draws):
        if step == DAY_STEPS:
            start, coldest, missed = heater.tank.stored_wh, 99.0, 0
        outlet = heater.tank.outlet
        if heat > 0:
            heater.draw(heat / (_WH_PER_LITRE_KELVIN * (max(outlet, _WARM) - week.cold)), 5)
        heater.advance(300, coarse=True)
        if heat > 0:
            outlet = min(outlet, heater.tank.outlet)
            coldest = min(coldest, outlet)
            cold = bool(week.showers[step]) and outlet < _WARM
            missed += cold and not cold_before
            cold_before = cold
        now = _electricity(heater)
        used[step], before = now - before, now
    return SimulatedWeek(used, start, heater.tank.stored_wh, coldest, missed)


def _electricity(heater: object) -> float:
    total = heater.energy_total  # type: ignore[attr-defined]
    return float(total.heat_pump_wh + total.element_wh)


def _sunday(month: int) -> datetime:
    """Return midnight of a Sunday in the middle of a month."""
    middle = datetime(2026, month, 15, tzinfo=timezone.utc)
    return middle - timedelta(days=(middle.weekday() + 1) % 7)
