"""The simulated NaviLink cloud on loopback: REST API, MQTT over WebSocket, broker."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from ssl import SSLContext
from typing import Any, AsyncIterator, Callable, Sequence

from aiohttp import web

from ..._util.aio import cancel_and_wait, ignore_lost_transport, in_thread, stop_accepting
from ..._util.files import write_atomically
from ..._util.http_server import end_with_client
from ...exceptions import ConfigurationError
from ..cloud.accounts import AccountBook, CloudAccount
from ..cloud.broker_process import HOST, check_free, choose_broker, running_broker
from ..cloud.certificates import Certificates, make_certificates, make_server_context
from ..cloud.counters import Counters
from ..cloud.rest_api import BASE, RestApi
from ..faults import FaultInjector
from ..faults.base import CloudTime, FaultContext
from .admin_api import AdminApi
from .latency import LatencyProxy
from .mqtt_connection import MqttConnection
from .mqtt_gateway import PATH, MqttGateway

#: Seconds until aborted transports are no longer waited for.
_CLOSE_SECONDS = 10.0
#: Seconds that a TLS handshake may take when the server ends; a socket in it would stay open.
_HANDSHAKE_SECONDS = 0.5
_BACKLOG = 1024
_CA_NAME = "ca.pem"


class CloudServer:
    """The servers of a set of accounts, running inside ``async with``.

    While it runs it has ``base_url``, ``websocket_url``, ``ca_file`` (PEM certificate of the
    authority that signed the server's), ``broker_port`` (plain MQTT, for the heaters) and, with a
    ``latency`` in seconds for each direction, ``latency_proxy``. ``broker`` names a broker, see
    ``choose_broker``, and ``refresh_token_reuse`` and ``on_issued`` are settings of
    ``AccountBook``. ``port``, ``certificates`` and ``ca_file`` are those of an earlier run; without
    them they are chosen and made. Raises ConfigurationError if that broker is not installed,
    OSError if it does not start.
    """

    base_url: str
    websocket_url: str
    ca_file: Path
    certificates: Certificates
    broker_port: int
    latency_proxy: LatencyProxy

    def __init__(
        self,
        accounts: Sequence[CloudAccount],
        *,
        latency: float = 0.0,
        broker: str | None = None,
        refresh_token_reuse: bool = True,
        port: int = 0,
        certificates: Certificates | None = None,
        ca_file: Path | None = None,
        on_issued: Callable[[], object] = lambda: None,
    ) -> None:
        self.accounts = tuple(accounts)
        self._broker = choose_broker(broker)
        self.counters = Counters()
        self._latency = latency
        clock = CloudTime(time.time)
        self.book = AccountBook(
            self.accounts, clock, refresh_token_reuse=refresh_token_reuse, on_issued=on_issued
        )
        self.port = port
        self._given_certificates = certificates
        self._given_ca_file = ca_file
        self._connections: set[MqttConnection] = set()
        heaters = tuple(heater for account in self.accounts for heater in account.heaters)
        context = FaultContext(self.book, clock, heaters, self._connections)
        self.faults = FaultInjector(context, self.counters)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> CloudServer:
        if self.port:
            _check_port(self.port)
        async with contextlib.AsyncExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="navilink-"))
            self.ca_file = self._given_ca_file or Path(directory) / _CA_NAME
            given = self._given_certificates
            self.certificates = await in_thread(make_certificates) if given is None else given
            write_atomically(self.ca_file, self.certificates.authority.encode(), private=True)
            tls = make_server_context(self.certificates)
            ports = await stack.enter_async_context(running_broker(self._broker))
            self.broker_port = ports.mqtt3
            self._gateway = MqttGateway(
                self.book, self.counters, self.faults, self._connections, ports
            )
            inner, outer = (0, self.port) if self._latency else (self.port, 0)
            port = await stack.enter_async_context(_run_https(self._application(), tls, inner))
            if self._latency:
                self.latency_proxy = LatencyProxy(HOST, port, self._latency)
                port = await stack.enter_async_context(self.latency_proxy.running(outer))
            self.port = port
            self._stack = stack.pop_all()
        self.base_url = f"https://{HOST}:{port}{BASE}"
        self.websocket_url = f"wss://{HOST}:{port}{PATH}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def drop_connections(self) -> None:
        """Cut every client's connection at once, and wait until all have ended."""
        await self._gateway.cut_all()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[end_with_client, self.faults.middleware])
        application.add_routes(self._gateway.routes())
        application.add_routes(RestApi(self.book, self.counters).routes())
        application.add_routes(AdminApi(self.faults, self.counters, self._connections).routes())
        application.on_response_prepare.append(self._stamp)
        application.on_shutdown.append(self._cut_all)
        return application

    async def _stamp(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Send the cloud's time: clients compare it with theirs when a signature is rejected."""
        response.headers["Date"] = formatdate(self.book.now(), usegmt=True)

    async def _cut_all(self, application: web.Application) -> None:
        self.faults.clear()
        await self._gateway.cut_all()


def _check_port(port: int) -> None:
    try:
        check_free(port)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} of the saved state is in use; end the other simulator, or name another file"
        ) from error


