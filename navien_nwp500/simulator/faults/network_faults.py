"""Faults of connections, MQTT packets, the cloud's clock, tokens and AWS keys."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Iterable

from ..cloud import mqtt_fields, mqtt_packets
from ..cloud.iot_policy import PolicyViolation
from ..cloud.mqtt_packets import Packet
from .base import ClientConnection, Fault, FaultContext, PacketFault, check_choice


@dataclass
class CutConnections(Fault):
    """Every connection to the broker, or only that of one ``client``, is closed at once.

    Neither side gets a DISCONNECT packet.
    """

    name = "cut_connections"
    times = 0
    client: str | None = None

    def on_inject(self, context: FaultContext) -> None:
        for connection in _of_client(context.connections, self.client):
            connection.cut()


@dataclass
class HalfOpen(Fault):
    """Connections to the broker carry nothing in either direction and stay open.

    This concerns the connections that are open, or that of one ``client``; with ``new`` also those
    opened later. When the fault is cleared, all that was sent meanwhile arrives.
    """

    name = "half_open"
    client: str | None = None
    new: bool = False

    def on_inject(self, context: FaultContext) -> None:
        for connection in _of_client(context.connections, self.client):
            connection.pause()

    def on_connected(self, connection: ClientConnection) -> None:
        if self.new:
            connection.pause()

    def on_clear(self, context: FaultContext) -> None:
        for connection in context.connections:
            connection.resume()


@dataclass
class WrongClock(Fault):
    """The cloud's clock is ``seconds`` ahead of the clients' clocks.

    It shows in the Date header, in the check of signatures, and in the lifetimes of tokens and AWS
    keys.
    """

    name = "wrong_clock"
    seconds: float = 3600.0

    def on_inject(self, context: FaultContext) -> None:
        context.clock.wrong_by = self.seconds

    def on_clear(self, context: FaultContext) -> None:
        context.clock.wrong_by = 0.0


@dataclass
class RevokeCredentials(Fault):
    """The ``aws_keys``, ``access_tokens`` or ``refresh_tokens`` issued so far become invalid."""

    name = "revoke_credentials"
    times = 0
    aws_keys: bool = True
    access_tokens: bool = False
    refresh_tokens: bool = False

    def on_inject(self, context: FaultContext) -> None:
        if self.aws_keys:
            context.book.revoke_keys()
        if self.access_tokens:
            context.book.revoke_access_tokens()
        if self.refresh_tokens:
            context.book.revoke_refresh_tokens()


@dataclass
class ShortLifetimes(Fault):
    """New ``aws_keys`` and ``access_tokens`` are valid for so many seconds, 0 for never."""

    name = "short_lifetimes"
    aws_keys: float | None = None
    access_tokens: float | None = None

    def on_inject(self, context: FaultContext) -> None:
        self._before = context.book.keys_lifetime, context.book.access_lifetime
        if self.aws_keys is not None:
            context.book.keys_lifetime = self.aws_keys
        if self.access_tokens is not None:
            context.book.access_lifetime = self.access_tokens

    def on_clear(self, context: FaultContext) -> None:
        context.book.keys_lifetime, context.book.access_lifetime = self._before


_REPLIES = {
    "connack": mqtt_packets.CONNACK,
    "suback": mqtt_packets.SUBACK,
    "unsuback": mqtt_packets.UNSUBACK,
    "puback": mqtt_packets.PUBACK,
    "pingresp": mqtt_packets.PINGRESP,
}


@dataclass
class LoseReplies(PacketFault):
    """The broker's next replies of one kind are lost, after it has done what was requested.

    ``packet`` is "suback", "connack", "puback", "unsuback" or "pingresp".
    """

    name = "lose_replies"
    packet: str = "suback"
    client: str | None = None
    times: int | None = 1

    def __post_init__(self) -> None:
        check_choice("packet", self.packet, _REPLIES)

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        is_meant = packet.kind == _REPLIES[self.packet]
        is_meant = is_meant and self.client in (None, connection.client_id)
        return () if is_meant and self.consume() else (packet,)


@dataclass
class NoMqtt5(PacketFault):
    """The connection closes on a CONNECT of MQTT 5, as at a broker that supports only 3.1.1."""

    name = "no_mqtt5"
    times: int | None = None

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if (
            packet.kind == mqtt_packets.CONNECT
            and connection.level == mqtt_fields.LEVEL_5
            and self.consume()
        ):
            raise PolicyViolation("fault: no_mqtt5")
        return (packet,)


@dataclass
class ForbidTopics(PacketFault):
    """The connection closes when the client subscribes (``on`` is "publish": publishes) to a topic.

    ``topic`` may contain wildcards: "cmd/52/+/st".
    """

    name = "forbid_topics"
    topic: str = "#"
    on: str = "subscribe"
    times: int | None = None

    def __post_init__(self) -> None:
        check_choice("on", self.on, ("subscribe", "publish"))

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        topics: list[str] = []
        if packet.kind == mqtt_packets.SUBSCRIBE and self.on == "subscribe":
            topics = [topic for topic, _ in mqtt_packets.read_subscriptions(packet)]
        elif packet.kind == mqtt_packets.PUBLISH and self.on == "publish":
            topics = [mqtt_packets.read_publish_topic(packet)]
        if any(mqtt_packets.matches(self.topic, topic) for topic in topics) and self.consume():
            raise PolicyViolation("fault: forbid_topics")
        return (packet,)


@dataclass
class DropSubscriptions(PacketFault):
    """The subscriptions of all clients, or one ``client``, stop working until they are repeated."""

    name = "drop_subscriptions"
    client: str | None = None

    def on_inject(self, context: FaultContext) -> None:
        affected = _of_client(context.connections, self.client)
        self._dropped = {connection: set(connection.filters) for connection in affected}

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind == mqtt_packets.SUBSCRIBE and connection in self._dropped:
            repeated = {name for name, _ in mqtt_packets.read_subscriptions(packet)}
            self._dropped[connection] -= repeated
        return (packet,)

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.PUBLISH or connection not in self._dropped:
            return (packet,)
        topic = mqtt_packets.read_publish_topic(packet)
        working = connection.filters - self._dropped[connection]
        return (packet,) if any(mqtt_packets.matches(name, topic) for name in working) else ()


@dataclass
class RivalClient(PacketFault):
    """Another client connects with the client ids in use, or that of one ``client``.

    This disconnects their clients, and again whenever one of these ids connects, ``times`` in all.
    New ids are not affected.
    """

    name = "rival_client"
    client: str | None = None
    times: int | None = None

    def on_inject(self, context: FaultContext) -> None:
        rivals = [one for one in _of_client(context.connections, self.client) if one.client_id]
        self._ids = {one.client_id for one in rivals} | {self.client}
        for connection in rivals:
            if self.consume():
                connection.take_over()

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        is_meant = packet.kind == mqtt_packets.CONNACK and connection.client_id in self._ids
        if is_meant and self.consume():
            asyncio.get_running_loop().call_soon(connection.take_over)
        return (packet,)


def _of_client(
    connections: Iterable[ClientConnection], client_id: str | None
) -> list[ClientConnection]:
    return [one for one in connections if client_id in (None, one.client_id)]
