"""The session: one connection for heaters of an account, kept for months.

It opens the link, hands every message to its heater's line, and seeks a lost link again. Each try
is a new link with a new client id, keys renewed when they are old or refused, and every
subscription anew. The first connect is loud; later ones are quiet and say so once each way.

Nothing waits for what it does not need: a request follows its subscriptions on their heels, and
its answer proves them. A subscription the broker does not agree to ends the try all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Mapping, Protocol, Sequence

from .._util.aio import Notifier, cancel_and_wait, wait_at_most
from ..auth import NaviLinkAuth
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
from ..models import HealthState
from ..protocol.commands import Command
from ..protocol.messages import Address, Frame, Message
from ..protocol.redaction import logger
from .connector import Connector
from .request_response import RequestResponse
from .subscriptions import (
    MAX_SUBSCRIPTIONS,
    PushesRefusedError,
    PushPermission,
    SubscribedTransport,
    topic_filters,
)

_LOGGER = logger(__name__)

#: How long at most the cloud may ask us to wait before the next try, seconds.
LONGEST_ASKED = 3600.0


class Subscriber(Protocol):
    """One heater's end of the session."""

    @property
    def address(self) -> Address: ...

    def deliver(self, message: Message) -> None:
        """Take news of the heater: an answer or a push."""

    def link_changed(self, state: HealthState) -> None:
        """Take the session's word: connecting again, or closed for good."""


