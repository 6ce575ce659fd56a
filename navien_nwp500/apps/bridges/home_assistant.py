"""MQTT bridge to Home Assistant: publishes heaters to a broker and executes commands from it.

Everything is retained, so that Home Assistant has all values after a restart. Two availability
topics say whether they are current: the bridge's (with its last will) and the heater's. A lost
connection to the broker is retried as ``ReconnectConfig`` says; nothing is queued meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

import aiomqtt

from ..._util.aio import LatestValue, run_until_first
from ...config import ReconnectConfig
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, NaviLinkError, ValueOutOfRangeError
from ...protocol.features import DeviceFeatures
from ...protocol.fields import field_specs
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag
from .discovery import ENERGY_FIELDS, MODES, Topics, cloud_state, discovery, state
from .follower import Follower

_LOGGER = logger("navien_nwp500.bridges")

ONLINE, OFFLINE = "online", "offline"
#: Seconds to wait for the broker to accept the last ``offline`` messages.
OFFLINE_TIMEOUT = 2.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


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
        unexpected = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not host or unexpected:
            raise ConfigurationError(f"the broker URL is {url!r}; {expected}")
        user = unquote(parts.username) if parts.username else None
        tls = parts.scheme == "mqtts"
        return cls(host, port or _PORTS[parts.scheme], tls, user, password, ca_file)

    def client(self, will: aiomqtt.Will) -> aiomqtt.Client:
        """Return a client, a context manager to be entered once."""
        context = ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            tls_context=context,
            will=will,
            keepalive=30,
            logger=logging.getLogger("navien_nwp500.bridges.library"),
        )


class MqttBridge:
    """Bridge of heaters to one broker while ``run`` runs.

    ``root`` is the prefix of the heaters' topics, ``prefix`` that of Home Assistant's discovery.
    Without ``control`` no command topics are offered. Bridges of different accounts on one broker
    need different roots.
    """

    def __init__(
        self,
        broker: Broker,
        followers: Sequence[Follower],
        *,
        root: str = "navien_nwp500",
        prefix: str = "homeassistant",
        control: bool = True,
        reconnect: ReconnectConfig = ReconnectConfig(max_retries=None),
    ) -> None:
        self._broker = broker
        self._followers = followers
        self._root = root
        self._prefix = prefix
        self._control = control
        self._reconnect = reconnect
        self._connected = False

    async def run(self) -> None:
        """Serve until cancelled, then publish ``offline``.

        Raises AuthenticationError and ConfigurationError of the heaters' cloud.
        """
        await run_until_first(self._serve_with_retries(), *(one.run() for one in self._followers))

    async def _serve_with_retries(self) -> None:
        tries = 0
        while True:
            self._connected = False
            try:
                await self._serve()
            except aiomqtt.MqttError as error:
                tries = 1 if self._connected else tries + 1
                if tries == 1:
                    _LOGGER.warning("broker %s: %s; trying again", self._broker.host, error)
            await asyncio.sleep(self._reconnect.delay(tries))

    async def _serve(self) -> None:
        """Serve one connection; publish ``offline`` when it ends for another reason than its loss."""
        topic = Topics(self._root, "").bridge
        end: BaseException | None = None
        try:
            async with self._broker.client(aiomqtt.Will(topic, OFFLINE, 1, True)) as client:
                self._connected = True
                _LOGGER.info("connected to broker %s", self._broker.host)
                publishers = [
                    HeaterPublisher(client, one, self._root, self._prefix, self._control)
                    for one in self._followers
                ]
                try:
                    await self._start(client, publishers)
                except aiomqtt.MqttError:
                    raise
                except BaseException as error:
                    end = error
                    topics = [topic, *(one.topics.availability for one in publishers)]
                    await _publish_offline(client, topics)
        except aiomqtt.MqttError:
            if end is None:
                raise
        if end is not None:
            raise end

    async def _start(self, client: aiomqtt.Client, publishers: list[HeaterPublisher]) -> None:
        await client.subscribe(f"{self._prefix}/status", qos=1)
        if self._control:
            await client.subscribe(f"{self._root}/+/+/set", qos=1)
        await client.publish(Topics(self._root, "").bridge, ONLINE, qos=1, retain=True)
        await run_until_first(self._receive(client, publishers), *(one.run() for one in publishers))

    async def _receive(self, client: aiomqtt.Client, publishers: list[HeaterPublisher]) -> None:
        targets = {one.topics.command(name): (one, name) for one in publishers for name in COMMANDS}
        async for message in client.messages:
            topic = str(message.topic)
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if message.retain:
                # It may be days old, so it is no command to execute now.
                _LOGGER.debug("%s: retained message ignored", topic)
            elif topic == f"{self._prefix}/status":
                if payload == ONLINE.encode():
                    for publisher in publishers:
                        publisher.republish()
            elif topic in targets:
                publisher, name = targets[topic]
                publisher.add_command(name, payload.decode("utf-8", "replace"))


class HeaterPublisher:
    """Publisher of one heater's values, and executor of its commands, on one broker connection."""

    def __init__(
        self, client: aiomqtt.Client, follower: Follower, root: str, prefix: str, control: bool
    ) -> None:
        self.topics = Topics(root, follower.heater.mac_address)
        self._client = client
        self._follower = follower
        self._discovery_topic = f"{prefix}/device/navien_nwp500_{self.topics.mac}/config"
        self._control = control
        self._fields: set[str] = set()
        self._published_discovery = ""
        #: Newest payload by command; it replaces one that was not executed yet.
        self._commands: dict[str, str] = {}
        self._command_added: LatestValue[bool] = LatestValue()

    async def run(self) -> None:
        """Publish values and execute commands until cancelled."""
        await run_until_first(self._publish_updates(), self._execute_commands())

    def republish(self) -> None:
        """Publish everything again, because Home Assistant has started."""
        self._published_discovery = ""
        self._follower.updates.put(True)

    def add_command(self, name: str, payload: str) -> None:
        """Queue a command; it is executed as soon as the one before is done."""
        self._commands[name] = payload
        self._command_added.put(True)

    async def _publish_updates(self) -> None:
        follower = self._follower
        while True:
            status = follower.status
            if status is not None and follower.features is not None:
                await self._publish_discovery(status, follower.features)
                received = follower.heater.health.last_status
                await self._publish(self.topics.state, state(status, follower.energy, received))
            await self._publish(self.topics.cloud, cloud_state(follower.heater.info.error))
            await self._publish(self.topics.availability, ONLINE if status else OFFLINE)
            # A status that expires causes no update, so look again before long.
            await follower.updates.get(follower.max_age / 4)

    async def _publish_discovery(self, status: DeviceStatus, features: DeviceFeatures) -> None:
        """Publish the discovery message if it has changed."""
        specs = field_specs(DeviceStatus)
        self._fields |= {spec.name for spec in specs if getattr(status, spec.name) is not None}
        if features.energy_usage_use == Flag.ACTIVE:
            self._fields |= set(ENERGY_FIELDS)
        name = self._follower.heater.name
        message = discovery(name, self.topics, features, self._fields, control=self._control)
        text = json.dumps(message, ensure_ascii=False)
        if text != self._published_discovery:
            await self._publish(self._discovery_topic, text)
            self._published_discovery = text

    async def _publish(self, topic: str, content: str | Mapping[str, Any]) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        await self._client.publish(topic, text, qos=1, retain=True)

    async def _execute_commands(self) -> None:
        while True:
            await self._command_added.get()
            while self._commands:
                name = next(iter(self._commands))
                await self._execute(name, self._commands.pop(name))
                # Publish the actual state again, whether or not the command succeeded.
                self._follower.updates.put(True)

    async def _execute(self, name: str, payload: str) -> None:
        heater = self._follower.heater
        try:
            status = await COMMANDS[name](heater, payload)
        except NaviLinkError as error:
            _LOGGER.warning("%s: %s %r failed: %s", heater.name, name, payload[:40], error)
            return
        held = " once the time-of-use window is over" if status.held_mode is not None else ""
        _LOGGER.info("%s: %s %s%s", heater.name, name, payload, held)


