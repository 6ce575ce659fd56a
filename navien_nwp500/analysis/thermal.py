"""Tank size, showers and COP from recorded statuses (PROTOCOL 6.8 and 14)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ..models import UsableWater
from ..protocol.types import Flag, Volume
from .hot_water import COLD_CELSIUS, SHOWER_LITRES, WH_PER_KELVIN, usable_water
from .recoveries import Recovery

#: The start is left out of the COP: a draw often causes it, the machine warms, and cold water below
#: the lower sensor passes it (PROTOCOL 14.2: up to 18 min).
_START_MS = 30 * 60_000
#: An element makes the upper sensor show too much for so long (PROTOCOL 14.8).
_ELEMENT_EFFECT_MS = 2 * 3_600_000
#: Heat lost through the jacket, W per K above the air.
_JACKET = 2.36


@dataclass(frozen=True)
class Assumptions:
    """Values that a recording does not contain.

    ``tank`` None: estimated from the heater's energy counts where recorded, else 65 gallons. The
    heater does not measure the mains water.
    """

    tank: Volume | None = None
    shower_litres: float = SHOWER_LITRES
    cold_celsius: float = COLD_CELSIUS


class TankSize(NamedTuple):
    """A tank size and its source: ``said`` by the user, ``counted`` or ``assumed``."""

    volume: Volume
    known: str

    @property
    def litres(self) -> float:
        return self.volume.litres or math.nan

    @property
    def wh_per_k(self) -> float:
        return WH_PER_KELVIN[self.volume]

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
        volume = min(WH_PER_KELVIN, key=lambda size: abs(WH_PER_KELVIN[size] - slope))
        if abs(WH_PER_KELVIN[volume] / slope - 1) < 0.1:
            return TankSize(volume, "counted")
    return TankSize(Volume.GALLONS_65, "assumed")


def _rows_by_setpoint(table: pd.DataFrame, usable: pd.Series) -> Iterable[pd.Index]:
    kept = table[usable]
    return [part.index for _, part in kept.groupby(["setpoint", "mode"], dropna=False)]


def showers(statuses: pd.DataFrame, tank: TankSize, assume: Assumptions) -> pd.DataFrame:
    """Return the showers that each status allows without heating, and the ends of their range.

    Columns ``showers``, ``showers_least`` and ``showers_most``, and ``few`` where so little water is
    left that the range alone is worth saying; NaN without sensor values. Needs the columns of
    ``intervals.add_intervals``.
    """
    element_at = statuses["ms"].where(statuses["element"]).ffill()
    ran = statuses["ms"] - element_at <= _ELEMENT_EFFECT_MS
    cases = pd.DataFrame({"upper": statuses["upper"], "lower": statuses["lower"], "ran": ran})
    found: dict[tuple[float, float, bool], tuple[float, float, float]] = {}
    # Sensors have steps of 0.1 K: a year has far fewer cases than statuses.
    for upper, lower, element_ran in cases.dropna().drop_duplicates().itertuples(index=False):
        water = usable_water(
            upper, lower, volume=tank.volume, cold=assume.cold_celsius, element_ran=element_ran
        )
        found[upper, lower, element_ran] = water.estimate, water.least, water.most
    nothing = (math.nan, math.nan, math.nan)
    litres = [found.get(case, nothing) for case in cases.itertuples(index=False, name=None)]
    columns = ["showers", "showers_least", "showers_most"]
    water = pd.DataFrame(litres, index=statuses.index, columns=columns)
    return (water / assume.shower_litres).assign(few=water["showers"] < UsableWater.FEW)


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
    """Estimate the COP from recoveries of the heat pump alone, without their first half hour.

    Nothing was drawn later. Heat stored is the change of the sensors' mean times the tank's heat
    capacity, plus the loss of the jacket. An unseen draw makes the estimate too low, never too high.
    """
    parts_of_runs = [
        _settled(statuses, each) for each in found if each.whole and not each.element_wh
    ]
    runs = [_run(part, tank) for part in parts_of_runs if _quiet(part)]
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
        f"from {len(runs)} of {len(found)} recoveries: whole, heat pump alone, no draw seen "
        f"after the first half hour, which is left out; tank of {tank.wh_per_k:.0f} Wh/K at the mean of its two sensors, {_JACKET} W/K lost to the "
        "air. A short draw between readings makes it look lower than it is",
    )


def _settled(statuses: pd.DataFrame, run: Recovery) -> pd.DataFrame:
    """Return the statuses of a recovery after its first half hour."""
    part = statuses.iloc[run.first : run.last + 1]
    return part[part["ms"] >= part["ms"].iloc[0] + _START_MS]


def _quiet(part: pd.DataFrame) -> bool:
    sensors = part[["upper", "lower"]]
    return bool(
        len(part) > 1
        and part["dhw_use"].notna().all()
        and not (part["dhw_use"] == Flag.ACTIVE).any()
        and sensors.notna().all(axis=None)
        # While heating neither sensor falls by itself, so this is a draw between two statuses.
        and not (sensors.diff() < -0.5).any(axis=None)
    )


def _run(part: pd.DataFrame, tank: TankSize) -> _Run:
    mean = part[["upper", "lower"]].mean(axis=1)
    air = part["ambient"].median()
    warmer = float(mean.mean() - (20.0 if np.isnan(air) else air))
    hours = float(part["ms"].iloc[-1] - part["ms"].iloc[0]) / 3.6e6
    electric = float((part["heat_pump_watts"] * part["length"]).iloc[:-1].sum()) / 3.6e6
    stored = tank.wh_per_k * float(mean.iloc[-1] - mean.iloc[0])
    # Each sensor jitters by 0.2 K; start and end lie anywhere within an interval.
    interval_hours = float(part["usual"].iloc[0]) / 3.6e6
    timing = stored * interval_hours / math.sqrt(6) / hours
    blur = math.hypot(tank.wh_per_k * 0.2, timing)
    return _Run(stored, max(0.0, _JACKET * warmer * hours), electric, blur)


def _reason(statuses: pd.DataFrame, found: Sequence[Recovery]) -> str:
    if statuses["dhw_use"].isna().all():
        return "the recording has no column that tells draws"
    if not any(run.whole for run in found):
        return "no recovery was recorded from its start to its end"
    return "water was drawn, or an element helped, in every recovery long enough"
