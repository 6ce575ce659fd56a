"""Topics, envelopes and binary frames of whole messages, without I/O.

The client builds requests and parses responses; the simulator does the reverse. Sources: PROTOCOL 3
(topics), PROTOCOL 4 (envelope), PROTOCOL 5 (commands). The binary header was specified for this
library; the layout after it is this project's own (PROTOCOL 4.5).
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Mapping

from ..exceptions import ProtocolError, UnsupportedDeviceError
from . import json_codec
from .commands import STATUS, Command
from .features import DeviceFeatures
from .fields import decode_fields, encode_fields, field_specs
from .status import DeviceStatus
from .types import DeviceType

DEVICE_TYPE = int(DeviceType.NWP500)
PROTOCOL_VERSION = 2
#: Largest payload that AWS IoT Core accepts (PROTOCOL 2.3).
MAX_PAYLOAD = 128 * 1024

#: Causes of pushed messages (``status.command``, PROTOCOL 5.4).
SNAPSHOT = 0
DEMAND_CHANGED = 0x04000004
OPERATION_MODE_CHANGED = 0x04000013
LOAD_SWITCHED = 0x0400001C


@dataclass(frozen=True)
class Address:
    """Identity of a heater in requests and topics.

    Every request needs one, so a device of another type cannot receive any: the same numbers mean
    something else there (PROTOCOL 16). Raises UnsupportedDeviceError for it, and ProtocolError.
    """

    mac_address: str
    additional_value: str
    home_seq: int = 0
    device_type: int = DEVICE_TYPE

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{12}", self.mac_address):
            raise ProtocolError("a MAC address must be 12 lower-case hexadecimal digits")
        if self.device_type != DEVICE_TYPE:
            raise UnsupportedDeviceError(
                f"{self} is {DeviceType(self.device_type).description}; only the NWP500, type "
                f"{DEVICE_TYPE}, can be read and controlled"
            )

    def __repr__(self) -> str:
        return f"Address(…{self.mac_address[-4:]})"

    def __str__(self) -> str:
        return f"heater …{self.mac_address[-4:]}"

    @property
    def topic(self) -> str:
        return f"cmd/{self.device_type}/navilink-{self.mac_address}"

    def command_topic(self, suffix: str) -> str:
        """Return the topic on which this heater receives a command."""
        return f"{self.topic}/{suffix}"

    @property
    def push_topic(self) -> str:
        """Topic on which this heater publishes pushed updates (inferred, PROTOCOL 3.4)."""
        return f"{self.topic}/res"

    @property
    def filter(self) -> str:
        """Topic filter for this heater: its pushes, and requests and responses of all clients."""
        return f"{self.topic}/#"


@dataclass(frozen=True)
class ReplyAddress:
    """Identity of the client in response topics."""

    client_id: str
    user_seq: int

    def reply_root(self, address: Address) -> str:
        return f"cmd/{address.device_type}/{address.home_seq}/{self.user_seq}/{self.client_id}"

    def reply_topic(self, address: Address, command: Command) -> str:
        """Return the response topic of a command; the heater uses it unchanged."""
        return f"{self.reply_root(address)}/{command.reply_suffix}"

    def reply_filter(self, address: Address) -> str:
        """Return the topic filter for all responses; ``res/#`` matches ``res`` itself."""
        return f"{self.reply_root(address)}/res/#"


