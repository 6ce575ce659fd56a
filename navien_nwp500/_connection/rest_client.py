"""The HTTP half: one request out, the ``data`` of its answer back.

Every HTTP call of the house is made here and every error of aiohttp ends here. One kept-alive
connection serves calls that follow each other.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from .._util.version import __version__
from ..config import NaviLinkConfig
from ..exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    ProtocolError,
    RequestTimeoutError,
)
from ..protocol import capture
from ..protocol.redaction import mask_text

if TYPE_CHECKING:
    import aiohttp


#: So long a connection waits for another call, seconds. They come in a row or an hour apart, and an
#: open one holds 300 KB, most of it asyncio's read buffer for TLS (measured, Python 3.11).
KEEP_OPEN = 2.0

_BUILDING = threading.Lock()


class RestClient:
    """The REST service of one configuration.

    ``session`` lends an aiohttp session; its owner closes it. Without one, one is opened at the
    first call and closed by ``close()``.
    """

    def __init__(
        self, config: NaviLinkConfig, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self._base_url = config.base_url
        self._ca_file = config.ca_file
        self._limit = config.rest_timeout
        self._lent = session
        self._own: aiohttp.ClientSession | None = None
        self._closed = False
        #: How far the cloud's clock is ahead of this machine's, seconds; None before a call.
        self.clock_skew: float | None = None

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        """Make one call; returns the ``data`` of the answer.

        Raises APIError when the cloud says no, ProtocolError, RequestTimeoutError or
        CommunicationError.
        """
        session = await self._session()
        import aiohttp  # loaded by now, in a thread or by whoever lends the session

        headers = {"User-Agent": f"navien_nwp500/{__version__}"}
        if token is not None:
            headers["authorization"] = token  # the raw token, no "Bearer" (PROTOCOL 1.1)
        url = self._base_url + path
        timeout = aiohttp.ClientTimeout(total=self._limit)
        capture.log_call(capture.OUT, method, path, query if body is None else body)
        try:
            async with session.request(
                method, url, json=body, params=query, headers=headers, timeout=timeout
            ) as response:
                status, content = response.status, await response.read()
                retry_after = _delay(response.headers.get("Retry-After"))
                self.clock_skew = _skew(response.headers.get("Date"))
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(
                f"{path}: no answer within {self._limit:g} s; try again later"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise CommunicationError(
                f"{path}: the cloud cannot be reached ({_short(error)}); check the network"
            ) from error
        capture.log_call(capture.IN, method, path, content, status)
        return _unwrap(path, status, content, retry_after)

    async def close(self) -> None:
        """Close what was opened here; a lent session stays open. Calls are refused from then on."""
        async with self._opening:
            self._closed = True
            if self._own is not None:
                await self._own.close()
                self._own = None

    async def _session(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._closed:
                raise CommunicationError("the client is closed; make a new one")
            if self._lent is not None:
                return self._lent
            if self._own is None:
                loop = asyncio.get_running_loop()
                # Reading certificates (and aiohttp itself) from disk would hold up the loop.
                context = await loop.run_in_executor(None, tls_context, self._ca_file)
                import aiohttp

                connector = aiohttp.TCPConnector(ssl=context, keepalive_timeout=KEEP_OPEN)
                self._own = aiohttp.ClientSession(
                    connector=connector, cookie_jar=aiohttp.DummyCookieJar()
                )
            return self._own

    @cached_property
    def _opening(self) -> asyncio.Lock:
        return asyncio.Lock()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the given certificates, or the system's.

    Clients share one context a file, as long as the file stays what it is: each would cost 1 MB
    and 30 ms. Nobody may change it. Raises ConfigurationError when the file cannot be read.
    """
    import aiohttp  # noqa: F401  (loaded here, in a thread, once)

    with _BUILDING:  # of clients that start together one builds, the others find it
        if ca_file is None:
            return _shared_context(None)
        try:
            state = ca_file.stat()
            return _shared_context(str(ca_file), state.st_mtime_ns, state.st_size)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"ca_file {ca_file} cannot be read: {error}") from error


@lru_cache(maxsize=8)
def _shared_context(ca_file: str | None, *_version: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _unwrap(path: str, status: int, content: bytes, retry_after: float | None) -> Any:
    """Open the envelope: the HTTP status and the body's code must both say success."""
    import json

    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError) as error:
        if status == 200:
            raise ProtocolError(f"{path}: the answer is no JSON") from error
        envelope = {}
    if not isinstance(envelope, dict):
        envelope = {}
    code = envelope.get("code")
    code = code if type(code) is int else None
    if status == 200 and code == 200:
        return envelope.get("data")
    message = envelope.get("msg")
    message = message if isinstance(message, str) else "no reason given"
    raise APIError(
        f"{path}: the cloud answers {code or status} {mask_text(message[:200])}",
        status_code=status,
        code=code if code is not None else status,
        retry_after=retry_after,
    )


def _delay(retry_after: str | None) -> float | None:
    """The header in seconds; as a date it is left out, a wrong clock would misread it."""
    digits = (retry_after or "").strip()
    return float(digits) if digits.isdecimal() and len(digits) < 10 else None


def _skew(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return None


def _short(error: BaseException) -> str:
    return mask_text(str(error)[:200]) or type(error).__name__
