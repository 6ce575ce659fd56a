"""Verification of the signature of a WebSocket handshake, as AWS IoT does it; no I/O.

The request is a presigned GET (AWS Signature Version 4, parameters in the query). AWS IoT expects
``X-Amz-Security-Token`` in the query but not in the signed text (source: a request with a signed
token is rejected with 403).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Callable, Iterable
from urllib.parse import quote, unquote

REGION = "us-east-1"
SERVICE = "iotdevicegateway"
ALGORITHM = "AWS4-HMAC-SHA256"
#: AWS rejects a request whose date differs by more than this (source: AWS SigV4 reference).
MAX_SKEW_SECONDS = 300

_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_UNSIGNED = frozenset({"X-Amz-Signature", "X-Amz-Security-Token"})
_EMPTY_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class IssuedKeys:
    """One set of temporary AWS keys; ``expires_at`` in seconds since the epoch."""

    access_key_id: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float


class SignatureRejected(Exception):
    """A handshake that AWS would answer with 403; the text is for logs and counters only."""


@dataclass(frozen=True)
class _Signed:
    """The parts of a presigned request."""

    access_key_id: str
    scope: str
    date: str
    signed_headers: str
    token: str
    signature: str
    query: str


def verify(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    find_keys: Callable[[str], IssuedKeys | None],
    now: float,
) -> IssuedKeys:
    """Return the keys that signed a request.

    ``target`` is the request target as received, with its query; ``now`` is in seconds since the
    epoch. Raise SignatureRejected with the first error found.
    """
    path, _, raw_query = target.partition("?")
    signed = _read(raw_query)
    _check_scope(signed)
    keys = find_keys(signed.access_key_id)
    if keys is None:
        raise SignatureRejected("unknown key")
    if not _same(signed.token, keys.session_token):
        raise SignatureRejected("wrong token")
    if now >= keys.expires_at:
        raise SignatureRejected("expired key")
    _check_date(signed.date, now)
    canonical = _canonical_request(method, path, signed, headers)
    if not _same(signed.signature, sign(canonical, keys.secret_key, signed.date, signed.scope)):
        raise SignatureRejected("wrong signature")
    return keys


def sign(canonical_request: str, secret_key: str, date: str, scope: str) -> str:
    """Return the signature of a canonical request in hex; ``date`` like 20260101T000000Z."""
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = ("AWS4" + secret_key).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join((ALGORITHM, date, scope, digest))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _read(raw_query: str) -> _Signed:
    pairs = [_decoded(part) for part in raw_query.split("&") if part]
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise SignatureRejected("repeated parameter")
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise SignatureRejected("not signed")
    try:
        access_key_id, _, scope = fields["X-Amz-Credential"].partition("/")
        return _Signed(
            access_key_id=access_key_id,
            scope=scope,
            date=fields["X-Amz-Date"],
            signed_headers=fields["X-Amz-SignedHeaders"],
            token=fields.get("X-Amz-Security-Token", ""),
            signature=fields["X-Amz-Signature"],
            query=_canonical_query(pairs),
        )
    except KeyError as error:
        raise SignatureRejected(f"no {error.args[0]}") from error


def _decoded(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote(name), unquote(value)


def _canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    encoded = ((_quoted(name), _quoted(value)) for name, value in pairs if name not in _UNSIGNED)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _canonical_request(
    method: str, path: str, signed: _Signed, headers: Iterable[tuple[str, str]]
) -> str:
    received: dict[str, str] = {}
    for name, value in headers:
        name, value = name.lower(), " ".join(value.split())
        received[name] = f"{received[name]},{value}" if name in received else value
    names = signed.signed_headers.split(";")
    if "host" not in names or any(name not in received for name in names):
        raise SignatureRejected("signed header missing")
    lines = "".join(f"{name}:{received[name]}\n" for name in names)
    parts = (method, path, signed.query, lines, signed.signed_headers, _EMPTY_BODY)
    return "\n".join(parts)


def _check_scope(signed: _Signed) -> None:
    if signed.scope != f"{signed.date[:8]}/{REGION}/{SERVICE}/aws4_request":
        raise SignatureRejected("wrong scope")


def _check_date(date: str, now: float) -> None:
    try:
        moment = datetime.strptime(date, _DATE_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise SignatureRejected("date unreadable") from error
    if abs(moment.timestamp() - now) > MAX_SKEW_SECONDS:
        raise SignatureRejected("stale date")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
