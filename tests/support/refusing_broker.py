"""A broker that refuses subscriptions by an answer, as a broker other than AWS IoT does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.mqtt_packets import Packet
from navien_nwp500.simulator.faults import ClientConnection, PacketFault

#: All pushes of a heater, and the responses to a client (PROTOCOL 3).
PUSHES, RESPONSES = "cmd/+/+/#", "cmd/+/+/+/+/res/#"


@dataclass
class RefuseSubscriptions(PacketFault):
    """Answer subscriptions to a topic filter with the reason ``code``, in the broker's place.

    ``exactly`` is the filter as the client writes it, with its heater's topic as ``+``; None for all.
    """

    name = "refuse_subscriptions"
    exactly: str | None = None
    code: int = 0x80

    def __post_init__(self) -> None:
        self.count = 0
        self._refused: set[bytes] = set()

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind == mqtt_packets.SUBSCRIBE:
            topics = [topic for topic, _ in mqtt_packets.read_subscriptions(packet)]
            if any(self._is_meant(topic) for topic in topics):
                self._refused.add(packet.body[:2])
        return (packet,)

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.SUBACK or packet.body[:2] not in self._refused:
            return (packet,)
        self._refused.discard(packet.body[:2])
        self.count += 1
        return (packet._replace(raw=packet.raw[:-1] + bytes([self.code])),)

    def _is_meant(self, topic: str) -> bool:
        if self.exactly is None:
            return True
        levels, wanted = topic.split("/"), self.exactly.split("/")
        return len(levels) == len(wanted) and all(
            two in ("+", one) for one, two in zip(levels, wanted)
        )
