"""Send requests over MQTT and match responses to them: unique ids, rate limit, timeout.

A response repeats the client id and the session id of its request (PROTOCOL 4.3) and names its
heater in every case seen (PROTOCOL 4.2), so all three must match. Where a response also comes in a
packed form, on a topic of its own, the topic must match as well (PROTOCOL 3.2). A binary frame has no
ids and is matched by heater and command code.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timezone
from typing import Any, Mapping, NamedTuple

from .._util.aio import wait_at_most
from ..config import NaviLinkConfig
from ..exceptions import CommunicationError, RequestTimeoutError, WebSocketError
from ..protocol.client_requests import ClientRequest, observe_request
from ..protocol.commands import STATUS, Command
from ..protocol.messages import (
    Address,
    Frame,
    Message,
    ReplyAddress,
    build_binary_request,
    build_request,
    parse_message,
)
from ..protocol.redaction import logger
from .subscriptions import PushesRefusedError, SubscribedTransport

_LOGGER = logger("navien_nwp500.connection")

#: AWS allows 100 publishes per second and connection, in and out (PROTOCOL 2.3). At most
#: BURST + RATE requests leave in any second; at RATE, requests and responses together make 100.
BURST = 40
RATE = 50.0
#: Number of messages within which a duplicate is recognised.
RECENT = 8
#: Digits of a session id that is a time, from 2001 to 2286; a push has one digit (PROTOCOL 4.3).
TIME_DIGITS = 13


class RateLimiter:
    """Delay publishes to stay within the rate limit, in the order of the calls."""

    def __init__(self) -> None:
        #: Monotonic time at which the latest publish would leave if all were spread evenly.
        self._last = 0.0

    async def acquire(self) -> None:
        """Wait until the next publish may leave; returns at once below the limit."""
        now = time.monotonic()
        self._last = max(self._last + 1 / RATE, now)
        wait = self._last - now - BURST / RATE
        if wait > 0:
            await asyncio.sleep(wait)


class Received(NamedTuple):
    """A message, and whether its status is older than one that came before."""

    message: Message
    outdated: bool


class RequestKey(NamedTuple):
    """Values that a request and its response share; a binary frame has its code as session id."""

    mac_address: str
    client_id: str
    session_id: str


class PendingRequest:
    """A request that waits for its response.

    ``topic`` is the only topic of the response if the same response also comes packed, on
    ``packed_topic`` (PROTOCOL 3.2); with None the ids are enough.
    """

    def __init__(self, key: RequestKey, topic: str | None = None) -> None:
        self.key = key
        self.topic = topic
        self.packed_topic = None if topic is None else topic.rpartition("/")[0]
        #: The packed form of the response, which comes first.
        self.packed: Message | None = None
        self.response: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def resolve(self, message: Message) -> bool:
        """Complete the request; keep the packed form of its response. Refusals have another topic.

        Returns True when the message completes it.
        """
        if self.response.done():
            return False
        if self.topic in (None, message.topic) or message.fail_code is not None:
            self.response.set_result(message)
            return True
        if message.topic == self.packed_topic:
            self.packed = message
        return False


class PendingRequests:
    """Requests that wait for a response. Only binary requests can share a key."""

    def __init__(self) -> None:
        self._waiting: dict[RequestKey, list[PendingRequest]] = {}

    def __len__(self) -> int:
        """Return the number of pending requests."""
        return sum(map(len, self._waiting.values()))

    def add(self, request: PendingRequest) -> None:
        """Register a request; the caller must ``remove`` it, however it ends."""
        self._waiting.setdefault(request.key, []).append(request)

    def remove(self, request: PendingRequest) -> None:
        """Remove a request."""
        waiting = self._waiting[request.key]
        waiting.remove(request)
        if not waiting:
            del self._waiting[request.key]
        if request.response.done() and not request.response.cancelled():
            request.response.exception()  # retrieved, also when publishing failed before

    def resolve(self, message: Message) -> bool:
        """Complete the request that a message responds to; returns False when there is none."""
        client_id, session_id = message.client_id, message.session_id
        if message.binary_code is not None:
            client_id, session_id = "", str(message.binary_code)
        key = RequestKey(message.mac_address or "", client_id, session_id)
        # A list: all requests are completed, not only the first.
        return any([request.resolve(message) for request in self._waiting.get(key, ())])

    def fail(self, error: CommunicationError) -> None:
        """Fail all pending requests."""
        for waiting in self._waiting.values():
            for request in waiting:
                if not request.response.done():
                    request.response.set_exception(error)


class DuplicateFilter:
    """Recognise messages that QoS 1 delivered twice (PROTOCOL 3.7).

    Session ids and counters tell different messages apart. A message without either, such as a binary
    frame, is none: two responses of an idle heater are equal.
    """

    def __init__(self) -> None:
        self._recent: list[int] = []

    def is_duplicate(self, frame: Frame, message: Message) -> bool:
        """Return True when the frame of a message was seen recently, and remember it."""
        return bool(message.session_id) and self.is_repeated(frame)

    def is_repeated(self, frame: Frame) -> bool:
        """Return True when the frame was seen recently, and remember it."""
        mark = hash((frame.topic, frame.payload))
        if mark in self._recent:
            return True
        self._recent = [*self._recent[1 - RECENT :], mark]
        return False


class StatusOrder:
    """Order of the statuses of one heater: none may replace one that is newer.

    The session id of a response is the time of its request, in milliseconds of its client's clock; a
    push has no time (PROTOCOL 4.3), and is as new as its arrival.
    """

    def __init__(self) -> None:
        # Time of the newest request of ours that was answered, and of the latest arrival.
        self._answered = self._received = 0

    def is_outdated(self, message: Message, expected: bool) -> bool:
        """Return True for a status older than a known one, and remember it otherwise.

        The response to a request of ours (``expected``) is outdated after one to a later request.
        Another, to a request that nobody waits for any more or of another client, is outdated after
        any status that arrived since its request.
        """
        requested = _request_time(message)
        if requested is not None and requested < (self._answered if expected else self._received):
            return True
        # Ids run ahead of a clock that was set back.
        self._received = max(int(time.time() * 1000), expected and requested or 0)
        if expected and requested is not None:
            self._answered = requested
        return False


def _request_time(message: Message) -> int | None:
    text = message.session_id
    return int(text) if text.isascii() and text.isdigit() and len(text) == TIME_DIGITS else None


class RequestResponse:
    """The requests of one connection."""

    def __init__(self, config: NaviLinkConfig) -> None:
        self._config = config
        self.pending = PendingRequests()
        self._duplicates = DuplicateFilter()
        self._observed = DuplicateFilter()
        self._orders: dict[str, StatusOrder] = {}
        self._limiter = RateLimiter()
        self.last_session_id = 0

    async def request(
        self,
        transport: SubscribedTransport,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> Message:
        """Send a command and return the heater's response.

        A query of which only the packed response came returns that at its time limit. Raises
        RequestTimeoutError, WebSocketError when the connection drops.
        """
        await transport.subscribe(address)
        if command.is_write:
            # A write is never repeated, so its response must not be missed.
            await transport.wait_subscribed(address)
        await self._limiter.acquire()
        frame, request = self._build(transport.reply_address, address, command, body)
        self.pending.add(request)
        limit = self._config.answer_timeout
        try:
            await transport.publish(frame)
            return await wait_at_most(limit, request.response)
        except asyncio.TimeoutError as error:
            if request.packed is not None and not command.is_write:
                _LOGGER.debug("%s: only a packed response to %s came", address, command.name)
                return request.packed
            raise RequestTimeoutError(
                f"{address}: no response to {command.name} within {limit:g} s; the heater may be "
                "offline"
            ) from error
        finally:
            self.pending.remove(request)

    def handle(self, frame: Frame) -> Received | None:
        """Parse a frame and complete the request it responds to.

        Returns None for a request and for a duplicate. Raises ProtocolError.
        """
        message = parse_message(frame.topic, frame.payload)
        if message is None or self._duplicates.is_duplicate(frame, message):
            return None
        expected = self.pending.resolve(message)
        if "status" not in message.body:
            return Received(message, outdated=False)
        order = self._orders.setdefault(message.mac_address or "", StatusOrder())
        return Received(message, order.is_outdated(message, expected))

    def observe(self, frame: Frame, own_client: str) -> ClientRequest | None:
        """Return the request of any client in a frame; None for another message or a repeated one.

        Raises ProtocolError.
        """
        now = datetime.now(timezone.utc)
        request = observe_request(frame, now, {own_client})
        return None if request is None or self._observed.is_repeated(frame) else request

    def fail(self, reason: BaseException) -> None:
        """Fail all pending requests because the connection has ended."""
        text = str(reason) if isinstance(reason, CommunicationError) else "the connection ended"
        kind = PushesRefusedError if isinstance(reason, PushesRefusedError) else WebSocketError
        self.pending.fail(
            kind(f"{text} before the heater responded; a command may still have taken effect")
        )

    def _build(
        self,
        reply_address: ReplyAddress,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> tuple[Frame, PendingRequest]:
        if self._config.wire_format == "binary" and command is STATUS:
            key = RequestKey(address.mac_address, "", str(command.code))
            return build_binary_request(command, address), PendingRequest(key)
        # Milliseconds since the epoch, like the maker's app, but never the same twice (PROTOCOL 4.3).
        self.last_session_id = max(self.last_session_id + 1, int(time.time() * 1000))
        session_id = str(self.last_session_id)
        frame = build_request(command, address, reply_address, session_id, body)
        key = RequestKey(address.mac_address, reply_address.client_id, session_id)
        topic = reply_address.reply_topic(address, command) if command.has_packed_reply else None
        return frame, PendingRequest(key, topic)
