"""The commands ``energy`` and ``info``, the help of all commands, and the parsing of options."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from navien_nwp500.apps.cli.formatting import both_units
from navien_nwp500.apps.cli.parsing import (
    days_text,
    months_text,
    parse_days,
    parse_degrees,
    parse_months,
)
from navien_nwp500.protocol.calendar import EVERY_DAY, WEEKDAYS, WEEKEND, Weekday
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import decode_fields, encode_fields
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault
from support.background_simulator import START, BackgroundSimulator, Invoke, Output
from support.cli import run


def test_energy_day_shows_this_month_until_today(output: Output) -> None:
    lines = output("energy day").splitlines()
    assert [line[:10] for line in lines[2:-2]] == [f"2026-03-{day:02}" for day in range(1, 13)]
    assert any("█" in line for line in lines)
    assert lines[-2].startswith("total ") and lines[-1].startswith("lifetime ")


def test_energy_day_sorts_months_of_two_years(output: Output) -> None:
    found = json.loads(output("energy day 2026-01 2025-12 2026-01 --json"))
    dates = [entry["date"] for entry in found["usage"]]
    assert len(dates) == 62 and dates == sorted(dates) and dates[0] == "2025-12-01"
    assert set(found["usage"][0]) == set(found["lifetime"]) | {"date"}
    assert found["lifetime"]["heat_pump_wh"] > 1_000_000


def test_energy_month_shows_the_total(output: Output) -> None:
    found = json.loads(output("energy month 2026 --json"))
    total = sum(entry["heat_pump_wh"] for entry in found["usage"])
    line = output("energy month 2026").splitlines()[-2].split()
    assert line[0] == "total" and abs(float(line[1]) - total / 1000) < 1
    assert len(output("energy month").splitlines()) == 4 + START.month


def test_energy_rejects_other_dates(invoke: Invoke) -> None:
    for arguments, code in (("day 2026-13", 2), ("day 1999-01", 1), ("month 26", 2)):
        found, out, err = invoke(f"energy {arguments}")
        assert (found, out) == (code, "") and err


def test_info_shows_the_functions_and_no_private_data(
    output: Output, background: BackgroundSimulator
) -> None:
    out = output("info")
    assert "yes        Recirculation pump supported." in out
    assert "12345678" not in out and background.sim.units[0].record.mac_address not in out


def test_info_as_json_has_the_raw_features(output: Output) -> None:
    found = json.loads(output("info --json"))
    assert set(found) == {"device", "features", "reading"}
    assert found["features"]["controllerSerialNumber"] == "12345678AB12345678"
    assert encode_fields(decode_fields(DeviceFeatures, found["features"])) == found["features"]


def test_the_help_of_every_command_fits_80_columns_and_has_an_example(
    output: Output, all_commands: dict[str, click.Command]
) -> None:
    assert "Example: navien-nwp500 status" in output("--help")
    for path in all_commands:
        text = " ".join(output(f"{path} --help").split())
        assert f"Example: navien-nwp500 {path}" in text


@pytest.mark.parametrize("command", ["set power off", "tou show", "status"])
async def test_a_command_can_start_its_own_simulated_heater(tmp_path: Path, command: str) -> None:
    code, out, err = await run(tmp_path, *command.split(), "--simulate", "--speed", "600")
    assert (code, err) == (0, "")
    assert "The heater is off" in out or "Plan in the cloud" in out or "charge  " in out


async def test_errors_and_other_devices_are_named(tmp_path: Path) -> None:
    async with Simulator(speed=600, other_devices=(1,)) as sim:
        sim.set_error(799)
        code, out, err = await run(tmp_path, "status", **sim.environment)
        assert (code, err) == (0, "") and "do         Close the water supply" in out
        sim.set_error(0)
        code, out, _ = await run(tmp_path, "status", **sim.environment)
        assert "error      none" in out and re.search(r"last error E799 water leak \(\d{4}-", out)
        code, out, _ = await run(tmp_path, "status", "--json", **sim.environment)
        assert json.loads(out)["last_error"]["code"] == 799
        code, out, _ = await run(tmp_path, "devices", **sim.environment)
        assert re.search(r"last error E799 water leak \(\d{4}-", out) and code == 0
        assert "type 1   offline  Device 1  a tankless unit or boiler: not supported" in out
        code, out, _ = await run(tmp_path, "devices", "--json", **sim.environment)
        assert [one["supported"] for one in json.loads(out)] == [True, False]
        await sim.unplug()
        code, out, err = await run(tmp_path, "status", **sim.environment)
        assert (code, out) == (3, "") and "offline" in err and "E799 water leak" in err
        for command in ("status", "set power on", "tou show", "monitor --count 1"):
            words = (*command.split(), "--device", "device 1")
            code, out, err = await run(tmp_path, *words, **sim.environment)
            assert (code, out) == (1, "")
            assert "Device 1 is a tankless unit or boiler, type 1: not supported" in err


async def test_an_account_with_other_devices_alone_is_told_so(tmp_path: Path) -> None:
    async with Simulator(speed=600, heaters=0, other_devices=(1,)) as sim:
        code, out, err = await run(tmp_path, "status", **sim.environment)
        assert (code, out) == (1, "") and "no NWP500. Device 1 is a tankless unit" in err
        code, out, err = await run(tmp_path, "devices", **sim.environment)
        assert (code, err) == (0, "")
        assert "a tankless unit or boiler: not supported" in out and "has no NWP500" in out


async def test_a_firmware_that_the_account_may_not_see_is_told(tmp_path: Path) -> None:
    async with Simulator(speed=600) as sim:
        sim.faults.rest["/device/firmware/info"] = RestFault.error(403, "FORBIDDEN")
        code, out, err = await run(tmp_path, "devices", **sim.environment)
    assert (code, err) == (0, "") and out.endswith("NWP500  firmware not available\n")


# Parsing


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily", EVERY_DAY),
        ("weekdays", WEEKDAYS),
        ("mon-fri", WEEKDAYS),
        ("Sat, sunday", WEEKEND),
        ("fri-mon", WEEKEND | {Weekday.FRIDAY, Weekday.MONDAY}),
        ("tue", {Weekday.TUESDAY}),
        ("weekend,wed", WEEKEND | {Weekday.WEDNESDAY}),
    ],
)
def test_weekdays_are_parsed_and_written_the_same_way(text: str, days: set[Weekday]) -> None:
    assert parse_days(text) == days
    assert parse_days(days_text(days)) == days


def test_months_are_parsed_and_written_the_same_way() -> None:
    assert parse_months("oct-may") == {10, 11, 12, 1, 2, 3, 4, 5}
    assert months_text({10, 11, 12, 1, 2, 3, 4, 5}) == "oct-may"
    for season in range(1, 4096):
        months = {month for month in range(1, 13) if season >> (month - 1) & 1}
        assert parse_months(months_text(months)) == months


@pytest.mark.parametrize("text", ["", "mo", "monx", "mon-", "-mon", "mon--fri", "1", "mon fri"])
def test_a_text_that_is_not_a_weekday_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        parse_days(text)


def test_a_number_without_a_unit_is_in_the_unit_that_the_heater_displays() -> None:
    assert parse_degrees("120").argument("F") == {"fahrenheit": 120}
    assert parse_degrees("49.5").argument("C") == {"celsius": 49.5}
    assert parse_degrees("120 °f").argument("C") == {"fahrenheit": 120}
    assert both_units(HalfCelsius(98), "C") == "49.0 °C (120.2 °F)"
    for text in ("", "F", "1e3", "nan", "120K", "1_0"):
        with pytest.raises(ValueError):
            parse_degrees(text)


@pytest.mark.parametrize("data", [None, 7, [], {}, {"firmwares": [None, 7]}], ids=str)
def test_an_odd_firmware_answer_does_not_empty_the_list_of_devices(
    invoke: Invoke, background: BackgroundSimulator, data: object
) -> None:
    body = json.dumps({"code": 200, "msg": "SUCCESS", "data": data}).encode()
    rest = background.sim.faults.rest
    rest["/device/firmware/info"] = RestFault(200, body, {"Content-Type": "application/json"})
    try:
        code, out, _ = invoke("devices")
    finally:
        del rest["/device/firmware/info"]
    assert (code, out) == (0, "0123456789ab  type 52  online   NWP500  firmware not available\n")
