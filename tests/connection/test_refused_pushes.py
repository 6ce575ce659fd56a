"""Tests of a broker that refuses the push subscription: polling must do."""

from __future__ import annotations

import asyncio
import logging

import pytest

from navien_nwp500 import HealthState, NaviLinkClient, WebSocketError
from navien_nwp500._connection.transport import Transport
from navien_nwp500.apps.diagnostics.checks import State, diagnose
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import CutConnections
from support.refusing_broker import PUSHES, RESPONSES, RefuseSubscriptions
from support.reliability_tools import (
    count_log,
    fast_config,
    wait_for_state,
    wait_until,
    watching,
    within_limit,
)
from support.transports import TRANSPORTS, each_transport

REFUSED = "may not subscribe to pushed updates"


@pytest.mark.parametrize(
    ("transport", "code"), [*((one, 0x80) for one in TRANSPORTS), ("awscrt-mqtt5", 0x87)]
)
async def test_without_pushes_reads_writes_and_watches_work(
    sim: Simulator, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 3.1.1 has one code for a refusal, MQTT 5 one for each reason."""
    caplog.set_level(logging.INFO)
    refuse = sim.faults.inject(RefuseSubscriptions(PUSHES, code))
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        mqtt = await device.get_mqtt_connection()
        await within_limit(mqtt.connect())
        await within_limit(device.get_status())
        changed = await within_limit(device.set_temperature(celsius=50, force=True))
        assert changed.dhw_temperature_setting.celsius == 50
        async with watching(device) as watcher:
            await watcher.next(2)
            sim.faults.inject(CutConnections())
            await wait_until(lambda: device.health.reconnects == 1)
            await watcher.next(2)
        assert refuse.count == 2  # asked again with the new connection, not again and again
        assert sim.counters.connects == 2
    assert count_log(caplog, REFUSED) == 1


async def test_a_broker_that_closes_the_connection_costs_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As AWS does it. On a busy machine the end is reported long after what failed by it."""
    ended = Transport._connection_ended

    def report_late(connection: Transport, reason: str) -> None:
        asyncio.get_running_loop().call_later(0.4, ended, connection, reason)

    monkeypatch.setattr(Transport, "_connection_ended", report_late)
    async with Simulator(speed=600, pushes=False) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            device = (await client.get_devices())[0]
            assert (await within_limit(device.get_status())).dhw_charge_percent >= 0
            await wait_until(lambda: client._pool.first.pushes_refused)


async def test_pushes_come_back_when_the_broker_allows_them_again(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    refuse = sim.faults.inject(RefuseSubscriptions(PUSHES))
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600):
            await wait_until(lambda: refuse.count == 1)
            sim.faults.clear()
            sim.faults.inject(CutConnections())
            await wait_until(lambda: device.health.reconnects == 1)
            await wait_for_state(device, HealthState.ONLINE)
            transport = client._pool.first._transport
            assert transport is not None
            await wait_until(lambda: transport._pushes_granted)


@each_transport
async def test_refused_responses_are_an_error_of_the_connect(sim: Simulator) -> None:
    sim.faults.inject(RefuseSubscriptions(RESPONSES))
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        mqtt = await device.get_mqtt_connection()
        with pytest.raises(WebSocketError, match="subscribing: the broker refuses"):
            await within_limit(mqtt.connect())


async def test_doctor_judges_refused_subscriptions_as_the_client_does(sim: Simulator) -> None:
    sim.faults.inject(RefuseSubscriptions(PUSHES))
    found = {one.step: one async for one in diagnose(fast_config(sim))}
    assert all(one.state is State.PASSED for one in found.values())
    assert "pushed updates cannot" in found["subscription"].fact
    assert "Polling is enough" in found["subscription"].why
    sim.faults.clear()
    sim.faults.inject(RefuseSubscriptions(RESPONSES))
    found = {one.step: one async for one in diagnose(fast_config(sim))}
    assert found["subscription"].state is State.FAILED
    assert "refuses the subscription" in found["subscription"].why
