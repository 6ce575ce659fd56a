"""Waits and connections that end.

``asyncio.wait_for`` before Python 3.12 loses a cancellation that arrives together with the result,
and its task then never ends; these do not.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Awaitable, ContextManager, Generic, Optional, TypeVar

T = TypeVar("T")


async def wait_at_most(limit: float, future: asyncio.Future[T]) -> T:
    """The future's outcome; after ``limit`` seconds end it and raise asyncio.TimeoutError.

    A plain future is awaited itself, which costs one turn of the loop and no more: it is the
    caller's own, and whoever settles it asks first whether it is done. A task is cancelled.
    """
    if isinstance(future, asyncio.Task):
        return await _task_at_most(limit, future)
    timer = asyncio.get_running_loop().call_later(max(limit, 0), _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(asyncio.TimeoutError())


async def _task_at_most(limit: float, task: asyncio.Task[T]) -> T:
    try:
        done, _ = await asyncio.wait({task}, timeout=max(limit, 0))
    except asyncio.CancelledError:
        task.cancel()  # also an end nobody will ask about: then it is not complained of
        raise
    if not done:
        task.cancel()
        raise asyncio.TimeoutError
    return task.result()


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until each has ended, also one whose library lost a cancellation.

    How they ended is left to their owner to read. Being cancelled meanwhile leaves none of them
    behind; CancelledError goes on afterwards.
    """
    cancelled: asyncio.CancelledError | None = None
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=0.1)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def run_until_first(*parts: Awaitable[Any]) -> None:
    """Run parts side by side until one ends or raises; none outlives the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*tasks)


class Notifier:
    """Wakes those who wait for something to change; they look themselves at what did."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait for the next change."""
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.add(changed)
        try:
            await changed
        finally:
            self.waiting.discard(changed)

    def tell(self) -> None:
        """Wake all who wait now."""
        for changed in self.waiting:
            if not changed.done():
                changed.set_result(None)


def unless_lost() -> ContextManager[None]:
    """Ignore that a TLS transport has lost its protocol, and with it the connection.

    It then raises AttributeError at every call: on Python 3.9 and 3.10 once the peer has gone, on
    later ones after a second ``close``, which in 3.11.2 (Debian 12) holds for ``abort`` too.
    """
    return contextlib.suppress(AttributeError)


T = TypeVar("T")


class LatestValue(Generic[T]):
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
                    await wait_at_most(limit, self._reader)
                except asyncio.TimeoutError:
                    return None
        content, self._content = self._content, None
        return content

    def wake(self) -> None:
        """Let the reader go, with nothing if there is nothing."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
