"""The whole NaviLink cloud on loopback: REST, the signed WebSocket and the broker behind it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import AsyncIterator, Callable, Sequence

from aiohttp import web

from ..._util.aio import ignore_lost_transport
from ..cloud.accounts import LIFETIME_SECONDS, AccountBook, CloudAccount
from ..cloud.broker_process import HOST, choose_broker, in_thread, running_broker
from ..cloud.certificates import make_server_context
from ..cloud.counters import Counters
from ..cloud.rest_api import BASE, RestApi
from ..faults.base import CloudTime, FaultContext
from ..faults.registry import Faults
from .admin_api import AdminApi
from .latency import LatencyProxy
from .mqtt_connection import MqttConnection
from .mqtt_gateway import PATH, MqttGateway

_BACKLOG = 1024
_CA_NAME = "ca.pem"


class Cloud:
    """Serve accounts on loopback while entered.

    ``now`` gives seconds since the epoch, the lifetimes are in seconds of it. While entered:
    ``base_url``, ``websocket_url``, ``ca_file`` (PEM of the authority that signed the server's
    certificate), ``broker_port`` (plain MQTT 3.1.1, for the heaters) and, with a ``latency`` in
    seconds each way, ``distance``. ``broker`` is the built-in one unless named. Raises
    ConfigurationError for one that is not there, OSError when it does not start.
    """

    base_url: str
    websocket_url: str
    ca_file: Path
    broker_port: int
    distance: LatencyProxy

    def __init__(
        self,
        accounts: Sequence[CloudAccount],
        *,
        now: Callable[[], float] = time.time,
        access_lifetime: float = LIFETIME_SECONDS,
        keys_lifetime: float = LIFETIME_SECONDS,
        latency: float = 0.0,
        broker: str | None = None,
    ) -> None:
        self.accounts = tuple(accounts)
        self._broker = choose_broker(broker)
        self.counters = Counters()
        self._latency = latency
        clock = CloudTime(now)
        self.book = AccountBook(
            self.accounts, clock, access_lifetime=access_lifetime, keys_lifetime=keys_lifetime
        )
        self._lines: set[MqttConnection] = set()
        heaters = tuple(heater for account in self.accounts for heater in account.heaters)
        self.faults = Faults(FaultContext(self.book, clock, heaters, self._lines), self.counters)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Cloud:
        async with contextlib.AsyncExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="navilink-"))
            self.ca_file = Path(directory) / _CA_NAME
            tls = await in_thread(lambda: make_server_context(self.ca_file))
            ports = await stack.enter_async_context(running_broker(self._broker))
            self.broker_port = ports.mqtt3
            self._front = MqttGateway(self.book, self.counters, self.faults, self._lines, ports)
            port = await stack.enter_async_context(_serving(self._application(), tls))
            if self._latency:
                self.distance = LatencyProxy(HOST, port, self._latency)
                port = await stack.enter_async_context(self.distance.serving())
            self._stack = stack.pop_all()
        self.base_url = f"https://{HOST}:{port}{BASE}"
        self.websocket_url = f"wss://{HOST}:{port}{PATH}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def drop_connections(self) -> None:
        """Cut every client's WebSocket at once, abruptly; return when all are gone."""
        await self._front.cut_all()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self.faults.middleware])
        application.add_routes(self._front.routes())
        application.add_routes(RestApi(self.book, self.counters).routes())
        application.add_routes(AdminApi(self.faults, self.counters, self._lines).routes())
        application.on_response_prepare.append(self._stamp)
        application.on_shutdown.append(self._cut_all)
        return application

    async def _stamp(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Tell the cloud's time: clients compare it with theirs when a signature is refused."""
        response.headers["Date"] = formatdate(self.book.now(), usegmt=True)

    async def _cut_all(self, application: web.Application) -> None:
        self.faults.clear()
        await self._front.cut_all()


@contextlib.asynccontextmanager
async def _serving(application: web.Application, tls: SSLContext) -> AsyncIterator[int]:
    """Serve an application over TLS and give its port on loopback."""
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, ssl_context=tls, backlog=_BACKLOG).start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        server = runner.server
        await runner.cleanup()
        if server is not None:
            # aiohttp closes those it has met: who ends his TLS handshake later would stay.
            server.connection_made = _turn_away  # type: ignore[assignment]


def _turn_away(_: object, transport: asyncio.Transport) -> None:
    with ignore_lost_transport():
        transport.abort()
