"""Causes of heating runs, row by row of the two tables, on streams of the simulated heater.

Each stream is made for one cause; what the controller did in truth is in the stream. At 30 s all are
told right, and with certainty nothing is told wrong; at 300 s the start lies within what is said.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta, timezone
from typing import Any, Callable

import pytest

from navien_nwp500.analysis.causes import Knowledge, OwnCommand
from navien_nwp500.analysis.causes.cause_types import HeatUse, between_text, share_text
from navien_nwp500.models import EVERY_DAY, Reservation, ReservationMode, ReservationProgram
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator.heater.firmware import Firmware
from navien_nwp500.simulator.heater.water_draws import Draws
from stress.confusion import VIEWS, Quarter, judge
from support.cause_statuses import ON, WINDOW, told, values
from support.heating_causes import MONDAY, Simulation, Stream, compare

HEAT_PUMP, ELECTRIC, SAVER, HIGH = (
    DHWMode.HEAT_PUMP,
    DHWMode.ELECTRIC,
    DHWMode.ENERGY_SAVER,
    DHWMode.HIGH_DEMAND,
)
SETPOINT = 60.5


def tank(celsius: float = 60.0, lower: float | None = None, **options: Any) -> Simulation:
    """A heater at rest for a quarter of an hour."""
    lower = celsius if lower is None else lower
    simulation = Simulation(upper_celsius=celsius, lower_celsius=lower, **options)
    return simulation.run(minutes=15)


def at(hour: int, minute: int, celsius: float, mode: ReservationMode) -> Reservation:
    return Reservation(EVERY_DAY, time(hour, minute), mode, HalfCelsius.from_celsius(celsius))


# Streams whose first truth is a start: the kind, and how it comes about


def drawn() -> Simulation:
    return tank(60, 42.5).draw(60, 8).run(1)


def cooled() -> Simulation:
    return tank(42, 40.7).run(5)


def raised() -> Simulation:
    return tank(55, 52, setpoint=HalfCelsius(108)).ask_setpoint(60).run(1)


def lowered_above_the_water() -> Simulation:
    return tank(55, 52).ask_setpoint(57).run(1)


def raised_in_a_window() -> Simulation:
    return tank(55, 52, setpoint=HalfCelsius(110)).window(True).run(0.2).ask_setpoint(60).run(1)


def mode_of_the_heat_pump() -> Simulation:
    return tank(58, 52, mode=SAVER).ask_mode(HEAT_PUMP).run(1)


def mode_saver() -> Simulation:
    return tank(60, 59).ask_mode(SAVER).run(1)


def mode_electric() -> Simulation:
    return tank(58, 55).ask_mode(ELECTRIC).run(1)


def switched_on() -> Simulation:
    return tank(57, 50, mode=DHWMode.HEAT_PUMP).ask_power(False).run(0.5).ask_power(True).run(1)


def vacation_left() -> Simulation:
    return tank(57, 50).ask_mode(DHWMode.VACATION, 7).run(0.5).ask_mode(HEAT_PUMP).run(1)


def vacation_over() -> Simulation:
    return tank(57, 50).ask_mode(DHWMode.VACATION, 1).run(0.2).skip(14.5).run(0.5)


def reserved_setpoint() -> Simulation:
    simulation = tank(55, 52, setpoint=HalfCelsius(108))
    return simulation.reserve(at(5, 40, 60, ReservationMode.HEAT_PUMP)).run(1)


def reserved_mode() -> Simulation:
    return tank(59, 52).reserve(at(5, 40, SETPOINT, ReservationMode.ENERGY_SAVER)).run(1)


def reserved_power() -> Simulation:
    simulation = tank(57, 50).ask_power(False).run(0.2)
    return simulation.reserve(at(5, 40, SETPOINT, ReservationMode.HEAT_PUMP)).run(1)


def window_waited() -> Simulation:
    return tank(56, 41.5).window(True).draw(25).run(0.5).window(False).run(1)


def window_with_a_mode() -> Simulation:
    return tank(59, 52).window(True).ask_mode(SAVER).run(0.5).window(False).run(1)


def window_begins() -> Simulation:
    return tank(57, 50, mode=SAVER).window(True).run(1)


def too_cold_in_a_window() -> Simulation:
    return tank(53, 45).window(True).run(0.3).draw(70, 9).run(1)


def disinfection() -> Simulation:
    simulation = tank(50, 48, setpoint=HalfCelsius(100))
    simulation.heater.set_anti_legionella(1)
    simulation.heater.settings.disinfection.due = 3600
    return simulation.skip(0.5).run(0.5)


def frozen() -> Simulation:
    resting = DHWMode.POWER_OFF
    return tank(6.05, 6.05, mode=resting, air_celsius=-20.0, inlet_celsius=4.0).run(3)


def element_of_high_demand() -> Simulation:
    return tank(59, 57, mode=HIGH).draw(90, 10).run(1)


def element_of_electric_mode() -> Simulation:
    return tank(60.5, 60.5, mode=ELECTRIC).draw(110, 12).run(1)


STARTS: dict[Callable[[], Simulation], str] = {
    drawn: "tank",
    cooled: "tank",
    raised: "setpoint",
    lowered_above_the_water: "setpoint",
    raised_in_a_window: "setpoint",
    mode_of_the_heat_pump: "mode",
    mode_saver: "mode",
    mode_electric: "mode",
    switched_on: "power",
    vacation_left: "vacation over",
    vacation_over: "vacation over",
    reserved_setpoint: "reservation",
    reserved_mode: "reservation",
    reserved_power: "reservation",
    window_waited: "window over",
    window_with_a_mode: "window over",
    window_begins: "window begun",
    too_cold_in_a_window: "window cold",
    disinfection: "disinfection",
    frozen: "freeze",
    element_of_high_demand: "element",
    element_of_electric_mode: "element",
}


#: In high demand mode the heat pump may start within the same 5 min, and explains it as well.
LEAST: dict[Callable[[], Simulation], float] = {element_of_high_demand: 0.7}


# Streams whose first truth is a start by a setting, or by the tank, and whose end is the row


def running(celsius: float = 55.0, lower: float = 50.0, **options: Any) -> Simulation:
    """A heater that has just been switched on, and heats."""
    simulation = tank(celsius, lower, **options).ask_power(False).run(0.1)
    return simulation.ask_power(True).run(0.3)


def recovered() -> Simulation:
    return running(60, 59.5).run(1.5)


def held_by_a_window() -> Simulation:
    return running(57, 57).window(True).run(1.5)


def above_the_level_of_a_window() -> Simulation:
    return running(59.5, 59.0).window(True).run(0.5)


def switched_off() -> Simulation:
    return running().ask_power(False).run(0.5)


def went_on_vacation() -> Simulation:
    return running().ask_mode(DHWMode.VACATION, 3).run(0.5)


def reserved_off() -> Simulation:
    return running().reserve(at(5, 50, SETPOINT, ReservationMode.POWER_OFF)).run(0.5)


def lowered() -> Simulation:
    return running(55, 50).ask_setpoint(50).run(0.5)


def lowered_by_a_reservation() -> Simulation:
    return running(55, 50).reserve(at(5, 50, 50, ReservationMode.HEAT_PUMP)).run(0.5)


def element_was_enough() -> Simulation:
    return tank(59.8, 59.8, mode=SAVER).ask_mode(ELECTRIC).run(0.6)


def disinfected() -> Simulation:
    simulation = tank(59.0, 58.0, setpoint=HalfCelsius(100))
    simulation.heater.set_anti_legionella(1)
    simulation.heater.settings.disinfection.due = 1200
    return simulation.run(2.5)


def thawed() -> Simulation:
    simulation = tank(6.05, 6.05, mode=DHWMode.POWER_OFF, air_celsius=-20.0, inlet_celsius=4.0)
    return simulation.run(3)


STOPS: dict[Callable[[], Simulation], str] = {
    recovered: "reached",
    held_by_a_window: "window",
    above_the_level_of_a_window: "window",
    switched_off: "off",
    went_on_vacation: "vacation",
    reserved_off: "reservation",
    lowered: "setpoint",
    lowered_by_a_reservation: "reservation",
    element_was_enough: "reached",
    disinfected: "disinfected",
    thawed: "thawed",
}


@pytest.mark.parametrize(
    ("make", "kind"), STOPS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_each_row_of_the_stop_table(make: Callable[[], Simulation], kind: str) -> None:
    simulation = make()
    stream, known = simulation.stream, knowledge(simulation)
    true = [one for one in stream.truth if not one.started][-1]
    assert true.kind == kind
    for pushes in (False, True):
        found = compare(stream.truth, stream.runs(known=known, pushes=pushes), started=False)
        assert (found.right, found.missed) == (found.total, 0), (pushes, found.counts)
    check_seldom_polled(stream, known, started=False, least=0.95)


def knowledge(simulation: Simulation) -> Knowledge:
    """What a person has who reads the reservations and records requests."""
    stored = simulation.heater.settings.reservations
    program = ReservationProgram(stored.enabled, stored.entries)
    requests = tuple(simulation.stream.requests)
    return Knowledge(requests=requests, reservations=program, zone=timezone.utc)


def check_seldom_polled(stream: Stream, known: Knowledge, *, started: bool, least: float) -> None:
    """Judge what a client tells that polls every 5 min, whenever it began to.

    The time in truth lies within what is told, nothing is told as sure that is wrong, and a run
    that lasted less than 5 min may be missed.
    """
    right = total = 0
    for phase in range(10):
        runs = stream.runs(300, known=known, phase=phase)
        found = compare(stream.truth, runs, started=started)
        right, total = right + found.right, total + found.total
        assert (found.sure_and_wrong, found.wrong_times) == (0, 0), (phase, found.counts)
        assert all(run.start_after is None or run.start_after < run.start for run in runs)
    assert total and right >= least * total, f"{right} of {total}"


@pytest.mark.parametrize(
    ("make", "kind"), STARTS.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_each_row_of_the_start_table(make: Callable[[], Simulation], kind: str) -> None:
    simulation = make()
    stream, known = simulation.stream, knowledge(simulation)
    true = next(one for one in stream.truth if one.started)
    assert true.kind == kind
    for pushes in (False, True):
        found = compare(stream.truth, stream.runs(known=known, pushes=pushes), started=True)
        assert (found.right, found.missed) == (found.total, 0), (pushes, found.counts)
    check_seldom_polled(stream, known, started=True, least=LEAST.get(make, 0.95))


# Who changed a setting


def test_app_program_and_reservation_are_told_apart() -> None:
    by_app = raised()
    (run,) = by_app.stream.runs(known=knowledge(by_app))
    assert (run.started.by, run.certainty) == ("client", "sure")
    assert "another client (0a1b2c3d), such as the app" in run.text
    reserved = reserved_setpoint()
    (run,) = reserved.stream.runs(known=knowledge(reserved))
    assert (run.started.by, run.cause) == ("reservation", "reservation")
    assert "by the reservation at 05:40" in run.text
    own = OwnCommand(by_app.stream.requests[0].when, "temperature", "the dashboard")
    (run,) = by_app.stream.runs(known=Knowledge(commands=(own,)))
    assert (run.started.by, run.cause) == ("own", "setpoint")
    assert "by this program (the dashboard)" in run.text


def test_who_changed_a_setting_is_left_open_without_evidence() -> None:
    (run,) = raised().stream.runs(known=Knowledge())
    assert (run.started.by, run.cause) == ("", "setpoint")
    assert run.text.startswith(
        "the setpoint was raised from 129.2 °F (54.0 °C) to 140.0 °F (60.0 °C)"
    )
    # A request for another temperature is none for this one.
    other = raised()
    wrong = replace(other.stream.requests[0], values={"temperature": 100})
    (run,) = other.stream.runs(known=Knowledge(requests=(wrong,)))
    assert run.started.by == ""


def test_three_days_of_a_household_with_reservations_an_app_and_windows() -> None:
    """A short confusion table; ``tests/stress/confusion.py`` prints that of a quarter."""
    quarter = Quarter(seed=3, first=14)
    quarter.live(3)
    for found in judge(quarter, VIEWS["every 30 s"]):
        assert found.total >= 5 and len({true for true, _, _ in found.counts}) >= 2
        assert (found.right, found.missed, found.wrong_times) == (found.total, 0, 0), found.counts
    for found in judge(quarter, VIEWS["every 5 min"]):
        assert found.sure_and_wrong == found.wrong_times == 0, found.counts
        # A window may end within the 5 min of a draw: then it is likely the one or the other.
        assert found.right >= found.total - 1, found.counts


# Traps


def test_the_start_point_is_carried_forward() -> None:
    """A window raises it on some units, and single statuses have none: neither is the start point."""
    raised_point = {**WINDOW, "hp_lower_on_temp_setting": 121, "heat_min_op_temperature": None}
    cold = {"tank_lower_temperature": 380}
    (run,) = told(
        (0, {"heat_min_op_temperature": None, "hp_lower_on_temp_setting": 76}),
        (1, {**raised_point, "tank_lower_temperature": 480}),
        (2, {**raised_point, **cold}),
        (2.5, {**cold, **ON, "hp_lower_on_temp_setting": None, "heat_min_op_temperature": None}),
    )
    assert (run.cause, run.certainty) == ("window over", "sure")
    (run,) = told((0, raised_point), (0.5, {**raised_point, **ON}))
    assert run.cause != "tank"


def test_a_setting_that_is_shown_one_message_late_or_early() -> None:
    short = {"tank_upper_temperature": 560}
    (late,) = told(
        (0, {**short, "dhw_temperature_setting": 115}),
        (0.5, {**short, **ON, "dhw_temperature_setting": 115}),
        (0.7, {**short, **ON}),
    )
    assert (late.cause, late.certainty) == ("setpoint", "likely")
    (early,) = told(
        (0, {**short, "dhw_temperature_setting": 115}),
        (0.5, {**short, "command": 33554464}),
        (0.6, {**short, **ON}),
    )
    assert (early.cause, early.certainty, early.started.by) == ("setpoint", "sure", "client")
    (old,) = told(
        (0, {**short, "dhw_temperature_setting": 115}),
        *((minute, short) for minute in range(1, 9)),
        (9, {**short, **ON}),
    )
    assert (old.cause, old.certainty) == ("unknown", "unknown")


def test_a_start_between_two_polls_is_said_to_be_between_them() -> None:
    cold = {"tank_lower_temperature": 404}
    (run,) = told((0, {}), (5, {**cold, **ON}), (10, {**cold, **ON}))
    assert (run.start_after, run.start) == (MONDAY, MONDAY + timedelta(minutes=5))
    assert between_text(run.start_after, run.start) == "between 05:00 and 05:05"
    assert between_text(run.start, run.start + timedelta(seconds=30)) == "05:05"
    assert between_text(None, run.start) == "before 05:05"


def test_the_lock_out_delays_the_compressor_and_not_the_cause() -> None:
    simulation = running().ask_power(False).run(0.03).ask_power(True).run(0.3)
    *_, run = simulation.stream.runs(known=knowledge(simulation))
    asked = simulation.stream.requests[-1].when
    assert run.cause == "power" and run.start - asked <= timedelta(seconds=30)
    polled = ((when, status.comp_use.active) for when, status in simulation.stream.polled)
    running_at = next(when for when, on in polled if on and when > asked)
    assert running_at - asked > timedelta(minutes=4)


@pytest.mark.parametrize("pushes", [False, True])
def test_one_element_after_the_other_is_one_run(pushes: bool) -> None:
    simulation = tank(57, 54, mode=SAVER).ask_mode(ELECTRIC).run(0.5)
    assert len(simulation.stream.runs(pushes=pushes)) == 1


def test_the_heat_pump_hands_over_to_the_element_in_one_run() -> None:
    """Electric mode removes the old demand before it raises its own (PROTOCOL 9.4)."""
    electric = {"dhw_operation_setting": 2}
    element = {**electric, "current_heat_use": 2, "operation_mode": 64}
    statuses = ((0, {}), (0.5, ON), (1, ON), (1.1, electric), (1.2, element), (2, element))
    (run,) = told(*statuses)
    assert run.end is None
    first, second = told(*statuses[:4], (1.6, electric), (1.7, element))
    assert first.stopped is not None and first.stopped.kind == "mode" and second.cause == "mode"


BOTH = {"current_heat_use": 3, "operation_mode": 96}


def test_an_element_that_joins_the_heat_pump_has_a_reason_of_its_own() -> None:
    high = {"dhw_operation_setting": 4, "tank_upper_temperature": 575}
    (run,) = told(
        (0, high), (1, {**high, **ON, "tank_lower_temperature": 404}), (2, {**high, **BOTH})
    )
    (joined,) = run.elements
    assert run.cause == "tank" and (joined.reason.kind, joined.reason.certainty) == (
        "element",
        "sure",
    )
    assert joined.start - joined.start_after == timedelta(minutes=1)
    assert run.to_dict()["elements"][0]["reason"]["kind"] == "element"
    (run,) = told((0, {}), (1, ON), (2, {**BOTH, "dhw_operation_setting": 3}), (3, BOTH))
    assert [one.reason.kind for one in run.elements] == ["mode"]
    (run,) = told((0, {}), (1, {**BOTH, "dhw_operation_setting": 3}))
    assert run.elements == (), "it began with the run"


def test_an_element_that_is_switched_off_with_the_heater_has_thawed_nothing() -> None:
    saver = {"dhw_operation_setting": 3}
    (run,) = told((0, saver), (1, {**saver, **BOTH}), (2, {"dhw_operation_setting": 6}), (3, {}))
    assert run.stopped is not None and (run.stopped.kind, run.stopped.also) == ("off", ())


def test_older_firmware_starts_at_its_own_lowest_setpoint() -> None:
    low = HalfCelsius(70)
    simulation = tank(60, 36, firmware=Firmware.A, min_setpoint=low).draw(90, 12).run(1)
    (run,) = simulation.stream.runs()
    assert (run.cause, run.certainty) == ("tank", "sure")
    assert "its start point of 95.0 °F (35.0 °C)" in run.text


def test_a_moment_without_a_known_time_of_use_ends_no_window() -> None:
    cold = {**WINDOW, "tank_lower_temperature": 404, "tank_upper_temperature": 530}
    upper = {**cold, "tank_upper_temperature": 520}
    for blip in ({"tou_status": 9}, {"tou_status": None}, {"tou_status": 0}):
        (run,) = told((0, cold), (0.5, {**upper, **ON, **blip}), (1, {**upper, **ON}))
        assert run.cause == "window cold", blip


def test_nothing_is_claimed_of_a_start_that_nobody_saw() -> None:
    cold = {"tank_lower_temperature": 404}
    (run,) = told((0, {**cold, **ON}), (5, ON))
    assert (run.cause, run.certainty, run.start_after) == ("unknown", "unknown", None)
    *_, run = told(*((n, {}) for n in range(0, 30, 5)), (200, {**cold, **ON}), (205, ON))
    assert (run.cause, run.certainty) == ("unknown", "unknown")
    assert run.also == ("the lower tank fell to its start point of 104.9 °F (40.5 °C)",)
    first, second = told((0, {}), (5, ON), (10, ON), (200, ON), (205, ON))
    assert first.stopped is not None and first.stopped.kind == "gap"
    assert first.end == MONDAY + timedelta(minutes=10) and second.end is None


def test_a_control_that_changes_nothing_may_start_it() -> None:
    """Each control has the demand judged afresh (PROTOCOL 9.12)."""
    (run,) = told((0, {}), (0.5, {"command": 33554438}), (1, ON))
    assert (run.cause, run.certainty, run.started.by) == ("control", "likely", "client")


@pytest.mark.parametrize(
    ("change", "kind", "certainty"),
    [
        ({"error_code": 908}, "error", "likely"),
        ({"ambient_temperature": 40}, "air", "likely"),
        ({"tank_upper_temperature": 606}, "reached", "likely"),
        ({}, "unknown", "unknown"),
    ],
)
def test_stops_that_the_simulator_does_not_have(
    change: dict[str, int], kind: str, certainty: str
) -> None:
    air = {"ambient_temperature": change.get("ambient_temperature", 234)}
    (run,) = told((0, {}), (5, {**ON, **air}), (10, {**ON, **air}), (15, change), (20, {}))
    assert run.stopped is not None
    assert (run.stopped.kind, run.stopped.certainty) == (kind, certainty)
    if kind == "unknown":
        assert run.stopped.text.endswith("the lower tank was 10.5 K below the setpoint")


def test_a_recording_of_seven_columns() -> None:
    """Without settings and thresholds the usual start points are tried, and never sure."""
    few = {name: None for name in values() if name not in ("operation_mode", "current_inst_power")}
    idle = {**few, "tank_lower_temperature": 450, "tank_upper_temperature": 560}
    cold = {**idle, "tank_lower_temperature": 405, "operation_mode": 32}
    (run,) = told((0, idle), (5, cold), (10, cold))
    assert (run.cause, run.certainty) == ("tank", "likely")


# What left the tank


@pytest.mark.parametrize("spacing", [30, 300])
def test_shares_of_hot_water_and_cooling(household: Simulation, spacing: int) -> None:
    """Within a tenth of what was drawn from the simulated tank, and of what it lost."""
    _, *later = household.stream.runs(spacing)
    edges = household.stream.truth[1:]
    for run, end, start in zip(later, edges[::2], edges[1::2]):
        assert not end.started and start.started
        drawn, lost = start.drawn_wh - end.drawn_wh, start.lost_wh - end.lost_wh
        assert run.use is not None and run.use.hot_water_share is not None
        assert run.use.hot_water_share == pytest.approx(drawn / (drawn + lost), abs=0.1)
        assert run.use.draws >= 1 and run.use.last_draw is not None
        assert "% hot water (" in run.text and "% cooling" in run.text


@pytest.mark.parametrize(
    ("minutes", "warmer", "known"), [(20, 0, True), (90, 0, False), (20, 10, False)]
)
def test_what_left_the_tank_is_not_told_over_a_gap_in_which_it_may_have_heated(
    minutes: int, warmer: int, known: bool
) -> None:
    steps = [(n, {"tank_lower_temperature": 560 - 4 * n}) for n in range(0, 30, 2)]
    again = {"tank_lower_temperature": 448 + warmer}
    after = 28 + minutes
    (run,) = told(
        *steps, (after, again), (after + 2, {**again, **ON, "tank_lower_temperature": 404})
    )
    # 7.8 K of the mean since the first status, 2.2 K since the gap, of which sensors show 63 %.
    assert run.use is not None and (run.use.drawn_wh > 3000) is known


@pytest.fixture(scope="module")
def household() -> Simulation:
    """A day and a half of a household."""
    simulation = Simulation(upper_celsius=58.0, lower_celsius=50.0, draws=Draws())
    return simulation.run(36)


def test_a_tank_that_nobody_uses_cools() -> None:
    simulation = cooled()
    (run,) = simulation.stream.runs()
    assert run.text.endswith("; 100 % cooling")


def test_hot_water_that_no_status_showed() -> None:
    use = HeatUse(drawn_wh=300, lost_wh=100, draws=0, last_draw=None)
    assert share_text(use) == "75 % hot water, 25 % cooling"
