"""Plans over sample weeks, all at once: a fast plant under the heater's rules.

Arrays have the plans as rows and the weeks as columns. All plans meet the same draws, prices and air,
so that their differences are those of the plans alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Sequence

import numpy as np

from ...protocol.types import DHWMode
from ..heater_model import HeaterModel
from ..hot_water import SHOWER_CELSIUS
from ..two_zone import WH_PER_LITRE_KELVIN
from . import start_rules
from .heating_plan import DAY_STEPS, STEP_MINUTES, WEEK_STEPS, HeatingPlan
from .tank_layers import Tanks
from .zone_arrays import Array, heat_watts, power_watts

_SECONDS = STEP_MINUTES * 60.0
_HOURS = _SECONDS / 3600
#: So near to the threshold of a start in a window, in K, nobody knows whether the heater starts.
DOUBTFUL_KELVIN = 1.5


@dataclass(frozen=True)
class SampleWeeks:
    """Weeks to try plans on; arrays have a row for each step and a column for each week.

    ``draws``: heat taken at the tap in Wh. ``showers``: whether the step is part of a draw as large
    as a shower. ``prices``: of a kWh. ``months``: calendar month of each week. ``shares``: weeks of a
    year for which each stands. ``worlds``: weeks with one number belong to one possible year. ``air``
    and ``cold`` in degC.
    """

    draws: Array
    showers: Array
    prices: Array
    months: Sequence[int]
    shares: Array
    worlds: Array
    air: float
    cold: float


class Limits(NamedTuple):
    """Limits of one heater and its people.

    ``minimum``: the installer's lowest setpoint. ``floor``: coldest water while somebody draws, in
    degC. ``min_showers``: showers that are always there. None: no worse than at present.
    """

    minimum: float
    floor: float | None = None
    min_showers: float | None = None
    shower_litres: float = 60.0


@dataclass(frozen=True)
class WeekResults:
    """Results of each plan (row) in each week (column).

    ``cost`` is for equal heat at the end: what is left is valued at the mean price. ``coldest`` is the
    coldest water in degC while somebody draws, at step ``coldest_step``. ``missed``: showers that
    became colder than 40 degC. ``fewest``: litres at 40 degC at the worst moment. ``doubtful``: a start
    in a window that the model cannot decide. ``watts``: of each step, if asked for.
    """

    cost: Array
    watt_hours: Array
    starts: Array
    coldest: Array
    coldest_step: Array
    missed: Array
    fewest: Array
    doubtful: Array
    watts: Array = None


class _Counts:
    """Sums of a run, from the first Monday on."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.cost, self.watt_hours, self.starts, self.missed = (np.zeros(shape) for _ in range(4))
        self.coldest, self.fewest = np.full(shape, 99.0), np.full(shape, 9999.0)
        self.coldest_step: Array = np.zeros(shape, dtype=int)
        self.doubtful: Array = np.zeros(shape, dtype=bool)
        self.cold_before: Array = np.zeros(shape, dtype=bool)

    def add_draw(self, step: int, where: Array, outlet: Array, shower: Array) -> None:
        """Note the water that a draw gets."""
        colder = outlet < self.coldest[:, where]
        self.coldest[:, where] = np.where(colder, outlet, self.coldest[:, where])
        self.coldest_step[:, where] = np.where(colder, step, self.coldest_step[:, where])
        cold = (outlet < SHOWER_CELSIUS) & shower
        self.missed[:, where] += cold & ~self.cold_before[:, where]
        self.cold_before[:, where] = cold


