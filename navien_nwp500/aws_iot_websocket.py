"""The signed way to the broker: one MQTT connection over one SigV4 WebSocket.

The only file that knows awscrt, and in ``_post`` the only place where another thread's word
enters the event loop. A link lives once, from ``open`` to its end; what comes back is a new link
with a new client id and fresh keys. That is on purpose: the SDK's own reconnect signs with the old
keys for ever and tells nobody (measured, awscrt 0.20 to 0.36).
"""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable, TypeVar
from urllib.parse import urlsplit

from .config import ReconnectConfig
from .exceptions import RequestTimeoutError, WebSocketError
from .leases import AwsKeys
from .protocol import Frame
from .redaction import logger
from .waiting import at_most

__all__ = ["AwsIotWebSocket", "ReconnectConfig"]

_LOGGER = logger(__name__)

REGION = "us-east-1"
#: A dead line is noticed after both: 30 s is the least AWS allows (protocol 2.3).
KEEP_ALIVE = 30
PING_TIMEOUT = 10.0
#: No TLS answer ends a try after 10 s, a refusal to trust after up to 24 s (measured).
OPEN_TIMEOUT = 30.0
OPERATION_TIMEOUT = 15.0

_UPGRADE_REFUSED = "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
_T = TypeVar("_T")


class HandshakeRefusedError(WebSocketError):
    """The broker's door answered, and did not let these keys in."""


class AwsIotWebSocket:
    """One connection. ``receive`` yields what comes until the line drops; then it is over."""

    def __init__(self, client_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self.client_id = client_id
        self._loop = loop
        self._incoming: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._lost: str | None = None
        self._connection: Any = None

    def __repr__(self) -> str:
        return f"AwsIotWebSocket({'up' if self.up else 'down'})"

    @property
    def up(self) -> bool:
        return self._connection is not None and self._lost is None

    @classmethod
    async def open(cls, url: str, keys: AwsKeys, ca_bytes: bytes | None = None) -> AwsIotWebSocket:
        """Connect under a client id nobody else has.

        Raises HandshakeRefusedError when the keys are not let in, WebSocketError when the broker
        cannot be reached or does not welcome us.
        """
        loop = asyncio.get_running_loop()
        link = cls(str(uuid.uuid4()), loop)
        # Loading the SDK for the first time and starting its threads takes 100 ms.
        link._connection = await loop.run_in_executor(None, link._build, url, keys, ca_bytes)
        connecting = link._connection.connect()
        try:
            await link._outcome(connecting, OPEN_TIMEOUT, "connecting")
        except BaseException:
            # A try given up can still succeed later, on the SDK's thread.
            connecting.add_done_callback(link._hang_up_late)
            raise
        _LOGGER.debug("connected")
        return link

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1; returns once the broker has agreed. Raises WebSocketError."""
        import awscrt.mqtt

        future, _ = self._connection.subscribe(topic_filter, awscrt.mqtt.QoS.AT_LEAST_ONCE, None)
        await self._outcome(future, OPERATION_TIMEOUT, "subscribing")

    async def publish(self, frame: Frame) -> None:
        """Send with QoS 0; returns once it is on its way. Raises WebSocketError.

        QoS 0 is what the maker's app polls with; a QoS 1 publish would outlive the line in the
        SDK and reach the heater at some later time.
        """
        import awscrt.mqtt

        if not self.up:
            raise WebSocketError(f"the line is down ({self._lost}); nothing was sent")
        qos = awscrt.mqtt.QoS.AT_MOST_ONCE
        future, _ = self._connection.publish(frame.topic, frame.payload, qos)
        await self._outcome(future, OPERATION_TIMEOUT, "publishing")

    async def receive(self) -> Frame | None:
        """The next message; None once the line is down."""
        return await self._incoming.get()

    async def close(self) -> None:
        """Disconnect and wait for it; a line already lost is left alone."""
        if self._connection is None or self._lost is not None:
            return
        self._drop("closed by us")
        try:
            await self._outcome(self._connection.disconnect(), OPERATION_TIMEOUT, "disconnecting")
        except (WebSocketError, RequestTimeoutError) as error:
            _LOGGER.debug("%s", error)

    # Everything below this line may run on the SDK's thread, up to _post

    def _build(self, url: str, keys: AwsKeys, ca_bytes: bytes | None) -> Any:
        from awscrt import auth
        from awsiot import mqtt_connection_builder

        parts = urlsplit(url)
        provider = auth.AwsCredentialsProvider.new_static(
            keys.access_key_id, keys.secret_key, keys.session_token
        )
        connection = mqtt_connection_builder.websockets_with_default_aws_signing(
            endpoint=parts.hostname,
            port=parts.port or 443,
            region=REGION,
            credentials_provider=provider,
            client_id=self.client_id,
            clean_session=True,
            keep_alive_secs=KEEP_ALIVE,
            ping_timeout_ms=int(PING_TIMEOUT * 1000),
            protocol_operation_timeout_ms=int(OPERATION_TIMEOUT * 1000),
            ca_bytes=ca_bytes,
            enable_metrics_collection=False,
            on_connection_interrupted=self._on_interrupted,
        )
        # The SDK keeps this callback where no collector sees it: one that leads back here would
        # keep every connection there ever was (measured, awscrt 0.36).
        connection.on_message(partial(_hear, self._loop, self._incoming))
        return connection

    def _on_interrupted(self, connection: Any, error: Any, **_: Any) -> None:
        connection.disconnect()  # else the SDK tries again by itself, with the old keys
        _post(self._loop, self._drop, _reason(error))

    def _hang_up_late(self, connecting: Future[Any]) -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._connection.disconnect()

    # On the loop again

    async def _outcome(self, future: Future[_T], limit: float, doing: str) -> _T:
        """Wait for the SDK: its result, its error, the line's end or the time limit."""
        waiter: asyncio.Future[_T] = self._loop.create_future()
        future.add_done_callback(lambda done: _post(self._loop, _settle, waiter, done, doing))
        self._waiting.add(waiter)
        try:
            return await at_most(limit, waiter)
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(f"{doing}: no answer of the broker in {limit:g} s") from error
        finally:
            self._waiting.discard(waiter)

    def _drop(self, reason: str) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        self._incoming.put_nowait(None)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(WebSocketError(f"the line dropped: {reason}"))


def _hear(
    loop: asyncio.AbstractEventLoop,
    incoming: asyncio.Queue[Frame | None],
    topic: str,
    payload: bytes,
    **_: Any,
) -> None:
    _post(loop, incoming.put_nowait, Frame(topic, bytes(payload)))


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        # The loop has closed; nobody is left who could hear it.
        _LOGGER.debug("a message arrived after the end")


def _settle(waiter: asyncio.Future[Any], done: Future[Any], doing: str) -> None:
    if waiter.done():
        return
    error = done.exception()
    if error is None:
        waiter.set_result(done.result())
    else:
        waiter.set_exception(_translate(error, doing))


def _translate(error: BaseException, doing: str) -> WebSocketError:
    """The SDK says nothing of HTTP: a 403 is a failed upgrade (measured)."""
    reason = _reason(error)
    kind = HandshakeRefusedError if _UPGRADE_REFUSED in reason else WebSocketError
    translated = kind(f"{doing}: {reason}")
    translated.__cause__ = error
    return translated


def _reason(error: BaseException | None) -> str:
    name = getattr(error, "name", None) or type(error).__name__
    message = getattr(error, "message", None) or str(error)
    return f"{name}: {message}"[:200]
