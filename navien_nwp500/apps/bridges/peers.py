"""Agreement of the bridges on one broker: a heater is published by one of them, the others wait.

Each bridge says on one topic, not retained, which heaters it is about and whether it publishes them.
One that starts asks first; one that publishes answers. Of two that publish at once, that with the
smaller number goes on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any, Sequence

from ..._util.aio import LatestValue
from ...protocol.redaction import logger
from .broker import BrokerClient, Permissions

_LOGGER = logger("navien_nwp500.bridges")

ONLINE, OFFLINE = "online", "offline"
#: Seconds to wait for the answer of another bridge, and for the broker to send what it retains.
ANSWER_TIME = 3.0
#: Seconds after which a bridge that waits asks again: the other may have ended without a word.
ASK_AGAIN = 60.0


class Peers:
    """The other bridges with the same prefix of topics, for one bridge.

    ``availability`` is the topic that says ``online`` while this bridge publishes.
    """

    def __init__(
        self, root: str, availability: str, macs: Sequence[str], permissions: Permissions
    ) -> None:
        self.availability = availability
        self.publishes = False
        self._topic = f"{root}/bridge/peers"
        self._availabilities = f"{root}/bridge/+/availability"
        self._number = secrets.token_hex(8)
        self._macs = set(macs)
        self._permissions = permissions
        #: Availability topics of bridges that say online.
        self._online: set[str] = set()
        #: Availability topic of the bridge that publishes one of these heaters, if it is another.
        self._rival: str | None = None
        self._echoes = 0
        self._changed: LatestValue[bool] = LatestValue()

    async def subscribe(self, client: BrokerClient) -> None:
        """Subscribe on a new connection; nothing is known of the others then."""
        self.publishes, self._rival = False, None
        self._online.clear()
        for topic in (self._topic, self._availabilities):
            effect = "a second bridge for the same heaters is not noticed"
            rule = f"topic readwrite {self._topic.rpartition('/')[0]}/#"
            self._permissions.record(rule, await client.try_subscribe(topic), effect)

    async def on_message(self, client: BrokerClient, topic: str, text: str, retained: bool) -> None:
        """Take a message; those of other topics are ignored."""
        if topic == self._topic:
            await self._on_peer(client, text)
        elif topic.endswith("/availability") and "/bridge/" in topic:
            (self._online.add if text == ONLINE else self._online.discard)(topic)
            if topic == self.availability and text == OFFLINE and self.publishes and not retained:
                # The will of another connection: an old one of ours, or of a bridge that waited.
                await client.try_publish(topic, ONLINE)
            if topic == self._rival and text != ONLINE:
                self._rival = None
            self._changed.put(True)

    async def wait_for_turn(self, client: BrokerClient) -> None:
        """Wait until no other bridge publishes one of these heaters; logged once."""
        waited = False
        while await self.is_published_elsewhere(client, expected=waited):
            if not waited:
                waited = True
                _LOGGER.warning(
                    "another bridge publishes the same heaters to this broker; this one waits until "
                    "that has ended. One of them is enough: end one, or choose heaters with --device"
                )
            await self._until(lambda: self._rival is None, ASK_AGAIN)
        if waited:
            _LOGGER.info("the other bridge has ended; this one publishes now")
        self.publishes = True
        await self._say(client)

    async def is_published_elsewhere(self, client: BrokerClient, *, expected: bool = False) -> bool:
        """Return True when another bridge publishes one of these heaters.

        An answer is waited for if one may come: a bridge says ``online``, or is ``expected``.
        """
        self._rival = None
        await self.synchronize(client)
        if self._online or expected:
            await self._until(lambda: self._rival is not None, ANSWER_TIME)
        return self._rival is not None

    async def wait_for_rival(self) -> None:
        """Return when another bridge publishes one of these heaters and is to go on with it."""
        await self._until(lambda: self._rival is not None, None)
        self.publishes = False

    async def synchronize(self, client: BrokerClient) -> None:
        """Wait until everything that the broker sent for subscriptions has arrived."""
        before = self._echoes
        await self._say(client)
        await self._until(lambda: self._echoes > before, ANSWER_TIME)

    async def _until(self, condition: Any, limit: float | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = None if limit is None else loop.time() + limit
        while not condition() and (deadline is None or loop.time() < deadline):
            await self._changed.get(None if deadline is None else deadline - loop.time())

    async def _say(self, client: BrokerClient) -> None:
        message = {
            "bridge": self._number,
            "publishes": self.publishes,
            "heaters": sorted(self._macs),
            "availability": self.availability,
        }
        await client.try_publish(self._topic, json.dumps(message), retain=False)

    async def _on_peer(self, client: BrokerClient, text: str) -> None:
        try:
            message = json.loads(text)
            number, publishes = str(message["bridge"]), message["publishes"] is True
            macs, availability = set(message["heaters"]), str(message["availability"])
        except (ValueError, KeyError, TypeError):
            _LOGGER.debug("a message of another bridge is not understood")
            return
        if number == self._number:
            self._echoes += 1
        elif macs & self._macs and publishes and not (self.publishes and self._number < number):
            self._rival = availability
        elif macs & self._macs and self.publishes:
            await self._say(client)
        self._changed.put(True)
