"""Reading and writing of the MQTT packets that brokers exchange with clients.

MQTT 3.1.1 and MQTT 5 (OASIS, sections 2 and 3 of both). A packet may span several WebSocket frames,
and a frame may contain several packets. The protocol level is 4 for 3.1.1 and 5 for MQTT 5, where
most packets have properties; these are skipped.
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple

from .mqtt_fields import (
    LENGTH_BYTES,
    LEVEL_3_1_1,
    LEVEL_5,
    PACKET_TOO_LARGE,
    PROPERTY_BYTES,
    TOPIC_ALIAS,
    PacketError,
    PacketReader,
    read_properties,
)

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14

#: AWS IoT accepts payloads of 128 KB; this is the whole packet (PROTOCOL 2.5).
MAX_PACKET_BYTES = 146 * 1024

_WILL, _WILL_RETAIN, _PASSWORD, _USER_NAME = 0x04, 0x20, 0x40, 0x80
_RETAIN = 0x01


class Packet(NamedTuple):
    """One packet: type, four flag bits, body, all its bytes, protocol level."""

    kind: int
    flags: int
    body: bytes
    raw: bytes
    level: int = LEVEL_3_1_1


class Will(NamedTuple):
    """The message published for a client whose connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Connect(NamedTuple):
    """The content of a CONNECT."""

    level: int
    client_id: str
    keep_alive: int
    will: Will | None


class Publish(NamedTuple):
    """The content of a PUBLISH; ``identifier`` is None at QoS 0."""

    topic: str
    identifier: int | None
    payload: bytes


