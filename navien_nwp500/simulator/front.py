"""The broker's public side: a signed WebSocket that lets through what the account may do.

Checks the signature of the handshake, answers 403 as AWS does, and relays bytes between the client
and the broker's TCP port. Packets of the client are checked whole before the broker sees a byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from typing import Any

from aiohttp import WSMsgType, web

from ..waiting import at_most
from . import packets
from .accounts import Account, AccountBook
from .broker import HOST, MAX_PACKET_BYTES
from .counters import Counters
from .packets import Packet, PacketError, PacketSplitter
from .policy import Policy, PolicyViolation
from .sigv4 import SignatureRefused, verify

PATH = "/mqtt"

_LOGGER = logging.getLogger(__name__)
_CHUNK_BYTES = 64 * 1024
_CLOSE_SECONDS = 2.0
_BROKER_SECONDS = 5.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Front:
    """Accept clients for the broker behind ``broker_port``."""

    def __init__(self, book: AccountBook, counters: Counters, broker_port: int) -> None:
        self._book = book
        self._counters = counters
        self._broker_port = broker_port
        self._client_ids = _ClientIds(counters)
        self._lines: set[_Line] = set()

    def routes(self) -> list[web.RouteDef]:
        """List the one route."""
        return [web.get(PATH, self._handle)]

    async def cut_all(self) -> None:
        """Cut every connection abruptly and wait until all are gone."""
        lines = list(self._lines)
        for line in lines:
            line.cut()
        for line in lines:
            await line.gone.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            policy = Policy(self._owner(request))
        except SignatureRefused as refusal:
            self._counters.refuse(str(refusal))
            _LOGGER.info("handshake refused: %s", refusal)
            return _forbidden()
        stream = web.WebSocketResponse(protocols=("mqtt",), compress=False, timeout=_CLOSE_SECONDS)
        await stream.prepare(request)
        self._counters.handshakes += 1
        line = _Line(policy, self._client_ids, self._counters, request.transport, stream)
        self._lines.add(line)
        try:
            await line.serve(self._broker_port)
        finally:
            self._lines.discard(line)
            line.gone.set()
        return stream

    def _owner(self, request: web.Request) -> Account:
        keys = verify(
            request.method,
            request.raw_path,
            request.headers.items(),
            self._book.keys,
            self._book.now(),
        )
        return self._book.owner_of(keys)


class _ClientIds:
    """Give each client id to one line at a time: a second one closes the first."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lines: dict[str, _Line] = {}

    async def take(self, client_id: str, line: _Line) -> None:
        """Give an id to a line, once the line that has it has left the broker."""
        while client_id in self._lines:
            self._counters.takeovers += 1
            other = self._lines[client_id]
            other.cut()
            await other.left_broker.wait()
        self._lines[client_id] = line

    def release(self, line: _Line) -> None:
        """Take back the id of a line, if it has one."""
        for client_id in [key for key, holder in self._lines.items() if holder is line]:
            del self._lines[client_id]


class _Line:
    """One client's connection: its WebSocket, its way to the broker, its policy."""

    def __init__(
        self,
        policy: Policy,
        client_ids: _ClientIds,
        counters: Counters,
        transport: asyncio.Transport | None,
        stream: web.WebSocketResponse,
    ) -> None:
        self.gone = asyncio.Event()
        self.left_broker = asyncio.Event()
        self._policy = policy
        self._client_ids = client_ids
        self._counters = counters
        self._transport = transport
        self._stream = stream
        self._splitter = PacketSplitter(MAX_PACKET_BYTES)
        self._pumps: list[asyncio.Task[None]] = []
        self._is_connected = False

    def cut(self) -> None:
        """End the connection at once, without a farewell to either side."""
        self._abort()
        for pump in self._pumps:
            pump.cancel()

    async def serve(self, broker_port: int) -> None:
        """Relay until one side ends, then end the other."""
        try:
            opening = asyncio.ensure_future(asyncio.open_connection(HOST, broker_port))
            reader, writer = await at_most(_BROKER_SECONDS, opening)
        except (OSError, asyncio.TimeoutError):
            _LOGGER.warning("the broker takes no connection")
            self._abort()
            return
        try:
            await self._relay(reader, writer)
        finally:
            await self._leave(writer)
        await self._stream.close()
        self._abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._pumps = [
            asyncio.create_task(self._to_broker(writer), name="front: client to broker"),
            asyncio.create_task(self._to_client(reader), name="front: broker to client"),
        ]
        try:
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in self._pumps:
                pump.cancel()
            results = await asyncio.gather(*self._pumps, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _leave(self, writer: asyncio.StreamWriter) -> None:
        try:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        finally:
            self._client_ids.release(self)
            self.left_broker.set()

    async def _to_broker(self, writer: asyncio.StreamWriter) -> None:
        try:
            async for message in self._stream:
                _acknowledge_now(self._transport)
                if message.type is not WSMsgType.BINARY:
                    break
                for packet in self._splitter.feed(message.data):
                    await self._admit(packet)
                    writer.write(packet.raw)
                await writer.drain()
        except (PolicyViolation, PacketError) as reason:
            self._counters.violations += 1
            _LOGGER.info("connection closed: %s", reason)
            self._abort()
        except OSError:
            _LOGGER.debug("the broker closed the connection")

    async def _admit(self, packet: Packet) -> None:
        if self._is_connected:
            self._policy.check(packet)
        else:
            await self._client_ids.take(self._policy.connect(packet), self)
            self._is_connected = True
        self._counters.connects += packet.kind == packets.CONNECT
        self._counters.publishes += packet.kind == packets.PUBLISH
        self._counters.subscribes += packet.kind == packets.SUBSCRIBE

    async def _to_client(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._stream.send_bytes(data)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _acknowledge_now(transport: asyncio.Transport | None) -> None:
    """Have Linux acknowledge what was read at once; it forgets the wish, so ask after each read.

    awscrt sets no TCP_NODELAY: its next small packet waits for this acknowledgement, up to 40 ms.
    """
    if _QUICKACK is None or transport is None:
        return
    sock: Any = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def _forbidden() -> web.Response:
    """Answer as AWS IoT answers a handshake it does not accept."""
    body = {"message": "Forbidden", "traceId": secrets.token_hex(16)}
    headers = {"x-amzn-ErrorType": "ForbiddenException"}
    return web.json_response(body, status=403, headers=headers)
