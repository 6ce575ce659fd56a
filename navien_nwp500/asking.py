"""Asking a heater over a link: ids that never repeat, a pace that is kept, answers that match."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Mapping

from .answers import Answers, Key, Repeats
from .commands import STATUS, Command
from .config import NaviLinkConfig
from .exceptions import CommunicationError, RequestTimeoutError, WebSocketError
from .pace import Pace
from .protocol import (
    Address,
    Frame,
    Message,
    Requester,
    binary_request,
    parse_message,
    request,
)
from .subscribed import PushesRefusedError, SubscribedLink
from .waiting import at_most


class Asking:
    """The requests of one connection."""

    def __init__(self, config: NaviLinkConfig) -> None:
        self._config = config
        self.answers = Answers()
        self._repeats = Repeats()
        self._pace = Pace()
        self.last_session_id = 0

    async def ask(
        self,
        link: SubscribedLink,
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
            return await at_most(limit, answer)
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
        requester: Requester,
        address: Address,
        command: Command,
        body: Mapping[str, Any] | None,
    ) -> tuple[Frame, Key]:
        if self._config.wire_format == "binary" and command is STATUS:
            key = Key(address.mac_address, "", str(command.code))
            return binary_request(command, address), key
        # Milliseconds since the epoch, as the maker's app, but never twice (protocol 4.3).
        self.last_session_id = max(self.last_session_id + 1, int(time.time() * 1000))
        session_id = str(self.last_session_id)
        frame = request(command, address, requester, session_id, body)
        return frame, Key(address.mac_address, requester.client_id, session_id)
