"""Each figure that docs/FIELD_INSIGHTS.md gives of recorded traffic is worked out anew from it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from support import captures

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)

PAGE = Path(__file__).parents[2] / "docs" / "FIELD_INSIGHTS.md"
COUNTS_PER_KELVIN = 70.24


def says(sentence: str) -> bool:
    """Whether the page holds these words, however its lines are broken."""
    words = re.sub(r"\s+", " ", PAGE.read_text("utf-8")).replace("−", "-")
    return sentence in words


@pytest.fixture
def messages() -> list[dict[str, int]]:
    return [json.loads(payload)["response"]["status"] for payload in captures.payloads()]


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return captures.field_log()


def half(fahrenheit: str) -> int:
    """The half degrees Celsius that were sent, from the log's Fahrenheit."""
    return round((float(fahrenheit) - 32) / 0.9)


def tenths(fahrenheit: str) -> int:
    return round((float(fahrenheit) - 32) / 0.18)


def charge(upper: int, setpoint: int) -> int:
    share = math.floor(100 * (upper / 10 - 35.0) / (setpoint / 2 - 35.0) + 1e-9)
    return min(100, max(0, share))


def counts(kelvin: float) -> int:
    return math.floor(COUNTS_PER_KELVIN * max(0.0, kelvin) + 1e-9)


def test_what_was_recorded(messages: list[dict[str, int]], rows: list[dict[str, str]]) -> None:
    assert {len(message) for message in messages} == {87}
    added_by_the_client = {"timestamp", "freeze_protection_temp_min", "freeze_protection_temp_max"}
    assert len(set(rows[0]) - added_by_the_client) == 99
    assert says("sends 87 fields, newer 99") and says("12 fields more")
    assert says(f"{len(messages)} status messages") and says(f"{len(rows)} status messages")


def test_upper_sensor_and_hot_water_agree(messages: list[dict[str, int]]) -> None:
    apart = max(abs(m["tankUpperTemperature"] / 10 - m["dhwTemperature"] / 2) for m in messages)
    assert says(
        f"In all {len(messages)} recorded messages `tankUpperTemperature / 10` and "
        f"`dhwTemperature / 2` agree within {apart:.1f}"
    )


