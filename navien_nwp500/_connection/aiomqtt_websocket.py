"""Transports in pure Python, where the AWS SDK has no wheel: aiomqtt, signed by botocore.

aiomqtt connects in a thread of the executor and leaves the socket open when a connect fails or is
abandoned. The TLS context keeps a reference to that socket; shutting it down ends the thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from math import inf
from typing import TYPE_CHECKING, Any, Coroutine, TypeVar
from urllib.parse import quote, urlsplit

from .._util.aio import cancel_and_wait, result_of
from ..exceptions import WebSocketError
from ..protocol.messages import Frame
from ..protocol.redaction import library_logger, logger
from . import transport
from .credentials import AwsCredentials
from .failures import explain_failure
from .proxy import Proxy, find_proxy, open_tunnel
from .transport import HandshakeRefusedError, SubscriptionRefusedError, Transport

if TYPE_CHECKING:
    import aiomqtt

__all__ = ["PureMqtt3", "PureMqtt5"]

_LOGGER = logger("navien_nwp500.connection")

PATH = "/mqtt"

_T = TypeVar("_T")
_Transport = TypeVar("_Transport", bound="PureMqtt3")

_LIBRARY = library_logger("navien_nwp500.connection.library")


class _Tls(ssl.SSLContext):
    """A TLS context that remembers the socket it wrapped, to shut it down.

    With a proxy, the socket is connected to it: TLS begins after the proxy has connected it to
    ``host``.
    """

    proxy: Proxy | None = None
    host: str
    port: int
    wrapped: socket.socket | None = None

    def wrap_socket(  # type: ignore[override]  # the one call of paho
        self, sock: socket.socket, server_hostname: str, **kwargs: Any
    ) -> ssl.SSLSocket:
        self.wrapped = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.proxy is not None:
                open_tunnel(sock, self.proxy, self.host, self.port)
            found = super().wrap_socket(sock, server_hostname=self.host, **kwargs)
        except BaseException:
            sock.close()
            raise
        self.wrapped = found
        return found

    def shut_down(self) -> None:
        """Shut the socket down, which ends reads and writes in every thread."""
        if self.wrapped is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which removes the TLS object during a handshake.
                socket.socket.shutdown(self.wrapped, socket.SHUT_RDWR)

    def close(self) -> None:
        """Shut down, and close a socket that aiomqtt has not taken over (it is then blocking)."""
        self.shut_down()
        if self.wrapped is not None and self.wrapped.gettimeout() != 0:
            self.wrapped.close()


class PureMqtt3(Transport):
    """MQTT 3.1.1 with aiomqtt."""

    _version = "V311"
    _url: str
    _client: aiomqtt.Client
    _running: asyncio.Task[None]

    def __init__(self) -> None:
        super().__init__()
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls: type[_Transport], url: str, credentials: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _Transport:
        loop = asyncio.get_running_loop()
        opened = cls()
        # Loading two libraries and the system's certificates takes about 100 ms.
        tls, path = await asyncio.to_thread(_prepare, url, credentials, ca_bytes)
        opened._url = url
        opened._client = opened._build_client(tls, path)
        opened._running = loop.create_task(opened._run(tls), name="navilink-aiomqtt")
        try:
            await opened._outcome(opened._connected, transport.OPEN_TIMEOUT, "connecting")
        except BaseException:
            opened._connection_ended("abandoned")
            tls.shut_down()
            raise
        _LOGGER.debug("connected")
        return opened

    async def subscribe(self, topic_filter: str) -> None:
        subscribing = self._client.subscribe(topic_filter, qos=1, timeout=inf)
        codes = await self._run_operation(subscribing, "subscribing")
        for code in codes:
            if getattr(code, "value", code) >= transport.SUBACK_REFUSED:
                raise SubscriptionRefusedError(f"subscribing: the broker refuses ({code})")

    async def publish(self, frame: Frame) -> None:
        publishing = self._client.publish(frame.topic, frame.payload, qos=0, timeout=inf)
        await self._run_operation(publishing, "publishing")

    def _disconnect(self) -> asyncio.Future[Any]:
        return asyncio.ensure_future(result_of(self._running))

    async def _run_operation(self, operation: Coroutine[Any, Any, _T], doing: str) -> _T:
        """Run an operation of aiomqtt in a task: it does not end when the connection drops."""
        import aiomqtt

        if not self.connected:
            operation.close()
        self._require_connected()
        task = asyncio.get_running_loop().create_task(operation, name=f"navilink-{doing}")
        try:
            return await self._outcome(task, transport.OPERATION_TIMEOUT, doing)
        except aiomqtt.MqttError as error:
            raise WebSocketError(f"{doing}: {error}") from error
        finally:
            await cancel_and_wait(task)

    async def _run(self, tls: _Tls) -> None:
        """Connect, read until the connection ends, disconnect."""
        import aiomqtt

        try:
            async with self._client:
                if self._connected.done():
                    return
                self._connected.set_result(None)
                reading = asyncio.ensure_future(self._read())
                ends: set[asyncio.Future[Any]] = {reading, self._end}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                await cancel_and_wait(reading)
        except aiomqtt.MqttError as error:
            if not self._connected.done():
                self._connected.set_exception(_translate(error, self._url, tls.proxy))
        finally:
            self._connection_ended("the connection ended")
            tls.close()

    async def _read(self) -> None:
        import aiomqtt

        try:
            async for message in self._client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                self._received(Frame(str(message.topic), payload))
        except aiomqtt.MqttError as error:
            self._connection_ended(str(error.__cause__ or error))

    def _build_client(self, tls: _Tls, path: str) -> aiomqtt.Client:
        import aiomqtt

        server: tuple[str, int] = (tls.host, tls.port)
        if tls.proxy is not None:
            server = (tls.proxy.host, tls.proxy.port)
        name = urlsplit(self._url).netloc
        return aiomqtt.Client(
            *server,
            identifier=self.client_id,
            protocol=aiomqtt.ProtocolVersion[self._version],
            transport="websockets",
            websocket_path=path,
            # As it was signed; with a proxy paho would name that one.
            websocket_headers={"Host": name, "Origin": f"https://{name}"},
            tls_context=tls,
            # aiomqtt pings after one interval and gives up after another: together as long as the
            # SDK takes. AWS treats values below 30 s as 30 s (source: AWS IoT Core, protocols).
            keepalive=max(1, int(transport.KEEP_ALIVE + transport.PING_TIMEOUT) // 2),
            timeout=transport.PING_TIMEOUT,
            logger=_LIBRARY,
        )


class PureMqtt5(PureMqtt3):
    """MQTT 5 with aiomqtt."""

    _version = "V5"


def _prepare(url: str, credentials: AwsCredentials, ca_bytes: bytes | None) -> tuple[_Tls, str]:
    import aiomqtt  # noqa: F401

    tls = _Tls(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bytes is None:
        tls.load_default_certs()
    else:
        tls.load_verify_locations(cadata=ca_bytes.decode("ascii", "replace"))
    parts = urlsplit(url)
    tls.host, tls.port = parts.hostname or "", parts.port or 443
    tls.proxy = find_proxy(url)
    return tls, sign(url, credentials)


def sign(url: str, credentials: AwsCredentials) -> str:
    """Presign the handshake and return its path and query.

    AWS IoT wants the security token in the query but not signed (PROTOCOL 2.1).
    """
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    parts = urlsplit(url)
    request = AWSRequest("GET", f"https://{parts.netloc}{parts.path or PATH}")
    without_token = Credentials(credentials.access_key_id, credentials.secret_key)
    SigV4QueryAuth(without_token, transport.SERVICE, transport.REGION).add_auth(request)
    target: str = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
    return f"{target}&X-Amz-Security-Token={quote(credentials.session_token, safe='')}"


def _translate(error: aiomqtt.MqttError, url: str, proxy: Proxy | None) -> WebSocketError:
    """Translate an error; aiomqtt reports no HTTP status, so a failed upgrade may be a 403."""
    kind = HandshakeRefusedError if "WebSocket handshake error" in str(error) else WebSocketError
    translated = kind(f"connecting: {explain_failure(error, url, proxy)}")
    translated.__cause__ = error
    return translated
