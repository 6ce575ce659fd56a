"""Tests of the bridge around the values: refusals, nothing old, several bridges, removal."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.bridges import controls
from navien_nwp500.apps.bridges.discovery import Topics
from navien_nwp500.apps.bridges.follower import BUSY_INTERVAL, IDLE_INTERVAL, Follower
from navien_nwp500.apps.bridges.home_assistant import Presentation
from navien_nwp500.apps.bridges.retained import outdated_topics, published_heaters
from navien_nwp500.protocol.status import Activity
from navien_nwp500.protocol.types import HalfCelsius, TemperatureType
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.faults import DropMessages
from support.cli import run, start
from support.home_assistant import (
    AVAILABILITY,
    BRIDGE,
    CONFIG,
    MAC,
    STATE,
    HomeAssistant,
    bridging,
    home_assistant,
)
from support.mqtt_brokers import BuiltIn
from support.reliability_tools import (
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_until,
    within_limit,
)

ROOT = f"navien_nwp500/{MAC}"
REFUSAL, LAST_COMMAND = f"{ROOT}/refusal", f"{ROOT}/command"
FEATURES, ENERGY = "cmd/52/+/+/+/res/did", "cmd/52/+/+/+/res/energy-usage-monthly-query/rd"


@pytest.fixture
async def broker() -> AsyncIterator[BuiltIn]:
    found = BuiltIn()
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


@pytest.fixture(autouse=True)
def celsius(sim: Simulator) -> None:
    sim.units[0].heater.set_status_fields({"temperature_type": TemperatureType.CELSIUS})


async def refusal(home: HomeAssistant) -> dict[str, Any]:
    """Wait for a refused command; return the event."""
    await wait_until(lambda: REFUSAL in home.retained)
    found: dict[str, Any] = json.loads(home.retained[REFUSAL])
    await wait_until(lambda: json.loads(home.retained[LAST_COMMAND]).get("result") == "refused")
    return found


def setpoint(home: HomeAssistant) -> str:
    return home.display.shown("water_heater", "temperature_state_template")


# Refusals


async def test_a_refused_command_is_an_event_and_the_last_command(
    sim: Simulator, broker: BuiltIn
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available and one.shown("last_command") == "none")
        entity = json.loads(home.retained[CONFIG])["components"]["command_refused"]
        assert (entity["platform"], entity["state_topic"]) == ("event", REFUSAL)
        await home.publish(f"{ROOT}/temperature/set", "80 °C")
        event = await refusal(home)
        assert event["event_type"] in entity["event_types"]
        assert event["command"] == "Setpoint 80 °C" and "40.5 °C" in event["reason"]
        assert home.display.shown("last_command") == "Setpoint 80 °C: refused"
        assert "40.5 °C" in json.loads(home.retained[LAST_COMMAND])["reason"]
        assert setpoint(home) == "60.5"
        await home.publish(f"{ROOT}/temperature/set", "50 °C")
        await home.until(lambda one: one.shown("last_command") == "Setpoint 50 °C: done")
    async with home_assistant(broker) as later:
        await wait_until(lambda: STATE in later.retained)
        assert REFUSAL not in later.retained  # an event of the past is none after a restart


async def test_a_command_to_a_heater_that_does_not_answer_is_refused_with_the_reason(
    sim: Simulator, broker: BuiltIn
) -> None:
    async with home_assistant(broker) as home:
        async with bridging(sim, broker, answer_timeout=SHORT_TIMEOUT, status_max_age=0.0):
            await home.until(lambda one: one.available)
            await sim.unplug()
            await home.publish(f"{ROOT}/temperature/set", "50 °C")
            assert (await refusal(home))["reason"]
            assert home.display.entity_available("command_refused")


async def test_a_command_to_a_read_only_bridge_is_refused_aloud(
    sim: Simulator, broker: BuiltIn
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, read_only=True):
        await home.until(lambda one: one.available)
        await home.publish(f"{ROOT}/temperature/set", "50 °C")
        assert "read-only" in (await refusal(home))["reason"]
        assert sim.units[0].heater.status().dhw_temperature_setting == 121


@pytest.mark.parametrize(("refused", "shown"), [(False, "50.0"), (True, "60.5")])
async def test_the_dial_shows_what_was_asked_until_the_heater_has_decided(
    sim: Simulator,
    broker: BuiltIn,
    monkeypatch: pytest.MonkeyPatch,
    refused: bool,
    shown: str,
) -> None:
    release = asyncio.Event()
    send = controls.COMMANDS["temperature"]

    async def wait(target: controls.ControlledHeater, payload: str) -> Any:
        await release.wait()
        return await send(target, "99" if refused else payload)

    monkeypatch.setitem(controls.COMMANDS, "temperature", wait)
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        await home.publish(f"{ROOT}/temperature/set", "50 °C")
        display = await home.until(lambda one: one.shown("last_command").endswith("under way"))
        await home.until(lambda one: setpoint(home) == "50.0")
        assert display.values["dhw_temperature_setting"] == 60.5
        await home.publish(f"{ROOT}/mode/set", "electric")
        await home.until(lambda one: one.shown("water_heater", "mode_state_template") == "electric")
        release.set()
        await home.until(lambda one: one.values["dhw_operation_setting"] == "Electric")
        await home.until_water_heater("temperature", shown)
        assert (REFUSAL in home.retained) is refused


# Nothing old as present


async def test_what_an_earlier_run_left_is_never_shown_as_current(
    sim: Simulator, broker: BuiltIn
) -> None:
    async with home_assistant(broker) as home:
        async with bridging(sim, broker):
            await home.until(lambda one: one.available and one.entity_available("total_wh"))
        # As after a bridge that was killed: its will sets its own topic alone.
        await wait_until(lambda: home.retained[AVAILABILITY] == home.retained[BRIDGE] == "offline")
        await home.publish(AVAILABILITY, "online", retain=True)
        await wait_until(lambda: home.retained[AVAILABILITY] == "online")
        sim.units[0].heater.set_setpoint(HalfCelsius(92))
        sim.faults.inject(DropMessages(topic=FEATURES))
        before = len(home.received)
        async with bridging(sim, broker, answer_timeout=SHORT_TIMEOUT):
            await wait_until(lambda: home.retained[BRIDGE] == "online")
            since = [one for one in home.received[before:] if one[0] in (BRIDGE, AVAILABILITY)]
            assert since[0] == (AVAILABILITY, "offline") and (AVAILABILITY, "online") not in since
            cloud = f"{ROOT}/cloud"
            await wait_until(lambda: json.loads(home.retained[cloud])["connection"] == "Online")
            assert not home.display.available
            sim.faults.clear()
            await home.until(lambda one: one.available)
            assert setpoint(home) == "46.0"


async def test_energy_is_unavailable_until_it_is_known(sim: Simulator, broker: BuiltIn) -> None:
    sim.faults.inject(DropMessages(topic=ENERGY))
    async with home_assistant(broker) as home:
        async with bridging(sim, broker, answer_timeout=SHORT_TIMEOUT):
            await home.until(lambda one: one.available)
            assert not home.display.entity_available("total_wh")
            assert "total_kwh" not in home.display.values
            sim.faults.clear()
            await home.until(lambda one: one.entity_available("total_wh"))
            assert float(home.display.shown("total_wh")) > 1000


# Several bridges


async def test_of_two_bridges_for_a_heater_one_waits_until_the_other_ends(
    sim: Simulator, broker: BuiltIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "navien_nwp500")
    waits, takes_over = "this one waits", "this one publishes now"
    async with home_assistant(broker) as home, bridging(sim, broker) as first:
        await home.until(lambda one: one.available)
        async with bridging(sim, broker) as second:
            await wait_until(lambda: count_log(caplog, waits) == 1)
            # A bridge that waits and ends without a word has the same will; the other corrects it.
            await home.publish(BRIDGE, "offline", retain=True)
            await wait_until(lambda: home.retained[BRIDGE] == "online")
            await home.publish(f"{ROOT}/temperature/set", "50 °C")
            await home.until_water_heater("temperature", "50.0")
            await wait_until(lambda: count_log(caplog, ": temperature 50") == 1)
            await cancel_and_wait(first)
            await home.until(lambda one: one.available)
            assert count_log(caplog, takes_over) == count_log(caplog, waits) == 1
            assert not second.done()


async def test_of_two_bridges_that_publish_at_once_that_with_the_smaller_number_goes_on(
    sim: Simulator, broker: BuiltIn, caplog: pytest.LogCaptureFixture
) -> None:
    topic, stays = "navien_nwp500/bridge/peers", "this one waits"
    message = {"publishes": True, "heaters": [MAC], "availability": "navien_nwp500/bridge/x"}
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        await home.publish(topic, "not JSON")
        await wait_until(lambda: (topic, "not JSON") in home.received)
        before = len(home.received)
        await home.publish(topic, json.dumps({**message, "bridge": "~"}))
        # It answers that it publishes, which lets the other stand back.
        await wait_until(lambda: len(peers_in(home.received[before:])) == 2)
        assert count_log(caplog, stays) == 0
        before = len(home.received)
        await home.publish(topic, json.dumps({**message, "bridge": " "}))
        await wait_until(lambda: len(peers_in(home.received[before:])) > 1)
        # It stood back, asked, and nobody answered: so it publishes again.
        asked = peers_in(home.received[before:])[1]
        assert asked["publishes"] is False
        await wait_until(lambda: peers_in(home.received[before:])[-1]["publishes"] is True)
        await home.until(lambda one: one.available)


def peers_in(received: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [json.loads(text) for topic, text in received if topic.endswith("/peers")]


async def test_a_bridge_that_ends_leaves_the_heaters_of_another_available(
    broker: BuiltIn,
) -> None:
    """Two accounts, each with a bridge."""
    async with Simulator(speed=600, accounts=2) as sim:
        email = sim._cloud.accounts[1].email
        async with home_assistant(broker) as home, bridging(sim, broker):
            await home.until(lambda display: display.available)
            other = Presentation(bridge="other")
            async with bridging(sim, broker, presentation=other, email=email):
                second = "navien_nwp500/0123456789ac/availability"
                await wait_until(lambda: home.retained.get(second) == "online")
            await wait_until(lambda: home.retained.get(second) == "offline")
            assert home.retained["navien_nwp500/bridge/other/availability"] == "offline"
            assert home.display.available


# Prompt


def test_a_change_made_elsewhere_shows_within_30_seconds() -> None:
    assert IDLE_INTERVAL + 4 < 30 and BUSY_INTERVAL < IDLE_INTERVAL  # PROTOCOL 9.9


async def test_polls_come_more_often_after_a_change_and_while_heating(sim: Simulator) -> None:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    status = Heater(now=now, draws=None, upper_celsius=60.6, lower_celsius=60.6).status()
    assert status.activity is Activity.STANDBY
    async with NaviLinkClient(fast_config(sim)) as client:
        follower = Follower((await client.get_devices())[0], 1000, busy_interval=100)
        follower._status_time = asyncio.get_running_loop().time()
        follower._observe(status)
        assert follower._seconds_to_poll(None) == follower._seconds_to_poll(status) == 1000
        heating = replace(status, current_inst_power=type(status.current_inst_power)(480))
        assert follower._seconds_to_poll(heating) == 100
        changed = replace(status, dhw_temperature_setting=HalfCelsius(100))
        follower._observe(changed)
        assert follower._seconds_to_poll(changed) == 100
        follower._busy_until = float("-inf")
        assert follower._seconds_to_poll(changed) == 1000


# Removal


async def test_forget_clears_what_bridges_have_published(
    sim: Simulator, broker: BuiltIn, tmp_path: Path
) -> None:
    words = ("bridge", "mqtt", "--broker", f"mqtt://127.0.0.1:{broker.port}", "--forget")
    async with home_assistant(broker) as home:
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
            code, _, err = await run(tmp_path, *words, MAC)
            assert code == 2 and "end it first" in err
        await home.publish("other/topic", "kept", retain=True)
        code, _, err = await run(tmp_path, *words, "0123456789ff")
        assert code == 0 and "retains nothing" in err
        code, _, err = await run(tmp_path, *words, "01:23:45:67:89:AB")
        assert (code, "cleared: NWP500" in err) == (0, True)
        await wait_until(lambda: kept(home) == ["other/topic"])
        code, _, err = await run(tmp_path, *words)
        assert code == 0 and "retains nothing" in err


@pytest.mark.parametrize(
    ("root", "prefix"),
    [("home/heater", "a/b"), ("home/heater", "homeassistant"), ("navien_nwp500", "a/b")],
)
async def test_a_changed_prefix_clears_what_was_under_the_old_one(
    sim: Simulator, broker: BuiltIn, root: str, prefix: str
) -> None:
    old, new = Topics(root, MAC, prefix=prefix), Topics("navien_nwp500", MAC)
    async with home_assistant(broker) as home:
        async with bridging(sim, broker, presentation=Presentation(root=root, prefix=prefix)):
            await wait_until(lambda: home.retained.get(old.availability) == "online")
        unused = {*old.retained, old.bridge} - {*new.retained, new.bridge}
        assert unused and all(home.retained[topic] for topic in unused)
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
        assert [topic for topic in unused if home.retained[topic]] == []


async def test_a_heater_that_left_the_account_is_cleared_and_that_of_another_is_kept(
    sim: Simulator, broker: BuiltIn
) -> None:
    async with home_assistant(broker) as home:
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
        left = home.retained[CONFIG].replace(MAC, "0123456789ff")
        foreign = left.replace("89ff", "89fe").replace("bridge/bridge/", "bridge/other/")
        for mac, text in (("0123456789ff", left), ("0123456789fe", foreign)):
            await home.publish(CONFIG.replace(MAC, mac), text, retain=True)
            await home.publish(STATE.replace(MAC, mac), "{}", retain=True)
        async with bridging(sim, broker, account_macs=[MAC]):
            await home.until(lambda one: one.available)
            gone = (CONFIG, STATE)
            await wait_until(
                lambda: not any(home.retained[one.replace(MAC, "0123456789ff")] for one in gone)
            )
            assert all(home.retained[one.replace(MAC, "0123456789fe")] for one in gone)


def test_messages_of_other_programs_are_never_outdated() -> None:
    others = {
        "homeassistant/device/x/config": json.dumps({"origin": {"name": "zigbee2mqtt"}}),
        "homeassistant/device/y/config": "no JSON",
        "homeassistant/device/z/config": json.dumps({"origin": {"name": "navien-nwp500"}}),
        "homeassistant/device/l/config": "[]",
    }
    assert published_heaters(others) == []
    assert outdated_topics([], [Topics("r", MAC)], [MAC]) == []


async def test_a_simulation_has_ids_and_names_of_its_own_and_leaves_nothing(
    broker: BuiltIn, tmp_path: Path
) -> None:
    words = ("bridge", "mqtt", "--simulate", "--speed", "3600", "--interval", "300")
    config = f"homeassistant/device/navien_nwp500_simulated_{MAC}/config"
    async with home_assistant(broker) as home:
        process = await start(tmp_path, *words, "--broker", f"mqtt://127.0.0.1:{broker.port}")
        try:
            await wait_until(lambda: home.retained.get(AVAILABILITY) == "online")
            message = json.loads(home.retained[config])
            assert message["device"]["name"] == "NWP500 (simulated)"
            ids = [one["unique_id"] for one in message["components"].values() if len(one) > 1]
            assert all(one.startswith(f"navien_nwp500_simulated_{MAC}_") for one in ids)
            # 900 s of the heater's time pass in a second at most: the meter moves on.
            await wait_until(lambda: len(energies(home)) > 1)
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = await within_limit(process.communicate())
        assert process.returncode == 0, err
        await wait_until(lambda: kept(home) == [])


def kept(home: HomeAssistant) -> list[str]:
    """Return the topics that the broker retains."""
    return [topic for topic, text in home.retained.items() if text and "peers" not in topic]


def energies(home: HomeAssistant) -> set[float]:
    """Return the readings of the energy meter so far."""
    states = [json.loads(text) for topic, text in home.received if topic == STATE and text]
    return {one["total_kwh"] for one in states if "total_kwh" in one}
