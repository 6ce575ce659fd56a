"""Watchers of the requests that one heater's topics show (PROTOCOL 3.7)."""

from __future__ import annotations

import asyncio
from typing import AsyncGenerator, Awaitable, Callable

from ..protocol.client_requests import ClientRequest
from .connection import Subscriber

#: Requests that wait for a slow consumer; of more, the oldest is lost.
CAPACITY = 1000


class RequestWatchers:
    """The watchers of one heater; without any, no request is decoded."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._queues: list[asyncio.Queue[ClientRequest]] = []

    async def watch(
        self, connect: Callable[[], Awaitable[None]]
    ) -> AsyncGenerator[ClientRequest, None]:
        """Connect, and yield each request without end. Raises as ``connect`` does."""
        queue: asyncio.Queue[ClientRequest] = asyncio.Queue(CAPACITY)
        self._queues.append(queue)
        self._subscriber.on_request = self._put
        try:
            await connect()
            while True:
                yield await queue.get()
        finally:
            self._queues.remove(queue)
            if not self._queues:
                self._subscriber.on_request = None

    def _put(self, request: ClientRequest) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(request)
