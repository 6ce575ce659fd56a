"""Fields of MQTT packets: numbers, texts, the properties and reason codes of MQTT 5.

OASIS, section 1.5 of both versions and section 2 of MQTT 5.
"""

from __future__ import annotations

from typing import Mapping

LEVEL_3_1_1, LEVEL_5 = 4, 5

#: Reason codes of MQTT 5 (section 2.4).
MALFORMED_PACKET, PROTOCOL_ERROR, NOT_AUTHORIZED = 0x81, 0x82, 0x87
KEEP_ALIVE_TIMEOUT, SESSION_TAKEN_OVER = 0x8D, 0x8E
TOPIC_ALIAS_INVALID, PACKET_TOO_LARGE = 0x94, 0x95
QUOTA_EXCEEDED, QOS_NOT_SUPPORTED = 0x97, 0x9B

#: Properties of a CONNACK (MQTT 5, 3.2.2.3), and of a PUBLISH.
ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM = 0x12, 0x13, 0x21, 0x22
MAXIMUM_QOS, MAXIMUM_PACKET_SIZE, SUBSCRIPTION_IDENTIFIERS = 0x24, 0x27, 0x29
TOPIC_ALIAS = 0x23

#: Bytes of a property by its identifier; texts and pairs of texts are read apart.
PROPERTY_BYTES: Mapping[int, int] = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_TEXT_PROPERTIES = (0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F)
_SUBSCRIPTION_IDENTIFIER, _USER_PROPERTY = 0x0B, 0x26

LENGTH_BYTES = 4


class PacketError(Exception):
    """An invalid MQTT packet, or one over a limit; ``reason`` is its reason code of MQTT 5."""

    def __init__(self, text: str, reason: int = MALFORMED_PACKET) -> None:
        super().__init__(text)
        self.reason = reason


class PacketReader:
    """A reader of the fields of a packet body. Raises PacketError at its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.at = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self._body)

    def read(self, count: int) -> bytes:
        piece = self._body[self.at : self.at + count]
        if len(piece) < count:
            raise PacketError("packet ends too early")
        self.at += count
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.read(count), "big")

    def rest(self) -> bytes:
        return self._body[self.at :]

    def length(self) -> int:
        """Read a length of one to four bytes with seven bits each."""
        found = 0
        for index in range(LENGTH_BYTES):
            byte = self.number(1)
            found |= (byte & 0x7F) << (7 * index)
            if not byte & 0x80:
                return found
        raise PacketError("length field does not end")

    def properties(self, level: int) -> bytes:
        return self.read(self.length()) if level == LEVEL_5 else b""

    def data(self) -> bytes:
        return self.read(self.number(2))

    def text(self) -> str:
        try:
            return self.data().decode()
        except UnicodeDecodeError as error:
            raise PacketError("text is not UTF-8") from error


def read_properties(data: bytes) -> dict[int, int]:
    """Read the numbers among the properties of a packet. Raise PacketError."""
    reader, found = PacketReader(data), {}
    while not reader.at_end:
        identifier = reader.number(1)
        if identifier in PROPERTY_BYTES:
            found[identifier] = reader.number(PROPERTY_BYTES[identifier])
        elif identifier == _SUBSCRIPTION_IDENTIFIER:
            found[identifier] = reader.length()
        elif identifier in _TEXT_PROPERTIES:
            reader.data()
        elif identifier == _USER_PROPERTY:
            reader.data(), reader.data()
        else:
            raise PacketError(f"property {identifier}")
    return found
