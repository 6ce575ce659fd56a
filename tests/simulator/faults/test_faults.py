"""Every fault, seen by a raw MQTT client and by plain HTTP calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.mqtt_packets import Packet, PacketSplitter
from navien_nwp500.simulator.faults import (
    GARBAGE,
    ChangeFields,
    ClientConnection,
    CutConnections,
    DelayMessages,
    DropMessages,
    DropSubscriptions,
    DuplicateMessages,
    Fault,
    ForbidTopics,
    ForeignMessages,
    HalfOpen,
    HeaterOffline,
    InjectMessage,
    LoseReplies,
    PacketFault,
    RefuseRequests,
    ReorderMessages,
    RestFault,
    RevokeCredentials,
    RivalClient,
    ShortLifetimes,
    WrongClock,
    all_faults,
)
from navien_nwp500.simulator.server.admin_api import _KINDS, _fields
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import (
    EMAIL,
    LIMIT,
    MAC,
    PASSWORD,
    RawClient,
    connect_packet,
    make_account,
    presign,
    publish_packet,
    raw_clients,
    subscribe_packet,
    tls_of,
    unsubscribe_packet,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEATER = f"cmd/52/navilink-{MAC}"
OTHER_MAC = "0123456789ac"
OTHER = f"cmd/52/navilink-{OTHER_MAC}"
Http = aiohttp.ClientSession
Connect = Callable[..., Awaitable[RawClient]]
Publish = Callable[..., Awaitable[None]]


# Fixtures


@pytest_asyncio.fixture(name="running", scope="module", loop_scope="module")
async def fixture_running() -> AsyncIterator[CloudServer]:
    async with CloudServer([make_account(2)]) as cloud:
        yield cloud


@pytest_asyncio.fixture(name="cloud", loop_scope="module")
async def fixture_cloud(running: CloudServer) -> AsyncIterator[CloudServer]:
    yield running
    running.faults.clear()
    await running.drop_connections()


@pytest_asyncio.fixture(name="connect", loop_scope="module")
async def fixture_connect(cloud: CloudServer) -> AsyncIterator[Connect]:
    async with raw_clients(cloud) as connect:
        yield connect


@pytest_asyncio.fixture(name="http", loop_scope="module")
async def fixture_http(cloud: CloudServer) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=tls_of(cloud), force_close=True)
    limit = aiohttp.ClientTimeout(total=LIMIT)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
        yield session


@pytest_asyncio.fixture(name="publish", loop_scope="module")
async def fixture_publish(cloud: CloudServer) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Publish as a heater does, directly to the broker, at QoS 1, until it acknowledges."""
    reader, writer = await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    writer.write(connect_packet("the-heater"))
    await reader.readexactly(4)

    async def publish(topic: str, *payloads: bytes) -> None:
        for payload in payloads:
            writer.write(publish_packet(topic, payload))
            assert (await asyncio.wait_for(reader.readexactly(4), LIMIT))[0] == 0x40

    yield publish
    writer.close()
    await writer.wait_closed()


async def subscribed(connect: Connect, client_id: str, level: int = 4) -> RawClient:
    client = await connect(client_id, level)
    await client.subscribe(f"{HEATER}/#", f"{OTHER}/#", f"cmd/52/{client_id}/res/#")
    return client


async def payloads(client: RawClient, count: int = 1) -> list[bytes]:
    """Read so many payloads."""
    found = []
    for _ in range(count):
        (packet,) = PacketSplitter(1 << 20, client.level).feed(await client.read())
        found.append(mqtt_packets.read_publish(packet).payload)
    return found


def message(session_id: str = "1768478400000", **status: Any) -> bytes:
    """Make a response of the heater; with a session id of one digit, a push."""
    response = {"deviceType": 52, "macAddress": MAC, "additionalValue": "1234", "status": status}
    envelope = {"protocolVersion": 2, "clientID": "one", "sessionID": session_id}
    return json.dumps({**envelope, "requestTopic": f"{HEATER}/st", "response": response}).encode()


