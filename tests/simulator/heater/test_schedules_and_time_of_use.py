"""Schedules, time of use and disinfection of the simulated heater.

PROTOCOL 8.3, 8.4, 8.7, 8.9 and 9.12.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from navien_nwp500.protocol.types import DHWMode, Flag, HalfCelsius
from support.heater_bench import (
    APP,
    DEMAND,
    LIB_QUERY,
    MONDAY,
    OPERATION,
    PACKED,
    PLAN,
    RESERVATIONS,
    SERIAL,
    Bench,
)

# Reservations (PROTOCOL 8.3)


def test_a_read_returns_the_packed_form_and_objects() -> None:
    bench = Bench()
    assert bench.request("st/rsv/rd", 16777222, f"{LIB_QUERY}/rsv/rd") == [
        (f"{LIB_QUERY}/rsv", {"reservationUse": 0, "reservation": ""}),
        (f"{LIB_QUERY}/rsv/rd", {"reservationUse": 0, "reservation": []}),
    ]
    assert bench.write_reservations(*RESERVATIONS) == sorted(RESERVATIONS, key=str)
    packed, listed = bench.request("st/rsv/rd", 16777222, f"{APP}/rsv/rd")
    assert packed[0] == f"{APP}/rsv" and packed[1]["reservationUse"] == 2
    text = packed[1]["reservation"]
    assert {text[:12], text[12:]} == PACKED
    assert listed[0] == f"{APP}/rsv/rd"
    assert sorted(listed[1]["reservation"], key=str) == sorted(RESERVATIONS, key=str)
    ((topic, body),) = bench.request("st/rsv/rd", 16777222, "somewhere/else")
    assert topic == "somewhere/else" and len(body["reservation"]) == 24


def test_a_write_replaces_the_list_and_pushes_a_change_of_its_use() -> None:
    bench = Bench()
    bench.write_reservations(*RESERVATIONS)
    (push,) = bench.heater.advance(1)
    assert push.command == 0 and push.program_reservation_use == Flag.ACTIVE
    assert bench.write_reservations(RESERVATIONS[0]) == [RESERVATIONS[0]]
    assert bench.heater.advance(1) == []
    assert bench.write_reservations(use=1) == []
    (push,) = bench.heater.advance(1)
    assert push.command == 0 and push.program_reservation_use == Flag.READY


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": 6},
        {"mode": 0},
        {"param": 80},
        {"param": 132},
        {"week": 0},
        {"week": 256},
        {"hour": 24},
        {"min": 60},
        {"enable": 3},
        {"enable": True},
        {"param": 118.0},
        {"min": None},
    ],
)
def test_an_invalid_entry_leaves_the_list_unchanged(bad: dict[str, Any]) -> None:
    bench = Bench()
    bench.write_reservations(*RESERVATIONS)
    assert bench.write_reservations(RESERVATIONS[1], {**RESERVATIONS[0], **bad}) == sorted(
        RESERVATIONS, key=str
    )
    assert bench.request("ctrl/rsv/rd", 16777226, reservationUse=2, reservation="02")
    assert bench.write_reservations(*RESERVATIONS) == sorted(RESERVATIONS, key=str)


def test_32_reservations_are_stored_and_returned_in_any_order() -> None:
    many = [{**RESERVATIONS[0], "hour": slot // 2, "min": slot % 2 * 30} for slot in range(32)]
    one, other = Bench(seed=1), Bench(seed=1)
    assert one.write_reservations(*many) == sorted(many, key=str)
    assert len(one.write_reservations(*many, RESERVATIONS[1])) == 32
    orders = []
    for bench in (one, other):
        if bench is other:
            bench.write_reservations(*many)
            bench.write_reservations(*many)
        _, (_, body) = bench.request("st/rsv/rd", 16777222, f"{LIB_QUERY}/rsv/rd")
        orders.append(body["reservation"])
    assert orders[0] == orders[1] != many


def test_a_reservation_is_applied_in_its_minute() -> None:
    bench = Bench()
    bench.write_reservations(*RESERVATIONS)
    bench.advance_to(6, 29)
    bench.heater.advance(59)
    assert bench.status["dhwOperationSetting"] == 1
    bench.heater.advance(12)
    status = bench.status
    assert (status["dhwOperationSetting"], status["dhwTemperatureSetting"]) == (3, 118)
    bench.advance_to(22, 1)
    assert bench.status["dhwOperationSetting"] == 3  # the other reservation is off


def test_the_effects_of_a_reservation_are_pushed() -> None:
    bench = Bench(upper_celsius=58.7, lower_celsius=50.0)
    bench.write_reservations(RESERVATIONS[0])
    bench.heater.advance(60)
    assert bench.advance_to(6, 31)[:2] == [DEMAND, OPERATION]


def test_reservations_are_not_applied_on_other_days_or_while_off() -> None:
    saturday = Bench(now=MONDAY - timedelta(days=2))
    saturday.write_reservations(RESERVATIONS[0])
    off = Bench()
    off.write_reservations(RESERVATIONS[0], use=1)
    for bench in (saturday, off):
        bench.advance_to(7)
        assert bench.status["dhwOperationSetting"] == 1
    saturday.heater.advance(2 * 86400)
    assert saturday.status["dhwOperationSetting"] == 3


def test_a_reservation_switches_off_and_on() -> None:
    bench = Bench()
    bench.write_reservations(
        {**RESERVATIONS[0], "hour": 8, "min": 0, "mode": 5},
        {**RESERVATIONS[0], "hour": 9, "min": 0, "mode": 4},
    )
    bench.advance_to(8, 1)
    assert bench.status["dhwOperationSetting"] == 6
    bench.advance_to(9, 1)
    assert bench.status["dhwOperationSetting"] == 4


def test_reservations_during_a_vacation_are_not_caught_up() -> None:
    bench = Bench()
    bench.write_reservations(RESERVATIONS[0])
    bench.control(33554437, "dhw-mode", [5, 3])
    bench.advance_to(7)
    assert bench.control(33554437, "dhw-mode", [1]) is not None
    bench.heater.advance(3600)
    assert bench.status["dhwTemperatureSetting"] == 121
    assert bench.status["dhwOperationSetting"] == 1


def test_a_reservation_written_in_its_own_minute_is_not_applied() -> None:
    bench = Bench(now=MONDAY.replace(hour=6, minute=30, second=20))
    bench.write_reservations(RESERVATIONS[0])
    bench.heater.advance(3600)
    assert bench.status["dhwOperationSetting"] == 1


# Time of use (PROTOCOL 8.4, 9.12)


def test_a_plan_must_name_the_controller() -> None:
    bench = Bench()
    assert bench.write_plan(PLAN, serial="12345678AB00000000") == []
    assert bench.status["touStatus"] == 0
    reply = (f"{LIB_QUERY}/tou/rd", {"reservationUse": 2, "reservation": PLAN})
    assert bench.write_plan(PLAN) == [reply]
    assert bench.write_plan([{**PLAN[0], "season": 0}]) == [reply]
    assert bench.write_plan([]) == [reply]
    assert bench.write_plan(PLAN * 11) == [reply]
    assert bench.write_plan([{**PLAN[0], "endHour": 24}]) == [reply]


def test_a_time_of_use_request_without_a_list_gets_no_reply() -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    reply = f"{LIB_QUERY}/tou/rd"
    assert bench.request("ctrl/tou/rd", 33554439, reply, controllerSerialNumber=SERIAL) == []
    assert bench.request("st/tou/rd", 33554439, reply, controllerSerialNumber=SERIAL) == []
    assert bench.status["touStatus"] == 1


def test_the_price_period_follows_the_clock() -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    seen = []
    for hour in (6, 15, 16, 20, 21, 0):
        bench.advance_to(hour, 1)
        seen.append(bench.status["touStatus"])
    assert seen == [1, 2, 3, 3, 2, 1]
    bench.control(33554475, "tou-off", [])
    bench.advance_to(16, 30)
    assert bench.status["touStatus"] == 0
    bench.control(33554476, "tou-on", [])  # the plan is still stored, and this is its peak
    assert bench.status["touStatus"] == 3
    assert bench.status["hpUpperOnTempSetting"] == 121
    weekend = Bench(now=MONDAY + timedelta(days=5))
    weekend.write_plan(PLAN)
    weekend.advance_to(17)
    assert weekend.status["touStatus"] == 1


def test_an_opening_window_sets_mode_1_which_stays_after_it() -> None:
    bench = Bench(mode=DHWMode.ENERGY_SAVER)
    bench.write_plan(PLAN)
    bench.advance_to(16, 1)
    assert bench.status["dhwOperationSetting"] == 1
    bench.advance_to(21, 1)
    assert bench.status["dhwOperationSetting"] == 1


def test_a_list_write_starts_no_heating() -> None:
    """0 of 8 within 3 minutes, the tank 1.2 K short (PROTOCOL 8.3); a control does start it."""
    pump = {"recirculation": True, "mode": DHWMode.ENERGY_SAVER}
    bench = Bench(**pump, upper_celsius=59.3, lower_celsius=59.3)
    bench.advance_to(17)
    bench.write_reservations(*RESERVATIONS)
    entry = {"enable": 2, "week": 124, "hour": 6, "min": 0, "mode": 2, "param": -1}
    bench.request("ctrl/recirc-rsv/rd", 33554440, reservationUse=2, reservation=[entry])
    bench.write_plan(PLAN)  # its peak is now: the mode falls to 1
    assert (bench.status["touStatus"], bench.status["dhwOperationSetting"]) == (3, 1)
    bench.control(33554437, "dhw-mode", [3])
    without_peak = [{**PLAN[0], "endHour": 23}]
    bench.write_plan(without_peak)  # the window is over: the deferred mode 3 applies
    assert bench.status["dhwOperationSetting"] == 3
    assert not any(push.operation_busy.active for push in bench.heater.advance(180))
    assert bench.status["operationBusy"] == 1
    bench.control(33554437, "dhw-mode", [4])
    assert bench.status["operationBusy"] == 2


def test_a_list_write_that_ends_a_window_stops_the_heat_pump_for_electric_mode() -> None:
    bench = Bench(now=MONDAY + timedelta(hours=12), upper_celsius=51.0, lower_celsius=40.0)
    bench.write_plan(PLAN)  # its peak is now, and the upper sensor is more than 8.0 K short
    bench.heater.advance(300)
    assert bench.status["compUse"] == 2
    bench.control(33554437, "dhw-mode", [2])
    bench.write_plan([{**PLAN[0], "endHour": 23}])
    bench.heater.advance(90)
    assert (bench.status["dhwOperationSetting"], bench.status["compUse"]) == (2, 1)


def test_a_window_defers_a_mode_until_its_end() -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    bench.advance_to(17)
    status = bench.control(33554437, "dhw-mode", [3])
    assert status is not None and status["dhwOperationSetting"] == 1
    status = bench.control(33554464, "dhw-temperature", [117])
    assert status is not None and status["dhwTemperatureSetting"] == 117
    bench.advance_to(20, 59)
    assert bench.status["dhwOperationSetting"] == 1
    bench.advance_to(21, 1)
    assert bench.status["dhwOperationSetting"] == 3


@pytest.mark.parametrize(
    ("code", "mode", "numbers", "shown"),
    [
        (33554437, "dhw-mode", [1], 1),
        (33554433, "power-off", [], 6),
        (33554437, "dhw-mode", [5, 3], 5),
    ],
)
def test_a_mode_that_is_applied_at_once_replaces_the_deferred_one(
    code: int, mode: str, numbers: list[int], shown: int
) -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    bench.advance_to(17)
    bench.control(33554437, "dhw-mode", [3])
    status = bench.control(code, mode, numbers)
    assert status is not None and status["dhwOperationSetting"] == shown
    bench.advance_to(21, 1)
    assert bench.status["dhwOperationSetting"] == shown


def test_time_of_use_off_ends_the_window_at_once() -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    bench.advance_to(17)
    bench.control(33554437, "dhw-mode", [4])
    status = bench.control(33554475, "tou-off", [])
    assert status is not None
    assert (status["touStatus"], status["dhwOperationSetting"]) == (0, 4)


def test_power_on_in_a_window_starts_in_mode_1() -> None:
    bench = Bench(mode=DHWMode.HIGH_DEMAND)
    bench.control(33554433, "power-off", [])
    bench.write_plan(PLAN)
    bench.advance_to(17)
    status = bench.control(33554434, "power-on", [])
    assert status is not None and status["dhwOperationSetting"] == 1
    bench.advance_to(21, 1)
    assert bench.status["dhwOperationSetting"] == 4


def test_a_reservation_in_a_window_sets_the_setpoint_alone() -> None:
    bench = Bench()
    bench.write_plan(PLAN)
    bench.write_reservations({**RESERVATIONS[0], "hour": 17, "min": 0})
    bench.advance_to(17, 1)
    status = bench.status
    assert (status["dhwTemperatureSetting"], status["dhwOperationSetting"]) == (118, 1)
    bench.advance_to(21, 1)
    assert bench.status["dhwOperationSetting"] == 3


# Recirculation (PROTOCOL 8.7)


def recirculating(**changes: Any) -> Bench:
    return Bench(recirculation=True, **changes)


def test_the_recirculation_schedule_is_read_and_written() -> None:
    bench = recirculating()
    read = ("st/recirc-rsv/rd", 16777231, f"{LIB_QUERY}/recirc-rsv/rd")
    assert bench.request(*read) == [
        (f"{LIB_QUERY}/recirc-rsv", {"reservationUse": 1, "reservation": ""}),
        (f"{LIB_QUERY}/recirc-rsv/rd", {"reservationUse": 1, "reservation": []}),
    ]
    entry = {"enable": 2, "week": 124, "hour": 6, "min": 0, "mode": 2, "param": -1}
    body = {"reservationUse": 2, "reservation": [entry]}
    write = ("ctrl/recirc-rsv/rd", 33554440, f"{LIB_QUERY}/recirc-rsv/rd")
    replies = [
        (f"{LIB_QUERY}/recirc-rsv", {"reservationUse": 2, "reservation": "027c060002ff"}),
        (f"{LIB_QUERY}/recirc-rsv/rd", body),
    ]
    assert bench.request(*write, **body) == replies
    packed, listed = bench.request(*read)
    assert packed[1]["reservation"] == "027c060002ff" and listed[1] == body
    assert bench.status["recircReservationUse"] == 2
    for wrong in ([entry] * 21, [{**entry, "mode": 3}], [{**entry, "week": 0}], "no list"):
        bad = {"reservationUse": 1, "reservation": wrong}
        assert bench.request(*write, **bad) == replies


def test_the_pump_runs_according_to_its_mode() -> None:
    bench = recirculating()
    assert bench.status["recircOperationBusy"] == 2
    bench.control(33554445, "recirc-mode", [4])
    assert bench.status["recircOperationBusy"] == 1
    bench.control(33554445, "recirc-mode", [3])
    assert bench.status["recircOperationBusy"] == 1
    bench.control(33554444, "recirc-hotbtn", [1])
    assert bench.status["recircOperationBusy"] == 2
    bench.heater.advance(600)
    assert bench.status["recircOperationBusy"] == 1
    entries = [
        {"enable": 2, "week": 124, "hour": hour, "min": 0, "mode": mode, "param": -1}
        for hour, mode in ((6, 2), (7, 1))
    ]
    bench.request("ctrl/recirc-rsv/rd", 33554440, reservationUse=2, reservation=entries)
    bench.control(33554445, "recirc-mode", [2])
    busy = []
    for hour in (5, 6, 7):
        bench.advance_to(hour, 50)
        busy.append((bench.status["recircOperationBusy"], bench.status["dhwUse"]))
    assert busy == [(1, 1), (2, 2), (1, 1)]


# Anti-legionella (PROTOCOL 8.9)


def test_no_disinfection_cycle_runs_as_delivered() -> None:
    bench = Bench(setpoint=HalfCelsius(100), upper_celsius=50.0, lower_celsius=50.0)
    assert (bench.status["antiLegionellaUse"], bench.status["antiLegionellaPeriod"]) == (1, 7)
    bench.heater.advance(8 * 86400)
    assert bench.status["tankUpperTemperature"] < 520


def test_a_disinfection_cycle_heats_to_60_once() -> None:
    bench = Bench(setpoint=HalfCelsius(100), upper_celsius=50.0, lower_celsius=50.0)
    bench.control(33554472, "anti-leg-on", [1])
    busy, hottest = [], 0
    for _ in range(47 * 60):
        bench.heater.advance(60)
        status = bench.status
        busy.append(status["antiLegionellaOperationBusy"])
        lowest = min(status["tankUpperTemperature"], status["tankLowerTemperature"])
        hottest = max(hottest, lowest)
    begins, length = busy.index(2), busy.count(2)
    assert begins in (24 * 60 - 1, 24 * 60) and 60 < length < 20 * 60
    assert busy[begins : begins + length] == [2] * length
    assert 598 <= hottest <= 610  # the sensors jitter
    assert status["operationBusy"] == 1 and status["dhwTemperatureSetting"] == 100
    assert bench.control(33554471, "anti-leg-off", []) is not None
    bench.heater.advance(3 * 86400)
    assert bench.status["antiLegionellaOperationBusy"] == 1


@pytest.mark.parametrize("mode", [DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND])
def test_every_mode_runs_a_disinfection_cycle(mode: DHWMode) -> None:
    bench = Bench(setpoint=HalfCelsius(100), upper_celsius=59.9, lower_celsius=49.0, mode=mode)
    bench.control(33554472, "anti-leg-on", [1])
    bench.heater.advance(86400 + 600)
    assert bench.status["antiLegionellaOperationBusy"] == 2
    bench.heater.advance(20 * 3600)
    assert bench.status["antiLegionellaOperationBusy"] == 1


def test_a_disinfection_cycle_waits_while_the_heater_is_off() -> None:
    bench = Bench(setpoint=HalfCelsius(100), upper_celsius=50.0, lower_celsius=50.0)
    bench.control(33554472, "anti-leg-on", [1])
    bench.control(33554433, "power-off", [])
    bench.heater.advance(2 * 86400)
    assert bench.status["antiLegionellaOperationBusy"] == 1
    bench.control(33554434, "power-on", [])
    bench.heater.advance(60)
    assert bench.status["antiLegionellaOperationBusy"] == 2
