"""The first steps of any way to the cloud, one at a time: the name, then TLS.

A connection that fails says only that it failed; these tell a name nobody knows from a closed
port, a foreign certificate and a wrong date. No error names a host: what a person shares of them
tells nothing about their network.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from typing import Any, Awaitable, TypeVar
from urllib.parse import urlsplit

from ..._util.aio import ignore_lost_transport, wait_at_most
from ...exceptions import CommunicationError, RequestTimeoutError

#: A resolver asks twice for 5 s each; a handshake needs two ways to the cloud and back, seconds.
LIMIT = 12.0

#: What OpenSSL calls its refusals (``verify_code``).
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME = 9, 10, (62, 64)

T = TypeVar("T")


class UnknownNameError(CommunicationError):
    """No address is known for the name."""


class BlockedNameError(CommunicationError):
    """The name leads nowhere on purpose: a filter answers with the address 0.0.0.0 or ::."""


class NoConnectionError(CommunicationError):
    """Nobody takes the connection."""


class NoTlsError(CommunicationError):
    """What answers there does not complete a TLS handshake."""


class UntrustedError(NoTlsError):
    """The certificate's chain ends at nobody who is trusted."""


class OtherNameError(NoTlsError):
    """The certificate is somebody else's."""


class WrongDateError(NoTlsError):
    """The certificate is not valid today, by this machine's clock."""


async def addresses(url: str) -> int:
    """Look the URL's host up; returns how many addresses it has.

    Raises UnknownNameError, BlockedNameError or RequestTimeoutError.
    """
    host, port = _end(url)
    lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        found = await _limited(lookup, "looking up a name")
    except (OSError, UnicodeError) as error:
        raise UnknownNameError("no address is known for this name") from error
    known = {str(entry[4][0]) for entry in found}
    if all(ipaddress.ip_address(one.partition("%")[0]).is_unspecified for one in known):
        raise BlockedNameError("the name leads to the address 0.0.0.0")
    return len(known)


async def certificate_end(url: str, trust: ssl.SSLContext) -> float:
    """Open TLS to the URL's host; returns when its certificate ends, seconds since the epoch.

    Chain, host and dates are verified. Raises NoConnectionError, NoTlsError and its kinds, or
    RequestTimeoutError.
    """
    host, port = _end(url)
    try:
        opening = asyncio.open_connection(host, port, ssl=trust)
        _, writer = await _limited(opening, "opening TLS")
    except ssl.SSLCertVerificationError as error:
        raise _distrust(error) from error
    except (ssl.SSLError, ConnectionResetError, EOFError) as error:
        raise NoTlsError("the TLS handshake fails") from error
    except OSError as error:
        raise NoConnectionError(f"no connection ({_why(error)})") from error
    certificate: Any = writer.get_extra_info("peercert")
    with ignore_lost_transport():
        writer.transport.abort()
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))


def _end(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


async def _limited(doing: Awaitable[T], what: str) -> T:
    try:
        return await wait_at_most(LIMIT, asyncio.ensure_future(doing))
    except asyncio.TimeoutError as error:
        raise RequestTimeoutError(f"{what}: no answer within {LIMIT:g} s") from error


def _distrust(error: ssl.SSLCertVerificationError) -> NoTlsError:
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        ended = error.verify_code == _EXPIRED
        return WrongDateError(f"the certificate is {'no longer' if ended else 'not yet'} valid")
    if error.verify_code in _OTHER_NAME:
        return OtherNameError("the certificate is made out to another name")
    return UntrustedError("nobody who is trusted stands for the certificate")


def _why(error: OSError) -> str:
    """The system's word for it; asyncio's own text holds the address."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
