"""Requests whose client has gone: aiohttp reports what fails for that as errors of the server."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler


async def accept_websocket(socket: web.WebSocketResponse, request: web.Request) -> None:
    """Answer the handshake of a WebSocket. Raises ConnectionError when the client has gone."""
    if request.transport is None:
        # aiohttp asserts that it is there, up to 3.13.
        raise ConnectionResetError("the client has gone")
    await socket.prepare(request)


@web.middleware
async def end_with_client(request: web.Request, handler: Handler) -> web.StreamResponse:
    """End the handling of a request without an error when its client goes before the answer."""
    try:
        return await handler(request)
    except ConnectionError:
        if request.transport is None or request.transport.is_closing():
            return web.Response()  # aiohttp tries to send it, and closes
        raise
