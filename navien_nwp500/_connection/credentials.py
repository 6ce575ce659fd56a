"""Credentials that expire: tokens of the REST service, AWS credentials of the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Protocol, TypeVar

from ..protocol.account import UserInfo

#: Seconds. Clients in the field renew this long before the nominal expiry (PROTOCOL 1.6).
RENEW_EARLY = 300.0
#: Seconds. Lifetime of a token when the response states none (PROTOCOL 1.5).
TOKEN_LIFETIME = 3600.0


@dataclass(frozen=True)
class ExpiringCredentials:
    """Credentials to renew at ``expires_at``, seconds since the epoch."""

    expires_at: float

    @property
    def fresh(self) -> bool:
        """True until it is time to renew."""
        return time.time() < self.expires_at


@dataclass(frozen=True)
class Tokens(ExpiringCredentials):
    """Access and refresh token of the REST service."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True)
class AwsCredentials(ExpiringCredentials):
    """Temporary AWS credentials that sign the WebSocket handshake."""

    access_key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)


C = TypeVar("C", bound=ExpiringCredentials)


def usable(credentials: C | None, refused: C | None) -> C | None:
    """Return credentials that are fresh, and are not the refused ones; else None."""
    valid = credentials is not None and credentials.fresh and credentials != refused
    return credentials if valid else None


def later_of(ours: C | None, other: C | None) -> C | None:
    """Return the credentials that expire later; None counts as expired."""
    if ours is None or other is None:
        return ours or other
    return max(ours, other, key=lambda found: found.expires_at)


class CredentialsProvider(Protocol):
    """The part of ``NaviLinkAuth`` that a connection needs."""

    @property
    def user(self) -> UserInfo | None:
        """Owner of the account; its number is part of the reply topics."""

    @property
    def clock_skew(self) -> float | None:
        """Seconds the clock of the cloud is ahead of the local clock; None when unknown."""

    async def aws_credentials(self, *, refused: AwsCredentials | None = None) -> AwsCredentials:
        """Return valid AWS credentials, other than the ``refused`` ones."""


def parse_tokens(response: Mapping[str, Any], refresh_token: str = "") -> Tokens | None:
    """Read the tokens of a response; without a refresh token the given one stays valid."""
    access = response.get("accessToken")
    if not isinstance(access, str) or not access:
        return None
    refresh = str(response.get("refreshToken") or refresh_token)
    return Tokens(_renew_at(_token_lifetime(response)), access, refresh)


def parse_aws_credentials(response: Mapping[str, Any]) -> AwsCredentials | None:
    """Read the AWS credentials of a response; None unless all three parts are there."""
    names = ("accessKeyId", "secretKey", "sessionToken")
    parts = [response.get(name) for name in names]
    if not all(isinstance(part, str) and part for part in parts):
        return None
    # Missing or null, the lifetime of the token applies (PROTOCOL 1.5).
    lifetime = _seconds(response.get("authorizationExpiresIn"), _token_lifetime(response))
    return AwsCredentials(_renew_at(lifetime), *map(str, parts))


def _token_lifetime(response: Mapping[str, Any]) -> float:
    return _seconds(response.get("authenticationExpiresIn"), TOKEN_LIFETIME)


def _renew_at(lifetime: float) -> float:
    return time.time() + lifetime - min(RENEW_EARLY, lifetime / 4)


def _seconds(value: Any, default: float) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if usable else default
