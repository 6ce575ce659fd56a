"""Wishes for a plan, and the proposal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

from ...protocol.types import DHWMode, Volume
from ..hot_water import COLD_CELSIUS
from .draw_profile import DrawHistory
from .heating_plan import HeatingPlan
from .model_fit import ModelFit
from .zone_arrays import Array


class TrialWeek(NamedTuple):
    """A week for the simulator: heat drawn at the tap in each step in Wh, and where."""

    draws: Array
    showers: Array
    month: int
    air: float
    cold: float
    minimum: float
    volume: Volume


class SimulatedWeek(NamedTuple):
    """Result of the simulator: Wh of each step, and the rest from Monday on.

    Heat stored at start and end in Wh, the coldest water while somebody draws in degC, showers missed.
    """

    watt_hours: Array
    stored_start: float
    stored_end: float
    coldest: float
    missed: int


class Confirm(Protocol):
    """Try a plan in the simulator."""

    def __call__(self, plan: HeatingPlan, week: TrialWeek) -> SimulatedWeek:
        """Return what a week with this plan is like."""


@dataclass(frozen=True)
class PlanWishes:
    """Wishes of people; temperatures in degC.

    ``floor``: coldest water while somebody draws, ``min_showers``: showers that are always there; None:
    no worse than with the present settings. ``highest``: highest setpoint; None: the present one.
    ``trial_weeks``: weeks, 1 to 4, in which the simulator tries a plan.
    """

    floor: float | None = None
    min_showers: float | None = None
    highest: float | None = None
    modes: tuple[DHWMode, ...] = (DHWMode.HEAT_PUMP,)
    cold: float = COLD_CELSIUS
    shower_litres: float = 60.0
    seed: int = 1
    trial_weeks: int = 3


class YearFigures(NamedTuple):
    """Figures of a plan: cost and kWh of a year, starts of a week, showers missed in a year.

    ``coldest``: water while somebody draws, in degC; ``coldest_at``: day of the week, Monday 0, and step
    of 5 minutes. ``fewest``: litres at 40 degC at the worst moment.
    """

    cost: float
    kwh: float
    starts: float
    coldest: float
    coldest_at: tuple[int, int]
    missed: float
    fewest: float


class Saving(NamedTuple):
    """Saving of a year with its 80 % band."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PlanProposal:
    """The result. ``plan`` is None when nothing is worth changing, or nothing keeps the limits.

    ``bound``: no plan saves more in a year; ``bound_times``: what heating at other
    times alone saves at most. ``simulated``: saving of the confirmed weeks by simulator and by model, a year.
    ``verdict`` is a sentence for people. ``window_prices``: mean price of a kWh inside and outside of
    the plan's windows.
    """

    verdict: str
    present: HeatingPlan
    present_figures: YearFigures
    bound: float
    bound_times: float
    currency: str | None
    plan: HeatingPlan | None = None
    figures: YearFigures | None = None
    saving: Saving | None = None
    simulated: tuple[float, float] | None = None
    rejected: HeatingPlan | None = None
    notes: tuple[str, ...] = ()
    days: int = 0
    fit: ModelFit | None = None
    draws: DrawHistory | None = None
    window_prices: tuple[Decimal, Decimal] = (Decimal(2), Decimal(1))
