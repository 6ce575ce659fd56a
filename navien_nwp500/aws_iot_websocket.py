"""The links of the AWS SDK: one MQTT connection, 3.1.1 or 5, over one SigV4 WebSocket.

The only file that knows awscrt, and in ``_post`` the only place where another thread's word
enters the event loop. The SDK's own reconnect is stopped at the first failure: it signs with the
old keys for ever and tells nobody (measured, awscrt 0.20 to 0.36).
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from concurrent.futures import Future
from functools import lru_cache
from inspect import signature
from typing import Any, Callable, TypeVar
from urllib.parse import urlsplit
from weakref import WeakMethod

from ._connection import transport
from ._connection.credentials import AwsCredentials
from ._connection.transport import HandshakeRefusedError, Transport
from .config import ReconnectConfig
from .exceptions import WebSocketError
from .protocol.messages import Frame
from .protocol.redaction import logger

__all__ = ["AwsIotMqtt3", "AwsIotMqtt5", "ReconnectConfig"]

_LOGGER = logger(__name__)

REGION = "us-east-1"
SERVICE = "iotdevicegateway"
CONNECT_TIMEOUT_MS = 5000

_READING = threading.Lock()

_UPGRADE_REFUSED = "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
#: From here on a reason code of a SUBACK is a refusal, in both versions of the protocol.
_REFUSED = 0x80
_T = TypeVar("_T")
_L = TypeVar("_L", bound="_AwsIotLink")


class _AwsIotLink(Transport):
    """What the SDK's two clients have in common; ``_sdk`` is one of them."""

    _sdk: Any

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(
        cls: type[_L], url: str, keys: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _L:
        opened = cls()
        # Loading the SDK for the first time and starting its threads takes 100 ms.
        building = opened._loop.run_in_executor(None, opened._build, url, keys, ca_bytes)
        opened._sdk = await building
        connecting = opened._connect()
        try:
            await opened._answer(connecting, transport.OPEN_TIMEOUT, "connecting")
        except BaseException:
            opened._drop("given up")
            opened._give_up(connecting)
            raise
        _LOGGER.debug("connected")
        return opened

    # What differs; the first runs on a thread of the loop's

    @abstractmethod
    def _build(self, url: str, keys: AwsCredentials, ca_bytes: bytes | None) -> Any:
        """Make the SDK's client."""

    @abstractmethod
    def _connect(self) -> Future[Any]:
        """Start connecting."""

    @abstractmethod
    def _give_up(self, connecting: Future[Any]) -> None:
        """End a try: given up, it can still succeed later, on the SDK's thread."""

    # The way from the SDK's thread to the loop

    async def _answer(self, future: Future[_T], limit: float, doing: str) -> _T:
        return await self._outcome(self._awaited(future, doing), limit, doing)

    def _awaited(self, future: Future[_T], doing: str) -> asyncio.Future[_T]:
        loop = self._loop
        waiter: asyncio.Future[_T] = loop.create_future()
        future.add_done_callback(lambda done: _post(loop, _settle, waiter, done, doing))
        return waiter

    def _heard(self, topic: str, payload: bytes) -> None:
        _post(self._loop, self._hear, Frame(topic, bytes(payload)))

    def _lost(self, error: BaseException | None) -> None:
        _post(self._loop, self._drop, _reason(error))


class AwsIotMqtt3(_AwsIotLink):
    """A link that speaks MQTT 3.1.1."""

    async def subscribe(self, topic_filter: str) -> None:
        import awscrt.mqtt

        self._check_up()
        future, _ = self._sdk.subscribe(topic_filter, awscrt.mqtt.QoS.AT_LEAST_ONCE)
        # The SDK itself makes an error of a refusal.
        await self._answer(future, transport.OPERATION_TIMEOUT, "subscribing")

    async def publish(self, frame: Frame) -> None:
        import awscrt.mqtt

        self._check_up()
        qos = awscrt.mqtt.QoS.AT_MOST_ONCE
        future, _ = self._sdk.publish(frame.topic, frame.payload, qos)
        await self._answer(future, transport.OPERATION_TIMEOUT, "publishing")

    def _hang_up(self) -> asyncio.Future[Any]:
        return self._awaited(self._sdk.disconnect(), "disconnecting")

    def _build(self, url: str, keys: AwsCredentials, ca_bytes: bytes | None) -> Any:
        from awscrt import mqtt

        connection = mqtt.Connection(
            mqtt.Client(tls_ctx=_trust(ca_bytes)),
            **_common(mqtt.Connection, url, keys),
            client_id=self.client_id,
            clean_session=True,
            use_websockets=True,
            keep_alive_secs=transport.KEEP_ALIVE,
            ping_timeout_ms=int(transport.PING_TIMEOUT * 1000),
            protocol_operation_timeout_ms=int(transport.OPERATION_TIMEOUT * 1000),
            on_connection_interrupted=_weakly(self._on_interrupted),
        )
        connection.on_message(_weakly(self._on_message))
        return connection

    def _connect(self) -> Future[Any]:
        connecting: Future[Any] = self._sdk.connect()
        return connecting

    def _give_up(self, connecting: Future[Any]) -> None:
        connecting.add_done_callback(self._hang_up_late)

    def _hang_up_late(self, connecting: Future[Any]) -> None:
        if not connecting.cancelled() and connecting.exception() is None:
            self._sdk.disconnect()

    def _on_message(self, topic: str, payload: bytes, **_: Any) -> None:
        self._heard(topic, payload)

    def _on_interrupted(self, connection: Any, error: Any, **_: Any) -> None:
        connection.disconnect()  # else the SDK tries again by itself, with the old keys
        self._lost(error)


class AwsIotMqtt5(_AwsIotLink):
    """A link that speaks MQTT 5."""

    def __init__(self) -> None:
        super().__init__()
        self._connecting: Future[None] = Future()
        self._stopped: Future[None] = Future()

    async def subscribe(self, topic_filter: str) -> None:
        from awscrt import mqtt5

        self._check_up()
        wanted = mqtt5.Subscription(topic_filter=topic_filter, qos=mqtt5.QoS.AT_LEAST_ONCE)
        future = self._sdk.subscribe(mqtt5.SubscribePacket(subscriptions=[wanted]))
        answer = await self._answer(future, transport.OPERATION_TIMEOUT, "subscribing")
        for code in answer.reason_codes:
            if int(code) >= _REFUSED:
                raise WebSocketError(f"subscribing: the broker refuses ({code!r})")

    async def publish(self, frame: Frame) -> None:
        from awscrt import mqtt5

        self._check_up()
        packet = mqtt5.PublishPacket(
            topic=frame.topic, payload=frame.payload, qos=mqtt5.QoS.AT_MOST_ONCE
        )
        await self._answer(self._sdk.publish(packet), transport.OPERATION_TIMEOUT, "publishing")

    def _hang_up(self) -> asyncio.Future[Any]:
        # Without a DISCONNECT: one that waits behind a PUBLISH as the client is forgotten leaves the
        # connection open for good (measured, awscrt 0.36).
        self._sdk.stop()
        return self._awaited(self._stopped, "disconnecting")

    def _build(self, url: str, keys: AwsCredentials, ca_bytes: bytes | None) -> Any:
        from awscrt import mqtt5

        options = mqtt5.ClientOptions(
            **_common(mqtt5.ClientOptions, url, keys),
            tls_ctx=_trust(ca_bytes),
            connect_options=mqtt5.ConnectPacket(
                client_id=self.client_id, keep_alive_interval_sec=transport.KEEP_ALIVE
            ),
            session_behavior=mqtt5.ClientSessionBehaviorType.CLEAN,
            offline_queue_behavior=mqtt5.ClientOperationQueueBehaviorType.FAIL_ALL_ON_DISCONNECT,
            extended_validation_and_flow_control_options=(
                mqtt5.ExtendedValidationAndFlowControlOptions.AWS_IOT_CORE_DEFAULTS
            ),
            ping_timeout_ms=int(transport.PING_TIMEOUT * 1000),
            connack_timeout_ms=int(transport.PING_TIMEOUT * 1000),
            ack_timeout_sec=max(1, int(transport.OPERATION_TIMEOUT)),
            on_publish_callback_fn=_weakly(self._on_publish),
            on_lifecycle_event_connection_success_fn=_weakly(self._on_success),
            on_lifecycle_event_connection_failure_fn=_weakly(self._on_failure),
            on_lifecycle_event_disconnection_fn=_weakly(self._on_disconnection),
            on_lifecycle_event_stopped_fn=_weakly(self._on_stopped),
        )
        return mqtt5.Client(options)

    def _connect(self) -> Future[Any]:
        self._sdk.start()
        return self._connecting

    def _give_up(self, connecting: Future[Any]) -> None:
        self._sdk.stop()

    def _on_publish(self, data: Any) -> None:
        self._heard(data.publish_packet.topic, data.publish_packet.payload)

    def _on_success(self, _: Any) -> None:
        self._connecting.set_result(None)

    def _on_failure(self, data: Any) -> None:
        self._sdk.stop()
        self._connecting.set_exception(data.exception)

    def _on_disconnection(self, data: Any) -> None:
        self._sdk.stop()
        self._lost(data.exception)

    def _on_stopped(self, _: Any) -> None:
        if not self._stopped.done():
            self._stopped.set_result(None)


def _common(kind: type[Any], url: str, keys: AwsCredentials) -> dict[str, Any]:
    """What both clients of the SDK take: the place and the signature."""
    from awscrt import io

    parts = urlsplit(url)
    sockets = io.SocketOptions()
    sockets.connect_timeout_ms = CONNECT_TIMEOUT_MS
    common = {
        "host_name": parts.hostname,
        "port": parts.port or 443,
        "socket_options": sockets,
        "websocket_handshake_transform": _signer(keys),
    }
    # What the SDK would tell of itself in the user name; older ones neither tell nor know the word.
    quiet = "disable_metrics"
    return {**common, quiet: True} if quiet in signature(kind).parameters else common


def _signer(keys: AwsCredentials) -> Callable[..., None]:
    """Sign each upgrade with these keys, as the SDK's own builders do (SigV4, in the query)."""
    from awscrt import auth

    provider = auth.AwsCredentialsProvider.new_static(
        keys.access_key_id, keys.secret_key, keys.session_token
    )

    def sign(transform_args: Any) -> None:  # the SDK takes care of what it raises
        how = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            credentials_provider=provider,
            region=REGION,
            service=SERVICE,
            omit_session_token=True,  # AWS IoT wants X-Amz-Security-Token unsigned
        )
        signing = auth.aws_sign_request(transform_args.http_request, how)
        signing.add_done_callback(lambda done: transform_args.set_done(done.exception()))

    return sign


def _trust(ca_bytes: bytes | None) -> Any:
    """The certificates to trust, read once for all links of the process.

    Each reading of the system's takes 1 MB and 13 ms (measured, awscrt 0.36), and the SDK's own
    builders read them for every connection.
    """
    with _READING:  # of links that open together one reads, the others find it
        return _shared_trust(ca_bytes)


@lru_cache(maxsize=8)
def _shared_trust(ca_bytes: bytes | None) -> Any:
    from awscrt import io

    options = io.TlsContextOptions()
    options.alpn_list = ["http/1.1"]
    if ca_bytes is not None:
        options.override_default_trust_store(ca_bytes)
    return io.ClientTlsContext(options)


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Give the SDK a callback that keeps nothing alive.

    It holds callbacks where no collector sees them: one that led back to its link would keep every
    connection there ever was (measured, awscrt 0.36).
    """
    reference = WeakMethod(method)

    def call(*args: Any, **kwargs: Any) -> None:
        found = reference()
        if found is not None:
            found(*args, **kwargs)

    return call


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
