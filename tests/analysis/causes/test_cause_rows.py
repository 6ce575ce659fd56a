"""Rows of the tables of causes, and their limits, on statuses written by hand."""

from __future__ import annotations

from datetime import time, timedelta, timezone
from typing import Any

import pytest

from navien_nwp500.analysis.causes import Knowledge
from navien_nwp500.models import EVERY_DAY, Reservation, ReservationMode, ReservationProgram
from navien_nwp500.protocol.client_requests import ClientRequest
from navien_nwp500.protocol.types import HalfCelsius
from support.cause_statuses import IDLE, ON, WINDOW, told
from support.heating_causes import MONDAY


def lower(start: float, end: float, *, drawing: bool = False) -> list[tuple[float, dict[str, Any]]]:
    """Half an hour in which the lower sensor falls, every 2 min; then heating starts."""
    steps = 15
    rows = [
        (
            2.0 * n,
            {
                "tank_lower_temperature": round(10 * (start + (end - start) * n / steps)),
                "dhw_use": 2 if drawing and n == 10 else 1,
            },
        )
        for n in range(steps)
    ]
    return [*rows, (30, {"tank_lower_temperature": round(10 * end), **ON})]


@pytest.mark.parametrize(
    ("start", "drawing", "begin"),
    [
        (42.6, True, "hot water was used"),
        (42.6, False, "hot water was used"),  # more than 1 K an hour
        (41.2, False, "the tank cooled slowly"),
        (41.4, True, "the tank cooled slowly"),  # hands washed
    ],
)
def test_hot_water_and_slow_cooling_are_told_apart(start: float, drawing: bool, begin: str) -> None:
    (run,) = told(*lower(start, 41.0, drawing=drawing))
    assert run.cause == "tank" and run.text.startswith(begin), run.text
    assert "start point of 104.9 °F (40.5 °C)" in run.text


def test_the_lower_sensor_may_be_half_a_kelvin_above_its_start_point() -> None:
    (near,) = told((0, {}), (0.5, {**ON, "tank_lower_temperature": 410}))
    assert near.cause == "tank"
    (far,) = told((0, {}), (0.5, {**ON, "tank_lower_temperature": 413}))
    assert far.cause == "unknown"


def test_a_mode_that_waits_for_the_end_of_a_window() -> None:
    """It is shown at once, and takes effect hours later (PROTOCOL 9.12)."""
    window = {**WINDOW, "tank_upper_temperature": 590}
    held = {**window, "dhw_operation_setting": 3}
    over = {"tank_upper_temperature": 590, "dhw_operation_setting": 3}
    (run,) = told(
        (0, window), (1, held), *((n, held) for n in range(10, 120, 5)), (120, {**over, **ON})
    )
    assert (run.cause, run.certainty, run.started.by) == ("window over", "likely", "window")
    assert "energy saver mode, which had waited" in run.text
    (run,) = told((0, held), (1, window), *((n, window) for n in range(5, 60, 5)), (60, ON))
    assert "which had waited" not in run.text


def test_a_window_is_in_force_when_it_raises_the_start_threshold() -> None:
    """Time of use that is on is not enough: on some units it shows 1 in and out of windows."""
    on = {"tou_status": 1, "tou_override_status": 2}
    raised = {**on, "hp_upper_on_temp_setting": 121}
    cold = {"tank_lower_temperature": 405}
    (run,) = told((0, {**on, **cold, "tank_lower_temperature": 420}), (0.5, {**on, **cold, **ON}))
    assert (run.cause, run.certainty) == ("tank", "sure")
    (run,) = told((0, {**raised, **cold}), (0.5, {**on, **cold, **ON}))
    assert (run.cause, run.certainty) == ("window over", "sure")
    # A setpoint as low as the start point is no window.
    low = {**on, "dhw_temperature_setting": 81, "hp_upper_off_temp_setting": 81}
    (run,) = told((0, {**low, **cold}), (0.5, {**low, **cold, "tank_upper_temperature": 400, **ON}))
    assert run.cause == "tank"


