"""WebSockets of the pages: each gets the newest of every kind of message, at its own speed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Callable, Mapping

from aiohttp import WSCloseCode, web

from ..._util.aio import cancel_and_wait

#: Seconds between two pings, which keep a connection open and find one that is dead.
HEARTBEAT = 15.0
#: Seconds a socket has to send what waits, and to close, at the end.
CLOSE_SECONDS = 2.0
#: Open sockets at most; a browser uses one for each of its tabs.
SOCKETS = 200


class LiveSocket:
    """One page: the messages that wait for it, the newest of each key."""

    def __init__(self, socket: web.WebSocketResponse, session: str) -> None:
        self.socket = socket
        self.session = session
        self._waiting: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._closing = False

    def put(self, key: str, text: str) -> None:
        """Replace the message of a key; it goes to the end."""
        self._waiting.pop(key, None)
        self._waiting[key] = text
        self._changed.set()

    def close(self) -> None:
        """Let ``send`` end when all is sent."""
        self._closing = True
        self._changed.set()

    async def send(self) -> None:
        """Send what waits, as it comes."""
        with suppress(ConnectionError):  # the page has gone: its reader ends
            while True:
                while self._waiting:
                    text = self._waiting.pop(next(iter(self._waiting)))
                    await self.socket.send_str(text)
                if self._closing:
                    return
                self._changed.clear()
                await self._changed.wait()


class LiveHub:
    """The open sockets. ``greeting`` returns the first message of a new one."""

    greeting: Callable[[], Mapping[str, Any]]

    def __init__(self) -> None:
        self._sockets: dict[LiveSocket, asyncio.Task[None]] = {}
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
        await socket.prepare(request)
        one = LiveSocket(socket, session)
        one.put("hello", encode_json(self.greeting()))
        sending = asyncio.get_running_loop().create_task(one.send(), name="live-socket")
        self._sockets[one] = sending
        try:
            async for _ in socket:
                pass  # a page says nothing; what comes is read for the answers to pings
        finally:
            self._sockets.pop(one, None)
            await cancel_and_wait(sending)
            if not sending.cancelled():
                sending.result()
        return socket

    async def end_session(self, session: str) -> None:
        """Close the sockets of a session that was ended."""
        await self._close([one for one in self._sockets if one.session == session], 1008, b"")

    async def close(self) -> None:
        """Send what waits, then close all sockets: the server ends."""
        self._closed = True
        await self._close([*self._sockets], WSCloseCode.GOING_AWAY, b"the server ends")

    async def _close(self, sockets: list[LiveSocket], code: int, reason: bytes) -> None:
        sending = [self._sockets[one] for one in sockets]
        for one in sockets:
            one.close()
        if sending:
            await asyncio.wait(sending, timeout=CLOSE_SECONDS)
            closing = [
                asyncio.ensure_future(one.socket.close(code=code, message=reason))
                for one in sockets
            ]
            await asyncio.wait(closing, timeout=2 * CLOSE_SECONDS)
            await cancel_and_wait(*closing)


def encode_json(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
