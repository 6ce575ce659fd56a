"""Capture of the traffic with the cloud: one masked entry for each call, response and MQTT message.

Entries are logged at DEBUG to ``navien_nwp500.traffic``, as ``record.entry``; without a listener none
are created. They are masked before they are logged. Within a process a value always gets the same
mask, so heaters and clients stay distinguishable and responses still match their requests in a
replay. Masking a masked entry changes nothing; so an entry that masking would change is private.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping

from ..exceptions import ConfigurationError, ProtocolError
from .redaction import FIELD_MASKS, MAC, PATTERNS, logger, mask_value

IN, OUT = "in", "out"
REST, MQTT = "rest", "mqtt"
#: Reported for a line that cannot be parsed, and so cannot be checked.
UNREADABLE = "not an entry of a capture"

_LOGGER = logger("navien_nwp500.traffic")
#: Different in each process, so that nobody can find a MAC address by masking all of them.
_SALT = os.urandom(16)

_HEATER_MASK = re.compile(r"012345[0-9a-f]{6}")
_CLIENT_MASK = re.compile(r"client(-[0-9a-f]{8})?")
#: Home, user and client in a response topic (PROTOCOL 3.1).
_REPLY_TOPIC = re.compile(r"\b(cmd|evt)/(\d+)/(\d+)/(\d+)/([^/\s\"]+)")
#: Schedule entries of 6 bytes each (PROTOCOL 8.3), which look like MAC addresses and keys.
_PACKED = re.compile(r"([0-9a-f]{12})*")
#: A payload whose first byte is below the space is binary; its header ends with 4 MAC digits.
_SPACE = 0x20
_DEVICE_ID = slice(8, 16)


@dataclass(frozen=True)
class CaptureEntry:
    """One REST call, REST response or MQTT message.

    ``name`` is an MQTT topic, or a REST method and path. ``payload`` is a JSON value, text that is
    not JSON, the bytes of a binary frame, or the query of a REST call without a body. ``status`` is
    the HTTP status of a response.
    """

    time: datetime
    direction: str
    kind: str
    name: str
    payload: Any = None
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.direction} {self.kind} {self.name}"

    @property
    def content(self) -> bytes:
        """Payload as sent."""
        if isinstance(self.payload, bytes):
            return self.payload
        return json.dumps(self.payload, separators=(",", ":")).encode()

    @property
    def line(self) -> str:
        """Entry as a line of JSON, without the line end."""
        document: dict[str, Any] = {
            "time": self.time.isoformat(timespec="milliseconds"),
            "direction": self.direction,
            "kind": self.kind,
        }
        if self.kind == REST:
            document["method"], _, document["path"] = self.name.partition(" ")
        else:
            document["topic"] = self.name
        if self.status is not None:
            document["status"] = self.status
        if isinstance(self.payload, bytes):
            document["hex"] = self.payload.hex()
        else:
            document["payload"] = self.payload
        return json.dumps(document, separators=(",", ":"))


def parse_entry(line: str) -> CaptureEntry:
    """Parse a line of a capture file. Raises ProtocolError."""
    try:
        document = json.loads(line)
        kind, direction = document["kind"], document["direction"]
        name = document["topic"] if kind == MQTT else f"{document['method']} {document['path']}"
        time, status = datetime.fromisoformat(document["time"]), document.get("status")
        content = bytes.fromhex(document["hex"]) if "hex" in document else document["payload"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"{UNREADABLE} ({type(error).__name__})") from error
    known = kind in (REST, MQTT) and direction in (IN, OUT) and isinstance(name, str)
    if not known or time.tzinfo is None or not isinstance(status, (int, type(None))):
        raise ProtocolError(UNREADABLE)
    return CaptureEntry(time, direction, kind, name, content, status)


def read_capture(path: Path) -> list[CaptureEntry]:
    """Read the entries of a capture file, without an incomplete last line of a killed process.

    Raises ConfigurationError if it is not a capture file, or empty.
    """
    entries = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                break
            try:
                entries.append(parse_entry(line))
            except ProtocolError as error:
                raise ConfigurationError(f"{path}:{number}: {error}") from error
    if not entries:
        raise ConfigurationError(f"{path}: the capture contains no entries")
    return entries


# Logging


def log_call(
    direction: str, method: str, path: str, payload: Any, status: int | None = None
) -> None:
    """Log a REST call (``payload`` its body or query) or its response (bytes and HTTP status)."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        content = _content(payload) if isinstance(payload, bytes) else payload
        _log(CaptureEntry(_now(), direction, REST, f"{method} {path}", content, status))


