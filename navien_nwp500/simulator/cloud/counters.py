"""What clients did to the cloud, counted."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGN_IN = "/user/sign-in"
#: Every path the cloud does not know, counted as one.
UNKNOWN = "unknown"


@dataclass
class Counters:
    """Count what clients did since the cloud started.

    ``passwords`` counts the calls that carried one, answered or not, ``sign_ins`` those that were
    right; ``calls`` the REST calls by path; ``handshakes`` the WebSockets accepted, ``refusals``
    those refused, by reason; ``takeovers`` the connections ended by another with their client id.
    """

    requests: int = 0
    passwords: int = 0
    sign_ins: int = 0
    refreshes: int = 0
    session_refreshes: int = 0
    secured_sign_ins: int = 0
    unauthorized: int = 0
    handshakes: int = 0
    refused_handshakes: int = 0
    connects: int = 0
    takeovers: int = 0
    subscribes: int = 0
    publishes: int = 0
    #: Within one second on one connection; AWS takes 100 in and out (PROTOCOL 2.3).
    most_publishes: int = 0
    violations: int = 0
    open_connections: int = 0
    most_connections: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    def call(self, path: str) -> None:
        """Count one REST call."""
        self.requests += 1
        self.passwords += path == SIGN_IN
        self.calls[path] = self.calls.get(path, 0) + 1

    def refuse(self, reason: str) -> None:
        """Count one refused handshake and why."""
        self.refused_handshakes += 1
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def opened(self) -> None:
        """Count one WebSocket accepted."""
        self.handshakes += 1
        self.open_connections += 1
        self.most_connections = max(self.most_connections, self.open_connections)

    def closed(self) -> None:
        """Count one WebSocket gone."""
        self.open_connections -= 1
