"""Rules of AWS IoT's broker for MQTT packets beyond the standard (PROTOCOL 2.3, 2.5).

The gateway applies it to every connection, whichever broker is behind it.
"""

from __future__ import annotations

from typing import Callable

from . import mqtt_fields, mqtt_packets
from .mqtt_fields import LEVEL_5, PacketError
from .mqtt_packets import Packet

#: Bytes of a payload: 128 KB.
MAX_PAYLOAD_BYTES = 128 * 1024
#: Publishes of a connection in a second.
MAX_PUBLISHES = 100
MAX_TOPIC_ALIASES = 8
#: Unacknowledged publishes of QoS 1.
RECEIVE_MAXIMUM = 100
MAX_QOS = 1
#: Seconds.
MIN_KEEP_ALIVE, MAX_KEEP_ALIVE = 30, 1200
#: Keep-alive intervals without a packet after which a connection is closed.
KEEP_ALIVES = 1.5


def effective_keep_alive(requested: int) -> int:
    """Return the keep-alive that counts for a requested one, in seconds."""
    return max(min(requested or MAX_KEEP_ALIVE, MAX_KEEP_ALIVE), MIN_KEEP_ALIVE)


def complete_connack(connack: Packet, keep_alive: int) -> Packet:
    """Return a CONNACK of MQTT 5 with the limits of AWS IoT; one of MQTT 3.1.1 stays as it is."""
    if connack.level != LEVEL_5 or connack.body[1]:
        return connack
    properties = (
        mqtt_fields.SERVER_KEEP_ALIVE,
        mqtt_fields.RECEIVE_MAXIMUM,
        mqtt_fields.TOPIC_ALIAS_MAXIMUM,
        mqtt_fields.MAXIMUM_QOS,
        mqtt_fields.MAXIMUM_PACKET_SIZE,
        mqtt_fields.SUBSCRIPTION_IDENTIFIERS,
    )
    values = (
        keep_alive,
        RECEIVE_MAXIMUM,
        MAX_TOPIC_ALIASES,
        MAX_QOS,
        mqtt_packets.MAX_PACKET_BYTES,
        0,
    )
    return mqtt_packets.connack(
        0, LEVEL_5, dict(zip(properties, values)), session_present=bool(connack.body[0])
    )


class TopicAliases:
    """The topic aliases of one client."""

    def __init__(self) -> None:
        self._topics: dict[int, str] = {}

    def resolve(self, publish: Packet) -> Packet:
        """Return a PUBLISH with its topic in full and without properties. Raise PacketError."""
        alias = mqtt_packets.read_topic_alias(publish)
        plain = mqtt_packets.without_properties(publish)
        if alias is None:
            return plain
        if not 1 <= alias <= MAX_TOPIC_ALIASES:
            raise PacketError(f"topic alias {alias}", mqtt_fields.TOPIC_ALIAS_INVALID)
        topic = mqtt_packets.read_publish_topic(plain)
        if topic:
            self._topics[alias] = topic
            return plain
        if alias not in self._topics:
            raise PacketError(f"topic alias {alias} without topic", mqtt_fields.PROTOCOL_ERROR)
        return mqtt_packets.with_topic(plain, self._topics[alias])


class PublishLimiter:
    """A limit of ``MAX_PUBLISHES`` a second, which a connection may use up at once.

    ``now`` returns seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = float(MAX_PUBLISHES)
        self._at = now()

    def take(self) -> bool:
        """Count a publish. Return False if AWS discards it."""
        now = self._now()
        self._left = min(self._left + (now - self._at) * MAX_PUBLISHES, MAX_PUBLISHES)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
