"""Requests whose client goes before the answer: they end, and nobody reports an error."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from navien_nwp500._util.http_server import accept_websocket, end_with_client
from support.reliability_tools import wait_until, within_limit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """Serve one handler, and yield the port."""
    app = web.Application(middlewares=[end_with_client])
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def gone(request: web.Request) -> None:
    """Wait until the client of a request has gone."""
    await wait_until(lambda: request.transport is None)


async def accept(request: web.Request) -> web.StreamResponse:
    await gone(request)
    socket = web.WebSocketResponse()
    await accept_websocket(socket, request)
    return socket


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"begun")
    await gone(request)
    await response.write(b"never read")
    return response


@pytest.mark.parametrize("handler", [accept, stream])
async def test_a_client_that_goes_is_no_error(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    failures: list[BaseException] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            return await handler(request)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            ended.set()

    async with served(handle) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WEBSOCKET)
        await within_limit(begun.wait())
        writer.transport.abort()
        await within_limit(ended.wait())
    assert [isinstance(one, ConnectionError) for one in failures] == [True]
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_a_lost_connection_of_the_server_itself_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        raise ConnectionRefusedError("the database")

    async with served(refused) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert (await within_limit(reader.readline())).split()[1] == b"500"
        writer.transport.abort()
    assert [one.levelno for one in caplog.records if one.name == "aiohttp.server"] == [40]
