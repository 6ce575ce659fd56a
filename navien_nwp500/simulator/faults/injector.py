"""The active faults, and how they change requests and packets."""

from __future__ import annotations

from typing import Sequence, TypeVar

from aiohttp import web

from ...protocol.messages import Request
from ..cloud.counters import Counters
from ..cloud.mqtt_packets import Packet
from ..cloud.rest_api import BASE
from ..heater.query_handler import HeaterReply
from .base import (
    ClientConnection,
    Fault,
    FaultContext,
    Handler,
    HeaterFault,
    PacketFault,
    RequestFault,
    RequestHandler,
)
from .http_faults import RestFault

#: The path of the admin API, which no fault changes.
ADMIN_PATH = "/simulator/"
#: The key in ``FaultInjector.rest`` for every call without a fault of its own.
EVERY_CALL = "*"

F = TypeVar("F", bound=Fault)


class FaultInjector:
    """The active faults, at most one of each class.

    ``rest`` maps a path below the base URL, such as ``/device/list``, to its fault. ``packets``,
    ``requests`` and ``heaters`` are the active faults of packets, of HTTP requests and of heaters.
    """

    def __init__(self, context: FaultContext, counters: Counters) -> None:
        self.rest: dict[str, RestFault] = {}
        self.packets: tuple[PacketFault, ...] = ()
        self.requests: tuple[RequestFault, ...] = ()
        self.heaters: tuple[HeaterFault, ...] = ()
        self._context = context
        self._counters = counters
        self._faults: dict[str, Fault] = {}

    @property
    def active(self) -> tuple[Fault, ...]:
        """Return the faults that can still occur, without ``rest``."""
        return tuple(fault for fault in self._faults.values() if fault.is_active)

    def inject(self, fault: F) -> F:
        """Inject a fault in place of an earlier one of its class, and return it."""
        if isinstance(fault, RestFault):
            self.rest[EVERY_CALL] = fault
            return fault
        self.clear(fault.name)
        vars(fault).pop("cleared", None)
        self._faults[fault.name] = fault
        fault.on_inject(self._context)
        self._update_active()
        return fault

    def clear(self, name: str | None = None) -> None:
        """Clear every fault, or only the one of this name."""
        cleared = [fault for key, fault in self._faults.items() if name in (None, key)]
        for fault in cleared:
            del self._faults[fault.name]
            fault.on_clear(self._context)
        if name in (None, RestFault.name):
            cleared.extend(self.rest.values())
            self.rest.clear()
        for fault in cleared:
            fault.cleared.set()
        self._update_active()

    def on_connected(self, connection: ClientConnection) -> None:
        """Pass a new connection to the active faults."""
        for fault in self.active:
            fault.on_connected(connection)

    def from_client(self, packet: Packet, connection: ClientConnection) -> list[Packet]:
        """Return the packets for the broker in place of one; raise PolicyViolation."""
        passing = [packet]
        for fault in self.packets:
            passing = [new for old in passing for new in fault.from_client(old, connection)]
        self._drop_used_up()
        return passing

    def to_client(self, packet: Packet, connection: ClientConnection) -> list[Packet]:
        """Return the packets for the client in place of one."""
        passing = [packet]
        for fault in self.packets:
            passing = [new for old in passing for new in fault.to_client(old, connection)]
        self._drop_used_up()
        return passing

    def execute(self, request: Request, handler: RequestHandler) -> Sequence[HeaterReply]:
        """Execute a request to a heater with the first fault that applies to it, if any."""
        for fault in self.heaters:
            meant = fault.heater in (None, request.mac_address) and fault.applies_to(request)
            if meant and fault.consume():
                self._drop_used_up()
                return fault.handle(request, handler)
        return handler.handle(request)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Respond to a request with the first fault that applies to it, if any."""
        if request.path.startswith(ADMIN_PATH):
            return await handler(request)
        for fault in (*self.requests, *self._rest_faults(request.path)):
            if fault.applies_to(request) and fault.consume():
                self._drop_used_up()
                return await self._respond(fault, request, handler)
        return await handler(request)

    def _rest_faults(self, path: str) -> tuple[RestFault, ...]:
        if not self.rest or not path.startswith(BASE):
            return ()
        found = self.rest.get(path[len(BASE) :]) or self.rest.get(EVERY_CALL)
        return (found,) if found is not None else ()

    async def _respond(
        self, fault: RequestFault, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Return the response of a fault, and count a request that no handler of the cloud saw."""
        is_handled = False

        async def handle(request: web.Request) -> web.StreamResponse:
            nonlocal is_handled
            is_handled = True
            return await handler(request)

        try:
            return await fault.respond(request, handle)
        finally:
            if not is_handled and request.path.startswith(BASE):
                self._counters.call(request.path[len(BASE) :])
            elif not is_handled:
                self._counters.refuse(f"fault: {fault.name}")

    def _drop_used_up(self) -> None:
        if not all(one.is_active for one in (*self.packets, *self.requests, *self.heaters)):
            self._update_active()

    def _update_active(self) -> None:
        active = self.active
        self.packets = tuple(fault for fault in active if isinstance(fault, PacketFault))
        self.requests = tuple(fault for fault in active if isinstance(fault, RequestFault))
        self.heaters = tuple(fault for fault in active if isinstance(fault, HeaterFault))
