"""Reports of recordings, against files small enough to add up by hand, and in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any, Callable
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")
pytest.importorskip("matplotlib", reason="the extra analysis is not installed")

from navien_nwp500.analysis.summary import summarize
from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.report.html import page
from navien_nwp500.apps.report.json_output import document
from navien_nwp500.apps.report.notes import notes
from navien_nwp500.exceptions import ConfigurationError, ValueOutOfRangeError
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.csv_format import FIXED_COLUMNS
from navien_nwp500.history.recordings import load
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import DHWMode
from navien_nwp500.simulator import Heater

OLD = ",".join(FIXED_COLUMNS)
NEW = OLD + ",dhw_use,comp_use,dhw_temperature_setting,dhw_operation_setting,error_code"
#: Old columns: at rest, heat pump at 480 W, element at 5000 W, both at 5450 W.
REST = "80,0,110,0,55.0,50.0"
PUMP = "60,32,100,480,50.0,45.0"
ELEMENT = "10,64,100,5000,45.0,30.0"
BOTH = "10,96,100,5450,45.0,30.0"
Recorded = Callable[..., Path]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Write lines as a recording; each as ``(time, cells)``."""

    def write(
        *lines: tuple[str, str], header: str = OLD, name: str = "tank.csv", end: str = "\n"
    ) -> Path:
        path = tmp_path / name
        rows = [header, *(f"{when},{cells}" for when, cells in lines)]
        path.write_text("\n".join(rows) + end, "utf-8")
        return path

    return write


def every(start: str, *cells: str, minutes: int = 10) -> list[tuple[str, str]]:
    first = datetime.fromisoformat(start)
    return [
        ((first + timedelta(minutes=minutes * n)).isoformat(timespec="milliseconds"), cell)
        for n, cell in enumerate(cells)
    ]


def summed(*paths: Path, **options: Any) -> dict[str, Any]:
    found = document(summarize(load(paths), **options))
    json.dumps(found, allow_nan=False)
    return found


def test_energy_starts_and_times_by_hand(recorded: Recorded) -> None:
    cells = (REST, PUMP, PUMP, REST, ELEMENT, BOTH, REST)
    total = summed(recorded(*every("2026-01-05T10:00:00+01:00", *cells)))["total"]
    # 10 minutes each: 480/6 twice, 450/6 of both; 5000/6 twice.
    assert total["heat_pump_wh"] == pytest.approx(160 + 75)
    assert total["element_wh"] == pytest.approx(10_000 / 6, abs=0.1)
    assert total["heat_pump_hours"] == 0.5
    assert total["element_hours"] == pytest.approx(1 / 3, abs=1e-4)
    assert total["duty_percent"] == 50
    assert (total["starts"], total["lowest_charge_percent"]) == (2, 10)
    assert total["hours_below_20_percent"] == pytest.approx(1 / 3, abs=1e-4)
    assert (total["highest_power_w"], total["coverage_percent"]) == (5450, 100)


def test_a_span_across_the_hour_belongs_to_both(recorded: Recorded) -> None:
    path = recorded(*every("2026-01-05T10:55:00+01:00", PUMP, REST))
    hours = summed(path)["hours"]
    assert [hour["start"] for hour in hours[:2]] == [
        "2026-01-05T10:00+01:00",
        "2026-01-05T11:00+01:00",
    ]
    assert [hour["heat_pump_wh"] for hour in hours[:2]] == [40, 40]


def test_nothing_is_invented_in_a_gap(recorded: Recorded) -> None:
    before = every("2026-01-05T00:00:00+00:00", PUMP, PUMP, PUMP)
    after = every("2026-01-05T12:00:00+00:00", PUMP, PUMP, REST)
    found = summed(recorded(*before, *after))
    # Two spans before and two after; the reading before the gap holds nothing.
    assert found["total"]["heat_pump_wh"] == 4 * 80
    assert len(found["gaps"]) == 1
    assert found["gaps"][0]["start"].endswith("00:20:00+00:00")
    # Four intervals of 10 minutes in a day of 144.
    assert found["days"][0]["coverage_percent"] == pytest.approx(100 * 4 / 144, abs=0.05)
    assert not any(run["whole"] for run in found["recoveries"][:1])


