"""The faults in force, and every kind of fault there is.

Three modules hold the rows: ``request_faults`` (REST and handshakes), ``network_faults`` (lines, the
broker's door, clocks, tokens, keys) and ``message_faults`` (single messages). ::

    sim.faults.set(HalfOpen())
    sim.faults.rest["/device/list"] = RestFault(502, b"<html>", times=1)
    sim.faults.clear()
"""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from ..cloud.counters import Counters
from ..cloud.mqtt_packets import Packet
from ..cloud.rest_api import BASE
from .base import ClientConnection, Fault, FaultContext, Handler, PacketFault, RequestFault
from .http_faults import *  # noqa: F403
from .http_faults import RestFault
from .message_faults import *  # noqa: F403 - every kind can be had from here
from .network_faults import *  # noqa: F403

#: The paths that are never at fault: those the faults are set by.
CONTROL = "/simulator/"
#: The key in ``Faults.rest`` of every call that has no fault of its own.
EVERY_CALL = "*"

F = TypeVar("F", bound=Fault)


class Faults:
    """The faults in force. ``rest`` names the path below the base, such as ``/device/list``.

    Of each kind one is in force at a time; ``packets`` and ``requests`` are those of them that have
    a say in what goes by.
    """

    def __init__(self, scene: FaultContext, counters: Counters) -> None:
        self.rest: dict[str, RestFault] = {}
        self.packets: tuple[PacketFault, ...] = ()
        self.requests: tuple[RequestFault, ...] = ()
        self._scene = scene
        self._counters = counters
        self._set: dict[str, Fault] = {}

    @property
    def in_force(self) -> tuple[Fault, ...]:
        """Those that can still happen, but for ``rest``."""
        return tuple(fault for fault in self._set.values() if fault.in_force)

    def set(self, fault: F) -> F:
        """Bring a fault into force, in place of an earlier one of its kind; return it."""
        if isinstance(fault, RestFault):
            self.rest[EVERY_CALL] = fault
            return fault
        self.clear(fault.name)
        vars(fault).pop("healed", None)
        self._set[fault.name] = fault
        fault.begin(self._scene)
        self._sort()
        return fault

    def clear(self, name: str | None = None) -> None:
        """Heal everything, or the one fault of this name."""
        healed = [fault for key, fault in self._set.items() if name in (None, key)]
        for fault in healed:
            del self._set[fault.name]
            fault.end(self._scene)
        if name in (None, RestFault.name):
            healed.extend(self.rest.values())
            self.rest.clear()
        for fault in healed:
            fault.healed.set()
        self._sort()

    def opened(self, line: ClientConnection) -> None:
        """Let the faults meet a new connection."""
        for fault in self.in_force:
            fault.opened(line)

    def from_client(self, packet: Packet, line: ClientConnection) -> list[Packet]:
        """Give what goes on to the broker in place of a packet; raises PolicyViolation."""
        passing = [packet]
        for fault in self.packets:
            passing = [new for old in passing for new in fault.from_client(old, line)]
        self._retire()
        return passing

    def to_client(self, packet: Packet, line: ClientConnection) -> list[Packet]:
        """Give what goes on to the client in place of a packet."""
        passing = [packet]
        for fault in self.packets:
            passing = [new for old in passing for new in fault.to_client(old, line)]
        self._retire()
        return passing

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request as the first fault that concerns it says, else as always."""
        if request.path.startswith(CONTROL):
            return await handler(request)
        for fault in (*self.requests, *self._of_call(request.path)):
            if fault.concerns(request) and fault.use():
                self._retire()
                return await self._answer(fault, request, handler)
        return await handler(request)

    def _of_call(self, path: str) -> tuple[RestFault, ...]:
        if not self.rest or not path.startswith(BASE):
            return ()
        found = self.rest.get(path[len(BASE) :]) or self.rest.get(EVERY_CALL)
        return (found,) if found is not None else ()

    async def _answer(
        self, fault: RequestFault, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Have a fault answer; what never reaches the cloud's own handler is counted here."""
        is_reached = False

        async def reach(request: web.Request) -> web.StreamResponse:
            nonlocal is_reached
            is_reached = True
            return await handler(request)

        try:
            return await fault.answer(request, reach)
        finally:
            if not is_reached and request.path.startswith(BASE):
                self._counters.call(request.path[len(BASE) :])
            elif not is_reached:
                self._counters.refuse(f"fault: {fault.name}")

    def _retire(self) -> None:
        if not all(fault.in_force for fault in (*self.packets, *self.requests)):
            self._sort()

    def _sort(self) -> None:
        in_force = self.in_force
        self.packets = tuple(fault for fault in in_force if isinstance(fault, PacketFault))
        self.requests = tuple(fault for fault in in_force if isinstance(fault, RequestFault))
