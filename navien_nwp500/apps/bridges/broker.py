"""The MQTT broker of a bridge: its address, what it answers, and why it is not reached.

This is the only place that translates errors of aiomqtt and paho.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping
from urllib.parse import unquote, urlsplit

import aiomqtt
from aiomqtt import MqttError

from ..._util.hosts import address_text, is_host
from ..._util.mqtt_client import MqttClient
from ..._util.network_errors import NO_TLS, explain_error
from ...exceptions import ConfigurationError
from ...protocol.redaction import library_logger, logger

__all__ = ["Broker", "BrokerClient", "MqttError", "Permissions", "VersionChoice", "text_of"]

_LOGGER = logger("navien_nwp500.bridges")
_LIBRARY = library_logger("navien_nwp500.bridges.library")

_PORTS = {"mqtt": 1883, "mqtts": 8883}
#: Seconds to wait for each answer of the broker.
TIMEOUT = 10.0
#: Answers from here on are refusals: in a SUBACK, and in the CONNACK and PUBACK of MQTT 5.
_REFUSED = 0x80
UNSUPPORTED_VERSION = 0x84

#: By the reason code of MQTT 5; aiomqtt translates those of MQTT 3.1.1.
_REASONS: Mapping[int, str] = {
    UNSUPPORTED_VERSION: "it does not support this MQTT version",
    0x85: "it does not accept the client id",
    0x86: "it rejects the user or the password; check the user in --broker, and MQTT_PASSWORD",
    0x87: "it does not allow this user to connect; check the user in --broker, and MQTT_PASSWORD",
    0x88: "it is not available at the moment",
    0x8A: "it has banned this client",
    0x8E: "another client uses the same client id",
    0x97: "its quota is used up",
    0x9F: "it accepts no more connections at the moment",
}


@dataclass(frozen=True)
class Broker:
    """Address and credentials of an MQTT broker; ``mqtts`` verifies its certificate."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(cls, url: str, password: str | None = None, ca_file: Path | None = None) -> Broker:
        """Read ``mqtt[s]://[user@]host[:port]``.

        Raises ConfigurationError for anything else, and for a password: every program on this
        machine can read the command line.
        """
        expected = "it must have the form mqtt[s]://[user@]host[:port]"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigurationError(f"the broker URL is not valid; {expected}") from error
        if parts.password is not None:
            raise ConfigurationError(
                "the broker URL may not contain a password; use MQTT_PASSWORD or a file"
            )
        unexpected = parts.path.strip("/") or parts.query or parts.fragment or port == 0
        if parts.scheme not in _PORTS or not host or unexpected:
            raise ConfigurationError(f"the broker URL is {url!r}; {expected}")
        if not is_host(host):
            raise ConfigurationError(
                f"the broker URL is {url!r}; {host!r} is not a valid host name"
            )
        user = unquote(parts.username) if parts.username else None
        tls = parts.scheme == "mqtts"
        return cls(host, port or _PORTS[parts.scheme], tls, user, password, ca_file)

    @property
    def address(self) -> str:
        """Host and port."""
        return address_text(self.host, self.port)

    def client(self, will: tuple[str, str] | None, version: VersionChoice) -> BrokerClient:
        """Return a client, a context manager to be entered once; ``will`` is a topic and its text.

        Raises ConfigurationError for a file without certificates.
        """
        return BrokerClient(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            tls_context=self._tls_context() if self.tls else None,
            will=None if will is None else aiomqtt.Will(*will, 1, True),
            protocol=version.version,
            timeout=TIMEOUT,
            keepalive=30,
            logger=_LIBRARY,
        )

    def explain(self, error: MqttError, *, connected: bool) -> str:
        """Say why the broker is not reached, or why the connection ended, and what to do."""
        answer = _REASONS.get(_reason_code(error))
        if answer is not None:
            return answer
        reason = None if _timed_out(error) else explain_error(error)
        if reason == NO_TLS:
            return f"{reason}; for a broker without TLS write mqtt:// in --broker"
        if reason is not None or connected:
            return reason or str(error)
        # aiomqtt does not notice the end of a connection before CONNACK, and waits for its timeout.
        silent = "it does not answer as an MQTT broker"
        return (
            silent
            if self.tls
            else f"{silent}; if this port expects TLS, write mqtts:// in --broker"
        )

    def _tls_context(self) -> _Tls:
        context = _Tls(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca_file is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(cafile=self.ca_file)
            return context
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{self.ca_file} contains no valid certificate in PEM format"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{self.ca_file} cannot be read: {error.strerror}") from error


