"""The session's own promises, with what the simulator offers without faults."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import (
    InvalidCredentialsError,
    MQTTError,
    NaviLinkClient,
    NaviLinkDevice,
    ReconnectConfig,
    WebSocketError,
)
from navien_nwp500._connection import transport as transport_base
from navien_nwp500._connection.request_response import RequestKey
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.models import Health, HealthState
from navien_nwp500.protocol.messages import Frame, parse_message
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import LoseReplies, RefuseRequests, RestFault
from support.transports import each_transport

LIMIT = 60.0
SOON = ReconnectConfig(initial_delay=0.05, max_delay=0.1)


async def until(generator: AsyncIterator[Health], state: HealthState) -> Health:
    async def wait() -> Health:
        async for health in generator:
            if health.state is state:
                return health
        raise AssertionError("the health ended")

    return await asyncio.wait_for(wait(), LIMIT)


async def watched(device: NaviLinkDevice) -> asyncio.Task[None]:
    """A watcher in the background, already served once."""
    heard = asyncio.Event()

    async def watch() -> None:
        async for _ in device.watch(interval=0.05):
            heard.set()

    task = asyncio.get_running_loop().create_task(watch())
    await asyncio.wait_for(heard.wait(), LIMIT)
    return task


async def stop(task: asyncio.Task[None]) -> None:
    await cancel_and_wait(task)
    assert task.cancelled()


@each_transport
async def test_health_follows_a_dropped_and_restored_connection(sim: Simulator) -> None:
    async with NaviLinkClient(replace(sim.config, reconnect=SOON)) as client:
        device = (await client.get_devices())[0]
        assert device.health.state is HealthState.IDLE
        task = await watched(device)
        changes = device.watch_health()
        assert (await until(changes, HealthState.ONLINE)).last_status is not None
        await sim._cloud.drop_connections()
        await until(changes, HealthState.CONNECTING)
        back = await until(changes, HealthState.ONLINE)
        assert back.reconnects == 1 and back.missed == 0
        await changes.aclose()
        await stop(task)
    assert device.health.state is HealthState.IDLE


@each_transport
async def test_a_message_on_a_connection_that_then_fails_counts_as_restored_and_lost(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with NaviLinkClient(replace(sim.config, reconnect=SOON)) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        changes = device.watch_health()
        await until(changes, HealthState.ONLINE)
        monkeypatch.setattr(transport_base, "OPERATION_TIMEOUT", 1.0)
        sim.faults.inject(LoseReplies("suback", times=1))
        await sim._cloud.drop_connections()
        for reconnects in (1, 2):  # the heater answers over the first, whose SUBACK never comes
            await until(changes, HealthState.CONNECTING)
            assert (await until(changes, HealthState.ONLINE)).reconnects == reconnects
        await changes.aclose()
        await stop(task)
    logged = [text for text in caplog.messages if text.startswith("Connection to the cloud")]
    lost = "Connection to the cloud lost; reconnecting."
    restored = "Connection to the cloud restored."
    assert logged == [lost, restored, lost, restored]


@each_transport
async def test_a_request_during_an_outage_is_an_error_and_is_not_queued(
    sim: Simulator,
) -> None:
    patient = replace(SOON, max_retries=None)
    config = replace(sim.config, reconnect=patient, answer_timeout=1.0)
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        changes = device.watch_health()
        before = (await device.get_status()).dhw_temperature_setting
        sim.faults.inject(RefuseRequests(where="mqtt"))
        await sim._cloud.drop_connections()
        await until(changes, HealthState.CONNECTING)
        watch = device.watch(interval=1)
        begun = asyncio.ensure_future(watch.__anext__())
        for asking in (device.get_status(), device.set_temperature(celsius=45, force=True)):
            with pytest.raises(MQTTError, match="being restored"):
                await asyncio.wait_for(asking, LIMIT)
        assert device.health.state is HealthState.CONNECTING
        sim.faults.clear()
        await until(changes, HealthState.ONLINE)
        await asyncio.wait_for(begun, LIMIT)  # to a watch it was a gap
        await watch.aclose()
        assert (await device.get_status()).dhw_temperature_setting == before != 90
        await changes.aclose()
        await stop(task)


@each_transport
async def test_an_unresponsive_heater_is_reconnected_then_reported_offline_once(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(sim.config, reconnect=SOON, answer_timeout=1.0)
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        changes = device.watch_health()
        await sim.unplug()
        silent = await until(changes, HealthState.UNRESPONSIVE)
        assert silent.missed >= 1
        await until(changes, HealthState.OFFLINE)
        assert sim.counters.connects == 2
        subscribed = sim.counters.subscribes
        # Offline stays offline: more silence is neither said again nor answered by reconnecting.
        silence = asyncio.ensure_future(device._mqtt._escalate_recovery())
        assert await silence is False
        await sim.plug_in()
        await until(changes, HealthState.ONLINE)
        assert sim.counters.connects == 2
        assert sim.counters.subscribes == subscribed
        await changes.aclose()
        await stop(task)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("does not answer" in text for text in said) == 1
    assert sum("answers again" in text for text in said) == 1


async def test_one_unresponsive_heater_does_not_reconnect_the_others() -> None:
    async with Simulator(speed=600, heaters=2) as sim:
        config = replace(sim.config, answer_timeout=1.0)
        async with NaviLinkClient(config) as client:
            silent, speaking = await client.get_devices()
            tasks = [await watched(silent), await watched(speaking)]
            changes = silent.watch_health()
            await sim.unplug(0)
            await until(changes, HealthState.OFFLINE)
            assert sim.counters.connects == 1
            await changes.aclose()
            for task in tasks:
                await stop(task)


async def test_a_duplicate_message_is_delivered_once(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        heater = sim.units[0]
        body = (
            b'{"clientID":"x","sessionID":"3","response":{"macAddress":"0123456789ab","status":%s}}'
        )
        from navien_nwp500.protocol.messages import encode_status

        frame = Frame(
            "cmd/52/navilink-0123456789ab/res", body % encode_status(heater.heater.status())
        )
        before = device.last_status
        client._pool.first._dispatch(frame)
        first = device.last_status
        client._pool.first._dispatch(frame)
        assert first is not before and device.last_status is first


async def test_late_foreign_and_duplicate_responses_complete_nothing(
    sim: Simulator,
) -> None:
    async with NaviLinkClient(replace(sim.config, answer_timeout=1.0)) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        session = client._pool.first
        answers = session._requests.pending
        await sim.unplug()
        asking = asyncio.ensure_future(device._mqtt.get_status())
        while not answers:
            await asyncio.sleep(0)
        ((mac, client_id, session_id),) = answers._waiting
        foreign = [
            (mac, client_id, "1"),
            (mac, "somebody", session_id),
            (mac, "", ""),
            ("0123456789ac", client_id, session_id),
            (mac.upper(), client_id, session_id),
        ]
        for names in foreign:
            session._dispatch(answer_to(*names))
        nameless = '{"clientID":"%s","sessionID":"%s","response":{}}' % (client_id, session_id)
        session._dispatch(Frame("cmd/52/10001/20002/x/res", nameless.encode()))
        assert not any(
            answer.done() for answer in answers._waiting[RequestKey(mac, client_id, session_id)]
        )
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        session._dispatch(answer_to(mac, client_id, session_id))
        session._dispatch(answer_to(mac, client_id, session_id))
        assert not answers


def answer_to(mac: str, client_id: str, session_id: str) -> Frame:
    names = (client_id, session_id, mac)
    payload = '{"clientID":"%s","sessionID":"%s","response":{"macAddress":"%s"}}' % names
    return Frame("cmd/52/10001/20002/x/res", payload.encode())


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[]", b"{}" * 3, b"\x01\x02", b"null"])
async def test_invalid_messages_are_counted_and_do_not_stop_the_connection(
    sim: Simulator, payload: bytes
) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        client._pool.first._dispatch(Frame("cmd/52/navilink-0123456789ab/res", payload))
        assert device.health.bad_messages == 1
        assert (await device.get_status()).device_connected == 2


@each_transport
async def test_a_failed_first_connect_raises(sim: Simulator) -> None:
    nowhere = replace(sim.config, websocket_url="wss://127.0.0.1:1/mqtt")
    async with NaviLinkClient(nowhere) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(WebSocketError):
            await device.get_status()
        with pytest.raises(WebSocketError):
            async for _ in device.watch(interval=0.05):
                break


async def test_giving_up_reconnecting_raises_to_the_watcher(sim: Simulator) -> None:
    rule = ReconnectConfig(max_retries=2, initial_delay=0.02, max_delay=0.05)
    async with NaviLinkClient(replace(sim.config, reconnect=rule)) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        sim.faults.rest["/auth/session/refresh"] = RestFault(503)
        sim.faults.rest["/user/secured-sign-in"] = RestFault(503)
        sim.faults.rest["/user/sign-in"] = RestFault(503)
        sim._cloud.book.revoke_keys()
        await sim._cloud.drop_connections()
        with pytest.raises(MQTTError, match="gave up after 2 tries"):
            await asyncio.wait_for(task, LIMIT)
        sim.faults.clear()
        assert (await device.get_status()).device_connected == 2


async def test_a_password_rejected_while_reconnecting_stops_at_once(sim: Simulator) -> None:
    async with NaviLinkClient(replace(sim.config, reconnect=SOON)) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        for path in ("/auth/session/refresh", "/user/secured-sign-in"):
            sim.faults.rest[path] = RestFault.error(403, "FORBIDDEN")
        sim.faults.rest["/user/sign-in"] = replace(
            RestFault.error(401, "Invalid credentials"), times=1
        )
        sim._cloud.book.revoke_keys()
        await sim._cloud.drop_connections()
        with pytest.raises(InvalidCredentialsError):
            await asyncio.wait_for(task, LIMIT)
        # The sign-in at the start, and the one that was refused.
        assert sim.counters.passwords == 2


@each_transport
async def test_credentials_that_expired_while_connected_are_renewed_at_the_next_connect(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NaviLinkClient(replace(sim.config, reconnect=SOON)) as client:
        device = (await client.get_devices())[0]
        task = await watched(device)
        changes = device.watch_health()
        # Eight hours of sleep: the wall clock has moved on, the steady clock has not.
        now = time.time
        monkeypatch.setattr(
            "navien_nwp500._connection.credentials.time.time", lambda: now() + 8 * 3600
        )
        sim._cloud.book.revoke_keys()
        sim._cloud.book.revoke_access_tokens()
        await sim._cloud.drop_connections()
        await until(changes, HealthState.CONNECTING)
        await until(changes, HealthState.ONLINE)
        monkeypatch.undo()
        assert sim.counters.passwords == 1
        assert sim.counters.refreshes >= 1
        assert not sim.counters.refusals, "keys known to have ended were tried"
        await changes.aclose()
        await stop(task)


async def test_a_slow_watcher_gets_the_latest_status_never_a_backlog(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        slow = device.watch(interval=3600)
        await slow.__anext__()
        for _ in range(20):
            await device.get_status()
        assert await slow.__anext__() is device.last_status
        following = asyncio.ensure_future(slow.__anext__())
        await asyncio.sleep(0)
        assert not following.done()
        following.cancel()
        await asyncio.wait({following})


@each_transport
async def test_closing_during_requests_and_a_reconnect_leaves_no_task(sim: Simulator) -> None:
    before = asyncio.all_tasks()
    client = NaviLinkClient(replace(sim.config, reconnect=SOON))
    device = (await client.get_devices())[0]
    task = await watched(device)
    asking = [asyncio.ensure_future(device.get_status()) for _ in range(3)]
    await sim._cloud.drop_connections()
    await client.close()
    results: list[Any] = await asyncio.gather(task, *asking, return_exceptions=True)
    assert all(isinstance(result, (MQTTError, WebSocketError)) for result in results[:1])
    left = {one for one in asyncio.all_tasks() - before if one.get_name().startswith("navilink")}
    assert left == set()


def test_a_request_is_recognised_by_its_topic() -> None:
    own = b'{"clientID":"c","sessionID":"1","request":{"command":16777219}}'
    assert parse_message("cmd/52/navilink-0123456789ab/st", own) is None
