"""Calls of the maker's app out of a HAR file, as a browser or a proxy writes it.

Only calls of the NaviLink REST API are taken, and of them method, path, query, bodies and status:
no header, no cookie, no other host.
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
#: The version of the API stands in a configuration's address, not in a recording.
_API = re.compile(r"/api/v[\d.]+(/.+)")


def entries_of_har(text: str) -> Iterator[CaptureEntry]:
    """The calls in their order, each with its answer, masked. Raises ProtocolError."""
    try:
        calls = json.loads(text)["log"]["entries"]
        for call in sorted(calls, key=lambda one: str(one["startedDateTime"])):
            yield from map(mask_entry, _call(call))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"this is no HAR file ({type(error).__name__})") from error


def _call(call: Mapping[str, Any]) -> Iterator[CaptureEntry]:
    asked, answer = call["request"], call["response"]
    url = urlsplit(asked["url"])
    path = _API.fullmatch(url.path)
    if url.hostname != _HOST or path is None:
        return
    began = _time(call["startedDateTime"])
    name = f"{asked['method']} {path[1]}"
    body = _json((asked.get("postData") or {}).get("text"))
    query = dict(parse_qsl(url.query))
    yield CaptureEntry(began, OUT, REST, name, query if body is None else body)
    # 0 is a call that was never answered.
    if answer["status"]:
        ended = began + timedelta(milliseconds=max(float(call.get("time") or 0), 0))
        content = answer["content"]
        said = content.get("text")
        if said is not None and content.get("encoding") == "base64":
            said = base64.b64decode(said).decode("utf-8", "replace")
        yield CaptureEntry(ended, IN, REST, name, _json(said), int(answer["status"]))


def _time(text: str) -> datetime:
    """Before Python 3.11 ``fromisoformat`` knows neither Z nor fractions of any length."""
    text = re.sub(r"\.(\d+)", lambda found: f".{found[1][:6]:<06}", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(text)


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
