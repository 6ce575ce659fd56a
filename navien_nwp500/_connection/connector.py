"""Opening the way to the broker: by which transport, with which keys, where, and why it failed."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

from ..auth import NaviLinkAuth
from ..aws_iot_websocket import AwsIotMqtt3, AwsIotMqtt5
from ..config import NaviLinkConfig
from ..exceptions import CommunicationError, ConfigurationError, RequestTimeoutError, WebSocketError
from ..protocol.redaction import logger
from .aiomqtt_websocket import PureMqtt3, PureMqtt5
from .credentials import AwsCredentials
from .transport import HandshakeRefusedError, Transport

_LOGGER = logger(__name__)

#: AWS refuses a signature whose date is further off than 5 minutes.
WORST_SKEW = 290.0

#: What each transport needs to be installed, and its links; the first that is here is "auto".
TRANSPORTS: dict[str, tuple[tuple[str, ...], dict[str, type[Transport]]]] = {
    "awscrt": (("awscrt",), {"MQTT3": AwsIotMqtt3, "MQTT5": AwsIotMqtt5}),
    "pure": (("aiomqtt", "botocore"), {"MQTT3": PureMqtt3, "MQTT5": PureMqtt5}),
}


class Connector:
    """Opens links, each with keys that are in force."""

    def __init__(self, auth: NaviLinkAuth, config: NaviLinkConfig) -> None:
        self._auth = auth
        self._ca_file = config.ca_file
        self._urls = config.websocket_urls
        self._transport = config.transport
        self._versions = ("MQTT5", "MQTT3") if config.mqtt_protocol == "MQTT5" else ("MQTT3",)

    async def dial(self) -> Transport:
        """Open a link.

        The broker may refuse keys before their nominal end, so refused ones are renewed once
        (protocol 1.16). Raises AuthenticationError, WebSocketError, RequestTimeoutError, and what
        else ends a renewal; ConfigurationError when no transport is installed.
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

    async def _dial_any(self, keys: AwsCredentials) -> Transport:
        """Try MQTT 5 if it is wanted, then 3.1.1; what worked instead is kept for next time.

        Refused keys are refused by the handshake, before MQTT begins.
        """
        links = _links(self._transport)
        for version in self._versions[:-1]:
            try:
                return await self._dial_each(links[version], keys)
            except HandshakeRefusedError:
                raise
            except (WebSocketError, RequestTimeoutError) as error:
                _LOGGER.debug("%s: %s", version, error)
        link = await self._dial_each(links["MQTT3"], keys)
        if len(self._versions) > 1:
            _LOGGER.warning("MQTT 5 cannot connect; MQTT 3.1.1 is used from now on")
            self._versions = ("MQTT3",)
        return link

    async def _dial_each(self, kind: type[Transport], keys: AwsCredentials) -> Transport:
        """Try the addresses in order; the one that worked is kept for next time."""
        ca_bytes = await self._ca_bytes()
        failure: CommunicationError | None = None
        for url in self._urls:
            try:
                link = await kind.open(url, keys, ca_bytes)
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


def _links(transport: str) -> dict[str, type[Transport]]:
    """The links of the transport that is wanted and installed; raises ConfigurationError."""
    for name, (packages, links) in TRANSPORTS.items():
        if transport in (name, "auto") and all(find_spec(package) for package in packages):
            return links
    raise ConfigurationError(_MISSING[transport])


_MISSING = {
    "awscrt": "transport is 'awscrt', and awsiotsdk is not installed: pip install awsiotsdk",
    "pure": (
        "transport is 'pure', and aiomqtt or botocore is not installed: "
        "pip install 'navien-nwp500[pure]'"
    ),
    "auto": (
        "there is no way to the broker: awsiotsdk is not installed, which this machine may have no "
        "wheel for; pip install 'navien-nwp500[pure]'"
    ),
}
