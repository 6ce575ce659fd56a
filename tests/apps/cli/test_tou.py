"""The command ``tou``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500.apps.cli.plan_files import read_plan
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.protocol.calendar import Weekday
from navien_nwp500.simulator.faults import RestFault
from support.background_simulator import BackgroundSimulator, Invoke, Output


def period(start: str, end: str, price: str) -> dict[str, Any]:
    days = {"months": "all", "days": "daily", "start": start, "end": end}
    return {**days, "price_min": price, "price_max": price}


#: A plan whose most expensive hours include START.
PEAK_DAY = [
    period("00:00", "07:59", "0.30"),
    period("08:00", "22:59", "0.48125"),
    period("23:00", "23:59", "0.30"),
]


def tou_status(output: Output) -> int:
    value = json.loads(output("status --json"))["status"]["touStatus"]
    assert isinstance(value, int)
    return value


def write_plan(folder: Path, periods: list[dict[str, Any]]) -> None:
    """Write ``plan.json`` for ``tou set``."""
    (folder / "plan.json").write_text(json.dumps({"periods": periods}))


def test_the_json_of_tou_show_is_a_file_for_tou_set(output: Output, tmp_path: Path) -> None:
    text = output("tou show --json")
    found = json.loads(text)
    assert found["periods"][1]["price_max"] == "0.43000" and "peak_windows_today" in found
    (tmp_path / "plan.json").write_text(text)
    out = output("tou set plan.json --off")
    first = "The heater stored this plan and does not follow it; the cloud has a copy:"
    assert out.splitlines()[0] == first
    assert tou_status(output) == 0


def test_a_dry_run_of_tou_set_sends_nothing(output: Output, tmp_path: Path) -> None:
    output("tou off")
    write_plan(tmp_path, PEAK_DAY)
    out = output("tou set plan.json --dry-run")
    assert out.startswith("Dry run: ") and "08:00-22:59  0.48125 per kWh" in out
    found = json.loads(output("tou set plan.json --dry-run --json"))
    assert found["would_send"]["reservation"][1]["priceMax"] == 48125
    assert len(found["periods"]) == 3 and "sent" not in found
    assert tou_status(output) == 0


def cloud_copy(background: BackgroundSimulator) -> Any:
    return background.sim.units[0].record.tou_plan


def heater_plan(background: BackgroundSimulator) -> list[dict[str, int]]:
    entries = background.sim.units[0].heater.settings.tou.entries
    return [dict(entry) for entry in entries]


def test_tou_set_writes_the_heater_and_the_copy_that_the_app_shows(
    output: Output, background: BackgroundSimulator, tmp_path: Path
) -> None:
    content = {"periods": PEAK_DAY, "name": "Evening rate", "zip_code": "02134"}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    output("tou set plan.json --off")
    copy = cloud_copy(background)
    assert (copy["registerPath"], copy["sourceType"]) == ("wifi", "openei")
    info = copy["touInfo"]
    assert (info["name"], info["zipCode"]) == ("Evening rate", 2134)
    assert info["utility"] == "Sample Utility"  # as before
    ((season,),) = ([one["season"] for one in info["schedule"]],)
    listed = [{"season": season, **one} for one in info["schedule"][0]["interval"]]
    assert listed == heater_plan(background) and season == 4095
    out = output("tou show")
    assert "The heater has the same plan: tou set wrote it on 2026-03-12 08:00." in out
    assert json.loads(output("tou show --json"))["heater_plan"]["differences"] == []


def test_heater_only_leaves_the_copy_and_tou_show_says_where_they_differ(
    output: Output, background: BackgroundSimulator, tmp_path: Path
) -> None:
    write_plan(tmp_path, PEAK_DAY)
    output("tou set plan.json --off")
    before = cloud_copy(background)
    cheaper = [{**one, "price_max": "0.30", "price_min": "0.25"} for one in PEAK_DAY]
    write_plan(tmp_path, cheaper)
    out = output("tou set plan.json --off --heater-only")
    assert out.startswith("The heater alone stored this plan and does not follow it:")
    assert cloud_copy(background) is before
    assert {one["priceMin"] for one in heater_plan(background)} == {25000}
    out = output("tou show")
    assert """The heater has another plan, which tou set wrote on 2026-03-12 08:00:
  all
    daily             00:00-07:59  heater 0.25 to 0.30, cloud 0.30
    daily             08:00-22:59  heater 0.25 to 0.30, cloud 0.48125
