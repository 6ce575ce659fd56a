"""One MQTT connection, shared by the heaters of an account and open for months.

It opens a transport, gives each message to the subscriber of its heater, and reconnects when the
transport ends. Each reconnect uses a new transport with a new client id, credentials that are
renewed when needed, and new subscriptions. A failure of the first connect is raised; later ones are
retried quietly and logged once when the connection is lost and once when it is restored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from .._util.aio import Notifier, cancel_and_wait, wait_at_most
from .._util.memory import trim_heap_later
from ..config import NaviLinkConfig, ReconnectConfig
from ..exceptions import (
    AuthenticationError,
    CommunicationError,
    ConfigurationError,
    MQTTError,
    NaviLinkError,
    ProtocolError,
    WebSocketError,
)
from ..protocol.client_requests import ClientRequest
from ..protocol.commands import Command
from ..protocol.messages import Address, Frame, Message
from ..protocol.redaction import logger
from .connector import Connector
from .credentials import CredentialsProvider
from .process import OwnProcess
from .request_response import RequestResponse
from .subscriptions import (
    MAX_SUBSCRIPTIONS,
    PushesRefusedError,
    PushPermission,
    SubscribedTransport,
    subscription_keys,
)

_LOGGER = logger("navien_nwp500.connection")

#: Seconds. Longest delay before a reconnect that the cloud can ask for (``Retry-After``).
MAX_RETRY_AFTER = 3600.0


@dataclass(eq=False)
class Subscriber:
    """A heater, and the functions that receive what happens on its connection."""

    address: Address
    #: Called with each response and push of the heater, unless a newer status is known.
    on_message: Callable[[Message], None]
    #: Called when the connection has dropped; a reconnect has begun.
    on_lost: Callable[[], None]
    #: Called when the connection has ended; there will be no reconnect.
    on_closed: Callable[[], None]
    #: Called with each request of any client to the heater; None while nobody wants to know.
    on_request: Callable[[ClientRequest], None] | None = None


class Connection:
    """One connection of one account, from ``start`` to ``stop``."""

    def __init__(
        self,
        auth: CredentialsProvider,
        connector: Connector,
        config: NaviLinkConfig,
        permission: PushPermission,
    ) -> None:
        self._auth = auth
        self._connector = connector
        self._config = config
        self._permission = permission
        self.reconnect_config: ReconnectConfig = config.reconnect
        self._subscribers: dict[str, Subscriber] = {}
        self._requests = RequestResponse(config)
        self._transport: SubscribedTransport | None = None
        self._runner: asyncio.Task[None] | None = None
        self._stopped = False
        self._process = OwnProcess()
        self._opened = False
        self._lost = False
        self._trim: asyncio.TimerHandle | None = None
        self._changed = Notifier()
        # Monotonic time of each heater's latest message.
        self._received_at: dict[str, float] = {}
        #: Number of messages that could not be parsed.
        self.bad_messages = 0
        #: Number of times a lost connection was restored.
        self.reconnects = 0

    def __repr__(self) -> str:
        return f"Connection(connected={self.connected}, heaters={len(self._subscribers)})"

    @property
    def connected(self) -> bool:
        """True while requests can be sent."""
        return self._transport is not None and self._transport.connected

    def start(self) -> None:
        """Start connecting, unless connected or connecting already.

        Errors are raised to those who wait for the connection. Without anybody waiting there is no
        second try, and the next ``connect`` starts again. Raises MQTTError after ``stop``.
        """
        self._process.check()
        if self._stopped:
            raise MQTTError("the client is closed; create a new one")
        if self._runner is None or self._runner.done():
            self._opened = False
            loop = asyncio.get_running_loop()
            self._runner = loop.create_task(self._run(), name="navilink-connection")
            self._runner.add_done_callback(_log_end)

    async def connect(self) -> None:
        """Wait until requests can be sent, connecting first when nobody has.

        Raises AuthenticationError, WebSocketError, RequestTimeoutError, or the other errors of the
        first connect. During a reconnect it waits at most as long as for a response and then raises
        MQTTError, because what was requested in an outage may not be wanted after it.
        """
        self._process.check()
        if not self.connected:
            self.start()
        while not self.connected and not self._opened:
            await self._wait_for_change()
        if not self.connected:
            waiting = asyncio.ensure_future(self.wait_connected())
            try:
                await wait_at_most(self._config.answer_timeout, waiting)
            except asyncio.TimeoutError as error:
                raise MQTTError(
                    "the connection was lost and is being restored; the command was not sent"
                ) from error

    @property
    def pushes_refused(self) -> bool:
        """True when the account may not receive what heaters send on their own topics."""
        return self._permission.refused

    def has_subscriber(self, subscriber: Subscriber) -> bool:
        """Return True when ``subscriber`` is attached."""
        return self._subscribers.get(subscriber.address.mac_address) is subscriber

    def has_capacity(self, address: Address) -> bool:
        """Return True when the subscriptions of one more heater fit (PROTOCOL 2.3)."""
        keys = set(self._transport.subscribed) if self._transport is not None else set()
        for one in [address, *(found.address for found in self._subscribers.values())]:
            keys |= subscription_keys(one, self._permission)
        return len(keys) <= MAX_SUBSCRIPTIONS

    def attach(self, subscriber: Subscriber) -> None:
        """Give messages of its heater to ``subscriber``, on this and every later transport.

        The present transport is subscribed with the first request, or by ``subscribe``.
        """
        self._subscribers[subscriber.address.mac_address] = subscriber

    def detach(self, subscriber: Subscriber) -> None:
        """Stop giving messages to ``subscriber``."""
        if self.has_subscriber(subscriber):
            del self._subscribers[subscriber.address.mac_address]

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Wait until the broker has accepted the heater's subscriptions. Raises as ``connect``."""
        while True:
            await self.connect()
            assert self._transport is not None
            try:
                await self._transport.subscribe(subscriber.address)
                return await self._transport.wait_subscribed(subscriber.address)
            except PushesRefusedError as error:
                _LOGGER.debug("%s: %s", subscriber.address, error)

    async def request(
        self, address: Address, command: Command, body: Mapping[str, Any] | None = None
    ) -> Message:
        """Send a command and return the heater's response.

        Nothing is queued. Raises MQTTError when not connected, WebSocketError when the connection
        drops while waiting, RequestTimeoutError when the heater does not respond in time.
        """
        while True:
            transport = self._transport
            if transport is None or not transport.connected:
                raise MQTTError("not connected to the broker; the command was not sent")
            try:
                return await self._requests.request(transport, address, command, body)
            except PushesRefusedError:
                # The request was not the reason, and the next transport does not subscribe to pushes.
                if command.is_write:
                    raise
                await self.connect()

    async def resubscribe(self, subscriber: Subscriber) -> None:
        """Subscribe to an unresponsive heater again: a broker can lose a subscription."""
        transport = self._transport
        if transport is not None:
            transport.forget(subscriber.address)
            try:
                await transport.subscribe(subscriber.address)
                await transport.wait_subscribed(subscriber.address)
            except CommunicationError as error:
                _LOGGER.debug("%s: subscribing again: %s", subscriber.address, error)

    async def replace_if_stalled(self, subscriber: Subscriber) -> None:
        """Reconnect, unless another heater sent a message recently."""
        recently = time.monotonic() - 2 * self._config.answer_timeout
        mac = subscriber.address.mac_address
        if any(at > recently for other, at in self._received_at.items() if other != mac):
            return
        if self._transport is not None:
            _LOGGER.info("no messages arrive on this connection; opening a new one")
            await self._transport.close()

    async def wait_connected(self) -> None:
        """Wait until requests can be sent.

        Raises the error that ended the reconnect, MQTTError when nothing is connecting.
        """
        while not self.connected:
            await self._wait_for_change()

    def stop(self) -> Sequence[asyncio.Task[None]]:
        """Stop for good and wake everybody who waits; returns the tasks to cancel."""
        tasks = [] if self._runner is None else [self._runner]
        self._runner = None
        self._stopped = True
        if self._trim is not None:
            self._trim.cancel()
        self._changed.notify()
        return tasks

    async def _wait_for_change(self) -> None:
        runner = self._runner
        if runner is None:
            raise MQTTError("not connected: connect() was not called, or the client was closed")
        if runner.done():
            _raise_end(runner)
        await self._changed.wait()

    # One task owns the transport from opening to closing

    async def _run(self) -> None:
        try:
            opened = await self._open_transport()
            while True:
                try:
                    await self._serve(*opened)
                except PushesRefusedError:
                    opened = await self._open_transport()
                    continue
                self._on_lost()
                opened = await self._reconnect()
                self._on_restored()
        finally:
            for subscriber in self._subscribers.values():
                subscriber.on_closed()
            self._changed.notify()

    async def _open_transport(self) -> tuple[SubscribedTransport, asyncio.Task[None]]:
        """Open a transport, start reading it, and subscribe to all heaters.

        Requests use it at once; it counts as opened when all subscriptions are accepted.
        """
        while True:
            transport = SubscribedTransport(
                await self._connector.connect(), self._auth.user, self._permission
            )
            loop = asyncio.get_running_loop()
            reading = loop.create_task(self._read(transport), name="navilink-read")
            addresses = [subscriber.address for subscriber in self._subscribers.values()]
            try:
                await transport.subscribe(*addresses)
                self._transport = transport
                self._opened = True
                self._changed.notify()
                await transport.wait_subscribed(*addresses)
                self._trim_heap_later()
                return transport, reading
            except BaseException as error:
                await self._close_transport(transport, reading, error)
                if not isinstance(error, PushesRefusedError):
                    raise

    def _trim_heap_later(self) -> None:
        if self._trim is not None:
            self._trim.cancel()
        self._trim = trim_heap_later()

    async def _serve(self, transport: SubscribedTransport, reading: asyncio.Task[None]) -> None:
        """Serve until the connection drops.

        Raises PushesRefusedError when it dropped during the push subscription, and WebSocketError
        when no subscription was ever confirmed: the connect failed, nothing was lost.
        """
        end: BaseException = WebSocketError("the connection dropped")
        try:
            await reading
            await transport.close()  # already down: this waits for the result of the subscriptions
            end = transport.refusal or end
        except BaseException as error:
            end = error
            raise
        finally:
            await self._close_transport(transport, reading, end)
        if transport.refusal or not transport.confirmed:
            raise end

    async def _close_transport(
        self, transport: SubscribedTransport, reading: asyncio.Task[None], reason: BaseException
    ) -> None:
        self._transport = None
        self._requests.fail(reason)
        try:
            await transport.close()
        finally:
            await cancel_and_wait(reading)

    async def _read(self, transport: SubscribedTransport) -> None:
        while True:
            frame = await transport.receive()
            if frame is None:
                return
            self._dispatch(frame)
            del frame  # it would be kept until the next one

    def _on_lost(self) -> None:
        if not self._lost:
            self._lost = True
            _LOGGER.warning("Connection to the cloud lost; reconnecting.")
            for subscriber in self._subscribers.values():
                subscriber.on_lost()

    def _on_restored(self) -> None:
        if self._lost:
            self._lost = False
            self.reconnects += 1
            _LOGGER.warning("Connection to the cloud restored.")

    async def _reconnect(self) -> tuple[SubscribedTransport, asyncio.Task[None]]:
        """Retry until connected; gives up on a refused account or after the last retry."""
        tries = 0
        retry_after = 0.0
        while True:
            await asyncio.sleep(max(self.reconnect_config.delay(tries), retry_after))
            try:
                return await self._open_transport()
            except (AuthenticationError, ConfigurationError):
                raise
            except CommunicationError as error:
                self._on_lost()  # again, when a message arrived before the try failed
                tries += 1
                retry_after = min(getattr(error, "retry_after", None) or 0.0, MAX_RETRY_AFTER)
                level = logging.INFO if tries == 1 else logging.DEBUG
                _LOGGER.log(level, "try %d: %s", tries, error)
                retries = self.reconnect_config.max_retries
                if retries is not None and tries >= retries:
                    raise MQTTError(
                        f"gave up after {tries} tries to reach the cloud: {error}"
                    ) from error

    def _dispatch(self, frame: Frame) -> None:
        try:
            received = self._requests.handle(frame)
            if received is None:
                return self._pass_request(frame)
        except ProtocolError as error:
            self.bad_messages += 1
            _LOGGER.debug("message not understood: %s", error)
            return
        self._on_restored()  # a message may arrive before all subscriptions are accepted
        mac = received.message.mac_address or ""
        self._received_at[mac] = time.monotonic()
        subscriber = self._subscribers.get(mac)
        if subscriber is not None and not received.outdated:
            subscriber.on_message(received.message)

    def _pass_request(self, frame: Frame) -> None:
        """Give a request to the subscriber of the heater on whose topic it came, if it wants it."""
        for subscriber in self._subscribers.values():
            if subscriber.on_request and frame.topic.startswith(f"{subscriber.address.topic}/"):
                own = "" if self._transport is None else self._transport.client_id
                request = self._requests.observe(frame, own)
                if request is not None:
                    subscriber.on_request(request)


def _raise_end(runner: asyncio.Task[None]) -> None:
    error = None if runner.cancelled() else runner.exception()
    if isinstance(error, NaviLinkError):
        raise error
    raise MQTTError("the connection has ended") from error


def _log_end(runner: asyncio.Task[None]) -> None:
    """Log an error that perhaps nobody waited for."""
    if not runner.cancelled() and runner.exception() is not None:
        _LOGGER.debug("the connection ended: %s", runner.exception())
