"""The pulse of a heater's line: heard, missed, given up; and those who want to know."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from datetime import datetime, timezone
from typing import Any, AsyncGenerator, Awaitable, Callable, Mapping, Union

from ._connection.pool import ConnectionPool
from ._util.aio import LatestValue
from .exceptions import CommunicationError, ProtocolError, RequestTimeoutError
from .models import Health, HealthState
from .protocol.commands import FEATURES, STATUS, Command
from .protocol.features import DeviceFeatures
from .protocol.messages import Address, Message
from .protocol.redaction import logger
from .protocol.status import DeviceStatus


class HealthTracker:
    """The state of one line, since when, and what was heard and missed."""

    def __init__(self) -> None:
        self.state = HealthState.IDLE
        #: Polls unanswered until the heater is heard: a new connection is no answer.
        self.missed = 0
        self._since = _now()
        self._heard: datetime | None = None
        self._given_up = False
        self._watchers: set[LatestValue[HealthState]] = set()

    def health(self, reconnects: int, bad_messages: int) -> Health:
        """All of it at this moment, with what the connection counts."""
        return Health(self.state, self._since, self._heard, reconnects, self.missed, bad_messages)

    def change(self, state: HealthState) -> None:
        """Enter a state; those who watch are told when it is another."""
        if state is self.state:
            return
        self.state, self._since = state, _now()
        for mailbox in self._watchers:
            mailbox.put(state)

    def miss(self) -> int:
        """Count a poll that stayed unanswered; returns how many in a row."""
        self.missed += 1
        self.change(HealthState.SILENT)
        return self.missed

    def give_up(self) -> bool:
        """Take the heater for offline; returns whether that is news."""
        news, self._given_up = not self._given_up, True
        self.change(HealthState.OFFLINE)
        return news

    def hear(self) -> bool:
        """Take the heater's word; returns whether it had been given up."""
        back, self._given_up = self._given_up, False
        self._heard = _now()
        self.missed = 0
        self.change(HealthState.ONLINE)
        return back

    async def watch(self, health: Callable[[], Health]) -> AsyncGenerator[Health, None]:
        """Yield the health now, and again at each change of state. Runs until left."""
        mailbox: LatestValue[HealthState] = LatestValue()
        self._watchers.add(mailbox)
        try:
            yield health()
            while True:
                if await mailbox.get() is not None:
                    yield health()
        finally:
            self._watchers.discard(mailbox)


def _now() -> datetime:
    return datetime.now(timezone.utc)


_LOGGER = logger(__name__)

StatusCallback = Callable[[DeviceStatus], Union[Awaitable[None], None]]