class Connection:
    """One connection of one account. ``begin`` starts it, ``end`` ends it."""

    def __init__(self, auth: NaviLinkAuth, config: NaviLinkConfig, right: PushPermission) -> None:
        self._auth = auth
        self._config = config
        self._right = right
        self._dialer = Connector(auth, config)
        self.reconnect: ReconnectConfig = config.reconnect
        self._lines: dict[str, Subscriber] = {}
        self._asking = RequestResponse(config)
        self._link: SubscribedTransport | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ended = False
        self._opened = False
        self._lost = False
        self._changed = Notifier()
        # When each heater was last heard, on the steady clock.
        self._heard: dict[str, float] = {}
        #: Messages that could not be understood.
        self.bad_messages = 0
        #: Times a lost link was found again.
        self.reconnects = 0

    def __repr__(self) -> str:
        return f"Session(connected={self.connected}, heaters={len(self._lines)})"

    @property
    def connected(self) -> bool:
        """Whether requests can leave."""
        return self._link is not None and self._link.up

    def begin(self) -> None:
        """Start opening the link, unless it is open or sought already.

        What goes wrong is raised to those who wait for the link; a try nobody waited for has no
        successor, and the next ``connect`` begins anew. Raises MQTTError after ``end``: nobody
        would end what is opened then.
        """
        if self._ended:
            raise MQTTError("the client is closed; make a new one")
        if self._keeper is None or self._keeper.done():
            self._opened = False
            loop = asyncio.get_running_loop()
            self._keeper = loop.create_task(self._keep(), name="navilink-keep")
            self._keeper.add_done_callback(_note_end)

    async def connect(self) -> None:
        """Join the opening of the link, or begin it; returns once requests can leave.

        Raises AuthenticationError, WebSocketError, RequestTimeoutError, or what else ends the
        first try; a link lost later is sought quietly. Nobody waits for that longer than for an
        answer: MQTTError then, for what was asked in an outage may not be wanted after it.
        """
        if not self.connected:
            self.begin()
        while not self.connected and not self._opened:
            await self._turn()
        if not self.connected:
            search = asyncio.ensure_future(self.wait_connected())
            try:
                await wait_at_most(self._config.answer_timeout, search)
            except asyncio.TimeoutError as error:
                raise MQTTError(
                    "the connection was lost and is being sought again; the command was not sent"
                ) from error

    def serves(self, line: Subscriber) -> bool:
        """Whether ``line`` is attached here."""
        return self._lines.get(line.address.mac_address) is line

    def has_room(self, address: Address) -> bool:
        """Whether one more heater's subscriptions fit (protocol 2.3)."""
        held = set(self._link.asked) if self._link is not None else set()
        for one in [address, *(line.address for line in self._lines.values())]:
            held |= topic_filters(one, self._right)
        return len(held) <= MAX_SUBSCRIPTIONS

    def attach(self, line: Subscriber) -> None:
        """Send this heater's news to ``line`` from now on, on every link to come.

        The present link is asked for them with the first request, or by ``listen``.
        """
        self._lines[line.address.mac_address] = line

    def detach(self, line: Subscriber) -> None:
        """Stop sending news to ``line``."""
        if self.serves(line):
            del self._lines[line.address.mac_address]

    async def listen(self, line: Subscriber) -> None:
        """Return once the broker has agreed to send this heater's news. Raises as ``connect``."""
        while True:
            await self.connect()
            assert self._link is not None
            try:
                await self._link.subscribe(line.address)
                return await self._link.agreed(line.address)
            except PushesRefusedError as error:
                _LOGGER.debug("%s: %s", line.address, error)

    async def request(
        self, address: Address, command: Command, body: Mapping[str, Any] | None = None
    ) -> Message:
        """Send a command and return the heater's own answer to it.

        Nothing is queued: without a link it raises MQTTError at once, and a link that drops while
        waiting ends the wait with WebSocketError. Raises RequestTimeoutError when the heater does
        not answer within the configured time.
        """
        while True:
            link = self._link
            if link is None or not link.up:
                raise MQTTError("not connected to the broker; the command was not sent")
            try:
                return await self._asking.ask(link, address, command, body)
            except PushesRefusedError:
                # The question was not at fault, and the next link does without what was.
                if command.writes:
                    raise
                await self.connect()

    async def resubscribe(self, line: Subscriber) -> None:
        """Subscribe a silent heater's topics again: a broker can lose what it promised."""
        link = self._link
        if link is not None:
            link.forget(line.address)
            try:
                await link.subscribe(line.address)
                await link.agreed(line.address)
            except CommunicationError as error:
                _LOGGER.debug("%s: subscribing again: %s", line.address, error)

    async def renew_if_deaf(self, line: Subscriber) -> None:
        """Give the link up for a new one, unless another heater was heard on it lately."""
        lately = time.monotonic() - 2 * self._config.answer_timeout
        mac = line.address.mac_address
        if any(at > lately for other, at in self._heard.items() if other != mac):
            return
        if self._link is not None:
            _LOGGER.info("nothing is heard on this connection, opening a new one")
            await self._link.close()

    async def wait_connected(self) -> None:
        """Wait until the link is up.

        Raises what ended the search when it was given up, MQTTError when nobody seeks.
        """
        while not self.connected:
            await self._turn()

    async def _turn(self) -> None:
        keeper = self._keeper
        if keeper is None:
            raise MQTTError("not connected: connect() was not called, or the client was closed")
        if keeper.done():
            _raise_end(keeper)
        await self._changed.wait()

    def end(self) -> Sequence[asyncio.Task[None]]:
        """End the session; whoever waits is told at once. Returns the tasks to be ended."""
        keepers = [] if self._keeper is None else [self._keeper]
        self._keeper = None
        self._ended = True
        self._changed.tell()
        return keepers

    # The keeper: one task owns the link from its opening to its end

    async def _keep(self) -> None:
        try:
            link = await self._open()
            while True:
                try:
                    await self._hold(*link)
                except PushesRefusedError:
                    link = await self._open()
                    continue
                self._lose()
                link = await self._seek()
                self._find()
        finally:
            self._tell_lines(HealthState.IDLE)
            self._changed.tell()

    async def _open(self) -> tuple[SubscribedTransport, asyncio.Task[None]]:
        """Make one try: a new link, read from now on, with all heaters subscribed on it.

        Requests use it at once; the try has worked when the broker has agreed to everything.
        """
        while True:
            link = SubscribedTransport(await self._dialer.dial(), self._auth.user, self._right)
            loop = asyncio.get_running_loop()
            reading = loop.create_task(self._read(link), name="navilink-read")
            addresses = [line.address for line in self._lines.values()]
            try:
                await link.subscribe(*addresses)
                self._link = link
                self._opened = True
                self._changed.tell()
                await link.agreed(*addresses)
                return link, reading
            except BaseException as error:
                await self._leave(link, reading, error)
                if not isinstance(error, PushesRefusedError):
                    raise

    async def _hold(self, link: SubscribedTransport, reading: asyncio.Task[None]) -> None:
        """Serve until the line drops.

        Raises PushesRefusedError when it dropped over that, and WebSocketError when nobody was
        ever heard on it: that was a try, and not a connection lost.
        """
        end: BaseException = WebSocketError("the line dropped")
        try:
            await reading
            await link.close()  # it is down: this only waits for what its subscriptions have to say
            end = link.refusal or end
        except BaseException as error:
            end = error
            raise
        finally:
            await self._leave(link, reading, end)
        if link.refusal or not link.proved:
            raise end

    async def _leave(
        self, link: SubscribedTransport, reading: asyncio.Task[None], reason: BaseException
    ) -> None:
        """End a link; whoever waits for an answer over it is told."""
        self._link = None
        self._asking.fail(reason)
        try:
            await link.close()
        finally:
            await cancel_and_wait(reading)

    async def _read(self, link: SubscribedTransport) -> None:
        while True:
            frame = await link.receive()
            if frame is None:
                return
            self._dispatch(frame)

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            _LOGGER.warning("connection to the cloud lost, seeking it again")
            self._tell_lines(HealthState.CONNECTING)

    def _find(self) -> None:
        if self._lost:
            self._lost = False
            self.reconnects += 1
            _LOGGER.warning("connection to the cloud is back")

    def _tell_lines(self, state: HealthState) -> None:
        for line in self._lines.values():
            line.link_changed(state)

    async def _seek(self) -> tuple[SubscribedTransport, asyncio.Task[None]]:
        """Try until it works; only a refused account, or the retries' end, gives up."""
        rule = self.reconnect
        tries = 0
        asked = 0.0
        while True:
            await asyncio.sleep(max(rule.pause(tries), asked))
            try:
                return await self._open()
            except (AuthenticationError, ConfigurationError):
                raise
            except CommunicationError as error:
                self._lose()  # again, when something was heard before the try failed
                tries += 1
                asked = min(getattr(error, "retry_after", None) or 0.0, LONGEST_ASKED)
                # Why it fails is worth knowing; that it still does is not.
                level = logging.INFO if tries == 1 else logging.DEBUG
                _LOGGER.log(level, "try %d: %s", tries, error)
                if rule.max_retries is not None and tries >= rule.max_retries:
                    raise MQTTError(
                        f"gave up after {tries} tries to reach the cloud: {error}"
                    ) from error

    def _dispatch(self, frame: Frame) -> None:
        try:
            message = self._asking.hear(frame)
        except ProtocolError as error:
            self.bad_messages += 1
            _LOGGER.debug("message not understood: %s", error)
            return
        if message is None:
            return
        self._find()  # what the heater says may come before the broker has agreed to everything
        mac = message.mac_address or ""
        self._heard[mac] = time.monotonic()
        line = self._lines.get(mac)
        if line is not None:
            line.deliver(message)


def _raise_end(keeper: asyncio.Task[None]) -> None:
    error = None if keeper.cancelled() else keeper.exception()
    if isinstance(error, NaviLinkError):
        raise error
    raise MQTTError("the session has ended") from error


def _note_end(keeper: asyncio.Task[None]) -> None:
    """Write down an end that perhaps nobody waited for."""
    if not keeper.cancelled() and keeper.exception() is not None:
        _LOGGER.debug("the session ended: %s", keeper.exception())
