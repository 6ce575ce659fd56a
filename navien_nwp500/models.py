"""How a heater's line is doing: one word, since when, and the counts behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class HealthState(Enum):
    """What a watcher can expect."""

    #: Nobody has connected, or the connection was closed.
    IDLE = "idle"
    #: The connection is being opened, or sought again.
    CONNECTING = "connecting"
    #: Connected, and the heater answers.
    ONLINE = "online"
    #: Connected, but polls stay unanswered; the connection is being tried.
    SILENT = "silent"
    #: The heater does not answer, over a fresh connection either.
    OFFLINE = "offline"


@dataclass(frozen=True)
class Health:
    """A line's state at one moment. Times carry their zone."""

    state: HealthState
    since: datetime
    #: When the newest status came; None before the first.
    last_status: datetime | None
    #: Times the connection was lost and found again.
    reconnects: int
    #: Polls unanswered in a row.
    missed: int
    #: Messages that could not be understood.
    bad_messages: int
