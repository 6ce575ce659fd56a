"""MQTT bridge to Home Assistant: publishes heaters to a broker and executes commands from it.

Everything is retained, so that Home Assistant has all values after a restart. Two availability
topics say whether they are current: the bridge's (with its last will) and the heater's. A lost
connection to the broker is retried as ``ReconnectConfig`` says; nothing is queued meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from typing import Sequence

from ..._util.aio import LatestValue, run_until_first
from ...config import ReconnectConfig
from ...exceptions import NaviLinkError
from ...protocol.features import DeviceFeatures
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from .broker import Broker, BrokerClient, MqttError, Permissions, VersionChoice
from .controlled_heater import ControlledHeater
from .controls import COMMANDS, REPLACES, control_values, plain_command
from .discovery import DeviceDetails, Topics, discovery, sent_fields
from .entities import cloud_state, shows_fahrenheit, state
from .follower import Follower

_LOGGER = logger("navien_nwp500.bridges")

__all__ = ["Broker", "MqttBridge"]

ONLINE, OFFLINE = "online", "offline"
#: Seconds to wait for the broker to accept the last ``offline`` messages.
OFFLINE_TIMEOUT = 2.0


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
        details: DeviceDetails = DeviceDetails(),
    ) -> None:
        self._broker = broker
        self._followers = followers
        self._root = root
        self._prefix = prefix
        self._control = control
        self._reconnect = reconnect
        self._details = details
        #: They outlive a connection to the broker.
        self._targets = [ControlledHeater(one) for one in followers]
        self._connected = False
        self._version = VersionChoice()
        self._permissions = Permissions(broker)

    async def run(self) -> None:
        """Serve until cancelled, then publish ``offline``.

        Raises AuthenticationError and ConfigurationError of the heaters' cloud.
        """
        await run_until_first(self._serve_with_retries(), *(one.run() for one in self._followers))

    async def _serve_with_retries(self) -> None:
        tries = 0
        logged: set[str] = set()
        while True:
            self._connected = False
            try:
                await self._serve()
            except MqttError as error:
                if self._connected:
                    tries, logged = 0, set()
                tries += 1
                reason = self._broker.explain(error, connected=self._connected)
                if not self._connected and self._version.change_after(error):
                    continue
                if reason not in logged:
                    logged.add(reason)
                    _LOGGER.warning("broker %s: %s; trying again", self._broker.address, reason)
            await asyncio.sleep(self._reconnect.delay(tries))

    async def _serve(self) -> None:
        """Serve one connection; publish ``offline`` when it ends for another reason than its loss."""
        topic = Topics(self._root, "").bridge
        end: BaseException | None = None
        try:
            async with self._broker.client(topic, OFFLINE, self._version) as client:
                self._connected = True
                _LOGGER.info("connected to broker %s", self._broker.address)
                try:
                    await self._start(client)
                except MqttError:
                    raise
                except BaseException as error:
                    end = error
                    macs = [one.heater.mac_address for one in self._followers]
                    topics = [topic, *(Topics(self._root, mac).availability for mac in macs)]
                    await _publish_offline(client, topics)
        except MqttError:
            if end is None:
                raise
        if end is not None:
            raise end

    async def _subscribe(self, client: BrokerClient) -> bool:
        """Subscribe, and return True when commands can be received."""
        record = self._permissions.record
        status = f"{self._prefix}/status"
        effect = "a restart of Home Assistant is not noticed"
        record(f"topic read {status}", await client.try_subscribe(status), effect)
        if not self._control:
            return False
        commands = f"{self._root}/+/+/set"
        effect = "the heater cannot be controlled"
        return record(f"topic read {commands}", await client.try_subscribe(commands), effect)

    async def _start(self, client: BrokerClient) -> None:
        control = await self._subscribe(client)
        publishers = [
            HeaterPublisher(
                *(client, one, self._root, self._prefix, control, self._permissions),
                target=target,
                details=self._details,
            )
            for one, target in zip(self._followers, self._targets)
        ]
        topic = Topics(self._root, "").bridge
        refusal = await client.try_publish(topic, ONLINE)
        effect = "every heater stays unavailable in Home Assistant"
        self._permissions.record(f"topic write {topic}", refusal, effect)
        await run_until_first(self._receive(client, publishers), *(one.run() for one in publishers))

    async def _receive(self, client: BrokerClient, publishers: list[HeaterPublisher]) -> None:
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
        self,
        client: BrokerClient,
        follower: Follower,
        root: str,
        prefix: str,
        control: bool,
        permissions: Permissions,
        *,
        target: ControlledHeater,
        details: DeviceDetails = DeviceDetails(),
    ) -> None:
        self.topics = Topics(root, follower.heater.mac_address)
        self._client = client
        self._follower = follower
        self._prefix = prefix
        self._discovery_topic = f"{prefix}/device/navien_nwp500_{self.topics.mac}/config"
        self._control = control
        self._permissions = permissions
        self._target = target
        self._details = details
        self._fields: set[str] = set()
        self._published_discovery = ""
        #: Payload by command, in the order given; see ``add_command``.
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
        """Queue a command in place of those that it makes pointless.

        It is executed as soon as those before are done, so that the heater ends as if all had been.
        """
        name, payload = plain_command(name, payload)
        for replaced in REPLACES[name]:
            self._commands.pop(replaced, None)
        self._commands[name] = payload
        self._command_added.put(True)

    async def _publish_updates(self) -> None:
        follower = self._follower
        while True:
            status = follower.status
            if status is not None and follower.features is not None:
                await self._publish_discovery(status, follower.features)
                received = follower.heater.health.last_status
                self._target.observe(status)
                shown = {
                    **state(status, follower.energy, received),
                    **control_values(self._target, status),
                }
                values = json.dumps(shown)
                effect = "Home Assistant gets no values"
                await self._publish(self.topics.state, values, effect)
            heater = follower.heater
            values = json.dumps(cloud_state(heater.info.error, heater.health))
            effect = "Home Assistant does not learn the last error"
            await self._publish(self.topics.cloud, values, effect)
            effect = "Home Assistant does not learn whether the heater responds"
            await self._publish(self.topics.availability, ONLINE if status else OFFLINE, effect)
            # A status that expires causes no update, so look again before long.
            await follower.updates.get(follower.max_age / 4)

    async def _publish_discovery(self, status: DeviceStatus, features: DeviceFeatures) -> None:
        """Publish the discovery message if it has changed."""
        self._fields |= sent_fields(status, features)
        name = self._follower.heater.name
        message = discovery(
            *(name, self.topics, features, self._fields),
            control=self._control,
            fahrenheit=shows_fahrenheit(status),
            details=self._details,
        )
        text = json.dumps(message, ensure_ascii=False)
        if text == self._published_discovery:
            return
        effect = "Home Assistant does not find the heater"
        if await self._publish(self._discovery_topic, text, effect):
            self._published_discovery = text

    async def _publish(self, topic: str, text: str, effect: str) -> bool:
        """Publish, and return True when the broker accepts it; a refusal is logged once."""
        refusal = await self._client.try_publish(topic, text)
        rule = f"topic write {topic.replace(self.topics.mac, '+')}"
        if "_+" in rule:  # a wildcard is a whole level
            rule = f"topic write {self._prefix}/device/+/config"
        return self._permissions.record(rule, refusal, effect)

    async def _execute_commands(self) -> None:
        """Execute commands until cancelled; those that are then lost are logged."""
        heater = self._follower.heater
        try:
            while True:
                await self._command_added.get()
                while self._commands:
                    name = next(iter(self._commands))
                    await self._execute(name, self._commands.pop(name))
                    # Publish the actual state again, whether or not the command succeeded.
                    self._follower.updates.put(True)
        finally:
            for name, payload in self._commands.items():
                _LOGGER.warning(
                    "%s: %s %r was not executed: the bridge was disconnected from its broker, or ends",
                    *(heater.name, name, payload[:40]),
                )

    async def _execute(self, name: str, payload: str) -> None:
        heater = self._follower.heater
        try:
            status = await COMMANDS[name](self._target, payload)
        except asyncio.CancelledError:
            _LOGGER.warning(
                "%s: %s %r was not confirmed: the bridge was disconnected from its broker, or ends; it "
                "may still take effect",
                *(heater.name, name, payload[:40]),
            )
            raise
        except NaviLinkError as error:
            _LOGGER.warning("%s: %s %r failed: %s", heater.name, name, payload[:40], error)
            return
        held = " once the time-of-use window is over" if status.held_mode is not None else ""
        _LOGGER.info("%s: %s %s%s", heater.name, name, payload, held)


async def _publish_offline(client: BrokerClient, topics: Sequence[str]) -> None:
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
