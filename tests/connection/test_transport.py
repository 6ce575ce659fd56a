"""Tests of what every transport must do."""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
import threading
from dataclasses import dataclass
from typing import Any, Iterable

import pytest
import trustme

from navien_nwp500 import NaviLinkClient, RequestTimeoutError, WebSocketError
from navien_nwp500._connection import aiomqtt_websocket, transport as transport_base
from navien_nwp500._connection.credentials import AwsCredentials
from navien_nwp500._connection.transport import (
    HandshakeRefusedError,
    SubscriptionRefusedError,
    Transport,
)
from navien_nwp500.client import choose_transports
from navien_nwp500.protocol.messages import Frame
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.mqtt_packets import Packet
from navien_nwp500.simulator.faults import (
    ClientConnection,
    CutConnections,
    HalfOpen,
    HeaterOffline,
    LoseReplies,
    PacketFault,
    RefuseRequests,
)
from support.refusing_broker import RefuseSubscriptions
from support.reliability_tools import fast_config, wait_until, within_limit
from support.transports import TRANSPORTS, each_transport

HEATER = "cmd/52/navilink-0123456789ab"


async def open_transport(
    sim: Simulator, transport: str, ca_bytes: bytes | None = None, **changed: str
) -> Transport:
    """Open a transport without a connection around it."""
    issued = sim._cloud.book.issue_keys(sim.account)
    signing = AwsCredentials(
        expires_at=issued.expires_at,
        access_key_id=issued.access_key_id,
        secret_key=changed.get("secret_key", issued.secret_key),
        session_token=changed.get("session_token", issued.session_token),
    )
    chosen = TRANSPORTS[transport]
    kind = choose_transports(chosen["transport"])[chosen["mqtt_protocol"]]
    ca_bytes = ca_bytes or sim._cloud.ca_file.read_bytes()
    return await kind.open(sim._cloud.websocket_url, signing, ca_bytes)


def open_transports() -> list[Transport]:
    """Return every open transport; a reference keeps the garbage collector from closing it."""
    return [one for one in gc.get_objects() if issubclass(type(one), Transport) and one.connected]


@each_transport
async def test_a_published_message_is_received_unchanged(sim: Simulator, transport: str) -> None:
    one = await open_transport(sim, transport)
    await one.subscribe(f"{HEATER}/{one.client_id}/res/#")
    for topic in ("res", "res/did"):
        frame = Frame(f"{HEATER}/{one.client_id}/{topic}", bytes(range(256)) * 400)
        await one.publish(frame)
        assert await within_limit(one.receive()) == frame
    assert one.connected
    await one.close()
    assert not one.connected and await within_limit(one.receive()) is None
    await one.close()
    await wait_until(lambda: sim.counters.open_connections == 0)


@each_transport
@pytest.mark.parametrize("wrong", ["secret_key", "session_token"])
async def test_rejected_credentials_have_their_own_error(
    sim: Simulator, transport: str, wrong: str
) -> None:
    with pytest.raises(HandshakeRefusedError):
        await within_limit(open_transport(sim, transport, **{wrong: "x" * 40}))


@each_transport
async def test_a_broker_with_an_untrusted_certificate_is_not_used(
    sim: Simulator, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_base, "OPEN_TIMEOUT", 2.0)  # the SDK takes up to 24 s
    with pytest.raises((WebSocketError, RequestTimeoutError)):
        await within_limit(open_transport(sim, transport, trustme.CA().cert_pem.bytes()))
    assert sim.counters.handshakes == sim.counters.refused_handshakes == 0


@dataclass
class RecordTopics(PacketFault):
    """Record the topics of SUBSCRIBE and PUBLISH."""

    name = "record_topics"

    def from_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind == mqtt_packets.SUBSCRIBE:
            self.topics.extend(name for name, _ in mqtt_packets.read_subscriptions(packet))
        elif packet.kind == mqtt_packets.PUBLISH:
            self.topics.append(mqtt_packets.read_publish_topic(packet))
        return (packet,)

    def __post_init__(self) -> None:
        self.topics: list[str] = []


@each_transport
async def test_packets_are_sent_in_the_order_of_the_calls(sim: Simulator, transport: str) -> None:
    recorder = RecordTopics()
    sim.faults.inject(recorder)
    one = await open_transport(sim, transport)
    topics = [f"{HEATER}/{number}/res" for number in range(8)]
    operation: list[Any] = [
        one.subscribe(topic) if number % 4 else one.publish(Frame(topic, b"{}"))
        for number, topic in enumerate(topics)
    ]
    await within_limit(asyncio.gather(*operation))
    assert recorder.topics == topics
    await one.close()


