"""Secrets with an end: what opens REST, and what signs the way to the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lease:
    """A secret with an end. ``expires_at`` is seconds since the epoch."""

    expires_at: float

    @property
    def fresh(self) -> bool:
        return time.time() < self.expires_at


@dataclass(frozen=True)
class Tokens(Lease):
    """What opens REST."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True)
class AwsKeys(Lease):
    """What signs the way to the broker."""

    access_key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
