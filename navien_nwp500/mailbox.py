"""Room for one thing, the newest: a slow reader never makes a backlog."""

from __future__ import annotations

import asyncio
from typing import Generic, Optional, TypeVar

from .waiting import at_most

T = TypeVar("T")


class Mailbox(Generic[T]):
    """One reader; whoever puts something in replaces what was not yet taken."""

    def __init__(self) -> None:
        self.closed = False
        self._content: Optional[T] = None
        self._reader: asyncio.Future[None] | None = None

    def put(self, content: T) -> None:
        self._content = content
        self.wake()

    def close(self) -> None:
        """Let the reader go; what is inside stays to be taken."""
        self.closed = True
        self.wake()

    async def get(self, limit: float | None = None) -> T | None:
        """The newest not yet taken; None after ``limit`` seconds, when woken, or closed and empty."""
        if self._content is None and not self.closed:
            self._reader = asyncio.get_running_loop().create_future()
            if limit is None:
                await self._reader
            else:
                try:
                    await at_most(limit, self._reader)
                except asyncio.TimeoutError:
                    return None
        content, self._content = self._content, None
        return content

    def wake(self) -> None:
        """Let the reader go, with nothing if there is nothing."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