def test_a_line_breaks_at_a_gap(recorded: Recorded) -> None:
    before = every("2026-01-05T00:00:00+00:00", *[PUMP] * 3)
    after = every("2026-01-05T12:00:00+00:00", *[PUMP] * 3)
    from matplotlib.figure import Figure

    from navien_nwp500.apps.report.charts import charts

    def pieces(path: Path) -> int:
        report = summarize(load([path]))
        figure = Figure()
        next(c for c in charts(report) if c.name == "course").draw(figure, report)
        y = figure.axes[2].lines[0].get_ydata()
        return 1 + sum(value != value for value in y)

    assert pieces(recorded(*before, *after)) == 2
    assert pieces(recorded(*before)) == 1


def test_overlapping_files_count_once(recorded: Recorded) -> None:
    lines = every("2026-01-05T00:00:00+00:00", PUMP, PUMP, PUMP, PUMP, REST)
    first, second = recorded(*lines[:4]), recorded(*lines[2:], name="more.csv")
    found = summed(second, first)
    assert found["total"]["heat_pump_wh"] == 4 * 80
    assert (found["readings_repeated"], found["total"]["coverage_percent"]) == (2, 100)


def test_older_and_newer_headers_mix(recorded: Recorded) -> None:
    # The newer columns: drawn, compressor, setpoint in half degrees, mode, fault.
    old = recorded(*every("2026-01-05T00:00:00+00:00", REST, REST))
    lines = every("2026-01-05T00:20:00+00:00", REST + ",1,1,121,3,0", REST + ",1,1,110,1,480")
    found = summed(old, recorded(*lines, header=NEW, name="new.csv"))
    assert found["total"]["readings"] == 4
    assert [(c["kind"], c["before"], c["after"]) for c in found["changes"]] == [
        ("setpoint", "140.9 °F (60.5 °C)", "131.0 °F (55.0 °C)"),
        ("mode", "energy saver", "heat pump"),
    ]
    assert [(a["kind"], a["text"][:4]) for a in found["alerts"]] == [("error", "E480")]
    # The same two put one after another in one file.
    both = old.with_name("both.csv")
    both.write_bytes(old.read_bytes() + old.with_name("new.csv").read_bytes())
    assert summed(both)["total"] == found["total"]


@pytest.mark.parametrize(
    ("offsets", "date", "length"), [((1, 2), "2026-03-29", 23), ((2, 1), "2026-10-25", 25)]
)
def test_a_day_the_clock_changes_has_its_own_length(
    recorded: Recorded, offsets: tuple[int, int], date: str, length: int
) -> None:
    before, after = (timezone(timedelta(hours=hours)) for hours in offsets)
    start = datetime.fromisoformat(date).replace(tzinfo=before)
    change = datetime.fromisoformat(date + "T01:00:00+00:00")
    moments = [start + timedelta(minutes=10 * n) for n in range(length * 6 + 6)]
    lines = [
        (m.astimezone(before if m < change else after).isoformat(timespec="milliseconds"), PUMP)
        for m in moments
    ]
    days = summed(recorded(*lines))["days"]
    assert [day["date"] for day in days][0] == date
    assert days[0]["heat_pump_wh"] == pytest.approx(480 * length)
    assert (days[0]["coverage_percent"], days[0]["readings"]) == (100, length * 6)


