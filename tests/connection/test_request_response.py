"""Which message answers which request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from navien_nwp500 import WebSocketError
from navien_nwp500._connection.request_response import (
    RECENT,
    DuplicateFilter,
    PendingRequests,
    RequestKey,
)
from navien_nwp500.protocol.messages import Frame, Message

MAC = "0123456789ab"
KEY = RequestKey(MAC, "me", "1768478400000")


def message(mac: str | None = MAC, client: str = "me", session: str = KEY.session_id) -> Message:
    return Message("cmd/52/10001/20002/me/res", mac, client, session, {})


async def test_an_answer_resolves_the_request_it_names_and_no_other() -> None:
    answers = PendingRequests()
    ours, other = answers.expect(KEY), answers.expect(KEY._replace(session_id="2"))
    answers.resolve(message())
    assert (await ours).session_id == KEY.session_id and not other.done()


async def test_of_two_answers_in_one_turn_of_the_loop_the_first_counts() -> None:
    answers = PendingRequests()
    ours = answers.expect(KEY)
    first, second = message(), replace(message(), body={"later": True})
    answers.resolve(first)
    answers.resolve(second)
    assert await ours is first


@pytest.mark.parametrize(
    "foreign",
    [
        message(client="you"),
        message(session="1"),
        message(mac="0123456789ac"),
        message(mac=None),
        Message("cmd/52/x/res", MAC, "me", KEY.session_id, {}, binary_code=16777219),
    ],
)
async def test_a_message_that_differs_in_one_name_resolves_nothing(foreign: Message) -> None:
    answers = PendingRequests()
    ours = answers.expect(KEY)
    answers.resolve(foreign)
    assert not ours.done()


async def test_a_binary_frame_answers_by_its_heater_and_code() -> None:
    answers = PendingRequests()
    key = RequestKey(MAC, "", "16777219")
    both = [answers.expect(key), answers.expect(key)]
    answers.resolve(Message("cmd/52/x/res", MAC, "", "", {}, binary_code=16777219))
    assert [one.done() for one in both] == [True, True]


async def test_what_is_forgotten_leaves_nothing_and_what_fails_fails_at_once() -> None:
    answers = PendingRequests()
    first, second = answers.expect(KEY), answers.expect(KEY)
    assert len(answers) == 2
    answers.fail(WebSocketError("the line dropped"))
    with pytest.raises(WebSocketError):
        await first
    for one in (first, second):
        answers.forget(KEY, one)
    answers.resolve(message())
    assert len(answers) == 0


def test_a_message_is_repeated_when_it_came_lately() -> None:
    repeats = DuplicateFilter()
    frames = [Frame("cmd/52/x/res", str(number).encode()) for number in range(RECENT + 1)]
    assert [repeats.seen(frame) for frame in (frames[0], frames[0])] == [False, True]
    assert not any(repeats.seen(frame) for frame in frames[1:])
    assert not repeats.seen(frames[0])


async def test_an_answer_that_came_first_is_not_undone_by_the_drop() -> None:
    answers = PendingRequests()
    ours = answers.expect(KEY)
    answers.resolve(message())
    answers.fail(WebSocketError("the line dropped"))
    assert await asyncio.wait_for(ours, 1) == message()
