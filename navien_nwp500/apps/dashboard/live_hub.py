"""WebSockets of the pages: each gets the newest of every kind of message, at its own speed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Callable, Mapping

from aiohttp import WSCloseCode, web

from ..._util.aio import cancel_and_wait, run_until_first, wait_at_most
from ..._util.http_server import accept_websocket

#: Seconds between two pings, which keep a connection open and find one that is dead.
HEARTBEAT = 15.0
#: Seconds between two messages that say no more than that: the script of a page sees no pings.
BEAT = 15.0
#: Seconds a socket has to send what waits, and to close, at the end.
CLOSE_SECONDS = 2.0
#: Open sockets at most; a browser uses one for each of its tabs.
SOCKETS = 200


class LiveSocket:
    """One page: the messages that wait for it, the newest of each key."""

    def __init__(self, session: str) -> None:
        self.session = session
        #: Code and reason with which it is to be closed.
        self.end: tuple[int, bytes] | None = None
        self.gone = asyncio.Event()
        self._waiting: dict[str, str] = {}
        self._changed = asyncio.Event()

    def put(self, key: str, text: str) -> None:
        """Replace the message of a key; it goes to the end."""
        self._waiting.pop(key, None)
        self._waiting[key] = text
        self._changed.set()

    def close(self, code: int, reason: bytes) -> None:
        """Let it be closed when all is sent."""
        self.end = (code, reason)
        self._changed.set()

    async def beat(self) -> None:
        """Send a message at times, also when nothing happens."""
        while True:
            await asyncio.sleep(BEAT)
            self.put("beat", '{"type":"beat"}')

    async def send(self, socket: web.WebSocketResponse) -> None:
        """Send what waits, as it comes, until it is to be closed."""
        with suppress(ConnectionError):  # the page has gone
            while self._waiting or self.end is None:
                while self._waiting:
                    await socket.send_str(self._waiting.pop(next(iter(self._waiting))))
                if self.end is None:
                    self._changed.clear()
                    await self._changed.wait()


class LiveHub:
    """The open sockets. ``greeting`` returns the first message of a new one."""

    greeting: Callable[[], Mapping[str, Any]]

    def __init__(self) -> None:
        self._sockets: set[LiveSocket] = set()
        self._closed = False

    @property
    def watched(self) -> bool:
        """True while a page is open."""
        return bool(self._sockets)

    @property
    def full(self) -> bool:
        """True when no further socket is accepted."""
        return self._closed or len(self._sockets) >= SOCKETS

    def publish(self, key: str, message: Mapping[str, Any]) -> None:
        """Send a message to all pages; it replaces one of the same key that still waits."""
        if self._sockets:
            text = encode_json(message)
            for one in self._sockets:
                one.put(key, text)

    async def serve(self, request: web.Request, session: str) -> web.WebSocketResponse:
        """Serve one page until it goes, or the session or the program ends."""
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT, timeout=CLOSE_SECONDS, max_msg_size=1024, compress=False
        )
        await accept_websocket(socket, request)
        one = LiveSocket(session)
        one.put("hello", encode_json(self.greeting()))
        self._sockets.add(one)
        try:
            # A page that reads slowly holds nobody up: each socket has its own task.
            await run_until_first(one.send(socket), one.beat(), _read(socket))
            await _close(socket, request, *(one.end or (WSCloseCode.OK, b"")))
        finally:
            self._sockets.discard(one)
            one.gone.set()
        return socket

    def end_session(self, session: str) -> None:
        """Have the sockets of a session closed that was ended."""
        for one in self._sockets:
            if one.session == session:
                one.close(WSCloseCode.POLICY_VIOLATION, b"signed out")

    async def close(self) -> None:
        """Send what waits, then close all sockets: the server ends."""
        self._closed = True
        for one in self._sockets:
            one.close(WSCloseCode.GOING_AWAY, b"the server ends")
        waiting = [asyncio.ensure_future(one.gone.wait()) for one in self._sockets]
        if waiting:
            # One that does not read what waits is left to the end of the server.
            await asyncio.wait(waiting, timeout=2 * CLOSE_SECONDS)
            await cancel_and_wait(*waiting)


async def _read(socket: web.WebSocketResponse) -> None:
    """Read until the page goes: it says nothing, but answers pings."""
    async for _ in socket:
        pass


async def _close(
    socket: web.WebSocketResponse, request: web.Request, code: int, reason: bytes
) -> None:
    """Close a socket; one that does not answer in time is cut."""
    closing = asyncio.ensure_future(socket.close(code=code, message=reason))
    try:
        await wait_at_most(2 * CLOSE_SECONDS, closing)
    except asyncio.TimeoutError:
        if request.transport is not None:
            request.transport.abort()


def encode_json(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
