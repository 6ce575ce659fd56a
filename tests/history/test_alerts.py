"""Alerts are said once; sums over time are those worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from navien_nwp500.history.alerts import Alert, AlertWatch, Summary
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUIET = {
    "dhwChargePer": 98,
    "dhwTemperature": 120,
    "dhwTemperatureSetting": 121,
    "operationMode": 0,
    "compUse": 1,
    "heatUpperUse": 1,
    "heatLowerUse": 1,
    "evaFanUse": 1,
    "dhwUse": 1,
    "errorCode": 0,
    "subErrorCode": 0,
    "wifiRssi": 58,
    "currentInstPower": 1,
}


def status(**changes: Any) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**QUIET, **changes})


HEAT_PUMP = status(currentInstPower=450, compUse=2)
ELECTRIC = status(currentInstPower=5000, heatUpperUse=2)
HYBRID = status(currentInstPower=5450, compUse=2, heatUpperUse=2)


def said(watch: AlertWatch, *statuses: DeviceStatus) -> list[Alert]:
    return [alert for each in statuses for alert in watch.check(each)]


# Alerts


def test_a_quiet_heater_raises_no_alert() -> None:
    watch = AlertWatch()
    assert said(watch, *[status()] * 3) == []
    assert watch.active == []


def test_the_limits_are_those_asked_for() -> None:
    # Requirements L4: below 20 %, above 4000 W.
    at_limit = status(dhwChargePer=20, currentInstPower=4000)
    beyond = status(dhwChargePer=19, currentInstPower=4001)
    assert said(AlertWatch(), at_limit) == []
    assert [alert.kind for alert in said(AlertWatch(), beyond)] == ["charge", "power"]


def test_a_fault_is_said_once_and_its_end_once() -> None:
    watch = AlertWatch()
    broken = status(errorCode=799)
    assert said(watch, status(), broken, broken) == [Alert("error", "E799 water leak")]
    assert watch.active == ["E799 water leak"]
    assert said(watch, status(), status()) == [Alert("error", "the fault is gone", active=False)]
    assert watch.active == []


def test_a_fault_that_turns_into_another_is_said_again() -> None:
    watch = AlertWatch()
    first, second = status(errorCode=480, subErrorCode=1), status(errorCode=481, subErrorCode=2)
    assert [alert.text for alert in said(watch, first, second, second)] == [
        "E480 upper tank sensor: below its limit",
        "E481 lower tank sensor: above its limit",
    ]
    assert watch.active == ["E481 lower tank sensor: above its limit"]
    assert said(watch, status()) == [Alert("error", "the fault is gone", active=False)]


def test_an_unknown_fault_is_an_alert_too() -> None:
    assert said(AlertWatch(), status(errorCode=555)) == [Alert("error", "E555 unknown error code")]


def test_a_low_charge_is_said_once_though_it_goes_on_falling() -> None:
    watch = AlertWatch()
    falling = [status(dhwChargePer=charge) for charge in (25, 19, 15, 3)]
    assert said(watch, *falling) == [Alert("charge", "charge is 19 %")]
    assert watch.active == ["charge is 3 %"]
    risen = status(dhwChargePer=20)
    assert said(watch, risen, risen) == [Alert("charge", "charge is 20 % again", active=False)]
    assert said(watch, status(dhwChargePer=0)) == [Alert("charge", "charge is 0 %")]


def test_a_high_power_is_said_once_and_its_end_once() -> None:
    watch = AlertWatch()
    rising = [status(currentInstPower=watts) for watts in (450, 5378, 5193)]
    assert said(watch, *rising) == [Alert("power", "power is 5378 W")]
    assert said(watch, status()) == [Alert("power", "power is 1 W again", active=False)]


def test_silence_is_said_once_and_its_end_once() -> None:
    watch = AlertWatch()
    assert watch.silence() == [Alert("offline", "the heater does not answer")]
    assert watch.silence() == []
    assert watch.active == ["the heater does not answer"]
    assert said(watch, status(), status()) == [
        Alert("offline", "the heater answers again", active=False)
    ]
    assert watch.silence() == [Alert("offline", "the heater does not answer")]


def test_silence_does_not_end_a_fault() -> None:
    watch = AlertWatch()
    broken = status(errorCode=799)
    said(watch, broken)
    watch.silence()
    assert watch.active == ["E799 water leak", "the heater does not answer"]
    assert [alert.kind for alert in said(watch, broken)] == ["offline"]


def test_every_change_of_mode_is_said() -> None:
    watch = AlertWatch()
    modes = [status(operationMode=mode) for mode in (0, 32, 32, 96, 64, 33, 0)]
    assert [alert.text for alert in said(watch, *modes)] == [
        "operation mode standby -> heat pump",
        "operation mode heat pump -> hybrid",
        "operation mode hybrid -> electric",
        "operation mode electric -> unknown (33)",
        "operation mode unknown (33) -> standby",
    ]
    assert watch.active == []


def test_the_first_mode_is_no_change() -> None:
    assert said(AlertWatch(), status(operationMode=96)) == []


def test_a_mode_that_changed_in_silence_is_said() -> None:
    watch = AlertWatch()
    said(watch, status())
    watch.silence()
    assert [alert.kind for alert in said(watch, status(operationMode=32))] == ["offline", "mode"]


def test_alerts_of_different_kinds_do_not_hide_each_other() -> None:
    watch = AlertWatch()
    bad = status(errorCode=901, dhwChargePer=5, currentInstPower=5200, operationMode=64)
    assert [alert.kind for alert in said(watch, status(), bad)] == [
        "error",
        "charge",
        "power",
        "mode",
    ]
    assert said(watch, bad) == []
    assert [(alert.kind, alert.active) for alert in said(watch, status())] == [
        ("error", False),
        ("charge", False),
        ("power", False),
        ("mode", True),
    ]


# Sums


def summed(*steps: tuple[int, DeviceStatus], longest: int = 900) -> Summary:
    """A summary of statuses at seconds after the start."""
    summary = Summary(longest_hold=timedelta(seconds=longest))
    for second, each in steps:
        summary.add(each, START + timedelta(seconds=second))
    return summary


def test_nothing_adds_up_to_nothing() -> None:
    summary = summed()
    assert (summary.statuses, summary.first, summary.last) == (0, None, None)
    assert (summary.total_wh, summary.starts, summary.lowest_charge) == (0.0, 0, None)


def test_one_status_is_a_moment_and_no_energy() -> None:
    summary = summed((0, ELECTRIC))
    assert (summary.statuses, summary.total_wh) == (1, 0.0)
    assert summary.first == summary.last == START
    assert (summary.lowest_charge, summary.highest_power) == (98, 5000)


def test_power_is_held_from_one_status_to_the_next() -> None:
    # 450 W for 10 minutes are 75 Wh; 5000 W for 6 minutes are 500 Wh; 1 W for half an hour 0.5 Wh.
    summary = summed(
        (0, HEAT_PUMP), (600, ELECTRIC), (960, status()), (2760, HEAT_PUMP), longest=1800
    )
    assert summary.heat_pump_wh == pytest.approx(75.0)
    assert summary.element_wh == pytest.approx(500.0)
    assert summary.other_wh == pytest.approx(0.5)
    assert summary.total_wh == pytest.approx(575.5)
    assert summary.heat_pump_time == timedelta(minutes=10)
    assert summary.element_time == timedelta(minutes=6)
    assert summary.gap_time == timedelta(0)
    assert (summary.statuses, summary.starts, summary.highest_power) == (4, 1, 5000)
    assert (summary.first, summary.last) == (START, START + timedelta(seconds=2760))


def test_hybrid_counts_for_both() -> None:
    # 5450 W for 12 minutes are 1090 Wh: 450 W of it, 90 Wh, the heat pump.
    summary = summed((0, HYBRID), (720, status()))
    assert summary.heat_pump_wh == pytest.approx(90.0)
    assert summary.element_wh == pytest.approx(1000.0)
    assert summary.other_wh == 0.0
    assert summary.heat_pump_time == summary.element_time == timedelta(minutes=12)


def test_hybrid_before_its_power_shows_never_counts_more_than_it_draws() -> None:
    # Recorded: the element's flag is set while the meter still says 433 W.
    early = status(currentInstPower=433, compUse=2, heatUpperUse=2)
    summary = summed((0, early), (360, status()))
    assert summary.heat_pump_wh == pytest.approx(43.3)
    assert summary.element_wh == 0.0
    assert summary.total_wh == pytest.approx(43.3)


def test_a_gap_adds_time_but_no_energy() -> None:
    # 300 s at 450 W are 37.5 Wh; then nobody knows for 901 s; then 300 s at 450 W again.
    summary = summed((0, HEAT_PUMP), (300, HEAT_PUMP), (1201, HEAT_PUMP), (1501, status()))
    assert summary.heat_pump_wh == pytest.approx(75.0)
    assert summary.total_wh == pytest.approx(75.0)
    assert summary.heat_pump_time == timedelta(minutes=10)
    assert summary.gap_time == timedelta(seconds=901)


def test_the_longest_hold_itself_is_no_gap() -> None:
    summary = summed((0, HEAT_PUMP), (900, status()))
    assert summary.gap_time == timedelta(0)
    assert summary.heat_pump_wh == pytest.approx(112.5)


def test_a_clock_set_back_takes_nothing_away() -> None:
    summary = summed((0, HEAT_PUMP), (400, HEAT_PUMP), (200, HEAT_PUMP), (600, status()))
    assert summary.heat_pump_wh == pytest.approx(100.0)
    assert summary.gap_time == timedelta(0)
    assert summary.heat_pump_time == timedelta(seconds=800)


def test_starts_are_those_of_the_compressor() -> None:
    on, off = HEAT_PUMP, status()
    steps = [off, on, on, off, on, HYBRID, ELECTRIC, HYBRID]
    summary = summed(*((60 * number, each) for number, each in enumerate(steps)))
    assert summary.starts == 3


def test_a_compressor_that_ran_from_the_first_did_not_start() -> None:
    assert summed((0, HEAT_PUMP), (60, HEAT_PUMP)).starts == 0


def test_the_lowest_charge_and_the_highest_power_are_kept() -> None:
    charges = [(60, 90), (120, 41), (180, 77)]
    summary = summed(*((at, status(dhwChargePer=charge)) for at, charge in charges))
    assert summary.lowest_charge == 41
    assert summary.highest_power == 1
    assert summed((0, HYBRID), (60, ELECTRIC)).highest_power == 5450


def test_a_charge_of_0_is_a_charge() -> None:
    assert summed((0, status(dhwChargePer=0)), (60, status())).lowest_charge == 0
