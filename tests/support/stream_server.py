"""A server of tests whose connections are all closed at its end, also one that has just been accepted.

With TLS 1.3 a client has a connection before the server has: a test may end in between.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Callable, Coroutine

from navien_nwp500._util.aio import cancel_and_wait

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def stream_server(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve each connection with ``serve`` on a port of loopback; yield the port."""
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []
    ended = False

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if ended:
            writer.transport.abort()
        else:
            writers.append(writer)
            tasks.append(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended = True
        server.close()
        await cancel_and_wait(*tasks)
        for writer in writers:
            writer.transport.abort()
        await end_handshakes()
        failed = [one for one in tasks if not one.cancelled() and one.exception() is not None]
        assert failed == []


async def end_handshakes() -> None:
    """End the TLS handshakes that a server of asyncio has begun; each closes its connection."""
    tasks = [one for one in asyncio.all_tasks() if "_accept_connection2" in str(one.get_coro())]
    await cancel_and_wait(*tasks)
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
