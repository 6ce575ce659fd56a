"""Counters of the simulated cloud."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGN_IN = "/user/sign-in"
#: Key in ``calls`` for all unknown paths.
UNKNOWN = "unknown"


@dataclass
class Counters:
    """Counts of what clients did since the cloud started.

    ``passwords`` counts all sign-in calls, ``sign_ins`` the successful ones; ``calls`` the REST
    calls by path; ``handshakes`` the accepted WebSockets, ``refusals`` the rejected ones by reason;
    ``takeovers`` the connections closed because another client used their client id.
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
    #: Most PUBLISHes of one connection in one second; AWS allows 100, in and out (PROTOCOL 2.3).
    most_publishes: int = 0
    #: PUBLISHes discarded because they were more than AWS allows.
    discarded_publishes: int = 0
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
        """Count one rejected handshake by its reason."""
        self.refused_handshakes += 1
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def opened(self) -> None:
        """Count one accepted WebSocket."""
        self.handshakes += 1
        self.open_connections += 1
        self.most_connections = max(self.most_connections, self.open_connections)

    def closed(self) -> None:
        """Count one closed WebSocket."""
        self.open_connections -= 1
