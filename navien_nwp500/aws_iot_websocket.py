"""Transports of the AWS SDK: MQTT 3.1.1 or MQTT 5 over a WebSocket signed with SigV4.

This is the only file that imports awscrt, and ``_post`` is the only place where another thread
calls into the event loop. The SDK's own reconnect is stopped at the first failure: it keeps signing
with the old credentials without reporting an error (measured, awscrt 0.20 to 0.36).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from abc import abstractmethod
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from inspect import signature
from typing import Any, Callable, TypeVar
from urllib.parse import urlsplit
from weakref import WeakMethod

from ._connection import transport
from ._connection.credentials import AwsCredentials
from ._connection.failures import explain_failure
from ._connection.proxy import Proxy, find_proxy
from ._connection.transport import HandshakeRefusedError, SubscriptionRefusedError, Transport
from .config import ReconnectConfig
from .exceptions import ConfigurationError, WebSocketError
from .protocol.messages import Frame
from .protocol.redaction import logger

__all__ = ["AwsIotMqtt3", "AwsIotMqtt5", "ReconnectConfig"]

_LOGGER = logger("navien_nwp500.connection")

CONNECT_TIMEOUT_MS = 5000
#: Seconds that a process waits at exit for a connection that is not closed yet.
EXIT_TIMEOUT = 3.0

_LOADING = threading.Lock()

_CONNECTING = "connecting"
_UPGRADE_REFUSED = "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
_T = TypeVar("_T")
_Transport = TypeVar("_Transport", bound="_AwsIotTransport")


class _AwsIotTransport(Transport):
    """Common part of both transports."""

    #: The client of the SDK, until the connection is closed or given up; the only reference to it. The
    #: SDK's threads end after the last client, and tracebacks may hold this object for long.
    _sdk: Any
    _url: str
    _proxy: Proxy | None

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(
        cls: type[_Transport], url: str, credentials: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _Transport:
        opened = cls()
        # Loading the SDK for the first time and starting its threads takes 100 ms.
        opened._sdk = await opened._loop.run_in_executor(
            None, opened._prepare, url, credentials, ca_bytes
        )
        connecting = opened._connect()
        try:
            await opened._wait_for(connecting, transport.OPEN_TIMEOUT, _CONNECTING)
        except BaseException:
            opened._connection_ended("abandoned")
            opened._abandon(connecting)
            raise
        _LOGGER.debug("connected")
        return opened

    def _prepare(self, url: str, credentials: AwsCredentials, ca_bytes: bytes | None) -> Any:
        if _sdk_process() != os.getpid():
            raise ConfigurationError(
                "the AWS SDK was used before this process was forked, and does not work in it; start "
                'the process with multiprocessing\'s method "spawn", or use NaviLinkConfig(transport='
                '"pure")'
            )
        self._url, self._proxy = url, find_proxy(url)
        return self._build(url, credentials, ca_bytes)

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            self._sdk = None

    # Implemented by each transport; _build runs in a thread of the executor

    @abstractmethod
    def _build(self, url: str, credentials: AwsCredentials, ca_bytes: bytes | None) -> Any:
        """Create the client of the SDK."""

    @abstractmethod
    def _connect(self) -> Future[Any]:
        """Start connecting."""

    @abstractmethod
    def _abandon(self, connecting: Future[Any]) -> None:
        """Abandon a connect, which can still succeed later on the thread of the SDK.

        ``_sdk`` is released as soon as it is not needed for that.
        """

    # From the thread of the SDK to the event loop

    async def _wait_for(self, future: Future[_T], limit: float, doing: str) -> _T:
        return await self._outcome(self._as_asyncio_future(future, doing), limit, doing)

    def _as_asyncio_future(self, future: Future[_T], doing: str) -> asyncio.Future[_T]:
        loop = self._loop
        waiter: asyncio.Future[_T] = loop.create_future()
        future.add_done_callback(lambda done: _post(loop, self._settle, waiter, done, doing))
        return waiter

    def _settle(self, waiter: asyncio.Future[Any], done: Future[Any], doing: str) -> None:
        if waiter.done():
            return
        error = done.exception()
        if error is None:
            waiter.set_result(done.result())
        else:
            waiter.set_exception(self._translate(error, doing))

    def _translate(self, error: BaseException, doing: str) -> WebSocketError:
        """Translate an error; the SDK reports a 403 as a failed upgrade, without a status (measured)."""
        reason = _reason(error)
        kind = WebSocketError
        if isinstance(error, _subscribe_error()):
            kind, reason = SubscriptionRefusedError, "the broker refuses"
        elif _UPGRADE_REFUSED in reason:
            kind = HandshakeRefusedError
        elif doing == _CONNECTING:
            reason = explain_failure(error, self._url, self._proxy)
        translated = kind(f"{doing}: {reason}")
        translated.__cause__ = error
        return translated

    def _on_sdk_message(self, topic: str, payload: bytes) -> None:
        _post(self._loop, self._received, Frame(topic, bytes(payload)))

    def _on_sdk_end(self, error: BaseException | None) -> None:
        _post(self._loop, self._connection_ended, _reason(error))


class AwsIotMqtt3(_AwsIotTransport):
    """MQTT 3.1.1 with the AWS SDK."""

    async def subscribe(self, topic_filter: str) -> None:
        import awscrt.mqtt

        self._require_connected()
        future, _ = self._sdk.subscribe(topic_filter, awscrt.mqtt.QoS.AT_LEAST_ONCE)
        # The SDK raises an error when the broker refuses.
        await self._wait_for(future, transport.OPERATION_TIMEOUT, "subscribing")

    async def publish(self, frame: Frame) -> None:
        import awscrt.mqtt

        self._require_connected()
        qos = awscrt.mqtt.QoS.AT_MOST_ONCE
        future, _ = self._sdk.publish(frame.topic, frame.payload, qos)
        await self._wait_for(future, transport.OPERATION_TIMEOUT, "publishing")

    def _disconnect(self) -> asyncio.Future[Any]:
        return self._as_asyncio_future(self._sdk.disconnect(), "disconnecting")

    def _build(self, url: str, credentials: AwsCredentials, ca_bytes: bytes | None) -> Any:
        from awscrt import mqtt

        connection = mqtt.Connection(
            mqtt.Client(tls_ctx=_tls_context(ca_bytes)),
            **_common(mqtt.Connection, url, credentials),
            proxy_options=_proxy_options(self._proxy),
            client_id=self.client_id,
            clean_session=True,
            use_websockets=True,
            keep_alive_secs=transport.KEEP_ALIVE,
            ping_timeout_ms=int(transport.PING_TIMEOUT * 1000),
            protocol_operation_timeout_ms=int(transport.OPERATION_TIMEOUT * 1000),
            on_connection_interrupted=_weak_callback(self._on_interrupted),
        )
        connection.on_message(_weak_callback(self._on_message))
        return connection

    def _connect(self) -> Future[Any]:
        connecting: Future[Any] = self._sdk.connect()
        return connecting

    def _abandon(self, connecting: Future[Any]) -> None:
        connecting.add_done_callback(self._disconnect_late)

    def _disconnect_late(self, connecting: Future[Any]) -> None:
        sdk, self._sdk = self._sdk, None
        if not connecting.cancelled() and connecting.exception() is None:
            sdk.disconnect()

    def _on_message(self, topic: str, payload: bytes, **_: Any) -> None:
        self._on_sdk_message(topic, payload)

    def _on_interrupted(self, connection: Any, error: Any, **_: Any) -> None:
        connection.disconnect()  # otherwise the SDK reconnects with the old credentials
        self._on_sdk_end(error)


class AwsIotMqtt5(_AwsIotTransport):
    """MQTT 5 with the AWS SDK."""

    def __init__(self) -> None:
        super().__init__()
        self._connecting: Future[None] = Future()
        self._stopped: Future[None] = Future()

    async def subscribe(self, topic_filter: str) -> None:
        from awscrt import mqtt5

        self._require_connected()
        wanted = mqtt5.Subscription(topic_filter=topic_filter, qos=mqtt5.QoS.AT_LEAST_ONCE)
        future = self._sdk.subscribe(mqtt5.SubscribePacket(subscriptions=[wanted]))
        answer = await self._wait_for(future, transport.OPERATION_TIMEOUT, "subscribing")
        for code in answer.reason_codes:
            if int(code) >= transport.SUBACK_REFUSED:
                raise SubscriptionRefusedError(f"subscribing: the broker refuses ({code!r})")

    async def publish(self, frame: Frame) -> None:
        from awscrt import mqtt5

        self._require_connected()
        packet = mqtt5.PublishPacket(
            topic=frame.topic, payload=frame.payload, qos=mqtt5.QoS.AT_MOST_ONCE
        )
        await self._wait_for(self._sdk.publish(packet), transport.OPERATION_TIMEOUT, "publishing")

    def _disconnect(self) -> asyncio.Future[Any]:
        # Without a DISCONNECT packet: if it waits behind a PUBLISH while the client is released, the
        # connection stays open for good (measured, awscrt 0.36).
        self._sdk.stop()
        return self._as_asyncio_future(self._stopped, "disconnecting")

    def _build(self, url: str, credentials: AwsCredentials, ca_bytes: bytes | None) -> Any:
        from awscrt import mqtt5

        options = mqtt5.ClientOptions(
            **_common(mqtt5.ClientOptions, url, credentials),
            http_proxy_options=_proxy_options(self._proxy),
            tls_ctx=_tls_context(ca_bytes),
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
            on_publish_callback_fn=_weak_callback(self._on_publish),
            on_lifecycle_event_connection_success_fn=_weak_callback(self._on_success),
            on_lifecycle_event_connection_failure_fn=_weak_callback(self._on_failure),
            on_lifecycle_event_disconnection_fn=_weak_callback(self._on_disconnection),
            on_lifecycle_event_stopped_fn=_weak_callback(self._on_stopped),
        )
        return mqtt5.Client(options)

    def _connect(self) -> Future[Any]:
        self._sdk.start()
        return self._connecting

    def _abandon(self, connecting: Future[Any]) -> None:
        self._stop()
        self._sdk = None

    def _on_publish(self, data: Any) -> None:
        self._on_sdk_message(data.publish_packet.topic, data.publish_packet.payload)

    def _on_success(self, _: Any) -> None:
        self._connecting.set_result(None)

    def _on_failure(self, data: Any) -> None:
        self._stop()
        self._connecting.set_exception(data.exception)

    def _on_disconnection(self, data: Any) -> None:
        self._stop()
        self._on_sdk_end(data.exception)

    def _on_stopped(self, _: Any) -> None:
        if not self._stopped.done():
            self._stopped.set_result(None)

    def _stop(self) -> None:
        sdk = self._sdk  # None when the event loop has given it up, already stopped
        if sdk is not None:
            sdk.stop()


def _common(kind: type[Any], url: str, credentials: AwsCredentials) -> dict[str, Any]:
    """Return the options that both clients of the SDK take: address and signature."""
    from awscrt import io

    parts = urlsplit(url)
    sockets = io.SocketOptions()
    sockets.connect_timeout_ms = CONNECT_TIMEOUT_MS
    common = {
        "host_name": parts.hostname,
        "port": parts.port or 443,
        "socket_options": sockets,
        "websocket_handshake_transform": _signer(credentials),
    }
    # Keep the SDK's name out of the MQTT user name; older SDKs neither send it nor have the option.
    quiet = "disable_metrics"
    return {**common, quiet: True} if quiet in signature(kind).parameters else common


def _signer(credentials: AwsCredentials) -> Callable[..., None]:
    """Return a callback that signs the WebSocket upgrade (SigV4 in the query string)."""
    from awscrt import auth

    def sign(transform_args: Any) -> None:  # the SDK handles exceptions
        # Made here, so that no copy of the credentials stays in the SDK.
        provider = auth.AwsCredentialsProvider.new_static(
            credentials.access_key_id, credentials.secret_key, credentials.session_token
        )
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            credentials_provider=provider,
            region=transport.REGION,
            service=transport.SERVICE,
            omit_session_token=True,  # AWS IoT wants X-Amz-Security-Token unsigned
        )
        signing = auth.aws_sign_request(transform_args.http_request, config)
        signing.add_done_callback(lambda done: transform_args.set_done(done.exception()))

    return sign


def _tls_context(ca_bytes: bytes | None) -> Any:
    """Return the TLS context, loaded once per process.

    Loading the system's certificates takes 1 MB and 13 ms (measured, awscrt 0.36), and the SDK's
    own builders load them for every connection.
    """
    with _LOADING:  # so that transports opened at the same time load it once
        return _shared_tls_context(ca_bytes)


@lru_cache(maxsize=8)
def _shared_tls_context(ca_bytes: bytes | None) -> Any:
    from awscrt import io

    options = io.TlsContextOptions()
    options.alpn_list = ["http/1.1"]
    if ca_bytes is not None:
        options.override_default_trust_store(ca_bytes)
    return io.ClientTlsContext(options)


def _weak_callback(method: Callable[..., None]) -> Callable[..., None]:
    """Return a callback that holds its transport weakly.

    The SDK keeps callbacks where the garbage collector cannot see them, so a strong reference would
    keep every transport alive for good (measured, awscrt 0.36).
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
        # The event loop is closed.
        _LOGGER.debug("a message arrived after the event loop closed")


