"""Tests of one connection: health, reconnect, matching of responses, closing."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import (
    InvalidCredentialsError,
    MQTTError,
    NaviLinkClient,
    NaviLinkDevice,
    ReconnectConfig,
    WebSocketError,
)
from navien_nwp500._connection import transport as transport_base
from navien_nwp500._connection.subscriptions import PushesRefusedError
from navien_nwp500.models import Health, HealthState
from navien_nwp500.protocol.commands import POWER_OFF, STATUS
from navien_nwp500.protocol.messages import Frame, Message, encode_status, parse_message
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import LoseReplies, RefuseRequests, RestFault
from support.reliability_tools import (
    Watcher,
    count_log,
    fast_config,
    next_with_state,
    wait_for_state,
    wait_until,
    watching,
    within_limit,
)
from support.transports import each_transport


@asynccontextmanager
async def watched_heater(
    sim: Simulator, **settings: Any
) -> AsyncIterator[tuple[NaviLinkDevice, Watcher, AsyncIterator[Health]]]:
    """Watch the statuses and the health of a heater."""
    async with NaviLinkClient(fast_config(sim, **settings)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            changes = device.watch_health()
            yield device, watcher, changes
            await changes.aclose()


@each_transport
async def test_health_follows_a_dropped_and_restored_connection(sim: Simulator) -> None:
    async with watched_heater(sim) as (device, _, changes):
        assert (await next_with_state(changes, HealthState.ONLINE)).last_status is not None
        await sim._cloud.drop_connections()
        await next_with_state(changes, HealthState.CONNECTING)
        restored = await next_with_state(changes, HealthState.ONLINE)
        assert restored.reconnects == 1 and restored.missed == 0
    assert device.health.state is HealthState.IDLE


@each_transport
async def test_a_message_on_a_connection_that_then_fails_counts_as_restored_and_lost(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched_heater(sim) as (_, _, changes):
        await next_with_state(changes, HealthState.ONLINE)
        monkeypatch.setattr(transport_base, "OPERATION_TIMEOUT", 2.0)
        sim.faults.inject(LoseReplies("suback", times=1))
        await sim._cloud.drop_connections()
        # The heater answers on the first connection, whose SUBACK never arrives.
        for reconnects in (1, 2):
            await next_with_state(changes, HealthState.CONNECTING)
            assert (await next_with_state(changes, HealthState.ONLINE)).reconnects == reconnects
    logged = [text for text in caplog.messages if text.startswith("Connection to the cloud")]
    lost = "Connection to the cloud lost; reconnecting."
    restored = "Connection to the cloud restored."
    assert logged == [lost, restored, lost, restored]


async def test_a_connection_that_drops_while_an_answer_is_read_is_noticed(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll is not left to the interval, and the answer does not count for the health."""
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        mqtt = await device.get_mqtt_connection()
        answers = 0

        def drop_at_first_answer() -> None:
            nonlocal answers
            answers += 1
            if answers == 1:
                mqtt._on_connection_change(HealthState.CONNECTING)

        with monkeypatch.context() as patch:
            patch.setattr(mqtt, "_note_answer", drop_at_first_answer)
            async with watching(device, interval=3600):
                await wait_until(lambda: answers == 2)
        await client.close()
        mqtt._note_answer()
        assert device.health.state is HealthState.IDLE


@each_transport
async def test_a_request_during_an_outage_is_an_error_and_is_not_queued(sim: Simulator) -> None:
    async with watched_heater(sim, answer_timeout=1.0) as (device, _, changes):
        before = (await device.get_status()).dhw_temperature_setting
        sim.faults.inject(RefuseRequests(where="mqtt"))
        await sim._cloud.drop_connections()
        await next_with_state(changes, HealthState.CONNECTING)
        watch = device.watch(interval=1)
        first = asyncio.ensure_future(watch.__anext__())
        for request in (device.get_status(), device.set_temperature(celsius=45, force=True)):
            with pytest.raises(MQTTError, match="being restored"):
                await within_limit(request)
        assert device.health.state is HealthState.CONNECTING
        sim.faults.clear()
        await next_with_state(changes, HealthState.ONLINE)
        await within_limit(first)  # a watch continues after the outage
        await watch.aclose()
        assert (await device.get_status()).dhw_temperature_setting == before != 90


