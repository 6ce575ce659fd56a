"""What can go wrong with single messages of the heaters, on their way from broker to client.

::

    sim.faults.set(Late(seconds=3, times=1))
    sim.faults.set(Fields(values={"errorCode": 799}, missing=["dhwTemperature"]))
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Iterable, Mapping, Sequence

from ..cloud import mqtt_packets
from ..cloud.accounts import HeaterRecord
from ..cloud.mqtt_packets import Packet, Publish
from .base import ClientConnection, Fault, FaultContext, PacketFault, choose

#: Payloads that are no message, by name.
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
    """A fault of some of the messages to a client; its parameters are given by their names.

    ``what``: "answers", "pushes", or "all", requests seen through a wildcard too. Only those to one
    ``client``, of one ``heater`` (MAC address), under ``topic`` (may hold wildcards).
    """

    what: str = "all"
    client: str | None = None
    heater: str | None = None
    topic: str = "#"
    times: int | None = None

    def __post_init__(self) -> None:
        choose("what", self.what, ("answers", "pushes", "all"))

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.PUBLISH or self.client not in (None, line.client_id):
            return (packet,)
        message = mqtt_packets.read_publish(packet)
        if not self.is_meant(message) or not self.use():
            return (packet,)
        return self.instead(packet, message, line)

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        """Give what the client gets in place of this message."""
        return (packet,)

    def is_meant(self, message: Publish) -> bool:
        """Whether it is one of those messages."""
        if not mqtt_packets.matches(self.topic, message.topic):
            return False
        if self.heater and self.heater not in message.topic:
            if self.heater.encode() not in message.payload:
                return False
        return self.what == "all" or self.what == _kind(message)


@dataclass
class DropMessages(MessageFault):
    """Messages never arrive, though the connection stands."""

    name = "deaf"

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        return ()


@dataclass
class DelayMessages(MessageFault):
    """Messages arrive ``seconds`` late; what comes meanwhile overtakes them."""

    name = "late"
    what: str = "answers"
    seconds: float = 30.0

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        line.send(_again(packet, message), when=lambda: self.hold(self.seconds))
        return ()


@dataclass
class DuplicateMessages(MessageFault):
    """Messages arrive twice."""

    name = "doubled"
    what: str = "answers"

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        return (packet, _again(packet, message))


@dataclass
class ReorderMessages(MessageFault):
    """Messages wait for the next one and arrive after it: pairs in the wrong order.

    ``times`` counts messages, two to a pair.
    """

    name = "swapped"
    what: str = "answers"
    times: int | None = 2

    def begin(self, scene: FaultContext) -> None:
        self._waiting: dict[ClientConnection, Packet] = {}

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        earlier = self._waiting.pop(line, None)
        if earlier is not None:
            return (packet, earlier)
        self._waiting[line] = _again(packet, message)
        return ()

    def end(self, scene: FaultContext) -> None:
        for line, packet in self._waiting.items():
            line.send(packet)


@dataclass
class ForeignMessages(MessageFault):
    """Before each message comes one like it that is somebody else's.

    It has another ``client_id``, ``session_id`` or ``mac_address`` (if none is given, the first two)
    and ``values`` in its status. With ``instead_of_it`` the true one never comes.
    """

    name = "foreign"
    what: str = "answers"
    client_id: str | None = None
    session_id: str | None = None
    mac_address: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    instead_of_it: bool = False

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        copy = _changed(packet, message, self._change)
        return (copy,) if self.instead_of_it else (copy, packet)

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
    """Fields of a ``section`` of messages, "status" or "feature", have other ``values``.

    Any JSON value; keys the heater does not have are added, those in ``missing`` taken out.
    """

    name = "fields"
    values: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[str] = ()
    section: str = "status"

    def is_meant(self, message: Publish) -> bool:
        return super().is_meant(message) and bool(self._section(_envelope(message)))

    def instead(self, packet: Packet, message: Publish, line: ClientConnection) -> Iterable[Packet]:
        return (_changed(packet, message, self._change),)

    def _change(self, envelope: dict[str, Any]) -> None:
        section = self._section(envelope)
        section.update(self.values)
        for key in self.missing:
            section.pop(key, None)

    def _section(self, envelope: dict[str, Any]) -> dict[str, Any]:
        response = envelope.get("response")
        section = response.get(self.section) if isinstance(response, dict) else None
        return section if isinstance(section, dict) else {}


@dataclass
class InjectMessage(Fault):
    """A client, or every one, gets a message now that no heater has sent.

    ``payload`` as it is, or one of ``garbage``: empty, text, not utf-8, cut, list, null, nan, deep,
    deep object, 300 KB, short frame. On ``topic``; without it on the push topic of ``heater``, the
    first one's if there is none.
    """

    name = "inject"
    times = 0
    payload: bytes = b""
    garbage: str | None = None
    topic: str | None = None
    heater: str | None = None
    client: str | None = None

    def __post_init__(self) -> None:
        if self.garbage is not None:
            choose("garbage", self.garbage, GARBAGE)

    def begin(self, scene: FaultContext) -> None:
        payload = self.payload if self.garbage is None else GARBAGE[self.garbage]
        heater = self.heater or scene.heaters[0].mac_address
        topic = self.topic or f"cmd/52/navilink-{heater}/res"
        for line in scene.lines:
            if line.client_id is not None and self.client in (None, line.client_id):
                line.send(mqtt_packets.publish(topic, payload, line.level))


@dataclass
class HeaterOffline(PacketFault):
    """A ``heater`` (MAC address), or every one, is offline.

    REST says so, requests are acknowledged and never reach it, nothing comes from it.
    """

    name = "heater_offline"
    OFFLINE: ClassVar[int] = 1
    heater: str | None = None

    def begin(self, scene: FaultContext) -> None:
        concerned = [one for one in scene.heaters if self.heater in (None, one.mac_address)]
        self._before: list[tuple[HeaterRecord, int]] = [(one, one.connected) for one in concerned]
        for record in concerned:
            record.connected = self.OFFLINE

    def end(self, scene: FaultContext) -> None:
        for record, connected in self._before:
            record.connected = connected

    def from_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        return () if self._is_meant(packet) else (packet,)

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        return () if self._is_meant(packet) else (packet,)

    def _is_meant(self, packet: Packet) -> bool:
        if packet.kind != mqtt_packets.PUBLISH:
            return False
        return any(record.mac_address.encode() in packet.body for record, _ in self._before)


def _kind(message: Publish) -> str:
    """A push counts with one digit where an answer repeats the request's id (PROTOCOL 4.3)."""
    if "res" not in message.topic.split("/"):
        return "requests"
    session_id = _envelope(message).get("sessionID")
    return "pushes" if isinstance(session_id, str) and len(session_id) == 1 else "answers"


def _envelope(message: Publish) -> dict[str, Any]:
    try:
        found = json.loads(message.payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed(packet: Packet, message: Publish, change: Callable[[dict[str, Any]], None]) -> Packet:
    envelope = _envelope(message)
    if not envelope:
        return _again(packet, message)
    change(envelope)
    payload = json.dumps(envelope, separators=(",", ":")).encode()
    return mqtt_packets.publish(message.topic, payload, packet.level)


def _again(packet: Packet, message: Publish) -> Packet:
    return mqtt_packets.publish(message.topic, message.payload, packet.level)
