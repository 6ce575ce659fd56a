"""The MQTT gateway: handshake, relay, takeover, and violations that close a connection."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, AsyncIterator, ClassVar

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from awscrt import auth, exceptions, mqtt
from awsiot import mqtt_connection_builder
from yarl import URL

from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.simulator.cloud.sigv4 import IssuedKeys
from navien_nwp500.simulator.faults.base import Handler, RequestFault
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import (
    LIMIT,
    MAC,
    RawClient,
    connect_packet,
    make_account,
    publish_packet,
    raw_clients,
    subscribe_packet,
    tls_of,
)
from support.reliability_tools import wait_until, within_limit

in_module_loop = pytest.mark.asyncio(loop_scope="module")

OTHER = make_account(1, "other@example.com", first=1)
OTHER_MAC = OTHER.heaters[0].mac_address
HEATER = f"cmd/52/navilink-{MAC}"
EVENTS = f"evt/52/navilink-{MAC}"
OTHER_HEATER = f"cmd/52/navilink-{OTHER_MAC}"


@pytest_asyncio.fixture(name="cloud", scope="module", loop_scope="module")
async def fixture_cloud() -> AsyncIterator[CloudServer]:
    async with CloudServer([make_account(), OTHER]) as cloud:
        yield cloud


# The AWS SDK


def sdk_connection(cloud: CloudServer, client_id: str, keys: IssuedKeys) -> mqtt.Connection:
    """Make a connection of the AWS SDK, as a client of the real cloud does."""
    provider = auth.AwsCredentialsProvider.new_static(
        keys.access_key_id, keys.secret_key, keys.session_token
    )
    url = URL(cloud.websocket_url)
    return mqtt_connection_builder.websockets_with_default_aws_signing(
        endpoint=url.host,
        port=url.port,
        region="us-east-1",
        credentials_provider=provider,
        client_id=client_id,
        ca_bytes=cloud.ca_file.read_bytes(),
        clean_session=True,
        keep_alive_secs=30,
        enable_metrics_collection=False,
    )


async def done(future: Future[Any]) -> Any:
    return await asyncio.wait_for(asyncio.wrap_future(future), LIMIT)


@in_module_loop
async def test_sdk_connects_subscribes_publishes_and_receives(cloud: CloudServer) -> None:
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[Any] = asyncio.Queue()

    def arrived(topic: str, payload: bytes, **_: Any) -> None:
        loop.call_soon_threadsafe(received.put_nowait, (topic, payload))

    connection = sdk_connection(cloud, "sdk", cloud.book.issue_keys(cloud.accounts[0]))
    await done(connection.connect())
    try:
        qos = mqtt.QoS.AT_LEAST_ONCE
        for topic_filter in (f"{HEATER}/#", "cmd/52/sdk/res/#"):
            await done(connection.subscribe(topic_filter, qos, arrived)[0])
        for topic in (f"{HEATER}/st", "cmd/52/sdk/res/did"):
            await done(connection.publish(topic, b"\x00\xff" * 500, qos)[0])
            assert await asyncio.wait_for(received.get(), LIMIT) == (topic, b"\x00\xff" * 500)
    finally:
        await done(connection.disconnect())


@in_module_loop
@pytest.mark.parametrize("case", ["revoked", "expired", "wrong secret", "wrong token"])
async def test_the_sdk_is_rejected_with_invalid_keys(cloud: CloudServer, case: str) -> None:
    keys = cloud.book.issue_keys(cloud.accounts[0])
    secret, token = keys.secret_key, keys.session_token
    if case == "revoked":
        cloud.book.revoke_keys()
    elif case == "expired":
        cloud.book.keys_lifetime, before = 0, cloud.book.keys_lifetime
        keys = cloud.book.issue_keys(cloud.accounts[0])
        secret, token = keys.secret_key, keys.session_token
        cloud.book.keys_lifetime = before
    elif case == "wrong secret":
        secret = "x" * 40
    else:
        token = "x" * 348
    refused = cloud.counters.refused_handshakes
    wrong = IssuedKeys(keys.access_key_id, secret, token, keys.expires_at)
    with pytest.raises(exceptions.AwsCrtError) as caught:
        await done(sdk_connection(cloud, "sdk", wrong).connect())
    assert caught.value.name == "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
    assert cloud.counters.refused_handshakes == refused + 1


# The handshake


@in_module_loop
@pytest.mark.parametrize("query", ["", "?X-Amz-Algorithm=AWS4-HMAC-SHA256"])
async def test_unsigned_handshake_is_answered_403(cloud: CloudServer, query: str) -> None:
    connector = aiohttp.TCPConnector(ssl=tls_of(cloud))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(
            f"https://{URL(cloud.websocket_url).authority}/mqtt{query}"
        ) as answer:
            assert answer.status == 403
            assert (await answer.json())["message"] == "Forbidden"


@dataclass
class AfterTheClient(RequestFault):
    """A request is handled when its client has gone."""

    name = "after_the_client"
    begun: ClassVar[asyncio.Event]
    ended: ClassVar[asyncio.Event]

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.begun.set()
        await wait_until(lambda: request.transport is None)
        try:
            return await handler(request)
        finally:
            self.ended.set()


@in_module_loop
async def test_a_client_may_go_before_its_handshake_is_handled(
    cloud: CloudServer, caplog: pytest.LogCaptureFixture
) -> None:
    AfterTheClient.begun, AfterTheClient.ended = asyncio.Event(), asyncio.Event()
    accepted = cloud.counters.handshakes
    cloud.faults.inject(AfterTheClient())
    async with raw_clients(cloud) as connect:
        connecting = asyncio.ensure_future(connect())
        await asyncio.wait_for(AfterTheClient.begun.wait(), LIMIT)
        await cancel_and_wait(connecting)
        await asyncio.wait_for(AfterTheClient.ended.wait(), LIMIT)
    cloud.faults.clear()
    assert cloud.counters.handshakes == accepted
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


@in_module_loop
async def test_sub_protocol_is_mqtt(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        client = await connect()
        assert client.protocol == "mqtt"


@in_module_loop
async def test_only_its_own_authority_is_trusted(cloud: CloudServer) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(cloud.base_url)


# The relay


@in_module_loop
async def test_packets_may_span_frames_and_share_them(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        client = await connect()
        for byte in connect_packet("cut") + subscribe_packet(f"{HEATER}/#"):
            await client.send(bytes([byte]))
        assert [(await client.read())[0] for _ in range(2)] == [0x20, 0x90]
        await client.send(
            publish_packet(f"{HEATER}/a", qos=0) + publish_packet(f"{HEATER}/b", qos=0)
        )
        assert [(await client.read()).count(topic) for topic in (b"/a", b"/b")] == [1, 1]


@in_module_loop
async def test_payload_of_128_kilobytes(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        client = await connect("large")
        await client.subscribe(f"{HEATER}/#")
        payload = os.urandom(128 * 1024)
        await client.send(publish_packet(f"{HEATER}/st", payload, qos=0))
        assert (await client.read()).endswith(payload)


@in_module_loop
async def test_a_heater_on_the_plain_port_reaches_a_client(cloud: CloudServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    writer.write(connect_packet("heater"))
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    async with raw_clients(cloud) as connect:
        client = await connect("meets")
        await client.subscribe("cmd/52/10001/20002/meets/res/#")
        for suffix in ("", "/did"):
            topic = f"cmd/52/10001/20002/meets/res{suffix}"
            writer.write(publish_packet(topic, b"answer", qos=0))
            assert (await client.read()).endswith(b"answer")
    writer.close()
    await writer.wait_closed()


@in_module_loop
async def test_clients_of_both_versions_exchange_messages_and_take_over_ids(
    cloud: CloudServer,
) -> None:
    takeovers, connects = cloud.counters.takeovers, cloud.counters.connects
    async with raw_clients(cloud) as connect:
        older = await connect("older")
        newer = await connect("newer", level=5)
        for client in (older, newer):
            await client.subscribe(f"{HEATER}/#")
        for sender in (older, newer):
            await sender.send(publish_packet(f"{HEATER}/st", b"news", 0, sender.level))
            for client in (older, newer):
                assert (await client.read()).endswith(b"news")
        await connect("newer")
        assert await newer.read() == b"\xe0\x02\x8e\0"  # DISCONNECT, session taken over
        assert await newer.read() == b""
    assert cloud.counters.takeovers == takeovers + 1
    assert cloud.counters.connects == connects + 3


@in_module_loop
@pytest.mark.parametrize("level", [4, 5])
async def test_connect_may_be_followed_at_once(cloud: CloudServer, level: int) -> None:
    async with raw_clients(cloud) as connect:
        client = await connect()
        subscribe = subscribe_packet(f"{HEATER}/#", level=level)
        await client.send(connect_packet("hasty", level=level) + subscribe)
        assert [(await client.read())[0] for _ in range(2)] == [0x20, 0x90]


@in_module_loop
async def test_a_client_without_connect_is_disconnected(
    cloud: CloudServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("navien_nwp500.simulator.server.mqtt_connection._CONNECT_SECONDS", 0.05)
    async with raw_clients(cloud) as connect:
        assert await (await connect()).read() == b""


@in_module_loop
async def test_second_connection_with_an_id_closes_the_first(cloud: CloudServer) -> None:
    takeovers = cloud.counters.takeovers
    async with raw_clients(cloud) as connect:
        first = await connect("twin")
        for _ in range(5):
            second = await connect("twin")
            assert await first.read() == b""
            await second.subscribe(f"{HEATER}/#")
            await second.send(publish_packet(f"{HEATER}/st", qos=0))
            assert (await second.read())[0] >> 4 == 3
            first = second
    assert cloud.counters.takeovers == takeovers + 5


@in_module_loop
async def test_of_many_clients_with_one_id_one_remains(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        clients = [await connect() for _ in range(6)]
        accepted: list[RawClient] = []

        async def read_to_end(client: RawClient) -> None:
            while await client.read():
                accepted.append(client)

        reading = {asyncio.ensure_future(read_to_end(one)): one for one in clients}
        for client in clients:
            await client.send(connect_packet("crowd"))
        left = set(reading)
        while len(left) > 1:
            _, left = await within_limit(asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED))
        last = reading[left.pop()]
        await wait_until(lambda: last in accepted)
        await cancel_and_wait(*reading)
        await last.subscribe(f"{HEATER}/#")


@in_module_loop
async def test_drop_connections_closes_all_and_allows_new_ones(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        clients = [await connect(f"dropped-{index}") for index in range(3)]
        await cloud.drop_connections()
        assert [await client.read() for client in clients] == [b""] * 3
        await connect("dropped-0")


@pytest.mark.parametrize("closes", [1, 2])
async def test_calls_on_a_closed_connection_are_no_error(closes: int) -> None:
    async with CloudServer([make_account()]) as cloud, raw_clients(cloud) as connect:
        client = await connect("gone")
        (connection,) = cloud._connections
        for _ in range(closes):
            connection._transport.close()
        assert await client.read() == b""
        connection.pause()
        connection.resume()
        connection.cut()
        await connection.ended.wait()


@in_module_loop
async def test_last_will_is_published_when_cut(cloud: CloudServer) -> None:
    watcher_reader, writer = await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    writer.write(connect_packet("watcher") + subscribe_packet(f"{EVENTS}/#", qos=0))
    await watcher_reader.readexactly(4 + 5)
    async with raw_clients(cloud) as connect:
        client = await connect()
        await client.send(connect_packet("mortal", will=f"{EVENTS}/app-connection"))
        assert await client.read() == b"\x20\x02\x00\x00"
        await cloud.drop_connections()
        will = await asyncio.wait_for(watcher_reader.readuntil(b"gone"), LIMIT)
        assert EVENTS.encode() in will
    writer.close()
    await writer.wait_closed()


# Violations

VIOLATIONS = [
    publish_packet(f"{OTHER_HEATER}/st"),
    subscribe_packet(f"{OTHER_HEATER}/#"),
    subscribe_packet("cmd/52/navilink-+/#"),
    connect_packet("again"),
    b"\x30\xff\xff\xff\xff\x01",
    b"\x30\xff\xff\x7f",
    b"\x82\x02\x00\x01",
]


@in_module_loop
@pytest.mark.parametrize(
    ("level", "data"),
    [*((4, data) for data in VIOLATIONS), (5, publish_packet(f"{OTHER_HEATER}/st", level=5))],
)
async def test_violation_closes_and_only_mqtt_5_gets_a_reason(
    cloud: CloudServer, level: int, data: bytes
) -> None:
    violations = cloud.counters.violations
    async with raw_clients(cloud) as connect:
        victim = await connect("victim", account=OTHER)
        await victim.subscribe(f"{OTHER_HEATER}/#")
        client = await connect("intruder", level)
        await client.send(data)
        if level == 5:
            assert await client.read() == b"\xe0\x02\x87\0"  # DISCONNECT, not authorized
        assert await client.read() == b""
        await victim.send(publish_packet(f"{OTHER_HEATER}/st", b"own", qos=0))
        assert (await victim.read()).endswith(b"own")
    assert cloud.counters.violations == violations + 1


@in_module_loop
async def test_text_frame_closes(cloud: CloudServer) -> None:
    async with raw_clients(cloud) as connect:
        client = await connect("text")
        await client.send_text("hello")
        assert await client.read() == b""
