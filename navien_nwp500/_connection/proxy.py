"""The HTTP proxy through which the cloud is reached: ``HTTPS_PROXY`` and ``NO_PROXY``.

The standard library reads the variables, in upper or lower case, or else the settings of macOS and
Windows. REST and all transports use what ``find_proxy`` returns. An address of loopback, such as
the simulator's, never goes through a proxy.
"""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from .._util.hosts import address_text, is_host, is_loopback
from ..exceptions import ConfigurationError

#: End of a response's headers.
END = b"\r\n\r\n"
#: Maximum size of a proxy's response to CONNECT.
_MAX_RESPONSE = 16 * 1024

_EXPECTED = (
    "it must have the form http://[user:password@]host[:port]; unset it, or set NO_PROXY, to "
    "connect directly"
)


class ProxyRefusedError(OSError):
    """Proxy that responds, but does not open a connection; ``reason`` does not name it."""

    def __init__(self, proxy: Proxy, reason: str) -> None:
        super().__init__(f"the proxy {proxy.address} {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy with its credentials."""

    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port, without credentials."""
        return address_text(self.host, self.port)

    @property
    def headers(self) -> dict[str, str]:
        """The header with the credentials, if there are any."""
        if self.user is None:
            return {}
        credentials = f"{self.user}:{self.password or ''}".encode()
        return {"Proxy-Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy for a URL; None to connect directly.

    It can read the system's settings, so it is called in a thread. Raises ConfigurationError.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    value = getproxies().get("https")
    if not value or is_loopback(host):
        return None
    if proxy_bypass(host) or proxy_bypass(address_text(host, parts.port or 443)):
        return None
    return _parse(value)


def _parse(value: str) -> Proxy:
    """Read a proxy's URL. The error does not show it, because it may contain a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"HTTPS_PROXY is not a valid URL; {_EXPECTED}") from None
    if parts.scheme != "http":
        raise ConfigurationError(
            f"HTTPS_PROXY names a proxy of the kind {parts.scheme}://; {_EXPECTED}"
        )
    if host is None or not is_host(host) or port == 0 or parts.path.strip("/"):
        raise ConfigurationError(f"HTTPS_PROXY is not a valid URL; {_EXPECTED}")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(host, port or 80, user, password)


def refusal(proxy: Proxy, status: int) -> ProxyRefusedError:
    """Return the error for a proxy's response with an HTTP status that is no success."""
    if status == 407 and proxy.user is None:
        reason = (
            "requires a user and a password; write them in HTTPS_PROXY: "
            "http://user:password@host:port"
        )
    elif status == 407:
        reason = "rejects the user or the password in HTTPS_PROXY"
    else:
        reason = f"does not open the connection (HTTP {status})"
    return ProxyRefusedError(proxy, reason)


def tunnel_request(proxy: Proxy, host: str, port: int) -> bytes:
    """Return the request that lets a proxy connect to a host (HTTP CONNECT)."""
    target = address_text(host, port)
    headers = {"Host": target, **proxy.headers}
    lines = [f"CONNECT {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def check_tunnel(proxy: Proxy, response: bytes) -> None:
    """Check a proxy's response to ``tunnel_request``. Raises ProxyRefusedError."""
    version, _, rest = response.partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise ProxyRefusedError(proxy, "is not an HTTP proxy; check HTTPS_PROXY")
    if not status.startswith(b"2"):
        raise refusal(proxy, int(status))


def open_tunnel(connection: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Let the proxy at the other end of a blocking socket connect it to a host.

    Raises ProxyRefusedError, and OSError when the connection ends or the socket's timeout is over.
    """
    connection.sendall(tunnel_request(proxy, host, port))
    response = b""
    while END not in response:
        received = connection.recv(4096)
        if not received or len(response) > _MAX_RESPONSE:
            raise ProxyRefusedError(proxy, "sends no complete response")
        response += received
    check_tunnel(proxy, response)
