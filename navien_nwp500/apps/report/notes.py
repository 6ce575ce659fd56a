"""Notes of a report: how its figures are counted, and what is special about the recordings."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Iterator

from ...analysis.hot_water import SHOWER_CELSIUS
from ...analysis.summary import Report
from .number_texts import count_text, kwh_text


def notes(report: Report) -> Iterator[str]:
    """Return notes about the data behind the figures."""
    yield from data_notes(report)
    yield (
        "A reading holds until the next, at most three usual intervals, but 15 minutes in any case "
        "and never more than 2 hours; a longer silence is a gap, in which nothing is counted or "
        "drawn. Sums of days with gaps are therefore too low. Coverage is the time in which a "
        "reading holds."
    )
    yield (
        "The heater measures one power. Heat pump and element are told apart by what runs; when "
        "both do, 450 W are the heat pump's. Rest is what neither took."
    )
    yield (
        f"Showers: {report.assume.shower_litres:.0f} litres each at {SHOWER_CELSIUS:.0f} °C, mains "
        f"at {report.assume.cold_celsius:.0f} °C, a tank of {report.tank.text}, and no heating "
        "meanwhile. The outlet turns cold when the mean of both sensors is 38 °C, between 36 and 41; "
        "this gives the range, and from less than 100 litres the range alone is shown."
    )
    cop = report.cop
    yield f"COP: {cop.text}." if cop.value else f"This recording cannot carry a COP: {cop.text}."
    if report.recording.offsets > 1:
        yield (
            "The clock changed: days have their own length, and charts of the whole go on with "
            "the clock of the beginning."
        )


def data_notes(report: Report) -> Iterator[str]:
    """Return notes about these recordings: their time zone, and what was left out."""
    yield _zone_note(report)
    if report.recording.heater is None:
        yield "The recording does not name its heater: rows of two heaters would count as one."
    for source in report.recording.sources:
        if source.torn:
            yield f"{source.name}: its last line was torn and is left out."
        if source.impossible:
            yield (
                f"{source.name}: {count_text(source.impossible, 'reading')} left out, recorded by a "
                "clock that was wrong."
            )
        if not source.readings:
            yield f"{source.name}: no reading in it."
    if report.recording.repeated:
        yield f"{report.recording.repeated} readings were in two files and count once."
    yield from _tariff_notes(report)
    if report.statuses["setpoint"].isna().all():
        yield "This recording has no setpoint and no mode: its columns are an older version's."


def _tariff_notes(report: Report) -> Iterator[str]:
    if report.tariff is None:
        return
    if report.tariff.label:
        yield f"Prices: {report.tariff.label}."
    yield from report.tariff.notes
    missing = report.total["energy_wh"] - report.total["priced_wh"]
    if missing > 0.5:
        yield (
            f"The tariff has no price for {kwh_text(missing)} of {kwh_text(report.total['energy_wh'])} kWh: "
            "costs are of the rest."
        )


def _zone_note(report: Report) -> str:
    recording = report.recording
    if recording.zone is None:
        zones = {f"{_zone_offset(ms)}" for ms in recording.table["offset"].unique()}
        return (
            "The recording does not name the heater's time zone: days, hours and prices are those "
            f"of the clock that recorded it ({', '.join(sorted(zones))}). If the heater is "
            "elsewhere, name its zone with --zone."
        )
    named = {zone for source in recording.sources for zone in source.zones}
    others = ", ".join(sorted(named - {recording.zone}))
    return f"Days, hours and prices are in the time zone {recording.zone}" + (
        f"; the recording also names {others}." if others else "."
    )


def _zone_offset(ms: float) -> str:
    return str(timezone(timedelta(milliseconds=int(ms))))