async def call(http: Http, cloud: CloudServer, path: str, **body: Any) -> Any:
    async with http.post(cloud.base_url + path, json=body) as answer:
        return answer.status, await answer.read()


async def sign_in(http: Http, cloud: CloudServer) -> dict[str, Any]:
    status, body = await call(http, cloud, "/user/sign-in", userId=EMAIL, password=PASSWORD)
    assert status == 200
    token: dict[str, Any] = json.loads(body)["data"]["token"]
    return token


async def wait_times(fault: Fault, *, left: int) -> None:
    """Wait until a fault has so many occurrences left."""
    deadline = time.monotonic() + LIMIT
    while fault.times != left:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


VERSION = "/app/version"


# REST


async def test_a_rest_fault_replaces_the_response(cloud: CloudServer, http: Http) -> None:
    headers = {"Retry-After": "7"}
    cloud.faults.rest[VERSION] = RestFault(429, b"<html>", headers, times=1)
    async with http.post(cloud.base_url + VERSION, json={"os": "A"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert await answer.read() == b"<html>"
    assert (await call(http, cloud, VERSION, os="A"))[0] == 200


async def test_one_fault_for_every_call(cloud: CloudServer, http: Http) -> None:
    cloud.faults.inject(RestFault.error(500, "INTERNAL_SERVER_ERROR"))
    cloud.faults.rest[VERSION] = RestFault.error(200, "no", code=403)
    assert (await call(http, cloud, "/device/list"))[0] == 500
    assert json.loads((await call(http, cloud, VERSION))[1])["code"] == 403


async def test_a_truncated_body_is_a_complete_http_response(cloud: CloudServer, http: Http) -> None:
    cloud.faults.rest[VERSION] = RestFault(cut=9)
    assert await call(http, cloud, VERSION, os="A") == (200, b'{"code": ')


async def test_a_reset_in_the_body(cloud: CloudServer, http: Http) -> None:
    cloud.faults.rest[VERSION] = RestFault(cut=9, reset=True)
    async with http.post(cloud.base_url + VERSION, json={"os": "A"}) as answer:
        assert answer.status == 200 and answer.content_length and answer.content_length > 9
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_response_is_lost_after_the_call_was_carried_out(
    cloud: CloudServer, http: Http
) -> None:
    token = (await sign_in(http, cloud))["refreshToken"]
    refreshes = cloud.counters.refreshes
    cloud.faults.rest["/auth/refresh"] = RestFault(reset=True, times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await call(http, cloud, "/auth/refresh", refreshToken=token)
    assert cloud.counters.refreshes == refreshes + 1
    assert (await call(http, cloud, "/auth/refresh", refreshToken=token))[0] == 401


async def test_a_slow_body_comes_in_pieces(cloud: CloudServer, http: Http) -> None:
    cloud.faults.rest[VERSION] = RestFault(200, b"x" * 1000, trickle=0.1)
    started = time.monotonic()
    async with http.post(cloud.base_url + VERSION) as answer:
        first = await answer.content.readany()
        assert 0 < len(first) < 1000
        assert len(first + await answer.read()) == 1000
    assert time.monotonic() - started > 0.09


@pytest.mark.parametrize("slow", ["delay", "trickle"])
async def test_clearing_ends_a_delay(cloud: CloudServer, http: Http, slow: str) -> None:
    calls = cloud.counters.calls.get(VERSION, 0)
    fault = RestFault(times=1, **{slow: 60.0})  # type: ignore[arg-type]
    cloud.faults.rest[VERSION] = fault
    response = asyncio.ensure_future(call(http, cloud, VERSION, os="A"))
    await wait_times(fault, left=0)
    cloud.faults.clear()
    assert (await response)[0] == 200
    assert cloud.counters.calls[VERSION] == calls + 1


async def test_a_password_is_counted_even_if_the_sign_in_fails(
    cloud: CloudServer, http: Http
) -> None:
    passwords, sign_ins = cloud.counters.passwords, cloud.counters.sign_ins
    cloud.faults.rest["/user/sign-in"] = RestFault(502)
    await call(http, cloud, "/user/sign-in", userId=EMAIL, password=PASSWORD)
    assert cloud.counters.passwords == passwords + 1
    assert cloud.counters.sign_ins == sign_ins


# The network


@pytest.fixture(name="level", params=[4, 5], ids=["mqtt3", "mqtt5"])
def fixture_level(request: pytest.FixtureRequest) -> int:
    """Return an MQTT level, for the faults that read or make packets."""
    level: int = request.param
    return level


async def test_one_connection_or_all_are_cut(cloud: CloudServer, connect: Connect) -> None:
    one, two = [await subscribed(connect, name) for name in ("one", "two")]
    cloud.faults.inject(CutConnections(client="one"))
    assert await one.read() == b""
    await two.subscribe(f"{HEATER}/st")
    cloud.faults.inject(CutConnections())
    assert await two.read() == b""
    assert cloud.faults.active == ()


async def test_half_open_until_cleared(
    cloud: CloudServer, connect: Connect, publish: Publish
) -> None:
    client = await subscribed(connect, "old")
    cloud.faults.inject(HalfOpen())
    await client.send(subscribe_packet(f"{HEATER}/st"))
    reading = asyncio.ensure_future(client.read())
    witness = await subscribed(connect, "new")
    await publish(f"{HEATER}/res", b"held back")
    assert await payloads(witness) == [b"held back"]
    assert not reading.done() and cloud.counters.open_connections == 2
    cloud.faults.clear()
    kinds = {(await reading)[0] >> 4, (await client.read())[0] >> 4}
    assert kinds == {mqtt_packets.PUBLISH, mqtt_packets.SUBACK}


async def test_half_open_may_include_new_connections(cloud: CloudServer, connect: Connect) -> None:
    cloud.faults.inject(HalfOpen(new=True))
    client = await connect()
    connecting = asyncio.ensure_future(client.connect("newcomer"))
    other = await connect()  # a whole handshake later
    assert not connecting.done()
    cloud.faults.clear("half_open")
    await connecting
    await other.connect("other")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_handshake_is_refused(cloud: CloudServer, connect: Connect, status: int) -> None:
    stays = await subscribed(connect, "stays")
    refused = cloud.counters.refusals.get("fault: refuse_requests", 0)
    cloud.faults.inject(RefuseRequests(where="mqtt", status=status, times=1))
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connect()
    assert caught.value.status == status
    assert cloud.counters.refusals["fault: refuse_requests"] == refused + 1
    await connect()
    await stays.subscribe(f"{HEATER}/st")


async def test_all_requests_are_refused(cloud: CloudServer, connect: Connect, http: Http) -> None:
    cloud.faults.inject(RefuseRequests())
    with pytest.raises(aiohttp.ClientConnectionError):
        await connect()
    with pytest.raises(aiohttp.ClientConnectionError):
        await call(http, cloud, VERSION, os="A")
    cloud.faults.inject(RefuseRequests(where="rest", status=503))
    assert (await call(http, cloud, VERSION, os="A"))[0] == 503
    await connect()


async def test_requests_stay_unanswered(cloud: CloudServer, connect: Connect, http: Http) -> None:
    fault = cloud.faults.inject(RefuseRequests(unanswered=True, times=3))
    waits = [
        asyncio.ensure_future(connect()),
        asyncio.ensure_future(call(http, cloud, VERSION)),
    ]
    await wait_times(fault, left=1)
    async with http.get(root(cloud) / "simulator/state") as answer:
        assert list((await answer.json())["active"]) == ["refuse_requests"]
    assert not any(wait.done() for wait in waits)
    cloud.faults.clear()
    with pytest.raises(aiohttp.ClientConnectionError):
        await waits[1]
    await waits[0]  # aiohttp repeats the request by itself


async def test_a_wrong_clock(cloud: CloudServer, http: Http) -> None:
    host = URL(cloud.websocket_url).authority
    for seconds, status in ((-4000.0, 403), (0.0, 400)):  # 400: a right signature, but no WebSocket
        cloud.faults.inject(WrongClock(seconds))
        url = URL(f"https://{host}{presign(cloud.book.issue_keys(cloud.accounts[0]), host)}")
        async with http.get(URL(str(url), encoded=True)) as answer:
            assert answer.status == status
            date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            assert abs(date - time.time() - seconds) < 60
    assert cloud.counters.refusals["stale date"] >= 1


# Tokens and AWS keys


async def test_issued_credentials_are_revoked(cloud: CloudServer, http: Http) -> None:
    token = await sign_in(http, cloud)
    cloud.faults.inject(RevokeCredentials(access_tokens=True, refresh_tokens=True))
    assert cloud.book.find_keys(token["accessKeyId"]) is None
    assert cloud.book.account_of(token["accessToken"]) is None
    refreshed = await call(http, cloud, "/auth/refresh", refreshToken=token["refreshToken"])
    assert refreshed[0] == 401


async def test_lifetimes_are_short_until_cleared(cloud: CloudServer, http: Http) -> None:
    cloud.faults.inject(ShortLifetimes(aws_keys=0, access_tokens=5))
    token = await sign_in(http, cloud)
    assert (token["authorizationExpiresIn"], token["authenticationExpiresIn"]) == (0, 5)
    cloud.faults.clear()
    token = await sign_in(http, cloud)
    assert (token["authorizationExpiresIn"], token["authenticationExpiresIn"]) == (3600, 3600)


# Replies and permissions of the broker


@pytest.mark.parametrize(
    ("lost", "asked", "expected"),
    [
        ("suback", subscribe_packet(f"{HEATER}/st"), mqtt_packets.PINGRESP),
        ("unsuback", unsubscribe_packet(f"{HEATER}/st"), mqtt_packets.PINGRESP),
        ("puback", publish_packet("cmd/52/asks/res"), mqtt_packets.PINGRESP),
        ("pingresp", b"\xc0\0" + subscribe_packet(f"{HEATER}/st"), mqtt_packets.SUBACK),
    ],
)
async def test_a_reply_of_the_broker_is_lost(
    cloud: CloudServer, connect: Connect, lost: str, asked: bytes, expected: int
) -> None:
    client = await connect("asks")
    await client.subscribe(f"{HEATER}/st")
    cloud.faults.inject(LoseReplies(lost, times=1))
    await client.send(asked + b"\xc0\0")
    assert (await client.read())[0] >> 4 == expected
    assert cloud.faults.active == () == cloud.faults.packets


async def test_a_connack_is_lost(cloud: CloudServer, connect: Connect) -> None:
    cloud.faults.inject(LoseReplies("connack"))
    client = await connect()
    await client.send(connect_packet("waits") + subscribe_packet(f"{HEATER}/#"))
    assert (await client.read())[0] >> 4 == mqtt_packets.SUBACK


@pytest.mark.parametrize("on", ["subscribe", "publish"])
async def test_a_topic_is_forbidden(cloud: CloudServer, connect: Connect, on: str) -> None:
    make = {"subscribe": subscribe_packet, "publish": publish_packet}
    cloud.faults.inject(ForbidTopics(topic="cmd/52/+/st", on=on, times=1))
    client = await connect("tries")
    other = next(packet for name, packet in make.items() if name != on)
    await client.send(make[on](f"{HEATER}/ctrl") + other(f"{HEATER}/st"))  # type: ignore[operator]
    assert [(await client.read())[0] >> 4 for _ in range(2)] != [0, 0]
    await client.send(make[on](f"{HEATER}/st"))  # type: ignore[operator]
    while await client.read():
        pass
    again = await connect("tries")
    await again.send(make[on](f"{HEATER}/st"))  # type: ignore[operator]
    assert await again.read()


async def test_subscriptions_are_dropped_until_repeated(
    cloud: CloudServer, connect: Connect, publish: Publish, level: int
) -> None:
    client = await subscribed(connect, "forgotten", level)
    cloud.faults.inject(DropSubscriptions())
    await publish(f"{HEATER}/res", b"lost")
    await client.subscribe(f"{OTHER}/#")
    await publish(f"{HEATER}/res", b"lost too")
    await publish(f"{OTHER}/res", b"heard")
    assert await payloads(client) == [b"heard"]


async def test_a_rival_takes_over_used_ids_and_no_new_ones(
    cloud: CloudServer, connect: Connect
) -> None:
    takeovers = cloud.counters.takeovers
    first = await connect("contested")
    cloud.faults.inject(RivalClient(times=3))
    assert await first.read() == b""
    for _ in range(2):
        again = await connect("contested")
        assert await again.read() == b""
    assert cloud.counters.takeovers == takeovers + 3
    await (await connect("contested")).subscribe(f"{HEATER}/#")
    await (await connect("fresh")).subscribe(f"{HEATER}/#")


# Messages


async def test_messages_of_one_heater_are_dropped(
    cloud: CloudServer, connect: Connect, publish: Publish
) -> None:
    client = await subscribed(connect, "deaf")
    cloud.faults.inject(DropMessages(heater=MAC))
    await publish(f"{HEATER}/res", b"lost")
    await publish("cmd/52/deaf/res/did", message())
    await publish(f"{OTHER}/res", b"heard")
    assert await payloads(client) == [b"heard"]


async def test_dropped_messages_do_not_stop_the_broker(
    cloud: CloudServer, connect: Connect, publish: Publish, level: int
) -> None:
    """A broker sends at most 100 unacknowledged, and closes on PUBACKs in a wrong order."""
    client = await subscribed(connect, "steady", level)
    cloud.faults.inject(DropMessages(heater=MAC))
    for number in range(151):
        await publish(f"{HEATER}/res", b"lost")
        if number % 10 == 0:
            await publish(f"{OTHER}/res", b"%d" % number)
    # The last one is dropped before the one after it arrives.
    assert await payloads(client, 16) == [b"%d" % number for number in range(0, 151, 10)]
    cloud.faults.clear()
    await publish(f"{HEATER}/res", b"back")
    assert await payloads(client) == [b"back"]


async def test_later_messages_overtake_delayed_responses(
    cloud: CloudServer, connect: Connect, publish: Publish
) -> None:
    client = await subscribed(connect, "late")
    cloud.faults.inject(DelayMessages(seconds=0.05, times=1))
    await publish(f"{HEATER}/res", message("7"), message(), message("8"))
    assert await payloads(client, 3) == [message("7"), message("8"), message()]


async def test_clearing_delivers_delayed_messages(
    cloud: CloudServer, connect: Connect, publish: Publish
) -> None:
    client = await subscribed(connect, "late")
    cloud.faults.inject(DelayMessages(seconds=3600, times=1))
    await publish(f"{HEATER}/res", message(), b"{}")
    assert await payloads(client) == [b"{}"]
    cloud.faults.clear()
    assert await payloads(client) == [message()]


async def test_messages_are_duplicated_and_reordered(
    cloud: CloudServer, connect: Connect, publish: Publish, level: int
) -> None:
    client = await subscribed(connect, "twice", level)
    cloud.faults.inject(DuplicateMessages(times=1))
    one, two, three = (message(f"100{number}") for number in range(3))
    await publish(f"{HEATER}/res", one, two)
    assert await payloads(client, 3) == [one, one, two]
    cloud.faults.inject(ReorderMessages())
    await publish(f"{HEATER}/res", one, two, three)
    assert await payloads(client, 3) == [two, one, three]
    cloud.faults.inject(ReorderMessages(times=1))
    await publish(f"{HEATER}/res", one)
    cloud.faults.clear()
    assert await payloads(client) == [one]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ForeignMessages(values={"a": 2}), ("somebody-else", "1000000000000", MAC, 2)),
        (ForeignMessages(client_id="x"), ("x", "1768478400000", MAC, 1)),
        (ForeignMessages(session_id="x"), ("one", "x", MAC, 1)),
        (ForeignMessages(mac_address="x"), ("one", "1768478400000", "x", 1)),
    ],
)
@pytest.mark.parametrize("instead", [False, True])
async def test_foreign_responses(
    cloud: CloudServer,
    connect: Connect,
    publish: Publish,
    fault: ForeignMessages,
    expected: Any,
    instead: bool,
) -> None:
    client = await subscribed(connect, "one")
    fault.replace = instead
    cloud.faults.inject(fault)
    await publish("cmd/52/one/res", message(a=1), b"{}")
    found = json.loads((await payloads(client))[0])
    response = found["response"]
    ids = found["clientID"], found["sessionID"], response["macAddress"], response["status"]["a"]
    assert ids == expected
    if not instead:
        assert await payloads(client) == [message(a=1)]