def test_a_window_that_begins_with_a_cold_tank() -> None:
    cold = {"tank_upper_temperature": 520, "tank_lower_temperature": 500}
    (run,) = told((0, cold), (0.5, {**cold, **WINDOW, **ON}))
    assert (run.cause, run.certainty) == ("window cold", "sure")
    assert run.text.endswith("in a time-of-use window, which began")


@pytest.mark.parametrize("spacing", [0.5, 5])
def test_a_setting_that_waits_for_the_end_of_the_lock_out(spacing: float) -> None:
    """Where no request is shown, the compressor starts 330 s after its stop."""
    raised = {"dhw_temperature_setting": 124, "tank_upper_temperature": 604}
    times = [n * spacing for n in range(int(25 / spacing))]
    statuses = [
        (
            when,
            {
                "tank_upper_temperature": 604,
                **(ON if when < 10 or when >= 15.5 else IDLE),
                **(raised if when >= 11 else {}),
            },
        )
        for when in times
    ]
    _, run = told((-1, {"tank_upper_temperature": 604}), *statuses)
    assert run.cause == "setpoint"
    asked = [(when, {**what, "dhw_temperature_setting": 121}) for when, what in statuses]
    _, run = told((-1, {"tank_upper_temperature": 604}), *asked)
    assert (run.cause, run.certainty) == ("continued", "likely")
    assert "the stop at 05:10" in run.text


def test_demand_without_a_source_is_demand() -> None:
    """The compressor pauses in the lock-out at 1 W: the run goes on."""
    waiting = {"operation_busy": 2, "current_statenum": 70}
    (run,) = told((0, {}), (1, ON), (10, waiting), (12, waiting), (14, ON), (20, {}), (21, {}))
    assert (run.start, run.end) == (MONDAY + timedelta(minutes=1), MONDAY + timedelta(minutes=20))
    cold = {"tank_lower_temperature": 404}
    (run,) = told((0, {}), (0.5, {**cold, **waiting}), (5, {**cold, **ON}))
    assert (run.cause, run.start) == ("tank", MONDAY + timedelta(seconds=30))


def test_the_lower_element_follows_the_upper_one_in_one_run() -> None:
    electric = {"dhw_operation_setting": 2}
    element = {**electric, "current_heat_use": 2, "operation_mode": 64}
    (run,) = told(
        *(
            (0, electric),
            (0.5, element),
            (1, electric),
            (1.5, electric),
            (1.9, element),
            (3, element),
        )
    )
    assert run.end is None
    first, _ = told(
        *(
            (0, electric),
            (0.5, element),
            (1, electric),
            (1.5, electric),
            (2.5, element),
            (3, element),
        )
    )
    assert first.end == MONDAY + timedelta(minutes=1)


def test_heat_that_the_grid_asks_for() -> None:
    (run,) = told((0, {}), (0.5, {**ON, "dr_event_status": 3}))
    assert (run.cause, run.certainty, run.started.by) == ("load up", "likely", "grid")
    (run,) = told((0, {}), (0.5, {**ON, "dr_event_status": 2}))
    assert run.cause == "unknown"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"dhw_operation_setting": 6}, "freeze"),
        ({"dhw_operation_setting": 5}, "freeze"),
        ({"freeze_protection_temperature": 16, "tank_lower_temperature": 80}, "freeze"),
        ({"dhw_operation_setting": 4}, "element"),
    ],
)
def test_freeze_protection_where_nothing_else_heats(changes: dict[str, int], cause: str) -> None:
    cold = {"tank_upper_temperature": 90, "tank_lower_temperature": 60}
    status = {**cold, "dhw_operation_setting": 1, **changes}
    element = {"current_heat_use": 2, "operation_mode": 64, **changes}
    (run,) = told((0, status), (0.5, {**status, **element}))
    assert run.cause == cause
    if cause == "freeze":
        assert run.certainty == "likely"


