"""The session: one connection for all heaters of an account, kept for months.

It opens the link, subscribes, matches answers to requests, hands every message to its heater's
line, and seeks a lost link again. Each try is a new link with a new client id, keys renewed when
they are old or refused, and every subscription anew. The first connect is loud; later ones are
quiet and say so once each way.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from functools import cached_property
from typing import Any, Mapping, Protocol

from .auth import NaviLinkAuth
from .aws_iot_websocket import AwsIotWebSocket
from .commands import STATUS, Command
from .config import NaviLinkConfig, ReconnectConfig
from .dialer import Dialer
from .exceptions import (
    AuthenticationError,
    CommunicationError,
    ConfigurationError,
    MQTTError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
    WebSocketError,
)
from .health import HealthState
from .protocol import (
    Address,
    Frame,
    Message,
    Requester,
    binary_request,
    parse_message,
    request,
)
from .redaction import logger
from .waiting import at_most, ended

_LOGGER = logger(__name__)

#: So many tries in which the broker hung up over the push subscription show that the account may
#: not have it (AWS closes without a word, protocol 2.3); polling alone must then do.
PUSH_TRIES = 2
#: How many messages back a repetition is recognised.
RECENT = 8
#: How long at most the cloud may ask us to wait before the next try, seconds.
LONGEST_ASKED = 3600.0


class Line(Protocol):
    """One heater's end of the session."""

    @property
    def address(self) -> Address: ...

    def deliver(self, message: Message) -> None:
        """Take news of the heater: an answer or a push."""

    def link_changed(self, state: HealthState) -> None:
        """Take the session's word: connecting again, or closed for good."""


class _PushesRefusedError(WebSocketError):
    """The line dropped over the push subscription."""


