"""Whole messages, without input or output: topics, envelopes, binary frames.

Client and simulator both read it, each its half. Facts: PROTOCOL 3 (topics), PROTOCOL 4
(envelope), PROTOCOL 5 (commands); the binary header is given by the design this library was asked for,
the layout after it is this project's own.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Mapping

from ..exceptions import ProtocolError
from . import json_codec
from .commands import STATUS, Command
from .features import DeviceFeatures
from .fields import decode_fields, encode_fields, field_specs
from .status import DeviceStatus

DEVICE_TYPE = 52
PROTOCOL_VERSION = 2
#: AWS IoT Core carries no larger payload (PROTOCOL 2.3).
MAX_PAYLOAD = 128 * 1024

#: What caused a push that answers nothing (``status.command``, PROTOCOL 5.4).
SNAPSHOT = 0
DEMAND_CHANGED = 0x04000004
OPERATION_MODE_CHANGED = 0x04000013
LOAD_SWITCHED = 0x0400001C


@dataclass(frozen=True)
class Address:
    """Which heater, as requests and topics name it."""

    mac_address: str
    additional_value: str
    home_seq: int = 0
    device_type: int = DEVICE_TYPE

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{12}", self.mac_address):
            raise ProtocolError("a MAC address is 12 lower-case hexadecimal digits")

    def __repr__(self) -> str:
        return f"Address(…{self.mac_address[-4:]})"

    def __str__(self) -> str:
        return f"heater …{self.mac_address[-4:]}"

    @property
    def topic(self) -> str:
        return f"cmd/{self.device_type}/navilink-{self.mac_address}"

    def command_topic(self, suffix: str) -> str:
        """Where this heater listens for a command."""
        return f"{self.topic}/{suffix}"

    @property
    def push_topic(self) -> str:
        """Where this heater publishes what nobody asked for (inferred, PROTOCOL 3.4)."""
        return f"{self.topic}/res"

    @property
    def filter(self) -> str:
        """Everything about this heater: its pushes, and the requests and answers of anybody."""
        return f"{self.topic}/#"


@dataclass(frozen=True)
class ReplyAddress:
    """Who asks: the names an answer comes back under."""

    client_id: str
    user_seq: int

    def reply_root(self, address: Address) -> str:
        return f"cmd/{address.device_type}/{address.home_seq}/{self.user_seq}/{self.client_id}"

    def reply_topic(self, address: Address, command: Command) -> str:
        """Where the answer is to go; the heater uses it unchanged."""
        return f"{self.reply_root(address)}/{command.reply_suffix}"

    def reply_filter(self, address: Address) -> str:
        """All answers to this requester; ``res/#`` matches ``res`` itself."""
        return f"{self.reply_root(address)}/res/#"


