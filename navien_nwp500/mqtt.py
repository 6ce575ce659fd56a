"""One heater on the shared connection: requests, pushed updates, polling, health."""

from __future__ import annotations

import asyncio
import inspect
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any, AsyncGenerator, Awaitable, Callable, Mapping, Union

from ._connection.connection import Subscriber
from ._connection.poll_times import AdaptivePolls, PollInterval, RegularPolls, check_interval
from ._connection.pool import ConnectionPool
from ._connection.request_watchers import RequestWatchers
from ._util.aio import LatestValue, Notifier, cancel_and_wait, wait_at_most
from .exceptions import (
    CommunicationError,
    ProtocolError,
    RequestTimeoutError,
    WebSocketError,
)
from .models import Health, HealthState
from .protocol.client_requests import ClientRequest
from .protocol.commands import FEATURES, STATUS, Command
from .protocol.features import DeviceFeatures
from .protocol.messages import Address, Message
from .protocol.redaction import logger
from .protocol.status import DeviceStatus

__all__ = ["NaviLinkMQTT"]

_LOGGER = logger("navien_nwp500.device")

StatusCallback = Callable[[DeviceStatus], Union[Awaitable[None], None]]


class HealthTracker:
    """Health of one heater, and the watchers of its changes."""

    def __init__(self) -> None:
        self.state = HealthState.IDLE
        #: Unanswered polls since the latest answer. Neither a new connection nor a pushed status
        #: resets it: they do not show that answers arrive.
        self.missed = 0
        self._since = _now()
        self._last_status: datetime | None = None
        self._reported_offline = False
        #: True when a status came from a heater that was taken to be offline; polled once, at once.
        self.recheck = False
        self._rechecked = False
        self._watchers: list[LatestValue[HealthState]] = []

    def health(self, reconnects: int, bad_messages: int) -> Health:
        """Return the present health, with the counters of the connection."""
        return Health(
            self.state, self._since, self._last_status, reconnects, self.missed, bad_messages
        )

    def change(self, state: HealthState) -> None:
        """Enter a state and notify the watchers when it differs."""
        if state is self.state:
            return
        self.state, self._since = state, _now()
        for watcher in self._watchers:
            watcher.put(state)

    def on_missed_poll(self) -> int:
        """Count an unanswered poll; returns how many there were in a row."""
        self.missed += 1
        self.change(HealthState.UNRESPONSIVE)
        return self.missed

    def on_offline(self) -> bool:
        """Enter OFFLINE; returns True the first time until the next status."""
        first_report, self._reported_offline = not self._reported_offline, True
        self.change(HealthState.OFFLINE)
        return first_report

    def on_status(self) -> None:
        """Record a status, whoever requested it; enter ONLINE unless polls stay unanswered."""
        self._last_status = _now()
        if not self.missed:
            self.change(HealthState.ONLINE)
        elif self.state is HealthState.OFFLINE and not self._rechecked:
            self.recheck = self._rechecked = True

    def on_answer(self) -> bool:
        """Enter ONLINE after an answer; returns True when the heater had been reported offline."""
        was_offline, self._reported_offline = self._reported_offline, False
        self.recheck = self._rechecked = False
        self.missed = 0
        self.change(HealthState.ONLINE)
        return was_offline

    async def watch(self, health: Callable[[], Health]) -> AsyncGenerator[Health, None]:
        """Yield the present health, and again after each change of state."""
        changes: LatestValue[HealthState] = LatestValue()
        self._watchers.append(changes)
        try:
            yield health()
            while True:
                if await changes.get() is not None:
                    yield health()
        finally:
            self._watchers.remove(changes)


def _now() -> datetime:
    return datetime.now(timezone.utc)