def log_frame(direction: str, topic: str, payload: bytes) -> None:
    """Log an MQTT message."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        _log(CaptureEntry(_now(), direction, MQTT, topic, _content(payload)))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _log(entry: CaptureEntry) -> None:
    masked = mask_entry(entry)
    _LOGGER.debug("%s", masked, extra={"entry": masked})


def _content(payload: bytes) -> Any:
    if payload[:1] and payload[0] < _SPACE and not payload.isspace():
        return payload
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


# Masks


def mask_entry(entry: CaptureEntry) -> CaptureEntry:
    """Mask everything private in an entry; masking it again changes nothing."""
    payload: Any
    if isinstance(entry.payload, bytes):
        payload = bytes.fromhex(_Masker().hex(entry.payload.hex()))
    else:
        payload = _Masker().value(entry.payload)
    return replace(entry, name=_Masker().text(entry.name), payload=payload)


def find_private(line: str) -> list[str]:
    """Return the kinds, not the values, of private data in a line of a capture file."""
    try:
        parse_entry(line)
    except ProtocolError:
        return [UNREADABLE]
    masker = _Masker()
    masker.value(json.loads(line))
    return masker.found


class _Masker:
    """Masking of values, with a list of the kinds of data that were changed."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(one, str(name)) for name, one in value.items()}
        if isinstance(value, list):
            return [self.value(one, key) for one in value]
        if isinstance(value, str):
            return self._text_under(key, value)
        return self._changed(key, value, mask_value(key, value)) if key in FIELD_MASKS else value

    def text(self, text: str) -> str:
        """Mask text: topics and MAC addresses stay distinguishable, the rest as in the log."""
        text = self._changed("topic", text, _REPLY_TOPIC.sub(_mask_topic, text))
        for kind, regex, mask in PATTERNS:
            masked_text = regex.sub(_mask_mac if kind == MAC else mask, text)
            text = self._changed(kind, text, masked_text)
        return text

    def hex(self, digits: str) -> str:
        """Mask the header of a binary frame."""
        if len(digits) < _DEVICE_ID.stop:
            return digits
        device_id = "0123".encode().hex()
        whole = digits[: _DEVICE_ID.start] + device_id + digits[_DEVICE_ID.stop :]
        return str(self._changed(MAC, digits, whole))

    def _text_under(self, key: str, text: str) -> str:
        if key == "hex":
            return self.hex(text)
        if key == "reservation" and _PACKED.fullmatch(text):
            return text
        if key == "macAddress":
            return str(self._changed(key, text, _mac(text)))
        if key == "clientID":
            return str(self._changed(key, text, _client(text)))
        return (
            str(self._changed(key, text, mask_value(key, text)))
            if key in FIELD_MASKS
            else self.text(text)
        )

    def _changed(self, kind: str, before: Any, after: Any) -> Any:
        if before != after:
            self.found.append(kind)
        return after


def _mac(text: str) -> str:
    """Return a MAC address that no device can have: 01 begins a multicast address."""
    plain = re.sub("[:-]", "", text).lower()
    return plain if _HEATER_MASK.fullmatch(plain) else f"012345{_digest(plain)[:6]}"


def _client(text: str) -> str:
    return text if not text or _CLIENT_MASK.fullmatch(text) else f"client-{_digest(text)[:8]}"


def _mask_mac(found: re.Match[str]) -> str:
    return _mac(found[0])


def _mask_topic(found: re.Match[str]) -> str:
    home, user = FIELD_MASKS["homeSeq"], FIELD_MASKS["userSeq"]
    return f"{found[1]}/{found[2]}/{home}/{user}/{_client(found[5])}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=_SALT).hexdigest()