class Session:
    """One connection of one account. ``connect`` starts it, ``close`` ends it."""

    def __init__(self, auth: NaviLinkAuth, config: NaviLinkConfig) -> None:
        self._auth = auth
        self._config = config
        self._dialer = Dialer(auth, config)
        self.reconnect: ReconnectConfig = config.reconnect
        self._lines: dict[str, Line] = {}
        self._answers: dict[tuple[str, str], list[asyncio.Future[Message]]] = {}
        self._link: AwsIotWebSocket | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._changed: set[asyncio.Future[None]] = set()
        self._pushes_refused = 0
        self._last_session_id = 0
        # When each heater was last heard, on the steady clock.
        self._heard: dict[str, float] = {}
        self._recent: deque[int] = deque(maxlen=RECENT)
        #: Messages that could not be understood.
        self.bad_messages = 0
        #: Times a lost link was found again.
        self.reconnects = 0

    def __repr__(self) -> str:
        return f"Session(connected={self.connected}, heaters={len(self._lines)})"

    @property
    def connected(self) -> bool:
        return self._link is not None and self._link.up

    async def connect(self) -> None:
        """Open the link unless it is open or sought already.

        Raises AuthenticationError, WebSocketError, RequestTimeoutError, or what else ends the
        first try; a link lost later is sought quietly.
        """
        async with self._lock:
            if self._keeper is None or self._keeper.done():
                loop = asyncio.get_running_loop()
                self._keeper = loop.create_task(self._keep(), name="navilink-keep")
                try:
                    await self.wait_connected()
                except BaseException:
                    await self.close()
                    raise

    async def attach(self, line: Line) -> None:
        """Send this heater's news to ``line`` from now on, on every link to come."""
        mac = line.address.mac_address
        if self._lines.get(mac) is line:
            return
        self._lines[mac] = line
        if self.connected:
            assert self._link is not None
            try:
                await self._subscribe(self._link, line)
            except _PushesRefusedError:
                await self.wait_connected()
            except BaseException:
                self.detach(line)  # the next attach subscribes anew
                raise

    def detach(self, line: Line) -> None:
        """Stop sending news to ``line``."""
        if self._lines.get(line.address.mac_address) is line:
            del self._lines[line.address.mac_address]

    async def request(
        self, address: Address, command: Command, body: Mapping[str, Any] | None = None
    ) -> Message:
        """Send a command and return the heater's own answer to it.

        Nothing is queued: without a link it raises MQTTError at once, and a link that drops while
        waiting ends the wait with WebSocketError. Raises RequestTimeoutError when the heater does
        not answer within the configured time.
        """
        link = self._link
        if link is None or not link.up:
            raise MQTTError("not connected to the broker; the command was not sent")
        frame, key = self._wrap(link, address, command, body)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers.setdefault(key, []).append(answer)
        limit = self._config.answer_timeout
        try:
            await link.publish(frame)
            return await at_most(limit, answer)
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(
                f"{address}: no answer to {command.name} within {limit:g} s; the heater may be "
                "offline"
            ) from error
        finally:
            self._forget(key, answer)

    async def resubscribe(self, line: Line) -> None:
        """Subscribe a silent heater's topics again: a broker can lose what it promised."""
        if self._link is not None:
            try:
                await self._subscribe(self._link, line)
            except CommunicationError as error:
                _LOGGER.debug("%s: subscribing again: %s", line.address, error)

    async def renew_if_deaf(self, line: Line) -> None:
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
            keeper = self._keeper
            if keeper is None:
                raise MQTTError("not connected: connect() was not called, or the client is closed")
            if keeper.done():
                self._raise_end(keeper)
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._changed.add(changed)
            try:
                await changed
            finally:
                self._changed.discard(changed)

    async def close(self) -> None:
        """End the session: no task, link or waiter is left."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await ended(keeper)
            if not keeper.cancelled() and keeper.exception() is not None:
                _LOGGER.debug("the session had ended: %s", keeper.exception())
        self._tell()

    # The keeper: one task owns the link from its opening to its end

    async def _keep(self) -> None:
        link: AwsIotWebSocket | None = None
        try:
            link = await self._open()
            while True:
                self._link = link
                self._tell()
                await self._serve(link)
                _LOGGER.warning("connection to the cloud lost, seeking it again")
                self._tell_lines(HealthState.CONNECTING)
                link = await self._seek()
                self.reconnects += 1
                _LOGGER.warning("connection to the cloud is back")
        finally:
            self._link = None
            self._fail_answers("the session ended")
            self._tell_lines(HealthState.IDLE)
            if link is not None:
                await link.close()
            self._tell()

    async def _serve(self, link: AwsIotWebSocket) -> None:
        """Read until the line drops."""
        while True:
            frame = await link.receive()
            if frame is None:
                break
            self._dispatch(frame)
        self._link = None
        self._fail_answers("the line dropped")

    def _tell(self) -> None:
        for changed in self._changed:
            if not changed.done():
                changed.set_result(None)

    def _tell_lines(self, state: HealthState) -> None:
        for line in self._lines.values():
            line.link_changed(state)

    def _raise_end(self, keeper: asyncio.Task[None]) -> None:
        error = None if keeper.cancelled() else keeper.exception()
        if isinstance(error, NaviLinkError):
            raise error
        raise MQTTError("the session has ended") from error

    async def _seek(self) -> AwsIotWebSocket:
        """Try until it works; only a refused account, or the retries' end, gives up."""
        rule = self.reconnect
        tries = 0
        asked = 0.0
        while True:
            limit = min(rule.max_delay, rule.initial_delay * 2 ** (min(tries, 30) - 1))
            drawn = random.uniform(0, limit) if rule.jitter else limit
            await asyncio.sleep(max(drawn, asked))
            try:
                return await self._open()
            except (AuthenticationError, ConfigurationError):
                raise
            except CommunicationError as error:
                tries += 1
                asked = min(getattr(error, "retry_after", None) or 0.0, LONGEST_ASKED)
                # Why it fails is worth knowing; that it still does is not.
                level = logging.INFO if tries == 1 else logging.DEBUG
                _LOGGER.log(level, "try %d: %s", tries, error)
                if rule.max_retries is not None and tries >= rule.max_retries:
                    raise MQTTError(
                        f"gave up after {tries} tries to reach the cloud: {error}"
                    ) from error

    # Opening

    async def _open(self) -> AwsIotWebSocket:
        while True:
            link = await self._dialer.dial()
            try:
                for line in list(self._lines.values()):
                    await self._subscribe(link, line)
                return link
            except _PushesRefusedError:
                await link.close()
            except BaseException:
                await link.close()
                raise

    async def _subscribe(self, link: AwsIotWebSocket, line: Line) -> None:
        requester = self._requester(link)
        await link.subscribe(requester.reply_filter(line.address))
        if self._pushes_refused >= PUSH_TRIES:
            return
        try:
            await link.subscribe(line.address.filter)
        except WebSocketError as error:
            self._pushes_refused += 1
            if self._pushes_refused == PUSH_TRIES:
                _LOGGER.warning("this account may not hear pushes; polling alone from now on")
            raise _PushesRefusedError(f"push subscription: {error}") from error
        self._pushes_refused = 0

    # Requests and answers

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()

    def _requester(self, link: AwsIotWebSocket) -> Requester:
        user = self._auth.user
        return Requester(link.client_id, (user.user_seq if user else None) or 0)

    def _wrap(
        self,
        link: AwsIotWebSocket,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> tuple[Frame, tuple[str, str]]:
        if self._config.wire_format == "binary" and command is STATUS:
            return binary_request(command, address), (address.mac_address, str(command.code))
        # Milliseconds since the epoch, as the maker's app, but never twice (protocol 4.3).
        self._last_session_id = max(self._last_session_id + 1, int(time.time() * 1000))
        session_id = str(self._last_session_id)
        frame = request(command, address, self._requester(link), session_id, body)
        return frame, (link.client_id, session_id)

    def _dispatch(self, frame: Frame) -> None:
        try:
            message = parse_message(frame.topic, frame.payload)
        except ProtocolError as error:
            self.bad_messages += 1
            _LOGGER.debug("message not understood: %s", error)
            return
        if message is None or self._is_repeated(frame):
            return
        mac = message.mac_address or ""
        self._heard[mac] = time.monotonic()
        line = self._lines.get(mac)
        if line is not None:
            line.deliver(message)
        key = (message.client_id, message.session_id)
        if message.binary_code is not None:
            key = (message.mac_address or "", str(message.binary_code))
        for answer in self._answers.get(key, ()):
            if not answer.done():
                answer.set_result(message)

    def _is_repeated(self, frame: Frame) -> bool:
        """QoS 1 may deliver twice (protocol 3.7); session ids and counters tell messages apart."""
        mark = hash((frame.topic, frame.payload))
        if mark in self._recent:
            return True
        self._recent.append(mark)
        return False

    def _forget(self, key: tuple[str, str], answer: asyncio.Future[Message]) -> None:
        waiting = self._answers[key]
        waiting.remove(answer)
        if not waiting:
            del self._answers[key]
        if answer.done() and not answer.cancelled():
            answer.exception()  # seen, also when publishing failed before anybody waited

    def _fail_answers(self, reason: str) -> None:
        error = f"{reason} before the heater answered; a command may still have taken effect"
        for waiting in self._answers.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(WebSocketError(error))