@each_transport
async def test_a_refused_subscription_is_an_error(sim: Simulator, transport: str) -> None:
    sim.faults.inject(RefuseSubscriptions())
    one = await open_transport(sim, transport)
    with pytest.raises(SubscriptionRefusedError, match="subscribing"):
        await within_limit(one.subscribe(f"{HEATER}/#"))
    assert one.connected
    await one.close()


@pytest.mark.navilink(frozen=True)  # a push would arrive before the end of the connection
@each_transport
async def test_every_wait_ends_at_its_time_limit_or_with_the_connection(
    sim: Simulator, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.faults.inject(LoseReplies("suback", times=2))
    one = await open_transport(sim, transport)
    with monkeypatch.context() as patch:
        patch.setattr(transport_base, "OPERATION_TIMEOUT", 0.1)
        with pytest.raises(RequestTimeoutError):
            await within_limit(one.subscribe(f"{HEATER}/#"))
    subscribing = asyncio.ensure_future(one.subscribe(f"{HEATER}/#"))
    await wait_until(lambda: sim.counters.subscribes == 2)
    sim.faults.inject(CutConnections())
    with pytest.raises(WebSocketError, match="subscribing"):
        await within_limit(subscribing)
    while await within_limit(one.receive()) is not None:
        pass  # messages from before the drop
    for late in (one.subscribe(f"{HEATER}/#"), one.publish(Frame(f"{HEATER}/st", b"{}"))):
        with pytest.raises(WebSocketError, match="nothing was sent"):
            await within_limit(late)


@each_transport
async def test_a_cancelled_connect_is_disconnected_later(sim: Simulator, transport: str) -> None:
    sim.faults.inject(HalfOpen(new=True))
    opening = asyncio.ensure_future(open_transport(sim, transport))
    await wait_until(lambda: sim.counters.open_connections == 1)
    transports = open_transports()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    sim.faults.clear()
    await wait_until(lambda: sim.counters.open_connections == 0)
    assert len(transports) == 1


@each_transport
async def test_closing_during_a_subscription_disconnects(sim: Simulator, transport: str) -> None:
    sim.faults.inject(LoseReplies("suback", times=None))
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        sim.faults.inject(HeaterOffline(heater=device.mac_address))  # it would answer before SUBACK
        operation = asyncio.ensure_future(device.get_status())
        await wait_until(lambda: sim.counters.subscribes >= 1)
        transports = open_transports()
    await asyncio.wait({operation})
    assert isinstance(operation.exception(), Exception)
    await wait_until(lambda: sim.counters.open_connections == 0)
    assert len(transports) == 1


async def test_a_server_that_does_not_respond_leaves_no_thread_and_no_socket(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancel a handshake of the pure transport, which blocks a thread of the executor."""
    limit = ssl.SSLSocket.settimeout  # so long that only the cancellation ends it
    monkeypatch.setattr(ssl.SSLSocket, "settimeout", lambda tls, value: limit(tls, value and 60.0))
    refuse = sim.faults.inject(RefuseRequests(where="mqtt", unanswered=True, times=1))
    opening = asyncio.ensure_future(open_transport(sim, "pure"))
    await wait_until(lambda: refuse.times == 0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    def left() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if "navilink" in task.get_name()]

    await wait_until(lambda: not left())
    stacks = sys._current_frames()
    for thread in threading.enumerate():
        frame = stacks.get(thread.ident or 0)
        while frame is not None:
            assert "paho" not in frame.f_code.co_filename
            frame = frame.f_back
    gc.collect()  # would report an open socket


async def test_errors_in_the_logs_of_the_libraries_are_logged_as_debug(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Drop a connection: the library restores and logs it, while paho logs an error."""
    async with NaviLinkClient(fast_config(sim, transport="pure")) as client:
        device = (await client.get_devices())[0]
        for lost in (1, 2, 3):
            await within_limit(device.get_status())
            sim.faults.inject(CutConnections())
            await wait_until(lambda: device.health.reconnects == lost)
    library = aiomqtt_websocket._LIBRARY
    with caplog.at_level("DEBUG", library.name):
        library.error("failed to receive on socket: %s", "EOF")
    with caplog.at_level("INFO", library.name):
        library.error("not shown")
    assert "failed to receive on socket: EOF" in caplog.text and "not shown" not in caplog.text
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


# Calls between the device and the transport


@each_transport
async def test_a_status_request_passes_at_most_five_calls(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count the functions that a reader passes from the device to the transport."""
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        kind = type(client._pool.first._transport._transport)
        publish = kind.publish
        calls: list[str] = []

        async def count_calls(transport: Transport, frame: Frame) -> None:
            caller = sys._getframe(1)
            while caller.f_code is not device.get_status.__func__.__code__:
                calls.append(caller.f_code.co_name)
                assert caller.f_back is not None
                caller = caller.f_back
            await publish(transport, frame)

        monkeypatch.setattr(kind, "publish", count_calls)
        await within_limit(device.get_status())
    assert len(calls) <= 5, calls
