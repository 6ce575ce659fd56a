"""Base class of the MQTT transports.

A transport is one connection to the broker, from ``open`` until it ends; a reconnect makes a new
one, with a new client id. A subclass implements ``open``, ``subscribe``, ``publish`` and
``_disconnect``, and calls ``_received`` and ``_connection_ended`` on the event loop.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from typing import Any, TypeVar

from .._util.aio import SmallQueue, wait_at_most
from ..exceptions import RequestTimeoutError, WebSocketError
from ..protocol.messages import Frame
from ..protocol.redaction import logger
from .credentials import AwsCredentials

__all__ = ["HandshakeRefusedError", "SubscriptionRefusedError", "Transport"]

_LOGGER = logger("navien_nwp500.connection")

#: Of the SigV4 signature (PROTOCOL 2.1).
REGION = "us-east-1"
SERVICE = "iotdevicegateway"
#: Reason codes of a SUBACK from here on are refusals, in MQTT 3.1.1 and MQTT 5.
SUBACK_REFUSED = 0x80

#: Seconds. Both together detect a dead connection; 30 s is the minimum AWS allows (PROTOCOL 2.3).
KEEP_ALIVE = 30
PING_TIMEOUT = 10.0
#: Without a TLS response a try ends after 10 s, with an untrusted certificate after up to 24 s
#: (measured).
OPEN_TIMEOUT = 30.0
OPERATION_TIMEOUT = 15.0

_T = TypeVar("_T")
_Transport = TypeVar("_Transport", bound="Transport")


class HandshakeRefusedError(WebSocketError):
    """The broker rejected the credentials during the WebSocket handshake (HTTP 403)."""


class SubscriptionRefusedError(WebSocketError):
    """The broker answered a subscription with a refusal (SUBACK) and kept the connection."""


class Transport(ABC):
    """One MQTT connection over a WebSocket."""

    def __init__(self) -> None:
        self.client_id = str(uuid.uuid4())
        self._incoming: SmallQueue[Frame | None] = SmallQueue()
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(connected={self.connected})"

    @property
    def connected(self) -> bool:
        """True until the connection has ended."""
        return not self._end.done()

    @classmethod
    @abstractmethod
    async def open(
        cls: type[_Transport], url: str, credentials: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _Transport:
        """Connect with a unique client id.

        ``ca_bytes`` are trusted certificates in PEM, instead of the system's. Raises
        HandshakeRefusedError when the credentials are rejected, WebSocketError when the broker
        cannot be reached or rejects the connection, RequestTimeoutError.
        """

    @abstractmethod
    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1; returns after SUBACK.

        Packets are sent in the order in which the calling tasks first run. Raises
        SubscriptionRefusedError, WebSocketError when the connection drops, RequestTimeoutError.
        """

    @abstractmethod
    async def publish(self, frame: Frame) -> None:
        """Publish with QoS 0. Raises WebSocketError.

        The maker's app polls with QoS 0. A QoS 1 message would survive a dropped connection in the
        queue of a library and reach the heater later.
        """

    @abstractmethod
    def _disconnect(self) -> asyncio.Future[Any]:
        """Disconnect; the future is done when the connection is closed."""

    async def wait_ended(self, limit: float) -> bool:
        """Return True as soon as the connection has ended, False if it is up after ``limit`` s."""
        await asyncio.wait({self._end}, timeout=limit)
        return not self.connected

    async def receive(self) -> Frame | None:
        """Return the next message; None after the connection has ended."""
        return await self._incoming.get()

    async def close(self) -> None:
        """Disconnect and wait for it; does nothing after the connection has ended."""
        if not self.connected:
            return
        self._connection_ended("closed by the client")
        try:
            await wait_at_most(OPERATION_TIMEOUT, self._disconnect())
        except (WebSocketError, asyncio.TimeoutError) as error:
            _LOGGER.debug("disconnecting: %r", error)

    def _received(self, frame: Frame) -> None:
        self._incoming.put(frame)

    def _connection_ended(self, reason: str) -> None:
        if self.connected:
            self._end.set_result(reason)
            self._incoming.put(None)

    def _require_connected(self) -> None:
        if not self.connected:
            raise WebSocketError(f"not connected ({self._end.result()}); nothing was sent")

    async def _outcome(self, operation: asyncio.Future[_T], limit: float, doing: str) -> _T:
        """Wait until the broker responds, the connection ends, or the time limit is reached."""
        try:
            ends: set[asyncio.Future[Any]] = {operation, self._end}
            await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if operation.done():
                return operation.result()
            if self.connected:
                raise RequestTimeoutError(f"{doing}: no response from the broker in {limit:g} s")
            raise WebSocketError(f"{doing}: the connection dropped: {self._end.result()}")
        finally:
            operation.cancel()
