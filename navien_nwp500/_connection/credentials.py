"""Secrets with an end: what opens REST, and what signs the way to the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Mapping

#: Clients in the field renew this long before the nominal end (protocol 1.6), seconds.
EARLY = 300.0
#: What a token lives when the answer does not say (protocol 1.5), seconds.
TOKEN_LIFE = 3600.0


@dataclass(frozen=True)
class ExpiringCredentials:
    """A secret with an end. ``expires_at`` is seconds since the epoch."""

    expires_at: float

    @property
    def fresh(self) -> bool:
        return time.time() < self.expires_at


@dataclass(frozen=True)
class Tokens(ExpiringCredentials):
    """What opens REST."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True)
class AwsCredentials(ExpiringCredentials):
    """What signs the way to the broker."""

    access_key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


def parse_tokens(answer: Mapping[str, Any], refresh_token: str = "") -> Tokens | None:
    """The tokens an answer brings; one without a refresh token leaves ``refresh_token`` in force."""
    access = answer.get("accessToken")
    if not isinstance(access, str) or not access:
        return None
    return Tokens(
        _end(_token_life(answer)), access, str(answer.get("refreshToken") or refresh_token)
    )


def parse_aws_credentials(answer: Mapping[str, Any]) -> AwsCredentials | None:
    """The keys an answer brings, all three or none."""
    names = ("accessKeyId", "secretKey", "sessionToken")
    parts = [answer.get(name) for name in names]
    if not all(isinstance(part, str) and part for part in parts):
        return None
    # Missing or null, the token's own lifetime stands for it (protocol 1.5).
    life = _seconds(answer.get("authorizationExpiresIn"), _token_life(answer))
    return AwsCredentials(_end(life), *map(str, parts))


def _token_life(answer: Mapping[str, Any]) -> float:
    return _seconds(answer.get("authenticationExpiresIn"), TOKEN_LIFE)


def _end(life: float) -> float:
    return time.time() + life - min(EARLY, life / 4)


def _seconds(value: Any, default: float) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if usable else default
