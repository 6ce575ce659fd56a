"""The sockets of a client's connection: one to the client, one to the broker, and the keep-alive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Callable

from ..._util.aio import ignore_lost_transport, wait_at_most

CHUNK_BYTES = 64 * 1024
#: Real seconds in which the broker must respond.
BROKER_SECONDS = 5.0

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class KeepAlive:
    """A timer that calls ``expired`` when nothing was received for ``seconds``."""

    def __init__(self, seconds: float, expired: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expired = expired
        self._received_at = self._loop.time()
        self._limit = seconds
        self._timer = self._loop.call_later(seconds, self._check)

    def set_limit(self, seconds: float) -> None:
        """Change the limit; the time starts anew."""
        self._timer.cancel()
        self._limit = seconds
        self._timer = self._loop.call_later(seconds, self._check)

    def received(self) -> None:
        """Start the time anew."""
        self._received_at = self._loop.time()

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _check(self) -> None:
        left = self._received_at + self._limit - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._expired()


async def close_broker_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Close the connection to the broker and wait until the broker has closed it too.

    The broker's two listeners are threads. One may see a client take over an id before the other
    has seen the end of the id's first client; then both clients end (measured with iotcore 0.4).
    """
    try:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            writer.write_eof()
            await wait_at_most(BROKER_SECONDS, asyncio.ensure_future(_drained(reader)))
    finally:
        writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _drained(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK_BYTES):
        pass


def acknowledge_now(transport: asyncio.Transport | None) -> None:
    """Make Linux acknowledge at once what was read; the option must be set after each read.

    awscrt sets no TCP_NODELAY: its next small packet waits for this acknowledgement, up to 40 ms.
    """
    if _QUICKACK is None or transport is None:
        return
    with ignore_lost_transport(), contextlib.suppress(OSError):
        sock: Any = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
