"""What can go wrong on the way to the broker, at its door, and with clocks, tokens and keys. ::

sim.faults.set(HalfOpen())
sim.faults.set(Lost("suback", times=1))
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Iterable

from ..cloud import mqtt_packets
from ..cloud.iot_policy import PolicyViolation
from ..cloud.mqtt_packets import Packet
from .base import ClientConnection, Fault, FaultContext, PacketFault, choose


@dataclass
class CutConnections(Fault):
    """Every connection to the broker, or that of one ``client``, ends now without a farewell."""

    name = "cut"
    times = 0
    client: str | None = None

    def begin(self, scene: FaultContext) -> None:
        for line in _of_client(scene.lines, self.client):
            line.cut()


@dataclass
class HalfOpen(Fault):
    """Connections to the broker let nothing through either way, and nothing closes.

    Those of now, or that of one ``client``; with ``new`` also those opened while it is in force.
    What was sent meanwhile comes through when it is healed, as when a cable is put back.
    """

    name = "half_open"
    client: str | None = None
    new: bool = False

    def begin(self, scene: FaultContext) -> None:
        for line in _of_client(scene.lines, self.client):
            line.freeze()

    def opened(self, line: ClientConnection) -> None:
        if self.new:
            line.freeze()

    def end(self, scene: FaultContext) -> None:
        for line in scene.lines:
            line.thaw()


@dataclass
class WrongClock(Fault):
    """The cloud's clock is ``seconds`` ahead: of the clients', it seems to them.

    Seen in the Date header, in the check of signatures, and in the life of tokens and keys.
    """

    name = "wrong_clock"
    seconds: float = 3600.0

    def begin(self, scene: FaultContext) -> None:
        scene.clock.wrong_by = self.seconds

    def end(self, scene: FaultContext) -> None:
        scene.clock.wrong_by = 0.0


# Tokens and keys


@dataclass
class RevokeCredentials(Fault):
    """What was issued until now is refused from now on.

    AWS ``keys``, ``access`` tokens, ``refresh`` tokens.
    """

    name = "revoke"
    times = 0
    keys: bool = True
    access: bool = False
    refresh: bool = False

    def begin(self, scene: FaultContext) -> None:
        if self.keys:
            scene.book.revoke_keys()
        if self.access:
            scene.book.revoke_access_tokens()
        if self.refresh:
            scene.book.revoke_refresh_tokens()


@dataclass
class ShortLifetimes(Fault):
    """AWS ``keys`` and ``access`` tokens issued from now on live so many seconds, 0 not at all."""

    name = "short_lives"
    keys: float | None = None
    access: float | None = None

    def begin(self, scene: FaultContext) -> None:
        self._before = scene.book.keys_lifetime, scene.book.access_lifetime
        if self.keys is not None:
            scene.book.keys_lifetime = self.keys
        if self.access is not None:
            scene.book.access_lifetime = self.access

    def end(self, scene: FaultContext) -> None:
        scene.book.keys_lifetime, scene.book.access_lifetime = self._before


# The broker's door

_ANSWERS = {
    "connack": mqtt_packets.CONNACK,
    "suback": mqtt_packets.SUBACK,
    "unsuback": mqtt_packets.UNSUBACK,
    "puback": mqtt_packets.PUBACK,
    "pingresp": mqtt_packets.PINGRESP,
}


@dataclass
class LoseReplies(PacketFault):
    """The broker's next answers of one kind are lost, though what they answer was done.

    ``packet`` is "suback", "connack", "puback", "unsuback" or "pingresp".
    """

    name = "lost"
    packet: str = "suback"
    client: str | None = None
    times: int | None = 1

    def __post_init__(self) -> None:
        choose("packet", self.packet, _ANSWERS)

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        hit = packet.kind == _ANSWERS[self.packet] and self.client in (None, line.client_id)
        return () if hit and self.use() else (packet,)


@dataclass
class NoMqtt5(PacketFault):
    """The connection closes on a CONNECT of MQTT 5, as at a broker that knows 3.1.1 alone."""

    name = "no_mqtt5"
    times: int | None = None

    def from_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        if (
            packet.kind == mqtt_packets.CONNECT
            and line.level == mqtt_packets.LEVEL_5
            and self.use()
        ):
            raise PolicyViolation("fault: no_mqtt5")
        return (packet,)


@dataclass
class ForbidTopics(PacketFault):
    """The connection closes when the client subscribes (``on`` is "publish": publishes) to a topic.

    ``topic`` may hold wildcards: "cmd/52/+/st".
    """

    name = "forbid"
    topic: str = "#"
    on: str = "subscribe"
    times: int | None = None

    def __post_init__(self) -> None:
        choose("on", self.on, ("subscribe", "publish"))

    def from_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        named: list[str] = []
        if packet.kind == mqtt_packets.SUBSCRIBE and self.on == "subscribe":
            named = [name for name, _ in mqtt_packets.read_subscriptions(packet)]
        elif packet.kind == mqtt_packets.PUBLISH and self.on == "publish":
            named = [mqtt_packets.read_publish_topic(packet)]
        if any(mqtt_packets.matches(self.topic, name) for name in named) and self.use():
            raise PolicyViolation("fault: forbid")
        return (packet,)


@dataclass
class DropSubscriptions(PacketFault):
    """What clients have subscribed to is forgotten silently, until they subscribe again."""

    name = "drop_subscriptions"
    client: str | None = None

    def begin(self, scene: FaultContext) -> None:
        lines = _of_client(scene.lines, self.client)
        self._dropped = {line: set(line.filters) for line in lines}

    def from_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        if packet.kind == mqtt_packets.SUBSCRIBE and line in self._dropped:
            self._dropped[line] -= {name for name, _ in mqtt_packets.read_subscriptions(packet)}
        return (packet,)

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.PUBLISH or line not in self._dropped:
            return (packet,)
        topic = mqtt_packets.read_publish_topic(packet)
        held = line.filters - self._dropped[line]
        return (packet,) if any(mqtt_packets.matches(name, topic) for name in held) else ()


@dataclass
class RivalClient(PacketFault):
    """Another client connects with the ids there are (or one ``client``'s) and throws them out.

    It does so again whenever one of these ids comes back, ``times`` in all; fresh ids are safe.
    """

    name = "rival"
    client: str | None = None
    times: int | None = None

    def begin(self, scene: FaultContext) -> None:
        lines = [line for line in _of_client(scene.lines, self.client) if line.client_id]
        self._ids = {line.client_id for line in lines} | {self.client}
        for line in lines:
            if self.use():
                line.take_over()

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        if packet.kind == mqtt_packets.CONNACK and line.client_id in self._ids and self.use():
            asyncio.get_running_loop().call_soon(line.take_over)
        return (packet,)


def _of_client(lines: Iterable[ClientConnection], client_id: str | None) -> list[ClientConnection]:
    return [line for line in lines if client_id in (None, line.client_id)]