class NaviLinkMQTT:
    """MQTT access to one heater: requests, watchers, callback and health.

    The heaters of a client share a connection. ``last_status`` is the latest status of the heater,
    whoever requested it; None before the first.
    """

    def __init__(self, pool: ConnectionPool, address: Address) -> None:
        self._pool = pool
        self._connection = pool.first
        self.address = address
        self.last_status: DeviceStatus | None = None
        self._status_time = float("-inf")
        self._tracker = HealthTracker()
        self._outages = 0
        self._dropped = Notifier()
        self._watchers: list[LatestValue[DeviceStatus]] = []
        self._monitors: list[LatestValue[DeviceStatus]] = []
        self._callback: StatusCallback | None = None
        self._subscriber = Subscriber(
            address,
            self._on_message,
            on_lost=partial(self._on_connection_change, HealthState.CONNECTING),
            on_closed=partial(self._on_connection_change, HealthState.IDLE),
        )
        self._requests = RequestWatchers(self._subscriber)

    def __repr__(self) -> str:
        return f"NaviLinkMQTT({self.address!r}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        """True while the shared connection is up."""
        return self._connection.connected

    @property
    def last_status_age(self) -> float:
        """Seconds since ``last_status`` arrived; infinite before the first."""
        return time.monotonic() - self._status_time

    @property
    def pushes_refused(self) -> bool:
        """True after the broker has refused pushed updates to this account."""
        return self._connection.pushes_refused

    @property
    def answering(self) -> bool:
        """True while the heater answers on the present connection."""
        return self._tracker.state is HealthState.ONLINE

    @property
    def health(self) -> Health:
        """Health of the heater and its connection."""
        return self._tracker.health(self._connection.reconnects, self._connection.bad_messages)

    def watch_health(self) -> AsyncGenerator[Health, None]:
        """Yield the present health, and again after each change of state, without end."""
        return self._tracker.watch(lambda: self.health)

    async def connect(self) -> None:
        """Connect, unless connected, and subscribe to the heater.

        Returns when the broker has accepted the subscription. Raises AuthenticationError,
        WebSocketError or RequestTimeoutError when the first connect fails; a connection that is
        lost later is restored in the background.
        """
        await self._ensure_connected()
        await self._connection.subscribe(self._subscriber)

    async def disconnect(self) -> None:
        """Unsubscribe from the heater; the shared connection stays for the others."""
        await self.stop_monitoring()
        self._connection.detach(self._subscriber)
        self._tracker.change(HealthState.IDLE)

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send a command and return the heater's response, connecting first when needed.

        Raises RequestTimeoutError without a response, CommunicationError when the connection drops.
        """
        await self._ensure_connected()
        message = await self._connection.request(self.address, command, body)
        self._note_answer()
        return message

    async def get_status(self) -> DeviceStatus:
        """Request the status. Raises as ``request``, and ProtocolError."""
        status = (await self.request(STATUS)).status
        if status is None:
            raise ProtocolError(f"{self.address}: the response holds no status")
        return status

    async def get_features(self) -> DeviceFeatures:
        """Request the features. Raises as ``request``, and ProtocolError."""
        features = (await self.request(FEATURES)).features
        if features is None:
            raise ProtocolError(f"{self.address}: the response holds no features")
        return features

    async def pause(self, seconds: float, outcome: str) -> None:
        """Wait so long, but not longer than the connection lasts.

        Raises WebSocketError, which tells the ``outcome`` of what the caller was doing, when the
        connection drops or is down.
        """
        if self.connected:
            dropped = asyncio.ensure_future(self._dropped.wait())
            try:
                await wait_at_most(seconds, dropped)
            except asyncio.TimeoutError:
                return
        raise WebSocketError(f"{self.address}: the connection was lost meanwhile; {outcome}")

    def watch_requests(self) -> AsyncGenerator[ClientRequest, None]:
        """Yield each request to the heater that its topics show, of this and of other clients.

        Connects first, and raises as ``connect``. Never ends by itself. Requests of an outage are
        not seen, and none at all when the account may not subscribe (``pushes_refused``).
        """
        return self._requests.watch(self.connect)

    def watch(self, interval: PollInterval) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: responses to a poll every ``interval`` seconds, and pushes.

        ``interval`` may be a function of the latest status (None before the first) that returns the
        seconds until the next poll. They count from that status, whoever requested it, so that what
        a push has told is not polled again.

        Never ends by itself. A slow consumer gets the latest status, never a backlog. During an
        outage nothing is yielded, then a fresh status. Raises the error that ends the connection
        for good, and at once ValueOutOfRangeError for an interval that is no time above 0, of at
        most a day.
        """
        if not callable(interval):
            check_interval("interval", interval)
        return self._watch(interval, LatestValue())

    def set_status_callback(self, callback: StatusCallback | None) -> None:
        """Call ``callback`` (plain or async) with each status while monitoring; None removes it.

        An exception it raises is logged with its traceback; monitoring continues.
        """
        self._callback = callback

    async def start_monitoring(self, polling_interval: float = 300) -> None:
        """Poll every ``polling_interval`` seconds and call the callback with each status.

        Runs until ``stop_monitoring()`` or cancellation. Raises as ``watch``.
        """
        check_interval("polling_interval", polling_interval)
        queue: LatestValue[DeviceStatus] = LatestValue()
        self._monitors.append(queue)
        statuses = self._watch(polling_interval, queue)
        try:
            async for status in statuses:
                await self._call_back(status)
        finally:
            self._monitors.remove(queue)
            await statuses.aclose()

    async def stop_monitoring(self) -> None:
        """End every ``start_monitoring`` of this heater; may be called from the callback."""
        for queue in self._monitors:
            queue.close()

    def _on_message(self, message: Message) -> None:
        try:
            status = message.status
        except ProtocolError as error:
            self._connection.bad_messages += 1
            _LOGGER.debug("%s: status not understood: %s", self.address, error)
            return
        if status is None:
            return
        self.last_status, self._status_time = status, time.monotonic()
        self._tracker.on_status()
        for queue in self._watchers:
            queue.put(status)

    def _on_connection_change(self, state: HealthState) -> None:
        """Wake the watchers: they poll again at once, even if the next poll is hours away."""
        self._tracker.change(state)
        self._outages += 1
        self._dropped.notify()
        for queue in self._watchers:
            queue.wake()

    async def _watch(
        self, interval: PollInterval, queue: LatestValue[DeviceStatus]
    ) -> AsyncGenerator[DeviceStatus, None]:
        self._attach()
        await self._connection.wait_connected()
        polls = AdaptivePolls(self, interval) if callable(interval) else RegularPolls(interval)
        self._watchers.append(queue)
        poll: asyncio.Task[int] | None = None
        try:
            while not queue.closed:
                self._tracker.recheck = False
                poll = asyncio.get_running_loop().create_task(self._poll(), name="navilink-poll")
                poll.add_done_callback(lambda _: queue.wake())
                # An unanswered poll takes long; pushed statuses are yielded meanwhile.
                while not queue.closed and not poll.done():
                    status = await queue.get()
                    if status is not None:
                        yield status
                if queue.closed:
                    return
                outages, poll = poll.result(), None
                polls.on_poll()
                while not (queue.closed or self._tracker.recheck or outages != self._outages):
                    status = await queue.get(polls.due - time.monotonic())
                    if status is not None:
                        yield status
                    elif time.monotonic() >= polls.due:
                        break
        finally:
            self._watchers.remove(queue)
            if poll is not None:
                await cancel_and_wait(poll)
                if not poll.cancelled():
                    poll.exception()  # retrieved, also when the watch ended before
                poll = None  # what ended it refers to the connection

    async def _ensure_connected(self) -> None:
        self._attach()
        await self._connection.connect()

    def _attach(self) -> None:
        """Attach to a connection of the pool, and start connecting."""
        if not self._connection.has_subscriber(self._subscriber):
            self._connection = self._pool.attach(self._subscriber)
        if not self._connection.connected:
            self._connection.start()
            if self._tracker.state is HealthState.IDLE:
                self._tracker.change(HealthState.CONNECTING)

    def _note_answer(self) -> None:
        if not self._connection.connected:
            return  # it has dropped since, which is the newest that is known
        if self._tracker.on_answer():
            _LOGGER.warning("%s answers again.", self.address)

    async def _poll(self) -> int:
        """Poll once; the status arrives as a message. During an outage wait for its end.

        Returns the number of outages before it was sent: an outage since is a reason to poll again.
        """
        while True:
            await self._connection.wait_connected()
            outages = self._outages
            try:
                await self._connection.request(self.address, STATUS)
                self._note_answer()
                return outages
            except RequestTimeoutError as error:
                _LOGGER.debug("%s", error)
                if not await self._escalate_recovery():
                    return outages
            except CommunicationError as error:
                _LOGGER.debug("%s: poll ended with the connection: %s", self.address, error)
                # Lets the connection notice the drop before the next request.
                await asyncio.sleep(0)

    async def _escalate_recovery(self) -> bool:
        """Handle an unanswered poll; returns True to poll again at once.

        A stalled connection looks like an unresponsive heater, so the steps are: poll again,
        subscribe again, reconnect, and only then report the heater offline, once.
        """
        if self._tracker.state is HealthState.OFFLINE:
            return False
        missed = self._tracker.on_missed_poll()
        if missed == 2:
            await self._connection.resubscribe(self._subscriber)
        elif missed == 3:
            await self._connection.replace_if_stalled(self._subscriber)
        elif missed > 3:
            if self._tracker.on_offline():
                _LOGGER.warning("%s does not answer; it seems to be offline.", self.address)
            return False
        return True

    async def _call_back(self, status: DeviceStatus) -> None:
        if self._callback is None:
            return
        try:
            result = self._callback(status)
            if inspect.isawaitable(result):
                await result
        except Exception:  # the callback belongs to the caller: no error of it may end the watch
            _LOGGER.exception("%s: the status callback raised", self.address)