@dataclass(frozen=True)
class Frame:
    """MQTT message: topic and payload."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Request:
    """Command as the heater receives it. ``session_id`` is empty in a binary frame."""

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
    """Response or pushed message of a heater. ``body`` is its ``response`` object."""

    topic: str
    mac_address: str | None
    client_id: str
    session_id: str
    body: Mapping[str, Any] = field(repr=False)
    #: Code of the answered command in a binary frame; JSON responses have a session id instead.
    binary_code: int | None = None

    @property
    def fail_code(self) -> int | None:
        """Code with which the heater rejected a control; None otherwise (PROTOCOL 4.4)."""
        code = self.body.get("failCode")
        return code if type(code) is int else None

    @cached_property
    def status(self) -> DeviceStatus | None:
        """Status, decoded once on first use; None when the message contains none.

        ``device_connected`` is 2: the heater has just responded over MQTT. Raises ProtocolError.
        """
        found = self.body.get("status")
        return None if found is None else decode_fields(DeviceStatus, found, device_connected=2)

    @cached_property
    def features(self) -> DeviceFeatures | None:
        """Features, decoded on first use; None when there are none. Raises ProtocolError."""
        found = self.body.get("feature")
        return None if found is None else decode_fields(DeviceFeatures, found)


# JSON, which the live service uses


def build_request(
    command: Command,
    address: Address,
    requester: ReplyAddress,
    session_id: str,
    body: Mapping[str, Any] | None = None,
) -> Frame:
    """Build the request of a command (PROTOCOL 4.1)."""
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


def build_reply(request: Request, address: Address, body: Mapping[str, Any]) -> Frame:
    """Build the response to a request: on its response topic, with its ids (PROTOCOL 4.2)."""
    payload = _response(request.client_id, request.session_id, request.topic, address, body)
    return Frame(request.reply_topic, payload)


def build_push(address: Address, client_id: str, count: int, body: Mapping[str, Any]) -> Frame:
    """Build a pushed message: its session id is one digit that counts (PROTOCOL 4.3)."""
    topic = address.command_topic(STATUS.suffix)
    payload = _response(client_id, str(count % 10), topic, address, body)
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
    """Parse a received message; None if it is a request and not a response.

    Requests of all clients, our own included, come back through the wildcard subscription and
    contain no ``response`` (PROTOCOL 3.7). Raises ProtocolError if the message is malformed.
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
        raise ProtocolError("response is not an object")
    mac = body.get("macAddress")
    return Message(
        topic,
        plain_mac(mac) if isinstance(mac, str) else _mac_in(topic),
        _text(envelope.get("clientID")),
        _text(envelope.get("sessionID")),
        body,
    )


def parse_request(topic: str, payload: bytes) -> Request | None:
    """Parse a command on the heater's side; None if it is a response.

    A binary frame names no client, so its response goes to the heater's push topic.
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
        raise ProtocolError("the request contains no command")
    return Request(
        topic,
        command,
        plain_mac(_text(body.get("macAddress"))),
        _text(body.get("additionalValue")),
        _text(envelope.get("clientID")),
        _text(envelope.get("sessionID")),
        _text(envelope.get("responseTopic")),
        body,
    )


def decode_status(payload: bytes | str) -> DeviceStatus:
    """Decode one status from a whole message, a bare status object, or a binary frame.

    The format is recognised by its content. ``device_connected`` stays None, because a stored
    payload does not contain it. Raises ProtocolError for anything else.
    """
    # A lone surrogate cannot be encoded; with "?" in its place the text stays invalid JSON.
    data = payload.encode(errors="replace") if isinstance(payload, str) else bytes(payload)
    if _is_binary(data):
        code, body = _parse_binary(data)
        if code != STATUS.code:
            raise ProtocolError(f"a binary frame of command {code} contains no status")
        return decode_fields(DeviceStatus, _binary_values(body))
    found: Any = _load(data)
    for key in ("response", "status"):
        found = found.get(key, found) if isinstance(found, dict) else found
    return decode_fields(DeviceStatus, found)


def encode_status(status: DeviceStatus) -> bytes:
    """Encode a status as the bare JSON object that a message contains."""
    return _dump(encode_fields(status))


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _load(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"{len(payload)} bytes, more than AWS IoT Core accepts ({MAX_PAYLOAD})")
    try:
        value = json_codec.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not valid JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"expected an object, not {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def plain_mac(text: str) -> str:
    """Return a MAC address as 12 lower-case digits, however it was written."""
    return re.sub("[:-]", "", text).lower()


def _mac_in(topic: str) -> str | None:
    found = re.match(r"cmd/\d+/navilink-([0-9A-Fa-f]{12})(/|$)", topic)
    return found.group(1).lower() if found else None


# Binary frames: >I command, the device id cut or zero-padded to 4 bytes, then the body

_HEADER = struct.Struct(">I4s")


def build_binary_request(command: Command, address: Address, payload: bytes = b"") -> Frame:
    """Build a command as a binary frame."""
    device_id = address.mac_address.encode()[:4].ljust(4, b"\0")
    header = _HEADER.pack(command.code, device_id)
    return Frame(address.command_topic(command.suffix), header + payload)


def build_binary_reply(request: Request, address: Address, status: DeviceStatus) -> Frame:
    """Build the status response to a binary command."""
    return Frame(request.reply_topic, encode_binary_status(status, address.mac_address))


def encode_binary_status(status: DeviceStatus, device_id: str) -> bytes:
    """Encode a status as a binary frame: signed 32-bit integers in the order of the field table.

    It ends before the first field that is None; ``extra`` is left out. Raises ProtocolError if a
    later field is not None, or a value needs more than 32 bits.
    """
    values = [getattr(status, entry.name) for entry in field_specs(DeviceStatus)]
    count = values.index(None) if None in values else len(values)
    if any(value is not None for value in values[count:]):
        raise ProtocolError(
            f"a binary frame cannot leave out field {count + 1}, because a later field has a value"
        )
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
