"""One heater on the shared session: ask it, hear it, watch it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import Any, AsyncGenerator, Awaitable, Callable, Mapping, Union

from .commands import FEATURES, STATUS, Command
from .exceptions import CommunicationError, ProtocolError, RequestTimeoutError
from .models import DeviceFeatures, DeviceStatus
from .protocol import Address, Message
from .session import Session
from .waiting import at_most

_LOGGER = logging.getLogger(__name__)

StatusCallback = Callable[[DeviceStatus], Union[Awaitable[None], None]]


class NaviLinkMQTT:
    """A heater's line: its requests, its news and those who watch it.

    All heaters of a client share one connection. ``last_status`` is the newest status heard,
    whoever asked for it; None before the first.
    """

    def __init__(self, session: Session, address: Address) -> None:
        self._session = session
        self.address = address
        self.last_status: DeviceStatus | None = None
        self._heard_at = float("-inf")
        self._watchers: set[_Mailbox] = set()
        self._monitors: set[_Mailbox] = set()
        self._callback: StatusCallback | None = None

    def __repr__(self) -> str:
        return f"NaviLinkMQTT({self.address!r}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        """Whether the shared connection is up."""
        return self._session.connected

    @property
    def answering(self) -> bool:
        """Whether the heater was heard on the present connection."""
        return self.connected and self._heard_at >= self._session.connected_at

    async def connect(self) -> None:
        """Connect, unless the shared connection is up, and listen to this heater.

        Raises AuthenticationError, WebSocketError or RequestTimeoutError when the first connect
        fails; a connection lost later is sought again by itself.
        """
        await self._session.attach(self)
        await self._session.connect()

    async def disconnect(self) -> None:
        """Stop listening to this heater; the shared connection serves the others on."""
        await self.stop_monitoring()
        self._session.detach(self)

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send a command and return the heater's answer, connecting first when nobody has.

        Raises RequestTimeoutError when it does not answer, CommunicationError when the line drops.
        """
        await self.connect()
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

    async def watch(self, interval: float) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: the answers to a poll every ``interval`` seconds, and pushes.

        Runs until the consumer leaves. A slow consumer gets the newest status, never a backlog;
        while the connection is down or the heater silent nothing comes, and then a fresh status.
        Raises what ends the connection for good.
        """
        mailbox = _Mailbox()
        async for status in self._watch(interval, mailbox):
            yield status

    def set_status_callback(self, callback: StatusCallback | None) -> None:
        """Call this, plain or async, with each status while monitoring; None calls nobody.

        An error it raises is logged with its traceback and ends nothing.
        """
        self._callback = callback

    async def start_monitoring(self, polling_interval: float = 300) -> None:
        """Poll every ``polling_interval`` seconds and call the callback with each status.

        Runs until ``stop_monitoring()`` or cancellation.
        """
        mailbox = _Mailbox()
        self._monitors.add(mailbox)
        try:
            async for status in self._watch(polling_interval, mailbox):
                await self._call_back(status)
        finally:
            self._monitors.discard(mailbox)

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
        self._heard_at = time.monotonic()
        for mailbox in self._watchers:
            mailbox.put(status)

    async def _watch(
        self, interval: float, mailbox: _Mailbox
    ) -> AsyncGenerator[DeviceStatus, None]:
        await self.connect()
        self._watchers.add(mailbox)
        try:
            while not mailbox.closed:
                next_poll = time.monotonic() + interval
                await self._poll()
                while not mailbox.closed:
                    status = await mailbox.get(next_poll - time.monotonic())
                    if status is None:
                        break
                    yield status
        finally:
            self._watchers.discard(mailbox)

    async def _poll(self) -> None:
        """Ask once; the answer comes as news. After an outage ask as soon as the line is back."""
        while True:
            await self._session.wait_connected()
            try:
                await self._session.request(self.address, STATUS)
                return
            except RequestTimeoutError as error:
                _LOGGER.info("%s", error)
                return
            except CommunicationError as error:
                _LOGGER.debug("%s: poll ended by the line: %s", self.address, error)
                # Lets the session see the drop before it is asked again.
                await asyncio.sleep(0)

    async def _call_back(self, status: DeviceStatus) -> None:
        if self._callback is None:
            return
        try:
            result = self._callback(status)
            if inspect.isawaitable(result):
                await result
        except Exception:  # the callback is not ours: whatever it raises must not end the watch
            _LOGGER.exception("%s: the status callback raised", self.address)


class _Mailbox:
    """Room for one status, the newest."""

    def __init__(self) -> None:
        self.closed = False
        self._content: DeviceStatus | None = None
        self._reader: asyncio.Future[None] | None = None

    def put(self, status: DeviceStatus) -> None:
        self._content = status
        self._wake()

    def close(self) -> None:
        self.closed = True
        self._wake()

    async def get(self, limit: float) -> DeviceStatus | None:
        """The newest status not yet taken; None after ``limit`` seconds or when closed."""
        if self._content is None and not self.closed:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await at_most(limit, self._reader)
            except asyncio.TimeoutError:
                return None
        content, self._content = self._content, None
        return content

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
