"""Host names, and the errors of the standard library's network modules in words."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from typing import Callable, Iterator, Mapping, Type, Union

UNKNOWN_NAME = "its name is not known to DNS; check the spelling and the network"
NO_DNS = "no DNS server responds; check the network"
REFUSED = "it refuses the connection: nothing listens on this port, or a firewall of the network rejects it"
CLOSED = "it closed the connection"
UNREACHABLE = "there is no route to it; check the network"
NO_RESPONSE = "it does not respond; check the address and firewalls"
NO_TLS = "it does not use TLS on this port, or breaks off the TLS handshake"
INVALID_NAME = "its name is not a valid host name"
UNTRUSTED = "its certificate is not signed by a trusted authority"
EXPIRED = "its certificate has expired, or this machine's clock is wrong"
NOT_YET_VALID = "its certificate is not valid yet, or this machine's clock is wrong"
OTHER_NAME = "its certificate is for another host name"

#: By ``verify_code`` of OpenSSL; all other codes mean untrusted.
_CERTIFICATES = {9: NOT_YET_VALID, 10: EXPIRED, 62: OTHER_NAME, 64: OTHER_NAME}
_DNS = {socket.EAI_AGAIN: NO_DNS}
_ERRNO = {
    errno.ENETUNREACH: UNREACHABLE,
    errno.EHOSTUNREACH: UNREACHABLE,
    errno.ENETDOWN: UNREACHABLE,
}

Explanation = Union[str, Callable[..., Union[str, None]]]


def _explain_certificate(error: ssl.SSLCertVerificationError) -> str | None:
    code = getattr(error, "verify_code", None)  # a subclass of aiohttp has none; its cause does
    return None if code is None else _CERTIFICATES.get(code, UNTRUSTED)


#: The sentence of each error, the most specific first.
EXPLANATIONS: Mapping[Type[BaseException], Explanation] = {
    ssl.SSLCertVerificationError: _explain_certificate,
    ssl.SSLError: NO_TLS,
    socket.gaierror: lambda error: _DNS.get(error.errno, UNKNOWN_NAME),
    ConnectionRefusedError: REFUSED,
    ConnectionError: CLOSED,
    EOFError: CLOSED,
    socket.timeout: NO_RESPONSE,
    TimeoutError: NO_RESPONSE,
    UnicodeError: INVALID_NAME,
    OSError: lambda error: _ERRNO.get(error.errno),
}


def explain_error(error: BaseException) -> str | None:
    """Return the reason of a failed connection, of the error or what caused it; None if unknown."""
    for one in causes(error):
        for kind, explanation in EXPLANATIONS.items():
            if isinstance(one, kind):
                found = explanation if isinstance(explanation, str) else explanation(one)
                if found is not None:
                    return found
                break
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and then what caused each; libraries hide it with ``from None``."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def is_host(host: str | None) -> bool:
    """Return True for an IP address or a name that can be looked up."""
    if not host or re.search(r"[\s\x00-\x20\x7f/\\@%?#]", host):
        return False
    if ":" in host:
        return is_ip_address(host)
    try:
        host.encode("idna")
    except UnicodeError:  # an empty or too long part
        return False
    return True


def is_ip_address(host: str) -> bool:
    """Return True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return True for ``localhost`` and the addresses of this machine's loopback interface."""
    if is_ip_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host.rstrip(".").lower() == "localhost"


def address_text(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
