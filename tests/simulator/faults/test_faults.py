"""Every fault, seen by a raw MQTT client and by plain HTTP calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any, Callable

import aiohttp
import pytest
from yarl import URL

from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.faults import (
    GARBAGE,
    ChangeFields,
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
    RefuseRequests,
    ReorderMessages,
    RestFault,
    RevokeCredentials,
    RivalClient,
    ShortLifetimes,
    WrongClock,
    all_faults,
)
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import (
    EMAIL,
    HEATER,
    LIMIT,
    MAC,
    OTHER,
    PASSWORD,
    Connect,
    Http,
    Publish,
    call,
    connect_packet,
    make_account,
    message,
    payloads,
    presign,
    publish_packet,
    raw_clients,
    sign_in,
    subscribe_packet,
    subscribed,
    unsubscribe_packet,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    cloud: CloudServer, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.book, "refresh_token_reuse", False)
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
    waits = [asyncio.ensure_future(connect()), asyncio.ensure_future(call(http, cloud, VERSION))]
    await wait_times(fault, left=1)
    async with http.get(URL(cloud.base_url).origin() / "simulator/state") as answer:
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
            # Injected first, so that it applies to a request before any other fault of requests.
            refuse = cloud.faults.inject(RefuseRequests(unanswered=True, times=2))
            for fault in all_faults().values():
                if fault not in (CutConnections, RefuseRequests):
                    cloud.faults.inject(fault())
            waiting = asyncio.ensure_future(connect())
            await wait_times(refuse, left=1)
        with pytest.raises(aiohttp.ClientError):
            await waiting
