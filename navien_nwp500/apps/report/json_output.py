"""A report as JSON types, each name with its unit."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd

from ..._util.files import display_path
from ...analysis.hot_water import SHOWER_CELSIUS
from ...analysis.summary import Report
from ...protocol.types import DHWMode

#: Columns of hours and days: name here, name in the sums, divisor, decimal places.
_COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("coverage_percent", "coverage", 0.01, 1),
    ("readings", "readings", 1, 0),
    ("known_hours", "ms", 3.6e6, 4),
    ("energy_wh", "energy_wh", 1, 1),
    ("heat_pump_wh", "heat_pump_wh", 1, 1),
    ("element_wh", "element_wh", 1, 1),
    ("other_wh", "other_wh", 1, 1),
    ("mean_power_w", "mean_power", 1, 1),
    ("highest_power_w", "highest_power", 1, 0),
    ("heat_pump_hours", "heat_pump_ms", 3.6e6, 4),
    ("element_hours", "element_ms", 3.6e6, 4),
    ("duty_percent", "duty", 0.01, 1),
    ("starts", "starts", 1, 0),
    ("lowest_charge_percent", "lowest_charge", 1, 0),
    ("hours_below_20_percent", "low_charge_ms", 3.6e6, 4),
    ("upper_celsius", "upper", 1, 1),
    ("lower_celsius", "lower", 1, 1),
    ("air_celsius", "ambient", 1, 1),
    ("setpoint_celsius", "setpoint", 1, 1),
    ("usable_wh", "usable_wh", 1, 0),
    ("fewest_showers", "lowest_showers", 1, 1),
    ("fewest_showers_least", "lowest_showers_least", 1, 1),
    ("fewest_showers_most", "lowest_showers_most", 1, 1),
    ("showers_at_06", "showers_06", 1, 1),
    ("showers_at_06_least", "showers_06_least", 1, 1),
    ("showers_at_06_most", "showers_06_most", 1, 1),
    ("showers_at_18", "showers_18", 1, 1),
    ("showers_at_18_least", "showers_18_least", 1, 1),
    ("showers_at_18_most", "showers_18_most", 1, 1),
    ("recoveries", "recoveries", 1, 0),
    ("longest_recovery_hours", "longest_recovery_h", 1, 2),
    ("changes", "changes", 1, 0),
    ("alerts", "alerts", 1, 0),
    ("cost_low", "cost_low", 1, 4),
    ("cost_high", "cost_high", 1, 4),
)


def document(report: Report) -> dict[str, Any]:
    """Return the whole report. Unknown values are None; times have the recording's zone."""
    first, last = (_time(report.statuses.iloc[row]) for row in (0, -1))
    return {
        "files": [
            {
                "path": display_path(source.path),
                "readings": source.readings,
                "torn": source.torn,
                "impossible_times": source.impossible,
            }
            for source in report.recording.sources
        ],
        "zone": report.recording.zone,
        "heater": report.recording.heater,
        "readings_repeated": report.recording.repeated,
        "first": first,
        "last": last,
        "assumptions": {
            "tank_litres": report.tank.litres,
            "tank_known": report.tank.known,
            "shower_litres": report.assume.shower_litres,
            "shower_celsius": SHOWER_CELSIUS,
            "cold_celsius": report.assume.cold_celsius,
        },
        "total": _row(report.total),
        "cost": _cost(report),
        "cop": report.cop._asdict(),
        "days": [{"date": _date(day["local"]), **_row(day)} for _, day in report.days.iterrows()],
        "hours": [{"start": _start(hour), **_row(hour)} for hour in _rows(report.hours)],
        "gaps": _listed(report.gaps),
        "recoveries": [
            {**recovery, "cause": None if cause is None else cause.to_dict()}
            for recovery, cause in zip(_listed(report.recoveries, {"first", "last"}), report.causes)
        ],
        "changes": _listed(report.changes),
        "alerts": _listed(report.alerts),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    # Not iterrows: a year has 8,760 hours.
    return table.to_dict("records")  # type: ignore[no-any-return]


def _row(row: Any) -> dict[str, Any]:
    found = {
        name: _number(row[source] / divisor, places)
        for name, source, divisor, places in _COLUMNS
        if source in row
    }
    mode = row["mode"]
    return {**found, "mode": None if pd.isna(mode) else DHWMode(int(mode)).text}


def _number(value: float, places: int) -> float | int | None:
    if pd.isna(value):
        return None
    return round(float(value), places) if places else round(value)


def _cost(report: Report) -> dict[str, Any] | None:
    if report.prices is None or report.tariff is None:
        return None
    total, tariff = report.total, report.tariff
    names = ("cost_low", "cost_high", "even_low", "even_high")
    return {
        **{name: _number(total[name], 4) for name in names},
        "cost_likely": _number(total["cost_likely"], 4) if tariff.basis else None,
        "basis": tariff.basis or None,
        "tariff": tariff.label or None,
        "currency": tariff.currency,
        "priced_wh": _number(total["priced_wh"], 1),
        "notes": list(tariff.notes),
        "prices": [
            {
                "price_low": row["price_low"],
                "price_high": row["price_high"],
                "energy_wh": _number(row["energy_wh"], 1),
                "known_hours": _number(row["ms"] / 3.6e6, 4),
                "cost_low": _number(row["cost_low"], 4),
                "cost_high": _number(row["cost_high"], 4),
            }
            for row in _rows(report.prices)
        ],
    }


def _listed(found: Any, without: Any = ()) -> list[dict[str, Any]]:
    return [
        {
            field.name: _plain(getattr(each, field.name))
            for field in fields(each)
            if field.name not in without
        }
        for each in found
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return round(value, 1) if isinstance(value, float) else value


def _zone(offset_ms: float) -> timezone:
    return timezone(timedelta(milliseconds=int(offset_ms)))


def _time(row: Any) -> str:
    when = datetime.fromtimestamp(row["ms"] / 1000, _zone(row["offset"]))
    return when.isoformat(timespec="seconds")


def _start(hour: dict[str, Any]) -> str:
    utc_ms = hour["local"] - hour["offset"]
    return datetime.fromtimestamp(utc_ms / 1000, _zone(hour["offset"])).isoformat(
        timespec="minutes"
    )


def _date(local_ms: float) -> str:
    return f"{datetime.fromtimestamp(local_ms / 1000, timezone.utc):%Y-%m-%d}"
