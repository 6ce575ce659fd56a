"""Sums over the hours, the days and the whole of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..history.alerts import LOW_CHARGE_PERCENT
from ..history.recordings import Recording
from ..protocol.tou import TOUPeriod
from .causes import Knowledge, RunCause
from .causes.recorded_causes import causes_of
from .costs import COSTS, Prices, add_costs, price_table, prices_over
from .intervals import DAY_MS, HOUR_MS, add_intervals, split_intervals
from .prices import PriceSeries, PriceSource, plan_prices
from .recoveries import AlertSpan, Gap, Recovery, SettingChange, alerts, changes, gaps, recoveries
from .thermal import Assumptions, Cop, TankSize, cop_of, showers, tank_of

_ENERGY = ("heat_pump_wh", "element_wh", "other_wh")
_TIMES = ("heat_pump_ms", "element_ms", "low_charge_ms", "ms")


@dataclass(frozen=True)
class Report:
    """Sums of a recording.

    ``hours`` and ``days`` have a row for each hour or day with a status. ``local``: its start in
    ms, in the recording's zone (an hour repeated by a clock change has two rows with different
    ``offset``). Energies in Wh, times in ms, shares from 0 to 1. ``prices`` has a row for each
    price, or band of prices: Wh and cost; ``tariff`` names it. Unknown values are NaN, and
    estimates of showers from less than 100 litres, which have a range alone (``…_least`` and
    ``…_most``).
    """

    recording: Recording
    assume: Assumptions
    tank: TankSize
    statuses: pd.DataFrame
    hours: pd.DataFrame
    days: pd.DataFrame
    total: pd.Series
    prices: pd.DataFrame | None
    tariff: PriceSeries | None
    gaps: Sequence[Gap]
    recoveries: Sequence[Recovery]
    changes: Sequence[SettingChange]
    alerts: Sequence[AlertSpan]
    cop: Cop
    #: Of each recovery, what started and stopped it; None where that cannot be told.
    causes: Sequence[RunCause | None] = ()


def summarize(
    recording: Recording,
    assume: Assumptions = Assumptions(),
    periods: Sequence[TOUPeriod] | None = None,
    tariff: PriceSource | None = None,
) -> Report:
    """Sum a recording, with costs by a ``tariff``, or by the ``periods`` of the heater's own plan.

    Raises ValueOutOfRangeError when the periods do not give each minute exactly one price,
    ConfigurationError when the tariff has no price for any time of the recording.
    """
    source = tariff if periods is None else plan_prices(periods)
    statuses = add_intervals(recording.table)
    prices = None if source is None else prices_over(statuses, source)
    tank = tank_of(statuses, assume.tank)
    statuses = statuses.assign(
        usable_wh=statuses["total_wh"] - statuses["missing_wh"],
        **showers(statuses, tank, assume),
    )
    pieces = _pieces(statuses, prices)
    hours = _hours(pieces, statuses)
    found = recoveries(statuses)
    changed, alarms = changes(statuses), alerts(statuses)
    days = _days(pieces, statuses).join(
        [
            _per_day("recoveries", [run.start for run in found]),
            _per_day("changes", [change.when for change in changed]),
            _per_day("alerts", [alarm.start for alarm in alarms]),
            _longest(found),
        ]
    )
    counts = ["recoveries", "changes", "alerts"]
    days[counts] = days[counts].fillna(0).astype(int)
    return Report(
        recording=recording,
        assume=assume,
        tank=tank,
        statuses=statuses,
        hours=hours,
        days=days.reset_index(),
        total=_total(pieces, statuses),
        prices=None if prices is None else price_table(pieces, _ENERGY),
        tariff=None if prices is None else prices.series,
        gaps=gaps(statuses),
        recoveries=found,
        changes=changed,
        alerts=alarms,
        cop=cop_of(statuses, found, tank),
        causes=causes_of(statuses, found, _known(recording)),
    )


def _known(recording: Recording) -> Knowledge:
    zone = None if recording.zone is None else ZoneInfo(recording.zone)
    return Knowledge(requests=recording.requests, zone=zone)


def _pieces(statuses: pd.DataFrame, prices: Prices | None) -> pd.DataFrame:
    """Split the intervals at hours and prices, with the energies and times of each piece."""
    pieces = split_intervals(statuses, HOUR_MS if prices is None else prices.step_ms)
    row = pieces["row"].to_numpy()

    def of(column: str) -> np.ndarray:
        return statuses[column].to_numpy()[row]  # type: ignore[no-any-return]

    for name in _ENERGY:
        pieces[name] = of(name.replace("_wh", "_watts")) * pieces["ms"] / HOUR_MS
    pieces["heat_pump_ms"] = pieces["ms"] * of("heat_pump")
    pieces["element_ms"] = pieces["ms"] * of("element")
    pieces["low_charge_ms"] = pieces["ms"] * (of("charge") < LOW_CHARGE_PERCENT)
    pieces["day"] = pieces["local"] // DAY_MS * DAY_MS
    # In UTC, so that an hour repeated by a clock change counts as two.
    pieces["hour"] = pieces["local"] // HOUR_MS * HOUR_MS - pieces["offset"]
    if prices is not None:
        add_costs(pieces, prices, _ENERGY)
    return pieces


def _sums(pieces: pd.DataFrame, statuses: pd.DataFrame, key: str) -> pd.DataFrame:
    """Sum the pieces by hour or day; other values come from the statuses in it."""
    grouped = pieces.groupby(key)
    sums = grouped[[*_ENERGY, *_TIMES]].sum()
    if COSTS[0] in pieces:  # unknown where nothing has a price
        sums = sums.join(grouped[list(COSTS)].sum(min_count=1))
    first = pieces[pieces["first"]]
    readings = statuses.assign(key=first[key].to_numpy()).groupby("key")
    sums = sums.join(
        readings.agg(
            readings=("ms", "size"),
            starts=("start", "sum"),
            lowest_charge=("charge", "min"),
            charge=("charge", "last"),
            highest_power=("power", "max"),
            upper=("upper", "mean"),
            lower=("lower", "mean"),
            ambient=("ambient", "mean"),
            setpoint=("setpoint", "last"),
            mode=("mode", "last"),
            usable_wh=("usable_wh", "last"),
            lowest_showers=("showers", "min"),
            lowest_showers_least=("showers_least", "min"),
            lowest_showers_most=("showers_most", "min"),
            few=("few", "any"),
        )
    )
    sums["lowest_showers"] = sums["lowest_showers"].where(~sums.pop("few").astype(bool))
    sums[["readings", "starts"]] = sums[["readings", "starts"]].fillna(0).astype(int)
    return _shares(sums)


def _shares(sums: pd.DataFrame) -> pd.DataFrame:
    known = sums["ms"].where(sums["ms"] > 0)
    energy = sums[list(_ENERGY)].sum(axis=1)
    return sums.assign(
        energy_wh=energy, mean_power=energy / (known / HOUR_MS), duty=sums["heat_pump_ms"] / known
    )


def _hours(pieces: pd.DataFrame, statuses: pd.DataFrame) -> pd.DataFrame:
    hours = _sums(pieces, statuses, "hour")
    hours["offset"] = pieces.groupby("hour")["offset"].first()
    hours.insert(0, "local", hours.index + hours["offset"])
    hours["coverage"] = (hours["ms"] / HOUR_MS).clip(upper=1)
    return hours.reset_index(drop=True)


def _days(pieces: pd.DataFrame, statuses: pd.DataFrame) -> pd.DataFrame:
    days = _sums(pieces, statuses, "day")
    days.index.name = "local"
    days["length"] = _lengths(pieces)
    days["coverage"] = (days["ms"] / days["length"]).clip(upper=1)
    for hour in (6, 18):
        # Pieces are split on the hour: one starts here when a status was valid at that time.
        at = pieces[(pieces["local"] % DAY_MS == hour * HOUR_MS) & (pieces["ms"] > 0)]
        at = at.drop_duplicates("day").set_index("day")
        then = statuses.reindex(at["row"]).set_axis(at.index)
        days[f"showers_{hour:02d}"] = then["showers"].where(~then["few"].astype(bool))
        for edge in ("least", "most"):
            days[f"showers_{hour:02d}_{edge}"] = then[f"showers_{edge}"]
    return days


def _lengths(pieces: pd.DataFrame) -> pd.Series:
    """Return the length of each day, 24 hours except at clock changes."""
    offsets = pieces.groupby("day")["offset"].agg(["first", "last"])
    # A clock change in a gap at the start of a day shows in comparison with the day before.
    yesterday = offsets["last"].shift()
    yesterday = yesterday.where(offsets.index.to_series().diff() == DAY_MS, offsets["first"])
    return DAY_MS - (offsets["last"] - yesterday)


def _per_day(name: str, moments: Sequence[datetime]) -> pd.Series:
    days = pd.Series([_day(when) for when in moments], dtype="int64")
    return days.value_counts().rename(name)


def _longest(found: Sequence[Recovery]) -> pd.Series:
    lengths = pd.Series(
        [run.hours for run in found], index=[_day(run.start) for run in found], dtype=float
    )
    return lengths.groupby(level=0).max().rename("longest_recovery_h")


def _day(when: datetime) -> int:
    local = when.replace(tzinfo=None)
    return int(np.datetime64(local, "D").astype("datetime64[ms]").astype("int64"))


def _total(pieces: pd.DataFrame, statuses: pd.DataFrame) -> pd.Series:
    total = _sums(pieces.assign(all=0), statuses, "all").iloc[0]
    span = statuses["ms"].iloc[-1] - statuses["ms"].iloc[0]
    total["length"] = span
    total["coverage"] = total["ms"] / span if span else 0.0
    return total
