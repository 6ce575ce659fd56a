"""Capture of the traffic with the cloud: one masked entry for each call, response and MQTT message.

Entries are logged at DEBUG to ``navien_nwp500.traffic``, as ``record.entry``; without a listener none
are created. They are masked before they are logged. Within a process a value always gets the same
mask, so heaters and clients stay distinguishable and responses still match their requests in a
replay. Masking a masked entry changes nothing; so an entry that masking would change is private.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterable

from ..exceptions import ConfigurationError, ProtocolError
from .capture_masks import Masker, is_mask, search_private
from .redaction import MASK, logger

IN, OUT = "in", "out"
REST, MQTT = "rest", "mqtt"
#: A larger payload is masked whole: no heater sends one, and reading it would hold up the event loop.
MAX_PAYLOAD_BYTES = 32 * 1024
#: Reported for a line that cannot be parsed, and so cannot be checked.
UNREADABLE = "not an entry of a capture"
#: Reported for a line that holds more than an entry, or writes it in another way.
BESIDE = "a text beside the entry"

_LOGGER = logger("navien_nwp500.traffic")

#: A payload whose first byte is below the space is binary.
_SPACE = 0x20


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
        content = parse_content(payload) if isinstance(payload, bytes) else payload
        _log(CaptureEntry(_now(), direction, REST, f"{method} {path}", content, status))


def log_frame(direction: str, topic: str, payload: bytes) -> None:
    """Log an MQTT message."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        _log(CaptureEntry(_now(), direction, MQTT, topic, parse_content(payload)))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _log(entry: CaptureEntry) -> None:
    masked = mask_entry(entry)
    _LOGGER.debug("%s", masked, extra={"entry": masked})


def parse_content(payload: bytes) -> Any:
    """Return a payload as a JSON value, text, or the bytes of a binary frame; a huge one masked."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return MASK
    if payload[:1] and payload[0] < _SPACE and not payload.isspace():
        return payload
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


# Masks


def mask_entry(entry: CaptureEntry) -> CaptureEntry:
    """Mask everything in an entry that is not known to be harmless; twice changes nothing."""
    masker = Masker(entry.kind == MQTT)
    return replace(entry, name=masker.name(entry.name), payload=masker.payload(entry.payload))


def find_values(text: str, private: Iterable[str]) -> int:
    """Return how many of these private values the text of a capture contains, in any case.

    Values of fewer than five characters are not searched, because they are part of other words; a
    value of letters alone is searched as a whole text, because keys are such words too.
    """
    text, found = text.casefold(), 0
    for value in {one.casefold() for one in private if len(one) >= 5 and not is_mask(one)}:
        quoted = json.dumps(value)
        if value.isalpha():
            found += quoted in text.replace(f"{quoted}:", "")
        else:
            found += value in text or quoted[1:-1] in text
    return found


def find_private(line: str) -> list[str]:
    """Return the kinds, not the values, of private data in a line of a capture file.

    Everything that masking would change is reported, and by a search of the line itself what looks
    private although masking would keep it.
    """
    try:
        entry = parse_entry(line)
    except ProtocolError:
        return [UNREADABLE]
    masker = Masker(entry.kind == MQTT)
    masker.name(entry.name)
    masker.payload(entry.payload)
    beside = [] if entry.line == line.rstrip("\r\n") else [BESIDE]
    return [*beside, *masker.found, *search_private(line)]