HOSTILE: list[Any] = [None, "text", 1.5, True, 10**400, [], {"a": {"b": 1}}, 799, -(2**63)]


async def test_fields_of_messages_are_changed(
    cloud: CloudServer, connect: Connect, publish: Publish, level: int
) -> None:
    client = await subscribed(connect, "fields", level)
    await publish(f"{HEATER}/res", message(dhwTemperature=121, errorCode=0))
    await payloads(client)
    for value in HOSTILE:
        cloud.faults.inject(
            ChangeFields(values={"errorCode": value, "brandNew": value}, missing=["a"], times=1)
        )
        await publish(f"{HEATER}/st", b'{"request":{}}')
        await publish(f"{HEATER}/res", *[message(a=1, b=2, errorCode=0)] * 2)
        _, changed, true = [json.loads(payload) for payload in await payloads(client, 3)]
        assert changed["response"]["status"] == {"b": 2, "errorCode": value, "brandNew": value}
        assert true["response"]["status"] == {"a": 1, "b": 2, "errorCode": 0}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_injected(
    cloud: CloudServer, connect: Connect, garbage: str, level: int
) -> None:
    client, other = await subscribed(connect, "one", level), await subscribed(connect, "two", level)
    cloud.faults.inject(InjectMessage(garbage=garbage, client="one"))
    cloud.faults.inject(InjectMessage(b"both", topic="cmd/52/x"))
    assert await payloads(client, 2) == [GARBAGE[garbage], b"both"]
    assert await payloads(other) == [b"both"]


