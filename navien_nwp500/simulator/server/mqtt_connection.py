"""One client's connection to the broker: its WebSocket, its way to the broker, its policy.

Relays whole packets. Those of the client are checked before the broker sees a byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import deque
from typing import Any, AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable

from aiohttp import WSMsgType, web

from ..._util.aio import cancel_and_wait, ignore_lost_transport, wait_at_most
from ..cloud import mqtt_packets
from ..cloud.broker_process import HOST, BrokerPorts
from ..cloud.counters import Counters
from ..cloud.iot_policy import Policy, PolicyViolation
from ..cloud.mqtt_packets import MAX_PACKET_BYTES, Packet, PacketError, PacketSplitter
from ..faults.registry import Faults

_LOGGER = logging.getLogger("navien_nwp500.simulator")
_CHUNK_BYTES = 64 * 1024
_BROKER_SECONDS = 5.0
#: Who says nothing so long after the handshake is sent away.
_CONNECT_SECONDS = 60.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class ClientIds:
    """Give each client id to one line at a time: a second one closes the first."""

    def __init__(self) -> None:
        self._lines: dict[str, MqttConnection] = {}

    async def take(self, client_id: str, line: MqttConnection) -> None:
        """Give an id to a line, once the line that has it has left the broker."""
        while client_id in self._lines:
            other = self._lines[client_id]
            other.take_over()
            await other.left_broker.wait()
        self._lines[client_id] = line

    def release(self, line: MqttConnection) -> None:
        """Take back the id of a line, if it has one."""
        for client_id in [key for key, holder in self._lines.items() if holder is line]:
            del self._lines[client_id]


class Acknowledgements:
    """PUBACKs of ours to the broker, in their place among the client's.

    The broker closes the connection when they come in another order than its PUBLISHes (measured
    with iotcore 0.4), so one of ours waits until the client has sent those before it.
    """

    def __init__(self) -> None:
        self._published = 0
        self._acknowledged = 0
        self._ours: deque[tuple[int, Packet]] = deque()

    def published(self) -> None:
        """Count a PUBLISH the broker wants acknowledged."""
        self._published += 1

    def acknowledge(self, packet: Packet) -> None:
        """Acknowledge the PUBLISH just counted in the client's place."""
        identifier = mqtt_packets.read_publish(packet).identifier
        if identifier is not None:
            self._ours.append((self._published, mqtt_packets.puback(identifier, packet.level)))

    def acknowledged(self) -> None:
        """Count a PUBACK of the client."""
        self._acknowledged += 1

    def due(self) -> bytes:
        """Give those of ours whose turn has come."""
        found = b""
        while self._ours and self._ours[0][0] == self._acknowledged + 1:
            self._acknowledged += 1
            found += self._ours.popleft()[1].raw
        return found


