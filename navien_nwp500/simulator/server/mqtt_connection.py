"""One client's connection: relays MQTT packets between its WebSocket and the broker.

Packets of the client are checked against its policy before the broker gets a byte of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable

from aiohttp import WSMsgType, web

from ..._util.aio import cancel_and_wait, finish, ignore_lost_transport, wait_at_most
from ..cloud import aws_broker, mqtt_fields, mqtt_packets
from ..cloud.aws_broker import PublishLimiter, TopicAliases
from ..cloud.broker_process import HOST, BrokerPorts
from ..cloud.counters import Counters
from ..cloud.iot_policy import Policy, PolicyViolation
from ..cloud.mqtt_fields import PacketError
from ..cloud.mqtt_packets import MAX_PACKET_BYTES, Packet, PacketSplitter
from ..faults import FaultInjector
from .sockets import (
    BROKER_SECONDS,
    CHUNK_BYTES,
    KeepAlive,
    acknowledge_now,
    close_broker_connection,
)

_LOGGER = logging.getLogger("navien_nwp500.simulator")
#: Time a client has to read the reason for the end of its connection, seconds.
_DISCONNECT_SECONDS = 2.0
#: The broker behind closes a silent connection after the gateway, which gives the reason.
_BROKER_KEEP_ALIVES = 4
#: Time a client has for its CONNECT after the handshake, seconds.
_CONNECT_SECONDS = 60.0


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
        self._aliases = TopicAliases()
        self._limiter = PublishLimiter(lambda: time.monotonic())
        self._keep_alive = 0
        # Reason code for the client, and whether it has got its CONNACK.
        self._reason: int | None = None
        self._accepted = False
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
        self._is_cut = True
        self._end(mqtt_fields.SESSION_TAKEN_OVER)

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
            if self._reason is not None:
                self._end(self._reason)

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
        except (PolicyViolation, PacketError) as error:
            self._counters.violations += 1
            _LOGGER.info("connection closed: %s", error)
            self._end(error.reason)
        finally:
            await packets.aclose()
            self._client_ids.release(self)
            self.left_broker.set()
        if self._reason is not None and self._takes_reason:
            await self._send_reason(self._reason)
        await self._stream.close()
        self._abort()

    @property
    def _takes_reason(self) -> bool:
        """Return whether the client can get a DISCONNECT: with MQTT 5, and once it is accepted."""
        return self._accepted and self.level == mqtt_fields.LEVEL_5 and self._running.is_set()

    def _end(self, reason: int) -> None:
        """End the connection; a client of MQTT 5 gets the reason."""
        self._reason = reason
        if not self._pumps or not self._takes_reason:
            self._abort()
        for pump in self._pumps:
            pump.cancel()

    def _expire(self) -> None:
        """End a silent connection; one that is paused shows it later, as after a pulled cable."""
        if self._running.is_set():
            self._end(mqtt_fields.KEEP_ALIVE_TIMEOUT)
        else:
            self._reason = mqtt_fields.KEEP_ALIVE_TIMEOUT

    async def _send_reason(self, reason: int) -> None:
        sending = asyncio.ensure_future(
            self._stream.send_bytes(mqtt_packets.disconnect(reason).raw)
        )
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await wait_at_most(_DISCONNECT_SECONDS, sending)

    async def _relay(
        self, connect: Packet, packets: AsyncIterator[Packet], ports: BrokerPorts
    ) -> None:
        port = ports.mqtt5 if self.level == mqtt_fields.LEVEL_5 else ports.mqtt3
        opening = asyncio.ensure_future(asyncio.open_connection(HOST, port))
        try:
            reader, writer = await wait_at_most(BROKER_SECONDS, opening)
        except asyncio.CancelledError:
            await cancel_and_wait(opening)
            if not opening.cancelled() and opening.exception() is None:
                opening.result()[1].transport.abort()  # opened in the same turn of the loop
            raise
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
            results = await finish(self._end_relay(reader, writer))
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _end_relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> list[BaseException | None]:
        """End what relays, and the connection to the broker; return how each pump ended."""
        for pump in self._pumps:
            pump.cancel()
        results = await asyncio.gather(*self._pumps, return_exceptions=True)
        await cancel_and_wait(*self._extra_sends)
        await close_broker_connection(reader, writer)
        return results

    async def _checked_packets(self) -> AsyncGenerator[Packet, None]:
        """Yield the client's packets, each checked. Raise PolicyViolation or PacketError."""
        keep_alive = KeepAlive(_CONNECT_SECONDS, self._expire)
        try:
            async for message in self._stream:
                acknowledge_now(self._transport)
                if message.type is not WSMsgType.BINARY:
                    return
                for packet in self._splitter.feed(message.data):
                    keep_alive.received()
                    if packet.kind == mqtt_packets.PUBLISH:
                        packet = self._aliases.resolve(packet)
                    await self._check(packet)
                    if packet.kind == mqtt_packets.CONNECT:
                        keep_alive.set_limit(self._keep_alive * aws_broker.KEEP_ALIVES)
                        seconds = self._keep_alive * _BROKER_KEEP_ALIVES
                        yield mqtt_packets.with_keep_alive(packet, seconds)
                    elif packet.kind != mqtt_packets.PUBLISH or self._may_publish(packet):
                        yield packet
        finally:
            keep_alive.stop()

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
            self._keep_alive = aws_broker.effective_keep_alive(connect.keep_alive)
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

    def _may_publish(self, packet: Packet) -> bool:
        """Return False for a PUBLISH beyond the limit a second, which is discarded."""
        if self._limiter.take():
            return True
        self._counters.discarded_publishes += 1
        identifier = mqtt_packets.read_publish(packet).identifier
        if identifier is not None and self.level == mqtt_fields.LEVEL_5:
            self.send(mqtt_packets.puback(identifier, self.level, mqtt_fields.QUOTA_EXCEEDED))
        return False

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
            while data := await reader.read(CHUNK_BYTES):
                whole = b"".join(self._delivered(one, writer) for one in splitter.feed(data))
                await self._send(whole)
        await self._running.wait()

    def _delivered(self, packet: Packet, writer: asyncio.StreamWriter) -> bytes:
        if packet.kind == mqtt_packets.CONNACK:
            self._accepted = True
            packet = aws_broker.complete_connack(packet, self._keep_alive)
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


def _joined(found: Iterable[Packet]) -> bytes:
    return b"".join(packet.raw for packet in found)
