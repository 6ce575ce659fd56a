"""The command ``tou``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500.apps.cli.commands.tou import read_plan
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.protocol.calendar import Weekday
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
    assert out.splitlines()[0] == "The heater stored this plan and does not follow it:"
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
    for text, reason in (("{", "not JSON"), ("{}", "no list"), ("[1]", "period 1 is not an")):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=reason):
            read_plan(path)
    path.write_text('[{"months": "all"}]')
    with pytest.raises(ConfigurationError, match="days is missing"):
        read_plan(path)


def test_a_list_of_periods_with_numbers_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    entry = {**PEAK_DAY[0], "price_min": 0.1, "price_max": 0.34831, "days": ["mon", "sunday"]}
    path.write_text(json.dumps([entry]))
    (found,) = read_plan(path)
    assert (str(found.price_min), str(found.price_max)) == ("0.1", "0.34831")
    assert found.days == {Weekday.MONDAY, Weekday.SUNDAY}
