"""Threads for the work on the database, so that it never holds the event loop up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, TypeVar

T = TypeVar("T")
#: A slow question of one page delays that of another little.
OTHERS = 3


class Threads:
    """One thread that records, in order, and a few for everything else."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, "history-writer")
        self._others = ThreadPoolExecutor(OTHERS, "history")

    async def in_order(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function after those before it; a cancellation is raised when it has ended."""
        return await _finish(self._writer, function, *arguments)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function beside others; a cancellation is raised when it has ended."""
        return await _finish(self._others, function, *arguments)

    def close(self) -> None:
        """Wait until all calls have ended; blocks."""
        self._others.shutdown()
        self._writer.shutdown()


async def _finish(executor: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
    future = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        future.exception()  # retrieved, so that asyncio does not report it
        raise
