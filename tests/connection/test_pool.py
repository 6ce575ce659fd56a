"""Tests of the connection pool: early connect, capacity, rate limit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from navien_nwp500 import NaviLinkClient, WebSocketError
from navien_nwp500._connection.connection import Subscriber
from navien_nwp500._connection.request_response import BURST, RATE, RateLimiter
from navien_nwp500._connection.subscriptions import MAX_SUBSCRIPTIONS
from navien_nwp500.protocol.messages import Address
from navien_nwp500.simulator import Simulator
from support.reliability_tools import fast_config, wait_until, within_limit

# Early connect


async def test_listing_heaters_opens_the_connection_of_the_first_request(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        await wait_until(lambda: sim.counters.connects == 1)
        await within_limit(device.get_status())
        assert sim.counters.connects == 1


async def test_signing_in_and_listing_without_connect_open_no_connection(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        await client.authenticate()
        await client.get_devices(connect=False)
        assert client._pool.first._runner is None
    assert sim.counters.handshakes == 0


async def test_a_failed_early_connect_is_raised_by_the_first_request_alone(sim: Simulator) -> None:
    async with NaviLinkClient(
        replace(sim.config, websocket_url="wss://127.0.0.1:1/mqtt")
    ) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(WebSocketError):
            await within_limit(device.get_status())


async def test_listing_tries_a_failing_sign_in_once(sim: Simulator) -> None:
    from navien_nwp500 import APIError
    from navien_nwp500.simulator.faults import RestFault

    sim.faults.rest["/user/sign-in"] = RestFault(503)
    async with NaviLinkClient(fast_config(sim)) as client:
        with pytest.raises(APIError):
            await client.get_devices()
        assert client._pool.first._runner is None
    assert sim.counters.passwords == 1


async def test_an_unused_early_connection_is_not_restored(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        connection = client._pool.first
        await within_limit(connection.wait_connected())
        await sim._cloud.drop_connections()
        assert connection._runner is not None
        await within_limit(asyncio.wait({connection._runner}))
        assert sim.counters.connects == 1
        assert (await within_limit(device.get_status())).device_connected == 2
        assert sim.counters.connects == 2


# Capacity of a connection


def subscriber(number: int, home: int = 1) -> Subscriber:
    address = Address(f"{number:012x}", "1234", home)
    return Subscriber(address, lambda message: None, lambda: None, lambda: None)


async def test_a_second_connection_is_used_when_the_first_is_full() -> None:
    pool = NaviLinkClient()._pool
    subscribers = [subscriber(number) for number in range(MAX_SUBSCRIPTIONS)]
    connections = [pool.attach(one) for one in subscribers]
    assert [one is pool.first for one in connections] == [True] * 49 + [False]
    assert [pool.attach(one) for one in subscribers] == connections
    pool.first.detach(subscribers[0])
    assert pool.attach(subscriber(99, home=1)) is pool.first
    assert pool.attach(subscriber(100, home=2)) is connections[-1]


async def test_without_pushes_only_the_homes_count_as_subscriptions() -> None:
    pool = NaviLinkClient()._pool
    for _ in range(2):
        pool._permission.record_drop()
    assert all(pool.attach(subscriber(one)) is pool.first for one in range(200))


async def test_sixty_heaters_answer_on_two_connections() -> None:
    async with Simulator(speed=600, heaters=60) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            devices = await client.get_devices()
            statuses = await within_limit(asyncio.gather(*(one.get_status() for one in devices)))
            assert len(statuses) == len({device.mac_address for device in devices}) == 60
            assert sim.counters.most_connections == 2
            assert sim.counters.violations == 0
            assert sim.counters.subscribes == 60 + 2


# Rate limit


async def test_150_concurrent_requests_stay_within_the_rate_limit() -> None:
    async with Simulator(speed=600, heaters=30) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            devices = await client.get_devices()
            asked = [one.get_status() for one in devices for _ in range(5)]
            began = time.monotonic()
            assert len(await within_limit(asyncio.gather(*asked))) == 150
            # How many arrive in one second, the load of this machine decides; see the next test.
            assert time.monotonic() - began >= (150 - BURST - 1) / RATE
        assert sim.counters.publishes >= 150


async def test_the_rate_limit_holds_in_any_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr("navien_nwp500._connection.request_response.asyncio.sleep", wait)
    limiter = RateLimiter()
    for _ in range(500):
        await limiter.acquire()
    left = [0.0] * (500 - len(waits)) + waits
    assert left == sorted(left) and left.count(0.0) >= BURST
    most = max(sum(start <= one < start + 1 for one in left) for start in left)
    assert BURST + RATE <= most + 2 <= 100
    now += 60.0
    waits.clear()
    for _ in range(BURST):
        await limiter.acquire()
    assert waits == []
