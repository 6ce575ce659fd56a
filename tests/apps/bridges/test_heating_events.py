"""Events of heating runs in Home Assistant, with their causes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500.apps.bridges.heating_events import HeatingEvents
from navien_nwp500.protocol.types import DHWMode
from navien_nwp500.simulator import Simulator
from support.heating_causes import Simulation
from support.home_assistant import CONFIG, MAC, HomeAssistant, bridging, home_assistant
from support.mqtt_brokers import BuiltIn
from support.reliability_tools import fast_config, wait_until, within_limit

TOPIC = f"navien_nwp500/{MAC}/heating"


@pytest.fixture
async def broker() -> AsyncIterator[BuiltIn]:
    found = BuiltIn()
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def event(home: HomeAssistant, kind: str, by: str) -> dict[str, Any]:
    """Wait for an event of a kind, of somebody."""

    def found() -> list[dict[str, Any]]:
        events = [json.loads(text) for topic, text in home.received if topic == TOPIC and text]
        return [one for one in events if (one["event_type"], one["by"]) == (kind, by)]

    await wait_until(lambda: bool(found()))
    return found()[0]


async def test_a_run_that_ends_and_one_that_starts_are_events_with_their_cause(
    broker: BuiltIn,
) -> None:
    async with Simulator(speed=60) as sim:
        heater = sim.units[0].heater
        heater.set_mode(DHWMode.HEAT_PUMP)
        async with home_assistant(broker) as home, bridging(sim, broker):
            await home.until(lambda one: one.available)
            entity = json.loads(home.retained[CONFIG])["components"]["heating"]
            assert (entity["platform"], entity["state_topic"]) == ("event", TOPIC)
            async with NaviLinkClient(fast_config(sim)) as app:
                (same,) = await app.get_devices()
                await within_limit(same.set_temperature(celsius=45))
                stopped = await event(home, "stopped", "client")
                assert (stopped["cause"], stopped["certainty"]) == ("setpoint", "sure")
                assert "such as the app" in stopped["text"]
            await home.publish(f"navien_nwp500/{MAC}/temperature/set", "60 °C")
            started = await event(home, "started", "own")
            assert started["cause"] == "setpoint"
            assert started["text"].startswith("the setpoint was raised from 113.0 °F (45.0 °C)")
            assert started["event_type"] in entity["event_types"]
            assert datetime.fromisoformat(started["time"]) >= datetime.fromisoformat(
                started["after"]
            )
        async with home_assistant(broker) as later:
            await wait_until(lambda: CONFIG in later.retained)
            assert TOPIC not in later.retained


def test_nothing_is_announced_that_nobody_saw_begin() -> None:
    simulation = Simulation(upper_celsius=55.0, lower_celsius=40.0).run(minutes=10)
    now = datetime(2026, 1, 5, tzinfo=timezone.utc)
    heating = HeatingEvents(lambda: now)
    for when, status in simulation.stream.polled[4:]:
        now = when
        heating.add_status(status, None, None)
    assert heating.take() == []
    now += timedelta(hours=5)  # after a gap it is not known whether it is the same run
    heating.add_status(simulation.stream.polled[-1][1], None, None)
    assert heating.take() == []