async def _set_temperature(heater: NaviLinkDevice, payload: str) -> DeviceStatus:
    try:
        celsius = float(payload)
    except ValueError as error:
        raise ValueOutOfRangeError("the value must be a number of degrees Celsius") from error
    return await heater.set_temperature(celsius=celsius)


async def _set_mode(heater: NaviLinkDevice, payload: str) -> DeviceStatus:
    mode = MODES.get(payload)
    if mode is None:
        raise ValueOutOfRangeError(f"the value must be one of {', '.join(MODES)}")
    if mode is DHWMode.POWER_OFF:
        return await heater.turn_off()
    return await heater.set_dhw_mode(mode)


async def _set_power(heater: NaviLinkDevice, payload: str) -> DeviceStatus:
    if payload not in ("ON", "OFF"):
        raise ValueOutOfRangeError("the value must be ON or OFF")
    return await (heater.turn_on() if payload == "ON" else heater.turn_off())


#: Commands of Home Assistant by the name in their topic.
COMMANDS: Mapping[str, Callable[[NaviLinkDevice, str], Awaitable[DeviceStatus]]] = {
    "temperature": _set_temperature,
    "mode": _set_mode,
    "power": _set_power,
}


async def _publish_offline(client: aiomqtt.Client, topics: Sequence[str]) -> None:
    """Publish ``offline`` within a time limit; if that fails, the broker sends the last will."""

    async def publish() -> None:
        for topic in topics:
            await client.publish(topic, OFFLINE, qos=1, retain=True)

    loop = asyncio.get_running_loop()
    task = loop.create_task(publish(), name="publish-offline")
    deadline = loop.time() + OFFLINE_TIMEOUT
    while not task.done() and loop.time() < deadline:
        try:
            await asyncio.wait({task}, timeout=deadline - loop.time())
        except asyncio.CancelledError:
            # This task is ending already; cancel_and_wait cancels it again until it has ended.
            continue
    if not task.cancel() and (error := task.exception()) is not None:
        _LOGGER.debug("offline was not published: %s", error)
