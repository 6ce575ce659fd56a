"""Limits of AWS IoT that every broker of the simulator keeps (PROTOCOL 2.3, 2.5)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import AsyncIterator, Callable

import pytest
import pytest_asyncio

from navien_nwp500.simulator.cloud import aws_broker, mqtt_packets
from navien_nwp500.simulator.cloud.aws_broker import PublishLimiter, effective_keep_alive
from navien_nwp500.simulator.cloud.broker_process import BUILT_IN, IOTCORE, MOSQUITTO
from navien_nwp500.simulator.cloud.mqtt_packets import PacketSplitter
from navien_nwp500.simulator.server import mqtt_connection
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import (
    HEATER,
    Connect,
    RawClient,
    connect_packet,
    make_account,
    payloads,
    publish_packet,
    raw_clients,
    subscribe_packet,
    subscribed,
)
from support.reliability_tools import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROKERS = [BUILT_IN, MOSQUITTO, *([IOTCORE] if find_spec("iotcore") else [])]
FORBIDDEN = "cmd/52/navilink-ffffffffffff/st"


@pytest_asyncio.fixture(name="cloud", scope="module", loop_scope="module", params=BROKERS)
async def fixture_cloud(
    request: pytest.FixtureRequest, find_program: Callable[..., str]
) -> AsyncIterator[CloudServer]:
    if request.param == MOSQUITTO:
        find_program(MOSQUITTO)
    async with CloudServer([make_account(2)], broker=request.param) as cloud:
        yield cloud


@pytest_asyncio.fixture(name="connect", loop_scope="module")
async def fixture_connect(cloud: CloudServer) -> AsyncIterator[Connect]:
    async with raw_clients(cloud) as connect:
        yield connect
    await cloud.drop_connections()


async def opened(connect: Connect, client_id: str, level: int, keep_alive: int) -> bytes:
    """Connect with a keep-alive; return the CONNACK."""
    client: RawClient = await connect()
    client.level = level
    await client.send(connect_packet(client_id, level=level, keep_alive=keep_alive))
    return await client.read()


# Keep-alive


@pytest.mark.parametrize(
    ("requested", "expected"),
    [(0, 1200), (1, 30), (29, 30), (30, 30), (60, 60), (1200, 1200), (1201, 1200), (65535, 1200)],
)
async def test_the_keep_alive_of_aws(requested: int, expected: int) -> None:
    assert effective_keep_alive(requested) == expected


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("keep_alive", [0, 1, 65535])
async def test_any_keep_alive_is_accepted(connect: Connect, level: int, keep_alive: int) -> None:
    connack = await opened(connect, f"alive-{keep_alive}", level, keep_alive)
    assert (connack[0], connack[2:4]) == (0x20, b"\0\0")


@pytest.mark.parametrize("level", [4, 5])
async def test_a_silent_client_is_disconnected(
    connect: Connect, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_broker, "MIN_KEEP_ALIVE", 1)
    client = await connect()
    client.level = level
    await client.send(connect_packet("silent", level=level, keep_alive=1))
    assert (await client.read())[0] == 0x20
    if level == 5:
        assert await client.read() == b"\xe0\x02\x8d\0"  # DISCONNECT, keep alive timeout
    assert await client.read() == b""


@pytest.mark.parametrize("level", [4, 5])
async def test_the_broker_behind_waits_longer_than_the_gateway(level: int) -> None:
    """Change only the keep-alive of a CONNECT."""
    sent = connect_packet("one", level=level, will="wills/one", user="me", keep_alive=1)
    (packet,) = PacketSplitter(1000).feed(sent)
    changed = mqtt_packets.with_keep_alive(packet, 0x1234)
    assert changed.raw == sent.replace(b"\0\1", b"\x12\x34", 1)
    assert mqtt_packets.read_connect(changed).keep_alive == 0x1234


async def test_the_broker_behind_gets_the_longer_keep_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    read = mqtt_packets.read_connect

    def record(packet: mqtt_packets.Packet) -> mqtt_packets.Connect:
        found = read(packet)
        seen.append(found.keep_alive)
        return found

    monkeypatch.setattr(mqtt_packets, "read_connect", record)
    async with CloudServer([make_account()], broker=BUILT_IN) as cloud:
        async with raw_clients(cloud) as connect:
            await opened(connect, "short", 4, 1)
    assert seen == [1, 120]  # the gateway's, then the broker's: four times 30 s


# CONNACK


async def test_the_connack_of_mqtt_5_names_the_limits(connect: Connect) -> None:
    expected = {
        b"\x13\x00\x1e",  # server keep alive 30
        b"\x21\x00\x64",  # receive maximum 100
        b"\x22\x00\x08",  # topic alias maximum 8
        b"\x24\x01",  # maximum QoS 1
        b"\x27\x00\x02\x48\x00",  # maximum packet size 149,504
        b"\x29\x00",  # no subscription identifiers
    }
    connack = await opened(connect, "limits", 5, 5)
    body = connack[5:]
    assert (connack[0], connack[2:4], connack[4]) == (0x20, b"\0\0", len(body))
    for one in sorted(expected):
        assert one in body
    assert len(body) == sum(len(one) for one in expected)


async def test_the_connack_of_mqtt_3_is_four_bytes(connect: Connect) -> None:
    assert await opened(connect, "short", 4, 5) == b"\x20\x02\0\0"


# Topic aliases


async def test_topic_aliases_work(connect: Connect) -> None:
    reader = await subscribed(connect, "reader")
    client = await connect("aliased", 5)
    for alias, suffix in ((1, "st"), (8, "ctrl")):
        first = publish_packet(f"{HEATER}/{suffix}", f"{suffix} 1".encode(), 0, alias=alias)
        again = publish_packet("", f"{suffix} 2".encode(), 0, alias=alias)
        await client.send(first + again)
        assert await payloads(reader, 2) == [f"{suffix} 1".encode(), f"{suffix} 2".encode()]
    moved = publish_packet(f"{HEATER}/st/did", b"moved", 0, alias=1)
    await client.send(moved + publish_packet("", b"moved too", 1, alias=1))
    assert f"{HEATER}/st/did".encode() in await reader.read()
    assert f"{HEATER}/st/did".encode() in await reader.read()
    assert (await client.read())[0] == 0x40


@pytest.mark.parametrize(
    ("topic", "alias", "reason"),
    [("x", 0, 0x94), ("x", 9, 0x94), ("", 2, 0x82), (FORBIDDEN, 1, 0x87)],
)
async def test_a_wrong_alias_closes(connect: Connect, topic: str, alias: int, reason: int) -> None:
    client = await connect("wrong", 5)
    topic = f"{HEATER}/st" if topic == "x" else topic
    await client.send(publish_packet(topic, b"{}", 0, alias=alias))
    assert await client.read() == bytes([0xE0, 2, reason, 0])
    assert await client.read() == b""


# Sizes


@pytest.mark.parametrize("level", [4, 5])
async def test_a_payload_has_at_most_128_kilobytes(
    cloud: CloudServer, connect: Connect, level: int
) -> None:
    reader = await subscribed(connect, "reader")
    client = await connect("large", level)
    largest = b"x" * 131_072
    await client.send(publish_packet(f"{HEATER}/st", largest, 0, level))
    assert await payloads(reader) == [largest]
    await client.send(publish_packet(f"{HEATER}/st", largest + b"x", 0, level))
    if level == 5:
        assert await client.read() == b"\xe0\x02\x95\0"  # DISCONNECT, packet too large
    assert await client.read() == b""


# Reasons


VIOLATIONS = [
    (publish_packet(FORBIDDEN, level=5), 0x87),
    (subscribe_packet("cmd/52/navilink-+/#", level=5), 0x87),
    (subscribe_packet(*[f"{HEATER}/{number}" for number in range(9)], level=5), 0x97),
    (publish_packet(f"{HEATER}/st", qos=2, level=5), 0x9B),
    (connect_packet("again", level=5), 0x82),
    (b"\x30\xff\xff\x7f", 0x95),
    (b"\x82\x02\x00\x01", 0x81),
]


@pytest.mark.parametrize(("data", "reason"), VIOLATIONS)
async def test_a_client_of_mqtt_5_gets_the_reason(
    connect: Connect, data: bytes, reason: int
) -> None:
    client = await connect("intruder", 5)
    await client.send(data)
    assert await client.read() == bytes([0xE0, 2, reason, 0])
    assert await client.read() == b""


# Publishes in a second


async def test_more_publishes_than_100_a_second_are_discarded() -> None:
    now = 50.0
    limiter = PublishLimiter(lambda: now)
    assert [limiter.take() for _ in range(150)] == [True] * 100 + [False] * 50
    now += 0.25
    assert [limiter.take() for _ in range(30)] == [True] * 25 + [False] * 5
    now += 3600
    assert [limiter.take() for _ in range(150)] == [True] * 100 + [False] * 50


class StoppedTime:
    """A module ``time`` whose clock stands still."""

    @staticmethod
    def monotonic() -> float:
        return 1.0


@pytest.mark.parametrize("level", [4, 5])
async def test_a_client_that_publishes_too_much_stays_connected(
    cloud: CloudServer, connect: Connect, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await subscribed(connect, "reader")
    discarded = cloud.counters.discarded_publishes
    # A slow machine would take longer than a second for the hundred.
    monkeypatch.setattr(mqtt_connection, "time", StoppedTime)
    client = await connect("busy", level)
    for number in range(103):
        await client.send(publish_packet(f"{HEATER}/st", str(number).encode(), 0, level))
    await client.send(publish_packet(f"{HEATER}/st", b"last", 1, level))
    if level == 5:
        assert await client.read() == b"\x40\x03\0\1\x97"  # PUBACK, quota exceeded
    await wait_until(lambda: cloud.counters.discarded_publishes == discarded + 4)
    await client.subscribe(f"{HEATER}/end")
    found = [int(payload) for payload in await payloads(reader, 100)]
    assert found == list(range(100))
