"""The JSON API of the dashboard: one method for each route, and the sign-in."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..._util.version import __version__
from ...analysis.prices import PriceSource
from ...history.store import HistoryStore
from .access import SESSION_SECONDS, AccessFolder
from .api_error import ApiError, bad_request, json_response
from .attempt_limit import AttemptLimit
from .command_runner import CommandRunner
from .history_api import HistoryApi
from .live_hub import LiveHub
from .password_file import is_password
from .request_checks import PublicPlace
from .threads import Threads
from .watched_heater import WatchedHeater

#: Paths that need no session.
OPEN_PATHS = ("/api/about", "/api/session", "/api/openapi.json")


@dataclass(frozen=True)
class DashboardSettings:
    """Settings of the dashboard, and its sign-in: by token without a ``password_hash``."""

    place: PublicPlace
    read_only: bool = False
    simulated: bool = False
    password_hash: str | None = None
    #: Tariff of the costs; without it there are none.
    prices: PriceSource | None = None


@dataclass(frozen=True)
class ApiParts:
    """The parts of a running dashboard that the API uses."""

    heaters: Sequence[WatchedHeater]
    store: HistoryStore
    threads: Threads
    commands: CommandRunner
    hub: LiveHub
    access: AccessFolder


class SignIn:
    """Sessions of browsers, by a cookie that no script can read."""

    def __init__(self, settings: DashboardSettings, access: AccessFolder, port: int) -> None:
        self._settings = settings
        self._access = access
        #: Cookies are shared by all ports of a name.
        self._cookie = f"navien_nwp500_{port}"
        self._attempts = AttemptLimit()
        # One hash at a time: each takes 16 MiB and a core.
        self._hashing = asyncio.Lock()

    def session(self, request: web.Request) -> str | None:
        """Return the session of a request; None without one that lasts."""
        secret = request.cookies.get(self._cookie, "")
        return secret if secret and self._access.has_session(secret) else None

    def middleware(self) -> Middleware:
        """Return the middleware that answers 401 without a session, for aiohttp."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_open(request.path) and self.session(request) is None:
                raise ApiError(401, "sign_in", f"Sign in first. {self._advice}")
            return await handler(request)

        return check

    def _is_open(self, path: str) -> bool:
        """Return True for what needs no session: the page, which holds no data, and the sign-in."""
        base = self._settings.place.base
        if base and path.startswith(f"{base}/"):
            path = path[len(base) :]
        return path in (base, "/", *OPEN_PATHS) or path.startswith("/static/")

    async def open(self, request: web.Request) -> web.Response:
        """Sign in with a one-time token or the password."""
        content = await read_json(request)
        address = self._address(request)
        wait = self._attempts.take(address)
        if wait:
            seconds = int(wait) + 1
            raise ApiError(
                429,
                "too_many_attempts",
                f"Too many attempts. Try again in {seconds} s.",
                {"Retry-After": str(seconds)},
            )
        if not await self._is_right(content):
            raise ApiError(401, "sign_in", f"That was not right. {self._advice}")
        self._attempts.forgive(address)
        response = web.Response(status=204)
        response.set_cookie(
            self._cookie,
            self._access.new_session(),
            max_age=int(SESSION_SECONDS),
            **self._cookie_options,
        )
        return response

    def end(self, request: web.Request) -> tuple[web.Response, str | None]:
        """Sign out; return the answer, and the session that has ended."""
        session = self.session(request)
        if session is not None:
            self._access.end_session(session)
        response = web.Response(status=204)
        response.del_cookie(self._cookie, **self._cookie_options)
        return response, session

    async def _is_right(self, content: Mapping[str, Any]) -> bool:
        if len(content) != 1:
            raise bad_request("the body must be a token or a password")
        ((key, value),) = content.items()
        if not isinstance(value, str) or key not in ("token", "password"):
            raise bad_request("the body must be a token or a password, a text")
        if key == "token":
            return self._access.take_token(value)
        stored = self._settings.password_hash
        if stored is None:
            return False
        async with self._hashing:
            return await asyncio.to_thread(is_password, value, stored)

    @property
    def _cookie_options(self) -> dict[str, Any]:
        place = self._settings.place
        return {
            "path": f"{place.base}/",
            "httponly": True,
            "samesite": "Strict",
            "secure": place.secure,
        }

    @property
    def _advice(self) -> str:
        if self._settings.password_hash is not None:
            return "Use the password of this dashboard."
        return (
            "Open the address that the dashboard printed; it works once and for an hour. For "
            "another one: navien-nwp500 dashboard --address"
        )

    def _address(self, request: web.Request) -> str:
        """Return who attempts: behind a proxy the address that the proxy has added last."""
        forwarded = request.headers.get("X-Forwarded-For", "")
        if self._settings.place.proxy is not None and forwarded:
            return forwarded.rpartition(",")[2].strip()
        return request.remote or ""


