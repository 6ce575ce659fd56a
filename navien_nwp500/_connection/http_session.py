"""HTTP connections and TLS contexts that the clients of a process share.

A thousand accounts that start together would otherwise open a thousand connections at once, each with
a TLS handshake and a read buffer of 256 KiB (measured, Python 3.11 and later).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Tuple
from weakref import WeakValueDictionary

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    import aiohttp

#: Seconds an idle connection stays open. Calls come in a row or an hour apart.
IDLE_TIMEOUT = 0.5

_LOADING = threading.Lock()


class HttpSession:
    """An aiohttp session, shared until the last client leaves.

    Without cookies, nothing of one account reaches the calls of another.
    """

    def __init__(self, session: aiohttp.ClientSession, key: _Key | None = None) -> None:
        self.session = session
        self._key = key
        self._users = 0

    @classmethod
    def join(cls, context: ssl.SSLContext) -> HttpSession:
        """Return the session of this event loop and TLS context; ``leave`` it at the end."""
        import aiohttp

        key = (asyncio.get_running_loop(), context)
        shared = _SHARED.get(key)
        if shared is None:
            connector = aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=IDLE_TIMEOUT)
            session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
            shared = _SHARED[key] = cls(session, key)
        shared._users += 1
        return shared

    async def leave(self) -> None:
        """Close the session when no other client uses it; one of the caller stays open."""
        if self._key is None:
            return
        self._users -= 1
        if not self._users:
            del _SHARED[self._key]
            await self.session.close()


_Key = Tuple[asyncio.AbstractEventLoop, ssl.SSLContext]
#: Held by the clients alone: a client that is never closed leaves nothing behind here.
_SHARED: WeakValueDictionary[_Key, HttpSession] = WeakValueDictionary()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the given certificates, or those of the system.

    Clients share one context per file until the file changes, because each takes 1 MB and 30 ms;
    so it must not be modified. Raises ConfigurationError when the file cannot be read.
    """
    import aiohttp  # noqa: F401  (loaded here once, in a thread)

    with _LOADING:  # so that clients that start at the same time load it once
        if ca_file is None:
            return _shared_context(None)
        try:
            state = ca_file.stat()
            return _shared_context(str(ca_file), state.st_mtime_ns, state.st_size)
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"ca_file {ca_file} cannot be read: it contains no valid certificate in PEM format"
            ) from error
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"ca_file {ca_file} cannot be read: {reason}") from error


@lru_cache(maxsize=8)
def _shared_context(ca_file: str | None, *_version: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
