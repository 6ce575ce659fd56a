"""An HTTP proxy on loopback that knows only CONNECT, for names that nobody else resolves."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager, suppress
from typing import AsyncIterator

from navien_nwp500._util.aio import cancel_and_wait
from support.stream_server import stream_server

#: A name for the cloud that only the proxy knows (RFC 6761: never in DNS).
CLOUD = "cloud.invalid"


class ConnectProxy:
    """Connect clients to 127.0.0.1, whatever name they ask for.

    With a ``password`` the user is ``navien``; ``status`` answers every request with this instead.
    """

    def __init__(self, password: str | None = None, status: int | None = None) -> None:
        self.port = 0
        self.status = status
        #: Targets of the tunnels that were opened, and the number of refused requests.
        self.opened: list[str] = []
        self.refused = 0
        self._expected: str | None = None
        if password is not None:
            credentials = base64.b64encode(f"navien:{password}".encode()).decode()
            self._expected = f"Basic {credentials}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ConnectProxy]:
        async with stream_server(self._serve) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError):
                await self._connect(reader, writer)
        finally:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.split("\r\n")
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        method, target, _ = request.split(" ")
        assert method == "CONNECT" and headers["host"] == target
        status = self.status
        if status is None and self._expected not in (None, headers.get("proxy-authorization")):
            status = 407
        if status is not None:
            self.refused += 1
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        self.opened.append(target)
        port = int(target.rpartition(":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            copying = [
                asyncio.ensure_future(_copy(reader, back)),
                asyncio.ensure_future(_copy(there, writer)),
            ]
            try:
                await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await cancel_and_wait(*copying)
                for one in copying:
                    one.cancelled() or one.exception()
        finally:
            back.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()
