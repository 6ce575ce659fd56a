"""The public side of the broker: the signed WebSocket of AWS IoT.

Checks the signature of each handshake, answers 403 as AWS does, and makes an ``MqttConnection`` for
each accepted client.
"""

from __future__ import annotations

import logging
import secrets

from aiohttp import web

from ..._util.http_server import accept_websocket
from ..cloud.accounts import AccountBook, CloudAccount
from ..cloud.broker_process import BrokerPorts
from ..cloud.counters import Counters
from ..cloud.iot_policy import Policy
from ..cloud.sigv4 import SignatureRejected, verify
from ..faults import FaultInjector
from .mqtt_connection import ClientIds, MqttConnection

PATH = "/mqtt"

_LOGGER = logging.getLogger("navien_nwp500.simulator")
_CLOSE_SECONDS = 2.0


class MqttGateway:
    """The handshakes for the broker on ``ports``; ``connections`` holds the open connections."""

    def __init__(
        self,
        book: AccountBook,
        counters: Counters,
        faults: FaultInjector,
        connections: set[MqttConnection],
        ports: BrokerPorts,
    ) -> None:
        self._book = book
        self._counters = counters
        self._faults = faults
        self._connections = connections
        self._ports = ports
        self._client_ids = ClientIds()

    def routes(self) -> list[web.RouteDef]:
        """Return the only route."""
        return [web.get(PATH, self._handle)]

    async def cut_all(self) -> None:
        """Cut every connection at once, and wait until all have ended."""
        connections = list(self._connections)
        for connection in connections:
            connection.cut()
        for connection in connections:
            await connection.ended.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            policy = Policy(self._owner(request))
        except SignatureRejected as error:
            self._counters.refuse(str(error))
            _LOGGER.info("handshake rejected: %s", error)
            return _forbidden()
        stream = web.WebSocketResponse(protocols=("mqtt",), compress=False, timeout=_CLOSE_SECONDS)
        await accept_websocket(stream, request)
        connection = MqttConnection(
            policy, self._client_ids, self._counters, self._faults, request.transport, stream
        )
        self._counters.opened()
        self._connections.add(connection)
        self._faults.on_connected(connection)
        try:
            await connection.serve(self._ports)
        finally:
            self._connections.discard(connection)
            self._counters.closed()
            connection.ended.set()
        return stream

    def _owner(self, request: web.Request) -> CloudAccount:
        keys = verify(
            request.method,
            request.raw_path,
            request.headers.items(),
            self._book.find_keys,
            self._book.now(),
        )
        return self._book.owner_of(keys)


def _forbidden() -> web.Response:
    """Return the response of AWS IoT to a handshake it rejects."""
    body = {"message": "Forbidden", "traceId": secrets.token_hex(16)}
    headers = {"x-amzn-ErrorType": "ForbiddenException"}
    return web.json_response(body, status=403, headers=headers)
