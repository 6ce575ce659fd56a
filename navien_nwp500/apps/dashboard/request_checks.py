"""Checks of every request before a handler sees it, and the headers of every answer.

A page of another site can make a browser send requests here; it must neither change nor read
anything. So the name in the address is checked (a name that leads here is no permission), the origin
of what changes something, and that its body is JSON, which a foreign form cannot send.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..._util.hosts import is_ip_address
from ...exceptions import ConfigurationError
from .api_error import ApiError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Server": "navien-nwp500",  # not the versions of what serves it
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class PublicPlace:
    """Address of the dashboard for browsers.

    Without ``proxy`` it is reached by the addresses of this machine and by ``names``; behind a proxy
    by the proxy's name alone, under the path ``base``.
    """

    names: frozenset[str] = frozenset()
    #: ``https://name`` of the proxy.
    proxy: str | None = None
    base: str = ""

    @classmethod
    def behind_proxy(cls, url: str) -> PublicPlace:
        """Return the place for the URL of a proxy. Raises ConfigurationError."""
        found = re.fullmatch(r"(https?://[\w.-]+(?::\d{1,5})?)((?:/[\w.~-]+)*)/?", url, re.ASCII)
        if found is None:
            raise ConfigurationError(
                f"--behind-proxy is {url!r}; it must be the address of the page, such as "
                "https://heater.example.org or https://example.org/heater"
            )
        return cls(proxy=found[1].lower(), base=found[2])

    @classmethod
    def direct(cls, names: tuple[str, ...], *, loopback: bool) -> PublicPlace:
        """Return the place without a proxy: on loopback alone, or also for other machines."""
        known = {name.lower().rstrip(".") for name in names} | {"localhost"}
        if not loopback:
            own = socket.gethostname().lower()
            known |= {own, f"{own.partition('.')[0]}.local"}
        return cls(frozenset(known))

    @property
    def secure(self) -> bool:
        """True if browsers reach it by https."""
        return self.proxy is not None and self.proxy.startswith("https:")

    def allows_host(self, host: str) -> bool:
        """Return True if the header ``Host`` is a name of this place.

        Without a proxy any IP address is: no foreign page has one as its name.
        """
        host = host.lower()
        if self.proxy is not None:
            return host == self.proxy.partition("://")[2]
        name = re.sub(r":\d+$", "", host)
        plain = name[1:-1] if name.startswith("[") and name.endswith("]") else name
        return is_ip_address(plain) or name.rstrip(".") in self.names

    def origin(self, host: str) -> str:
        """Return the origin of this place's own page."""
        return self.proxy or f"http://{host.lower()}"


@dataclass(frozen=True)
class RequestChecks:
    """Middleware that refuses requests from elsewhere, and those that are too vague to tell."""

    place: PublicPlace

    def middleware(self) -> Middleware:
        """Return it for aiohttp."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.check(request)
            return await handler(request)

        return check

    def check(self, request: web.Request) -> None:
        """Raise ApiError for a request that is not answered."""
        host = request.headers.getall("Host", [])
        if len(host) != 1 or not self.place.allows_host(host[0]):
            raise ApiError(
                421,
                "wrong_name",
                "This dashboard is not reached by this name. Use the address that it printed; "
                "for another name start it with --name, for a proxy with --behind-proxy.",
            )
        changes = request.method not in ("GET", "HEAD")
        socket_asked = request.headers.get("Upgrade", "").lower() == "websocket"
        if not self._is_own(request, host[0], strict=changes or socket_asked):
            raise ApiError(
                403, "foreign_page", "Only the dashboard's own page may ask for this. Open it anew."
            )
        if changes and request.method != "DELETE" and request.content_type != "application/json":
            raise ApiError(
                415, "json_only", "The body must be JSON: Content-Type application/json."
            )

    def _is_own(self, request: web.Request, host: str, *, strict: bool) -> bool:
        """Return True if no foreign page has sent a request.

        Programs that are no browsers send neither header; they have no cookie by accident.
        """
        site = request.headers.get("Sec-Fetch-Site")
        if site not in (None, "same-origin") and (strict or "/api/" in request.path):
            if strict or site != "none":  # "none": typed by a person
                return False
        origin = request.headers.get("Origin")
        return origin is None or not strict or origin.lower() == self.place.origin(host)


async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add the headers of every answer, also of errors."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
