"""What can go wrong with HTTP requests: REST calls, and the handshakes of WebSockets. ::

sim.faults.rest["/device/list"] = RestFault(502, b"<html>", times=1)
sim.faults.set(Refuse(where="mqtt", status=503, times=3))
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Mapping

from aiohttp import web

from ..cloud.rest_api import BASE
from .base import Handler, RequestFault, choose, hang_up

_PIECES = 20


@dataclass
class RestFault(RequestFault):
    """A REST call is answered with this ``status``, ``body`` and ``headers`` instead.

    Without ``status`` it is carried out and answered truly. The answer comes ``delay`` seconds
    late; its body takes ``trickle`` seconds and ends after ``cut`` bytes. With ``reset`` the
    connection is reset there, without ``cut`` before the first byte. Set as a map from path,
    "/device/list", to fault; "*" stands for every call that has none of its own.
    """

    name = "rest"
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    delay: float = 0.0
    trickle: float = 0.0
    cut: int | None = None
    reset: bool = False

    @classmethod
    def error(
        cls, status: int, msg: str, *, code: int | None = None, times: int | None = None
    ) -> RestFault:
        """An error in the cloud's own envelope; ``code`` may differ from the HTTP status."""
        content = {"code": status if code is None else code, "msg": msg, "data": None}
        headers = {"Content-Type": "application/json"}
        return cls(status, json.dumps(content).encode(), headers, times)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status, headers, body = self.status, dict(self.headers), self.body
        if status is None:
            true = await handler(request)
            status, headers = true.status, dict(true.headers)
            content = true.body if isinstance(true, web.Response) else None
            body = content if isinstance(content, bytes) else b""
        if self.delay:
            await self.hold(self.delay)
        if self.reset and self.cut is None:
            return hang_up(request)
        shown = body[: self.cut]
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body if self.reset else shown)
        await response.prepare(request)
        await self._write(response, shown)
        if self.reset:
            return hang_up(request)
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, body: bytes) -> None:
        if not self.trickle:
            await response.write(body)
            return
        step = -(-len(body) // _PIECES) or 1
        for start in range(0, len(body), step):
            await self.hold(self.trickle / _PIECES)
            await response.write(body[start : start + step])


@dataclass
class RefuseRequests(RequestFault):
    """New handshakes (``where`` is "mqtt"), REST calls ("rest") or both ("all") are refused.

    With this HTTP ``status``; without one the connection is closed unanswered, or, ``silent``, TLS
    is accepted and no answer ever comes. What is connected stays so: see "cut".
    """

    name = "refuse"
    where: str = "all"
    status: int | None = None
    silent: bool = False
    times: int | None = None

    def __post_init__(self) -> None:
        choose("where", self.where, ("all", "mqtt", "rest"))

    def concerns(self, request: web.Request) -> bool:
        return self.where in ("all", "rest" if request.path.startswith(BASE) else "mqtt")

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.silent:
            await self.hold()
        elif self.status is not None:
            return web.Response(status=self.status)
        return hang_up(request)
