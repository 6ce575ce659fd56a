"""Faults of HTTP requests: REST calls and WebSocket handshakes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Mapping

from aiohttp import web

from ..cloud.rest_api import BASE
from .base import Handler, RequestFault, check_choice, reset_connection

_PIECES = 20


@dataclass
class RestFault(RequestFault):
    """A REST call gets a response with this ``status``, ``body`` and ``headers``.

    Without ``status`` the call is carried out and gets its true response. The response comes
    ``delay`` seconds late; its body takes ``trickle`` seconds and ends after ``cut`` bytes. With
    ``reset`` the connection is reset there, or before the first byte without ``cut``. Over HTTP,
    "rest" maps a path such as "/device/list" to its fault; "*" is every call without one.
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
        """Make an error in the cloud's envelope; ``code`` may differ from the HTTP status."""
        content = {"code": status if code is None else code, "msg": msg, "data": None}
        headers = {"Content-Type": "application/json"}
        return cls(status, json.dumps(content).encode(), headers, times)

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status, headers, body = self.status, dict(self.headers), self.body
        if status is None:
            true = await handler(request)
            status, headers = true.status, dict(true.headers)
            content = true.body if isinstance(true, web.Response) else None
            body = content if isinstance(content, bytes) else b""
        if self.delay:
            await self.wait_cleared(self.delay)
        if self.reset and self.cut is None:
            return reset_connection(request)
        sent = body[: self.cut]
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body if self.reset else sent)
        await response.prepare(request)
        await self._write(response, sent)
        if self.reset:
            return reset_connection(request)
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, body: bytes) -> None:
        if not self.trickle:
            await response.write(body)
            return
        step = -(-len(body) // _PIECES) or 1
        for start in range(0, len(body), step):
            await self.wait_cleared(self.trickle / _PIECES)
            await response.write(body[start : start + step])


@dataclass
class RefuseRequests(RequestFault):
    """New handshakes (``where`` is "mqtt"), REST calls ("rest") or both ("all") are refused.

    They get this HTTP ``status``. Without one the connection is closed without a response; with
    ``unanswered`` it stays open and no response ever comes. Open connections stay open: see
    "cut_connections".
    """

    name = "refuse_requests"
    where: str = "all"
    status: int | None = None
    unanswered: bool = False
    times: int | None = None

    def __post_init__(self) -> None:
        check_choice("where", self.where, ("all", "mqtt", "rest"))

    def applies_to(self, request: web.Request) -> bool:
        return self.where in ("all", "rest" if request.path.startswith(BASE) else "mqtt")

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.unanswered:
            await self.wait_cleared()
        elif self.status is not None:
            return web.Response(status=self.status)
        return reset_connection(request)


@dataclass
class Maintenance(RequestFault):
    """The cloud announces maintenance with a ``notice``, as PROTOCOL 1.17 says.

    Only the call for the app's version tells it; what the other calls answer then was not
    recorded, so they stay.
    """

    name = "maintenance"
    notice: str = "Scheduled maintenance from 02:00 to 04:00 UTC."
    times: int | None = None

    def applies_to(self, request: web.Request) -> bool:
        return request.path == f"{BASE}/app/version"

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        data = {"serverCheckText": self.notice}
        body = {"code": 403, "msg": "FORBIDDEN", "data": data}
        return web.json_response(body, status=403)