async def test_a_heater_is_offline(
    cloud: CloudServer, connect: Connect, publish: Publish, http: Http
) -> None:
    client, heater = await subscribed(connect, "asks"), await subscribed(connect, "is-asked")
    cloud.faults.inject(HeaterOffline(MAC))
    assert [record.connected for record in cloud.accounts[0].heaters] == [1, 2]
    await client.send(publish_packet(f"{HEATER}/st"))
    assert await client.read() == b"\x40\x02\0\1"
    await publish(f"{HEATER}/res", b"lost")
    await publish(f"{OTHER}/res", b"heard")
    assert await payloads(client) == await payloads(heater) == [b"heard"]
    cloud.faults.clear()
    assert [record.connected for record in cloud.accounts[0].heaters] == [2, 2]
    await client.send(publish_packet(f"{HEATER}/st", b"asked"))
    assert await payloads(heater) == [b"asked"]


# All faults


async def test_clear_undoes_every_fault(
    cloud: CloudServer, connect: Connect, publish: Publish, http: Http
) -> None:
    for fault in all_faults().values():
        cloud.faults.inject(fault())
    assert cloud.faults.packets and cloud.faults.requests and cloud.faults.rest
    cloud.faults.clear()
    assert not (cloud.faults.active or cloud.faults.packets or cloud.faults.requests)
    await sign_in(http, cloud)
    client = await subscribed(connect, "healed")
    await publish(f"{HEATER}/res", message(), message("1"))
    assert await payloads(client, 2) == [message(), message("1")]
    assert [record.connected for record in cloud.accounts[0].heaters] == [2, 2]
    assert abs(cloud.book.now() - time.time()) < 60


