"""Tests of the promises in docs/RELIABILITY.md about messages, health and callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from types import SimpleNamespace
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import (
    DeviceOfflineError,
    DeviceStatus,
    NaviLinkClient,
    NaviLinkDevice,
    ProtocolError,
    RequestTimeoutError,
    ValueOutOfRangeError,
)
from navien_nwp500._connection.poll_times import AdaptivePolls
from navien_nwp500.models import HealthState
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    GARBAGE,
    ChangeFields,
    CutConnections,
    DelayMessages,
    DuplicateMessages,
    ForeignMessages,
    HeaterOffline,
    InjectMessage,
)
from support.control_tools import record_writes
from support.reliability_tools import (
    LIMIT,
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_for_state,
    wait_until,
    watching,
    within_limit,
)


@pytest.fixture(name="device")
async def fixture_device(sim: Simulator) -> AsyncIterator[NaviLinkDevice]:
    async with NaviLinkClient(fast_config(sim)) as client:
        yield (await client.get_devices())[0]


@pytest.fixture(name="short_timeout_device")
async def fixture_short_timeout_device(sim: Simulator) -> AsyncIterator[NaviLinkDevice]:
    """Return a device whose requests time out soon."""
    async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
        yield (await client.get_devices())[0]


async def request_sent(device: NaviLinkDevice) -> None:
    """Wait until a request is pending."""
    await wait_until(lambda: bool(device._mqtt._connection._requests.pending))


# The heater is offline


async def test_an_offline_heater_is_an_error_for_a_request_and_a_gap_for_a_watcher(
    sim: Simulator, short_timeout_device: NaviLinkDevice, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(short_timeout_device) as watcher:
        for times in (1, 2):
            sim.faults.inject(HeaterOffline())
            with pytest.raises(DeviceOfflineError):
                await within_limit(short_timeout_device.get_status())
            await wait_for_state(short_timeout_device, HealthState.OFFLINE)
            connects = sim.counters.connects
            sim.faults.inject(CutConnections())
            await wait_until(lambda: sim.counters.connects > connects)
            await wait_for_state(short_timeout_device, HealthState.OFFLINE)
            sim.faults.clear()
            await watcher.next(2)
            assert (
                count_log(caplog, "does not answer") == count_log(caplog, "answers again") == times
            )


# Late, duplicate and foreign responses


async def test_a_late_response_does_not_complete_a_later_request(
    sim: Simulator, short_timeout_device: NaviLinkDevice
) -> None:
    await short_timeout_device.get_status()
    sim.faults.inject(ChangeFields(kind="responses", values={"errorCode": 799}, times=1))
    sim.faults.inject(DelayMessages(seconds=3600, times=1))
    with pytest.raises(RequestTimeoutError):
        await within_limit(short_timeout_device.get_status())
    request = asyncio.ensure_future(short_timeout_device.get_status())
    await request_sent(short_timeout_device)
    sim.faults.clear()
    assert (await within_limit(request)).error_code == 0
    assert not short_timeout_device._mqtt._connection._requests.pending


async def test_a_duplicate_response_is_delivered_once(
    sim: Simulator, device: NaviLinkDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.get_status()
    delivered: list[Any] = []
    subscriber = device._mqtt._subscriber
    deliver = subscriber.on_message

    def note(message: Any) -> None:
        delivered.append(message)
        deliver(message)

    monkeypatch.setattr(subscriber, "on_message", note)
    sim.faults.inject(DuplicateMessages())
    for _ in range(5):
        await within_limit(device.get_status())
    ids = [message.session_id for message in delivered if len(message.session_id) > 1]
    assert len(ids) == len(set(ids)) == 5


@pytest.mark.parametrize(
    "names", [{}, {"client_id": "x"}, {"session_id": "1"}, {"session_id": "2" * 13}]
)
async def test_a_foreign_response_does_not_complete_our_request(
    sim: Simulator, short_timeout_device: NaviLinkDevice, names: dict[str, Any]
) -> None:
    await short_timeout_device.get_status()
    sim.faults.inject(ForeignMessages(values={"errorCode": 799}, **names))
    assert (await within_limit(short_timeout_device.get_status())).error_code == 0
    sim.faults.inject(ForeignMessages(replace=True, **names))
    with pytest.raises(RequestTimeoutError):
        await within_limit(short_timeout_device.get_status())
    assert not short_timeout_device._mqtt._connection._requests.pending


async def test_a_response_after_cancellation_is_ignored(
    sim: Simulator, device: NaviLinkDevice
) -> None:
    await device.get_status()
    sim.faults.inject(DelayMessages(seconds=3600, times=1))
    request = asyncio.ensure_future(device.get_status())
    await request_sent(device)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert not device._mqtt._connection._requests.pending
    sim.faults.clear()
    await within_limit(device.get_status())


# Invalid messages

HOSTILE: list[Any] = [
    None,
    "text",
    1.5,
    float("nan"),
    True,
    10**400,
    2**63,
    [],
    {"deep": {"er": 1}},
    "x" * 50_000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:12])
async def test_an_invalid_optional_field_is_none_and_the_others_are_decoded(
    sim: Simulator, device: NaviLinkDevice, value: Any
) -> None:
    values = {"tankUpperTemperature": value, "brandNew": value}
    sim.faults.inject(ChangeFields(kind="responses", values=values))
    status = await within_limit(device.get_status())
    assert status.tank_upper_temperature is None
    assert repr(status.extra) == repr(values)
    assert status.dhw_temperature > 0 and status.tank_lower_temperature is not None
    assert device.health.bad_messages == 0


async def test_unknown_codes_and_absent_fields_are_kept(
    sim: Simulator, device: NaviLinkDevice
) -> None:
    new = {"errorCode": 799, "operationMode": 77, "dhwOperationSetting": 9, "compUse": 5}
    sim.faults.inject(ChangeFields(kind="responses", values=new, missing=["tankLowerTemperature"]))
    status = await within_limit(device.get_status())
    assert (status.error_code, status.operation_mode) == (799, 77)
    assert (status.dhw_operation_setting, status.comp_use) == (9, 5)
    assert status.tank_lower_temperature is None and status.extra == {}


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:12])
async def test_a_status_without_a_required_field_is_an_error_and_the_watch_continues(
    sim: Simulator, device: NaviLinkDevice, value: Any
) -> None:
    async with watching(device) as watcher:
        sim.faults.inject(ChangeFields(kind="responses", values={"dhwTemperature": value}))
        with pytest.raises(ProtocolError, match="dhwTemperature"):
            await within_limit(device.get_status())
        await wait_until(lambda: device.health.bad_messages >= 2)
        sim.faults.clear()
        await watcher.next(2)


def without_content() -> set[str]:
    """Return the garbage that is valid JSON here: Python 3.14 parses deeper objects than the others."""
    with contextlib.suppress(RecursionError):
        json.loads(GARBAGE["deep object"])
        return {"null", "deep object"}
    return {"null"}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_never_ends_a_watch(
    sim: Simulator, device: NaviLinkDevice, garbage: str
) -> None:
    async with watching(device) as watcher:
        sim.faults.inject(InjectMessage(garbage=garbage))
        if garbage not in without_content():
            await wait_until(lambda: device.health.bad_messages == 1)
        await watcher.next(2)
    assert sim.counters.connects == 1


# Callbacks


async def test_a_callback_that_raises_is_logged_with_its_traceback_and_called_again(
    sim: Simulator, device: NaviLinkDevice, caplog: pytest.LogCaptureFixture
) -> None:
    called = []

    def fail(status: DeviceStatus) -> None:
        called.append(status)
        raise ValueError("a callback's own fault")

    mqtt = await device.get_mqtt_connection()
    mqtt.set_status_callback(fail)
    async with watching(device) as watcher:
        monitoring = asyncio.ensure_future(mqtt.start_monitoring(polling_interval=0.05))
        await wait_until(lambda: len(called) >= 3)
        await watcher.next(2)
        await mqtt.stop_monitoring()
        await within_limit(monitoring)
    errors = [one for one in caplog.records if one.levelname == "ERROR"]
    assert len(errors) == len(called)
    assert all("a callback's own fault" in str(one.exc_text or one.exc_info) for one in errors)


async def test_a_slow_callback_delays_no_watcher_and_gets_the_latest_status(
    sim: Simulator, device: NaviLinkDevice
) -> None:
    called: list[DeviceStatus] = []
    slow = asyncio.Event()

    async def wait(status: DeviceStatus) -> None:
        called.append(status)
        await slow.wait()

    mqtt = await device.get_mqtt_connection()
    mqtt.set_status_callback(wait)
    monitoring = asyncio.ensure_future(mqtt.start_monitoring(polling_interval=3600))
    await wait_until(lambda: len(called) == 1)
    async with watching(device) as watcher:
        await watcher.next(10)
        newest = device.last_status
        slow.set()
        await wait_until(lambda: len(called) >= 2)
        assert newest is not None and called[1] is not called[0]
        assert called[1] in (newest, device.last_status)
    await mqtt.stop_monitoring()
    await within_limit(monitoring)


# Polls whose interval depends on the status


async def test_the_interval_may_follow_the_latest_status_and_a_push_is_not_polled_again(
    sim: Simulator, device: NaviLinkDevice
) -> None:
    def interval(status: DeviceStatus | None) -> float:
        changed = status is not None and status.dhw_temperature_setting == 100
        return 0.01 if changed else 3600

    async with record_writes(sim, "st") as polls:
        statuses = device.watch(interval)
        try:
            await within_limit(statuses.__anext__())
            wifi = sim.units[0].wifi
            wifi._push(wifi.heater.status(0))
            await within_limit(statuses.__anext__())
            assert len(polls) <= 1
            wifi.heater.set_setpoint(HalfCelsius(100))
            wifi._push(wifi.heater.status(0))
            while len(polls) < 4:  # responses to the polls that this push made due
                await within_limit(statuses.__anext__())
        finally:
            await statuses.aclose()


def test_polls_count_from_the_latest_status_and_from_an_unanswered_poll() -> None:
    heater: Any = SimpleNamespace(last_status=None, last_status_age=2000.0)
    polls = AdaptivePolls(heater, lambda status: 10_000)
    start = time.monotonic()
    assert 7000 - LIMIT < polls.due - start < 8000 + LIMIT
    polls.on_poll()
    assert 9000 - LIMIT < polls.due - start < 10_000 + LIMIT
    with pytest.raises(ValueOutOfRangeError, match="interval"):
        AdaptivePolls(heater, lambda status: 0).due