@lru_cache(maxsize=1)
def _sdk_process() -> int:
    """Return the process that used the SDK first: a fork has none of its threads (measured)."""
    atexit.register(_end_sdk_threads, os.getpid())
    return os.getpid()


def _end_sdk_threads(process: int) -> None:
    """End the SDK's threads before the process exits.

    The C library runs destructors at exit, and a thread that begins a TLS handshake after that of
    the SDK's random numbers aborts the process: a command that had printed its result ended with
    SIGABRT, four times in 1,900 exits while a connection was opened (measured, awscrt 0.36).
    """
    from awscrt import common, io

    # A fork has no threads of the SDK, and SDKs before awscrt 0.25 cannot wait for theirs.
    if process != os.getpid() or not hasattr(common, "join_all_native_threads"):
        return
    with suppress(KeyboardInterrupt):  # the process is ending already
        for shared in (io.ClientBootstrap, io.DefaultHostResolver, io.EventLoopGroup):
            shared.release_static_default()
        common.join_all_native_threads(timeout_sec=EXIT_TIMEOUT)


def _subscribe_error() -> type[Exception]:
    import awscrt.mqtt

    return awscrt.mqtt.SubscribeError  # type: ignore[no-any-return]


def _proxy_options(proxy: Proxy | None) -> Any:
    from awscrt import http

    if proxy is None:
        return None
    options = http.HttpProxyOptions(
        proxy.host, proxy.port, connection_type=http.HttpProxyConnectionType.Tunneling
    )
    if proxy.user is not None:
        options.auth_type = http.HttpProxyAuthenticationType.Basic
        options.auth_username, options.auth_password = proxy.user, proxy.password or ""
    return options


def _reason(error: BaseException | None) -> str:
    name = getattr(error, "name", None) or type(error).__name__
    message = getattr(error, "message", None) or str(error)
    return f"{name}: {message}"[:200]