class Api:
    """Handlers of the routes under ``/api/``."""

    def __init__(
        self, settings: DashboardSettings, parts: ApiParts, sign_in: SignIn, document: bytes
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._sign_in = sign_in
        self._document = document
        self._history = HistoryApi(self.heater, parts.store, parts.threads, settings.prices)
        self._heaters = {one.stored.id: one for one in parts.heaters}

    def routes(self, base: str) -> list[web.RouteDef]:
        """Return the routes, under a path of a proxy or under none."""
        api, heater = f"{base}/api", f"{base}/api/heaters/{{heater:[0-9]{{1,9}}}}"
        return [
            web.get(f"{api}/openapi.json", self.document),
            web.get(f"{api}/about", self.about),
            web.post(f"{api}/session", self._sign_in.open),
            web.delete(f"{api}/session", self.sign_out),
            web.get(f"{api}/live", self.live),
            web.get(f"{api}/heaters", self.heaters),
            *self._history.routes(heater),
            web.get(f"{heater}/now", self.now),
            web.post(f"{heater}/commands", self.send_command),
            web.get(f"{heater}/commands/{{id:[0-9a-fA-F-]{{36}}}}", self.find_command),
        ]

    def greeting(self) -> dict[str, Any]:
        """Return the first message of a socket."""
        return {"type": "hello", "version": __version__, **self._list()}

    async def document(self, request: web.Request) -> web.Response:
        """Return the description of this API."""
        return web.Response(body=self._document, content_type="application/json", charset="utf-8")

    async def about(self, request: web.Request) -> web.Response:
        """Say what this is, also without a session."""
        return json_response(
            {
                "version": __version__,
                "signed_in": self._sign_in.session(request) is not None,
                "sign_in": "token" if self._settings.password_hash is None else "password",
                "read_only": self._settings.read_only,
                "simulated": self._settings.simulated,
            }
        )

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session, and the sockets of its pages."""
        response, session = self._sign_in.end(request)
        if session is not None:
            self._parts.hub.end_session(session)
        return response

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Serve a page's WebSocket."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("this address is a WebSocket")
        if self._parts.hub.full:
            raise ApiError(
                503, "too_many_pages", "Too many pages are open, or the dashboard is ending."
            )
        for heater in self._parts.heaters:
            heater.request_refresh()
        return await self._parts.hub.serve(request, self._sign_in.session(request) or "")

    async def heaters(self, request: web.Request) -> web.Response:
        """List the heaters, with what can be set and their present state."""
        return json_response(self._list())

    async def now(self, request: web.Request) -> web.Response:
        """Return the present state of a heater."""
        return json_response(self.heater(request).now_json())

    async def send_command(self, request: web.Request) -> web.Response:
        """Send a command once, and return its outcome."""
        heater = self.heater(request)
        if self._settings.read_only:
            raise ApiError(403, "read_only", "This dashboard only shows; it was started so.")
        id, name, arguments = _command(await read_json(request))
        command = await self._parts.commands.request(heater, id, name, arguments)
        return json_response(command.to_json())

    async def find_command(self, request: web.Request) -> web.Response:
        """Return a command that was requested before."""
        id = request.match_info["id"].lower()
        command = await self._parts.commands.find(self.heater(request).stored.id, id)
        if command is None:
            raise ApiError(404, "not_found", "No command has this id.")
        return json_response(command.to_json())

    def heater(self, request: web.Request) -> WatchedHeater:
        """Return the heater that a path names."""
        found = self._heaters.get(int(request.match_info["heater"]))
        if found is None:
            raise ApiError(404, "not_found", "There is no such heater.")
        return found

    def _list(self) -> dict[str, Any]:
        read_only = self._settings.read_only
        return {"heaters": [one.summary_json(read_only=read_only) for one in self._parts.heaters]}


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the object in the body of a request. Raises ApiError."""
    try:
        content = json.loads((await request.read()).decode("utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise bad_request("the body must be a JSON object")
    return content


def _command(content: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    id, name, arguments = (content.get(key) for key in ("id", "command", "arguments"))
    if not isinstance(id, str) or not re.fullmatch(_UUID, id):
        raise bad_request("id must be a UUID, new for each command")
    if not isinstance(name, str) or not isinstance(arguments, dict) or len(content) != 3:
        raise bad_request("the body must be id, command and arguments")
    return id.lower(), name, arguments


_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
