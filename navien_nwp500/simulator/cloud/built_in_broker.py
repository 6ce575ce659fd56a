"""An MQTT broker in pure Python for MQTT 3.1.1 and MQTT 5 on one port.

It needs no compiler and runs in the caller's event loop. It supports QoS 0 and 1, wills, retained
messages, keep-alive and takeover of a client id. It does not keep sessions after a connection, and
does not forward the properties of MQTT 5.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from typing import AsyncIterator, NamedTuple, cast

from ..._util.aio import stop_accepting
from . import mqtt_fields, mqtt_packets
from .mqtt_fields import PacketError
from .mqtt_packets import MAX_PACKET_BYTES, Packet, PacketSplitter, Will

_LOGGER = logging.getLogger(__name__)
_BACKLOG = 1024
_MAX_QOS = 1
#: A client with more unread bytes than this is disconnected.
_MAX_WAITING_BYTES = 64 * 1024 * 1024
#: Time a client has for its CONNECT, seconds.
_CONNECT_SECONDS = 60.0
#: Keep-alive intervals after which a client is disconnected (MQTT 3.1.1, 3.1.2.10).
_KEEP_ALIVES = 1.5

_ACCEPTED, _BAD_LEVEL, _FILTER_REFUSED = 0, 1, 0x80
_DISCONNECT_WITH_WILL = b"\x04"


class BuiltInBroker:
    """A broker for the clients of one port."""

    def __init__(self) -> None:
        self.subscriptions = Subscriptions()
        self._connections: set[_Connection] = set()
        self._by_id: dict[str, _Connection] = {}
        self._retained: dict[str, _Message] = {}

    @contextlib.asynccontextmanager
    async def running(self, host: str, port: int = 0) -> AsyncIterator[int]:
        """Listen, and yield the port; 0 lets the system choose one. Raise OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), host, port, backlog=_BACKLOG)
        try:
            found: int = server.sockets[0].getsockname()[1]
            yield found
        finally:
            await stop_accepting(server)
            for connection in list(self._connections):
                connection.drop()
            while self._connections:
                await asyncio.wait({one.closed for one in self._connections})
            await server.wait_closed()

    def add(self, connection: _Connection) -> None:
        """Track a connection until it is closed."""
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._connections.discard(connection))

    def assign_id(self, client_id: str, connection: _Connection) -> None:
        """Assign an id to a connection, after closing the one that has it."""
        if client_id in self._by_id:
            self._by_id[client_id].drop()
        self._by_id[client_id] = connection

    def release_id(self, client_id: str, connection: _Connection) -> None:
        """Release an id, unless another connection has it now."""
        if self._by_id.get(client_id) is connection:
            del self._by_id[client_id]

    def publish(self, message: _Message, *, retain: bool) -> None:
        """Deliver a message to its subscribers, and store it if it is retained."""
        if not message.topic or "+" in message.topic or "#" in message.topic:
            raise PacketError("topic of a PUBLISH")
        for connection, qos in self.subscriptions.matching(message.topic).items():
            connection.deliver(message, qos)
        if retain and message.payload:
            self._retained[message.topic] = message
        elif retain:
            self._retained.pop(message.topic, None)

    def retained(self, topic_filter: str) -> list[_Message]:
        """Return the retained messages that match a filter."""
        found = self._retained.items()
        return [message for topic, message in found if mqtt_packets.matches(topic_filter, topic)]


class Subscriptions:
    """The subscriptions of all connections, as a tree of the levels of their topic filters."""

    def __init__(self) -> None:
        self._root = _Level({}, {})

    def add(self, topic_filter: str, connection: _Connection, qos: int) -> None:
        """Add a subscription, or change its QoS."""
        level = self._root
        for name in topic_filter.split("/"):
            level = level.children.setdefault(name, _Level({}, {}))
        level.subscribers[connection] = qos

    def remove(self, topic_filter: str, connection: _Connection) -> None:
        """Remove a subscription, and the levels that become empty."""
        names = topic_filter.split("/")
        path = [self._root]
        for name in names:
            path.append(path[-1].children[name])
        del path[-1].subscribers[connection]
        for above, name, level in reversed(list(zip(path, names, path[1:]))):
            if level.children or level.subscribers:
                break
            del above.children[name]

    def matching(self, topic: str) -> dict[_Connection, int]:
        """Return the subscribers of a topic, each with its highest requested QoS."""
        levels = [self._root]
        found: list[_Level] = []
        for depth, name in enumerate(topic.split("/")):
            # Wildcards do not match topics that begin with $ (MQTT 3.1.1, 4.7.2).
            names = (name, "+") if depth or not topic.startswith("$") else (name,)
            if len(names) > 1:
                found += [level.children["#"] for level in levels if "#" in level.children]
            levels = [
                level.children[one] for level in levels for one in names if one in level.children
            ]
        found += levels
        found += [level.children["#"] for level in levels if "#" in level.children]
        subscribers: dict[_Connection, int] = {}
        for level in found:
            for connection, qos in level.subscribers.items():
                subscribers[connection] = max(qos, subscribers.get(connection, 0))
        return subscribers


class _Level(NamedTuple):
    children: dict[str, _Level]
    subscribers: dict[_Connection, int]


class _Message(NamedTuple):
    topic: str
    payload: bytes
    qos: int


