"""Tests of the promises in docs/RELIABILITY.md about network, cloud, credentials and clocks."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
import time
from dataclasses import replace
from typing import Any, Sequence

import pytest

from navien_nwp500 import CommunicationError, NaviLinkClient, ReconnectConfig, WebSocketError
from navien_nwp500._connection import connection, transport as transport_base
from navien_nwp500._connection.transport import Transport
from navien_nwp500.models import HealthState
from navien_nwp500.protocol.commands import POWER_ON
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud import aws_broker
from navien_nwp500.simulator.faults import (
    CutConnections,
    DropMessages,
    DropSubscriptions,
    Fault,
    ForbidTopics,
    HalfOpen,
    LoseReplies,
    RefuseRequests,
    RestFault,
    RevokeCredentials,
    RivalClient,
    WrongClock,
)
from support.reliability_tools import (
    FAST_RECONNECT,
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_for_state,
    wait_until,
    watching,
    within_limit,
)
from support.transports import each_transport

DAY = 86400.0


class RecordedSleeps:
    """The asyncio module, except that ``sleep`` only records the delay."""

    def __init__(self) -> None:
        self.delays: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await asyncio.sleep(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the delays between reconnects without waiting; each random delay is half its limit."""
    recorded = RecordedSleeps()
    monkeypatch.setattr(connection, "asyncio", recorded)
    monkeypatch.setattr(random, "uniform", lambda low, high: high / 2 if low == 0 else -1)
    return recorded.delays


@pytest.fixture
def short_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the shortest keep-alive that the SDK accepts; with MQTT 5 the broker's counts."""
    monkeypatch.setattr(aws_broker, "MIN_KEEP_ALIVE", 2)
    monkeypatch.setattr(transport_base, "KEEP_ALIVE", 2)  # the minimum of awscrt 0.20 with MQTT 5
    monkeypatch.setattr(transport_base, "PING_TIMEOUT", 1.5)


# Dropped connections


