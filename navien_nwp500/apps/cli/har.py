"""Traffic of the Navien app from a HAR file, as a browser or a proxy writes it.

Only calls of the NaviLink API are read, and only their method, path, query, bodies and status; and
the MQTT messages in WebSocket frames to the broker (``_webSocketMessages`` of Chrome and mitmproxy). No
headers, no cookies, no other hosts.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Iterator, Mapping, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ...config import BASE_URL, WEBSOCKET_URLS
from ...exceptions import ProtocolError
from ...protocol.capture import IN, MQTT, OUT, REST, CaptureEntry, mask_entry, parse_content

if TYPE_CHECKING:
    from ...simulator.cloud.mqtt_packets import Packet, PacketSplitter

_HOST = urlsplit(BASE_URL).hostname
_BROKERS = {urlsplit(url).hostname for url in WEBSOCKET_URLS}
#: A capture leaves out the API version, which is part of the configured base URL.
_API_PATH = re.compile(r"/api/v[\d.]+(/.+)")
_BINARY_FRAME = 2
_DIRECTIONS = {"send": OUT, "receive": IN}


class HarContent(NamedTuple):
    """The masked calls and messages of a HAR file by time, and how many of its entries are damaged."""

    entries: list[CaptureEntry]
    damaged: int
    total: int


class _DamagedEntryError(Exception):
    """An entry that is not as HAR defines it."""


def parse_har(text: str) -> HarContent:
    """Parse a HAR file; a damaged entry costs that entry alone.

    Raises ProtocolError if it is no HAR file, ModuleNotFoundError naming the extra that messages
    in WebSocket frames need.
    """
    try:
        calls = list(json.loads(text)["log"]["entries"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(f"this is not a HAR file ({type(error).__name__})") from error
    found: list[CaptureEntry] = []
    damaged = 0
    for call in calls:
        try:
            for entry in _parse_entry(call):
                found.append(entry)
        except _DamagedEntryError:
            damaged += 1
    found.sort(key=lambda entry: entry.time)
    return HarContent([mask_entry(entry) for entry in found], damaged, len(calls))


def _parse_entry(call: Any) -> Iterator[CaptureEntry]:
    """Yield the content of an entry, nothing for another host. Raises _DamagedEntryError."""
    try:
        url = urlsplit(call["request"]["url"])
        if url.hostname == _HOST and _API_PATH.fullmatch(url.path):
            yield from _parse_call(call)
        elif url.hostname in _BROKERS:
            yield from _parse_frames(call.get("_webSocketMessages") or ())
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _DamagedEntryError from error


def _parse_call(call: Mapping[str, Any]) -> Iterator[CaptureEntry]:
    request, response = call["request"], call.get("response") or {}
    url = urlsplit(request["url"])
    path = _API_PATH.fullmatch(url.path)
    assert path is not None
    start = _parse_time(call["startedDateTime"])
    name = f"{request['method']} {path[1]}"
    body = _parse_json((request.get("postData") or {}).get("text"))
    query = dict(parse_qsl(url.query))
    yield CaptureEntry(start, OUT, REST, name, query if body is None else body)
    if not response.get("status"):
        return  # 0: no response
    end = start + timedelta(milliseconds=max(float(call.get("time") or 0), 0))
    content = response.get("content") or {}
    text = content.get("text")
    if text is not None and content.get("encoding") == "base64":
        text = base64.b64decode(text).decode("utf-8", "replace")
    yield CaptureEntry(end, IN, REST, name, _parse_json(text), int(response["status"]))


def _parse_frames(frames: Any) -> Iterator[CaptureEntry]:
    """Yield the MQTT messages of a WebSocket; a damaged frame costs its own messages."""
    from ...simulator.cloud.mqtt_fields import PacketError
    from ...simulator.cloud.mqtt_packets import CONNECT, PUBLISH, read_connect

    level, damaged = None, False
    splitters = {direction: _splitter(level) for direction in (OUT, IN)}
    for frame in frames:
        if frame["opcode"] != _BINARY_FRAME:
            continue
        direction = _DIRECTIONS[frame["type"]]
        when = datetime.fromtimestamp(float(frame["time"]), timezone.utc)
        try:
            for packet in splitters[direction].feed(base64.b64decode(frame["data"])):
                if packet.kind == CONNECT:
                    level = read_connect(packet).level
                    for splitter in splitters.values():
                        splitter.level = level
                elif packet.kind == PUBLISH:
                    yield _message(when, direction, packet)
        except (PacketError, ValueError):
            # The next frame begins with a new packet, as clients and brokers send them.
            splitters[direction], damaged = _splitter(level), True
    if damaged:
        raise _DamagedEntryError


def _splitter(level: int | None) -> PacketSplitter:
    from ...simulator.cloud.mqtt_fields import LEVEL_3_1_1
    from ...simulator.cloud.mqtt_packets import MAX_PACKET_BYTES, PacketSplitter

    return PacketSplitter(MAX_PACKET_BYTES, level or LEVEL_3_1_1)


def _message(when: datetime, direction: str, packet: Packet) -> CaptureEntry:
    from ...simulator.cloud.mqtt_packets import read_publish

    message = read_publish(packet)
    return CaptureEntry(when, direction, MQTT, message.topic, parse_content(message.payload))


def _parse_time(text: str) -> datetime:
    # Before Python 3.11 ``fromisoformat`` accepts neither Z nor fractions of any length.
    text = re.sub(r"\.(\d+)", lambda found: f".{found[1][:6]:<06}", text.replace("Z", "+00:00"))
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("a time without a zone")
    return when


def _parse_json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