def test_a_cycle_that_begins_as_the_heater_is_switched_on() -> None:
    (run,) = told(
        (0, {"dhw_operation_setting": 6}), (0.5, {**ON, "anti_legionella_operation_busy": 2})
    )
    assert run.cause == "disinfection" and run.also[0].startswith("the heater was switched on")


def test_the_end_of_a_vacation_is_sure_with_a_request() -> None:
    away = {"dhw_operation_setting": 5}
    (run,) = told((0, away), (0.5, ON))
    assert (run.cause, run.certainty) == ("vacation over", "likely")
    request = ClientRequest(MONDAY, "dhw_mode", 33554437, {"mode": 1}, "0a1b2c3d")
    (run,) = told((0, away), (0.5, ON), known=Knowledge(requests=(request,)))
    assert (run.cause, run.certainty, run.started.by) == ("vacation over", "sure", "client")


def test_a_reservation_whose_setting_is_shown_two_minutes_later() -> None:
    entry = Reservation(EVERY_DAY, time(5), ReservationMode.HEAT_PUMP, HalfCelsius(121))
    known = Knowledge(reservations=ReservationProgram(True, (entry,)), zone=timezone.utc)
    old = {"dhw_temperature_setting": 108, "tank_upper_temperature": 560}
    (run,) = told((0.5, old), (1.5, old), (1.9, {**old, **ON}), (2, {**ON}), known=known)
    assert (run.cause, run.started.by) == ("reservation", "reservation")


def test_what_nothing_explains_is_told_in_numbers() -> None:
    request = ClientRequest(MONDAY - timedelta(hours=7), "dhw_mode", 33554437, {"mode": 1}, "")
    (run,) = told((0, {}), (0.5, ON), known=Knowledge(requests=(request,)))
    assert run.started.text == (
        "no rule of the heater explains it: upper tank 136.4 °F (58.0 °C), lower tank 122.0 °F "
        "(50.0 °C), setpoint 140.9 °F (60.5 °C), last write dhw mode, 2026-01-04 22:00"
    )


@pytest.mark.parametrize(
    ("lower_sensor", "kind", "certainty"),
    [
        (575, "unknown", "unknown"),
        (584, "window", "sure"),
        (589, "window", "sure"),
        (596, "window", "likely"),
        (606, "reached", "sure"),
    ],
)
def test_where_a_window_ends_a_recovery(lower_sensor: int, kind: str, certainty: str) -> None:
    """1.9 K below the setpoint of 60.5 °C; above that it was the setpoint."""
    tank = {"tank_upper_temperature": 600, "tank_lower_temperature": lower_sensor, **WINDOW}
    cold = {**WINDOW, "tank_upper_temperature": 600}
    (run,) = told((0, cold), (5, {**tank, **ON}), (10, {**tank, **ON}), (15, tank), (20, tank))
    assert run.stopped is not None
    assert (run.stopped.kind, run.stopped.certainty) == (kind, certainty)


def test_a_lowered_setpoint_ends_a_run_within_two_and_a_half_minutes() -> None:
    lowered = {"dhw_temperature_setting": 110}
    (run,) = told(
        (0, {}),
        (5, ON),
        (6, ON),
        (6.1, {**ON, **lowered}),
        (8, {**ON, **lowered}),
        (8.5, lowered),
        (9, lowered),
    )
    assert run.stopped is not None and run.stopped.kind == "setpoint"


def test_saver_mode_stops_by_the_upper_sensor() -> None:
    saver = {"dhw_operation_setting": 3, "tank_upper_temperature": 608}
    (run,) = told((0, saver), (5, {**saver, **ON}), (10, {**saver, **ON}), (15, saver), (20, saver))
    assert run.stopped is not None and (run.stopped.kind, run.stopped.certainty) == (
        "reached",
        "sure",
    )