def test_a_reading_holds_no_longer_than_two_hours(recorded: Recorded) -> None:
    """Three readings, one the next day; and two, ten days apart."""
    readings = [f"2026-01-0{when}:00Z" for when in ("5T00:00", "5T00:05", "6T00:00")]
    found = summed(recorded(*((when, ELEMENT) for when in readings)))
    assert found["total"]["element_wh"] == pytest.approx(5000 / 12, abs=0.1)
    assert len(found["gaps"]) == 1
    assert found["total"]["coverage_percent"] == pytest.approx(100 * 5 / 1440, abs=0.05)
    days = [("2026-01-05T00:00:00Z", PUMP), ("2026-01-15T00:00:00Z", PUMP)]
    found = summed(recorded(*days))
    assert found["total"]["coverage_percent"] == found["total"]["energy_wh"] == 0
    assert len(found["gaps"]) == 1
    hours = every("2026-01-05T00:00:00+00:00", *[PUMP] * 12, minutes=60)
    late = [("2026-01-05T13:30:00+00:00", PUMP), ("2026-01-05T14:30:00+00:00", REST)]
    found = summed(recorded(*hours, *late))
    assert [gap["end"][11:16] for gap in found["gaps"]] == ["13:30"]
    assert found["total"]["heat_pump_wh"] == 480 * 12
    single = summed(recorded(days[0]))["total"]
    assert (single["coverage_percent"], single["energy_wh"]) == (0, 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_changed_interval_is_no_gap(recorded: Recorded, reverse: bool) -> None:
    """Eleven hours at 5 minutes and 37 at an hour, in both orders."""
    steps = [5] * 132 + [60] * 37
    when, lines = datetime(2026, 1, 5, tzinfo=timezone.utc), []
    for step in reversed(steps) if reverse else steps:
        lines.append((when.isoformat(), PUMP))
        when += timedelta(minutes=step)
    found = summed(recorded(*lines, (when.isoformat(), REST)))
    assert found["total"]["coverage_percent"] == 100 and not found["gaps"]
    assert found["total"]["heat_pump_wh"] == pytest.approx(480 * 48)
    assert [day["coverage_percent"] for day in found["days"]] == [100, 100, 0]


def test_pushed_updates_between_polls_are_no_polls(recorded: Recorded) -> None:
    """Hourly polls for a day, with 50 updates in the first minutes of each hour."""
    start = datetime(2026, 1, 5, tzinfo=timezone.utc)
    moments = {start + timedelta(hours=n) for n in range(25)}
    moments |= {start + timedelta(hours=n, seconds=5 * k) for n in range(24) for k in range(50)}
    found = summed(recorded(*((when.isoformat(), PUMP) for when in sorted(moments))))
    assert found["total"]["coverage_percent"] == 100 and not found["gaps"]
    assert found["total"]["heat_pump_wh"] == pytest.approx(480 * 24)


def test_a_silence_of_an_hour_between_polls_of_five_minutes_is_a_gap(recorded: Recorded) -> None:
    lines = every("2026-01-05T00:00:00+00:00", *[PUMP] * 288, minutes=5)
    found = summed(recorded(*lines[:100], *lines[111:]))
    (gap,) = found["gaps"]
    assert gap["start"].endswith("08:15:00+00:00") and gap["end"].endswith("09:15:00+00:00")
    assert found["total"]["heat_pump_wh"] == pytest.approx(480 * (287 - 12) / 12)


HEATER = OLD + ",zone,heater"


def test_days_and_costs_are_those_of_the_heaters_zone(recorded: Recorded) -> None:
    """A week in Los Angeles, recorded by a machine in UTC: 16:00 to 20:59 is dear."""
    start = datetime(2026, 1, 5, 8, tzinfo=timezone.utc)
    evenings = [start + timedelta(minutes=10 * n) for n in range(7 * 144 + 1)]
    lines = [
        (when.isoformat(), PUMP if 16 <= (when - timedelta(hours=8)).hour < 21 else REST)
        for when in evenings
    ]
    plan = [
        TOUPeriod(EVERY_MONTH, EVERY_DAY, first, last, Decimal(price), Decimal(price))
        for first, last, price in (
            (time(0, 0), time(15, 59), "0.10"),
            (time(16, 0), time(20, 59), "0.45"),
            (time(21, 0), time(23, 59), "0.10"),
        )
    ]
    path = recorded(*lines)
    wrong = summed(path, periods=plan)
    assert wrong["cost"]["cost_low"] == pytest.approx(7 * 5 * 0.48 * 0.10)
    report = summarize(load([path], zone=ZoneInfo("America/Los_Angeles")), periods=plan)
    right = document(report)
    assert right["cost"]["cost_low"] == pytest.approx(7 * 5 * 0.48 * 0.45)
    assert (right["zone"], wrong["zone"]) == ("America/Los_Angeles", None)
    assert [day["date"] for day in right["days"]][:7] == [f"2026-01-{n:02d}" for n in range(5, 12)]
    assert all(day["heat_pump_wh"] == 5 * 480 for day in right["days"][:7])
    said = [note for note in notes(report) if "time zone" in note]
    assert said == ["Days, hours and prices are in the time zone America/Los_Angeles."]
    # The same from the column of the recording.
    named = [(when, f"{cells},America/Los_Angeles,8daa") for when, cells in lines]
    assert summed(recorded(*named, header=HEATER, name="named.csv"), periods=plan)["cost"] == (
        right["cost"]
    )


def test_a_recording_without_a_zone_is_said_in_one_line(recorded: Recorded) -> None:
    path = recorded(*every("2026-01-05T00:00:00+01:00", PUMP, REST))
    (note,) = [note for note in notes(summarize(load([path]))) if "time zone" in note]
    assert "does not name the heater's time zone" in note and "UTC+01:00" in note


@pytest.mark.parametrize(("date", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_a_zone_changes_its_clock(recorded: Recorded, date: str, hours: int) -> None:
    """Readings in UTC, on the days on which Los Angeles changes its clock."""
    zone = ZoneInfo("America/Los_Angeles")
    start = datetime.fromisoformat(date).replace(tzinfo=zone).astimezone(timezone.utc)
    lines = [
        ((start + timedelta(minutes=10 * n)).isoformat(), PUMP + ",America/Los_Angeles,8daa")
        for n in range(6 * hours + 1)
    ]
    day, _ = summed(recorded(*lines, header=HEATER))["days"]
    assert (day["date"], day["coverage_percent"]) == (date, 100)
    assert day["heat_pump_wh"] == pytest.approx(480 * hours)


def test_two_heaters_are_refused_or_parted(recorded: Recorded) -> None:
    both = [
        line
        for pump, rest in zip(
            every("2026-01-05T00:00:00+00:00", *[PUMP + ",,8daa"] * 7),
            every("2026-01-05T00:05:00+00:00", *[REST + ",,aaaa"] * 7),
        )
        for line in (pump, rest)
    ]
    path = recorded(*both, header=HEATER)
    with pytest.raises(ConfigurationError, match="several heaters.* 8daa, aaaa.*--heater 8daa"):
        load([path])
    with pytest.raises(ConfigurationError, match="no heater bbbb"):
        load([path], heater="bbbb")
    for wanted in ("8daa", "04:78:63:33:8D:AA"):
        found = document(summarize(load([path], heater=wanted)))
        assert found["total"]["heat_pump_wh"] == 480 and found["heater"] == "8daa"
    # An older file does not name its heater, and goes with any.
    older = recorded(*every("2026-01-04T00:00:00+00:00", REST, REST), name="older.csv")
    single = recorded(*both[::2], header=HEATER, name="single.csv")
    assert summed(older, single)["total"]["readings"] == 9
    with pytest.raises(ConfigurationError, match="several heaters"):
        load([single, recorded(*both[1::2], header=HEATER, name="other.csv")])


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        *(("1970-01-01T00:00:10Z", at) for at in (0, 3, 12)),
        *(("2019-06-01T00:00:00Z", at) for at in (0, 3, 12)),
        # Later times may be right before, or after, all others.
        *(("2036-02-07T06:28:16Z", at) for at in (0, 3)),
        *(("2026-01-04T03:00:00Z", at) for at in (3, 12)),
    ],
)
def test_impossible_times_are_left_out_and_said(recorded: Recorded, wrong: str, at: int) -> None:
    lines = every("2026-01-05T00:00:00+00:00", *[PUMP] * 12)
    if at == 0 and wrong.startswith("2026"):
        pytest.skip("possible: before the others")
    if at == 12 and wrong.startswith("2036"):
        pytest.skip("possible: after the others")
    lines[at:at] = [(wrong, ELEMENT), (f"{wrong[:-1]}.5Z", ELEMENT)]
    report = summarize(load([recorded(*lines)]))
    assert report.total["readings"] == 12 and report.total["energy_wh"] == 11 * 80
    said = [note for note in notes(report) if "clock that was wrong" in note]
    assert said == ["tank.csv: 2 readings left out, recorded by a clock that was wrong."]


def test_a_file_in_another_order_is_whole(recorded: Recorded) -> None:
    """Sorted by a spreadsheet, or with an older file after a newer one."""
    lines = every("2026-01-05T00:00:00+00:00", *[PUMP] * 300)
    later = every("2026-01-15T00:00:00+00:00", *[PUMP] * 300)
    by_minute = sorted(lines, key=lambda row: row[0][14:])
    for order in (lines[::-1], lines[99::-1], [*later, *lines], by_minute):
        found = summed(recorded(*order))
        assert found["total"]["readings"] == len(order)
        assert not any(source["impossible_times"] for source in found["files"])


@pytest.mark.parametrize("torn", ["2026-01-05T00:20:00.000+00:00,60,32,100,4", "2026-", "\0\0"])
def test_a_torn_last_line_is_left_out_and_said(recorded: Recorded, torn: str) -> None:
    path = recorded(*every("2026-01-05T00:00:00+00:00", PUMP, REST), end="\n" + torn)
    report = summarize(load([path]))
    assert document(report)["files"][0]["torn"] and report.total["readings"] == 2
    assert any("its last line was torn" in note for note in notes(report))


def test_a_tariff_prices_each_minute(recorded: Recorded) -> None:
    path = recorded(*every("2026-01-05T06:20:00+00:00", PUMP, PUMP, REST))
    cheap, dear = "0.10", "0.40"
    edges = [("00:00", "06:29", cheap), ("06:30", "23:59", dear)]
    plan = [
        TOUPeriod(
            EVERY_MONTH,
            EVERY_DAY,
            *(datetime.strptime(t, "%H:%M").time() for t in (start, end)),
            Decimal(price),
            Decimal(price),
        )
        for start, end, price in edges
    ]
    cost = summed(path, periods=plan)["cost"]
    assert cost["cost_low"] == cost["cost_high"] == pytest.approx(0.08 * 0.10 + 0.08 * 0.40)
    assert [price["energy_wh"] for price in cost["prices"]] == [80, 80]
    with pytest.raises(ValueOutOfRangeError, match="is not covered"):
        summarize(load([path]), periods=plan[:1])


def test_showers_by_hand_and_no_cop_without_draws(recorded: Recorded) -> None:
    warm = "80,0,110,0,60.6,60.6"
    found = summed(recorded(*every("2026-01-05T05:55:00+00:00", warm, warm)))
    # 253 litres, 189 to 289 (PROTOCOL 14.8), of 60 a shower.
    day = found["days"][0]
    assert (day["showers_at_06"], day["fewest_showers"]) == (4.2, 4.2)
    assert (day["showers_at_06_least"], day["showers_at_06_most"]) == (3.2, 4.8)
    assert day["showers_at_18"] is None and day["showers_at_18_most"] is None
    assert found["cop"]["value"] is None and "draws" in found["cop"]["text"]


def test_the_cop_of_a_recovery_that_a_draw_started(tmp_path: Path) -> None:
    """The draw ends within the first half hour, in which the lower sensor also dips."""
    start = datetime(2026, 1, 5, tzinfo=timezone.utc)
    heater = Heater(now=start, draws=None, mode=DHWMode.HEAT_PUMP, lower_celsius=45.0)
    heater.advance(60)
    heater.draw(40, 6)
    path = tmp_path / "tank.csv"
    with CsvRecorder(path) as recorder:
        for _ in range(6 * 12):
            recorder.write(heater.status(), heater.now)
            heater.advance(300)
    report = summarize(load([path]))
    lowest = report.statuses["lower"].idxmin()
    assert report.statuses["heat_pump"].idxmax() < lowest, "it dips after the start"
    cop = report.cop
    assert cop.runs == 1 and cop.value is not None and cop.margin is not None
    assert abs(cop.value - 2.84) < cop.margin  # with air of 18.3 to 23.9 (PROTOCOL 14.2)


def test_showers_of_little_water_are_a_range_alone(recorded: Recorded) -> None:
    warm, cool = "80,0,110,0,60.6,60.6", "20,0,110,0,46.0,38.0"
    path = recorded(*every("2026-01-05T05:55:00+00:00", warm, cool, warm))
    # Mean 42: 281 x 4 + 19 x 1.163 x 31 = 1809 Wh are 62 L; least 281 / 29.075 = 10 L; most
    # 281 x 6 + 28 x 1.163 x 31 = 2695 Wh, 93 L.
    total = summed(path)["total"]
    assert total["fewest_showers"] is None
    assert (total["fewest_showers_least"], total["fewest_showers_most"]) == (0.2, 1.5)
    text = page(summarize(load([path])))
    assert "<td>0.2 to 1.5</td>" in text


def test_an_element_of_the_last_two_hours_makes_the_upper_sensor_count_less(
    recorded: Recorded,
) -> None:
    element, after = "10,64,100,5000,55.0,50.0", "50,0,110,0,55.0,50.0"
    cells = (element, *[after] * 13)
    statuses = summarize(load([recorded(*every("2026-01-05T05:00:00+00:00", *cells))])).statuses
    litres = [round(60 * showers) for showers in statuses["showers"]]
    # Mean 0.28 x 55 + 0.72 x 50 = 51.4, and 52.5 later: 281 x 13.4 and 14.5 Wh, + 19 L x 40 K.
    assert litres == [160] * 13 + [171]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "there is no reading in"),
        (OLD + "\n", "there is no reading in"),
        ("a,b\n1,2\n", "line 1: not the header"),
        ("a,b", "line 1: not the header"),
        (OLD + "\n2026-01-05T00:00:00Z,60,32\n", "line 2: 3 cells where the header has 7"),
        (OLD + "\n2026-01-05T00:00:00," + PUMP + "\n", "line 2: .* is not a time with a zone"),
        (OLD + "\n\n2026-13-05T00:00:00Z," + PUMP + "\n", "line 3: .* is not a time"),
        (OLD + "\n2026-01-05T00:00:00Z,x,0,0,0,1,1\n", "line 2: dhw_charge_percent is 'x'"),
        (OLD + "\n2026-01-05T00:00:00Z,1,0,0,,1,1\n", "line 2: current_inst_power is ''"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=says) as caught:
        load([path])
    assert str(path) in str(caught.value)