@each_transport
async def test_a_dropped_connection_is_only_a_gap_for_the_watcher(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            for _ in range(3):
                before = sim.counters.connects
                sim.faults.inject(CutConnections())
                await wait_until(lambda: sim.counters.connects > before)
                await watcher.next(2)
            assert len({id(status) for status in watcher.statuses}) == len(watcher.statuses)
        assert device.health.reconnects == 3
        await wait_until(lambda: sim.counters.open_connections == 1)
    assert count_log(caplog, "Connection to the cloud lost") == 3
    assert count_log(caplog, "Connection to the cloud restored") == 3
    # The new one, and the one that the cloud still closes.
    assert sim.counters.most_connections <= 2


@each_transport
async def test_after_a_reconnect_a_status_is_polled_at_once(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        sim.faults.inject(DropMessages(kind="pushes"))
        async with watching(device, interval=6 * 3600) as watcher:
            sim.faults.inject(CutConnections())
            assert (await watcher.next())[0].command == 16777219
            assert device.health.state is HealthState.ONLINE


async def test_a_watcher_that_was_busy_during_a_drop_gets_a_status_at_once(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        sim.faults.inject(DropMessages(kind="pushes"))
        statuses = device.watch(interval=6 * 3600)
        before = await within_limit(statuses.__anext__())
        sim.faults.inject(CutConnections())
        await wait_until(lambda: device.health.reconnects == 1)
        assert await within_limit(statuses.__anext__()) is not before
        await statuses.aclose()


@each_transport
async def test_the_first_reconnect_starts_within_a_second(
    sim: Simulator, delays: list[float]
) -> None:
    """Use the default settings; the handshake adds tens of milliseconds to the delay."""
    async with NaviLinkClient(replace(sim.config)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.connects == 2)
            await watcher.next()
    assert delays[0] == 0.5 and len([one for one in delays if one]) == 1


# Half-open connections


def test_the_default_keep_alive_detects_a_dead_connection_within_45_s() -> None:
    assert transport_base.KEEP_ALIVE + transport_base.PING_TIMEOUT <= 45
    assert transport_base.KEEP_ALIVE >= 30  # the minimum AWS allows


@pytest.mark.usefixtures("short_keep_alive")
@each_transport
async def test_a_half_open_connection_is_detected_by_its_keep_alive(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600) as watcher:
            sim.faults.inject(HalfOpen())
            await wait_for_state(device, HealthState.CONNECTING)
            await watcher.next()
            assert sim.counters.connects == 2


@pytest.mark.usefixtures("short_keep_alive")
@each_transport
async def test_after_hours_of_sleep_it_reconnects(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600) as watcher:
            sim.faults.inject(HalfOpen())
            sim.faults.inject(RevokeCredentials(aws_keys=True, access_tokens=True))
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() + 8 * 3600)
            await watcher.next()
            monkeypatch.undo()
            assert sim.counters.passwords == 1


# Stalled connections


@each_transport
async def test_lost_subscriptions_are_renewed_on_the_same_connection(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            subscribed = sim.counters.subscribes
            sim.faults.inject(DropSubscriptions())
            await wait_for_state(device, HealthState.UNRESPONSIVE)
            await watcher.next(2)
            assert sim.counters.connects == 1
            assert sim.counters.subscribes == subscribed + 2


@each_transport
async def test_a_stalled_connection_is_replaced(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            assert client._pool.first._transport is not None
            sim.faults.inject(DropMessages(client=client._pool.first._transport.client_id))
            await wait_for_state(device, HealthState.UNRESPONSIVE)
            await watcher.next(2)
            assert sim.counters.connects == 2
            assert device.health.state is HealthState.ONLINE


# Rejected handshakes


def all_transports(besides: Sequence[Transport] = ()) -> list[Transport]:
    """Return those in memory; a thread of the SDK may still hold ``besides``, those of an earlier test."""
    gc.collect()
    found = [one for one in gc.get_objects() if issubclass(type(one), Transport)]
    return [one for one in found if not any(one is other for other in besides)]


@pytest.mark.parametrize(("status", "handshakes"), [(503, {}), (None, {"awscrt-mqtt3": 1})])
@each_transport
async def test_a_rejecting_server_is_retried_with_backoff_and_memory_does_not_grow(
    sim: Simulator,
    delays: list[float],
    transport: str,
    status: int | None,
    handshakes: dict[str, int],
) -> None:
    """Expect two handshakes per try: a rejected one renews the credentials, MQTT 5 falls back.

    Only the SDK reports a rejected handshake and a reset one differently.
    """
    earlier = all_transports()
    tries, per_try = 12, handshakes.get(transport, 2)
    fault = RefuseRequests(where="mqtt", status=status, times=tries * per_try)
    async with NaviLinkClient(
        fast_config(sim, reconnect=ReconnectConfig(max_retries=None))
    ) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        sim.faults.inject(fault)
        sim.faults.inject(CutConnections())
        await wait_until(lambda: client._pool.first.reconnects == 1)
        await within_limit(device.get_status())
        assert sim.counters.refusals["fault: refuse_requests"] == tries * per_try
        assert sim.counters.passwords == 1
        assert len(all_transports(besides=earlier)) == 1
    backoff = [one for one in delays if one]
    assert backoff == [0.5, 1, 2, 4, 8, 16, 32] + [60.0] * 6


@each_transport
async def test_closed_transports_are_not_kept_in_memory(sim: Simulator) -> None:
    earlier = all_transports()
    for _ in range(3):
        async with NaviLinkClient(fast_config(sim)) as client:
            device = (await client.get_devices())[0]
            async with watching(device) as watcher:
                sim.faults.inject(CutConnections())
                await wait_until(lambda: device.health.reconnects == 1)
                await watcher.next(2)
    await wait_until(lambda: not all_transports(besides=earlier))


# Credentials


@pytest.mark.parametrize(
    ("revoked", "refreshes", "passwords"),
    [
        (RevokeCredentials(aws_keys=True), 0, 1),
        (RevokeCredentials(aws_keys=True, access_tokens=True), 1, 1),
        (RevokeCredentials(aws_keys=True, access_tokens=True, refresh_tokens=True), 1, 2),
    ],
)
@each_transport
async def test_revoked_credentials_are_renewed_by_the_cheapest_call_the_password_last(
    sim: Simulator, revoked: RevokeCredentials, refreshes: int, passwords: int
) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.inject(revoked)
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.connects == 2)
            await watcher.next()
        assert sim.counters.calls.get("/auth/refresh", 0) == refreshes
        assert sim.counters.passwords == passwords


# Rate limit of the cloud


async def test_retry_after_delays_the_next_reconnect(sim: Simulator, delays: list[float]) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            throttled = RestFault(429, b"", {"Retry-After": "77"}, times=1)
            sim.faults.rest["/auth/session/refresh"] = throttled
            sim.faults.inject(RevokeCredentials(aws_keys=True))
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.connects == 2)
            await watcher.next()
        assert [one for one in delays if one] == [FAST_RECONNECT.initial_delay / 4, 77.0]
        assert sim.counters.passwords == 1
        assert sim.counters.secured_sign_ins == 0


# Failures after the handshake


@pytest.mark.parametrize(
    "fault",
    [
        LoseReplies("suback"),
        LoseReplies("connack"),
        ForbidTopics(topic="cmd/52/+/+/+/res/#", times=1),
    ],
)
@each_transport
async def test_a_connect_that_fails_after_the_handshake_is_retried(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            monkeypatch.setattr(transport_base, "OPERATION_TIMEOUT", SHORT_TIMEOUT)
            monkeypatch.setattr(transport_base, "PING_TIMEOUT", SHORT_TIMEOUT)
            # awscrt 0.20 delays for a CONNACK of MQTT 5 without a limit of its own.
            monkeypatch.setattr(transport_base, "OPEN_TIMEOUT", 5.0)
            fault.times = 1
            sim.faults.inject(fault)
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.connects == 3)
            await watcher.next(2)
        assert sim.counters.connects == 3


async def test_a_lost_suback_of_a_second_heater_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_base, "OPERATION_TIMEOUT", SHORT_TIMEOUT)
    async with Simulator(speed=600, heaters=2) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            one, two = await client.get_devices()
            await one.get_status()
            sim.faults.inject(LoseReplies("suback"))
            mqtt = await two.get_mqtt_connection()
            with pytest.raises(CommunicationError):
                await within_limit(mqtt.connect())
            subscribed = sim.counters.subscribes
            # Its responses use the reply topic of the home, which the first heater has subscribed.
            assert (await within_limit(two.get_status())).device_connected == 2
            await within_limit(mqtt.connect())
            assert sim.counters.subscribes == subscribed + 1


async def test_a_write_is_not_sent_before_its_reply_topic_is_subscribed(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.faults.inject(LoseReplies("suback", times=None))
    monkeypatch.setattr(transport_base, "OPERATION_TIMEOUT", 0.2)
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(CommunicationError):
            await within_limit(device._mqtt.request(POWER_ON))
    assert sim.counters.publishes == 0


@each_transport
async def test_after_a_takeover_of_the_client_id_another_one_is_used(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.inject(RivalClient())
            await wait_until(lambda: sim.counters.connects == 2)
            await watcher.next(3)
        assert sim.counters.takeovers == 1
        assert sim.counters.connects == 2


# Clocks


@pytest.mark.parametrize(("seconds", "direction"), [(3600.0, "behind"), (-3600.0, "ahead")])
@each_transport
async def test_a_wrong_clock_is_reported(sim: Simulator, seconds: float, direction: str) -> None:
    sim.faults.inject(WrongClock(seconds))
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(
            WebSocketError,
            match=rf"clock of this machine is (3[56]\d\d) s {direction}; set the clock",
        ):
            await within_limit(device.get_status())


async def test_a_clock_that_becomes_wrong_is_logged_once_and_retried(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.inject(WrongClock(DAY))
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.refused_handshakes >= 6)
            assert count_log(caplog, "s behind; set the clock") == 1
            sim.faults.clear()
            await watcher.next()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 30 * DAY])
async def test_polls_use_the_monotonic_clock_and_session_ids_never_repeat(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """Change the wall clock at every read: no wait may depend on the difference of two reads."""
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            now, reads = time.time, itertools.count(1)
            monkeypatch.setattr(time, "time", lambda: now() + jump * next(reads))
            before = client._pool.first._requests.last_session_id
            await watcher.next(4)
            monkeypatch.undo()
            assert client._pool.first._requests.last_session_id >= before + 3
            zone = device.health.since.tzinfo, device.health.last_status
            assert zone[0] is not None and zone[1] is not None and zone[1].tzinfo is not None
            assert sim.counters.connects == 1
