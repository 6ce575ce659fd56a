"""Requests under way, and which message answers which of them.

An answer repeats the client id and the session id of its request (protocol 4.3) and names its
heater in every case seen (protocol 4.2), so all three must agree; a message that names no heater
answers nobody. A binary frame has no ids: it is known by its heater and its code.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from .exceptions import CommunicationError
from .protocol import Frame, Message

#: How many messages back a repetition is recognised.
RECENT = 8


class Key(NamedTuple):
    """What a request and its answer have in common; a binary one has its code for a session id."""

    mac_address: str
    client_id: str
    session_id: str


class Answers:
    """Hand each answer to those who wait for it. Two may wait for one only in the binary form."""

    def __init__(self) -> None:
        self._waiting: dict[Key, list[asyncio.Future[Message]]] = {}

    def __len__(self) -> int:
        """Return how many requests are under way."""
        return sum(map(len, self._waiting.values()))

    def expect(self, key: Key) -> asyncio.Future[Message]:
        """Expect an answer; whoever does must ``forget`` it, however it ends."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        return answer

    def forget(self, key: Key, answer: asyncio.Future[Message]) -> None:
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
        for answer in self._waiting.get(Key(message.mac_address or "", client_id, session_id), ()):
            if not answer.done():
                answer.set_result(message)

    def fail(self, error: CommunicationError) -> None:
        """End every wait: the answers cannot come any more."""
        for waiting in self._waiting.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(error)


class Repeats:
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
