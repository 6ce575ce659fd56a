"""Alerts are raised once; sums over time are compared with values calculated by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from navien_nwp500.history.alerts import Alert, AlertWatch, Summary
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import CORE

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def status(**changes: Any) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**CORE, **changes})


HEAT_PUMP = status(currentInstPower=450, compUse=2)
ELECTRIC = status(currentInstPower=5000, heatUpperUse=2)
HYBRID = status(currentInstPower=5450, compUse=2, heatUpperUse=2)


def alerts(watch: AlertWatch, *statuses: DeviceStatus) -> list[Alert]:
    return [alert for each in statuses for alert in watch.check(each)]


# Alerts


def test_an_idle_heater_raises_no_alert() -> None:
    watch = AlertWatch()
    assert alerts(watch, *[status()] * 3) == []
    assert watch.active == []


def test_limits_of_charge_and_power() -> None:
    # An alert below 20 %, and above 4000 W.
    at_limit = status(dhwChargePer=20, currentInstPower=4000)
    beyond = status(dhwChargePer=19, currentInstPower=4001)
    assert alerts(AlertWatch(), at_limit) == []
    assert [alert.kind for alert in alerts(AlertWatch(), beyond)] == ["charge", "power"]


def test_an_error_raises_one_alert_and_its_end_one() -> None:
    watch = AlertWatch()
    broken = status(errorCode=799)
    assert alerts(watch, status(), broken, broken) == [Alert("error", "E799 water leak")]
    assert watch.active == ["E799 water leak"]
    assert alerts(watch, status(), status()) == [
        Alert("error", "the error has ended", active=False)
    ]
    assert watch.active == []


def test_a_changed_error_code_raises_another_alert() -> None:
    watch = AlertWatch()
    first, second = status(errorCode=480, subErrorCode=1), status(errorCode=481, subErrorCode=2)
    assert [alert.text for alert in alerts(watch, first, second, second)] == [
        "E480 upper tank sensor: below its limit",
        "E481 lower tank sensor: above its limit",
    ]
    assert watch.active == ["E481 lower tank sensor: above its limit"]
    assert alerts(watch, status()) == [Alert("error", "the error has ended", active=False)]


def test_an_unknown_error_code_raises_an_alert() -> None:
    assert alerts(AlertWatch(), status(errorCode=555)) == [
        Alert("error", "E555 unknown error code")
    ]


def test_a_falling_charge_raises_one_alert() -> None:
    watch = AlertWatch()
    falling = [status(dhwChargePer=charge) for charge in (25, 19, 15, 3)]
    assert alerts(watch, *falling) == [Alert("charge", "charge is 19 %")]
    assert watch.active == ["charge is 3 %"]
    risen = status(dhwChargePer=20)
    assert alerts(watch, risen, risen) == [Alert("charge", "charge is 20 % again", active=False)]
    assert alerts(watch, status(dhwChargePer=0)) == [Alert("charge", "charge is 0 %")]


def test_a_high_power_raises_one_alert_and_its_end_one() -> None:
    watch = AlertWatch()
    rising = [status(currentInstPower=watts) for watts in (450, 5378, 5193)]
    assert alerts(watch, *rising) == [Alert("power", "power is 5378 W")]
    assert alerts(watch, status()) == [Alert("power", "power is 1 W again", active=False)]


def test_no_response_raises_one_alert_and_its_end_one() -> None:
    watch = AlertWatch()
    assert watch.no_response() == [Alert("offline", "the heater does not answer")]
    assert watch.no_response() == []
    assert watch.active == ["the heater does not answer"]
    assert alerts(watch, status(), status()) == [
        Alert("offline", "the heater answers again", active=False)
    ]
    assert watch.no_response() == [Alert("offline", "the heater does not answer")]


def test_no_response_does_not_end_an_error() -> None:
    watch = AlertWatch()
    broken = status(errorCode=799)
    alerts(watch, broken)
    watch.no_response()
    assert watch.active == ["E799 water leak", "the heater does not answer"]
    assert [alert.kind for alert in alerts(watch, broken)] == ["offline"]


def test_each_change_of_mode_raises_an_alert() -> None:
    watch = AlertWatch()
    modes = [status(operationMode=mode) for mode in (0, 32, 32, 96, 64, 33, 0)]
    assert [alert.text for alert in alerts(watch, *modes)] == [
        "operation mode standby -> heat pump",
        "operation mode heat pump -> hybrid",
        "operation mode hybrid -> electric",
        "operation mode electric -> unknown (33)",
        "operation mode unknown (33) -> standby",
    ]
    assert watch.active == []


def test_the_first_mode_raises_no_alert() -> None:
    assert alerts(AlertWatch(), status(operationMode=96)) == []


def test_a_mode_that_changed_while_offline_raises_an_alert() -> None:
    watch = AlertWatch()
    alerts(watch, status())
    watch.no_response()
    assert [alert.kind for alert in alerts(watch, status(operationMode=32))] == ["offline", "mode"]


def test_alerts_of_different_kinds_are_independent() -> None:
    watch = AlertWatch()
    bad = status(errorCode=901, dhwChargePer=5, currentInstPower=5200, operationMode=64)
    assert [alert.kind for alert in alerts(watch, status(), bad)] == [
        "error",
        "charge",
        "power",
        "mode",
    ]
    assert alerts(watch, bad) == []
    assert [(alert.kind, alert.active) for alert in alerts(watch, status())] == [
        ("error", False),
        ("charge", False),
        ("power", False),
        ("mode", True),
    ]


# Sums


def summed(*steps: tuple[int, DeviceStatus], max_interval: int = 900) -> Summary:
    """Return a summary of statuses at seconds after the start."""
    summary = Summary(max_interval=timedelta(seconds=max_interval))
    for second, each in steps:
        summary.add(each, START + timedelta(seconds=second))
    return summary


def test_an_empty_summary_is_zero() -> None:
    summary = summed()
    assert (summary.statuses, summary.first, summary.last) == (0, None, None)
    assert (summary.total_wh, summary.starts, summary.lowest_charge) == (0.0, 0, None)


def test_one_status_adds_no_energy() -> None:
    summary = summed((0, ELECTRIC))
    assert (summary.statuses, summary.total_wh) == (1, 0.0)
    assert summary.first == summary.last == START
    assert (summary.lowest_charge, summary.highest_power) == (98, 5000)


def test_power_lasts_until_the_next_status() -> None:
    # 450 W for 10 minutes are 75 Wh; 5000 W for 6 minutes are 500 Wh; 1 W for half an hour 0.5 Wh.
    summary = summed(
        (0, HEAT_PUMP), (600, ELECTRIC), (960, status()), (2760, HEAT_PUMP), max_interval=1800
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


def test_hybrid_energy_never_exceeds_the_measured_power() -> None:
    # Recorded: the element's flag is set while the power is still 433 W.
    early = status(currentInstPower=433, compUse=2, heatUpperUse=2)
    summary = summed((0, early), (360, status()))
    assert summary.heat_pump_wh == pytest.approx(43.3)
    assert summary.element_wh == 0.0
    assert summary.total_wh == pytest.approx(43.3)


def test_a_gap_adds_time_but_no_energy() -> None:
    # 300 s at 450 W are 37.5 Wh; then 901 s are unknown; then 300 s at 450 W again.
    summary = summed((0, HEAT_PUMP), (300, HEAT_PUMP), (1201, HEAT_PUMP), (1501, status()))
    assert summary.heat_pump_wh == pytest.approx(75.0)
    assert summary.total_wh == pytest.approx(75.0)
    assert summary.heat_pump_time == timedelta(minutes=10)
    assert summary.gap_time == timedelta(seconds=901)


def test_an_interval_of_exactly_the_maximum_is_no_gap() -> None:
    summary = summed((0, HEAT_PUMP), (900, status()))
    assert summary.gap_time == timedelta(0)
    assert summary.heat_pump_wh == pytest.approx(112.5)


def test_a_clock_set_back_subtracts_nothing() -> None:
    summary = summed((0, HEAT_PUMP), (400, HEAT_PUMP), (200, HEAT_PUMP), (600, status()))
    assert summary.heat_pump_wh == pytest.approx(100.0)
    assert summary.gap_time == timedelta(0)
    assert summary.heat_pump_time == timedelta(seconds=800)


def test_starts_are_those_of_the_compressor() -> None:
    on, off = HEAT_PUMP, status()
    steps = [off, on, on, off, on, HYBRID, ELECTRIC, HYBRID]
    summary = summed(*((60 * number, each) for number, each in enumerate(steps)))
    assert summary.starts == 3


def test_a_compressor_running_from_the_start_is_no_start() -> None:
    assert summed((0, HEAT_PUMP), (60, HEAT_PUMP)).starts == 0


def test_the_lowest_charge_and_the_highest_power_are_kept() -> None:
    charges = [(60, 90), (120, 41), (180, 77)]
    summary = summed(*((at, status(dhwChargePer=charge)) for at, charge in charges))
    assert summary.lowest_charge == 41
    assert summary.highest_power == 1
    assert summed((0, HYBRID), (60, ELECTRIC)).highest_power == 5450


def test_a_charge_of_0_is_a_charge() -> None:
    assert summed((0, status(dhwChargePer=0)), (60, status())).lowest_charge == 0
