"""Control entities of Home Assistant, against a simulated heater with all that can be set."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import DHWMode
from navien_nwp500.apps.bridges.controlled_heater import ControlledHeater
from navien_nwp500.apps.bridges.controls import CONTROLS
from navien_nwp500.protocol.types import RecircMode
from navien_nwp500.simulator import Simulator
from support.home_assistant import MAC, bridging, home_assistant
from support.home_assistant_controls import Installation, installation
from support.mqtt_brokers import BuiltIn
from support.reliability_tools import count_log, wait_until


@pytest.fixture
async def broker() -> AsyncIterator[BuiltIn]:
    found = BuiltIn()
    await found.start()
    yield found
    await found.stop()


async def test_a_vacation_is_a_switch_and_its_end_returns_to_the_mode_before() -> None:
    async with installation() as system:
        await system.set("mode", "High demand")
        await system.set("vacation_days", "12")
        assert system.mode == DHWMode.HIGH_DEMAND  # the days alone start nothing
        await system.set("vacation", "ON")
        await system.shows(mode="Vacation", vacation_days="12")
        await system.home.until_water_heater("mode", "off")
        await system.set("vacation_days", "3")
        assert system.mode == DHWMode.VACATION
        await system.set("vacation", "OFF")
        await system.shows(mode="High demand")
        assert system.mode == DHWMode.HIGH_DEMAND


async def test_a_vacation_lasts_until_a_date() -> None:
    async with installation() as system:
        until = date.today() + timedelta(days=20)
        await system.set("vacation_until", until.isoformat())
        await system.shows(vacation="ON")
        # A day less if midnight came between.
        assert system.heater.settings.vacation_days in (19, 20)
        await system.set("vacation_until", "")
        await system.shows(vacation="OFF", mode="Energy saver")
        await system.set("vacation_until", until.isoformat())
        await system.send("power", "ON")  # what the water heater sends to switch on
        await system.shows(vacation="OFF", vacation_until="", mode="Energy saver")


async def test_a_bridge_that_is_started_again_remembers_what_no_status_shows(
    broker: BuiltIn,
) -> None:
    async with Simulator(speed=600, recirculation=True) as sim, home_assistant(broker) as home:
        system = Installation(home, sim.units[0].heater)
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
            await system.set("mode", "Heat pump")
            await system.set("demand_response", "ON")
            await system.set("anti_legionella_days", "21")
            until = (date.today() + timedelta(days=20)).isoformat()
            await system.set("vacation_until", until)
        await home.until(lambda one: not one.available)
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
            await system.shows(
                demand_response="ON", anti_legionella_days="21", vacation_until=until, vacation="ON"
            )
            await system.set("vacation", "OFF")
            await system.shows(mode="Heat pump")
            assert system.mode == DHWMode.HEAT_PUMP


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "[" * 100_000, '{"remembered": 1}', '{"remembered": {}}'),
        '{"remembered": {"mode_before": "x", "stored_period": 1, "vacation_end": 5, "accepted": 3}}',
        '{"remembered": {"mode_before": 1, "stored_period": 1, "vacation_end": 5, "accepted": {}}}',
    ],
)
def test_what_an_earlier_run_left_damaged_says_nothing(text: str) -> None:
    follower: Any = SimpleNamespace(heater=None)
    target = ControlledHeater(follower)
    target.restore(text)
    assert target == ControlledHeater(follower)


async def test_a_mode_is_chosen_by_its_name() -> None:
    async with installation() as system:
        options = system.home.display.component("mode")["options"]
        assert options == [
            *("Heat pump", "Electric", "Energy saver", "High demand", "Vacation", "Off")
        ]
        for option in options:
            await system.set("mode", option)
        assert system.mode == DHWMode.POWER_OFF
        await system.shows(power="OFF")
        await system.set("power", "ON")
        await system.set("power", "OFF")
        await system.shows(mode="Off")


async def test_switches_numbers_and_selects_set_the_heater() -> None:
    async with installation() as system:
        for key in ("tou", "demand_response", "intelligent"):
            for payload in ("ON", "OFF"):
                await system.set(key, payload)
        await system.set("demand_response", "ON")
        assert system.heater.settings.demand_response
        await system.set("air_filter_life", "2500")
        assert system.heater.status().air_filter_alarm_period == 2500
        await system.set("air_filter_life", "0")
        await system.set("recirculation_mode", "Hot button")
        assert system.heater.settings.recirculation.mode == RecircMode.HOT_BUTTON
        await system.send("hot_button", "PRESS")
        await wait_until(lambda: system.heater.settings.recirculation.minutes_left > 0)


async def test_the_period_of_the_disinfection_waits_until_it_is_switched_on() -> None:
    async with installation() as system:
        await system.set("anti_legionella_days", "21")
        assert not system.heater.settings.disinfection.enabled
        await system.set("anti_legionella", "ON")
        assert system.heater.status().anti_legionella_period == 21
        await system.set("anti_legionella_days", "9")
        assert system.heater.status().anti_legionella_period == 9
        await system.set("anti_legionella", "OFF")
        await system.shows(anti_legionella_days="9")


async def test_the_air_filter_is_reset_by_a_button() -> None:
    async with installation() as system:
        used = system.heater.status().cumulated_op_time_eva_fan
        assert used is not None and used > 0
        await system.send("air_filter_reset", "PRESS")
        await system.shows(cumulated_op_time_eva_fan="0", air_filter_due="OFF")


@pytest.mark.parametrize(
    ("key", "payload", "reason"),
    [
        ("temperature", "180 °F", "allows 40.5"),
        ("temperature", "warm", "degrees Celsius"),
        ("temperature", "9" * 400, "degrees Celsius"),
        ("mode", "Standby", "one of"),
        ("vacation", "yes", "ON or OFF"),
        ("vacation_days", "0", "1"),
        ("vacation_days", "2.5", "whole number"),
        ("vacation_until", "2020-02-30", "a date"),
        ("vacation_until", "2020-02-20", "1"),
        ("anti_legionella_days", "31", "1 to 30"),
        ("air_filter_life", "1100", "500"),
        ("recirculation_mode", "None", "one of"),
        ("air_filter_reset", "", "PRESS"),
        ("reservations", "ON", "no reservations"),
    ],
)
async def test_a_value_that_is_none_is_refused_with_its_reason(
    key: str, payload: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with installation() as system:
        await system.send(key, payload)
        await wait_until(lambda: count_log(caplog, f": {key} ") == 1)
        (text,) = [one.getMessage() for one in caplog.records if " failed: " in one.getMessage()]
        assert reason in text.split("failed: ")[1]


async def test_without_control_no_payload_is_executed(caplog: pytest.LogCaptureFixture) -> None:
    async with installation(read_only=True) as system:
        for one in CONTROLS:
            assert "command_topic" not in system.home.display.component(one.key)
            await system.home.publish(f"navien_nwp500/{MAC}/{one.key}/set", "ON")
        sensors = ("Energy saver", "60.5")
        shown = ("dhw_operation_setting", "dhw_temperature_setting")
        assert tuple(system.home.display.shown(key) for key in shown) == sensors
        assert system.mode == DHWMode.ENERGY_SAVER


async def test_a_long_payload_is_one_short_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "navien_nwp500.bridges")
    async with installation() as system:
        await system.send("reservation_list", '{"reservations":\n\n[' + " " * 1000 + "]}")
        await wait_until(lambda: count_log(caplog, ": reservation_list ") == 1)
        (line,) = [
            one.getMessage() for one in caplog.records if "reservation_list" in one.getMessage()
        ]
        assert "\n" not in line and len(line) < 100
