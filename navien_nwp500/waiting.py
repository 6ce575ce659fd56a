"""Waits that end.

``asyncio.wait_for`` before Python 3.12 loses a cancellation that arrives together with the result,
and its task then never ends; these do not.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


async def at_most(limit: float, future: asyncio.Future[T]) -> T:
    """The future's outcome; after ``limit`` seconds cancel it and raise asyncio.TimeoutError."""
    try:
        done, _ = await asyncio.wait({future}, timeout=max(limit, 0))
    except asyncio.CancelledError:
        if not future.cancel() and not future.cancelled():
            future.exception()  # seen: nobody else will ask how it ended
        raise
    if not done:
        future.cancel()
        raise asyncio.TimeoutError
    return future.result()


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until each has ended, also one whose library lost a cancellation.

    How they ended is left to their owner to read.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.1)
