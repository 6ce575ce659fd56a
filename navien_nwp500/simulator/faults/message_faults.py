"""Faults of single messages of the heaters, on their way from the broker to a client."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Iterable, Mapping, Sequence

from ..cloud import mqtt_packets
from ..cloud.accounts import HeaterRecord
from ..cloud.mqtt_packets import Packet, Publish
from .base import ClientConnection, Fault, FaultContext, PacketFault, check_choice

Packets = Iterable[Packet]

#: Invalid payloads by name.
GARBAGE: Mapping[str, bytes] = {
    "empty": b"",
    "text": b"hello",
    "not utf-8": b'{"response":"\xff\xfe"}',
    "cut": b'{"protocolVersion":2,"response":{"status":{"dhwTem',
    "list": b"[1]",
    "null": b'{"response":{"status":null}}',
    "nan": b'{"response":{"status":{"dhwTemperature":NaN}}}',
    "deep": b"[" * 100_000,
    "deep object": b'{"response":' * 10_000 + b"1" + b"}" * 10_000,
    "300 KB": b'{"response":{"status":"' + b"x" * 300_000 + b'"}}',
    "short frame": b"\x01\x00\x00",
}


@dataclass
class MessageFault(PacketFault):
    """A fault of some of the messages to a client; pass its parameters by name.

    ``kind`` is "responses", "pushes" or "all"; "all" includes requests that a wildcard subscription
    delivers. ``client``, ``heater`` (MAC address) and ``topic`` (may contain wildcards) restrict it.
    """

    kind: str = "all"
    client: str | None = None
    heater: str | None = None
    topic: str = "#"
    times: int | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("responses", "pushes", "all"))

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.PUBLISH or self.client not in (None, connection.client_id):
            return (packet,)
        message = mqtt_packets.read_publish(packet)
        if not self.applies_to(message) or not self.consume():
            return (packet,)
        return self.substitute(packet, message, connection)

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        """Return the packets the client gets in place of this message."""
        return (packet,)

    def applies_to(self, message: Publish) -> bool:
        """Return whether the fault concerns a message."""
        if not mqtt_packets.matches(self.topic, message.topic):
            return False
        if self.heater and self.heater not in message.topic:
            if self.heater.encode() not in message.payload:
                return False
        return self.kind in ("all", _kind(message))


@dataclass
class DropMessages(MessageFault):
    """Messages never arrive, although the connection works."""

    name = "drop_messages"

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        return ()


@dataclass
class DelayMessages(MessageFault):
    """Messages arrive ``seconds`` late; later messages overtake them."""

    name = "delay_messages"
    kind: str = "responses"
    seconds: float = 30.0

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        connection.send(_copy(packet, message), when=lambda: self.wait_cleared(self.seconds))
        return ()


@dataclass
class DuplicateMessages(MessageFault):
    """Messages arrive twice."""

    name = "duplicate_messages"
    kind: str = "responses"

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        return (packet, _copy(packet, message))


@dataclass
class ReorderMessages(MessageFault):
    """Messages arrive in pairs, the later one first.

    ``times`` counts messages, two to a pair.
    """

    name = "reorder_messages"
    kind: str = "responses"
    times: int | None = 2

    def on_inject(self, context: FaultContext) -> None:
        self._waiting: dict[ClientConnection, Packet] = {}

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        earlier = self._waiting.pop(connection, None)
        if earlier is not None:
            return (packet, earlier)
        self._waiting[connection] = _copy(packet, message)
        return ()

    def on_clear(self, context: FaultContext) -> None:
        for connection, packet in self._waiting.items():
            connection.send(packet)


@dataclass
class ForeignMessages(MessageFault):
    """A copy of each message arrives before it that belongs to another client.

    The copy has this ``client_id``, ``session_id`` or ``mac_address`` (without any of them, another
    client id and session id) and ``values`` in its status. With ``replace`` the true message never
    arrives.
    """

    name = "foreign_messages"
    kind: str = "responses"
    client_id: str | None = None
    session_id: str | None = None
    mac_address: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        copy = _changed(packet, message, self._change)
        return (copy,) if self.replace else (copy, packet)

    def _change(self, envelope: dict[str, Any]) -> None:
        if self.client_id is self.session_id is self.mac_address is None:
            envelope.update(clientID="somebody-else", sessionID="1000000000000")
        if self.client_id is not None:
            envelope["clientID"] = self.client_id
        if self.session_id is not None:
            envelope["sessionID"] = self.session_id
        response = envelope.get("response")
        if isinstance(response, dict):
            if self.mac_address is not None:
                response["macAddress"] = self.mac_address
            if isinstance(response.get("status"), dict):
                response["status"].update(self.values)


@dataclass
class ChangeFields(MessageFault):
    """Messages have other ``values`` in the fields of a ``section``, "status" or "feature".

    The section "response" is all of the response. Every JSON value is possible. New keys are added;
    the keys in ``missing`` are removed.
    """

    name = "change_fields"
    values: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[str] = ()
    section: str = "status"

    def applies_to(self, message: Publish) -> bool:
        return super().applies_to(message) and bool(self._section(_envelope(message)))

    def substitute(self, packet: Packet, message: Publish, connection: ClientConnection) -> Packets:
        return (_changed(packet, message, self._change),)

    def _change(self, envelope: dict[str, Any]) -> None:
        section = self._section(envelope)
        section.update(self.values)
        for key in self.missing:
            section.pop(key, None)

    def _section(self, envelope: dict[str, Any]) -> dict[str, Any]:
        response = envelope.get("response")
        section = response.get(self.section) if isinstance(response, dict) else None
        section = response if self.section == "response" else section
        return section if isinstance(section, dict) else {}


@dataclass
class InjectMessage(Fault):
    """All clients, or one ``client``, get a message at once that no heater has sent.

    It has this ``payload``, or one of ``garbage``: empty, text, not utf-8, cut, list, null, nan,
    deep, deep object, 300 KB, short frame. It comes on ``topic``; without one, on the push topic of
    ``heater``, by default the first heater.
    """

    name = "inject_message"
    times = 0
    payload: bytes = b""
    garbage: str | None = None
    topic: str | None = None
    heater: str | None = None
    client: str | None = None

    def __post_init__(self) -> None:
        if self.garbage is not None:
            check_choice("garbage", self.garbage, GARBAGE)

    def on_inject(self, context: FaultContext) -> None:
        payload = self.payload if self.garbage is None else GARBAGE[self.garbage]
        heater = self.heater or context.heaters[0].mac_address
        topic = self.topic or f"cmd/52/navilink-{heater}/res"
        for connection in context.connections:
            client_id = connection.client_id
            if client_id is not None and self.client in (None, client_id):
                connection.send(mqtt_packets.publish(topic, payload, connection.level))


@dataclass
class HeaterOffline(PacketFault):
    """A ``heater`` (MAC address), or every one, is offline.

    REST reports it offline. Its requests are acknowledged and lost; it sends nothing.
    """

    name = "heater_offline"
    OFFLINE: ClassVar[int] = 1
    heater: str | None = None

    def on_inject(self, context: FaultContext) -> None:
        affected = [one for one in context.heaters if self.heater in (None, one.mac_address)]
        self._before: list[tuple[HeaterRecord, int]] = [(one, one.connected) for one in affected]
        for record in affected:
            record.connected = self.OFFLINE

    def on_clear(self, context: FaultContext) -> None:
        for record, connected in self._before:
            record.connected = connected

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        return () if self._concerns(packet) else (packet,)

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        return () if self._concerns(packet) else (packet,)

    def _concerns(self, packet: Packet) -> bool:
        if packet.kind != mqtt_packets.PUBLISH:
            return False
        return any(record.mac_address.encode() in packet.body for record, _ in self._before)


def _kind(message: Publish) -> str:
    """Return the kind of a message.

    A push has a session id of one digit; a response repeats that of its request (PROTOCOL 4.3).
    """
    if "res" not in message.topic.split("/"):
        return "requests"
    session_id = _envelope(message).get("sessionID")
    return "pushes" if isinstance(session_id, str) and len(session_id) == 1 else "responses"


def _envelope(message: Publish) -> dict[str, Any]:
    try:
        found = json.loads(message.payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed(packet: Packet, message: Publish, change: Callable[[dict[str, Any]], None]) -> Packet:
    envelope = _envelope(message)
    if not envelope:
        return _copy(packet, message)
    change(envelope)
    payload = json.dumps(envelope, separators=(",", ":")).encode()
    return mqtt_packets.publish(message.topic, payload, packet.level)


def _copy(packet: Packet, message: Publish) -> Packet:
    return mqtt_packets.publish(message.topic, message.payload, packet.level)


@dataclass
class ReportError(Fault):
    """The cloud reports this last error of a ``heater`` (MAC address), or of every one.

    ``code`` None is a heater without a code, ``time`` is in ISO 8601. The heater's own status
    does not change: see "change_fields".
    """

    name = "report_error"
    code: int | None = 0
    time: str | None = "2026-01-02T03:04:05.000Z"
    heater: str | None = None

    def on_inject(self, context: FaultContext) -> None:
        affected = [one for one in context.heaters if self.heater in (None, one.mac_address)]
        self._before = [(one, one.error_code, one.error_time) for one in affected]
        for record in affected:
            record.error_code, record.error_time = self.code, self.time

    def on_clear(self, context: FaultContext) -> None:
        for record, code, time in self._before:
            record.error_code, record.error_time = code, time
