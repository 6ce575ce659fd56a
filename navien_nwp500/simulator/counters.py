"""What clients did to the cloud, counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counters:
    """Count what clients did since the cloud started.

    ``passwords`` counts every password received, ``sign_ins`` those that were right; ``handshakes``
    the WebSockets accepted; ``refusals`` the handshakes answered 403, by reason.
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
    violations: int = 0
    refusals: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Count one refused handshake and why."""
        self.refused_handshakes += 1
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
