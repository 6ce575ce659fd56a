"""A pace that is kept: some at once, then so many a second."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, Mapping, NamedTuple

from .._util.aio import wait_at_most
from ..config import NaviLinkConfig
from ..exceptions import CommunicationError, RequestTimeoutError, WebSocketError
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
from .subscriptions import PushesRefusedError, SubscribedTransport

#: AWS takes 100 publishes a second on one connection, in and out (protocol 2.3). In no second do
#: more than BURST + RATE leave here; at RATE, requests and their answers together are 100.
BURST = 40
RATE = 50.0


class RateLimiter:
    """Let publishes pass one by one, in the order they asked; nobody waits below the pace."""

    def __init__(self) -> None:
        #: When the newest would leave if all were spread evenly, on the steady clock.
        self._last = 0.0

    async def turn(self) -> None:
        """Return when it is our turn; at once unless many came just before."""
        now = time.monotonic()
        self._last = max(self._last + 1 / RATE, now)
        wait = self._last - now - BURST / RATE
        if wait > 0:
            await asyncio.sleep(wait)


#: How many messages back a repetition is recognised.
RECENT = 8


class RequestKey(NamedTuple):
    """What a request and its answer have in common; a binary one has its code for a session id."""

    mac_address: str
    client_id: str
    session_id: str


class PendingRequests:
    """Hand each answer to those who wait for it. Two may wait for one only in the binary form."""

    def __init__(self) -> None:
        self._waiting: dict[RequestKey, list[asyncio.Future[Message]]] = {}

    def __len__(self) -> int:
        """Return how many requests are under way."""
        return sum(map(len, self._waiting.values()))

    def expect(self, key: RequestKey) -> asyncio.Future[Message]:
        """Expect an answer; whoever does must ``forget`` it, however it ends."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        return answer

    def forget(self, key: RequestKey, answer: asyncio.Future[Message]) -> None:
        """Expect this answer no longer."""
        waiting = self._waiting[key]
        waiting.remove(answer)
        if not waiting:
            del self._waiting[key]
        if answer.done() and not answer.cancelled():
            answer.exception()  # seen, also when publishing failed before anybody waited

    def resolve(self, message: Message) -> None:
        """Give a message to the request it answers, if there is one."""
        client_id, session_id = message.client_id, message.session_id
        if message.binary_code is not None:
            client_id, session_id = "", str(message.binary_code)
        for answer in self._waiting.get(
            RequestKey(message.mac_address or "", client_id, session_id), ()
        ):
            if not answer.done():
                answer.set_result(message)

    def fail(self, error: CommunicationError) -> None:
        """End every wait: the answers cannot come any more."""
        for waiting in self._waiting.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(error)


class DuplicateFilter:
    """QoS 1 may deliver twice (protocol 3.7); session ids and counters tell messages apart."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=RECENT)

    def seen(self, frame: Frame) -> bool:
        """Say whether it came lately, and remember it."""
        mark = hash((frame.topic, frame.payload))
        if mark in self._recent:
            return True
        self._recent.append(mark)
        return False


class RequestResponse:
    """The requests of one connection."""

    def __init__(self, config: NaviLinkConfig) -> None:
        self._config = config
        self.answers = PendingRequests()
        self._repeats = DuplicateFilter()
        self._pace = RateLimiter()
        self.last_session_id = 0

    async def ask(
        self,
        link: SubscribedTransport,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> Message:
        """Send a command behind the subscriptions its answer needs; return the answer."""
        await link.subscribe(address)
        if command.writes:
            await link.agreed(address)  # a write is never repeated: its answer must be heard
        await self._pace.turn()
        frame, key = self._wrap(link.requester, address, command, body)
        answer = self.answers.expect(key)
        limit = self._config.answer_timeout
        try:
            await link.publish(frame)
            return await wait_at_most(limit, answer)
        except asyncio.TimeoutError as error:
            raise RequestTimeoutError(
                f"{address}: no answer to {command.name} within {limit:g} s; the heater may be "
                "offline"
            ) from error
        finally:
            self.answers.forget(key, answer)

    def hear(self, frame: Frame) -> Message | None:
        """Understand what came, and give it to the request it answers.

        None when it is a request, or came twice. Raises ProtocolError.
        """
        message = parse_message(frame.topic, frame.payload)
        if message is None or self._repeats.seen(frame):
            return None
        self.answers.resolve(message)
        return message

    def fail(self, reason: BaseException) -> None:
        """Tell everybody who waits that the link has ended."""
        text = str(reason) if isinstance(reason, CommunicationError) else "the session ended"
        kind = PushesRefusedError if isinstance(reason, PushesRefusedError) else WebSocketError
        self.answers.fail(
            kind(f"{text} before the heater answered; a command may still have taken effect")
        )

    def _wrap(
        self,
        requester: ReplyAddress,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> tuple[Frame, RequestKey]:
        if self._config.wire_format == "binary" and command is STATUS:
            key = RequestKey(address.mac_address, "", str(command.code))
            return build_binary_request(command, address), key
        # Milliseconds since the epoch, as the maker's app, but never twice (protocol 4.3).
        self.last_session_id = max(self.last_session_id + 1, int(time.time() * 1000))
        session_id = str(self.last_session_id)
        frame = build_request(command, address, requester, session_id, body)
        return frame, RequestKey(address.mac_address, requester.client_id, session_id)
