"""Open a transport: choose MQTT version and address, sign with valid credentials, explain failures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Callable, Mapping

from .._util.aio import turns
from ..config import NaviLinkConfig
from ..exceptions import CommunicationError, ConfigurationError, RequestTimeoutError, WebSocketError
from ..protocol.redaction import logger
from .credentials import AwsCredentials, CredentialsProvider
from .http_session import tls_context
from .transport import HandshakeRefusedError, Transport

_LOGGER = logger("navien_nwp500.connection")

#: Seconds. AWS rejects a signature whose date is further off than 5 minutes.
MAX_CLOCK_SKEW = 290.0

#: The transports of one library, by MQTT version: ``MQTT3`` and ``MQTT5``.
Transports = Mapping[str, "type[Transport]"]


class Connector:
    """Open transports, each with valid credentials.

    ``choose_transports`` returns the transports of the configured library, or raises
    ConfigurationError when it is not installed.
    """

    def __init__(
        self,
        auth: CredentialsProvider,
        config: NaviLinkConfig,
        choose_transports: Callable[[str], Transports],
    ) -> None:
        self._auth = auth
        self._ca_file = config.ca_file
        self._urls = config.websocket_urls
        self._transport = config.transport
        self._choose_transports = choose_transports
        self._versions = ("MQTT5", "MQTT3") if config.mqtt_protocol == "MQTT5" else ("MQTT3",)

    async def connect(self) -> Transport:
        """Open a transport.

        The broker may reject credentials before their nominal expiry, so rejected ones are renewed
        once (PROTOCOL 1.16). Raises AuthenticationError, WebSocketError, RequestTimeoutError, the
        errors of a renewal, and ConfigurationError when no transport is installed.
        """
        credentials = await self._auth.aws_credentials()
        try:
            return await self._connect_any_version(credentials)
        except HandshakeRefusedError:
            credentials = await self._auth.aws_credentials(refused=credentials)
        try:
            return await self._connect_any_version(credentials)
        except HandshakeRefusedError as error:
            raise HandshakeRefusedError(self._explain(error)) from error

    async def _connect_any_version(self, credentials: AwsCredentials) -> Transport:
        """Try MQTT 5 when it is configured, then 3.1.1; remember the version that worked.

        Rejected credentials end the handshake before MQTT begins.
        """
        transports = self._choose_transports(self._transport)
        for version in self._versions[:-1]:
            try:
                return await self._connect_any_url(transports[version], credentials)
            except HandshakeRefusedError:
                raise
            except (WebSocketError, RequestTimeoutError) as error:
                _LOGGER.debug("%s: %s", version, error)
        transport = await self._connect_any_url(transports["MQTT3"], credentials)
        if len(self._versions) > 1:
            _LOGGER.warning("MQTT 5 cannot connect; using MQTT 3.1.1 from now on.")
            self._versions = ("MQTT3",)
        return transport

    async def _connect_any_url(
        self, kind: type[Transport], credentials: AwsCredentials
    ) -> Transport:
        """Try the addresses in order; remember the one that worked."""
        ca_bytes = await self._read_ca_file()
        failure: CommunicationError | None = None
        for url in self._urls:
            try:
                async with turns(url):
                    transport = await kind.open(url, credentials, ca_bytes)
            except (WebSocketError, RequestTimeoutError) as error:
                _LOGGER.debug("%s: %s", url, error)
                failure = failure if isinstance(failure, HandshakeRefusedError) else error
            else:
                self._urls = (url,)
                return transport
        assert failure is not None
        raise failure

    async def _read_ca_file(self) -> bytes | None:
        """Return the certificates to trust. Raises ConfigurationError when there are none."""
        if self._ca_file is None:
            return None
        return await asyncio.to_thread(_read_certificates, Path(self._ca_file))

    def _explain(self, error: HandshakeRefusedError) -> str:
        skew = self._auth.clock_skew
        if skew is None or abs(skew) < MAX_CLOCK_SKEW:
            return f"the broker rejects fresh credentials; try again later ({error})"
        direction = "behind" if skew > 0 else "ahead"
        return (
            f"the broker rejects fresh credentials because the clock of this machine is "
            f"{abs(skew):.0f} s {direction}; set the clock ({error})"
        )


def _read_certificates(ca_file: Path) -> bytes:
    tls_context(ca_file)  # raises ConfigurationError for a file without certificates
    try:
        return ca_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"ca_file {ca_file} cannot be read: {error}") from error
