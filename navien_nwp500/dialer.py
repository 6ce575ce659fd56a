"""Opening the way to the broker: with which keys, at which address, and why it failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .auth import NaviLinkAuth
from .aws_iot_websocket import AwsIotWebSocket, HandshakeRefusedError
from .config import NaviLinkConfig
from .exceptions import (
    CommunicationError,
    ConfigurationError,
    RequestTimeoutError,
    WebSocketError,
)
from .leases import AwsKeys
from .redaction import logger

_LOGGER = logger(__name__)

#: AWS refuses a signature whose date is further off than 5 minutes.
WORST_SKEW = 290.0


class Dialer:
    """Opens links, each with keys that are in force."""

    def __init__(self, auth: NaviLinkAuth, config: NaviLinkConfig) -> None:
        self._auth = auth
        self._ca_file = config.ca_file
        self._urls = config.websocket_urls
        if config.mqtt_protocol != "MQTT3":
            _LOGGER.warning("MQTT 5 is not offered yet; MQTT 3.1.1 is used")

    async def dial(self) -> AwsIotWebSocket:
        """Open a link.

        The broker may refuse keys before their nominal end, so refused ones are renewed once
        (protocol 1.16). Raises AuthenticationError, WebSocketError, RequestTimeoutError, and what
        else ends a renewal.
        """
        keys = await self._auth.aws_keys()
        try:
            return await self._dial_any(keys)
        except HandshakeRefusedError:
            keys = await self._auth.aws_keys(refused=keys)
        try:
            return await self._dial_any(keys)
        except HandshakeRefusedError as error:
            raise HandshakeRefusedError(self._explain(error)) from error

    async def _dial_any(self, keys: AwsKeys) -> AwsIotWebSocket:
        """Try the addresses in order; the one that worked is kept for next time."""
        ca_bytes = await self._ca_bytes()
        failure: CommunicationError | None = None
        for url in self._urls:
            try:
                link = await AwsIotWebSocket.open(url, keys, ca_bytes)
            except (WebSocketError, RequestTimeoutError) as error:
                _LOGGER.debug("%s: %s", url, error)
                failure = failure if isinstance(failure, HandshakeRefusedError) else error
            else:
                self._urls = (url,)
                return link
        assert failure is not None
        raise failure

    async def _ca_bytes(self) -> bytes | None:
        if self._ca_file is None:
            return None
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, Path(self._ca_file).read_bytes)
        except OSError as error:
            raise ConfigurationError(f"ca_file cannot be read: {error}") from error

    def _explain(self, error: HandshakeRefusedError) -> str:
        skew = self._auth.clock_skew
        if skew is None or abs(skew) < WORST_SKEW:
            return f"the broker refuses fresh keys; try again later ({error})"
        direction = "behind" if skew > 0 else "ahead"
        return (
            f"the broker refuses fresh keys because this machine's clock is {abs(skew):.0f} s "
            f"{direction}; set the clock ({error})"
        )
