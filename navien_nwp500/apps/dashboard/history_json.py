"""History of a heater as the JSON of the dashboard's API.

The functions read the database and may take a tenth of a second: call them in a thread. Times are ms
since 1970; ``now`` is the present time of the heater, by default that of this machine. They raise
ConfigurationError for a wrong span or range, and HistoryError as ``Database`` does.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Sequence

from ...analysis.prices.price_series import ClockSpan, PriceSource
from ...exceptions import ConfigurationError
from ...history.alerts import REQUEST
from ...history.command_log import CommandLog
from ...history.energy_periods import EnergyPeriod, PriceTable, energy_periods
from ...history.heating_runs import heating_runs, runs_known_from
from ...history.schema import to_datetime, to_ms
from ...history.spans import (
    HOUR_MS,
    TimeSpan,
    moment_label,
    offsets,
    range_span,
    span_at,
    span_before,
    ticks,
)
from ...history.store import HistoryStore, StoredHeater
from ...history.value_series import (
    BucketValues,
    ValueSeries,
    recorded_bounds,
    recorded_gaps,
    value_series,
)
from ...protocol.schedules import ReservationProgram
from ...protocol.tou import TOUPeriod
from .run_causes_json import add_causes

#: The shortest gap that is an event.
_GAP_MS = 60_000
#: Kinds of events that are not shown: the runs say the same, and requests of other clients the causes.
_HIDDEN = {"mode", REQUEST}
#: Digits that are kept: the page shows fewer.
_DIGITS = 3


def series_json(
    store: HistoryStore,
    heater: StoredHeater,
    *,
    span: str | None = None,
    at: int | None = None,
    since: int | None = None,
    until: int | None = None,
    points: int = 600,
    unit: str = "C",
    now: int | None = None,
) -> dict[str, Any]:
    """Return the series of a span at a time, by default the present one, or of a range.

    ``unit``, C or F, is that of the temperatures in the summary; all others are in °C.
    """
    present = _now(now)
    found = _span(heater, span, at, since, until, present)
    series = value_series(store, heater, found, points=points, now=present)
    return {
        "range": _range_json(store, heater, found, present),
        "bucket_ms": series.bucket_ms,
        "source": series.source,
        "times": series.times,
        **{name: _values_json(values) for name, values in series.values.items()},
        "setpoint_c": _rounded(series.setpoint_c),
        "energy_wh": _rounded(series.energy_wh),
        "ticks": [{"ms": ms, "label": label} for ms, label in ticks(found, heater.time_zone)],
        "gaps": [list(gap) for gap in series.gaps],
        "summary": _summary(series, found, unit, present),
    }


def periods_json(
    store: HistoryStore,
    heater: StoredHeater,
    *,
    span: str = "day",
    at: int | None = None,
    prices: PriceSource | None = None,
    now: int | None = None,
) -> dict[str, Any]:
    """Return energy and cost of the parts of a span, and of the span before it."""
    present = _now(now)
    found = _span(heater, span, at, None, None, present)
    earlier = span_before(found, heater.time_zone)
    rows, total = energy_periods(
        store, heater, found, now=present, prices=_price_rows(prices, heater, found)
    )
    _, before = energy_periods(
        store, heater, earlier, now=present, prices=_price_rows(prices, heater, earlier)
    )
    currency = None if prices is None else prices.currency
    return {
        "by": found.by,
        "rows": [
            {"start": row.span.start, "end": row.span.end, **_period_json(row)} for row in rows
        ],
        "total": _period_json(total),
        "before": _period_json(before),
        "currency": currency,
        "summary": _energy_sentence(total, before, currency, present),
    }


def runs_json(
    store: HistoryStore,
    heater: StoredHeater,
    *,
    since: int,
    until: int,
    prices: PriceSource | None = None,
    reservations: ReservationProgram | None = None,
    plan: Sequence[TOUPeriod] | None = None,
) -> dict[str, Any]:
    """Return the heating runs of a range, the newest first; those of its last month with their causes.

    ``reservations`` and ``plan`` are the schedules that the heater has at present.
    """
    found = range_span(since, until, heater.time_zone)
    runs = heating_runs(store, heater, found)
    table = None
    if prices is not None and runs:
        # A run may begin before the range, and last beyond it.
        ends = [run.end or run.start for run in runs] + [found.end]
        whole = range_span(min(found.start, runs[-1].start), max(ends) + HOUR_MS, heater.time_zone)
        table = PriceTable(_price_rows(prices, heater, whole) or ())
    content = {
        "runs": [
            {
                "start": run.start,
                "end": run.end,
                "energy_wh": round(run.wh, _DIGITS),
                "cost": (
                    None
                    if table is None or run.end is None
                    else _round(table.cost(run.start, run.end, run.wh))
                ),
                "max_w": run.max_watts,
                "element": run.element,
                "upper_from_c": run.upper_from,
                "upper_to_c": run.upper_to,
                "lower_from_c": run.lower_from,
                "lower_to_c": run.lower_to,
                "cause": None,
                "certainty": None,
                "stop": None,
                "label": _run_label(heater, run.start, run.end),
            }
            for run in runs
        ],
        "note": _deleted(store, heater, found),
    }
    return add_causes(
        content, store, heater, since=since, until=until, reservations=reservations, plan=plan
    )


def _deleted(store: HistoryStore, heater: StoredHeater, span: TimeSpan) -> str | None:
    """Return that statuses of a span were deleted, from which its heating runs would be known."""
    known = runs_known_from(store, heater)
    if known is None or known <= span.start:
        return None
    return (
        "Older statuses were deleted: heating runs are known from "
        f"{moment_label(known, heater.time_zone)} on."
    )


def events_json(
    store: HistoryStore, heater: StoredHeater, *, since: int, until: int, now: int | None = None
) -> dict[str, Any]:
    """Return the alerts, gaps and commands of a range, the newest first."""
    span = range_span(since, until, heater.time_zone)
    found = [
        (one["time"], one["kind"], one["detail"], one["ended"])
        for one in store.events(heater, since, until)
        if one["kind"] not in _HIDDEN
    ]
    gaps = recorded_gaps(store, heater, span, now=_now(now), shortest=_GAP_MS)
    found += [
        (start, "gap", f"Nothing was recorded for {_duration(end - start)}", end)
        for start, end in gaps
    ]
    found += [
        (one.asked, "command", one.text or f"{one.name}: no answer yet", one.answered)
        for one in CommandLog(store).within(heater, since, until)
    ]
    found.sort(key=lambda event: event[0], reverse=True)
    return {
        "events": [
            {
                "time": start,
                "label": moment_label(start, heater.time_zone),
                "kind": kind,
                "text": text,
                "ended": ended,
            }
            for start, kind, text, ended in found
        ]
    }


# Ranges


def _now(now: int | None) -> int:
    return int(time.time() * 1000) if now is None else now


def _span(
    heater: StoredHeater,
    span: str | None,
    at: int | None,
    since: int | None,
    until: int | None,
    now: int,
) -> TimeSpan:
    if since is not None and until is not None and span is None:
        return range_span(since, until, heater.time_zone)
    if span is None or since is not None or until is not None:
        raise ConfigurationError("give either span, with or without at, or from and to")
    return span_at(span, now if at is None else at, heater.time_zone)


def _range_json(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, now: int
) -> dict[str, Any]:
    """Return a range; ``previous`` and ``next`` are the starts of those around it, if any is known."""
    bounds = recorded_bounds(store, heater)
    earlier = bounds is not None and bounds[0] < span.start
    return {
        "span": span.kind,
        "from": span.start,
        "to": span.end,
        "label": span.label,
        "previous": span_before(span, heater.time_zone).start if earlier else None,
        "next": span.end if span.end <= now else None,
    }


def _price_rows(
    prices: PriceSource | None, heater: StoredHeater, span: TimeSpan
) -> list[tuple[int, int, float]] | None:
    if prices is None:
        return None
    series = prices.between(
        to_datetime(span.start), to_datetime(span.end), list(_clock(heater, span))
    )
    return [(to_ms(one.start), to_ms(one.end), one.price) for one in series.intervals]


def _clock(heater: StoredHeater, span: TimeSpan) -> Iterable[ClockSpan]:
    """Yield the offsets of the heater's clock, for a tariff that names no time zone."""
    start = to_datetime(span.start)
    for until, offset in offsets(span, heater.time_zone):
        end = to_datetime(until)
        yield ClockSpan(start, end, (to_datetime(offset) - to_datetime(0)))
        start = end


