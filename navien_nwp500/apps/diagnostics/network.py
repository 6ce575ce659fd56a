"""Network checks: DNS lookup and TLS, one at a time.

They tell an unknown name, a closed port, a wrong certificate and a wrong date apart. No error
names a host, so that a person can share it without revealing anything about the network.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from typing import Any, Awaitable, TypeVar
from urllib.parse import urlsplit

from ..._connection.proxy import END, Proxy, ProxyRefusedError, check_tunnel, tunnel_request
from ..._util.aio import ignore_lost_transport, wait_at_most
from ...exceptions import CommunicationError, RequestTimeoutError

#: Seconds: a resolver tries twice for 5 s each; a handshake needs two round trips.
LIMIT = 12.0

#: ``verify_code`` of OpenSSL.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME = 9, 10, (62, 64)

T = TypeVar("T")


class UnknownNameError(CommunicationError):
    """No address is known for the name."""


class BlockedNameError(CommunicationError):
    """A filter blocks the name: the resolver returns the address 0.0.0.0 or ::."""


class NoConnectionError(CommunicationError):
    """No server accepts the connection."""


class NoTlsError(CommunicationError):
    """The server does not complete a TLS handshake."""


class UntrustedError(NoTlsError):
    """The certificate is not signed by a trusted authority."""


class OtherNameError(NoTlsError):
    """The certificate belongs to another name."""


class WrongDateError(NoTlsError):
    """The certificate is not valid at the time of this machine's clock."""


class ProxyError(CommunicationError):
    """The proxy cannot be reached, or does not open a connection."""


async def addresses(url: str, proxy: Proxy | None = None) -> int:
    """Look up the URL's host, or the proxy instead, and return the number of its addresses.

    Raises UnknownNameError, BlockedNameError, ProxyError or RequestTimeoutError.
    """
    host, port = _host_and_port(url) if proxy is None else (proxy.host, proxy.port)
    lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        found = await _within_limit(lookup, "looking up a name")
    except (OSError, UnicodeError) as error:
        if proxy is not None:
            raise ProxyError("the proxy of HTTPS_PROXY has no known address") from error
        raise UnknownNameError("the name has no known address") from error
    known = {str(entry[4][0]) for entry in found}
    if all(ipaddress.ip_address(one.partition("%")[0]).is_unspecified for one in known):
        raise BlockedNameError("the name has the address 0.0.0.0")
    return len(known)


async def certificate_end(url: str, trust: ssl.SSLContext, proxy: Proxy | None = None) -> float:
    """Open TLS to the URL's host and return the end of its certificate, in seconds since 1970.

    Chain, host and dates are verified. Raises NoConnectionError, NoTlsError or a subclass,
    ProxyError, or RequestTimeoutError.
    """
    host, port = _host_and_port(url)
    try:
        opening = _open_tls(host, port, trust, proxy)
        certificate = await _within_limit(opening, "opening TLS")
    except ssl.SSLCertVerificationError as error:
        raise _certificate_error(error) from error
    except (ssl.SSLError, ConnectionResetError, EOFError) as error:
        raise NoTlsError("the TLS handshake failed") from error
    except OSError as error:
        raise NoConnectionError(f"no connection ({_error_name(error)})") from error
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))


async def _open_tls(host: str, port: int, trust: ssl.SSLContext, proxy: Proxy | None) -> Any:
    """Open TLS, directly or through a proxy, and return the certificate."""
    if proxy is not None:
        return await _open_tls_through(proxy, host, port, trust)
    _, writer = await asyncio.open_connection(host, port, ssl=trust)
    return _certificate(writer.transport)


def _certificate(transport: Any) -> Any:
    """Return the peer's certificate, and end the connection."""
    certificate = transport.get_extra_info("peercert")
    with ignore_lost_transport():
        transport.abort()
    return certificate


async def _open_tls_through(proxy: Proxy, host: str, port: int, trust: ssl.SSLContext) -> Any:
    try:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    except OSError as error:
        reason = _error_name(error)
        raise ProxyError(f"no connection to the proxy of HTTPS_PROXY ({reason})") from error
    try:
        writer.write(tunnel_request(proxy, host, port))
        check_tunnel(proxy, await reader.readuntil(END))
        protocol = writer.transport.get_protocol()
        loop = asyncio.get_running_loop()
        return _certificate(
            await loop.start_tls(writer.transport, protocol, trust, server_hostname=host)
        )
    except ProxyRefusedError as error:
        raise ProxyError(f"the proxy {error.reason}") from error
    except (EOFError, asyncio.LimitOverrunError) as error:
        raise ProxyError("the proxy sends no complete response") from error
    finally:
        writer.transport.abort()


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


async def _within_limit(operation: Awaitable[T], name: str) -> T:
    try:
        return await wait_at_most(LIMIT, asyncio.ensure_future(operation))
    except asyncio.TimeoutError as error:
        raise RequestTimeoutError(f"{name}: no response within {LIMIT:g} s") from error


def _certificate_error(error: ssl.SSLCertVerificationError) -> NoTlsError:
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        ended = error.verify_code == _EXPIRED
        return WrongDateError(f"the certificate is {'no longer' if ended else 'not yet'} valid")
    if error.verify_code in _OTHER_NAME:
        return OtherNameError("the certificate belongs to another name")
    return UntrustedError("the certificate is not signed by a trusted authority")


def _error_name(error: OSError) -> str:
    """Return the system's name of the error; asyncio's message contains the address."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
