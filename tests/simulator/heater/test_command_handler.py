"""Replies of the simulated heater to controls (PROTOCOL 4.4, 5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.protocol.commands import COMMANDS
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Firmware, Simulator
from navien_nwp500.simulator.heater.command_handler import EFFECTS
from navien_nwp500.simulator.heater.query_handler import QUERY_METHODS
from support.control_examples import EXAMPLES
from support.heater_bench import DEVICE, LOAD, OPERATION, PLAN, RESERVATIONS, Bench, control


def test_every_command_is_handled() -> None:
    assert {command for command in COMMANDS if not command.is_control} == set(QUERY_METHODS)
    assert set(EFFECTS) <= {command for command in COMMANDS if command.is_control}


@pytest.mark.parametrize("firmware", list(Firmware))
def test_each_control_appears_in_its_reply(firmware: Firmware) -> None:
    bench = Bench(recirculation=True, firmware=firmware, mode=DHWMode.ENERGY_SAVER)
    for example in EXAMPLES:
        status = bench.control(example.code, example.mode, example.param)
        if firmware is Firmware.A and example.mode.startswith("recirc"):
            assert status is None  # older firmware sends no such features
            continue
        assert status is not None, example
        assert {key: status[key] for key in example.expected} == example.expected
        bench.heater.advance(20)


MALFORMED: list[tuple[int, str, list[Any]]] = [
    (33554437, "dhw-mode", [5]),  # vacation without days (PROTOCOL 4.4)
    (33554437, "dhw-mode", []),
    (33554437, "dhw-mode", [3, 7]),
    (33554437, "dhw-mode", ["3"]),
    (33554437, "dhw-mode", [True]),
    (33554433, "power-off", [1]),
    (33554464, "dhw-temperature", []),
    (33554464, "dhw-temperature", [117, 118]),
    (33554444, "recirc-hotbtn", [2]),
    (33554438, "dhw-temp-setting", [120]),  # never sent by a client (PROTOCOL 5.5)
    (33554471, "anti-legionella-setting", [1]),
    (33554472, "anti-legionella-setting", [2, 14]),
]


@pytest.mark.parametrize(("code", "mode", "numbers"), MALFORMED)
def test_a_malformed_control_gets_no_reply(code: int, mode: str, numbers: list[Any]) -> None:
    bench = Bench(recirculation=True)
    before = bench.status
    assert bench.control(code, mode, numbers) is None
    assert bench.status == before


@pytest.mark.parametrize("mode", ["power-on", "", "nonsense", None, 7])
def test_the_code_decides_whatever_the_mode_text_is(mode: Any) -> None:
    bench = Bench()
    text = {} if mode is None else {"mode": mode}
    ((_, body),) = bench.request("ctrl", 33554433, param=[], **text)
    assert (body["status"]["command"], body["status"]["dhwOperationSetting"]) == (33554433, 6)


def test_mode_6_switches_the_heater_off_as_its_clients_expect() -> None:
    bench = Bench()
    status = bench.control(33554437, "dhw-mode", [6])
    assert status is not None and status["dhwOperationSetting"] == 6
    status = bench.control(33554434, "power-on", [])
    assert status is not None and status["dhwOperationSetting"] == 1


NOT_ALLOWED: list[tuple[int, str, list[int]]] = [
    (33554464, "dhw-temperature", [80]),
    (33554464, "dhw-temperature", [132]),
    (33554464, "dhw-temperature", [10**30]),
    (33554437, "dhw-mode", [0]),
    (33554437, "dhw-mode", [32]),
    (33554437, "dhw-mode", [5, 0]),
    (33554437, "dhw-mode", [5, 100]),
    (33554466, "goout-day", [100]),
    (33554472, "anti-leg-on", [0]),
    (33554472, "anti-leg-on", [31]),
    (33554474, "air-filter-life", [1]),
    (33554474, "air-filter-life", [21]),
    (33554445, "recirc-mode", [5]),
]


@pytest.mark.parametrize(("code", "mode", "numbers"), NOT_ALLOWED)
def test_a_value_that_is_not_allowed_gets_an_unchanged_status(
    code: int, mode: str, numbers: list[int]
) -> None:
    bench = Bench(recirculation=True)
    before = bench.status
    status = bench.control(code, mode, numbers)
    assert status is not None
    assert {key: value for key, value in status.items() if key != "command"} == before


def test_the_installer_decides_the_lowest_setpoint() -> None:
    for bench, expected in ((Bench(), 121), (Bench(min_setpoint=HalfCelsius(70)), 70)):
        status = bench.control(33554464, "dhw-temperature", [70])
        assert status is not None and status["dhwTemperatureSetting"] == expected


def test_without_a_pump_its_commands_get_no_reply() -> None:
    bench = Bench()
    assert bench.control(33554445, "recirc-mode", [2]) is None
    assert bench.control(33554444, "recirc-hotbtn", [1]) is None
    assert bench.request("st/recirc-rsv/rd", 16777231) == []
    write = {"reservationUse": 2, "reservation": []}
    assert bench.request("ctrl/recirc-rsv/rd", 33554440, **write) == []


def test_unknown_codes_and_topics_get_no_reply() -> None:
    bench = Bench()
    for suffix, code in (
        ("st", 16777217),
        ("ctrl", 16777219),
        ("st/rsv/rd", 16777226),
        ("st/energy-usage-hourly-query/rd", 16777224),
        ("ctrl/commit-ota", 33554442),
        ("ctrl", 33554455),
        ("st/end", 16777218),
    ):
        body = {"year": 2026, "month": 1, "day": [4]}
        assert bench.request(suffix, code, **body) == [], (suffix, code)


def test_the_reply_comes_first_with_the_old_operation_mode() -> None:
    bench = Bench()
    bench.heater.advance(60)
    status = bench.control(33554437, "dhw-mode", [3])
    assert status is not None
    assert (status["dhwOperationSetting"], status["operationBusy"]) == (3, 2)
    assert (status["currentHeatUse"], status["operationMode"]) == (3, 0)
    assert [int(p.command or 0) for p in bench.heater.advance(13)] == [OPERATION, OPERATION, LOAD]


def test_a_repeated_setting_has_no_effect() -> None:
    bench = Bench()
    bench.heater.advance(60)
    for code, mode, numbers in (
        (33554437, "dhw-mode", [1]),
        (33554464, "dhw-temperature", [121]),
        (33554434, "power-on", []),
    ):
        assert bench.control(code, mode, numbers) is not None
    assert bench.heater.advance(120) == []


def test_a_control_within_the_interval_is_refused() -> None:
    bench = Bench(interval=3.0)
    assert bench.control(33554464, "dhw-temperature", [117]) is not None
    refused = bench.request("ctrl", **control(33554437, "dhw-mode", [3]))
    fail = (f"{DEVICE}/res/ctrl-fail", {"swVersion": 0, "failCode": 2})
    assert refused == [fail]
    assert bench.status["dhwOperationSetting"] == 1
    assert bench.write_plan(PLAN) == [fail]
    # Queries and refused controls do not restart the interval.
    bench.heater.advance(2)
    assert bench.request("st", 16777219) != [fail]
    assert bench.request("ctrl", **control(33554437, "dhw-mode", [3])) == [fail]
    bench.heater.advance(1)
    status = bench.control(33554437, "dhw-mode", [3])
    assert status is not None and status["dhwOperationSetting"] == 3
    # By its code the reservation write is not a control.
    assert bench.write_reservations(*RESERVATIONS) != []


def test_the_control_interval_is_not_negative() -> None:
    for interval in (-1.0, float("nan")):
        with pytest.raises(ConfigurationError):
            Simulator(control_interval=interval)
