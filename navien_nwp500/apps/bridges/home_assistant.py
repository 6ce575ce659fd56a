"""MQTT bridge to Home Assistant: publishes heaters to a broker and executes commands from it.

Almost everything is retained, so that Home Assistant has all values after a restart. Two availability
topics say whether they are current: the bridge's (with its last will) and the heater's. A lost
connection to the broker is retried as ``ReconnectConfig`` says; nothing is queued meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Collection, Mapping, Sequence

from ..._util.aio import finish, run_until_first, wait_at_most
from ...config import ReconnectConfig
from ...protocol.redaction import logger
from .broker import Broker, BrokerClient, MqttError, Permissions, VersionChoice, text_of
from .controlled_heater import ControlledHeater
from .controls import COMMANDS
from .follower import Follower
from .peers import OFFLINE, ONLINE, Peers
from .publisher import HeaterPublisher, Presentation
from .retained import DISCOVERY_FILTERS, RetainedReader, clear, outdated_topics, published_heaters

_LOGGER = logger("navien_nwp500.bridges")

__all__ = ["Broker", "MqttBridge", "Presentation"]

#: Seconds to wait for the broker to accept the last messages.
FAREWELL_TIMEOUT = 2.0


class MqttBridge:
    """Bridge of heaters to one broker while ``run`` runs.

    ``presentation.bridge`` names it on the broker: it must differ from that of other bridges there,
    except of those for the same heaters, of which one waits until the other has ended. With
    ``account_macs``, the heaters of the account, what this account has left of others is cleared.
    """

    def __init__(
        self,
        broker: Broker,
        followers: Sequence[Follower],
        presentation: Presentation = Presentation(),
        *,
        account_macs: Collection[str] | None = None,
        reconnect: ReconnectConfig = ReconnectConfig(max_retries=None),
    ) -> None:
        self._broker = broker
        self._followers = followers
        self._presentation = presentation
        self._account_macs = account_macs
        self._reconnect = reconnect
        self._macs = [one.heater.mac_address for one in followers]
        #: They outlive a connection to the broker.
        self._targets = [ControlledHeater(one) for one in followers]
        self._connected = False
        self._version = VersionChoice()
        self._permissions = Permissions(broker)
        self._topics = [presentation.topics(mac) for mac in self._macs]
        self._availability = presentation.topics("").bridge
        self._peers = Peers(presentation.root, self._availability, self._macs, self._permissions)
        self._publishers: list[HeaterPublisher] = []
        self._cleaned = False

    async def run(self) -> None:
        """Serve until cancelled, then publish ``offline``.

        Raises AuthenticationError and ConfigurationError of the heaters' cloud.
        """
        first_turn = asyncio.Event()
        followers = (self._follow(one, first_turn) for one in self._followers)
        await run_until_first(self._serve_with_retries(first_turn), *followers)

    async def _follow(self, follower: Follower, first_turn: asyncio.Event) -> None:
        """Follow a heater once this bridge is the one to publish it."""
        await first_turn.wait()
        await follower.run()

    async def _serve_with_retries(self, first_turn: asyncio.Event) -> None:
        tries = 0
        logged: set[str] = set()
        while True:
            self._connected = False
            try:
                await self._serve(first_turn)
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

    async def _serve(self, first_turn: asyncio.Event) -> None:
        """Serve one connection; say farewell when it ends for another reason than its loss."""
        end: BaseException | None = None
        try:
            will = self._availability, OFFLINE
            async with self._broker.client(will, self._version) as client:
                self._connected = True
                _LOGGER.info("connected to broker %s", self._broker.address)
                reader = RetainedReader(client, self._peers, self._permissions)
                try:
                    control = await self._subscribe(client)
                    await run_until_first(
                        self._receive(client, reader),
                        self._take_turns(client, reader, control, first_turn),
                    )
                except MqttError:
                    raise
                except BaseException as error:
                    end = error
                    if self._peers.publishes:
                        await _say_farewell(client, self._last_messages())
        except MqttError:
            if end is None:
                raise
        if end is not None:
            raise end

    def _last_messages(self) -> dict[str, str]:
        """Return what is published at the end: ``offline``, or nothing is left of a simulation."""
        if self._presentation.simulated:
            return dict.fromkeys(
                [*(topic for one in self._topics for topic in one.retained), self._availability], ""
            )
        return dict.fromkeys(
            [self._availability, *(one.availability for one in self._topics)], OFFLINE
        )

    async def _subscribe(self, client: BrokerClient) -> bool:
        """Subscribe, and return True when commands can be received and are allowed."""
        record, root = self._permissions.record, self._presentation.root
        status = f"{self._presentation.prefix}/status"
        effect = "a restart of Home Assistant is not noticed"
        record(f"topic read {status}", await client.try_subscribe(status), effect)
        # A command to a read-only bridge is refused aloud.
        commands = f"{root}/+/+/set"
        effect = "the heater cannot be controlled"
        accepted = record(f"topic read {commands}", await client.try_subscribe(commands), effect)
        await self._peers.subscribe(client)
        return accepted and self._presentation.control

    async def _take_turns(
        self, client: BrokerClient, reader: RetainedReader, control: bool, first_turn: asyncio.Event
    ) -> None:
        """Publish whenever no other bridge publishes the same heaters."""
        presentation = self._presentation._replace(control=control)
        while True:
            await self._peers.wait_for_turn(client)
            await self._clean_up(client, reader)
            first_turn.set()
            self._publishers = [
                HeaterPublisher(client, target, presentation, self._permissions)
                for target in self._targets
            ]
            try:
                await run_until_first(self._publish(client), self._peers.wait_for_rival())
            finally:
                self._publishers = []

    async def _publish(self, client: BrokerClient) -> None:
        for publisher in self._publishers:
            await publisher.start()
        refusal = await client.try_publish(self._availability, ONLINE)
        effect = "every heater stays unavailable in Home Assistant"
        self._permissions.record(f"topic write {self._availability}", refusal, effect)
        await run_until_first(*(one.run() for one in self._publishers))

    async def _receive(self, client: BrokerClient, reader: RetainedReader) -> None:
        async for message in client.messages:
            topic, text = str(message.topic), text_of(message)
            await self._peers.on_message(client, topic, text, message.retain)
            if message.retain:
                # It may be days old, so it is no command to execute now.
                reader.on_message(topic, text)
            elif topic == f"{self._presentation.prefix}/status":
                if text == ONLINE:
                    for publisher in self._publishers:
                        publisher.republish()
            elif topic.endswith("/set"):
                self._on_command(topic, text)

    def _on_command(self, topic: str, text: str) -> None:
        for publisher in self._publishers:
            for name in COMMANDS:
                if topic == publisher.topics.command(name):
                    publisher.add_command(name, text)

    async def _clean_up(self, client: BrokerClient, reader: RetainedReader) -> None:
        """Take, once, what the run before remembered, and clear what is left elsewhere."""
        if self._cleaned:
            return
        retained = await reader.read(*DISCOVERY_FILTERS, *(one.state for one in self._topics))
        for target, heater in zip(self._targets, self._topics):
            target.restore(retained.get(heater.state, ""))
        found = published_heaters(retained)
        topics = outdated_topics(found, self._topics, self._account_macs)
        await clear(client, topics, self._permissions)
        if topics:
            _LOGGER.info("cleared %d topics that an earlier bridge had left", len(topics))
        self._cleaned = True


async def _say_farewell(client: BrokerClient, messages: Mapping[str, str]) -> None:
    """Publish the last messages within a time limit; if that fails, the broker sends the last will."""

    async def publish() -> None:
        for topic, text in messages.items():
            await client.publish(topic, text, qos=1, retain=True)

    try:
        # This task is ending already, and may be cancelled again until it has ended.
        await finish(wait_at_most(FAREWELL_TIMEOUT, asyncio.ensure_future(publish())))
    except (MqttError, asyncio.TimeoutError) as error:
        _LOGGER.debug("the last messages were not published: %r", error)