@dataclass(frozen=True)
class Frame:
    """What goes over the broker: a topic and its bytes."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Request:
    """A command to a heater, as it arrives there. ``session_id`` is empty in a binary frame."""

    topic: str
    code: int
    mac_address: str
    additional_value: str | None
    client_id: str
    session_id: str
    reply_topic: str
    body: Mapping[str, Any]
    binary: bool = False


@dataclass(frozen=True)
class Message:
    """An answer or a push of a heater. ``body`` is its ``response`` object."""

    topic: str
    mac_address: str | None
    client_id: str
    session_id: str
    body: Mapping[str, Any] = field(repr=False)
    #: The code a binary frame answers; JSON answers are known by their session id.
    binary_code: int | None = None

    @property
    def fail_code(self) -> int | None:
        """Why the heater refused a control; None when this is no refusal (PROTOCOL 4.4)."""
        code = self.body.get("failCode")
        return code if type(code) is int else None

    @cached_property
    def status(self) -> DeviceStatus | None:
        """Its status, decoded once for everybody; None when it carries none.

        ``device_connected`` is 2: the heater has just answered over MQTT. Raises ProtocolError.
        """
        found = self.body.get("status")
        return None if found is None else decode_fields(DeviceStatus, found, device_connected=2)

    @cached_property
    def features(self) -> DeviceFeatures | None:
        """Its features, decoded; None when it carries none. Raises ProtocolError."""
        found = self.body.get("feature")
        return None if found is None else decode_fields(DeviceFeatures, found)


# JSON, as the live service speaks it


def build_request(
    command: Command,
    address: Address,
    requester: ReplyAddress,
    session_id: str,
    body: Mapping[str, Any] | None = None,
) -> Frame:
    """Wrap a command for a heater (PROTOCOL 4.1)."""
    topic = address.command_topic(command.suffix)
    envelope = {
        "clientID": requester.client_id,
        "sessionID": session_id,
        "protocolVersion": PROTOCOL_VERSION,
        "request": {
            "command": command.code,
            "deviceType": address.device_type,
            "macAddress": address.mac_address,
            "additionalValue": address.additional_value,
            **(body or {}),
        },
        "requestTopic": topic,
        "responseTopic": requester.reply_topic(address, command),
    }
    return Frame(topic, _dump(envelope))


def build_reply(asked: Request, address: Address, body: Mapping[str, Any]) -> Frame:
    """Wrap a heater's answer: to the topic the request named, with its ids (PROTOCOL 4.2)."""
    payload = _response(asked.client_id, asked.session_id, asked.topic, address, body)
    return Frame(asked.reply_topic, payload)


def build_push(address: Address, client_id: str, count: int, body: Mapping[str, Any]) -> Frame:
    """Wrap what a heater says unasked: its session id is one digit, counting (PROTOCOL 4.3)."""
    asked = address.command_topic(STATUS.suffix)
    payload = _response(client_id, str(count % 10), asked, address, body)
    return Frame(address.push_topic, payload)


def _response(
    client_id: str, session_id: str, topic: str, address: Address, body: Mapping[str, Any]
) -> bytes:
    return _dump(
        {
            "protocolVersion": PROTOCOL_VERSION,
            "clientID": client_id,
            "sessionID": session_id,
            "requestTopic": topic,
            "response": {
                "deviceType": address.device_type,
                "macAddress": address.mac_address,
                "additionalValue": address.additional_value,
                **body,
            },
        }
    )


def parse_message(topic: str, payload: bytes) -> Message | None:
    """Understand what came from the broker; None when it is nobody's answer but a request.

    Requests of anybody, ours too, come back through the device's wildcard and carry no
    ``response`` (PROTOCOL 3.7). Raises ProtocolError when it cannot be understood.
    """
    if _is_binary(payload):
        if not topic.endswith("/res"):
            return None
        code, values = _parse_binary(payload)
        content = {"status": _binary_values(values)} if code == STATUS.code else {}
        return Message(topic, _mac_in(topic), "", "", content, binary_code=code)
    envelope = _load(payload)
    body = envelope.get("response")
    if body is None:
        return None
    if not isinstance(body, dict):
        raise ProtocolError("response is no object")
    mac = body.get("macAddress")
    return Message(
        topic,
        mac if isinstance(mac, str) else _mac_in(topic),
        _text(envelope.get("clientID")),
        _text(envelope.get("sessionID")),
        body,
    )


def parse_request(topic: str, payload: bytes) -> Request | None:
    """Understand a command, on the heater's side; None when it is an answer.

    A binary frame names nobody, so its answer goes to the heater's push topic.
    """
    mac = _mac_in(topic) or ""
    if _is_binary(payload):
        if topic.endswith("/res"):
            return None
        code, _ = _parse_binary(payload)
        return Request(topic, code, mac, None, "", "", f"{topic.rpartition('/')[0]}/res", {}, True)
    envelope = _load(payload)
    body = envelope.get("request")
    if not isinstance(body, dict):
        return None
    command = body.get("command")
    if type(command) is not int:
        raise ProtocolError("request names no command")
    return Request(
        topic,
        command,
        _text(body.get("macAddress")),
        _text(body.get("additionalValue")),
        _text(envelope.get("clientID")),
        _text(envelope.get("sessionID")),
        _text(envelope.get("responseTopic")),
        body,
    )


