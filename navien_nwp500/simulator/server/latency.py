"""A longer way to a server: every byte arrives later, and in its order.

A relay on a port of its own. Half-closings and cuts travel as the bytes do. No bandwidth is
limited: what is under way, or what a receiver does not take, waits here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import AsyncIterator, cast

from ..._util.aio import cancel_and_wait

_BACKLOG = 1024
#: SO_LINGER of 0 s: close with a reset.
_RESET = struct.pack("ii", 1, 0)


class LatencyProxy:
    """The way to a server on ``port``, ``latency`` seconds long each way; ``serving`` opens it.

    The kernel answers a TCP handshake at once, so its round trip is added to the way of the
    client's first bytes.
    """

    def __init__(self, host: str, port: int, latency: float) -> None:
        self._host = host
        self._port = port
        self._latency = latency
        self._joining: set[asyncio.Task[None]] = set()
        self._ends: set[_End] = set()
        self._clients: list[_Client] = []

    @property
    def round_trips(self) -> list[int]:
        """How many round trips each connection took so far, in the order they were opened.

        One for TCP, then one each time the client spoke after it had heard the server.
        """
        return [client.round_trips for client in self._clients]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Give the port to connect to; what is left when it closes is cut."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(self), self._host, 0, backlog=_BACKLOG)
        try:
            port: int = server.sockets[0].getsockname()[1]
            yield port
        finally:
            server.close()
            await cancel_and_wait(*self._joining)
            for end in list(self._ends):
                end.take(None)
            while self._ends:
                await asyncio.wait({end.closed for end in self._ends})
            await server.wait_closed()

    def opened(self, client: _Client) -> None:
        """Take a client's connection, and open one to the server for it."""
        self._clients.append(client)
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._join(client, loop.time()), name="distance-join")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def keep(self, end: _End) -> None:
        """Remember an end until it is closed."""
        self._ends.add(end)
        end.closed.add_done_callback(lambda _: self._ends.discard(end))

    async def _join(self, client: _Client, opened: float) -> None:
        server = _End(self)
        shaken = opened + 2 * self._latency
        client.way = _Way(server, self._latency, shaken)
        server.way = _Way(client, self._latency, shaken)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: server, self._host, self._port)
        except OSError:
            client.take(None)
        else:
            client.transport.resume_reading()


class _Way:
    """One direction: what is put in is given to ``end`` ``latency`` seconds later."""

    def __init__(self, end: _End, latency: float, begin: float) -> None:
        self._end = end
        self._latency = latency
        self._begin = begin
        self._under_way: deque[bytes | None] = deque()

    def send(self, data: bytes | None) -> None:
        """Put in bytes; no bytes are the end of the stream, None is a cut."""
        loop = asyncio.get_running_loop()
        self._under_way.append(data)
        # A timer a piece: whichever comes first takes the oldest, so none overtakes another.
        loop.call_at(max(loop.time(), self._begin) + self._latency, self._arrive)

    def _arrive(self) -> None:
        self._end.take(self._under_way.popleft())


class _End(asyncio.Protocol):
    """One end of a connection: sends what it hears on its way to the other."""

    transport: asyncio.Transport
    way: _Way

    def __init__(self, distance: LatencyProxy) -> None:
        self._distance = distance
        self._heard_end = self._said_end = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._distance.keep(self)

    def data_received(self, data: bytes) -> None:
        self.way.send(data)

    def eof_received(self) -> bool:
        self.way.send(b"")
        self._heard_end = True
        self._close_when_done()
        return True  # the other direction goes on

    def connection_lost(self, error: Exception | None) -> None:
        if not (self._heard_end and self._said_end):
            self.way.send(None)
        self.closed.set_result(None)

    def take(self, data: bytes | None) -> None:
        """Do to this end what was done to the other."""
        if self.transport.is_closing():
            return
        if data is None:
            self._heard_end = self._said_end = True  # the other end knows already
            _reset(self.transport)
        elif data:
            self.transport.write(data)
        else:
            # Once it has said its end, asyncio does not notice that this end is gone.
            with contextlib.suppress(OSError):
                self.transport.write_eof()
            self._said_end = True
            self._close_when_done()

    def _close_when_done(self) -> None:
        if self._heard_end and self._said_end:
            self.transport.close()


class _Client(_End):
    """The client's end, where round trips are counted."""

    def __init__(self, distance: LatencyProxy) -> None:
        super().__init__(distance)
        self.round_trips = 1
        self._heard = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Until it is joined. Python 3.9 and 3.10 begin to read after this, whatever was paused here.
        asyncio.get_running_loop().call_soon(self.transport.pause_reading)
        self._distance.opened(self)

    def data_received(self, data: bytes) -> None:
        self.round_trips += self._heard
        self._heard = False
        super().data_received(data)

    def take(self, data: bytes | None) -> None:
        self._heard = self._heard or bool(data)
        super().take(data)


def _reset(transport: asyncio.Transport) -> None:
    found = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it may be closed already
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