class PlanRunner:
    """Run plans of one heater over sample weeks."""

    def __init__(self, model: HeaterModel, weeks: SampleWeeks, limits: Limits) -> None:
        self.model, self.weeks, self.limits = model, weeks, limits
        self.window_start = start_rules.WINDOW_START
        cop = heat_watts(model, np.array(50.0), weeks.air) / power_watts(
            model, np.array(50.0), weeks.air
        )
        #: Value of a Wh of heat that is left at the end, by week.
        self._heat_price = weeks.prices.mean(axis=0) / float(cop) / 1000

    def heat_price(self, column: int) -> float:
        """Return what a Wh of heat that is left at the end of a week is worth."""
        return float(self._heat_price[column])

    def run(self, plans: Sequence[HeatingPlan], *, keep_watts: bool = False) -> WeekResults:
        """Return the results of each plan in each week."""
        weeks, shape = self.weeks, (len(plans), len(self.weeks.months))
        setpoints = np.stack([plan.setpoints() for plan in plans], axis=1)[:, :, None]
        changed = np.diff(setpoints, axis=0, prepend=setpoints[-1:]) != 0
        held = np.stack([plan.held(weeks.months) for plan in plans], axis=1)
        modes = np.array([[plan.mode] for plan in plans])
        top = np.broadcast_to(setpoints[0], shape)
        tanks = Tanks(self.model, top, top - 5.0)
        counts = _Counts(shape)
        running: Array = np.zeros(shape, dtype=bool)
        element: Array = np.zeros(shape, dtype=bool)
        watts = np.zeros((WEEK_STEPS, *shape)) if keep_watts else None
        stored = tanks.stored_wh()
        for step in range(WEEK_STEPS):
            if step == DAY_STEPS:
                counts, stored = _Counts(shape), tanks.stored_wh()
            setpoint, window = setpoints[step], held[step]
            upper = tanks.upper
            before = running
            running = self._heat_pump(tanks, upper, running, setpoint, window, changed[step])
            if (modes != DHWMode.HEAT_PUMP).any():
                raised = changed[step] & (setpoint > setpoints[step - 1])
                element = self._element(upper, element, setpoint, modes, raised)
            used = self._heat(tanks, running, element, running & ~before)
            counts.starts += running & ~before
            counts.watt_hours += used
            counts.cost += used * (weeks.prices[step] / 1000)
            if watts is not None:
                watts[step] = used / _HOURS
            if window.any():
                near = np.abs(setpoint - upper - start_rules.WINDOW_START) < DOUBTFUL_KELVIN
                counts.doubtful |= window & ~running & near
            self._draw(tanks, counts, step)
        counts.cost += (stored - tanks.stored_wh()) * self._heat_price
        return self._results(counts, watts)

    def _heat_pump(
        self,
        tanks: Tanks,
        upper: Array,
        running: Array,
        setpoint: Array,
        window: Array,
        changed: Array,
    ) -> Array:
        if changed.any():
            judged = start_rules.after_new_setpoint(upper, setpoint, window)
            running = np.where(changed, judged, running)
        return start_rules.by_sensors(
            self.model,
            running,
            upper,
            tanks.lower,
            setpoint,
            window,
            minimum=self.limits.minimum,
            window_start=self.window_start,
        )

    def _element(
        self, upper: Array, element: Array, setpoint: Array, modes: Array, raised: Array
    ) -> Array:
        saver = start_rules.saver_element(
            element, upper, setpoint, raised, minimum=self.limits.minimum
        )
        demand = start_rules.demand_element(element, upper, setpoint, raised)
        return np.where(
            modes == DHWMode.ENERGY_SAVER, saver, demand & (modes == DHWMode.HIGH_DEMAND)
        )

    def _heat(self, tanks: Tanks, running: Array, element: Array, started: Array) -> Array:
        """Heat for a step; return the electricity used in Wh."""
        model, air, water = self.model, self.weeks.air, tanks.heated
        # A run cools the air that it takes in; the figures of PROTOCOL 14.2 are by the air at rest.
        heat = np.where(running, heat_watts(model, water, air), 0.0)
        used = np.where(running, power_watts(model, water, air) * _HOURS, 0.0)
        used = used + np.where(started, model.start_wh, 0.0)
        power: Array = 0.0
        if element.any():
            power = np.where(element, model.element_watts, 0.0)
            used = used + power * _HOURS
        tanks.step(_SECONDS, air, heat, power)
        return used

    def _draw(self, tanks: Tanks, counts: _Counts, step: int) -> None:
        weeks = self.weeks
        wanted = weeks.draws[step]
        where = np.flatnonzero(wanted > 0)
        if len(where):
            outlet = tanks.outlet[:, where]
            # Warm water is mixed with less cold water; below 40 degC nothing is mixed.
            warm = np.maximum(outlet, SHOWER_CELSIUS) - weeks.cold
            litres = wanted[where] / (WH_PER_LITRE_KELVIN * warm)
            tanks.draw(where, litres, weeks.cold)
            outlet = np.minimum(outlet, tanks.outlet[:, where])
            counts.add_draw(step, where, outlet, weeks.showers[step, where])
        if step % 3 == 0:
            counts.fewest = np.minimum(counts.fewest, self._litres(tanks))

    def _litres(self, tanks: Tanks) -> Array:
        """Return the litres at 40 degC without heating, the estimate of ``hot_water``."""
        cold, model = self.weeks.cold, self.model
        mean = tanks.stored_wh() / model.wh_per_kelvin
        last = 19.0 * WH_PER_LITRE_KELVIN * (tanks.upper - cold) * (tanks.upper >= 40.6)
        heat = np.maximum(0.0, model.wh_per_kelvin * (mean - model.empty_celsius)) + last
        return heat / (WH_PER_LITRE_KELVIN * (SHOWER_CELSIUS - cold))

    def _results(self, counts: _Counts, watts: Array) -> WeekResults:
        return WeekResults(
            counts.cost,
            counts.watt_hours,
            counts.starts,
            counts.coldest,
            counts.coldest_step,
            counts.missed,
            counts.fewest,
            counts.doubtful,
            watts,
        )
