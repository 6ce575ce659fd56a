"""What can be made to go wrong, on purpose."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from .rest import BASE


@dataclass
class RestFault:
    """What a REST call answers instead: ``times`` times, None for ever."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None

    @classmethod
    def error(cls, status: int, msg: str, *, code: int | None = None) -> RestFault:
        """An error in the cloud's own envelope; ``code`` may differ from the HTTP status."""
        content = {"code": status if code is None else code, "msg": msg, "data": None}
        return cls(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


class Faults:
    """The faults in force. ``rest`` names the path below the base, such as ``/device/list``."""

    def __init__(self) -> None:
        self.rest: dict[str, RestFault] = {}

    def clear(self) -> None:
        """Heal everything."""
        self.rest.clear()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a call as its fault says, else as always."""
        path = request.path[len(BASE) :] if request.path.startswith(BASE) else request.path
        fault = self.rest.get(path)
        if fault is None or fault.times == 0:
            return await handler(request)
        if fault.times is not None:
            fault.times -= 1
        return web.Response(status=fault.status, body=fault.body, headers=dict(fault.headers))
