"""Reasons of failed connections, in words: errors of aiohttp, the AWS SDK, aiomqtt, TLS and DNS.

A foreign error is translated here alone. The sentence names the server, or the proxy that was used.
"""

from __future__ import annotations

from typing import Mapping
from urllib.parse import urlsplit

from .._util.hosts import address_text
from .._util.network_errors import (
    CLOSED,
    NO_DNS,
    NO_RESPONSE,
    REFUSED,
    UNKNOWN_NAME,
    UNREACHABLE,
    causes,
    explain_error,
)
from .._util.text import clean_text
from ..protocol.redaction import mask_text
from .proxy import Proxy, ProxyRefusedError

_NO_TLS = (
    "its TLS handshake failed: a certificate that is not trusted, not valid today or for another "
    "name, or no TLS on this port; navien-nwp500 doctor tells which"
)
_SLOW_TLS = (
    "its TLS handshake did not end in time: this computer or the line is too slow or busy, or there is "
    "no TLS on this port"
)
_PROXY_REFUSED = (
    "the proxy does not open the connection; perhaps it requires another user or password in "
    "HTTPS_PROXY, or does not allow this address"
)
#: The SDK does not tell a proxy that refuses from one that closes the connection.
_PROXY_CLOSED = (
    "AWS_IO_SOCKET_CLOSED",
    "AWS_ERROR_HTTP_CONNECTION_CLOSED",
    "AWS_ERROR_MQTT_UNEXPECTED_HANGUP",
)

#: By the SDK's name of an error.
_SDK: Mapping[str, str] = {
    "AWS_IO_DNS_INVALID_NAME": UNKNOWN_NAME,
    "AWS_IO_DNS_NO_ADDRESS_FOR_HOST": UNKNOWN_NAME,
    "AWS_IO_DNS_QUERY_FAILED": UNKNOWN_NAME,
    "AWS_IO_DNS_QUERY_AGAIN": NO_DNS,
    "AWS_IO_SOCKET_CONNECTION_REFUSED": REFUSED,
    "AWS_IO_SOCKET_TIMEOUT": NO_RESPONSE,
    "AWS_IO_SOCKET_NO_ROUTE_TO_HOST": UNREACHABLE,
    "AWS_IO_SOCKET_NETWORK_DOWN": UNREACHABLE,
    "AWS_IO_SOCKET_CLOSED": CLOSED,
    "AWS_IO_SOCKET_CONNECT_ABORTED": CLOSED,
    "AWS_ERROR_HTTP_CONNECTION_CLOSED": CLOSED,
    "AWS_ERROR_MQTT_UNEXPECTED_HANGUP": CLOSED,
    "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE": _NO_TLS,
    "AWS_IO_TLS_NEGOTIATION_TIMEOUT": _SLOW_TLS,
    "AWS_ERROR_HTTP_PROXY_CONNECT_FAILED": _PROXY_REFUSED,
}


def explain_failure(error: BaseException, url: str, proxy: Proxy | None) -> str:
    """Return the server that was not reached, and why.

    A refusal of the proxy is told as such; the SDK's own name of an error is kept.
    """
    for one in causes(error):
        if isinstance(one, ProxyRefusedError):
            return str(one)
    parts = urlsplit(url)
    server = address_text(parts.hostname or "", parts.port or 443)
    if proxy is not None:
        server = f"{server} through the proxy {proxy.address}"
    sdk_name = getattr(error, "name", None)
    known = _SDK.get(str(sdk_name)) or explain_error(error)
    if proxy is not None and sdk_name in _PROXY_CLOSED:
        known = _PROXY_REFUSED
    if known is None:
        text = getattr(error, "message", None) or str(error)
        known = mask_text(clean_text(str(text)[:2000]))[:200] or type(error).__name__
    return f"{server}: {known}" + (f" ({sdk_name})" if sdk_name else "")