""" in out
    found = json.loads(output("tou show --json"))["heater_plan"]["differences"]
    assert len(found) == 3 and found[1]["heater"] == ["0.25000", "0.30000"]
    assert found[1]["cloud"] == ["0.48125", "0.48125"] and found[1]["start"] == "08:00"


def test_a_copy_that_fails_is_told_apart_and_can_be_repeated(
    invoke: Invoke, output: Output, background: BackgroundSimulator, tmp_path: Path
) -> None:
    faults = background.sim.faults.rest
    write_plan(tmp_path, PEAK_DAY)
    output("tou set plan.json --off")
    before = cloud_copy(background)
    write_plan(tmp_path, [{**one, "price_max": "0.60"} for one in PEAK_DAY])
    faults["/device/tou"] = RestFault.error(400, "COMMON_BAD_REQUEST")
    try:
        code, out, err = invoke("tou set plan.json --off")
    finally:
        del faults["/device/tou"]
    assert (code, out) == (5, "") and len(err.splitlines()) == 1
    assert "NWP500 stored the time-of-use plan, but its copy in the cloud" in err
    assert "COMMON_BAD_REQUEST" in err and "run the same command" in err
    assert cloud_copy(background) is before
    assert {one["priceMax"] for one in heater_plan(background)} == {60000}
    assert "The heater has another plan" in output("tou show")
    output("tou set plan.json --off")
    assert "The heater has the same plan" in output("tou show")


def test_tou_show_says_what_it_cannot_know(output: Output, background: BackgroundSimulator) -> None:
    assert "The heater does not tell its own plan, and none was written from here." in output(
        "tou show"
    )


def test_a_window_that_the_copy_does_not_have_is_told(
    output: Output, background: BackgroundSimulator, tmp_path: Path
) -> None:
    write_plan(tmp_path, PEAK_DAY)
    output("tou set plan.json")
    assert "against this plan" not in output("tou show")  # 08:00 is too close to its edge
    flat = [period("00:00", "23:59", "0.30")]
    write_plan(tmp_path, flat)
    output("tou set plan.json")
    write_plan(tmp_path, PEAK_DAY)
    output("tou set plan.json --heater-only")
    assert "The heater reduces heating now, against this plan" in output("tou show")
    output("tou off")
    assert "against this plan" not in output("tou show")


def test_many_periods_of_a_group_are_stored_with_a_warning_on_stderr(
    invoke: Invoke, tmp_path: Path
) -> None:
    hours = [period(f"{hour:02d}:00", f"{hour:02d}:59", f"0.{hour + 10}") for hour in range(24)]
    write_plan(tmp_path, hours)
    code, out, err = invoke("tou set plan.json --off")
    assert code == 0 and out.startswith("The heater stored this plan")
    assert "WARNING 24 periods have the same months and weekdays" in err


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"end": "07:00"}, 1, "Monday in January: 07:01 to 07:59 is not covered"),
        ({"end": "25:00"}, 2, "period 1: end is '25:00'"),
        ({"days": "mon-someday"}, 2, "period 1: days is 'mon-someday': 'someday' is none of"),
        ({"days": 7}, 2, "period 1: days"),
        ({"months": [13]}, 2, "period 1: months is [13]"),
        ({"price_max": "much"}, 2, "period 1: price_max is 'much'"),
        ({"color": "red"}, 2, "period 1: color is not known"),
    ],
)
def test_an_invalid_plan_is_rejected_before_signing_in(
    invoke: Invoke,
    background: BackgroundSimulator,
    tmp_path: Path,
    change: Any,
    code: int,
    reason: str,
) -> None:
    before = background.sim.counters.passwords
    write_plan(tmp_path, [{**PEAK_DAY[0], **change}, *PEAK_DAY[1:]])
    found, out, err = invoke("tou set plan.json")
    assert (found, out) == (code, "") and reason in err and len(err.splitlines()) == 1
    assert background.sim.counters.passwords == before


def test_a_file_without_a_plan_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text, reason in (
        ("{", "not JSON"),
        ("{}", "no list"),
        ("[1]", "period 1 is not an"),
        ('{"periods": [], "zip_code": 12345}', "zip_code is 12345; it must be a text"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=reason):
            read_plan(path)
    path.write_text('[{"months": "all"}]')
    with pytest.raises(ConfigurationError, match="days is missing"):
        read_plan(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plan_saved_by_another_program_is_read(tmp_path: Path, encoding: str) -> None:
    """Notepad adds a byte order mark; > of the Windows PowerShell writes UTF-16."""
    path = tmp_path / "plan.json"
    path.write_bytes(
        json.dumps({"periods": PEAK_DAY}, indent=1).replace("\n", "\r\n").encode(encoding)
    )
    assert len(read_plan(path).periods) == len(PEAK_DAY)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_rate_of_openei_is_converted(tmp_path: Path, wrapped: bool) -> None:
    hours = [0] * 16 + [1] * 8
    rate = {
        "label": "5cd2",
        "utility": "Example",
        "name": "E-1",
        "energyratestructure": [[{"rate": 0.2}, {"rate": 0.3}], [{"rate": 0.4, "adj": 0.05}]],
        "energyweekdayschedule": [hours] * 12,
        "energyweekendschedule": [hours] * 12,
    }
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"items": [rate]} if wrapped else rate))
    plan = read_plan(path)
    assert [(f"{p.start:%H:%M}", float(p.price_min), float(p.price_max)) for p in plan.periods] == [
        ("00:00", 0.2, 0.3),
        ("16:00", 0.45, 0.45),
    ]
    assert (plan.name, plan.utility, plan.zip_code) == ("E-1", "Example", None)
    assert any("tiers" in note for note in plan.notes)
    path.write_text(json.dumps({**rate, "energyratestructure": None}))
    with pytest.raises(ConfigurationError, match="plan.json, rate E-1: .* no price of energy"):
        read_plan(path)


def test_a_list_of_periods_with_numbers_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    entry = {**PEAK_DAY[0], "price_min": 0.1, "price_max": 0.34831, "days": ["mon", "sunday"]}
    path.write_text(json.dumps([entry]))
    (found,) = read_plan(path).periods
    assert (str(found.price_min), str(found.price_max)) == ("0.1", "0.34831")
    assert found.days == {Weekday.MONDAY, Weekday.SUNDAY}
