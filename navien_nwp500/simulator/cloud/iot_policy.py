"""The AWS IoT policy of an account at the broker (PROTOCOL 2.3 and 3.1).

It allows the topics of its own heaters, and response topics with its own client id. AWS IoT closes
the connection on anything else, without a reason.
"""

from __future__ import annotations

from . import mqtt_fields, mqtt_packets
from .accounts import CloudAccount
from .aws_broker import MAX_PAYLOAD_BYTES, MAX_QOS
from .mqtt_packets import Connect, Packet

MAX_CLIENT_ID_BYTES = 128
MAX_TOPIC_BYTES = 256
MAX_TOPIC_SLASHES = 7
MAX_FILTERS = 8
MAX_SUBSCRIPTIONS = 50

_HEATER = "navilink-"
_PREFIXES = ("cmd", "evt")
_PRODUCT = "52"


class PolicyViolation(Exception):
    """A packet on which AWS IoT closes the connection; the text is for logs only.

    ``reason`` is the reason code that a client of MQTT 5 gets.
    """

    def __init__(self, text: str, reason: int = mqtt_fields.NOT_AUTHORIZED) -> None:
        super().__init__(text)
        self.reason = reason


class Policy:
    """The policy for one connection, which must see all packets in their order."""

    def __init__(self, account: CloudAccount) -> None:
        self._account = account
        self._client_id: str | None = None
        self._subscriptions: set[str] = set()

    def connect(self, packet: Packet) -> Connect:
        """Check and return the CONNECT packet. Raise PolicyViolation."""
        if packet.kind != mqtt_packets.CONNECT:
            raise PolicyViolation("first packet is not CONNECT")
        connect = mqtt_packets.read_connect(packet)
        if connect.level not in (mqtt_fields.LEVEL_3_1_1, mqtt_fields.LEVEL_5):
            raise PolicyViolation(f"protocol level {connect.level}")
        # A client id with a wildcard would match the response topics of other clients.
        if not connect.client_id or any(sign in connect.client_id for sign in "+#/"):
            raise PolicyViolation("client id")
        if len(connect.client_id.encode()) > MAX_CLIENT_ID_BYTES:
            raise PolicyViolation("client id too long")
        self._client_id = connect.client_id
        if connect.will is not None:
            self._check_topic(connect.will.topic)
        return connect

    def check(self, packet: Packet) -> None:
        """Check a later packet. Raise PolicyViolation."""
        if packet.kind == mqtt_packets.CONNECT:
            raise PolicyViolation("second CONNECT", mqtt_fields.PROTOCOL_ERROR)
        if packet.kind == mqtt_packets.PUBLISH:
            self._check_publish(packet)
        elif packet.kind == mqtt_packets.SUBSCRIBE:
            self._subscribe(mqtt_packets.read_subscriptions(packet))
        elif packet.kind == mqtt_packets.UNSUBSCRIBE:
            self._subscriptions.difference_update(mqtt_packets.read_unsubscriptions(packet))

    def _check_publish(self, packet: Packet) -> None:
        if mqtt_packets.publish_qos(packet) > MAX_QOS:
            raise PolicyViolation("QoS 2", mqtt_fields.QOS_NOT_SUPPORTED)
        size = len(mqtt_packets.read_publish(packet).payload)
        if size > MAX_PAYLOAD_BYTES:
            raise PolicyViolation(f"payload of {size} bytes", mqtt_fields.PACKET_TOO_LARGE)
        self._check_topic(mqtt_packets.read_publish_topic(packet))

    def _subscribe(self, subscriptions: list[tuple[str, int]]) -> None:
        if len(subscriptions) > MAX_FILTERS:
            raise PolicyViolation(
                f"{len(subscriptions)} filters in one SUBSCRIBE", mqtt_fields.QUOTA_EXCEEDED
            )
        for topic_filter, qos in subscriptions:
            if not mqtt_packets.is_valid_filter(topic_filter) or not self._may_use(topic_filter):
                raise PolicyViolation("topic filter")
            if not self._account.pushes and _HEATER in topic_filter:
                raise PolicyViolation("the heater's own topics")
            if qos > MAX_QOS:
                raise PolicyViolation("QoS 2", mqtt_fields.QOS_NOT_SUPPORTED)
            self._subscriptions.add(topic_filter)
        if len(self._subscriptions) > MAX_SUBSCRIPTIONS:
            raise PolicyViolation("too many subscriptions", mqtt_fields.QUOTA_EXCEEDED)

    def _check_topic(self, topic: str) -> None:
        if "+" in topic or "#" in topic or not self._may_use(topic):
            raise PolicyViolation("topic")

    def _may_use(self, topic: str) -> bool:
        levels = topic.split("/")
        if len(topic.encode()) > MAX_TOPIC_BYTES or len(levels) > MAX_TOPIC_SLASHES + 1:
            return False
        if len(levels) < 4 or levels[0] not in _PREFIXES or levels[1] != _PRODUCT:
            return False
        if levels[2].startswith(_HEATER):
            return self._account.owns(levels[2][len(_HEATER) :])
        return levels[0] == "cmd" and self._is_own_response(levels)

    def _is_own_response(self, levels: list[str]) -> bool:
        """Return whether it is ``cmd/52/[{home}/{user}/]{client}/res`` or a topic below it."""
        return levels[2:4] == [self._client_id, "res"] or levels[4:6] == [self._client_id, "res"]