@pytest.mark.parametrize(
    "make",
    [
        lambda: RefuseRequests(where="x"),
        lambda: LoseReplies("x"),
        lambda: ForbidTopics(on="x"),
        lambda: DropMessages(kind="x"),
        lambda: InjectMessage(garbage="x"),
    ],
)
async def test_an_unknown_choice_is_a_value_error(make: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match="is 'x'; it must be"):
        make()


async def test_a_cloud_stops_under_every_fault() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with CloudServer([make_account(2)]) as cloud:
            connect = await stack.enter_async_context(raw_clients(cloud))
            await subscribed(connect, "one")
            for fault in all_faults().values():
                if fault is not CutConnections:
                    cloud.faults.inject(fault())
            refuse = cloud.faults.inject(RefuseRequests(unanswered=True, times=2))
            waiting = asyncio.ensure_future(connect())
            await wait_times(refuse, left=1)
        with pytest.raises(aiohttp.ClientError):
            await waiting


# Over HTTP


def root(cloud: CloudServer) -> URL:
    return URL(cloud.base_url).origin()


async def post(http: Http, cloud: CloudServer, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body)
    async with http.post(root(cloud) / "simulator/faults", data=data) as answer:
        return answer.status, await answer.json()


async def test_the_list_explains_every_fault(cloud: CloudServer, http: Http) -> None:
    async with http.get(root(cloud) / "simulator/faults") as answer:
        found = await answer.json()
    assert list(found["faults"]) == sorted(all_faults())
    assert found["active"] == {}
    for name, row in found["faults"].items():
        assert row["meaning"].endswith("."), name
        explained = set(re.findall("``([a-z_]+)``", str(all_faults()[name].__doc__)))
        assert set(row["parameters"]) - COMMON <= explained, name
    assert found["faults"]["delay_messages"]["parameters"]["seconds"] == {
        "type": "float",
        "default": 30.0,
    }


