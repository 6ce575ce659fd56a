"""The link in pure Python, for machines the AWS SDK has no wheel for: aiomqtt, signed by botocore.

aiomqtt connects on a thread of the loop's and leaves behind what was open when it fails or is given
up; the socket is ours all the same, through the TLS context it is wrapped by. Cutting it ends the
thread and everything that hangs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from math import inf
from typing import TYPE_CHECKING, Any, Coroutine, TypeVar
from urllib.parse import quote, urlsplit

from .._util.aio import cancel_and_wait
from ..exceptions import WebSocketError
from ..protocol.messages import Frame
from ..protocol.redaction import logger
from . import transport
from .credentials import AwsCredentials
from .transport import HandshakeRefusedError, Transport

if TYPE_CHECKING:
    import aiomqtt

__all__ = ["PureMqtt3", "PureMqtt5"]

_LOGGER = logger(__name__)

REGION = "us-east-1"
SERVICE = "iotdevicegateway"
PATH = "/mqtt"

#: From here on a reason code of a SUBACK is a refusal, in both versions of the protocol.
_REFUSED = 0x80
_T = TypeVar("_T")
_L = TypeVar("_L", bound="PureMqtt3")

#: What aiomqtt and paho say. A line that drops is no error here: the session seeks it, and says so.
_LIBRARY = logger(f"{__name__}.library")


def _as_detail(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return _LIBRARY.isEnabledFor(logging.DEBUG)


_LIBRARY.addFilter(_as_detail)


class _Tls(ssl.SSLContext):
    """A context that remembers the socket it wrapped, so that it can be cut."""

    wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        self.wrapped = super().wrap_socket(*args, **kwargs)
        self.wrapped.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.wrapped

    def cut(self) -> None:
        """Let whoever reads or writes the socket, on whatever thread, see its end."""
        if self.wrapped is not None:
            with contextlib.suppress(OSError):
                # Past SSLSocket.shutdown, which takes the TLS away under a handshake.
                socket.socket.shutdown(self.wrapped, socket.SHUT_RDWR)

    def end(self) -> None:
        """Cut, and close what aiomqtt has not taken over: it blocks no more once it has."""
        self.cut()
        if self.wrapped is not None and self.wrapped.gettimeout() != 0:
            self.wrapped.close()


class PureMqtt3(Transport):
    """A link that speaks MQTT 3.1.1."""

    _version = "V311"
    _client: aiomqtt.Client
    _life: asyncio.Task[None]

    def __init__(self) -> None:
        super().__init__()
        self._welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls: type[_L], url: str, keys: AwsCredentials, ca_bytes: bytes | None = None
    ) -> _L:
        loop = asyncio.get_running_loop()
        opened = cls()
        # Loading two libraries and the system's certificates takes some 100 ms.
        tls, path = await loop.run_in_executor(None, _prepare, url, keys, ca_bytes)
        opened._client = opened._make(url, tls, path)
        opened._life = loop.create_task(opened._live(tls), name="navilink-link")
        try:
            await opened._outcome(opened._welcome, transport.OPEN_TIMEOUT, "connecting")
        except BaseException:
            opened._drop("given up")
            tls.cut()
            raise
        _LOGGER.debug("connected")
        return opened

    async def subscribe(self, topic_filter: str) -> None:
        subscribing = self._client.subscribe(topic_filter, qos=1, timeout=inf)
        codes = await self._ask(subscribing, "subscribing")
        for code in codes:
            if getattr(code, "value", code) >= _REFUSED:
                raise WebSocketError(f"subscribing: the broker refuses ({code})")

    async def publish(self, frame: Frame) -> None:
        publishing = self._client.publish(frame.topic, frame.payload, qos=0, timeout=inf)
        await self._ask(publishing, "publishing")

    def _hang_up(self) -> asyncio.Future[Any]:
        return asyncio.shield(self._life)

    async def _ask(self, asking: Coroutine[Any, Any, _T], doing: str) -> _T:
        """Run what aiomqtt does in a task: it does not end by itself when the line drops."""
        import aiomqtt

        if not self.up:
            asking.close()
        self._check_up()
        task = asyncio.get_running_loop().create_task(asking, name=f"navilink-{doing}")
        try:
            return await self._outcome(task, transport.OPERATION_TIMEOUT, doing)
        except aiomqtt.MqttError as error:
            raise WebSocketError(f"{doing}: {error}") from error
        finally:
            await cancel_and_wait(task)

    async def _live(self, tls: _Tls) -> None:
        """Connect, read until the line is over, disconnect."""
        import aiomqtt

        try:
            async with self._client:
                if self._welcome.done():
                    return
                self._welcome.set_result(None)
                reading = asyncio.ensure_future(self._read())
                ends: set[asyncio.Future[Any]] = {reading, self._over}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                await cancel_and_wait(reading)
        except aiomqtt.MqttError as error:
            if not self._welcome.done():
                self._welcome.set_exception(_translate(error))
        finally:
            self._drop("the connection ended")
            tls.end()

    async def _read(self) -> None:
        import aiomqtt

        try:
            async for message in self._client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                self._hear(Frame(str(message.topic), payload))
        except aiomqtt.MqttError as error:
            self._drop(str(error.__cause__ or error))

    def _make(self, url: str, tls: _Tls, path: str) -> aiomqtt.Client:
        import aiomqtt

        parts = urlsplit(url)
        assert parts.hostname is not None
        return aiomqtt.Client(
            parts.hostname,
            parts.port or 443,
            identifier=self.client_id,
            protocol=aiomqtt.ProtocolVersion[self._version],
            transport="websockets",
            websocket_path=path,
            tls_context=tls,
            # It asks after one, gives up after another: together as long as the SDK takes. Below
            # 30 s AWS counts 30 (source: AWS IoT Core, protocols).
            keepalive=max(1, int(transport.KEEP_ALIVE + transport.PING_TIMEOUT) // 2),
            timeout=transport.PING_TIMEOUT,
            logger=_LIBRARY,
        )


class PureMqtt5(PureMqtt3):
    """A link that speaks MQTT 5."""

    _version = "V5"


def _prepare(url: str, keys: AwsCredentials, ca_bytes: bytes | None) -> tuple[_Tls, str]:
    import aiomqtt  # noqa: F401

    tls = _Tls(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bytes is None:
        tls.load_default_certs()
    else:
        tls.load_verify_locations(cadata=ca_bytes.decode("ascii", "replace"))
    return tls, sign(url, keys)


def sign(url: str, keys: AwsCredentials) -> str:
    """Presign the handshake; give its target, path and query.

    The token stands in the query and is not signed, as AWS IoT wants it (measured, protocol 2.2).
    """
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    parts = urlsplit(url)
    request = AWSRequest("GET", f"https://{parts.netloc}{parts.path or PATH}")
    without_token = Credentials(keys.access_key_id, keys.secret_key)
    SigV4QueryAuth(without_token, SERVICE, REGION).add_auth(request)
    target: str = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
    return f"{target}&X-Amz-Security-Token={quote(keys.session_token, safe='')}"


def _translate(error: aiomqtt.MqttError) -> WebSocketError:
    """It says nothing of HTTP: whatever is no upgrade may be a 403."""
    kind = HandshakeRefusedError if "WebSocket handshake error" in str(error) else WebSocketError
    translated = kind(f"connecting: {error}")
    translated.__cause__ = error
    return translated
