"""The broker's public side: a signed WebSocket that lets through what the account may do.

Checks the signature of the handshake, answers 403 as AWS does, and hands an accepted client to a
line of its own.
"""

from __future__ import annotations

import logging
import secrets

from aiohttp import web

from ..cloud.accounts import AccountBook, CloudAccount
from ..cloud.broker_process import BrokerPorts
from ..cloud.counters import Counters
from ..cloud.iot_policy import Policy
from ..cloud.sigv4 import SignatureRefused, verify
from ..faults.registry import Faults
from .mqtt_connection import ClientIds, MqttConnection

PATH = "/mqtt"

_LOGGER = logging.getLogger("navien_nwp500.simulator")
_CLOSE_SECONDS = 2.0


class MqttGateway:
    """Accept clients for the broker behind ``ports``; ``lines`` are those connected."""

    def __init__(
        self,
        book: AccountBook,
        counters: Counters,
        faults: Faults,
        lines: set[MqttConnection],
        ports: BrokerPorts,
    ) -> None:
        self._book = book
        self._counters = counters
        self._faults = faults
        self._lines = lines
        self._ports = ports
        self._client_ids = ClientIds()

    def routes(self) -> list[web.RouteDef]:
        """List the one route."""
        return [web.get(PATH, self._handle)]

    async def cut_all(self) -> None:
        """Cut every connection abruptly and wait until all are gone."""
        lines = list(self._lines)
        for line in lines:
            line.cut()
        for line in lines:
            await line.gone.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            policy = Policy(self._owner(request))
        except SignatureRefused as refusal:
            self._counters.refuse(str(refusal))
            _LOGGER.info("handshake refused: %s", refusal)
            return _forbidden()
        stream = web.WebSocketResponse(protocols=("mqtt",), compress=False, timeout=_CLOSE_SECONDS)
        await stream.prepare(request)
        line = MqttConnection(
            policy, self._client_ids, self._counters, self._faults, request.transport, stream
        )
        self._counters.opened()
        self._lines.add(line)
        self._faults.opened(line)
        try:
            await line.serve(self._ports)
        finally:
            self._lines.discard(line)
            self._counters.closed()
            line.gone.set()
        return stream

    def _owner(self, request: web.Request) -> CloudAccount:
        keys = verify(
            request.method,
            request.raw_path,
            request.headers.items(),
            self._book.keys,
            self._book.now(),
        )
        return self._book.owner_of(keys)


def _forbidden() -> web.Response:
    """Answer as AWS IoT answers a handshake it does not accept."""
    body = {"message": "Forbidden", "traceId": secrets.token_hex(16)}
    headers = {"x-amzn-ErrorType": "ForbiddenException"}
    return web.json_response(body, status=403, headers=headers)