#: Parameters of many faults, which need no explanation in each.
COMMON = {"times", "kind", "client", "heater", "topic"}


async def test_every_parameter_has_a_form_in_json() -> None:
    types = [str(one.type) for fault in all_faults().values() for one in _fields(fault)]
    assert {kind for annotation in types for kind in annotation.split(" | ")} <= set(_KINDS)


async def test_faults_are_injected_and_cleared_over_http(cloud: CloudServer, http: Http) -> None:
    rest = {VERSION: {"status": 500, "times": 2}, "*": {"delay": 1}}
    status, found = await post(
        http, cloud, {"rest": rest, "drop_messages": True, "delay_messages": {"seconds": 3}}
    )
    assert status == 200 and set(found["active"]) == {"rest", "drop_messages", "delay_messages"}
    assert found["active"]["rest"][VERSION]["status"] == 500
    assert found["active"]["delay_messages"]["seconds"] == 3
    assert (await call(http, cloud, VERSION))[0] == 500
    _, found = await post(http, cloud, {"drop_messages": False, "rest": {"*": None}})
    assert set(found["active"]) == {"rest", "delay_messages"}
    assert found["active"]["rest"] == {VERSION: {**found["active"]["rest"][VERSION], "times": 1}}
    _, found = await post(http, cloud, {"clear": True, "refuse_requests": {"where": "mqtt"}})
    assert set(found["active"]) == {"refuse_requests"}
    _, found = await post(http, cloud, {"refuse_requests": None})
    assert found["active"] == {}