async def test_after_refused_pushes_a_query_is_sent_again_and_a_write_is_not(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    async def refused_once(*request: Any) -> Message:
        sent.append(request)
        if len(sent) == 1:
            raise PushesRefusedError("push subscription: the connection dropped")
        return Message("cmd/52/x/res", device.mac_address, "me", "1", {})

    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        connection = client._pool.first
        monkeypatch.setattr(connection._requests, "request", refused_once)
        await within_limit(connection.request(device.address, STATUS))
        assert len(sent) == 2
        sent.clear()
        with pytest.raises(PushesRefusedError):
            await within_limit(connection.request(device.address, POWER_OFF))
        assert len(sent) == 1


@each_transport
async def test_an_unresponsive_heater_is_reconnected_then_reported_offline_once(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched_heater(sim, answer_timeout=1.0) as (device, _, changes):
        await sim.unplug()
        assert (await next_with_state(changes, HealthState.UNRESPONSIVE)).missed >= 1
        await next_with_state(changes, HealthState.OFFLINE)
        assert sim.counters.connects == 2
        subscribed = sim.counters.subscribes
        # Further unanswered polls neither log again nor reconnect.
        assert await device._mqtt._escalate_recovery() is False
        await sim.plug_in()
        await next_with_state(changes, HealthState.ONLINE)
        assert sim.counters.connects == 2
        assert sim.counters.subscribes == subscribed
    assert count_log(caplog, "does not answer") == 1
    assert count_log(caplog, "answers again") == 1


async def test_one_unresponsive_heater_does_not_reconnect_the_others() -> None:
    async with Simulator(speed=600, heaters=2) as sim:
        async with NaviLinkClient(fast_config(sim, answer_timeout=1.0)) as client:
            unplugged, other = await client.get_devices()
            async with watching(unplugged), watching(other):
                await sim.unplug(0)
                await wait_for_state(unplugged, HealthState.OFFLINE)
                assert sim.counters.connects == 1


async def test_a_duplicate_message_is_delivered_once(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        status = encode_status(sim.units[0].heater.status())
        body = b'{"macAddress":"0123456789ab","status":%s}' % status
        payload = b'{"clientID":"x","sessionID":"3","response":%s}' % body
        frame = Frame("cmd/52/navilink-0123456789ab/res", payload)
        before = device.last_status
        client._pool.first._dispatch(frame)
        first = device.last_status
        client._pool.first._dispatch(frame)
        assert first is not before and device.last_status is first


@each_transport
async def test_a_failed_first_connect_raises(sim: Simulator) -> None:
    unreachable = replace(sim.config, websocket_url="wss://127.0.0.1:1/mqtt")
    async with NaviLinkClient(unreachable) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(WebSocketError):
            await device.get_status()
        with pytest.raises(WebSocketError):
            async for _ in device.watch(interval=0.05):
                break


async def test_giving_up_reconnecting_raises_to_the_watcher(sim: Simulator) -> None:
    reconnect = ReconnectConfig(max_retries=2, initial_delay=0.02, max_delay=0.05)
    async with watched_heater(sim, reconnect=reconnect) as (device, watcher, _):
        for path in ("/auth/session/refresh", "/user/secured-sign-in", "/user/sign-in"):
            sim.faults.rest[path] = RestFault(503)
        sim._cloud.book.revoke_keys()
        await sim._cloud.drop_connections()
        with pytest.raises(MQTTError, match="gave up after 2 tries"):
            await watcher.wait_end()
        sim.faults.clear()
        assert (await device.get_status()).device_connected == 2


async def test_a_password_rejected_while_reconnecting_stops_at_once(sim: Simulator) -> None:
    async with watched_heater(sim) as (_, watcher, _):
        for path in ("/auth/session/refresh", "/user/secured-sign-in"):
            sim.faults.rest[path] = RestFault.error(403, "FORBIDDEN")
        sim.faults.rest["/user/sign-in"] = replace(
            RestFault.error(401, "Invalid credentials"), times=1
        )
        sim._cloud.book.revoke_keys()
        await sim._cloud.drop_connections()
        with pytest.raises(InvalidCredentialsError):
            await watcher.wait_end()
        # The sign-in at the start, and the rejected one.
        assert sim.counters.passwords == 2


@each_transport
async def test_credentials_that_expired_while_connected_are_renewed_at_the_next_connect(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched_heater(sim) as (_, _, changes):
        # Eight hours of sleep move the wall clock, not the monotonic clock.
        now = time.time
        monkeypatch.setattr(
            "navien_nwp500._connection.credentials.time.time", lambda: now() + 8 * 3600
        )
        sim._cloud.book.revoke_keys()
        sim._cloud.book.revoke_access_tokens()
        await sim._cloud.drop_connections()
        await next_with_state(changes, HealthState.CONNECTING)
        await next_with_state(changes, HealthState.ONLINE)
        monkeypatch.undo()
        assert sim.counters.passwords == 1
        assert sim.counters.refreshes >= 1
        assert not sim.counters.refusals, "expired credentials were tried"


async def test_a_slow_watcher_gets_the_latest_status_never_a_backlog(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        slow = device.watch(interval=3600)
        await slow.__anext__()
        for _ in range(20):
            await device.get_status()
        assert await slow.__anext__() is device.last_status
        following = asyncio.ensure_future(slow.__anext__())
        await asyncio.sleep(0)
        assert not following.done()
        following.cancel()
        await asyncio.wait({following})


def test_a_request_is_recognised_by_its_topic() -> None:
    own = b'{"clientID":"c","sessionID":"1","request":{"command":16777219}}'
    assert parse_message("cmd/52/navilink-0123456789ab/st", own) is None
