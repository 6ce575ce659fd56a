"""The promises of docs/RELIABILITY.md about the way to the heater: network, cloud, keys, clocks."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
import time
from dataclasses import replace
from typing import Any

import pytest
from reliability_tools import LIMIT, QUICK, SILENCE, eventually, health, quick, said, soon, watching
from ways import Way, each_way

from navien_nwp500 import (
    APIError,
    CommunicationError,
    NaviLinkClient,
    ProtocolError,
    ReconnectConfig,
    RequestTimeoutError,
    WebSocketError,
    link,
    session,
)
from navien_nwp500.commands import POWER_ON
from navien_nwp500.health import HealthState
from navien_nwp500.link import Link
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    Cut,
    Deaf,
    DropSubscriptions,
    Forbid,
    HalfOpen,
    Lost,
    Refuse,
    RestFault,
    Revoke,
    Rival,
    WrongClock,
)
from navien_nwp500.simulator.points import Fault

DAY = 86400.0


class NoWaits:
    """asyncio, except that the waits between tries are written down and not waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries in their order, none of them waited: each draw is half its limit."""
    instead = NoWaits()
    monkeypatch.setattr(session, "asyncio", instead)
    monkeypatch.setattr(random, "uniform", lambda low, high: high / 2 if low == 0 else -1)
    return instead.waits


@pytest.fixture
def watched_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alive as short as the SDK takes it."""
    monkeypatch.setattr(link, "KEEP_ALIVE", 2)  # the least of awscrt 0.20 over MQTT 5
    monkeypatch.setattr(link, "PING_TIMEOUT", 1.5)


# The socket is cut