async def test_faults_that_occur_at_once(cloud: CloudServer, http: Http, connect: Connect) -> None:
    client = await subscribed(connect, "one")
    for payload, expected in (
        ("text é", "text é".encode()),
        ({"base64": "//4="}, b"\xff\xfe"),
        ({"response": None}, b'{"response": null}'),
    ):
        assert (await post(http, cloud, {"inject_message": {"payload": payload}}))[0] == 200
        assert await payloads(client) == [expected]
    assert (await post(http, cloud, {"cut_connections": True}))[0] == 200
    assert await client.read() == b""


BAD_BODIES = [
    (b"", "Expecting value"),
    (b"\xff", "decode"),
    ([], "not a JSON object"),
    ({"nonsense": True}, "there is no fault 'nonsense'"),
    ({"delay_messages": 3}, "delay_messages must be true, false or an object"),
    (
        {"delay_messages": {"minutes": 3}},
        "delay_messages has no parameter 'minutes'; it has kind, ",
    ),
    ({"delay_messages": {"seconds": "3"}}, "delay_messages.seconds must be float"),
    ({"delay_messages": {"seconds": True}}, "delay_messages.seconds must be float"),
    ({"delay_messages": {"times": 1.5}}, r"delay_messages.times must be int | None"),
    ({"change_fields": {"missing": [1]}}, "change_fields.missing must be Sequence[str]"),
    ({"refuse_requests": {"where": "x"}}, "where is 'x'; it must be one of all, mqtt, rest"),
    ({"rest": True}, "rest must map a path"),
    ({"rest": {"/x": {"status": "500"}}}, "rest.status must be int | None"),
    ({"inject_message": {"payload": {"base64": "!"}}}, "Nothing was changed"),
    ({"inject_message": {"payload": {"base64": [3]}}}, "Nothing was changed"),
    ({"delay_messages": {"seconds": 10**400}}, "Nothing was changed"),
    (b"[" * 100_000, "Nothing was changed"),
]


