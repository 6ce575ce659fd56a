"""REST client: send an HTTP request and return the ``data`` of the response.

This is the only module that uses aiohttp; its errors are translated here. Calls that follow each
other share one connection.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import zlib
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Mapping

from .._util.aio import turns
from .._util.text import clean_text
from .._util.version import __version__
from ..config import NaviLinkConfig
from ..exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    MaintenanceError,
    ProtocolError,
    RequestTimeoutError,
)
from ..protocol import capture
from ..protocol.redaction import mask_text
from .failures import explain_failure
from .http_session import HttpSession, tls_context
from .process import OwnProcess
from .proxy import Proxy, find_proxy, refusal

if TYPE_CHECKING:
    import aiohttp


#: Largest response, as sent and inflated; a list of 20 heaters has some 15 KB.
MAX_BODY_BYTES = 4 * 1024 * 1024


class RedirectedError(CommunicationError):
    """Redirected request; no APIError, as it rejects neither a password nor a session."""


class RestClient:
    """Client of the REST service.

    ``session`` is an aiohttp session to use; the caller closes it. Its own certificates are used
    unless ``ca_file`` is set. Without it a session is opened by the first call and closed by
    ``close()``.
    """

    def __init__(
        self, config: NaviLinkConfig, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self._base_url = config.base_url
        self._ca_file = config.ca_file
        self._timeout = config.rest_timeout
        self._given_session = session
        self._http: HttpSession | None = None
        self._closed = False
        self._proxy: Proxy | None = None
        #: TLS of the calls; True is that of the session.
        self._tls: ssl.SSLContext | bool = True
        self._process = OwnProcess()
        #: Seconds the clock of the cloud is ahead of the local clock; None before the first call.
        self.clock_skew: float | None = None

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        """Send a request and return the ``data`` of the response.

        A redirect is never followed: it could take the password to another host, or to plain HTTP.
        Raises APIError when the cloud responds with an error (MaintenanceError when it announces
        maintenance), ProtocolError, RequestTimeoutError, CommunicationError, and
        ConfigurationError when ``ca_file`` cannot be read.
        """
        self._process.check()
        http = await self._session()
        import aiohttp  # loaded by now, in a thread or by the caller

        headers = {"User-Agent": f"navien_nwp500/{__version__}", "Accept-Encoding": "gzip, deflate"}
        if token is not None:
            headers["authorization"] = token  # the token alone, without "Bearer" (PROTOCOL 1.1)
        url = self._base_url + path
        options: dict[str, Any] = {
            "json": body,
            "params": query,
            "headers": headers,
            "timeout": aiohttp.ClientTimeout(total=self._timeout),
            "ssl": self._tls,
            "allow_redirects": False,
            "auto_decompress": False,  # aiohttp inflates without a limit
        }
        proxy = self._proxy
        if proxy is not None:
            options.update(proxy=f"http://{proxy.address}", proxy_headers=proxy.headers)
        capture.log_call(capture.OUT, method, path, query if body is None else body)
        try:
            async with turns(self._base_url):
                self._check_open()  # closed while this call waited
                async with http.session.request(method, url, **options) as response:
                    status, content = response.status, await _read_body(path, response)
            location = response.headers.get("Location")
            retry_after = _parse_retry_after(response.headers.get("Retry-After"))
            self.clock_skew = _measure_skew(response.headers.get("Date"))
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(
                f"{path}: no response within {self._timeout:g} s; try again later"
            ) from error
        except aiohttp.ClientHttpProxyError as error:
            assert proxy is not None
            raise CommunicationError(f"{path}: {refusal(proxy, error.status)}") from error
        except (aiohttp.ClientError, OSError) as error:
            reason = explain_failure(error, url, proxy)
            raise CommunicationError(f"{path}: the cloud cannot be reached: {reason}") from error
        capture.log_call(capture.IN, method, path, content, status)
        if 300 <= status < 400:
            raise _redirected(path, status, location)
        return _parse_envelope(path, status, content, retry_after)

    async def close(self) -> None:
        """Leave the session; later calls raise CommunicationError."""
        async with self._lock:
            self._closed = True
            if self._http is not None:
                http, self._http = self._http, None
                await http.leave()

    async def _session(self) -> HttpSession:
        async with self._lock:
            self._check_open()
            if self._http is None:
                self._http = await self._open_session()
            return self._http

    def _check_open(self) -> None:
        if self._closed:
            raise CommunicationError("the client is closed; create a new one")
        if self._given_session is not None and self._given_session.closed:
            raise ConfigurationError(
                "the aiohttp session given as session= is closed; keep it open as long as the client"
            )

    async def _open_session(self) -> HttpSession:
        self._proxy = await asyncio.to_thread(find_proxy, self._base_url)
        if self._given_session is not None and self._ca_file is None:
            return HttpSession(self._given_session)
        # Loading certificates and aiohttp from disk would block the event loop.
        context = await asyncio.to_thread(tls_context, self._ca_file)
        if self._given_session is None:
            return HttpSession.join(context)
        self._tls = context
        return HttpSession(self._given_session)

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()


async def _read_body(path: str, response: aiohttp.ClientResponse) -> bytes:
    """Return a body, inflated. Raises ProtocolError when it is too large, or cannot be inflated."""
    sent = bytearray()
    async for chunk in response.content.iter_any():
        sent += chunk
        if len(sent) > MAX_BODY_BYTES:
            raise _too_large(path)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity" or not sent:
        return bytes(sent)
    if encoding not in ("gzip", "deflate"):
        raise ProtocolError(f"{path}: the response has an unknown encoding")
    inflating = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out itself which of the two it is
    try:
        content = inflating.decompress(bytes(sent), MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise ProtocolError(f"{path}: the compressed response is damaged") from error
    if len(content) > MAX_BODY_BYTES:
        raise _too_large(path)
    if not inflating.eof:
        raise ProtocolError(f"{path}: the compressed response ends too early")
    return content


def _too_large(path: str) -> ProtocolError:
    return ProtocolError(f"{path}: the response is larger than {MAX_BODY_BYTES // 1024 // 1024} MB")


def _parse_envelope(path: str, status: int, content: bytes, retry_after: float | None) -> Any:
    """Return the ``data`` of a response whose HTTP status and ``code`` are both 200."""
    import json

    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError) as error:
        if status == 200:
            raise ProtocolError(f"{path}: the response is not JSON") from error
        envelope = {}
    if not isinstance(envelope, dict):
        envelope = {}
    code = envelope.get("code")
    code = code if type(code) is int else None
    if status == 200 and code == 200:
        return envelope.get("data")
    code = code if code is not None else status
    data = envelope.get("data")
    notice = _text(data.get("serverCheckText")) if isinstance(data, dict) else ""
    if notice:  # PROTOCOL 1.17
        raise MaintenanceError(
            f"{path}: the cloud is in maintenance: {notice}",
            notice=notice,
            status_code=status,
            code=code,
        )
    reason = _text(envelope.get("msg"))
    raise APIError(
        f"{path}: the cloud responds with {code} {reason or 'without a reason'}",
        status_code=status,
        code=code,
        reason=reason,
        retry_after=retry_after,
    )


def _text(value: Any) -> str:
    """Return a text of the cloud on one line, without private data; empty if it is no text."""
    text = value if isinstance(value, str) else ""
    return mask_text(clean_text(text[:2000]))[:200]


def _redirected(path: str, status: int, location: str | None) -> RedirectedError:
    return RedirectedError(
        f"{path}: the server redirects to {_shown_address(location)} (HTTP {status}). The request is "
        "not repeated there, because it may contain the password; check NAVILINK_BASE_URL, and "
        "whether a proxy or the network redirects"
    )


def _shown_address(location: str | None) -> str:
    """Return an address without its query, which may contain secrets."""
    address = re.split("[?#]", location or "")[0]
    return mask_text(ascii(address[:2000]))[:100] if address else "no address"


def _parse_retry_after(header: str | None) -> float | None:
    """Return the seconds of ``Retry-After``; a date is ignored, as the local clock may be wrong."""
    digits = (header or "").strip()
    return float(digits) if digits.isdecimal() and len(digits) < 10 else None


def _measure_skew(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
