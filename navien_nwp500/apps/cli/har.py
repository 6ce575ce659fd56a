"""REST calls of the Navien app from a HAR file, as a browser or a proxy writes it.

Only calls of the NaviLink API are read, and only their method, path, query, bodies and status: no
headers, no cookies, no other hosts.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from typing import Any, Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

from ...config import BASE_URL
from ...exceptions import ProtocolError
from ...protocol.capture import IN, OUT, REST, CaptureEntry, mask_entry

_HOST = urlsplit(BASE_URL).hostname
#: A capture leaves out the API version, which is part of the configured base URL.
_API_PATH = re.compile(r"/api/v[\d.]+(/.+)")


def parse_har(text: str) -> Iterator[CaptureEntry]:
    """Yield the calls by time, each followed by its response, masked. Raises ProtocolError."""
    try:
        calls = json.loads(text)["log"]["entries"]
        for call in sorted(calls, key=lambda one: str(one["startedDateTime"])):
            yield from map(mask_entry, _parse_call(call))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"this is not a HAR file ({type(error).__name__})") from error


def _parse_call(call: Mapping[str, Any]) -> Iterator[CaptureEntry]:
    request, response = call["request"], call["response"]
    url = urlsplit(request["url"])
    path = _API_PATH.fullmatch(url.path)
    if url.hostname != _HOST or path is None:
        return
    start = _parse_time(call["startedDateTime"])
    name = f"{request['method']} {path[1]}"
    body = _parse_json((request.get("postData") or {}).get("text"))
    query = dict(parse_qsl(url.query))
    yield CaptureEntry(start, OUT, REST, name, query if body is None else body)
    if not response["status"]:
        return  # 0: no response
    end = start + timedelta(milliseconds=max(float(call.get("time") or 0), 0))
    text = response["content"].get("text")
    if text is not None and response["content"].get("encoding") == "base64":
        text = base64.b64decode(text).decode("utf-8", "replace")
    yield CaptureEntry(end, IN, REST, name, _parse_json(text), int(response["status"]))


def _parse_time(text: str) -> datetime:
    # Before Python 3.11 ``fromisoformat`` accepts neither Z nor fractions of any length.
    text = re.sub(r"\.(\d+)", lambda found: f".{found[1][:6]:<06}", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(text)


def _parse_json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