class _Connection(asyncio.Protocol):
    """The connection of one client."""

    def __init__(self, broker: BuiltInBroker) -> None:
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._broker = broker
        self._splitter = PacketSplitter(MAX_PACKET_BYTES)
        self._client_id: str | None = None
        self._filters: set[str] = set()
        self._will: Will | None = None
        # Nothing is sent again, so an acknowledgement changes nothing.
        self._identifiers = itertools.cycle(range(1, 65_536))
        self._received_at = self._loop.time()
        self._timeout = _CONNECT_SECONDS
        self._timer = self._loop.call_later(self._timeout, self._check_timeout)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._broker.add(self)

    def data_received(self, data: bytes) -> None:
        self._received_at = self._loop.time()
        try:
            for packet in self._splitter.feed(data):
                if self._transport.is_closing():
                    return
                self._handle(packet)
        except PacketError as reason:
            _LOGGER.debug("connection closed: %s", reason)
            self.drop()

    def connection_lost(self, error: Exception | None) -> None:
        self._unregister()
        self.closed.set_result(None)

    def deliver(self, message: _Message, qos: int, *, retain: bool = False) -> None:
        """Send a message at its QoS or that of the subscription, whichever is lower."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _MAX_WAITING_BYTES:
            _LOGGER.debug("connection closed: the client does not read")
            self.drop()
            return
        identifier = next(self._identifiers) if min(message.qos, qos) else None
        level = self._splitter.level
        self._send(
            mqtt_packets.publish(message.topic, message.payload, level, identifier, retain=retain)
        )

    def drop(self) -> None:
        """Close the connection at once and publish the client's will."""
        self._transport.abort()
        self._unregister()

    def _handle(self, packet: Packet) -> None:
        if self._client_id is None:
            self._connect(packet)
        elif packet.kind == mqtt_packets.PUBLISH:
            self._publish(packet)
        elif packet.kind == mqtt_packets.SUBSCRIBE:
            self._subscribe(packet)
        elif packet.kind == mqtt_packets.UNSUBSCRIBE:
            filters = mqtt_packets.read_unsubscriptions(packet)
            self._unsubscribe(filters)
            self._send(mqtt_packets.unsuback(packet, len(filters)))
        elif packet.kind == mqtt_packets.PINGREQ:
            self._send(mqtt_packets.pingresp(packet.level))
        elif packet.kind == mqtt_packets.DISCONNECT:
            if packet.level < mqtt_fields.LEVEL_5 or packet.body[:1] != _DISCONNECT_WITH_WILL:
                self._will = None
            self._transport.close()
            self._unregister()
        elif packet.kind != mqtt_packets.PUBACK:
            raise PacketError(f"packet of type {packet.kind}")

    def _connect(self, packet: Packet) -> None:
        if packet.kind != mqtt_packets.CONNECT:
            raise PacketError("first packet is not CONNECT")
        connect = mqtt_packets.read_connect(packet)
        if connect.level not in (mqtt_fields.LEVEL_3_1_1, mqtt_fields.LEVEL_5):
            self._send(mqtt_packets.connack(_BAD_LEVEL, mqtt_fields.LEVEL_3_1_1))
            self._transport.close()
            return
        assigned = None if connect.client_id else f"built-in-{secrets.token_hex(8)}"
        self._client_id = connect.client_id or assigned
        assert self._client_id is not None
        self._broker.assign_id(self._client_id, self)
        self._splitter.level = connect.level
        self._will = connect.will
        self._timeout = connect.keep_alive * _KEEP_ALIVES
        self._timer.cancel()
        self._check_timeout()
        named = {mqtt_fields.ASSIGNED_CLIENT_ID: assigned} if assigned else {}
        self._send(mqtt_packets.connack(_ACCEPTED, connect.level, named))

    def _publish(self, packet: Packet) -> None:
        qos = mqtt_packets.publish_qos(packet)
        if qos > _MAX_QOS:
            raise PacketError("QoS 2")
        found = mqtt_packets.read_publish(packet)
        message = _Message(found.topic, found.payload, qos)
        self._broker.publish(message, retain=mqtt_packets.is_retained(packet))
        if found.identifier is not None:
            self._send(mqtt_packets.puback(found.identifier, packet.level))

    def _subscribe(self, packet: Packet) -> None:
        codes, retained = bytearray(), []
        for topic_filter, wanted in mqtt_packets.read_subscriptions(packet):
            if not mqtt_packets.is_valid_filter(topic_filter):
                codes.append(_FILTER_REFUSED)
                continue
            qos = min(wanted, _MAX_QOS)
            codes.append(qos)
            self._filters.add(topic_filter)
            self._broker.subscriptions.add(topic_filter, self, qos)
            retained += [(message, qos) for message in self._broker.retained(topic_filter)]
        self._send(mqtt_packets.suback(packet, bytes(codes)))
        for message, qos in retained:
            self.deliver(message, qos, retain=True)

    def _unsubscribe(self, filters: list[str]) -> None:
        for topic_filter in self._filters.intersection(filters):
            self._broker.subscriptions.remove(topic_filter, self)
        self._filters.difference_update(filters)

    def _send(self, packet: Packet) -> None:
        self._transport.write(packet.raw)

    def _check_timeout(self) -> None:
        if not self._timeout:
            return
        left = self._received_at + self._timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check_timeout)
        else:
            _LOGGER.debug("connection closed: the client sends nothing")
            self.drop()

    def _unregister(self) -> None:
        """Remove the client's subscriptions and id, and publish its will, once."""
        self._timer.cancel()
        self._unsubscribe(list(self._filters))
        client_id, self._client_id = self._client_id, ""
        if client_id:
            self._broker.release_id(client_id, self)
        will, self._will = self._will, None
        if will is not None:
            message = _Message(will.topic, will.payload, min(will.qos, _MAX_QOS))
            with contextlib.suppress(PacketError):
                self._broker.publish(message, retain=will.retain)
