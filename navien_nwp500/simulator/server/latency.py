"""A TCP proxy that adds latency: every byte arrives later, in the right order.

Half-closed and cut connections are passed on with the same delay. Bandwidth is not limited: bytes
that are delayed, or that a receiver does not read, wait in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import AsyncIterator, cast

from ..._util.aio import cancel_and_wait, stop_accepting

_BACKLOG = 1024
#: SO_LINGER of 0 s: close with a reset.
_RESET = struct.pack("ii", 1, 0)


class LatencyProxy:
    """A proxy to the server on ``port`` that delays by ``latency`` seconds in each direction.

    The kernel completes a TCP handshake at once, so the round trip of the handshake is added to the
    delay of the client's first bytes.
    """

    def __init__(self, host: str, port: int, latency: float) -> None:
        self._host = host
        self._port = port
        self._latency = latency
        self._connecting: set[asyncio.Task[None]] = set()
        self._ends: set[_End] = set()
        self._clients: list[_Client] = []

    @property
    def round_trips(self) -> list[int]:
        """Return the number of round trips of each connection, in the order they opened.

        One for TCP, then one each time the client sends after it has received from the server.
        """
        return [client.round_trips for client in self._clients]

    @contextlib.asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[int]:
        """Run the proxy, and yield its port; connections open at the end are cut.

        Port 0 lets the system choose one. Raise OSError.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(self), self._host, port, backlog=_BACKLOG)
        try:
            found: int = server.sockets[0].getsockname()[1]
            yield found
        finally:
            await stop_accepting(server)
            await cancel_and_wait(*self._connecting)
            for end in list(self._ends):
                end.write(None)
            while self._ends:
                await asyncio.wait({end.closed for end in self._ends})
            await server.wait_closed()

    def opened(self, client: _Client) -> None:
        """Open a connection to the server for a new client."""
        self._clients.append(client)
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(client, loop.time()), name="latency proxy: connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def add(self, end: _End) -> None:
        """Track an end until it is closed."""
        self._ends.add(end)
        end.closed.add_done_callback(lambda _: self._ends.discard(end))

    async def _connect(self, client: _Client, opened: float) -> None:
        server = _End(self)
        handshake_end = opened + 2 * self._latency
        client.peer = _Direction(server, self._latency, handshake_end)
        server.peer = _Direction(client, self._latency, handshake_end)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: server, self._host, self._port)
        except OSError:
            client.write(None)
        else:
            client.transport.resume_reading()


class _Direction:
    """One direction of a connection: writes to ``end`` what was sent ``latency`` seconds before."""

    def __init__(self, end: _End, latency: float, begin: float) -> None:
        self._end = end
        self._latency = latency
        self._begin = begin
        self._pending: deque[bytes | None] = deque()

    def send(self, data: bytes | None) -> None:
        """Send bytes; empty bytes are the end of the stream, None is a cut."""
        loop = asyncio.get_running_loop()
        self._pending.append(data)
        # One timer for each piece; each delivers the oldest piece, so none overtakes another.
        loop.call_at(max(loop.time(), self._begin) + self._latency, self._arrive)

    def _arrive(self) -> None:
        self._end.write(self._pending.popleft())


class _End(asyncio.Protocol):
    """One end of a connection: passes on to the other end what it receives."""

    transport: asyncio.Transport
    peer: _Direction

    def __init__(self, proxy: LatencyProxy) -> None:
        self._proxy = proxy
        self._received_eof = self._sent_eof = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._proxy.add(self)

    def data_received(self, data: bytes) -> None:
        self.peer.send(data)

    def eof_received(self) -> bool:
        self.peer.send(b"")
        self._received_eof = True
        self._close_when_done()
        return True  # the other direction goes on

    def connection_lost(self, error: Exception | None) -> None:
        if not (self._received_eof and self._sent_eof):
            self.peer.send(None)
        self.closed.set_result(None)

    def write(self, data: bytes | None) -> None:
        """Write what the other end received: bytes, the end of the stream, or a cut."""
        if self.transport.is_closing():
            return
        if data is None:
            self._received_eof = self._sent_eof = True  # the other end knows already
            _reset(self.transport)
        elif data:
            self.transport.write(data)
        else:
            # After EOF asyncio does not notice that this end is closed.
            with contextlib.suppress(OSError):
                self.transport.write_eof()
            self._sent_eof = True
            self._close_when_done()

    def _close_when_done(self) -> None:
        if self._received_eof and self._sent_eof:
            self.transport.close()


class _Client(_End):
    """The client's end, which counts round trips."""

    def __init__(self, proxy: LatencyProxy) -> None:
        super().__init__(proxy)
        self.round_trips = 1
        self._has_received = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Until the server is connected. Python 3.9 and 3.10 resume reading right after this method.
        asyncio.get_running_loop().call_soon(self.transport.pause_reading)
        self._proxy.opened(self)

    def data_received(self, data: bytes) -> None:
        self.round_trips += self._has_received
        self._has_received = False
        super().data_received(data)

    def write(self, data: bytes | None) -> None:
        self._has_received = self._has_received or bool(data)
        super().write(data)


def _reset(transport: asyncio.Transport) -> None:
    found = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it may be closed already
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