class NaviLinkMQTT:
    """A heater's line: its requests, its news and those who watch it.

    The heaters of a client share a connection. ``last_status`` is the newest status heard,
    whoever asked for it; None before the first.
    """

    def __init__(self, exchange: ConnectionPool, address: Address) -> None:
        self._exchange = exchange
        self._session = exchange.first
        self.address = address
        self.last_status: DeviceStatus | None = None
        self._pulse = HealthTracker()
        self._outages = 0
        self._watchers: set[LatestValue[DeviceStatus]] = set()
        self._monitors: set[LatestValue[DeviceStatus]] = set()
        self._callback: StatusCallback | None = None

    def __repr__(self) -> str:
        return f"NaviLinkMQTT({self.address!r}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        """Whether the shared connection is up."""
        return self._session.connected

    @property
    def answering(self) -> bool:
        """Whether the heater was heard on the present connection, and answers."""
        return self._pulse.state is HealthState.ONLINE

    @property
    def health(self) -> Health:
        """How the line is doing."""
        return self._pulse.health(self._session.reconnects, self._session.bad_messages)

    def watch_health(self) -> AsyncGenerator[Health, None]:
        """Yield the health now, and again at each change of state. Runs until left."""
        return self._pulse.watch(lambda: self.health)

    async def connect(self) -> None:
        """Connect, unless the shared connection is up, and listen to this heater.

        Returns once the broker has agreed to send its news. Raises AuthenticationError,
        WebSocketError or RequestTimeoutError when the first connect fails; a connection lost later
        is sought again by itself.
        """
        await self._reach()
        await self._session.listen(self)

    async def disconnect(self) -> None:
        """Stop listening to this heater; the shared connection serves the others on."""
        await self.stop_monitoring()
        self._session.detach(self)
        self._pulse.change(HealthState.IDLE)

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send a command and return the heater's answer, connecting first when nobody has.

        Raises RequestTimeoutError when it does not answer, CommunicationError when the line drops.
        """
        await self._reach()
        return await self._session.request(self.address, command, body)

    async def get_status(self) -> DeviceStatus:
        """Ask for the status and return it. Raises as ``request``, and ProtocolError."""
        status = (await self.request(STATUS)).status
        if status is None:
            raise ProtocolError(f"{self.address}: the answer holds no status")
        return status

    async def get_features(self) -> DeviceFeatures:
        """Ask what the heater has and allows. Raises as ``request``, and ProtocolError."""
        features = (await self.request(FEATURES)).features
        if features is None:
            raise ProtocolError(f"{self.address}: the answer holds no features")
        return features

    def watch(self, interval: float) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: the answers to a poll every ``interval`` seconds, and pushes.

        Runs until the consumer leaves. A slow consumer gets the newest status, never a backlog;
        while the connection is down or the heater silent nothing comes, and then a fresh status.
        Raises what ends the connection for good.
        """
        return self._watch(interval, LatestValue())

    def set_status_callback(self, callback: StatusCallback | None) -> None:
        """Call this, plain or async, with each status while monitoring; None calls nobody.

        An error it raises is logged with its traceback and ends nothing.
        """
        self._callback = callback

    async def start_monitoring(self, polling_interval: float = 300) -> None:
        """Poll every ``polling_interval`` seconds and call the callback with each status.

        Runs until ``stop_monitoring()`` or cancellation.
        """
        mailbox: LatestValue[DeviceStatus] = LatestValue()
        self._monitors.add(mailbox)
        statuses = self._watch(polling_interval, mailbox)
        try:
            async for status in statuses:
                await self._call_back(status)
        finally:
            self._monitors.discard(mailbox)
            await statuses.aclose()

    async def stop_monitoring(self) -> None:
        """End every ``start_monitoring`` of this heater; may be called from the callback."""
        for mailbox in self._monitors:
            mailbox.close()

    def deliver(self, message: Message) -> None:
        """Take news of the heater, from the session's reader."""
        try:
            status = message.status
        except ProtocolError as error:
            self._session.bad_messages += 1
            _LOGGER.debug("%s: status not understood: %s", self.address, error)
            return
        if status is None:
            return
        self.last_status = status
        if self._pulse.hear():
            _LOGGER.warning("%s answers again", self.address)
        for mailbox in self._watchers:
            mailbox.put(status)

    async def _watch(
        self, interval: float, mailbox: LatestValue[DeviceStatus]
    ) -> AsyncGenerator[DeviceStatus, None]:
        self._take_place()
        await self._session.wait_connected()
        # A moment of its own for each watch, or a thousand begun together would poll in step; it
        # is kept across outages. The second poll comes after a part of the interval.
        next_poll = time.monotonic() + random.uniform(0, interval)
        self._watchers.add(mailbox)
        try:
            while not mailbox.closed:
                await self._poll()
                late = time.monotonic() - next_poll
                if late >= 0:
                    next_poll += interval * (late // interval + 1)
                outages = self._outages
                while not mailbox.closed and outages == self._outages:
                    status = await mailbox.get(next_poll - time.monotonic())
                    if status is None:
                        break
                    yield status
        finally:
            self._watchers.discard(mailbox)

    async def _reach(self) -> None:
        """Take a place on a connection, and join its opening unless it is up."""
        self._take_place()
        await self._session.connect()

    def _take_place(self) -> None:
        if not self._session.serves(self):
            self._session = self._exchange.attach(self)
        if not self._session.connected:
            self._session.begin()
            if self._pulse.state is HealthState.IDLE:
                self._pulse.change(HealthState.CONNECTING)

    def link_changed(self, state: HealthState) -> None:
        """Take the session's word: connecting again, or closed for good.

        Watchers poll again at once, be the next poll hours away.
        """
        self._pulse.change(state)
        self._outages += 1
        for mailbox in self._watchers:
            mailbox.wake()

    async def _poll(self) -> None:
        """Ask once; the answer comes as news. After an outage ask as soon as the line is back."""
        while True:
            await self._session.wait_connected()
            try:
                await self._session.request(self.address, STATUS)
                return
            except RequestTimeoutError as error:
                _LOGGER.debug("%s", error)
                if not await self._doubt():
                    return
            except CommunicationError as error:
                _LOGGER.debug("%s: poll ended by the line: %s", self.address, error)
                # Lets the session see the drop before it is asked again.
                await asyncio.sleep(0)

    async def _doubt(self) -> bool:
        """A poll stayed unanswered: whose fault is it? True to ask again at once.

        Connected but deaf looks the same as a silent heater, so the way is tried first: ask
        again, subscribe again, connect again. Then it is the heater, and that is said once.
        """
        if self._pulse.state is HealthState.OFFLINE:
            return False
        missed = self._pulse.miss()
        if missed == 2:
            await self._session.resubscribe(self)
        elif missed == 3:
            await self._session.renew_if_deaf(self)
        elif missed > 3:
            if self._pulse.give_up():
                _LOGGER.warning("%s does not answer; it seems to be offline", self.address)
            return False
        return True

    async def _call_back(self, status: DeviceStatus) -> None:
        if self._callback is None:
            return
        try:
            result = self._callback(status)
            if inspect.isawaitable(result):
                await result
        except Exception:  # the callback is not ours: whatever it raises must not end the watch
            _LOGGER.exception("%s: the status callback raised", self.address)