@contextlib.asynccontextmanager
async def _run_https(
    application: web.Application, tls: SSLContext, port: int
) -> AsyncIterator[int]:
    """Serve an application over TLS, and yield its port on loopback; 0 lets the system choose."""
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    assert runner.server is not None
    transports = _Transports(runner.server)
    loop = asyncio.get_running_loop()
    try:
        listening = await loop.create_server(
            transports.make_handler, HOST, port, ssl=tls, backlog=_BACKLOG
        )
        try:
            found: int = listening.sockets[0].getsockname()[1]
            yield found
        finally:
            await stop_accepting(listening)
    finally:
        await runner.cleanup()
        await transports.abort()


class _Transports:
    """Transports of a server of aiohttp, which begins to close them and does not wait for their end.

    A TLS handshake may end after the server has, and a TLS close may wait for the other side.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._made, self._lost = server.connection_made, server.connection_lost
        server.connection_made = self._on_made  # type: ignore[method-assign]
        server.connection_lost = self._on_lost  # type: ignore[assignment]
        self._open: dict[web.RequestHandler, tuple[asyncio.Transport, asyncio.Future[None]]] = {}
        #: Tasks of asyncio in which a TLS handshake goes on.
        self._accepting: set[asyncio.Task[Any]] = set()
        self._ended = False

    def make_handler(self) -> web.RequestHandler:
        """Return the protocol of an accepted connection, whose TLS handshake begins."""
        accepting = asyncio.current_task()
        if accepting is not None:
            self._accepting.add(accepting)
            accepting.add_done_callback(self._accepting.discard)
        return self._server()

    async def abort(self) -> None:
        """Abort all, now and later; return when those of now are closed."""
        self._ended = True
        if self._accepting:
            await asyncio.wait({*self._accepting}, timeout=_HANDSHAKE_SECONDS)
            await cancel_and_wait(*self._accepting)
            await asyncio.sleep(0)  # asyncio closes their sockets in its next turn
        closed = [future for _, future in self._open.values()]
        for transport, _ in list(self._open.values()):
            _abort(transport)
        if closed:
            await asyncio.wait(closed, timeout=_CLOSE_SECONDS)

    def _on_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        if self._ended:
            _abort(transport)
        else:
            self._open[handler] = transport, asyncio.get_running_loop().create_future()
            self._made(handler, transport)

    def _on_lost(self, handler: web.RequestHandler, error: BaseException | None = None) -> None:
        self._lost(handler, error)
        if handler in self._open:
            self._open.pop(handler)[1].set_result(None)


def _abort(transport: asyncio.Transport) -> None:
    with ignore_lost_transport():
        transport.abort()
