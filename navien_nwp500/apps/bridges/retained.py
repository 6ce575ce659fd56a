"""Retained messages of bridges on a broker: find them, and clear them.

A discovery message of ours names the heater, the prefix of its topics and the bridge that published it.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Collection, Iterable, Mapping, NamedTuple, Sequence

from ..._util.aio import cancel_and_wait
from ...exceptions import CommunicationError, ConfigurationError
from .broker import Broker, BrokerClient, MqttError, Permissions, VersionChoice, text_of
from .discovery import Topics
from .peers import Peers

#: Name of the origin in the discovery message.
ORIGIN = "navien-nwp500"
#: Discovery messages under a prefix of one to three levels.
DISCOVERY_FILTERS = tuple(f"{'+/' * levels}device/+/config" for levels in (1, 2, 3))
_MAC = re.compile(r"[0-9a-f]{12}")


class PublishedHeater(NamedTuple):
    """A heater that has a discovery message: its topic, and what that says."""

    topic: str
    identity: str
    name: str
    root: str
    mac: str
    bridge: str

    @property
    def topics(self) -> list[str]:
        """Return the topics that the broker retains of this heater."""
        heater = Topics(self.root, self.mac)
        return [self.topic, *(topic for topic in heater.retained if topic != heater.discovery)]

    @property
    def account(self) -> str:
        """Return the account of the bridge, as ``MqttBridge`` names it."""
        return self.bridge.split("/")[-2].partition("_")[0]


def published_heaters(retained: Mapping[str, str]) -> list[PublishedHeater]:
    """Return the heaters whose discovery messages are among retained messages."""
    found = []
    for topic, text in retained.items():
        try:
            message = json.loads(text)
            if message["origin"]["name"] != ORIGIN:
                continue
            root, mac, _ = message["state_topic"].rsplit("/", 2)
            bridge = message["availability"][0]["topic"]
            device = message["device"]
            if bridge.count("/") >= 2 and _MAC.fullmatch(mac):
                entry = PublishedHeater(
                    topic, device["identifiers"][0], device["name"], root, mac, bridge
                )
                found.append(entry)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            continue  # another program's
    return found


def outdated_topics(
    found: Sequence[PublishedHeater], served: Sequence[Topics], account_macs: Collection[str] | None
) -> list[str]:
    """Return the topics that the bridge of some heaters no longer uses.

    That is what was published of them under another prefix, and what the same account has published of
    heaters that are not in it any more (None: not known).
    """
    by_identity = {one.identity: one for one in served}
    topics: list[str] = []
    for one in found:
        now = by_identity.get(one.identity)
        if now is None:
            account = served[0].bridge_name.partition("_")[0]
            if account_macs is not None and one.account == account and one.mac not in account_macs:
                topics += one.topics
        else:
            topics += [topic for topic in (*one.topics, one.bridge) if one.root != now.root]
            topics += [one.topic] if one.topic != now.discovery else []
    return [topic for topic in dict.fromkeys(topics) if topic not in _used(served)]


def _used(served: Sequence[Topics]) -> set[str]:
    return {topic for one in served for topic in (*one.retained, one.bridge)}


class RetainedReader:
    """Reader of retained messages on a connection whose messages are passed to ``on_message``."""

    def __init__(self, client: BrokerClient, peers: Peers, permissions: Permissions) -> None:
        self._client = client
        self._peers = peers
        self._permissions = permissions
        self._found: dict[str, str] = {}

    def on_message(self, topic: str, text: str) -> None:
        """Take a retained message."""
        self._found[topic] = text

    async def read(self, *filters: str) -> dict[str, str]:
        """Return the retained messages of these topic filters."""
        self._found.clear()
        for one in filters:
            refusal = await self._client.try_subscribe(one)
            effect = "what a bridge published before is not cleared"
            self._permissions.record(f"topic read {one}", refusal, effect)
        await self._peers.synchronize(self._client)
        for one in filters:
            await self._client.unsubscribe(one)
        return {topic: text for topic, text in self._found.items() if text}

    async def topics_of(self, root: str) -> list[str]:
        """Return the topics of all heaters and bridges under a prefix."""
        found = await self.read(f"{root}/+/+", f"{root}/bridge/+/availability")
        start = len(root) + 1
        return [
            topic
            for topic in found
            if _MAC.fullmatch(topic[start:].split("/")[0]) or topic[start:].startswith("bridge/")
        ]


async def clear(client: BrokerClient, topics: Iterable[str], permissions: Permissions) -> None:
    """Remove what the broker retains of some topics; Home Assistant removes what it made of it."""
    for topic in topics:
        refusal = await client.try_publish(topic, "")
        levels = ("+" if _MAC.search(level) else level for level in topic.split("/"))
        rule = f"topic write {'/'.join(levels)}"
        permissions.record(rule, refusal, "what an earlier bridge has left there stays")


class Cleaner:
    """Remover of what bridges have left on a broker, on a connection of its own."""

    def __init__(self, client: BrokerClient, broker: Broker, root: str) -> None:
        self._client = client
        self._root = root
        self._permissions = Permissions(broker)
        self._peers = [Peers(root, "", [], self._permissions)]
        self._reader = RetainedReader(client, self._peers[0], self._permissions)

    async def forget(self, mac: str | None) -> tuple[list[PublishedHeater], list[str]]:
        """Clear a heater, or all; return the heaters and the topics. Raises ConfigurationError."""
        receiving = asyncio.ensure_future(self._receive())
        try:
            await self._peers[0].subscribe(self._client)
            known = published_heaters(await self._reader.read(*DISCOVERY_FILTERS))
            chosen = [one for one in known if mac in (None, one.mac)]
            roots = sorted({self._root, *(one.root for one in chosen)})
            macs = {one.mac for one in chosen} | ({mac} if mac else set())
            for root in roots:
                await self._check_unused(root, sorted(macs))
            kept = {one.bridge for one in known if one not in chosen}
            unused = {one.bridge for one in chosen} - kept
            topics = [one.topic for one in chosen]
            for root in roots:
                for topic in await self._reader.topics_of(root):
                    if mac is None or topic in unused or topic.startswith(f"{root}/{mac}/"):
                        topics.append(topic)
            await clear(self._client, topics, self._permissions)
            return chosen, topics
        finally:
            await cancel_and_wait(receiving)

    async def _check_unused(self, root: str, macs: list[str]) -> None:
        """Raise ConfigurationError while a bridge publishes one of these heaters."""
        peers = Peers(root, "", macs, self._permissions)
        self._peers.append(peers)
        await peers.subscribe(self._client)
        if await peers.is_published_elsewhere(self._client):
            raise ConfigurationError(
                "a bridge publishes to this broker now and would publish it again: end it first. "
                "Nothing was cleared"
            )

    async def _receive(self) -> None:
        async for message in self._client.messages:
            topic, text = str(message.topic), text_of(message)
            if message.retain:
                self._reader.on_message(topic, text)
            for peers in self._peers:
                await peers.on_message(self._client, topic, text, message.retain)


async def forget(
    broker: Broker, root: str, mac: str | None
) -> tuple[list[PublishedHeater], list[str]]:
    """Clear what bridges have published of a heater, or of all; return the heaters and the topics.

    Raises ConfigurationError while a bridge publishes it, CommunicationError without a broker.
    """
    choice = VersionChoice()
    while True:
        connected = False
        try:
            async with broker.client(None, choice) as client:
                connected = True
                return await Cleaner(client, broker, root).forget(mac)
        except MqttError as error:
            if not connected and choice.change_after(error):
                continue
            reason = broker.explain(error, connected=connected)
            raise CommunicationError(f"broker {broker.address}: {reason}") from error
