"""Asyncio helpers: timeouts, cancellation, notification, and a queue of one value.

``asyncio.wait_for`` before Python 3.12 can lose a cancellation that arrives together with the
result, and its task then never ends; these helpers do not.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Executor
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    ContextManager,
    Generic,
    Optional,
    Tuple,
    TypeVar,
)
from weakref import WeakValueDictionary

T = TypeVar("T")

#: So many do the same at the same time, others wait for their turn: what a thousand accounts need at
#: once for sign-ins and handshakes would stay in the process, 17 KiB of each (measured, Python 3.11).
AT_ONCE = 20
#: Held by those who use them alone, so that no event loop is kept.
_TURNS: WeakValueDictionary[Tuple[asyncio.AbstractEventLoop, str], asyncio.Semaphore] = (
    WeakValueDictionary()
)


def turns(kind: str) -> asyncio.Semaphore:
    """Return the turns of this event loop for what is named, such as calls of a service."""
    key = (asyncio.get_running_loop(), kind)
    found = _TURNS.get(key)
    if found is None:
        found = _TURNS[key] = asyncio.Semaphore(AT_ONCE)
    return found


async def wait_at_most(limit: float, future: asyncio.Future[T]) -> T:
    """Return the result of a future; after ``limit`` seconds raise asyncio.TimeoutError.

    A task is cancelled at the timeout. A plain future is awaited directly, which costs one turn of
    the event loop; it must belong to the caller, and whoever settles it checks that it is not done.
    """
    if isinstance(future, asyncio.Task):
        return await _wait_for_task(limit, future)
    timer = asyncio.get_running_loop().call_later(max(limit, 0), _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(asyncio.TimeoutError())


async def _wait_for_task(limit: float, task: asyncio.Task[T]) -> T:
    try:
        done, _ = await asyncio.wait({task}, timeout=max(limit, 0))
    except asyncio.CancelledError:
        task.cancel()  # also when done: then asyncio does not report its exception as unretrieved
        raise
    if not done:
        task.cancel()
        raise asyncio.TimeoutError
    return task.result()


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until each has ended, also one whose library swallowed a cancellation.

    The caller reads their results. When the caller itself is cancelled meanwhile, all tasks are
    ended first; then CancelledError is raised.
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
    """Run awaitables concurrently until the first ends or raises, then cancel the others.

    Of several errors one is raised. When the caller is cancelled, that counts, not what fails then.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not report it


async def in_thread(
    call: Callable[[], T],
    undo: Callable[[T], object] | None = None,
    executor: Executor | None = None,
) -> T:
    """Run a blocking call in a thread and wait until it ends, even when cancelled.

    When cancelled, call ``undo`` with the result before raising CancelledError. A call that may be
    left alone when cancelled, as it only reads, needs no more than ``asyncio.to_thread``.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(executor, call)
    try:
        return await finish(future)
    except asyncio.CancelledError:
        if undo is not None and future.exception() is None:
            result = future.result()
            await _wait_done(loop.run_in_executor(executor, lambda: undo(result)))
        raise


async def finish(work: Awaitable[T]) -> T:
    """Wait until work has ended, however often cancelled meanwhile; then raise CancelledError.

    For what must not be left half done. The work itself must have an end.
    """
    future = asyncio.ensure_future(work)
    if not await _wait_done(future):
        return future.result()
    if not future.cancelled():
        future.exception()  # retrieved, so that asyncio does not report it
    raise asyncio.CancelledError


async def _wait_done(future: asyncio.Future[T]) -> bool:
    """Wait until a future ends, even when cancelled; return True when that was asked for."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


async def result_of(future: asyncio.Future[T]) -> T:
    """Return the result of work that has another owner: a cancelled wait leaves it alone.

    asyncio.shield would report, on Python 3.14, an error of the work after that.
    """
    await asyncio.wait({future})
    return future.result()


async def with_timeouts(
    items: AsyncIterator[T], limit: float, first_limit: float
) -> AsyncGenerator[T | None, None]:
    """Yield the items, and None after each ``limit`` seconds without one.

    ``first_limit`` applies until the first item.
    """
    pending: asyncio.Task[T] | None = None
    timeout = first_limit
    try:
        while True:
            if pending is None:
                pending = asyncio.get_running_loop().create_task(_next(items), name="next-item")
            done, _ = await asyncio.wait({pending}, timeout=timeout)
            if not done:
                yield None
                continue
            item, pending, timeout = pending.result(), None, limit
            yield item
    finally:
        if pending is not None:
            await cancel_and_wait(pending)
            if not pending.cancelled():
                pending.exception()  # retrieved, so that asyncio does not report it


async def _next(items: AsyncIterator[T]) -> T:
    return await items.__anext__()


class Notifier:
    """Wake waiting tasks when something has changed; they check themselves what it is."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait for the next notification."""
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.add(changed)
        try:
            await changed
        finally:
            self.waiting.discard(changed)

    def notify(self) -> None:
        """Wake all tasks that wait now."""
        for changed in self.waiting:
            if not changed.done():
                changed.set_result(None)


class LatestValue(Generic[T]):
    """A queue of one value with one reader: a new value replaces one that was not yet read."""

    def __init__(self) -> None:
        self.closed = False
        self._value: Optional[T] = None
        self._reader: asyncio.Future[None] | None = None

    def put(self, value: T) -> None:
        """Store a value and wake the reader."""
        self._value = value
        self.wake()

    def close(self) -> None:
        """Wake the reader for good; a value that was not read stays available."""
        self.closed = True
        self.wake()

    async def get(self, limit: float | None = None) -> T | None:
        """Return the value; None after ``limit`` seconds, after ``wake``, or when closed and empty."""
        if self._value is None and not self.closed:
            loop = asyncio.get_running_loop()
            self._reader = loop.create_future()
            # No exception at the limit: with its traceback it would be a cycle, at each poll.
            timer = None if limit is None else loop.call_later(max(limit, 0), self.wake)
            try:
                await self._reader
            finally:
                if timer is not None:
                    timer.cancel()
        value, self._value = self._value, None
        return value

    def wake(self) -> None:
        """Wake the reader, also without a value."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class SmallQueue(Generic[T]):
    """A queue with one reader. ``asyncio.Queue`` takes 3 KB, as much as a status."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._reader: asyncio.Future[None] | None = None

    def put(self, value: T) -> None:
        """Append a value and wake the reader."""
        self._values.append(value)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> T:
        """Wait for a value; return the oldest."""
        while not self._values:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._values.pop(0)


def ignore_lost_transport() -> ContextManager[None]:
    """Ignore the AttributeError of a TLS transport that has lost its connection.

    Python 3.9 and 3.10 raise it at every call once the peer has gone; later ones after a second
    ``close``, and 3.11.2 (Debian 12) after ``abort`` too.
    """
    return contextlib.suppress(AttributeError)


async def stop_accepting(server: asyncio.Server) -> None:
    """Close a listening server when what it has just accepted has its transport and protocol.

    asyncio makes them in the next two turns; when the server is closed by then, nobody closes the
    socket.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # the loop of Windows
        for one in server.sockets:
            loop.remove_reader(one)
    for _ in range(2):
        await asyncio.sleep(0)
    server.close()
