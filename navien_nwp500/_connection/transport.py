"""One connection to the broker, whatever carries it: what every transport keeps, and its half of it.

A transport is a subclass with four things of its own: ``open``, ``subscribe``, ``publish`` and
``_hang_up``. What it hears it gives to ``_hear``, its end to ``_drop``, both on the event loop, and
each answer of the broker it waits for with ``_outcome``. A link lives once, from ``open`` to its
end; what comes back is a new link with a new client id and fresh keys.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from .._util.aio import wait_at_most
from ..exceptions import RequestTimeoutError, WebSocketError
from ..protocol.messages import Frame
from ..protocol.redaction import logger
from .credentials import AwsCredentials

__all__ = ["HandshakeRefusedError", "Transport"]

_LOGGER = logger(__name__)

#: A dead line is noticed after both: 30 s is the least AWS allows (protocol 2.3).
KEEP_ALIVE = 30
PING_TIMEOUT = 10.0
#: No TLS answer ends a try after 10 s, a refusal to trust after up to 24 s (measured).
OPEN_TIMEOUT = 30.0
OPERATION_TIMEOUT = 15.0

_T = TypeVar("_T")
_L = TypeVar("_L", bound="Transport")


class HandshakeRefusedError(WebSocketError):
    """The broker's door answered, and did not let these keys in."""


class Transport(ABC):
    """One connection. ``receive`` yields what comes until the line drops; then it is over."""

    def __init__(self) -> None:
        self.client_id = str(uuid.uuid4())
        self._incoming: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'up' if self.up else 'down'})"

    @property
    def up(self) -> bool:
        return not self._over.done()

    @classmethod
    @abstractmethod
    async def open(
        cls: type[_L], url: str, keys: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _L:
        """Connect under a client id nobody else has.

        ``ca_bytes`` are the certificates to trust instead of the system's, as PEM. Raises
        HandshakeRefusedError when the keys are not let in, WebSocketError when the broker cannot
        be reached or does not welcome us, RequestTimeoutError.
        """

    @abstractmethod
    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1; returns once the broker has agreed.

        What tasks ask for goes out in the order in which the tasks first run. Raises
        WebSocketError when it is refused or the line drops, RequestTimeoutError.
        """

    @abstractmethod
    async def publish(self, frame: Frame) -> None:
        """Send with QoS 0; returns once it is on its way. Raises WebSocketError.

        QoS 0 is what the maker's app polls with; a QoS 1 publish would outlive the line in a
        library's queue and reach the heater at some later time.
        """

    @abstractmethod
    def _hang_up(self) -> asyncio.Future[Any]:
        """Say goodbye to the broker; done once nothing is left of the connection."""

    async def receive(self) -> Frame | None:
        """The next message; None once the line is down."""
        return await self._incoming.get()

    async def close(self) -> None:
        """Disconnect and wait for it; a line already lost is left alone."""
        if not self.up:
            return
        self._drop("closed by us")
        try:
            await wait_at_most(OPERATION_TIMEOUT, self._hang_up())
        except (WebSocketError, asyncio.TimeoutError) as error:
            _LOGGER.debug("disconnecting: %r", error)

    def _hear(self, frame: Frame) -> None:
        self._incoming.put_nowait(frame)

    def _drop(self, reason: str) -> None:
        if self.up:
            self._over.set_result(reason)
            self._incoming.put_nowait(None)

    def _check_up(self) -> None:
        if not self.up:
            raise WebSocketError(f"the line is down ({self._over.result()}); nothing was sent")

    async def _outcome(self, asked: asyncio.Future[_T], limit: float, doing: str) -> _T:
        """Wait for the broker: its answer, its refusal, the line's end or the time limit."""
        try:
            ends: set[asyncio.Future[Any]] = {asked, self._over}
            await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return asked.result()
            if self.up:
                raise RequestTimeoutError(f"{doing}: no answer of the broker in {limit:g} s")
            raise WebSocketError(f"{doing}: the line dropped: {self._over.result()}")
        finally:
            asked.cancel()