@each_way
async def test_after_a_cut_the_watcher_sees_a_gap_and_nothing_else(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            for _ in range(3):
                before = sim.cloud.counters.connects
                sim.faults.set(Cut())
                await eventually(lambda: sim.cloud.counters.connects > before)
                await watcher.next(2)
            assert len({id(status) for status in watcher.statuses}) == len(watcher.statuses)
        assert device.health.reconnects == 3
    assert said(caplog, "connection to the cloud lost") == 3
    assert said(caplog, "connection to the cloud is back") == 3
    assert sim.cloud.counters.most_connections == 1


@each_way
async def test_after_a_cut_a_status_comes_at_once_though_the_next_poll_is_hours_away(
    sim: Simulator,
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        sim.faults.set(Deaf(what="pushes"))
        async with watching(device, interval=6 * 3600) as watcher:
            sim.faults.set(Cut())
            assert (await watcher.next())[0].command == 16777219
            assert device.health.state is HealthState.ONLINE


async def test_who_was_busy_during_a_cut_gets_a_status_at_once_all_the_same(
    sim: Simulator,
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        sim.faults.set(Deaf(what="pushes"))
        statuses = device.watch(interval=6 * 3600)
        before = await soon(statuses.__anext__())
        sim.faults.set(Cut())
        await eventually(lambda: device.health.reconnects == 1)
        assert await soon(statuses.__anext__()) is not before
        await statuses.aclose()


@each_way
async def test_the_first_try_follows_a_cut_within_a_second(
    sim: Simulator, waits: list[float]
) -> None:
    """With the settings as shipped: the wait, and tens of milliseconds for the handshake."""
    async with NaviLinkClient(replace(sim.config)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.set(Cut())
            await eventually(lambda: sim.cloud.counters.connects == 2)
            await watcher.next()
    assert waits[0] == 0.5 and len([one for one in waits if one]) == 1


# The line is half open


def test_a_dead_line_is_noticed_within_45_s_as_shipped() -> None:
    assert link.KEEP_ALIVE + link.PING_TIMEOUT <= 45
    assert link.KEEP_ALIVE >= 30  # the least AWS allows


@pytest.mark.usefixtures("watched_line")
@each_way
async def test_a_half_open_line_is_noticed_by_its_keep_alive(sim: Simulator) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600) as watcher:
            sim.faults.set(HalfOpen())
            await health(device, HealthState.CONNECTING)
            await watcher.next()
            assert sim.cloud.counters.connects == 2


@pytest.mark.usefixtures("watched_line")
@each_way
async def test_after_eight_hours_of_sleep_it_wakes_up_and_reconnects(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600) as watcher:
            sim.faults.set(HalfOpen())
            sim.faults.set(Revoke(keys=True, access=True))
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() + 8 * 3600)
            await watcher.next()
            monkeypatch.undo()
            assert sim.cloud.counters.passwords == 1


# Connected but deaf


@each_way
async def test_lost_subscriptions_are_made_again_on_the_same_connection(sim: Simulator) -> None:
    async with NaviLinkClient(quick(sim, answer_timeout=SILENCE)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            subscribed = sim.cloud.counters.subscribes
            sim.faults.set(DropSubscriptions())
            await health(device, HealthState.SILENT)
            await watcher.next(2)
            assert sim.cloud.counters.connects == 1
            assert sim.cloud.counters.subscribes == subscribed + 2


@each_way
async def test_a_connection_that_stays_deaf_is_left_for_a_new_one(sim: Simulator) -> None:
    async with NaviLinkClient(quick(sim, answer_timeout=SILENCE)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            assert client._exchange.first._link is not None
            sim.faults.set(Deaf(client=client._exchange.first._link.client_id))
            await health(device, HealthState.SILENT)
            await watcher.next(2)
            assert sim.cloud.counters.connects == 2
            assert device.health.state is HealthState.ONLINE


# The server refuses


@pytest.mark.parametrize(
    ("status", "handshakes"),
    [(503, {}), (None, {"awscrt-mqtt3": 1})],
)
@each_way
async def test_a_refusing_server_is_asked_as_the_backoff_says_and_memory_stays_flat(
    sim: Simulator, waits: list[float], way: Way, status: int | None, handshakes: dict[Way, int]
) -> None:
    """A try is two handshakes: refused ones may mean old keys, and MQTT 5 falls back.

    Only the SDK tells a refusal from a connection that was reset.
    """
    tries, each = 12, handshakes.get(way, 2)
    fault = Refuse(where="mqtt", status=status, times=tries * each)
    async with NaviLinkClient(quick(sim, reconnect=ReconnectConfig(max_retries=None))) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        sim.faults.set(fault)
        sim.faults.set(Cut())
        await eventually(lambda: client._exchange.first.reconnects == 1)
        await soon(device.get_status())
        assert sim.cloud.counters.refusals["fault: refuse"] == tries * each
        assert sim.cloud.counters.passwords == 1
        gc.collect()
        kept = [one for one in gc.get_objects() if issubclass(type(one), Link)]
        assert len(kept) == 1
    backoff = [one for one in waits if one]
    assert backoff == [0.5, 1, 2, 4, 8, 16, 32] + [60.0] * 6


@each_way
async def test_links_that_are_over_are_not_kept_in_memory(sim: Simulator) -> None:
    def kept() -> int:
        gc.collect()
        return sum(issubclass(type(one), Link) for one in gc.get_objects())

    for _ in range(3):
        async with NaviLinkClient(quick(sim)) as client:
            device = (await client.get_devices())[0]
            async with watching(device) as watcher:
                sim.faults.set(Cut())
                await eventually(lambda: device.health.reconnects == 1)
                await watcher.next(2)
    await eventually(lambda: kept() == 0)


# Keys and tokens


@pytest.mark.parametrize(
    ("revoked", "refreshes", "passwords"),
    [
        (Revoke(keys=True), 0, 1),
        (Revoke(keys=True, access=True), 1, 1),
        (Revoke(keys=True, access=True, refresh=True), 1, 2),
    ],
)
@each_way
async def test_what_was_revoked_is_renewed_the_cheapest_way_the_password_last(
    sim: Simulator, revoked: Revoke, refreshes: int, passwords: int
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.set(revoked)
            sim.faults.set(Cut())
            await eventually(lambda: sim.cloud.counters.connects == 2)
            await watcher.next()
        assert sim.cloud.counters.calls.get("/auth/refresh", 0) == refreshes
        assert sim.cloud.counters.passwords == passwords


# REST


@pytest.mark.parametrize(
    ("fault", "expected", "numbers"),
    [
        (RestFault.error(403, "FORBIDDEN"), APIError, (403, 403, None)),
        (RestFault(429, b"", {"Retry-After": "7"}), APIError, (429, 429, 7.0)),
        (RestFault(429, b"", {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), APIError, None),
        (RestFault.error(500, "Invalid state"), APIError, (500, 500, None)),
        (RestFault(502, b"<html>unauthorized</html>"), APIError, (502, 502, None)),
        (RestFault.error(200, "INTERNAL_SERVER_ERROR", code=500), APIError, (200, 500, None)),
        (RestFault(cut=25), ProtocolError, None),
        (RestFault(cut=25, reset=True), CommunicationError, None),
        (RestFault(trickle=60.0), RequestTimeoutError, None),
    ],
)
async def test_a_call_that_fails_is_a_typed_error_and_not_repeated(
    sim: Simulator, fault: RestFault, expected: type[Exception], numbers: Any
) -> None:
    limit = 2.0 if expected is RequestTimeoutError else LIMIT
    async with NaviLinkClient(quick(sim, rest_timeout=limit)) as client:
        device = (await client.get_devices())[0]
        sim.faults.rest["/device/info"] = fault
        with pytest.raises(expected) as caught:
            await soon(device.get_info())
        if numbers is not None:
            error: Any = caught.value
            assert (error.status_code, error.code, error.retry_after) == numbers
        assert sim.cloud.counters.calls["/device/info"] == 1
        sim.faults.clear()
        assert (await device.get_info()).online
        assert sim.cloud.counters.passwords == 1


async def test_a_cloud_that_asks_for_a_pause_gets_it_and_no_password(
    sim: Simulator, waits: list[float]
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            asked = RestFault(429, b"", {"Retry-After": "77"}, times=1)
            sim.faults.rest["/auth/session/refresh"] = asked
            sim.faults.set(Revoke(keys=True))
            sim.faults.set(Cut())
            await eventually(lambda: sim.cloud.counters.connects == 2)
            await watcher.next()
        assert [one for one in waits if one] == [QUICK.initial_delay / 4, 77.0]
        assert sim.cloud.counters.passwords == 1
        assert sim.cloud.counters.secured_sign_ins == 0


# The broker's door


@pytest.mark.parametrize(
    "fault", [Lost("suback"), Lost("connack"), Forbid(topic="cmd/52/+/+/+/res/#", times=1)]
)
@each_way
async def test_a_try_that_fails_at_the_door_is_healed_by_the_next(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            monkeypatch.setattr(link, "OPERATION_TIMEOUT", SILENCE)
            monkeypatch.setattr(link, "PING_TIMEOUT", SILENCE)
            # awscrt 0.20 waits for a CONNACK over MQTT 5 as long as it is let.
            monkeypatch.setattr(link, "OPEN_TIMEOUT", 5.0)
            fault.times = 1
            sim.faults.set(fault)
            sim.faults.set(Cut())
            await eventually(lambda: sim.cloud.counters.connects == 3)
            await watcher.next(2)
        assert sim.cloud.counters.connects == 3


async def test_a_lost_suback_of_a_second_heater_is_loud_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "OPERATION_TIMEOUT", SILENCE)
    async with Simulator(speed=600, heaters=2) as sim:
        async with NaviLinkClient(quick(sim)) as client:
            one, two = await client.get_devices()
            await one.get_status()
            sim.faults.set(Lost("suback"))
            line = await two.get_mqtt_connection()
            with pytest.raises(CommunicationError):
                await soon(line.connect())
            subscribed = sim.cloud.counters.subscribes
            # Its answers come under the topic that the first heater of the home has shown to work.
            assert (await soon(two.get_status())).device_connected == 2
            await soon(line.connect())
            assert sim.cloud.counters.subscribes == subscribed + 1


async def test_a_write_is_sent_once_its_answer_can_be_heard(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.faults.set(Lost("suback", times=None))
    monkeypatch.setattr(link, "OPERATION_TIMEOUT", 0.2)
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(CommunicationError):
            await soon(device._line.request(POWER_ON))
    assert sim.cloud.counters.publishes == 0


@each_way
async def test_a_rival_with_our_id_is_left_alone_with_it(sim: Simulator) -> None:
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.set(Rival())
            await eventually(lambda: sim.cloud.counters.connects == 2)
            await watcher.next(3)
        assert sim.cloud.counters.takeovers == 1
        assert sim.cloud.counters.connects == 2


# Clocks


@pytest.mark.parametrize(("seconds", "words"), [(3600.0, "behind"), (-3600.0, "ahead")])
@each_way
async def test_a_wrong_clock_is_named_with_its_skew(
    sim: Simulator, seconds: float, words: str
) -> None:
    sim.faults.set(WrongClock(seconds))
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(WebSocketError, match=rf"clock is (3[56]\d\d) s {words}; set the clock"):
            await soon(device.get_status())


async def test_a_clock_gone_wrong_on_the_way_is_said_once_and_waited_for(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            sim.faults.set(WrongClock(DAY))
            sim.faults.set(Cut())
            await eventually(lambda: sim.cloud.counters.refused_handshakes >= 6)
            assert said(caplog, "s behind; set the clock") == 1
            sim.faults.clear()
            await watcher.next()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 30 * DAY])
async def test_polls_follow_the_steady_clock_and_session_ids_never_repeat(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """A clock that is set at every look: no wait may hang on two looks at it."""
    async with NaviLinkClient(quick(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device) as watcher:
            now, looks = time.time, itertools.count(1)
            monkeypatch.setattr(time, "time", lambda: now() + jump * next(looks))
            before = client._exchange.first._asking.last_session_id
            await watcher.next(4)
            monkeypatch.undo()
            assert client._exchange.first._asking.last_session_id >= before + 3
            zone = device.health.since.tzinfo, device.health.last_status
            assert zone[0] is not None and zone[1] is not None and zone[1].tzinfo is not None
            assert sim.cloud.counters.connects == 1
