"""The command ``set``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.cli.test_tou import PEAK_DAY, write_plan
from navien_nwp500.apps.cli.commands.set import SET_COMMANDS, register, set_command, single
from navien_nwp500.apps.cli.context import wait_response
from navien_nwp500.apps.cli.formatting import UNCHANGED
from navien_nwp500.apps.cli.runner import OFFLINE, run
from navien_nwp500.exceptions import RequestTimeoutError
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.commands import Command, Parameter
from navien_nwp500.protocol.fields import decode_fields, encode_fields
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import HalfCelsius, Percent, RecircMode
from support.background_simulator import Invoke, Output, exit_code


def setpoint(output: Output) -> int:
    value = json.loads(output("status --json"))["status"]["dhwTemperatureSetting"]
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("temperature 120F", "set to 120.2 °F (49.0 °C);"),
        ("temperature 50C", "set to 122.0 °F (50.0 °C);"),
        ("temperature 125", "set to 124.7 °F (51.5 °C);"),
        ("temperature 51 --unit C", "set to 123.8 °F (51.0 °C);"),
        ("mode heat-pump", "mode heat pump,"),
        ("mode energy-saver", "mode energy saver,"),
        ("power off", "The heater is off; its setpoint is"),
        ("power on", "The heater is set to"),
        ("vacation 7", "The heater is on vacation for 7 days;"),
        ("mode high-demand", "mode high demand,"),
        ("vacation-days 1", "A vacation lasts 1 day."),
        ("anti-legionella off", "not disinfected. The stored period is 7 days."),
        ("anti-legionella 10", "disinfected every 10 days."),
        ("demand-response on", "accepted the command"),
        ("tou on", "Time of use is on"),
        ("tou off", "Time of use is off"),
        ("intelligent off", "accepted the command"),
        ("water-program", "accepted the command"),
        ("air-filter-life 3000", "its reminder comes at 3000."),
        ("air-filter-life 0", "its reminder is off."),
        ("air-filter-reset", "The air filter has 0 fan hours;"),
        ("condenser-reset", "accepted the command"),
        ("recirculation weekly", "Recirculation: weekly."),
        ("hot-button", "accepted the command"),
    ],
)
def test_set_prints_the_new_state_of_the_heater(
    output: Output, arguments: str, sentence: str
) -> None:
    # Forced, because the heater may have the setting from another test.
    out = output(f"set {arguments} --force")
    assert sentence in out and "Nothing was sent" not in out
    assert out.splitlines()[-1].startswith("The heater is ")


def test_a_setting_that_the_heater_has_is_sent_only_with_force(output: Output) -> None:
    output("set temperature 130F")
    assert UNCHANGED in output("set temperature 130F")
    forced = output("set temperature 130F --force")
    assert "Nothing was sent" not in forced and "130.1 °F" in forced


def test_a_dry_run_prints_the_command_and_changes_nothing(output: Output) -> None:
    before = setpoint(output)
    out = output("set temperature 48C --dry-run")
    assert out.startswith(
        "Dry run: would send command 33554464, dhw-temperature [96]. Nothing was sent.\n"
    )
    found = json.loads(output("set temperature 48C --dry-run --json"))
    assert found["would_send"]["param"] == [96] and "held_mode" not in found
    assert setpoint(output) == before != 96


def test_the_json_of_set_is_that_of_status(output: Output) -> None:
    found = json.loads(output("set temperature 53C --json"))
    assert set(found) == {"device", "status", "reading"}
    assert found["status"]["dhwTemperatureSetting"] == 106
    assert encode_fields(decode_fields(DeviceStatus, found["status"])) == found["status"]


def test_a_mode_waits_for_the_end_of_a_time_of_use_window(output: Output, tmp_path: Path) -> None:
    output("set mode heat-pump")
    write_plan(tmp_path, PEAK_DAY)
    output("tou set plan.json")
    out = output("set mode high-demand")
    assert "The mode changes to high demand when the time-of-use window ends." in out
    assert "mode heat pump," in out
    found = json.loads(output("set mode energy-saver --json"))
    assert found["held_mode"] == "energy_saver"
    assert "Stop following" not in output("tou off")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ("temperature 300F", 1, "65.5 °C (149.9 °F)"),
        ("vacation 100", 1, "1 d to 99 d"),
        ("air-filter-life 3001", 1, "in steps of 500"),
        ("temperature warm", 2, "'warm' is not a temperature"),
        ("temperature 120F --unit C", 2, "--unit is C"),
        ("mode vacation", 2, "energy-saver"),
        ("anti-legionella often", 2, "nor off"),
        ("vacation", 2, "Give either DAYS or --until DATE."),
        ("vacation 3 --until 2026-03-20", 2, "Give either DAYS or --until DATE."),
        ("vacation --until 2026-03-12", 2, "it may be 2026-03-13 to 2026-06-19."),
        ("vacation --until 2026-06-20", 2, "it may be 2026-03-13 to 2026-06-19."),
        ("vacation --until tomorrow", 2, "'tomorrow' is not a date such as 2026-12-24"),
        ("temperature 49C --device nonsense", 1, "nonsense"),
    ],
)
def test_a_wrong_value_is_explained_and_not_sent(
    invoke: Invoke, arguments: str, code: int, reason: str
) -> None:
    found, out, err = invoke(f"set {arguments}")
    assert (found, out) == (code, "")
    assert reason in err and "Traceback" not in err
    assert code == 2 or len(err.splitlines()) == 1


def test_a_read_only_client_sends_no_command(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAVILINK_READ_ONLY", "1")
    add = "reservations add --days mon --at 06:30 --mode electric --temperature 120F"
    for command in ("set power off", add):
        code, out, err = invoke(command)
        assert (code, out) == (2, "") and "read-only" in err


def test_every_control_command_has_a_subcommand() -> None:
    controls = {one for one in commands.COMMANDS if one.suffix == "ctrl"}
    assert {one for command in SET_COMMANDS for one in command.controls.values()} == controls


@pytest.mark.parametrize(
    ("codec", "limits", "argument", "example", "typed", "sent"),
    [
        (Percent, (0, 80), "RATE", "0", "40", 40),
        (HalfCelsius, (60, 120), "120F|49C", "120F", "45C", 90),
        # In the unit that this heater displays.
        (HalfCelsius, (60, 120), "120F|49C", "120F", "113", 90),
        (RecircMode, (1, 4), "{always|weekly|hot-button|none}", "always", "hot-button", 3),
    ],
)
def test_a_new_control_command_gets_a_subcommand(
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    codec: type[int],
    limits: tuple[int, int],
    argument: str,
    example: str,
    typed: str,
    sent: int,
) -> None:
    parameters = (Parameter("rate", codec, *limits),)
    control = Command(
        "mixing_rate", 0x020000F0, "ctrl", "invented", "Mix.", mode="mix", parameters=parameters
    )
    monkeypatch.setattr(set_command, "commands", dict(set_command.commands))
    register(set_command, single(control))
    _, out, _ = invoke("set mixing-rate --help")
    assert argument in out and f"Example: navien-nwp500 set mixing-rate {example}\n" in out
    assert "Mix." in invoke("set --help")[1]
    code, out, _ = invoke(f"set mixing-rate {typed} --dry-run")
    assert code == 0 and f"command 33554672, mix [{sent}]" in out


def test_a_heater_that_does_not_respond_to_a_command_gives_exit_code_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def no_response() -> None:
        raise RequestTimeoutError("NWP500 did not answer; the command may still take effect")

    assert exit_code(lambda: run(wait_response(no_response()))) == OFFLINE
    assert "may still take effect" in capsys.readouterr().err


def test_the_help_contains_the_meaning_of_each_control_command(invoke: Invoke) -> None:
    for command in SET_COMMANDS:
        _, out, _ = invoke(f"set {command.name} --help")
        assert all(one.meaning in " ".join(out.split()) for one in command.controls.values())


def test_a_vacation_ends_on_a_date_and_says_when_it_is_hot_again(output: Output) -> None:
    out = output("set vacation --until 2026-03-20")
    resumes, ends, state = out.splitlines()
    assert resumes == "Heating resumes on Thursday 19 March at about 23:00, so that"
    assert ends == "the water is hot when the vacation ends on Friday 20 March at 08:00."
    assert state.startswith("The heater is on vacation for 8 days; its setpoint is")
    found = json.loads(output("set vacation --until 2026-03-20 --json"))
    assert (
        found["status"]["command"] == commands.VACATION.code
    )  # one of 8 days may have begun earlier
    assert found["heating_resumes"] == "2026-03-19T23:00"
    assert found["vacation_ends"] == "2026-03-20T08:00"
    out = output("set vacation --until 2026-03-13 --dry-run")
    assert "[5, 1]. Nothing was sent." in out and "Heating resumes on Thursday 12 March" in out
    out = output("set vacation 8")
    assert out.startswith(UNCHANGED) and "resumes" not in out  # it is not known when it began
    out = output("set vacation 2")
    assert "Heating resumes on Friday 13 March at about 23:00" in out
    output("set mode energy-saver")
