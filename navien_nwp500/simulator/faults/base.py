"""Base classes of the faults, and the parts of the cloud that a fault may change.

A fault is one dataclass with a ``name``. Its fields are its parameters; its docstring explains
them. Every subclass of ``Fault`` is listed, and can be injected over HTTP, without more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import (
    AbstractSet,
    Awaitable,
    Callable,
    ClassVar,
    Collection,
    Iterable,
    Protocol,
    Sequence,
)

from aiohttp import web

from ..._util.aio import ignore_lost_transport
from ...protocol.messages import Request
from ..cloud.accounts import AccountBook, HeaterRecord
from ..cloud.mqtt_packets import Packet
from ..heater.query_handler import HeaterReply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CloudTime:
    """The cloud's clock in seconds since the epoch, ``wrong_by`` seconds ahead of the true time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.wrong_by = 0.0
        self._now = now

    def __call__(self) -> float:
        return self._now() + self.wrong_by


class ClientConnection(Protocol):
    """The connection of one client to the broker, as faults see it."""

    @property
    def client_id(self) -> str | None:
        """Return the client id of the CONNECT packet, None before it."""

    @property
    def level(self) -> int:
        """Return the MQTT protocol level: 4 for 3.1.1, 5 for MQTT 5."""

    @property
    def filters(self) -> AbstractSet[str]:
        """Return the topic filters the client has subscribed to."""

    def cut(self) -> None:
        """Close the connection at once, without DISCONNECT to either side."""

    def take_over(self) -> None:
        """Close the connection as if another client had connected with the same id."""

    def pause(self) -> None:
        """Stop the traffic in both directions, without closing the connection."""

    def resume(self) -> None:
        """Continue the traffic, beginning with the packets held back."""

    def send(self, packet: Packet, when: Callable[[], Awaitable[object]] | None = None) -> None:
        """Send the client a packet of QoS 0 soon, or once ``when()`` has ended."""


class RequestHandler(Protocol):
    """The part of a simulated heater that executes requests, as faults see it."""

    def handle(self, request: Request) -> Sequence[HeaterReply]:
        """Apply a request; return the replies in their order, or none."""

    def acknowledge(self, request: Request) -> Sequence[HeaterReply]:
        """Return the replies to a write without its effect."""

    def apply(self, request: Request) -> None:
        """Apply a write that was acknowledged before."""

    def refusal(self, fail_code: int) -> HeaterReply:
        """Return the reply to a control that the heater refuses."""


@dataclass(frozen=True)
class FaultContext:
    """The parts of the cloud a fault may change when it is injected and cleared."""

    book: AccountBook
    clock: CloudTime
    heaters: Sequence[HeaterRecord]
    connections: Collection[ClientConnection]


class Fault:
    """A fault that occurs ``times`` times: None until it is cleared, 0 once and at once."""

    name: ClassVar[str]
    times: int | None = None

    @property
    def is_active(self) -> bool:
        """Return whether the fault can still occur."""
        return self.times is None or self.times > 0

    def consume(self) -> bool:
        """Count one occurrence. Return False when none was left."""
        if self.times is None:
            return True
        self.times, is_left = max(self.times - 1, 0), self.times > 0
        return is_left

    def on_inject(self, context: FaultContext) -> None:
        """Change what the fault changes at once."""

    def on_connected(self, connection: ClientConnection) -> None:
        """Handle a connection that opens while the fault is active."""

    def on_clear(self, context: FaultContext) -> None:
        """Undo what ``on_inject`` changed."""

    @cached_property
    def cleared(self) -> asyncio.Event:
        """Return the event that is set once the fault is cleared."""
        return asyncio.Event()

    async def wait_cleared(self, seconds: float | None = None) -> None:
        """Wait until the fault is cleared, at most ``seconds``; None without limit."""
        clearing = asyncio.ensure_future(self.cleared.wait())
        try:
            await asyncio.wait({clearing}, timeout=seconds)
        finally:
            clearing.cancel()


class RequestFault(Fault):
    """A fault of HTTP requests: REST calls and WebSocket handshakes."""

    def applies_to(self, request: web.Request) -> bool:
        """Return whether the fault changes the response to this request."""
        return True

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the response of the fault; ``handler`` gives the true one."""
        return await handler(request)


class PacketFault(Fault):
    """A fault of whole MQTT packets between a client and the broker.

    Each method returns the packets to forward in place of one. A PUBLISH that is not among them is
    acknowledged to its sender, and packets made by the fault have QoS 0, so no side misses anything.
    """

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        """Return the packets for the broker; raise PolicyViolation to close the connection."""
        return (packet,)

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        """Return the packets for the client."""
        return (packet,)


class HeaterFault(Fault):
    """A fault of a ``heater`` (MAC address), or of every one, that executes a request."""

    heater: str | None = None

    def applies_to(self, request: Request) -> bool:
        """Return whether the fault changes how a request is executed."""
        return True

    def handle(self, request: Request, handler: RequestHandler) -> Sequence[HeaterReply]:
        """Execute a request; ``handler`` does it without the fault."""
        return handler.handle(request)


def all_faults() -> dict[str, type[Fault]]:
    """Return every fault class by its name."""
    found: dict[str, type[Fault]] = {}
    waiting: list[type[Fault]] = [Fault]
    while waiting:
        fault = waiting.pop()
        waiting.extend(fault.__subclasses__())
        if "name" in vars(fault):
            found[fault.name] = fault
    return dict(sorted(found.items()))


def reset_connection(request: web.Request) -> web.Response:
    """Reset the connection of a request; the returned response is never sent."""
    with ignore_lost_transport():
        if request.transport is not None:
            request.transport.abort()
    return web.Response()


def check_choice(parameter: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError if a parameter has none of its possible values."""
    if value not in choices:
        raise ValueError(f"{parameter} is {value!r}; it must be one of {', '.join(choices)}")
