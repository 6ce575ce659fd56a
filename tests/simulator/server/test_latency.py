"""The latency proxy: every byte arrives in the right order, and cuts are passed on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import replace
from pathlib import Path
from typing import AsyncIterator, Awaitable, Callable

import pytest

from navien_nwp500 import ConfigurationError, NaviLinkAuth, NaviLinkClient
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.server.latency import LatencyProxy

LATENCY = 0.02
LIMIT = 60.0
LIST = {"userId": "user@example.com", "offset": 0, "count": 20}

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def connected(
    serve: Serve, latency: float = LATENCY
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, LatencyProxy]]:
    """Connect a client to ``serve`` through the proxy."""

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionResetError:
            pass  # the proxy cuts what is open at its end
        finally:
            writer.close()

    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    server = await asyncio.start_server(serving, "127.0.0.1", 0)
    proxy = LatencyProxy("127.0.0.1", server.sockets[0].getsockname()[1], latency)
    async with proxy.running() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer, proxy
        writer.close()
    server.close()
    await server.wait_closed()
    assert errors == []


async def test_every_byte_arrives_in_its_order_both_ways_at_once() -> None:
    sent = random.Random(1).randbytes(2_000_000)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(5000):
            writer.write(data)

    async with connected(echo) as (reader, writer, _):
        answer = asyncio.ensure_future(reader.readexactly(len(sent)))
        for start in range(0, len(sent), 7001):
            writer.write(sent[start : start + 7001])
            if start % 70_010 == 0:
                await asyncio.sleep(0)
        assert await asyncio.wait_for(answer, LIMIT) == sent


async def test_a_half_closed_connection_still_brings_the_response() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"heard " + await reader.read())

    async with connected(serve) as (reader, writer, _):
        writer.write(b"all of it")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LIMIT) == b"heard all of it"


async def test_a_close_comes_after_what_was_sent_before_it() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 300_000)

    async with connected(serve) as (reader, _, _):
        assert await asyncio.wait_for(reader.read(), LIMIT) == b"x" * 300_000


async def test_a_client_that_cuts_is_cut_at_the_server() -> None:
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ended.set_result(await reader.read())
        except ConnectionError as error:
            ended.set_exception(error)

    async with connected(serve) as (_, writer, _):
        writer.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(ended, LIMIT)


async def test_a_server_may_still_write_to_a_closed_client() -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.write(b"farewell")
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        ended.set_result(None)

    async with connected(serve) as (_, writer, proxy):
        writer.close()
        await asyncio.wait_for(ended, LIMIT)
        while proxy._ends:
            await asyncio.sleep(0.01)


async def test_an_unreachable_server_cuts_the_client() -> None:
    async with LatencyProxy("127.0.0.1", 1, LATENCY).running() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), LIMIT) == b""
        writer.close()


async def test_the_end_of_the_proxy_leaves_no_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(serve) as (reader, writer, _):
        writer.write(b"under way")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), LIMIT) == b""
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_comes_with_the_end_is_cut(turns: int) -> None:
    before = asyncio.all_tasks()
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = LatencyProxy("127.0.0.1", server.getsockname()[1], LATENCY)
        async with proxy.running() as port:
            client = socket.create_connection(("127.0.0.1", port), LIMIT)
            for _ in range(turns):
                await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        with client, contextlib.suppress(ConnectionError):
            assert await asyncio.to_thread(client.recv, 1) == b""


async def test_no_byte_is_faster_than_the_latency_and_tcp_costs_a_round_trip() -> None:
    """Check lower bounds only: a busy machine may be slower."""
    loop = asyncio.get_running_loop()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)

    async with connected(echo, latency=0.1) as (reader, writer, _):
        for least in (0.39, 0.19):
            begin = loop.time()
            writer.write(b"x")
            await reader.readexactly(1)
            assert loop.time() - begin >= least


# With a whole cloud


async def test_successive_rest_calls_share_one_connection() -> None:
    async with Simulator(latency=LATENCY) as sim:
        auth = NaviLinkAuth(sim.config)
        await auth.sign_in()
        # TCP, TLS 1.3 and the call: not one more.
        assert sim._cloud.latency_proxy.round_trips == [3]
        for calls in (1, 2, 3):
            await auth.call("POST", "/device/list", body=LIST)
            assert sim._cloud.latency_proxy.round_trips == [3 + calls]
        await auth.close()


async def test_the_client_reconnects_through_the_proxy_after_a_cut() -> None:
    async with Simulator(speed=600, latency=LATENCY) as sim:
        async with NaviLinkClient(sim.config) as client:
            (device,) = await client.get_devices()
            assert (await device.get_status()).dhw_charge_percent >= 0
            await sim._cloud.drop_connections()
            assert sim.counters.open_connections == 0
            while client._pool.first.connected:
                await asyncio.sleep(0.01)
            await asyncio.wait_for(client._pool.first.wait_connected(), LIMIT)
            assert (await device.get_status()).dhw_charge_percent >= 0


async def test_a_saved_session_needs_one_round_trip_less(tmp_path: Path) -> None:
    # A client that this machine holds up between two packets needs one more: the fewest count.
    found = [await round_trips_of_sessions(tmp_path / f"session-{run}.json") for run in range(3)]
    assert tuple(map(min, zip(*found))) == (4, 3)


async def round_trips_of_sessions(file: Path) -> tuple[int, int]:
    """Return the round trips of REST that a sign-in needs, and a session from a file."""
    async with Simulator(speed=600, latency=LATENCY) as sim:
        config = replace(sim.config, session_file=file)
        for _ in range(2):
            async with NaviLinkClient(config) as client:
                await (await client.get_devices())[0].get_status()
        # REST and the broker are connected at the same time, in any order; REST needs fewer.
        round_trips = sim._cloud.latency_proxy.round_trips
        return min(round_trips[:2]), min(round_trips[2:])


async def test_without_latency_there_is_no_proxy(sim: Simulator) -> None:
    assert not hasattr(sim._cloud, "latency_proxy")


@pytest.mark.parametrize("latency", [-1, 11, float("nan")])
def test_an_impossible_latency_is_a_configuration_error(latency: float) -> None:
    with pytest.raises(ConfigurationError, match="latency"):
        Simulator(latency=latency)
