"""Tank size, showers and COP from recorded statuses (PROTOCOL 6.8 and 14)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ..protocol.types import Flag, Volume
from .recoveries import Recovery

#: Shower water, degrees Celsius. A layer of the tank below it gives none.
SHOWER_CELSIUS = 40.0
#: Heat capacity by the heater's own energy counts, Wh/K (65 gallons measured, others scaled).
_WH_PER_K = {Volume.GALLONS_50: 216.0, Volume.GALLONS_65: 281.0, Volume.GALLONS_80: 346.0}
_WH_PER_LITRE_K = 1.163
#: Heat lost through the jacket, W per K above the air.
_JACKET = 2.36


@dataclass(frozen=True)
class Assumptions:
    """Values that a recording does not contain.

    ``tank`` None: estimated from the heater's energy counts where recorded, else 65 gallons. The
    heater does not measure the mains water.
    """

    tank: Volume | None = None
    shower_litres: float = 60.0
    cold_celsius: float = 15.0


class TankSize(NamedTuple):
    """A tank size and its source: ``said`` by the user, ``counted`` or ``assumed``."""

    volume: Volume
    known: str

    @property
    def litres(self) -> float:
        return self.volume.litres or math.nan

    @property
    def wh_per_k(self) -> float:
        return _WH_PER_K[self.volume]

    @property
    def text(self) -> str:
        ways = {
            "said": "as you said",
            "counted": "told from the heater's energy counts",
            "assumed": "assumed, the recording does not tell",
        }
        gallons = self.volume.name.rpartition("_")[2]
        return f"{gallons} gallons, {self.litres:.0f} litres ({ways[self.known]})"


def tank_of(table: pd.DataFrame, said: Volume | None) -> TankSize:
    """Return the given size, or estimate it from the missing energy and the sensors' mean."""
    if said is not None:
        return TankSize(said, "said")
    mean = (table["upper"] + table["lower"]) / 2
    # 0 is a minimum, and the target moves with the setpoint.
    usable = (table["missing_wh"] > 0) & mean.notna() & table["setpoint"].notna()
    groups = [(mean[rows], table["missing_wh"][rows]) for rows in _rows_by_setpoint(table, usable)]
    spread = sum(float(((x - x.mean()) ** 2).sum()) for x, _ in groups)
    if spread > 20:
        together = sum(float(((x - x.mean()) * (y - y.mean())).sum()) for x, y in groups)
        slope = -together / spread
        volume = min(_WH_PER_K, key=lambda size: abs(_WH_PER_K[size] - slope))
        if abs(_WH_PER_K[volume] / slope - 1) < 0.1:
            return TankSize(volume, "counted")
    return TankSize(Volume.GALLONS_65, "assumed")


def _rows_by_setpoint(table: pd.DataFrame, usable: pd.Series) -> Iterable[pd.Index]:
    kept = table[usable]
    return [part.index for _, part in kept.groupby(["setpoint", "mode"], dropna=False)]


def showers(table: pd.DataFrame, tank: TankSize, assume: Assumptions) -> pd.Series:
    """Return the number of showers without further heating; NaN without sensor values.

    Assumes a linear temperature profile from the lower sensor at the bottom to the upper sensor at
    the top; water that is warm enough is mixed with mains water to shower temperature.
    """
    coldest, warmest = (table[["upper", "lower"]].agg(edge, axis=1) for edge in ("min", "max"))
    # Sensors that agree within a hundredth mean a tank of uniform temperature.
    spread = (warmest - coldest).clip(lower=0.01)
    part = ((warmest - SHOWER_CELSIUS) / spread).clip(0, 1)
    mean = (coldest.clip(lower=SHOWER_CELSIUS) + warmest) / 2
    litres = tank.litres * part * (mean - assume.cold_celsius)
    known = table["upper"].notna() & table["lower"].notna()
    each = assume.shower_litres * (SHOWER_CELSIUS - assume.cold_celsius)
    return (litres / each).where(known)


class Cop(NamedTuple):
    """An estimate with its margin (two standard deviations), or the reason why there is none."""

    value: float | None
    margin: float | None
    runs: int
    text: str


class _Run(NamedTuple):
    """Heat into the tank and electric energy of a recovery, Wh, with their uncertainties."""

    stored: float
    lost: float
    electric: float
    blur: float


def cop_of(statuses: pd.DataFrame, found: Sequence[Recovery], tank: TankSize) -> Cop:
    """Estimate the COP from recoveries of the heat pump alone in which nothing was drawn.

    Heat stored is the change of the sensors' mean times the tank's heat capacity, plus the
    loss of the jacket. An unseen draw makes the estimate too low, never too high.
    """
    runs = [_run(statuses, each, tank) for each in found if _quiet(statuses, each)]
    electric = sum(run.electric for run in runs)
    if not runs or electric < 500:
        return Cop(None, None, len(runs), _reason(statuses, found))
    lost = sum(run.lost for run in runs)
    heat = sum(run.stored for run in runs) + lost
    # In parts of the heat: capacity (rated, nominal and counted volumes differ), layers between
    # the two sensors, the jacket (1.5 to 3 W/K in single windows), and the uncertainty of each run.
    blur = math.sqrt(sum(run.blur**2 for run in runs))
    parts = (0.05, 0.10, 0.4 * lost / heat, blur / heat) if heat > 0 else (1.0,)
    margin = 2 * math.sqrt(sum(part**2 for part in parts))
    if margin > 0.5:
        return Cop(None, None, len(runs), "the few quiet recoveries warmed the tank too little")
    value = heat / electric
    return Cop(
        value,
        value * margin,
        len(runs),
        f"from {len(runs)} of {len(found)} recoveries: whole, heat pump alone, no draw seen; tank "
        f"of {tank.wh_per_k:.0f} Wh/K at the mean of its two sensors, {_JACKET} W/K lost to the "
        "air. A short draw between readings makes it look lower than it is",
    )


def _quiet(statuses: pd.DataFrame, run: Recovery) -> bool:
    part = statuses.iloc[run.first : run.last + 1]
    sensors = part[["upper", "lower"]]
    return bool(
        run.whole
        and not run.element_wh
        and part["dhw_use"].notna().all()
        and not (part["dhw_use"] == Flag.ACTIVE).any()
        and sensors.notna().all(axis=None)
        # While heating neither sensor falls by itself, so this is a draw between two statuses.
        and not (sensors.diff() < -0.5).any(axis=None)
    )


def _run(statuses: pd.DataFrame, run: Recovery, tank: TankSize) -> _Run:
    part = statuses.iloc[run.first : run.last + 1]
    mean = part[["upper", "lower"]].mean(axis=1)
    air = part["ambient"].median()
    warmer = float(mean.mean() - (20.0 if np.isnan(air) else air))
    electric = run.heat_pump_wh
    stored = tank.wh_per_k * float(mean.iloc[-1] - mean.iloc[0])
    # Each sensor jitters by 0.2 K; start and end lie anywhere within an interval.
    interval_hours = float(part["usual"].iloc[0]) / 3.6e6
    timing = stored * interval_hours / math.sqrt(6) / run.hours if run.hours else stored
    blur = math.hypot(tank.wh_per_k * 0.2, timing)
    return _Run(stored, max(0.0, _JACKET * warmer * run.hours), electric, blur)


def _reason(statuses: pd.DataFrame, found: Sequence[Recovery]) -> str:
    if statuses["dhw_use"].isna().all():
        return "the recording has no column that tells draws"
    if not any(run.whole for run in found):
        return "no recovery was recorded from its start to its end"
    return "water was drawn, or an element helped, in every recovery long enough"