# Numbers


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, _DIGITS) for value in values]


def _values_json(values: BucketValues) -> dict[str, list[float | None]]:
    return {name: _rounded(row) for name, row in vars(values).items()}


def _period_json(period: EnergyPeriod) -> dict[str, Any]:
    return {
        "label": period.span.label,
        "energy_wh": _round(period.wh),
        "cost": _round(period.cost),
        "known": round(period.known, _DIGITS),
    }


# Sentences


def _summary(series: ValueSeries, span: TimeSpan, unit: str, now: int) -> dict[str, str]:
    """Return one sentence a chart, for people who do not see it."""
    if all(energy is None for energy in series.energy_wh):
        nothing = f"Nothing is recorded: {span.label}."
        return dict.fromkeys(("power", "tank", "charge", "energy"), nothing)
    power, charge = series.values["power_w"], series.values["charge_percent"]
    upper, lower = series.values["upper_c"], series.values["lower_c"]
    energy = sum(one or 0.0 for one in series.energy_wh)
    means = [mean for mean in power.mean if mean is not None]
    mean = sum(means) / len(means) if means else 0.0
    silent = sum(end - start for start, end in series.gaps)
    elapsed = max(1, min(span.end, now) - span.start)
    gaps = f", with {_duration(silent)} unknown" if silent > elapsed / 100 else ""
    return {
        "power": f"Power: {mean:.0f} W on average, at most {_largest(power):.0f} W.",
        "tank": f"Water in the upper part of the tank {_temperatures(upper, unit)}, in the lower "
        f"part {_temperatures(lower, unit)}.",
        "charge": f"Hot water: {_between(_least(charge), _largest(charge))} %.",
        "energy": f"Energy: {_kwh(energy)}{gaps}.",
    }