@pytest.mark.parametrize(("body", "sentence"), BAD_BODIES)
async def test_a_bad_body_changes_nothing(
    cloud: CloudServer, http: Http, body: Any, sentence: str
) -> None:
    cloud.faults.inject(DropMessages())
    if isinstance(body, dict):
        body = {"clear": True, **body}
    status, found = await post(http, cloud, body)
    assert status == 400 and sentence in found["error"]
    assert [fault.name for fault in cloud.faults.active] == ["drop_messages"]


async def test_the_state_contains_counters_and_connections(
    cloud: CloudServer, http: Http, connect: Connect
) -> None:
    await subscribed(connect, "one")
    await call(http, cloud, "/device/list")
    async with http.get(root(cloud) / "simulator/state") as answer:
        found = await answer.json()
    filters = sorted([f"{HEATER}/#", f"{OTHER}/#", "cmd/52/one/res/#"])
    assert found["connections"] == [{"client": "one", "subscriptions": filters}]
    assert found["counters"]["open_connections"] == 1
    assert found["counters"]["most_connections"] >= 1
    assert found["counters"]["calls"]["/device/list"] >= 1
    assert found["active"] == {}


# A new fault needs only this class


@dataclass
class UpperCaseMessages(PacketFault):
    """Every message arrives in capital letters, followed by a ``sign``."""

    name = "upper_case_messages"
    sign: str = "!"
    times: int | None = 1

    def to_client(self, packet: Packet, connection: ClientConnection) -> Iterable[Packet]:
        if packet.kind != mqtt_packets.PUBLISH or not self.consume():
            return (packet,)
        found = mqtt_packets.read_publish(packet)
        changed = found.payload.upper() + self.sign.encode()
        return (mqtt_packets.publish(found.topic, changed, packet.level),)


async def test_a_new_fault_needs_one_class_only(
    cloud: CloudServer, http: Http, connect: Connect, publish: Publish
) -> None:
    client = await subscribed(connect, "one")
    assert (await post(http, cloud, {"upper_case_messages": {"sign": "?"}}))[0] == 200
    await publish(f"{HEATER}/res", b"what", b"what")
    assert await payloads(client, 2) == [b"WHAT?", b"what"]
    async with http.get(root(cloud) / "simulator/faults") as answer:
        assert (
            "capital letters" in (await answer.json())["faults"]["upper_case_messages"]["meaning"]
        )
