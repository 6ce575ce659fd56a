"""The heater's Wi-Fi module: an ordinary MQTT client of the broker.

It answers exactly where a request says, with the request's ids, and nothing that is not meant for
it: another MAC or a wrong additionalValue gets no reply (protocol 4.1). It knows no client of ours.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections import deque
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Protocol, Sequence

import aiomqtt

from .. import wire
from ..commands import STATUS
from ..exceptions import ProtocolError
from ..mailbox import Mailbox
from ..models import DeviceStatus
from ..protocol import (
    MAX_PAYLOAD,
    SNAPSHOT,
    Address,
    Frame,
    Request,
    binary_reply,
    parse_request,
    push,
    reply,
)
from ..waiting import together
from .answers import Answer
from .clock import Clock
from .policy import MAX_TOPIC_BYTES

_LOGGER = logging.getLogger(__name__)

#: A heater answers in 2 to 4 s (protocol 9.9), seconds of its own time.
REPLY_SECONDS = (2.0, 4.0)
#: How often its controller looks round, seconds of its own time, and the least of ours.
CONTROLLER_STEP = 1.0
LEAST_STEP = 0.02
#: What a broker may take for an answer on a busy machine, seconds of our time.
_BROKER_SECONDS = 60.0


class Appliance(Protocol):
    """What the module is built into: it lives by its own clock, and says how it is."""

    @property
    def now(self) -> datetime: ...

    def status(self, command: int = STATUS.code) -> DeviceStatus: ...

    def advance(self, seconds: float) -> Sequence[DeviceStatus]:
        """Move time on; return what is to be pushed."""


class Controls(Protocol):
    """What does as it is told."""

    def obey(self, asked: Request) -> Sequence[Answer]: ...


class WifiModule:
    """One heater on the broker, from ``serve`` to its cancellation."""

    def __init__(
        self,
        heater: Appliance,
        controls: Controls,
        address: Address,
        clock: Clock,
        *,
        seed: int = 0,
    ) -> None:
        self.heater = heater
        self.address = address
        self._clock = clock
        self._controls = controls
        self._random = random.Random(seed)
        #: What is to be sent, each with its time; nothing overtakes what was said before it.
        self._outbox: deque[tuple[float, Frame]] = deque()
        self._woken: Mailbox[bool] = Mailbox()
        self._pushes = 0
        self._client_id = ""

    @cached_property
    def listening(self) -> asyncio.Event:
        """Set while the heater hears its requests."""
        return asyncio.Event()

    async def serve(self, port: int) -> None:
        """Live on the broker at this loopback port until cancelled."""
        topic = self.address.topic
        event = topic.replace("cmd/", "evt/", 1) + "/app-connection"
        async with aiomqtt.Client(
            "127.0.0.1",
            port,
            identifier=f"navilink-{self.address.mac_address}",
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            timeout=_BROKER_SECONDS,
        ) as client:
            for topic_filter in (f"{topic}/st/#", f"{topic}/ctrl/#", event):
                await client.subscribe(topic_filter, qos=1)
            self.listening.set()
            try:
                await together(self._listen(client, event), self._run(client))
            finally:
                self.listening.clear()

    def catch_up(self) -> None:
        """Bring the heater to the present; what it has to say on the way is pushed."""
        behind = (self._clock.now() - self.heater.now).total_seconds()
        if behind > 0:
            for status in self.heater.advance(behind):
                self._push(status)

    async def _listen(self, client: aiomqtt.Client, event: str) -> None:
        async for message in client.messages:
            topic = str(message.topic)
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if topic == event:
                # A client has come: a snapshot tied to no change (protocol 3.5).
                self.catch_up()
                self._push(self.heater.status(SNAPSHOT))
                continue
            try:
                asked = parse_request(topic, payload)
            except ProtocolError as error:
                _LOGGER.debug("not understood: %s", error)
                continue
            if asked is not None and self._is_for_us(asked):
                self._answer(asked)

    def _is_for_us(self, asked: Request) -> bool:
        if asked.mac_address != self.address.mac_address:
            return False
        return asked.binary or asked.additional_value == self.address.additional_value

    def _answer(self, asked: Request) -> None:
        self.catch_up()
        self._client_id = asked.client_id or self._client_id
        after = self._random.uniform(*REPLY_SECONDS)
        if asked.binary:
            if asked.code == STATUS.code:
                self._send(binary_reply(asked, self.address, self.heater.status()), after)
            return
        for answer in self._controls.obey(asked):
            addressed = replace(asked, reply_topic=answer.topic)
            self._send(reply(addressed, self.address, answer.body), after)

    def _push(self, status: DeviceStatus) -> None:
        self._pushes += 1
        body = {"status": wire.encode(status)}
        self._send(push(self.address, self._client_id, self._pushes, body), 0.0)

    def _send(self, frame: Frame, after: float) -> None:
        if not _can_be_published(frame):
            _LOGGER.debug("an answer cannot be published where it is wanted")
            return
        due = asyncio.get_running_loop().time() + self._clock.real(after)
        if self._outbox:
            due = max(due, self._outbox[-1][0])
        self._outbox.append((due, frame))
        self._woken.put(True)

    async def _run(self, client: aiomqtt.Client) -> None:
        """Keep the controller going, and send what is due."""
        loop = asyncio.get_running_loop()
        step = max(self._clock.real(CONTROLLER_STEP), LEAST_STEP)
        while True:
            self.catch_up()
            while self._outbox and self._outbox[0][0] <= loop.time():
                _, frame = self._outbox.popleft()
                # QoS 0: waiting for the broker's PUBACK would cost 40 ms of delayed ACK a message.
                await client.publish(frame.topic, frame.payload, qos=0)
            due = self._outbox[0][0] - loop.time() if self._outbox else step
            await self._woken.get(min(step, due))


def _can_be_published(frame: Frame) -> bool:
    """Whether the broker takes it; requests may name any topic, and ids of any length."""
    topic = frame.topic
    named = topic.isprintable() and not set("+#") & set(topic)
    fits = named and 0 < len(topic.encode()) <= MAX_TOPIC_BYTES
    return fits and len(frame.payload) <= MAX_PAYLOAD
