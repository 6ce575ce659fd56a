"""A report in words and tables, for HTML and Markdown."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Sequence

from ...analysis.causes import Reason
from ...analysis.intervals import DAY_MS, HOUR_MS
from ...analysis.summary import Report
from ...protocol.types import DHWMode
from .number_texts import (
    NOTHING,
    count_text,
    hours_text,
    kwh_text,
    money_text,
    number_text,
    percent_text,
)

#: Number of days with hourly tables on the page; all hours are in the JSON.
HOURLY_DAYS = 14


class KeyFigure(NamedTuple):
    """A key figure for the top of the page."""

    name: str
    value: str
    note: str


class ReportTable(NamedTuple):
    """A table: ``name`` is its title, ``note`` a sentence; the first column names the row."""

    name: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def title(report: Report) -> str:
    """Return the period of the report."""
    first, last = (int(edge(report.days["local"])) for edge in (min, max))
    return date(first) if first == last else f"{date(first)} to {date(last)}"


def facts(report: Report) -> list[KeyFigure]:
    """Return the key figures."""
    total = report.total
    known_days = total["ms"] / DAY_MS
    energy = total["energy_wh"]
    whole = [run.hours for run in report.recoveries if run.whole]
    recoveries = count_text(len(report.recoveries), "recovery", "recoveries") + (
        f", {sum(whole) / len(whole):.1f} h on average" if whole else ""
    )
    found = [
        KeyFigure("Energy", f"{kwh_text(energy)} kWh", _split(total)),
        KeyFigure(
            "A day",
            f"{kwh_text(energy / known_days) if known_days else NOTHING} kWh",
            f"mean {number_text(total['mean_power'], '.0f')} W, most {total['highest_power']:.0f} W",
        ),
        KeyFigure(
            "Heat pump",
            f"{hours_text(total['heat_pump_ms'])} h",
            f"{percent_text(total['duty'])} of the time, {count_text(total['starts'], 'start')}; {recoveries}",
        ),
        KeyFigure(
            "Element",
            f"{hours_text(total['element_ms'])} h",
            f"{kwh_text(total['element_wh'])} kWh",
        ),
        KeyFigure(
            "Lowest charge",
            f"{total['lowest_charge']:.0f} %",
            f"{hours_text(total['low_charge_ms'])} h below 20 %",
        ),
    ]
    if not math.isnan(total["lowest_showers_most"]):
        note = f"fewest in the tank, of {report.assume.shower_litres:.0f} litres"
        found.append(KeyFigure("Showers", _showers("lowest_showers")(total), note))
    if report.prices is not None:
        found.append(_cost(report))
    found.append(KeyFigure("COP, estimated", *_cop(report)))
    found.append(
        KeyFigure(
            "Seen",
            f"{math.floor(total['coverage'] * 1000) / 10:.1f} %",
            f"{count_text(total['readings'], 'reading')}; {count_text(len(report.gaps), 'gap')}",
        )
    )
    return found


def _cost(report: Report) -> KeyFigure:
    total, tariff = report.total, report.tariff
    even = money_text(total["even_low"], total["even_high"])
    note = f"the same energy spread evenly over each day: {even}"
    if tariff is not None and tariff.basis:
        note = f"{total['cost_likely']:.2f} {tariff.basis}; {note}"
    money = money_text(total["cost_low"], total["cost_high"])
    currency = "" if tariff is None or tariff.currency is None else f" {tariff.currency}"
    return KeyFigure("Cost", money + currency, note)


def tables(report: Report) -> list[ReportTable]:
    """Return all tables, days first."""
    found = [_days(report)]
    if report.prices is not None:
        found.append(_prices(report))
    found += [
        _recoveries(report),
        ReportTable(
            "Changes",
            "Setpoint and mode, seen from one reading to the next.",
            ("when", "what", "from", "to"),
            [(_stamp(c.when), c.kind, c.before, c.after) for c in report.changes],
        ),
        ReportTable(
            "Alerts",
            "Faults, charge below 20 %, power above 4000 W.",
            ("from", "until", "what"),
            [(_stamp(a.start), _stamp(a.end), a.text) for a in report.alerts],
        ),
        ReportTable(
            "Gaps",
            "No readings between these; nothing is counted in them.",
            ("from", "until", "hours"),
            [
                (_stamp(g.start), _stamp(g.end), f"{(g.end - g.start).total_seconds() / 3600:.1f}")
                for g in report.gaps
            ],
        ),
    ]
    return found


def hourly(report: Report) -> list[ReportTable]:
    """Return a table for each of the last days."""
    hours = report.hours
    day = hours["local"] // DAY_MS * DAY_MS
    last = report.days["local"].tail(HOURLY_DAYS)
    return [
        ReportTable(
            date(local),
            "",
            tuple(_HOUR_COLUMNS),
            [
                [cell(row) for cell in _HOUR_COLUMNS.values()]
                for row in hours[day == local].to_dict("records")
            ],
        )
        for local in last
    ]


def date(local_ms: float) -> str:
    """Format a day, such as Mon 23 Nov 2026."""
    when = _clock(local_ms)
    return f"{when:%a} {when.day} {when:%b %Y}"


def _days(report: Report) -> ReportTable:
    columns = dict(_DAY_COLUMNS)
    if report.prices is not None:
        columns["cost"] = lambda row: money_text(row["cost_low"], row["cost_high"])
    rows = [[cell(row) for cell in columns.values()] for row in report.days.to_dict("records")]
    note = "Energies are of the time seen. h below: hours with the charge below 20 %."
    return ReportTable("Days", note, tuple(columns), rows)


def _recoveries(report: Report) -> ReportTable:
    columns = ("start", "hours", "heat pump, kWh", "element, kWh", "charge, %", "seen")
    rows = [
        (
            _stamp(run.start),
            f"{run.hours:.1f}",
            kwh_text(run.heat_pump_wh),
            kwh_text(run.element_wh),
            f"{run.charge_before} to {run.charge_after}",
            "whole" if run.whole else "in part",
            NOTHING if cause is None else _reason(cause.text, cause.started),
            (
                NOTHING
                if cause is None or cause.stopped is None
                else _reason(cause.stopped.text, cause.stopped)
            ),
        )
        for run, cause in zip(report.recoveries, report.causes)
    ]
    note = (
        "Heating from off to off. Of one not seen whole, what was seen. Why it started and stopped is "
        "told from the statuses: sure, likely where something else fits too, or unknown."
    )
    return ReportTable("Recoveries", note, (*columns, "why it started", "why it stopped"), rows)


def _reason(text: str, reason: Reason) -> str:
    return f"{text} ({reason.certainty})" if reason.certainty != "unknown" else text


def _prices(report: Report) -> ReportTable:
    assert report.prices is not None
    rows = [
        (
            money_text(row["price_low"], row["price_high"], 5),
            kwh_text(row["energy_wh"]),
            hours_text(row["ms"]),
            money_text(row["cost_low"], row["cost_high"]),
        )
        for row in report.prices.to_dict("records")
    ]
    currency = None if report.tariff is None else report.tariff.currency
    note = f"Prices and costs in {currency or 'the money of the tariff'}."
    return ReportTable("Prices", note, ("price per kWh", "kWh", "hours seen", "cost"), rows)


def _number(name: str, form: str, divisor: float = 1) -> Callable[[Any], str]:
    return lambda row: number_text(row[name] / divisor, form)


def _showers(name: str) -> Callable[[Any], str]:
    """Return the cell of a number of showers: "4.2 (3.1 to 4.8)", or its range alone."""

    def cell(row: Any) -> str:
        least, most = row[f"{name}_least"], row[f"{name}_most"]
        if math.isnan(most):
            return NOTHING
        scope = f"{least:.1f} to {most:.1f}"
        return scope if math.isnan(row[name]) else f"{row[name]:.1f} ({scope})"

    return cell


_ENERGY: dict[str, Callable[[Any], str]] = {
    "heat pump, kWh": _number("heat_pump_wh", ".2f", 1000),
    "element, kWh": _number("element_wh", ".2f", 1000),
    "mean W": _number("mean_power", ".0f"),
    "most W": _number("highest_power", ".0f"),
}
_DAY_COLUMNS: dict[str, Callable[[Any], str]] = {
    "day": lambda row: date(row["local"]),
    "seen, %": _number("coverage", ".0f", 0.01),
    "kWh": _number("energy_wh", ".2f", 1000),
    **_ENERGY,
    "heat pump, h": _number("heat_pump_ms", ".1f", HOUR_MS),
    "element, h": _number("element_ms", ".1f", HOUR_MS),
    "duty, %": _number("duty", ".0f", 0.01),
    "starts": _number("starts", ".0f"),
    "longest recovery, h": _number("longest_recovery_h", ".1f"),
    "lowest charge, %": _number("lowest_charge", ".0f"),
    "h below": _number("low_charge_ms", ".1f", HOUR_MS),
    "fewest showers": _showers("lowest_showers"),
    "at 06:00": _showers("showers_06"),
    "at 18:00": _showers("showers_18"),
    "changes": _number("changes", ".0f"),
    "alerts": _number("alerts", ".0f"),
}
_HOUR_COLUMNS: dict[str, Callable[[Any], str]] = {
    "hour": lambda row: f"{_clock(row['local']):%H:%M}",
    "seen, %": _number("coverage", ".0f", 0.01),
    **_ENERGY,
    "heat pump, min": _number("heat_pump_ms", ".0f", 60_000),
    "element, min": _number("element_ms", ".0f", 60_000),
    "starts": _number("starts", ".0f"),
    "lowest charge, %": _number("lowest_charge", ".0f"),
    "upper, °C": _number("upper", ".1f"),
    "lower, °C": _number("lower", ".1f"),
    "air, °C": _number("ambient", ".1f"),
    "usable, kWh": _number("usable_wh", ".2f", 1000),
    "showers": _showers("lowest_showers"),
    "setpoint, °C": _number("setpoint", ".1f"),
    "mode": lambda row: NOTHING if math.isnan(row["mode"]) else DHWMode(int(row["mode"])).text,
}


def _cop(report: Report) -> tuple[str, str]:
    cop = report.cop
    if cop.value is None or cop.margin is None:
        return NOTHING, cop.text
    return (
        f"{cop.value:.1f} ± {cop.margin:.1f}",
        f"from {count_text(cop.runs, 'recovery', 'recoveries')}; see the notes",
    )


def _split(total: Any) -> str:
    parts = (("heat_pump_wh", "heat pump"), ("element_wh", "element"), ("other_wh", "rest"))
    return ", ".join(f"{name} {kwh_text(total[part])}" for part, name in parts)


def _clock(local_ms: float) -> datetime:
    return datetime.fromtimestamp(local_ms / 1000, timezone.utc)


def _stamp(when: datetime | None) -> str:
    return "goes on" if when is None else f"{when:%Y-%m-%d %H:%M}"