def _least(values: BucketValues) -> float:
    return min((one for one in values.min if one is not None), default=0.0)


def _largest(values: BucketValues) -> float:
    return max((one for one in values.max if one is not None), default=0.0)


def _temperatures(values: BucketValues, unit: str) -> str:
    low, high = _least(values), _largest(values)
    if unit == "F":
        low, high = 1.8 * low + 32, 1.8 * high + 32
    return f"{_between(low, high)} °{unit}"


def _between(low: float, high: float) -> str:
    first, last = f"{low:.0f}", f"{high:.0f}"
    return first if first == last else f"{first} to {last}"


def _energy_sentence(
    total: EnergyPeriod, before: EnergyPeriod, currency: str | None, now: int
) -> str:
    if total.wh is None:
        return f"Nothing is recorded: {total.span.label}."
    so_far = " so far" if now < total.span.end else ""
    first = f"{_amount(total, currency)}{so_far}{_share(total)}"
    if before.wh is None:
        return f"{first}."
    return f"{first}; {_amount(before, currency)} in the {before.span.kind} before{_share(before)}."


def _amount(period: EnergyPeriod, currency: str | None) -> str:
    cost = "" if period.cost is None else f" for {period.cost:.2f} {currency or ''}".rstrip()
    return f"{_kwh(period.wh or 0.0)}{cost}"


def _share(period: EnergyPeriod) -> str:
    if period.known >= 0.995:
        return ""
    percent = int(100 * period.known)
    return f", known for {percent or 'less than 1'} % of the time"


def _kwh(wh: float) -> str:
    if wh < 100:
        return f"{wh:.0f} Wh"
    return f"{wh / 1000:.1f} kWh" if wh < 99_950 else f"{wh / 1000:.0f} kWh"


def _run_label(heater: StoredHeater, start: int, end: int | None) -> str:
    begin = moment_label(start, heater.time_zone)
    return f"{begin}, still running" if end is None else f"{begin}, {_duration(end - start)}"


def _duration(ms: int) -> str:
    minutes = round(ms / 60_000)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes / 1440:.1f} days"
