"""Tests of the HTTP session that the clients of an event loop share."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest

from navien_nwp500 import CommunicationError, NaviLinkAuth, NaviLinkClient, NaviLinkConfig
from navien_nwp500._connection import http_session
from navien_nwp500._connection.http_session import HttpSession, tls_context
from navien_nwp500._util import aio
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault
from navien_nwp500.simulator.simulator import email_of
from support.reliability_tools import LIMIT, wait_until, within_limit

SIGN_IN = "/user/sign-in"


def account(sim: Simulator, number: int) -> NaviLinkConfig:
    return replace(sim.config, email=email_of(number))


def call_list(auth: NaviLinkAuth) -> asyncio.Future[list[object]]:
    body = {"userId": auth.user_id, "offset": 0, "count": 20}
    return asyncio.ensure_future(auth.call("POST", "/device/list", body=body))


async def test_accounts_share_a_session_until_the_last_is_closed() -> None:
    async with Simulator(accounts=2) as sim:
        one, other = (NaviLinkAuth(account(sim, number)) for number in range(2))
        first, second = await asyncio.gather(call_list(one), call_list(other))
        assert first and second and first != second
        (shared,) = http_session._SHARED.values()
        await one.close()
        assert not shared.session.closed
        assert await call_list(other) == second
        # An account that comes later gets the same; that which has left gets none.
        later = NaviLinkAuth(account(sim, 0))
        assert await call_list(later) == first
        assert [*http_session._SHARED.values()] == [shared]
        with pytest.raises(CommunicationError, match="closed"):
            await call_list(one)
        await asyncio.gather(later.close(), other.close(), one.close())
        assert shared.session.closed and not http_session._SHARED


async def test_calls_beyond_the_limit_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "AT_ONCE", 2)
    async with Simulator(accounts=4) as sim:
        sim.faults.rest[SIGN_IN] = RestFault(delay=10 * LIMIT)
        accounts = [NaviLinkAuth(account(sim, number)) for number in range(4)]
        calls = [asyncio.ensure_future(one.sign_in()) for one in accounts[:2]]
        await wait_until(lambda: sim.counters.calls.get(SIGN_IN) == 2)
        calls += [asyncio.ensure_future(one.sign_in()) for one in accounts[2:]]
        (shared,) = http_session._SHARED.values()
        await wait_until(lambda: shared._users == 4)
        await asyncio.sleep(0)
        assert aio.turns(sim.config.base_url).locked() and sim.counters.calls[SIGN_IN] == 2
        # One is closed while it waits: it sends nothing when its turn comes.
        await accounts[2].close()
        sim.faults.clear()
        await cancel_and_wait(calls[0])
        with pytest.raises(CommunicationError, match="the client is closed"):
            await within_limit(calls[2])
        await within_limit(calls[3])
        assert sim.counters.calls[SIGN_IN] == 3
        await cancel_and_wait(calls[1])
        await asyncio.gather(*(one.close() for one in accounts))


async def test_connects_beyond_the_limit_wait_for_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aio, "AT_ONCE", 2)
    async with Simulator(accounts=3, speed=600) as sim:
        turns = aio.turns(sim.config.websocket_url)
        await turns.acquire()
        await turns.acquire()
        clients = [NaviLinkClient(account(sim, number)) for number in range(3)]
        devices = [(await client.get_devices())[0] for client in clients]
        polls = [asyncio.ensure_future(device.get_status()) for device in devices]
        await wait_until(lambda: turns._waiters is not None and len(turns._waiters) == 3)
        assert sim.counters.handshakes == 0
        await clients[0].close()  # it gives its turn back
        turns.release()
        await within_limit(asyncio.wait(polls))
        assert [poll.exception() is None for poll in polls] == [False, True, True]
        assert sim.counters.handshakes == 2
        await asyncio.gather(*(client.close() for client in clients))


def test_an_event_loop_has_its_own_session_and_turns() -> None:
    found = []
    context = tls_context(None)

    async def use() -> None:
        shared = HttpSession.join(context)
        assert shared is HttpSession.join(context)
        turns = aio.turns("a")
        assert aio.turns("a") is turns is not aio.turns("b")
        for _ in range(2):
            assert not shared.session.closed
            await shared.leave()
        assert shared.session.closed
        found.extend((shared, turns))

    for _ in range(2):
        asyncio.run(use())
    assert len(set(map(id, found))) == 4 and not http_session._SHARED
    del found[:]
    gc.collect()
    assert not [kind for _, kind in aio._TURNS.keys() if kind in "ab"]