class MqttConnection:
    """One client's connection, from its handshake on."""

    def __init__(
        self,
        policy: Policy,
        client_ids: ClientIds,
        counters: Counters,
        faults: Faults,
        transport: asyncio.Transport | None,
        stream: web.WebSocketResponse,
    ) -> None:
        self.client_id: str | None = None
        self.filters: set[str] = set()
        self.gone = asyncio.Event()
        self.left_broker = asyncio.Event()
        self._policy = policy
        self._client_ids = client_ids
        self._counters = counters
        self._faults = faults
        self._transport = transport
        self._stream = stream
        self._splitter = PacketSplitter(MAX_PACKET_BYTES)
        # When it published, as far as a second back, on the steady clock.
        self._published_at: deque[float] = deque()
        self._acknowledgements = Acknowledgements()
        self._pumps: list[asyncio.Task[None]] = []
        self._extras: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False

    @property
    def level(self) -> int:
        """Of MQTT, once its CONNECT has come."""
        return self._splitter.level

    def cut(self) -> None:
        """End the connection at once, without a farewell to either side."""
        self._is_cut = True
        self._abort()
        for pump in self._pumps:
            pump.cancel()

    def take_over(self) -> None:
        """End the connection as if another client had connected with its id."""
        self._counters.takeovers += not self._is_cut
        self.cut()

    def freeze(self) -> None:
        """Let nothing through either way, and close nothing, like a cable pulled out."""
        self._flowing.clear()
        with ignore_lost_transport():
            if self._transport is not None:
                self._transport.pause_reading()

    def thaw(self) -> None:
        """Let through what was held up."""
        if not self._flowing.is_set():
            self._flowing.set()
            with ignore_lost_transport():
                if self._transport is not None and not self._transport.is_closing():
                    self._transport.resume_reading()

    def send(self, packet: Packet, when: Callable[[], Awaitable[object]] | None = None) -> None:
        """Send the client a packet of QoS 0 soon, or once ``when()`` has ended."""
        if not self._pumps or all(pump.done() for pump in self._pumps):
            return
        task = asyncio.create_task(self._send_extra(packet, when), name="front: extra packet")
        self._extras.add(task)
        task.add_done_callback(self._extras.discard)

    async def serve(self, ports: BrokerPorts) -> None:
        """Relay until one side ends, then end the other."""
        admitted = self._admitted()
        try:
            async for connect in admitted:
                await self._serve(connect, admitted, ports)
                break
        except (PolicyViolation, PacketError) as reason:
            self._counters.violations += 1
            _LOGGER.info("connection closed: %s", reason)
            self._abort()
        finally:
            await admitted.aclose()
            self._client_ids.release(self)
            self.left_broker.set()
        await self._stream.close()
        self._abort()

    async def _serve(
        self, connect: Packet, more: AsyncIterator[Packet], ports: BrokerPorts
    ) -> None:
        port = ports.mqtt5 if self.level == mqtt_packets.LEVEL_5 else ports.mqtt3
        try:
            opening = asyncio.ensure_future(asyncio.open_connection(HOST, port))
            reader, writer = await wait_at_most(_BROKER_SECONDS, opening)
        except (OSError, asyncio.TimeoutError):
            _LOGGER.warning("the broker takes no connection")
            self._abort()
            return
        self._pumps = [
            asyncio.create_task(self._to_broker(connect, more, writer), name="front: to broker"),
            asyncio.create_task(self._to_client(reader, writer), name="front: to client"),
        ]
        try:
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in self._pumps:
                pump.cancel()
            results = await asyncio.gather(*self._pumps, return_exceptions=True)
            await cancel_and_wait(*self._extras)
            await _leave(reader, writer)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _admitted(self) -> AsyncGenerator[Packet, None]:
        """Yield what the client sends and may send; raises PolicyViolation, PacketError."""
        hurry = asyncio.get_running_loop().call_later(_CONNECT_SECONDS, self._abort)
        try:
            async for message in self._stream:
                _acknowledge_now(self._transport)
                if message.type is not WSMsgType.BINARY:
                    return
                for packet in self._splitter.feed(message.data):
                    hurry.cancel()
                    await self._admit(packet)
                    is_publish = packet.kind == mqtt_packets.PUBLISH
                    yield mqtt_packets.without_properties(packet) if is_publish else packet
        finally:
            hurry.cancel()

    async def _to_broker(
        self, connect: Packet, more: AsyncIterator[Packet], writer: asyncio.StreamWriter
    ) -> None:
        try:
            self._pass_on(connect, writer)
            async for packet in more:
                self._pass_on(packet, writer)
                await writer.drain()
        except OSError:
            _LOGGER.debug("the broker closed the connection")

    async def _admit(self, packet: Packet) -> None:
        if self.client_id is None:
            connect = self._policy.connect(packet)
            await self._client_ids.take(connect.client_id, self)
            self._splitter.level = connect.level
            self.client_id = connect.client_id
        else:
            self._policy.check(packet)
        self._counters.connects += packet.kind == mqtt_packets.CONNECT
        if packet.kind == mqtt_packets.PUBLISH:
            self._count_publish()
        if packet.kind == mqtt_packets.SUBSCRIBE:
            self._counters.subscribes += 1
            self.filters.update(name for name, _ in mqtt_packets.read_subscriptions(packet))
        elif packet.kind == mqtt_packets.UNSUBSCRIBE:
            self.filters.difference_update(mqtt_packets.read_unsubscribed(packet))

    def _count_publish(self) -> None:
        now = time.monotonic()
        self._published_at.append(now)
        while self._published_at[0] <= now - 1:
            self._published_at.popleft()
        self._counters.publishes += 1
        self._counters.most_publishes = max(self._counters.most_publishes, len(self._published_at))

    def _pass_on(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        if not self._faults.packets:
            writer.write(packet.raw)
        else:
            self._pass_on_faulty(packet, self._faults.from_client(packet, self), writer)
        if packet.kind == mqtt_packets.PUBACK:
            self._acknowledgements.acknowledged()
            if due := self._acknowledgements.due():
                writer.write(due)

    def _pass_on_faulty(
        self, packet: Packet, instead: list[Packet], writer: asyncio.StreamWriter
    ) -> None:
        writer.write(_joined(instead))
        if packet.kind == mqtt_packets.PUBLISH and packet not in instead:
            identifier = mqtt_packets.read_publish(packet).identifier
            if identifier is not None:
                self.send(mqtt_packets.puback(identifier, packet.level))

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = PacketSplitter(MAX_PACKET_BYTES, self.level)
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                whole = b"".join(self._delivered(one, writer) for one in splitter.feed(data))
                await self._send(whole)
        await self._flowing.wait()

    def _delivered(self, packet: Packet, writer: asyncio.StreamWriter) -> bytes:
        wants_puback = packet.kind == mqtt_packets.PUBLISH and mqtt_packets.publish_qos(packet) > 0
        if wants_puback:
            self._acknowledgements.published()
        if not self._faults.packets:
            return packet.raw
        instead = self._faults.to_client(packet, self)
        if wants_puback and packet not in instead:
            self._acknowledgements.acknowledge(packet)
            writer.write(self._acknowledgements.due())
        return _joined(instead)

    async def _send_extra(
        self, packet: Packet, when: Callable[[], Awaitable[object]] | None
    ) -> None:
        if when is not None:
            await when()
        with contextlib.suppress(OSError):
            await self._send(packet.raw)

    async def _send(self, data: bytes) -> None:
        await self._flowing.wait()
        if data:
            await self._stream.send_bytes(data)

    def _abort(self) -> None:
        with ignore_lost_transport():
            if self._transport is not None:
                self._transport.abort()


async def _leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the way to the broker, once the broker knows.

    Its listeners are threads: a client that takes over an id at the other one may be seen before the
    end of the one that had it, and then ends with it (measured with iotcore 0.4).
    """
    try:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            writer.write_eof()
            await wait_at_most(_BROKER_SECONDS, asyncio.ensure_future(_drained(reader)))
    finally:
        writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _drained(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK_BYTES):
        pass


def _joined(found: Iterable[Packet]) -> bytes:
    return b"".join(packet.raw for packet in found)


def _acknowledge_now(transport: asyncio.Transport | None) -> None:
    """Have Linux acknowledge what was read at once; it forgets the wish, so ask after each read.

    awscrt sets no TCP_NODELAY: its next small packet waits for this acknowledgement, up to 40 ms.
    """
    if _QUICKACK is None or transport is None:
        return
    with ignore_lost_transport(), contextlib.suppress(OSError):
        sock: Any = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