class PacketSplitter:
    """A splitter of a byte stream into packets of at most ``max_bytes``.

    ``level`` is the protocol level of the next packets, as the CONNECT states it.
    """

    def __init__(self, max_bytes: int, level: int = LEVEL_3_1_1) -> None:
        self.level = level
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that ``data`` completes. Raise PacketError."""
        self._buffer += data
        while True:
            size = self._body_size()
            if size is None:
                return
            start, length = size
            end = start + length
            if len(self._buffer) < end:
                return
            raw = bytes(self._buffer[:end])
            del self._buffer[:end]
            yield Packet(raw[0] >> 4, raw[0] & 0x0F, raw[start:], raw, self.level)

    def _body_size(self) -> tuple[int, int] | None:
        """Return start and length of the body, None while the header is incomplete."""
        field = bytes(self._buffer[1 : 1 + LENGTH_BYTES])
        if len(field) < LENGTH_BYTES and all(byte & 0x80 for byte in field):
            return None
        reader = PacketReader(field)
        length = reader.length()
        size = 1 + reader.at + length
        if size > self._max_bytes:
            raise PacketError(f"packet of {size} bytes", PACKET_TOO_LARGE)
        return 1 + reader.at, length


def read_connect(packet: Packet) -> Connect:
    """Read a CONNECT; for an unknown protocol level only its ``level``. Raise PacketError."""
    reader = PacketReader(packet.body)
    if reader.text() != "MQTT":
        raise PacketError("not MQTT")
    level, flags, keep_alive = reader.number(1), reader.number(1), reader.number(2)
    if level not in (LEVEL_3_1_1, LEVEL_5):
        return Connect(level, "", keep_alive, None)
    reader.properties(level)
    client_id = reader.text()
    will = None
    if flags & _WILL:
        if reader.properties(level):
            raise PacketError("a will with properties, which the broker does not support")
        retain = bool(flags & _WILL_RETAIN)
        will = Will(reader.text(), reader.data(), flags >> 3 & 0x03, retain)
    if flags & _USER_NAME:
        reader.text()
    if flags & _PASSWORD:
        reader.data()
    return Connect(level, client_id, keep_alive, will)


def with_keep_alive(packet: Packet, seconds: int) -> Packet:
    """Return a CONNECT with another keep-alive. Raise PacketError."""
    reader = PacketReader(packet.body)
    reader.text()
    reader.read(2)
    body = packet.body[: reader.at] + _number(seconds) + packet.body[reader.at + 2 :]
    return _make(CONNECT, body, packet.level, packet.flags)


def publish(
    topic: str, payload: bytes, level: int, identifier: int | None = None, *, retain: bool = False
) -> Packet:
    """Make a PUBLISH of QoS 1 with an ``identifier``, otherwise of QoS 0."""
    name, number = _data(topic.encode()), b"" if identifier is None else _number(identifier)
    flags = (0x02 if number else 0) | (_RETAIN if retain else 0)
    return _make(PUBLISH, name + number + _no_properties(level) + payload, level, flags)


def puback(identifier: int, level: int, reason: int = 0) -> Packet:
    """Make a PUBACK; only MQTT 5 can contain a reason, and without it both versions are equal."""
    return _make(PUBACK, _number(identifier) + (bytes([reason]) if reason else b""), level)


def connack(
    code: int,
    level: int,
    properties: Mapping[int, int | str] | None = None,
    *,
    session_present: bool = False,
) -> Packet:
    """Make a CONNACK; only MQTT 5 can contain properties, which are by their identifier."""
    encoded = b""
    if level == LEVEL_5:
        for identifier, value in (properties or {}).items():
            size = PROPERTY_BYTES.get(identifier, 0)
            content = (
                _data(value.encode()) if isinstance(value, str) else value.to_bytes(size, "big")
            )
            encoded += bytes([identifier]) + content
        encoded = bytes([len(encoded)]) + encoded
    return _make(CONNACK, bytes([session_present, code]) + encoded, level)


def disconnect(reason: int) -> Packet:
    """Make a DISCONNECT of the broker, which only MQTT 5 knows."""
    return _make(DISCONNECT, bytes([reason, 0]), LEVEL_5)


def suback(subscribe: Packet, codes: bytes) -> Packet:
    """Make the SUBACK of a SUBSCRIBE, with a code for each of its filters."""
    return _make(SUBACK, _reply_header(subscribe) + codes, subscribe.level)


def unsuback(unsubscribe: Packet, count: int) -> Packet:
    """Make the UNSUBACK of an UNSUBSCRIBE; in MQTT 5 with a code for each filter."""
    codes = bytes(count) if unsubscribe.level == LEVEL_5 else b""
    return _make(UNSUBACK, _reply_header(unsubscribe) + codes, unsubscribe.level)


def pingresp(level: int) -> Packet:
    """Make a PINGRESP."""
    return _make(PINGRESP, b"", level)


def _reply_header(packet: Packet) -> bytes:
    return packet.body[:2] + _no_properties(packet.level)


def _no_properties(level: int) -> bytes:
    return b"\0" if level == LEVEL_5 else b""


def _number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _data(content: bytes) -> bytes:
    return _number(len(content)) + content


def _make(kind: int, body: bytes, level: int, flags: int = 0) -> Packet:
    length, size = len(body), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return Packet(kind, flags, body, bytes([kind << 4 | flags, *size]) + body, level)


def read_publish(packet: Packet) -> Publish:
    """Read a PUBLISH. Raise PacketError."""
    reader = PacketReader(packet.body)
    topic = reader.text()
    identifier = reader.number(2) if publish_qos(packet) else None
    reader.properties(packet.level)
    return Publish(topic, identifier, reader.rest())


def without_properties(packet: Packet) -> Packet:
    """Remove the properties from a PUBLISH of MQTT 5. Raise PacketError.

    iotcore 0.4 ends its thread for 3.1.1 on the first PUBLISH with properties it delivers there
    (measured).
    """
    reader = PacketReader(packet.body)
    reader.text()
    reader.read(2 if publish_qos(packet) else 0)
    head = packet.body[: reader.at]
    if not reader.properties(packet.level):
        return packet
    return _make(PUBLISH, head + b"\0" + reader.rest(), packet.level, packet.flags)


def with_topic(packet: Packet, topic: str) -> Packet:
    """Return a PUBLISH with another topic. Raise PacketError."""
    reader = PacketReader(packet.body)
    reader.text()
    return _make(PUBLISH, _data(topic.encode()) + reader.rest(), packet.level, packet.flags)


def read_topic_alias(packet: Packet) -> int | None:
    """Read the topic alias of a PUBLISH, None without one. Raise PacketError."""
    reader = PacketReader(packet.body)
    reader.text()
    reader.read(2 if publish_qos(packet) else 0)
    return read_properties(reader.properties(packet.level)).get(TOPIC_ALIAS)


def read_publish_topic(packet: Packet) -> str:
    """Read the topic of a PUBLISH. Raise PacketError."""
    return PacketReader(packet.body).text()


def publish_qos(packet: Packet) -> int:
    """Read the QoS of a PUBLISH, 0 to 3."""
    return packet.flags >> 1 & 0x03


def is_retained(packet: Packet) -> bool:
    """Return whether a PUBLISH is retained for later subscribers."""
    return bool(packet.flags & _RETAIN)


def read_subscriptions(packet: Packet) -> list[tuple[str, int]]:
    """Read the topic filters and QoS of a SUBSCRIBE. Raise PacketError."""
    reader = _after_identifier(packet)
    subscriptions = []
    while not reader.at_end:
        subscriptions.append((reader.text(), reader.number(1) & 0x03))
    return subscriptions


def read_unsubscriptions(packet: Packet) -> list[str]:
    """Read the topic filters of an UNSUBSCRIBE. Raise PacketError."""
    reader = _after_identifier(packet)
    filters = []
    while not reader.at_end:
        filters.append(reader.text())
    return filters


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether a filter matches a topic; ``a/#`` also matches ``a`` (MQTT 3.1.1, 4.7)."""
    expected, levels = topic_filter.split("/"), topic.split("/")
    if expected[-1] == "#":
        expected.pop()
        levels = levels[: len(expected)]
    return len(expected) == len(levels) and all(
        level in ("+", named) for level, named in zip(expected, levels)
    )


def is_valid_filter(topic_filter: str) -> bool:
    """Return whether wildcards fill their level and ``#`` is last (MQTT 3.1.1, 4.7.1)."""
    levels = topic_filter.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        return False
    return bool(topic_filter) and "#" not in levels[:-1]


def _after_identifier(packet: Packet) -> PacketReader:
    reader = PacketReader(packet.body)
    reader.read(2)
    reader.properties(packet.level)
    if reader.at_end:
        raise PacketError("no topic filter")
    return reader
