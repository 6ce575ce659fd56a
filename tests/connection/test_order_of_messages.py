"""Statuses that arrive late or in another order, and answers that stay away while pushes arrive."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator, Iterator

import pytest
from hypothesis import given, strategies as st

from navien_nwp500 import (
    DeviceStatus,
    NaviLinkClient,
    NaviLinkConfig,
    NaviLinkDevice,
    RequestTimeoutError,
)
from navien_nwp500._connection.request_response import (
    DuplicateFilter,
    PendingRequest,
    RequestKey,
    RequestResponse,
    StatusOrder,
)
from navien_nwp500.models import HealthState
from navien_nwp500.protocol.messages import (
    Address,
    Frame,
    Message,
    Request,
    build_reply,
    encode_binary_status,
)
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import DelayMessages, DropMessages
from support.reliability_tools import (
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_for_state,
    wait_until,
    watching,
    within_limit,
)

MAC = "0123456789ab"
ADDRESS = Address(MAC, "1234", 10001)
REPLIES = "cmd/52/10001/20002/me/res"
#: Milliseconds since the epoch, in the past.
PAST = 1768478400000


# A late answer


@asynccontextmanager
async def short_timeout_heater(sim: Simulator) -> AsyncIterator[NaviLinkDevice]:
    async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
        device = (await client.get_devices())[0]
        await device.get_features()
        yield device


async def test_a_late_answer_does_not_replace_a_newer_confirmed_status(sim: Simulator) -> None:
    async with short_timeout_heater(sim) as device:
        late = sim.faults.inject(DelayMessages(seconds=3600, times=1))
        with pytest.raises(RequestTimeoutError):
            await within_limit(device.get_status())
        assert not late.is_active
        confirmed = await within_limit(device.set_temperature(celsius=50))
        watched: list[DeviceStatus] = []
        sim.faults.inject(DropMessages(kind="pushes"))
        async with watching(device, interval=3600) as watcher:
            watched = watcher.statuses
            sim.faults.clear()
            # Later than the late answer, for they come in order.
            await within_limit(device.get_features())
            await within_limit(device.get_status())
            await wait_until(lambda: watched[-1] is device.last_status)
        assert confirmed.dhw_temperature_setting.celsius == 50
        assert {status.dhw_temperature_setting.celsius for status in watched} == {50}


def response(session_id: int, setting: int, topic: str = REPLIES, client: str = "me") -> Frame:
    """Return the response to the request with this session id, which shows a setting."""
    request = Request(topic, 1, MAC, "1234", client, str(session_id), topic, {})
    return build_reply(request, ADDRESS, {"status": {"dhwTemperatureSetting": setting}})


def push(count: int, setting: int) -> Frame:
    frame = response(count % 10, setting, f"cmd/52/navilink-{MAC}/res", "you")
    return frame


@given(st.permutations(range(6)))
def test_of_answers_in_any_order_the_newest_request_is_known_at_the_end(order: list[int]) -> None:
    async def play() -> None:
        requests = RequestResponse(NaviLinkConfig())
        for number in range(6):
            requests.pending.add(PendingRequest(RequestKey(MAC, "me", str(PAST + number))))
        known = []
        for number in order:
            received = requests.handle(response(PAST + number, number))
            assert received is not None
            if not received.outdated:
                known.append(received.message.body["status"]["dhwTemperatureSetting"])
        # Each is newer than the one before, and the last is the newest of all.
        assert known == sorted(known) and known[-1] == 5

    asyncio.run(play())


def test_an_answer_that_nobody_waits_for_replaces_nothing_that_came_since() -> None:
    async def play() -> Iterator[bool]:
        requests = RequestResponse(NaviLinkConfig())
        frames = [
            response(PAST, 1),  # the first message of all
            push(1, 2),
            response(PAST + 1, 3),  # late: something has arrived since
            response(PAST + 1, 4, f"cmd/52/navilink-{MAC}/you/res", "you"),  # another client's
            push(2, 5),
            response(int(time.time() * 1000) + 60_000, 6, client="you"),
            push(3, 7),
        ]
        received = [requests.handle(frame) for frame in frames]
        return iter([one is not None and one.outdated for one in received])

    assert list(asyncio.run(play())) == [False, False, True, True, False, False, False]


def test_ids_of_another_form_have_no_time() -> None:
    order = StatusOrder()
    for session_id in ("", "7", "12", "x" * 13, "٣" * 13, "1" * 14):
        message = Message("cmd/52/x/res", MAC, "you", session_id, {})
        assert not order.is_outdated(message, expected=False)


def test_a_foreign_id_from_the_future_makes_no_answer_of_ours_outdated() -> None:
    order = StatusOrder()
    future = Message("cmd/52/x/res", MAC, "me", "2" * 13, {})
    assert not order.is_outdated(future, expected=False)
    ours = replace(future, session_id=str(PAST))
    assert not order.is_outdated(ours, expected=True)


def test_after_the_clock_was_set_back_answers_are_still_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = StatusOrder()
    before = int(time.time() * 1000)
    monkeypatch.setattr(time, "time", lambda: (before - 3_600_000) / 1000)
    for number in range(3):
        message = Message("cmd/52/x/res", MAC, "me", str(before + number), {})
        assert not order.is_outdated(message, expected=True)
    late = Message("cmd/52/x/res", MAC, "me", str(before + 1), {})
    assert order.is_outdated(late, expected=False)


# Messages without an id


def test_equal_binary_frames_are_no_duplicates() -> None:
    duplicates = DuplicateFilter()
    frame = Frame(f"cmd/52/navilink-{MAC}/res", b"\x01\0\0\x03" + 8 * b"\0")
    binary = Message(frame.topic, MAC, "", "", {}, binary_code=16777219)
    assert [duplicates.is_duplicate(frame, binary) for _ in range(3)] == [False] * 3
    push_message = replace(binary, session_id="3", binary_code=None)
    assert [duplicates.is_duplicate(frame, push_message) for _ in range(2)] == [False, True]


async def test_an_idle_heater_answers_every_binary_request() -> None:
    async with Simulator(speed=600, frozen=True, draws=None) as sim:
        config = fast_config(sim, wire_format="binary", answer_timeout=10.0)
        async with NaviLinkClient(config) as client:
            device = (await client.get_devices())[0]
            first = await within_limit(device.get_status())
            frame = encode_binary_status(first, MAC)
            for _ in range(3):
                status = await within_limit(device.get_status())
                assert encode_binary_status(status, MAC) == frame


# Pushes arrive, answers do not


async def test_pushed_statuses_are_watched_while_answers_stay_away(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with short_timeout_heater(sim) as device:
        async with watching(device) as watcher:
            answers = sim.faults.inject(DropMessages(kind="responses"))
            stop = asyncio.Event()
            pushing = asyncio.ensure_future(push_until(stop, sim))
            try:
                for _ in range(3):
                    await watcher.next(2)
                await wait_for_state(device, HealthState.OFFLINE)
                assert device.health.missed > 3
                # The steps before: subscribe again, and a new connection.
                assert sim.counters.connects >= 2
                await watcher.next(2)
                assert device.health.state is HealthState.OFFLINE
                sim.faults.clear(answers.name)
                await wait_for_state(device, HealthState.ONLINE)
                assert device.health.missed == 0
            finally:
                stop.set()
                await within_limit(pushing)
    assert count_log(caplog, "does not answer") == count_log(caplog, "answers again") == 1


async def push_until(stop: asyncio.Event, sim: Simulator) -> None:
    """Push a status every few milliseconds, as a heater does that is busy."""
    wifi = sim.units[0].wifi
    while not stop.is_set():
        wifi._push(wifi.heater.status(0))
        await asyncio.sleep(0.005)


async def test_polls_without_an_answer_are_not_sent_without_pause(sim: Simulator) -> None:
    async with short_timeout_heater(sim) as device:
        async with watching(device, interval=3600):
            polls: list[Any] = []
            wifi = sim.units[0].wifi
            execute = wifi._execute

            def count(request: Request) -> Any:
                polls.append(request)
                return execute(request)

            wifi._execute = count
            sim.faults.inject(DropMessages(kind="responses"))
            # Wakes the watch, as a reconnect does.
            device._mqtt._on_connection_change(HealthState.CONNECTING)
            await wait_for_state(device, HealthState.OFFLINE)
            sent = len(polls)
            for _ in range(50):
                wifi._push(wifi.heater.status(0))
            # The first push of a heater that seemed offline is followed by one poll, the others by none.
            await wait_until(lambda: len(polls) == sent + 1)
            await within_limit(_settled(device))
            assert len(polls) == sent + 1


async def _settled(device: NaviLinkDevice) -> None:
    """Wait until no request is pending, and the watch has looked at what came."""
    pending = device._mqtt._connection._requests.pending
    while pending:
        await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0)
