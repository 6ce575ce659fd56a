"""Tests of matching responses to requests, and of the duplicate filter."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from navien_nwp500 import WebSocketError
from navien_nwp500._connection.request_response import (
    RECENT,
    DuplicateFilter,
    PendingRequest,
    PendingRequests,
    RequestKey,
)
from navien_nwp500.protocol.messages import Frame, Message

MAC = "0123456789ab"
KEY = RequestKey(MAC, "me", "1768478400000")


def add(
    pending: PendingRequests, key: RequestKey = KEY, topic: str | None = None
) -> asyncio.Future[Message]:
    request = PendingRequest(key, topic)
    pending.add(request)
    return request.response


def message(mac: str | None = MAC, client: str = "me", session: str = KEY.session_id) -> Message:
    return Message("cmd/52/10001/20002/me/res", mac, client, session, {})


async def test_a_response_completes_its_own_request_alone() -> None:
    pending = PendingRequests()
    ours, other = add(pending, KEY), add(pending, KEY._replace(session_id="2"))
    pending.resolve(message())
    assert (await ours).session_id == KEY.session_id and not other.done()


async def test_the_first_of_two_responses_to_a_request_counts() -> None:
    pending = PendingRequests()
    ours = add(pending, KEY)
    first, second = message(), replace(message(), body={"later": True})
    pending.resolve(first)
    pending.resolve(second)
    assert await ours is first


@pytest.mark.parametrize(
    "foreign",
    [
        message(client="you"),
        message(session="1"),
        message(mac="0123456789ac"),
        message(mac=None),
        message(mac=MAC.upper()),
        message(client="", session=""),
        Message("cmd/52/x/res", MAC, "me", KEY.session_id, {}, binary_code=16777219),
    ],
)
async def test_a_message_that_differs_in_one_id_completes_nothing(foreign: Message) -> None:
    pending = PendingRequests()
    ours = add(pending, KEY)
    pending.resolve(foreign)
    assert not ours.done()


REPLY = "cmd/52/10001/20002/me/res"


async def test_a_packed_response_completes_nothing_and_is_kept() -> None:
    pending = PendingRequests()
    request = PendingRequest(KEY, f"{REPLY}/td/rd")
    pending.add(request)
    packed = replace(message(), topic=f"{REPLY}/td")
    for other in (
        packed,
        replace(message(), topic=REPLY),
        replace(message(), topic="cmd/52/td/rd"),
    ):
        pending.resolve(other)
    assert not request.response.done() and request.packed is packed
    right = replace(message(), topic=f"{REPLY}/td/rd")
    pending.resolve(right)
    pending.resolve(packed)
    assert await request.response is right


async def test_a_refusal_on_another_topic_completes_a_request() -> None:
    pending = PendingRequests()
    ours = add(pending, topic=f"{REPLY}/tou/rd")
    refusal = replace(message(), topic="cmd/52/navilink-0/res/ctrl-fail", body={"failCode": 2})
    pending.resolve(refusal)
    assert await ours is refusal


async def test_a_binary_response_is_matched_by_heater_and_code() -> None:
    pending = PendingRequests()
    key = RequestKey(MAC, "", "16777219")
    both = [add(pending, key), add(pending, key)]
    pending.resolve(Message("cmd/52/x/res", MAC, "", "", {}, binary_code=16777219))
    assert [one.done() for one in both] == [True, True]


async def test_failed_requests_raise_at_once_and_removed_ones_leave_nothing() -> None:
    pending = PendingRequests()
    both = [PendingRequest(KEY), PendingRequest(KEY)]
    for one in both:
        pending.add(one)
    assert len(pending) == 2
    pending.fail(WebSocketError("the connection dropped"))
    with pytest.raises(WebSocketError):
        await both[0].response
    for one in both:
        pending.remove(one)
    pending.resolve(message())
    assert len(pending) == 0


def test_a_duplicate_is_recognised_among_recent_messages() -> None:
    duplicates = DuplicateFilter()
    frames = [Frame("cmd/52/x/res", str(number).encode()) for number in range(RECENT + 1)]
    assert [duplicates.is_duplicate(frame, message()) for frame in (frames[0], frames[0])] == [
        False,
        True,
    ]
    assert not any(duplicates.is_duplicate(frame, message()) for frame in frames[1:])
    assert not duplicates.is_duplicate(frames[0], message())


async def test_a_response_that_came_before_the_drop_counts() -> None:
    pending = PendingRequests()
    ours = add(pending, KEY)
    pending.resolve(message())
    pending.fail(WebSocketError("the connection dropped"))
    assert await asyncio.wait_for(ours, 1) == message()