def test_hot_water_is_the_upper_sensor_rounded_down(
    messages: list[dict[str, int]], rows: list[dict[str, str]]
) -> None:
    sent = sum(m["dhwTemperature"] == m["tankUpperTemperature"] // 5 for m in messages)
    logged = sum(
        half(r["dhw_temperature"]) == tenths(r["tank_upper_temperature"]) // 5 for r in rows
    )
    assert says(
        f"{sent} of {len(messages)} recorded messages and {logged} of {len(rows)} rows of the field"
    )


def test_the_upper_sensor_ends_a_recovery_at_the_setpoint(rows: list[dict[str, str]]) -> None:
    upper = [tenths(row["tank_upper_temperature"]) / 10 for row in rows]
    running = [value for value, row in zip(upper, rows) if row["comp_use"] == "True"]
    assert says(f"moves between {min(running)} and {max(running)} as the heat pump runs")
    assert {half(row["dhw_temperature_setting"]) for row in rows} == {121}


def test_the_lower_sensor_may_be_warmer(rows: list[dict[str, str]]) -> None:
    above = [
        tenths(r["tank_lower_temperature"]) - tenths(r["tank_upper_temperature"]) for r in rows
    ]
    warmer = [value for value in above if value > 0]
    assert says(
        f"above the upper in {len(warmer)} of {len(rows)} rows, by up to {max(above) / 10} K"
    )


def test_the_charge_is_how_far_the_upper_sensor_has_come(
    messages: list[dict[str, int]], rows: list[dict[str, str]]
) -> None:
    off = [
        charge(m["tankUpperTemperature"], m["dhwTemperatureSetting"]) - m["dhwChargePer"]
        for m in messages
    ]
    logged = [
        charge(tenths(r["tank_upper_temperature"]), half(r["dhw_temperature_setting"]))
        - int(r["dhw_charge_per"])
        for r in rows
    ]
    assert says(
        f"{off.count(0)} of {len(off)} recorded messages and {logged.count(0)} of {len(logged)} rows"
    )
    assert set(logged) == {-1, 0, 1}
    setpoints = [message["dhwTemperatureSetting"] for message in messages]
    late = [number for number, wrong in enumerate(off) if wrong]
    assert all(setpoints[number] != setpoints[number - 1] for number in late)


def test_charge_follows_a_setpoint_one_message_later(messages: list[dict[str, int]]) -> None:
    setpoints = [message["dhwTemperatureSetting"] for message in messages]
    lowered, raised = (
        number for number in range(1, len(messages)) if setpoints[number] != setpoints[number - 1]
    )
    first, second, again = (messages[n]["dhwChargePer"] for n in (lowered, lowered + 1, raised))
    due = charge(messages[raised]["tankUpperTemperature"], setpoints[raised])
    assert says(
        f"When {setpoints[lowered]} was set as setpoint, the message that showed it still said "
        f"{first} % charge, and the next said {second}; when {setpoints[raised]} was set again, the "
        f"first said {again} where {due} was due"
    )


def test_the_energies_are_heat_capacity_times_temperature(rows: list[dict[str, str]]) -> None:
    total, missing = [], []
    for row in rows:
        setpoint = half(row["dhw_temperature_setting"]) / 2
        both = tenths(row["tank_upper_temperature"]) + tenths(row["tank_lower_temperature"])
        total.append(counts(setpoint - 40.5) - int(row["total_energy_capacity"]))
        missing.append(counts(setpoint - both // 2 / 10) - int(row["available_energy_capacity"]))
    assert says(f"The first gives the number sent in {total.count(0)} of {len(rows)} rows")
    exact = missing.count(0)
    assert says(
        f"The second gives it in {exact}; the other {len(rows) - exact} are off by 7 counts"
    )
    assert {abs(value) for value in missing} == {0, 7}
    assert says("281 Wh") and round(COUNTS_PER_KELVIN * 4) == 281
    assert says("242 litres") and round(COUNTS_PER_KELVIN * 4 / 1.1627) == 242


def test_available_is_what_is_missing(rows: list[dict[str, str]]) -> None:
    ran = [int(r["available_energy_capacity"]) for r in rows if r["comp_use"] == "True"]
    assert ran[0] > 100 and ran[-1] == 0


def test_watts(messages: list[dict[str, int]], rows: list[dict[str, str]]) -> None:
    def span(found: list[int]) -> str:
        low, high = min(found), max(found)
        return str(low) if low == high else f"{low} to {high}"

    watts = [message["currentInstPower"] for message in messages]
    assert says(f"the fan alone, before a start | {span([w for w in watts if 10 < w < 100])} |")
    assert says(f"older firmware, warm air | {span([w for w in watts if 100 < w < 2000])} |")
    assert says(f"one element | {span([w for w in watts if 5000 < w < 5300])} |")
    assert says(f"heat pump and element | {span([w for w in watts if w > 5300])} |")
    assert min(watts) == 1 and says("nothing | 1 |")
    logged = [int(row["current_inst_power"]) for row in rows if row["comp_use"] == "True"]
    assert says(f"newer firmware, cool air | {span(logged)}, rising")


def test_busy_is_demand_not_a_load(messages: list[dict[str, int]]) -> None:
    busy = [message for message in messages if message["operationBusy"] == 2]
    resting = [message for message in busy if message["currentInstPower"] < 10]
    assert says(f"{len(busy)} of the {len(messages)} recorded messages say busy; of these, ")
    assert says(f"of these, {len(resting)} draw fewer than 10 W")


def test_flags(messages: list[dict[str, int]]) -> None:
    compressor = [message["compUse"] for message in messages]
    ready, active = compressor.count(1), compressor.count(2)
    assert says(f"`compUse` is 1 in {ready} and 2 in {active}, never 0")
    assert ready + active == len(messages)
    for name in ("ecoUse", "scaldUse", "freezeProtectionUse", "errorBuzzerUse"):
        assert {message[name] for message in messages} == {2}, name
    assert {message["touStatus"] for message in messages} == {1, 3}


def test_operation_mode_is_two_bits_that_follow_the_source(messages: list[dict[str, int]]) -> None:
    assert {message["operationMode"] for message in messages} == {0, 32, 64, 96}
    late = sum(m["operationMode"] != 32 * m["currentHeatUse"] for m in messages)
    assert says(f"in {late} of the {len(messages)} messages they differ")
    electric, saver = (
        {m["operationMode"] for m in messages if m["dhwOperationSetting"] == mode}
        for mode in (2, 3)
    )
    assert electric <= {0, 64} and saver <= {0, 32, 96}


def test_superheat_is_a_difference(
    messages: list[dict[str, int]], rows: list[dict[str, str]]
) -> None:
    left = [
        tenths(r["current_super_heat"])
        - tenths(r["suction_temperature"])
        + tenths(r["evaporator_temperature"])
        for r in rows
    ]
    assert says(f"between {min(left) / 10} and {max(left) / 10} in all {len(rows)} rows")
    assert says("plus about 2.2 K") and sorted(left)[len(left) // 2] == 22
    lowest = min(messages, key=lambda message: message["currentSuperHeat"])
    assert says(f"{lowest['currentSuperHeat'] / 10} K was recorded in rest")
    assert lowest["compUse"] == 1


def test_steps_of_the_heat_pump(messages: list[dict[str, int]], rows: list[dict[str, str]]) -> None:
    assert {m["currentStatenum"] for m in messages if m["compUse"] == 2} == {50}
    seen = {message["currentStatenum"] for message in messages}
    assert seen | {int(row["current_statenum"]) for row in rows} == {20, 30, 50, 60, 70}


def test_how_a_run_ends(rows: list[dict[str, str]]) -> None:
    pushes = [number for number, row in enumerate(rows) if row["command"] != "16777219"]
    wish, stop = (rows[number] for number in pushes[-2:])
    ended = {"command": "67108868", "operation_busy": "False", "comp_use": "True"}
    stopped = {"command": "67108883", "operation_mode": "STANDBY", "comp_use": "False"}
    assert ended.items() <= wish.items() and stopped.items() <= stop.items()
    between = float(stop["timestamp"][-6:]) - float(wish["timestamp"][-6:])
    assert says(f"{between:.1f} s later the mode is 0")
    assert says(f"still says {stop['current_inst_power']} W")
    after = [int(row["current_inst_power"]) for row in rows[pushes[-1] + 1 :][:5]]
    assert 9 in after and after[-1] == 1


def test_fields_to_leave_alone(messages: list[dict[str, int]], rows: list[dict[str, str]]) -> None:
    for name in ("outsideTemperature", "currentInletTemperature", "dhwTemperature2"):
        assert {message[name] for message in messages} == {0}, name
    drawn = [message for message in messages if message["dhwUse"] == 2]
    logged = [row for row in rows if row["dhw_use"] == "True"]
    assert says(f"in {len(drawn)} recorded messages and {len(logged)} rows: no flow meter")
    assert {m["currentDhwFlowRate"] for m in drawn} == {0}
    assert {row["current_dhw_flow_rate"] for row in logged} == {"0"}
