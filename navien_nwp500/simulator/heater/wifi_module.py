"""The heater's Wi-Fi module: an MQTT client of the broker.

It replies on the topic that a request names, with the ids of the request. A request with another MAC
or a wrong additionalValue gets no reply (PROTOCOL 4.1). Nothing here depends on this package's client.
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
from typing import Callable, Protocol, Sequence

from ..._util.aio import LatestValue, run_until_first
from ..._util.mqtt_client import MqttClient
from ...exceptions import ProtocolError
from ...protocol.commands import STATUS
from ...protocol.fields import encode_fields
from ...protocol.messages import (
    MAX_PAYLOAD,
    SNAPSHOT,
    Address,
    Frame,
    Request,
    build_binary_reply,
    build_push,
    build_reply,
    parse_request,
)
from ...protocol.status import DeviceStatus
from ..clock import Clock
from ..cloud.iot_policy import MAX_TOPIC_BYTES
from .query_handler import HeaterReply

_LOGGER = logging.getLogger("navien_nwp500.simulator")

#: Delay of a reply, in seconds of the heater's time (PROTOCOL 9.9).
REPLY_SECONDS = (2.0, 4.0)
#: Shortest interval of the simulation in real seconds.
MIN_STEP = 0.02
#: Seconds of real time in which the broker must respond, on a busy machine too.
_BROKER_TIMEOUT = 60.0


class SteppedHeater(Protocol):
    """Interface of a heater with its own clock: simulated or replayed."""

    @property
    def now(self) -> datetime: ...

    @property
    def seconds_until_step(self) -> float:
        """Return the seconds until ``advance`` has something to do."""

    def status(self, command: int = STATUS.code) -> DeviceStatus: ...

    def advance(self, seconds: float) -> Sequence[DeviceStatus]:
        """Move time forward; return the pushes."""


class WifiModule:
    """Connection of one heater to the broker, from ``serve`` to its cancellation."""

    def __init__(
        self,
        heater: SteppedHeater,
        execute: Callable[[Request], Sequence[HeaterReply]],
        address: Address,
        clock: Clock,
        *,
        seed: int = 0,
    ) -> None:
        self.heater = heater
        self.address = address
        self._clock = clock
        self._execute = execute
        self._random = random.Random(seed)
        #: Frames to publish, each with its time, in the order in which they were made.
        self._outbox: deque[tuple[float, Frame]] = deque()
        self._wake: LatestValue[bool] = LatestValue()
        self._pushes = 0
        self._client_id = ""

    @cached_property
    def subscribed(self) -> asyncio.Event:
        """Event that is set while the heater is subscribed to its requests."""
        return asyncio.Event()

    async def serve(self, port: int) -> None:
        """Stay connected to the broker at this loopback port until cancelled."""
        topic = self.address.topic
        connection_topic = topic.replace("cmd/", "evt/", 1) + "/app-connection"
        async with MqttClient(
            "127.0.0.1",
            port,
            identifier=f"navilink-{self.address.mac_address}",
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            timeout=_BROKER_TIMEOUT,
        ) as client:
            for topic_filter in (f"{topic}/st/#", f"{topic}/ctrl/#", connection_topic):
                await client.subscribe(topic_filter, qos=1)
            self.subscribed.set()
            try:
                await run_until_first(
                    self._receive(client, connection_topic), self._publish(client)
                )
            finally:
                self.subscribed.clear()

    def catch_up(self) -> None:
        """Simulate up to the present and push what the heater sends in that time."""
        behind = (self._clock.now() - self.heater.now).total_seconds()
        if behind > 0:
            for status in self.heater.advance(behind):
                self._push(status)

    async def _receive(self, client: MqttClient, connection_topic: str) -> None:
        async for message in client.messages:
            topic = str(message.topic)
            payload = message.payload if isinstance(message.payload, bytes) else b""
            if topic == connection_topic:
                # A client has connected: push a snapshot (PROTOCOL 3.5).
                self.catch_up()
                self._push(self.heater.status(SNAPSHOT))
                continue
            try:
                request = parse_request(topic, payload)
            except ProtocolError as error:
                _LOGGER.debug("request ignored: %s", error)
                continue
            if request is not None and self._is_addressed_by(request):
                self._reply(request)

    def _is_addressed_by(self, request: Request) -> bool:
        if request.mac_address != self.address.mac_address:
            return False
        return request.binary or request.additional_value == self.address.additional_value

    def _reply(self, request: Request) -> None:
        self.catch_up()
        self._client_id = request.client_id or self._client_id
        delay = self._random.uniform(*REPLY_SECONDS)
        if request.binary:
            if request.code == STATUS.code:
                self._send(build_binary_reply(request, self.address, self.heater.status()), delay)
            return
        for reply in self._execute(request):
            addressed = replace(request, reply_topic=reply.topic)
            self._send(build_reply(addressed, self.address, reply.body), delay)

    def _push(self, status: DeviceStatus) -> None:
        self._pushes += 1
        body = {"status": encode_fields(status)}
        self._send(build_push(self.address, self._client_id, self._pushes, body), 0.0)

    def _send(self, frame: Frame, delay: float) -> None:
        if not _can_be_published(frame):
            _LOGGER.debug("a reply cannot be published on the requested topic")
            return
        due = asyncio.get_running_loop().time() + self._clock.real_seconds(delay)
        if self._outbox:
            due = max(due, self._outbox[-1][0])
        self._outbox.append((due, frame))
        self._wake.put(True)

    async def _publish(self, client: MqttClient) -> None:
        """Run the simulation and publish the frames that are due."""
        loop = asyncio.get_running_loop()
        while True:
            self.catch_up()
            step = max(self._clock.real_seconds(self.heater.seconds_until_step), MIN_STEP)
            while self._outbox and self._outbox[0][0] <= loop.time():
                _, frame = self._outbox.popleft()
                # QoS 0: a wait for PUBACK would cost 40 ms a message, because TCP delays its ACK.
                await client.publish(frame.topic, frame.payload, qos=0)
            due = self._outbox[0][0] - loop.time() if self._outbox else step
            await self._wake.get(min(step, due))


def _can_be_published(frame: Frame) -> bool:
    """Check topic and size; requests may name any topic, and ids of any length."""
    topic = frame.topic
    named = topic.isprintable() and not set("+#") & set(topic)
    fits = named and 0 < len(topic.encode()) <= MAX_TOPIC_BYTES
    return fits and len(frame.payload) <= MAX_PAYLOAD
