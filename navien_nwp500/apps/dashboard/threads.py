"""Threads for the work on the database, so that it never holds the event loop up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, TypeVar

from ..._util.aio import in_thread

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
        return await in_thread(partial(function, *arguments), executor=self._writer)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function beside others; a cancellation is raised when it has ended."""
        return await in_thread(partial(function, *arguments), executor=self._others)

    def close(self) -> None:
        """Wait until all calls have ended; blocks."""
        self._others.shutdown()
        self._writer.shutdown()
