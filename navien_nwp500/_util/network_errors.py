"""Errors of the standard library's network modules, in words."""

from __future__ import annotations

import errno
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
