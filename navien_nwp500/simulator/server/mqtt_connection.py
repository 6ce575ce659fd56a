"""One client's connection: relays MQTT packets between its WebSocket and the broker.

Packets of the client are checked against its policy before the broker gets a byte of them.
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
from ..faults import FaultInjector

_LOGGER = logging.getLogger("navien_nwp500.simulator")
_CHUNK_BYTES = 64 * 1024
_BROKER_SECONDS = 5.0
#: Time a client has for its CONNECT after the handshake, seconds.
_CONNECT_SECONDS = 60.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class ClientIds:
    """The client ids in use: a second connection with an id closes the first."""

    def __init__(self) -> None:
        self._connections: dict[str, MqttConnection] = {}

    async def assign(self, client_id: str, connection: MqttConnection) -> None:
        """Assign an id to a connection, after the one that has it has left the broker."""
        while client_id in self._connections:
            other = self._connections[client_id]
            other.take_over()
            await other.left_broker.wait()
        self._connections[client_id] = connection

    def release(self, connection: MqttConnection) -> None:
        """Release the id of a connection, if it has one."""
        for client_id in [key for key, one in self._connections.items() if one is connection]:
            del self._connections[client_id]


class Acknowledgements:
    """The gateway's own PUBACKs to the broker, in the right order among the client's.

    The broker closes the connection when they come in another order than its PUBLISHes (measured
    with iotcore 0.4), so each waits until the client has sent the PUBACKs before it.
    """

    def __init__(self) -> None:
        self._published = 0
        self._acknowledged = 0
        self._ours: deque[tuple[int, Packet]] = deque()

    def published(self) -> None:
        """Count a PUBLISH that the broker expects to be acknowledged."""
        self._published += 1

    def acknowledge(self, packet: Packet) -> None:
        """Acknowledge the PUBLISH just counted, in place of the client."""
        identifier = mqtt_packets.read_publish(packet).identifier
        if identifier is not None:
            self._ours.append((self._published, mqtt_packets.puback(identifier, packet.level)))

    def acknowledged(self) -> None:
        """Count a PUBACK of the client."""
        self._acknowledged += 1

    def due(self) -> bytes:
        """Return the PUBACKs that may be sent now."""
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
        faults: FaultInjector,
        transport: asyncio.Transport | None,
        stream: web.WebSocketResponse,
    ) -> None:
        self.client_id: str | None = None
        self.filters: set[str] = set()
        self.ended = asyncio.Event()
        self.left_broker = asyncio.Event()
        self._policy = policy
        self._client_ids = client_ids
        self._counters = counters
        self._faults = faults
        self._transport = transport
        self._stream = stream
        self._splitter = PacketSplitter(MAX_PACKET_BYTES)
        # Monotonic times of the client's PUBLISHes in the last second.
        self._published_at: deque[float] = deque()
        self._acknowledgements = Acknowledgements()
        self._pumps: list[asyncio.Task[None]] = []
        self._extra_sends: set[asyncio.Task[None]] = set()
        self._running = asyncio.Event()
        self._running.set()
        self._is_cut = False

    @property
    def level(self) -> int:
        """Return the MQTT protocol level, known after CONNECT."""
        return self._splitter.level

    def cut(self) -> None:
        """Close the connection at once, without DISCONNECT to either side."""
        self._is_cut = True
        self._abort()
        for pump in self._pumps:
            pump.cancel()

    def take_over(self) -> None:
        """Close the connection as if another client had connected with its id."""
        self._counters.takeovers += not self._is_cut
        self.cut()

    def pause(self) -> None:
        """Stop the traffic in both directions without closing, like a cable pulled out."""
        self._running.clear()
        with ignore_lost_transport():
            if self._transport is not None:
                self._transport.pause_reading()

    def resume(self) -> None:
        """Continue the traffic, beginning with the packets held back."""
        if not self._running.is_set():
            self._running.set()
            with ignore_lost_transport():
                if self._transport is not None and not self._transport.is_closing():
                    self._transport.resume_reading()

    def send(self, packet: Packet, when: Callable[[], Awaitable[object]] | None = None) -> None:
        """Send the client a packet of QoS 0 soon, or once ``when()`` has ended."""
        if not self._pumps or all(pump.done() for pump in self._pumps):
            return
        task = asyncio.create_task(self._send_extra(packet, when), name="gateway: extra packet")
        self._extra_sends.add(task)
        task.add_done_callback(self._extra_sends.discard)

    async def serve(self, ports: BrokerPorts) -> None:
        """Relay until one side ends, then end the other."""
        packets = self._checked_packets()
        try:
            async for connect in packets:
                await self._relay(connect, packets, ports)
                break
        except (PolicyViolation, PacketError) as reason:
            self._counters.violations += 1
            _LOGGER.info("connection closed: %s", reason)
            self._abort()
        finally:
            await packets.aclose()
            self._client_ids.release(self)
            self.left_broker.set()
        await self._stream.close()
        self._abort()

    async def _relay(
        self, connect: Packet, packets: AsyncIterator[Packet], ports: BrokerPorts
    ) -> None:
        port = ports.mqtt5 if self.level == mqtt_packets.LEVEL_5 else ports.mqtt3
        try:
            opening = asyncio.ensure_future(asyncio.open_connection(HOST, port))
            reader, writer = await wait_at_most(_BROKER_SECONDS, opening)
        except (OSError, asyncio.TimeoutError):
            _LOGGER.warning("the broker accepts no connection")
            self._abort()
            return
        self._pumps = [
            asyncio.create_task(
                self._to_broker(connect, packets, writer), name="gateway: to broker"
            ),
            asyncio.create_task(self._to_client(reader, writer), name="gateway: to client"),
        ]
        try:
            await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in self._pumps:
                pump.cancel()
            results = await asyncio.gather(*self._pumps, return_exceptions=True)
            await cancel_and_wait(*self._extra_sends)
            await _disconnect(reader, writer)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _checked_packets(self) -> AsyncGenerator[Packet, None]:
        """Yield the client's packets, each checked. Raise PolicyViolation or PacketError."""
        timeout = asyncio.get_running_loop().call_later(_CONNECT_SECONDS, self._abort)
        try:
            async for message in self._stream:
                _acknowledge_now(self._transport)
                if message.type is not WSMsgType.BINARY:
                    return
                for packet in self._splitter.feed(message.data):
                    timeout.cancel()
                    await self._check(packet)
                    is_publish = packet.kind == mqtt_packets.PUBLISH
                    yield mqtt_packets.without_properties(packet) if is_publish else packet
        finally:
            timeout.cancel()

    async def _to_broker(
        self, connect: Packet, packets: AsyncIterator[Packet], writer: asyncio.StreamWriter
    ) -> None:
        try:
            self._forward(connect, writer)
            async for packet in packets:
                self._forward(packet, writer)
                await writer.drain()
        except OSError:
            _LOGGER.debug("the broker closed the connection")

    async def _check(self, packet: Packet) -> None:
        if self.client_id is None:
            connect = self._policy.connect(packet)
            await self._client_ids.assign(connect.client_id, self)
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
            self.filters.difference_update(mqtt_packets.read_unsubscriptions(packet))

    def _count_publish(self) -> None:
        now = time.monotonic()
        self._published_at.append(now)
        while self._published_at[0] <= now - 1:
            self._published_at.popleft()
        self._counters.publishes += 1
        self._counters.most_publishes = max(self._counters.most_publishes, len(self._published_at))

    def _forward(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        if not self._faults.packets:
            writer.write(packet.raw)
        else:
            self._forward_faulty(packet, self._faults.from_client(packet, self), writer)
        if packet.kind == mqtt_packets.PUBACK:
            self._acknowledgements.acknowledged()
            if due := self._acknowledgements.due():
                writer.write(due)

    def _forward_faulty(
        self, packet: Packet, replacement: list[Packet], writer: asyncio.StreamWriter
    ) -> None:
        writer.write(_joined(replacement))
        if packet.kind == mqtt_packets.PUBLISH and packet not in replacement:
            identifier = mqtt_packets.read_publish(packet).identifier
            if identifier is not None:
                self.send(mqtt_packets.puback(identifier, packet.level))

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = PacketSplitter(MAX_PACKET_BYTES, self.level)
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                whole = b"".join(self._delivered(one, writer) for one in splitter.feed(data))
                await self._send(whole)
        await self._running.wait()

    def _delivered(self, packet: Packet, writer: asyncio.StreamWriter) -> bytes:
        wants_puback = packet.kind == mqtt_packets.PUBLISH and mqtt_packets.publish_qos(packet) > 0
        if wants_puback:
            self._acknowledgements.published()
        if not self._faults.packets:
            return packet.raw
        replacement = self._faults.to_client(packet, self)
        if wants_puback and packet not in replacement:
            self._acknowledgements.acknowledge(packet)
            writer.write(self._acknowledgements.due())
        return _joined(replacement)

    async def _send_extra(
        self, packet: Packet, when: Callable[[], Awaitable[object]] | None
    ) -> None:
        if when is not None:
            await when()
        with contextlib.suppress(OSError):
            await self._send(packet.raw)

    async def _send(self, data: bytes) -> None:
        await self._running.wait()
        if data:
            await self._stream.send_bytes(data)

    def _abort(self) -> None:
        with ignore_lost_transport():
            if self._transport is not None:
                self._transport.abort()


async def _disconnect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection to the broker and wait until the broker has closed it too.

    The broker's two listeners are threads. One may see a client take over an id before the other
    has seen the end of the id's first client; then both clients end (measured with iotcore 0.4).
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
    """Make Linux acknowledge at once what was read; the option must be set after each read.

    awscrt sets no TCP_NODELAY: its next small packet waits for this acknowledgement, up to 40 ms.
    """
    if _QUICKACK is None or transport is None:
        return
    with ignore_lost_transport(), contextlib.suppress(OSError):
        sock: Any = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