class _Tls(ssl.SSLContext):
    """A TLS context that remembers the socket it wrapped: paho does not close it on failure."""

    wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        self.wrapped = super().wrap_socket(*args, **options)
        return self.wrapped


class BrokerClient(MqttClient):
    """MQTT client that reads what the broker answers to a PUBLISH, which aiomqtt ignores."""

    def __init__(self, *args: Any, tls_context: _Tls | None, **options: Any) -> None:
        super().__init__(*args, tls_context=tls_context, **options)
        self._tls = tls_context
        self._publishing = asyncio.Lock()
        self._refusal: str | None = None

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except (MqttError, asyncio.CancelledError):
            if self._tls is not None and self._tls.wrapped is not None:
                self._tls.wrapped.close()
            raise

    async def try_publish(self, topic: str, text: str, *, retain: bool = True) -> str | None:
        """Publish a message with QoS 1; return the broker's reason when it refuses.

        Only MQTT 5 can refuse: a broker of MQTT 3.1.1 drops the message without a word.
        """
        async with self._publishing:  # one at a time, as an answer does not name its topic
            self._refusal = None
            await self.publish(topic, text, qos=1, retain=retain)
            return self._refusal

    async def try_subscribe(self, topic_filter: str) -> str | None:
        """Subscribe with QoS 1; return the broker's reason when it refuses."""
        for code in await self.subscribe(topic_filter, qos=1):
            if getattr(code, "value", code) >= _REFUSED:
                return str(code)
        return None

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any = None
    ) -> None:
        if reason_code.value >= _REFUSED:
            self._refusal = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)


def text_of(message: aiomqtt.Message) -> str:
    """Return the payload of a message as text."""
    payload = message.payload
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


class Permissions:
    """Permissions at the broker; each refusal is logged once, with what to allow, until it is over."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._refused: set[str] = set()

    def record(self, rule: str, refusal: str | None, effect: str) -> bool:
        """Record an answer and return True when it is no refusal.

        ``rule`` is the line of mosquitto's ACL file that allows it, such as ``topic read a/b``.
        """
        if refusal is None:
            if rule in self._refused:
                self._refused.discard(rule)
                _LOGGER.info("broker %s now allows: %s", self._broker.address, rule)
            return True
        if rule not in self._refused:
            self._refused.add(rule)
            user = f"user {self._broker.user}" if self._broker.user else "clients without a user"
            _LOGGER.warning(
                "broker %s refuses (%s), so %s. Allow %s this; in mosquitto's ACL file: %s",
                self._broker.address,
                refusal,
                effect,
                user,
                rule,
            )
        return False


class VersionChoice:
    """The MQTT version of the next connection: 5, which answers a refused PUBLISH, or 3.1.1."""

    def __init__(self) -> None:
        self.version = aiomqtt.ProtocolVersion.V5

    def change_after(self, error: MqttError) -> bool:
        """Choose the version after a failed connect; return True to try it at once.

        Some brokers close the connection instead of naming the version: then both take turns.
        """
        versions, tried = aiomqtt.ProtocolVersion, self.version
        unsupported = _reason_code(error) == UNSUPPORTED_VERSION
        if unsupported or _timed_out(error):
            self.version = versions.V311 if tried is versions.V5 else versions.V5
        return unsupported and tried is versions.V5


def _timed_out(error: MqttError) -> bool:
    """Return True when the connection is open and the broker did not answer."""
    return str(error) == "Operation timed out"  # aiomqtt's own text


def _reason_code(error: MqttError) -> int:
    return int(getattr(getattr(error, "rc", None), "value", 0))