def decode_status(payload: bytes | str) -> DeviceStatus:
    """Decode one status from a whole message, a bare status object, or a binary frame.

    The format is recognised by its content. ``device_connected`` stays None: a stored payload
    does not tell. Raises ProtocolError for anything else.
    """
    # A lone surrogate cannot be encoded; "?" in its place is no more JSON than it was.
    data = payload.encode(errors="replace") if isinstance(payload, str) else bytes(payload)
    if _is_binary(data):
        code, body = _parse_binary(data)
        if code != STATUS.code:
            raise ProtocolError(f"a binary frame of command {code} holds no status")
        return decode_fields(DeviceStatus, _binary_values(body))
    found: Any = _load(data)
    for key in ("response", "status"):
        found = found.get(key, found) if isinstance(found, dict) else found
    return decode_fields(DeviceStatus, found)


def encode_status(status: DeviceStatus) -> bytes:
    """The bare JSON object of a status, as inside a message."""
    return _dump(encode_fields(status))


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _load(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"{len(payload)} bytes, more than AWS IoT carries ({MAX_PAYLOAD})")
    try:
        value = json_codec.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"an object was expected, not {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mac_in(topic: str) -> str | None:
    found = re.match(r"cmd/\d+/navilink-([0-9a-f]{12})(/|$)", topic)
    return found.group(1) if found else None


# Binary frames: >I command, the device id cut or zero-padded to 4 bytes, then the body

_HEADER = struct.Struct(">I4s")


def build_binary_request(command: Command, address: Address, payload: bytes = b"") -> Frame:
    """A command as a binary frame."""
    device_id = address.mac_address.encode()[:4].ljust(4, b"\0")
    header = _HEADER.pack(command.code, device_id)
    return Frame(address.command_topic(command.suffix), header + payload)


def build_binary_reply(asked: Request, address: Address, status: DeviceStatus) -> Frame:
    """A heater's status answer to a binary command."""
    return Frame(asked.reply_topic, encode_binary_status(status, address.mac_address))


def encode_binary_status(status: DeviceStatus, device_id: str) -> bytes:
    """A status as a binary frame: every field in the table's order, a signed 32-bit integer.

    It ends before the first field that was not sent; what ``extra`` holds has no place in it.
    Raises ProtocolError when a later field was sent, or a value needs more than 32 bits.
    """
    values = [getattr(status, entry.name) for entry in field_specs(DeviceStatus)]
    count = values.index(None) if None in values else len(values)
    if any(value is not None for value in values[count:]):
        raise ProtocolError(f"a gap before field {count + 1} cannot be said in a binary frame")
    try:
        body = struct.pack(f">{count}i", *values[:count])
    except struct.error as error:
        raise ProtocolError(f"a value does not fit 32 bits: {error}") from error
    return _HEADER.pack(STATUS.code, device_id.encode()[:4].ljust(4, b"\0")) + body


def _is_binary(payload: bytes) -> bool:
    return payload[:1] in (b"\x01", b"\x02", b"\x04")


def _parse_binary(payload: bytes) -> tuple[int, bytes]:
    if len(payload) < _HEADER.size:
        raise ProtocolError(f"a binary header has {_HEADER.size} bytes, this frame {len(payload)}")
    code, _ = _HEADER.unpack_from(payload)
    return code, payload[_HEADER.size :]


def _binary_values(body: bytes) -> dict[str, int]:
    entries = field_specs(DeviceStatus)
    count, rest = divmod(len(body), 4)
    core = max(index for index, entry in enumerate(entries, 1) if entry.required)
    if rest or not core <= count <= len(entries):
        raise ProtocolError(
            f"a binary status has {core} to {len(entries)} fields of 4 bytes, not {len(body)} bytes"
        )
    values = struct.unpack(f">{count}i", body)
    return {entry.key: value for entry, value in zip(entries, values)}