def word(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        navien_nwp500.main(["report", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_the_word_writes_what_is_asked_for(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(*every("2026-01-05T00:00:00+00:00", PUMP, PUMP, REST))
    assert word(path) == 0
    assert "0.16 kWh" in capsys.readouterr().err
    assert (tmp_path / "tank.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    (tmp_path / "tank.html").unlink()
    assert word(path, "--json", "--png", tmp_path / "tank.png") == 0
    assert json.loads(capsys.readouterr().out)["total"]["energy_wh"] == 160
    assert (tmp_path / "tank.png").read_bytes().startswith(b"\x89PNG")
    assert word(path, "--markdown") == 0
    assert "| Mon 5 Jan 2026 |" in capsys.readouterr().out
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tank.csv", "tank.png"]


def test_nothing_is_left_half_written(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(*every("2026-01-05T00:00:00+00:00", PUMP, REST))
    before = path.read_bytes()
    assert word(path, "--html", path) == 2
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    assert word(path, "--html", tmp_path / "none" / "x.html") == 1
    assert word(path, "--json", "--markdown") == 2
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["taken", "tank.csv"]


@pytest.mark.parametrize("name", ["tank.html", "tank"])
def test_no_input_is_written_over(recorded: Recorded, tmp_path: Path, name: str) -> None:
    path = recorded(*every("2026-01-05T00:00:00+00:00", PUMP, REST), name=name)
    before = path.read_bytes()
    plan = tmp_path / "plan.html"
    plan.write_text("[]")
    link = tmp_path / "link.html"
    os.link(path, link)
    assert word(path) == (2 if name == "tank.html" else 0)
    for output in (path, link, plan):
        assert word(path, "--tariff", plan, "--html", output) == 2
        assert word(path, "--tariff", plan, "--png", output) == 2
    assert word(path, "--html", tmp_path / "x", "--png", tmp_path / "." / "x") == 2
    assert path.read_bytes() == before and plan.read_text() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in Unicode alone")
def test_a_name_that_is_not_utf_8(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(
        *every("2026-01-05T00:00:00+00:00", PUMP, REST), name=os.fsdecode(b"t\xe4nk.csv")
    )
    assert word(path) == 0
    assert "t�nk.html" in capsys.readouterr().err
    assert "From t�nk.csv" in path.with_suffix(".html").read_text("utf-8")
    assert word(path, "--markdown") == 0 and word(path, "--json") == 0
    path.write_text("a,b\n")
    assert word(path) == 2
    assert "t�nk.csv" in capsys.readouterr().err


def test_a_page_is_whole_and_fetches_nothing(recorded: Recorded) -> None:
    lines = every("2026-01-05T00:00:00+00:00", PUMP, REST)
    report = summarize(load([recorded(*lines, name="<b>&.csv", end="\ntorn")]))
    text = page(report)
    assert "<b>" not in text and "&lt;b&gt;&amp;.csv" in text
    assert any(notes(report)) and all(f"<li>{escape(note)}</li>" in text for note in notes(report))
    assert not re.search(r'(?:src|href)="(?!#|data:)', text) and "@import" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for used in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert set(used.split()) <= set(ids)


@pytest.fixture
def browser(find_program: Callable[..., str]) -> str:
    return find_program("chromium", "chromium-browser")


def opened(browser: str, path: Path) -> str:
    """The page's elements after a browser of a phone's width has opened it without complaint."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=500,900"]
    options += [f"--user-data-dir={path.parent / 'profile'}", "--enable-logging=stderr"]
    shown = subprocess.run(
        [browser, *options, "--dump-dom", path.as_uri()],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert shown.returncode == 0
    assert "CONSOLE" not in shown.stderr
    return shown.stdout


def test_a_browser_shows_the_page(recorded: Recorded, tmp_path: Path, browser: str) -> None:
    path = recorded(*every("2026-01-05T00:00:00+00:00", PUMP, PUMP, REST))
    text = page(summarize(load([path])))
    target = tmp_path / "tank.html"
    target.write_text(text, "utf-8")
    assert "0.16 kWh" in opened(browser, target)
    # A script of the test tells whether the page is wider than its window; the policy forbids any.
    script = "<script>document.title = 'over by ' + (document.documentElement.scrollWidth - innerWidth)</script>"
    text = re.sub(r"<meta http-equiv[^>]*>", "", text.replace("</body>", script + "</body>"))
    target.write_text(text, "utf-8")
    over = re.search(r"<title>over by (-?\d+)</title>", opened(browser, target))
    assert over is not None and int(over[1]) <= 0
