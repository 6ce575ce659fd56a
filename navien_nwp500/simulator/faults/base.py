"""Where the cloud asks whether something is to go wrong, and what a fault may touch there.

A fault is one dataclass with a ``name``: its fields are its parameters, its docstring their meaning.
Being a subclass of ``Fault`` is all it takes to be listed and to be set from outside.
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
from ..cloud.accounts import AccountBook, HeaterRecord
from ..cloud.mqtt_packets import Packet

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CloudTime:
    """The cloud's clock: seconds since the epoch, ``wrong_by`` seconds ahead of the true one."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.wrong_by = 0.0
        self._now = now

    def __call__(self) -> float:
        return self._now() + self.wrong_by


class ClientConnection(Protocol):
    """One client's connection, as far as faults may touch it."""

    @property
    def client_id(self) -> str | None:
        """What its CONNECT said, None before it."""

    @property
    def level(self) -> int:
        """Of MQTT: 4 for 3.1.1, 5 for MQTT 5."""

    @property
    def filters(self) -> AbstractSet[str]:
        """What it has subscribed to."""

    def cut(self) -> None:
        """End it at once, without a farewell to either side."""

    def take_over(self) -> None:
        """End it as if another client had connected with its id."""

    def freeze(self) -> None:
        """Let nothing through either way, and close nothing."""

    def thaw(self) -> None:
        """Let through what was held up."""

    def send(self, packet: Packet, when: Callable[[], Awaitable[object]] | None = None) -> None:
        """Send the client a packet of QoS 0 soon, or once ``when()`` has ended."""


@dataclass(frozen=True)
class FaultContext:
    """What a fault may change when it comes into force and when it is healed."""

    book: AccountBook
    clock: CloudTime
    heaters: Sequence[HeaterRecord]
    lines: Collection[ClientConnection]


class Fault:
    """Something that goes wrong, ``times`` times: None until it is healed, 0 once and at once."""

    name: ClassVar[str]
    times: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether it can still happen."""
        return self.times is None or self.times > 0

    def use(self) -> bool:
        """Count one occurrence; False when there is none left."""
        if self.times is None:
            return True
        self.times, is_left = max(self.times - 1, 0), self.times > 0
        return is_left

    def begin(self, scene: FaultContext) -> None:
        """Come into force."""

    def opened(self, line: ClientConnection) -> None:
        """Meet a connection opened while it is in force."""

    def end(self, scene: FaultContext) -> None:
        """Undo what ``begin`` did."""

    @cached_property
    def healed(self) -> asyncio.Event:
        """Set once it is healed."""
        return asyncio.Event()

    async def hold(self, seconds: float | None = None) -> None:
        """Wait so long, None for ever, or until it is healed."""
        healing = asyncio.ensure_future(self.healed.wait())
        try:
            await asyncio.wait({healing}, timeout=seconds)
        finally:
            healing.cancel()


class RequestFault(Fault):
    """A fault met by an HTTP request: a REST call, or the handshake of a WebSocket."""

    def concerns(self, request: web.Request) -> bool:
        """Whether this request meets it."""
        return True

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer instead of ``handler``, which gives the true answer."""
        return await handler(request)


class PacketFault(Fault):
    """A fault met by whole MQTT packets between a client and the broker.

    Both give the packets that go on in place of one. A PUBLISH that does not is acknowledged to its
    sender, and packets of the fault's own making are of QoS 0, so that no side misses anything.
    """

    def from_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        """On the way to the broker; raises PolicyViolation to close the connection."""
        return (packet,)

    def to_client(self, packet: Packet, line: ClientConnection) -> Iterable[Packet]:
        """On the way to the client."""
        return (packet,)


def fault_table() -> dict[str, type[Fault]]:
    """Every fault there is, by its name."""
    found: dict[str, type[Fault]] = {}
    waiting: list[type[Fault]] = [Fault]
    while waiting:
        row = waiting.pop()
        waiting.extend(row.__subclasses__())
        if "name" in vars(row):
            found[row.name] = row
    return dict(sorted(found.items()))


def hang_up(request: web.Request) -> web.Response:
    """Reset the connection instead of answering; the response goes nowhere."""
    with ignore_lost_transport():
        if request.transport is not None:
            request.transport.abort()
    return web.Response()


def choose(parameter: str, value: str, choices: Iterable[str]) -> None:
    """Check a parameter that has a few possible values; raises ValueError."""
    if value not in choices:
        raise ValueError(f"{parameter} is {value!r}; it may be {', '.join(choices)}")
