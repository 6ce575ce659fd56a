"""Tests of what public clients rely on, with one that shares nothing with this library.

It signs with the tests' own signer, speaks MQTT with aiomqtt and writes its messages by hand: topics,
ids and texts as the clients of PROTOCOL 0.1 send them. It subscribes to exact topics, so a message on
another topic is lost to it.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from typing import Any, AsyncIterator

import aiohttp
import aiomqtt
import pytest

from navien_nwp500.simulator import Simulator
from support.cloud_tools import MAC, presign
from support.heater_bench import PLAN, SERIAL
from support.reliability_tools import LIMIT, within_limit

CLIENT = "navien-client-0a1b2c3d"
HEATER = f"cmd/52/navilink-{MAC}"
#: Forms of response topics (PROTOCOL 3.1).
BY_HEATER = f"{HEATER}/{CLIENT}/res"
BY_CLIENT = f"cmd/52/{CLIENT}/res"
OF_THE_APP = f"cmd/52/10001/20002/{CLIENT}/res"
ENVELOPE = {"protocolVersion", "clientID", "sessionID", "requestTopic", "response"}


class ForeignClient:
    """A signed-in account, and its connection to the broker."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession, mqtt: aiomqtt.Client) -> None:
        self._sim = sim
        self._http = http
        self._mqtt = mqtt
        self._sessions = 0
        #: Session ids of the messages that arrived.
        self.received: list[str] = []

    async def send(self, suffix: str, code: int, reply: str, **body: Any) -> str:
        """Subscribe to exactly the response topic, send a request, and return its session id."""
        await self._mqtt.subscribe(reply, qos=1)
        self._sessions += 1
        session = f"session {self._sessions}"
        request = {"command": code, "deviceType": 52, "macAddress": MAC, "additionalValue": "1234"}
        topic = f"{HEATER}/{suffix}"
        message = {
            "clientID": CLIENT,
            "sessionID": session,
            "protocolVersion": 2,
            "request": {**request, **body},
            "requestTopic": topic,
            "responseTopic": reply,
        }
        await self._mqtt.publish(topic, json.dumps(message), qos=1)
        return session

    async def request(self, suffix: str, code: int, reply: str, **body: Any) -> dict[str, Any]:
        """Send a request, and return the message on exactly its response topic."""
        session = await self.send(suffix, code, reply, **body)
        request = {"deviceType": 52, "macAddress": MAC, "additionalValue": "1234"}
        while True:
            found = json.loads(await self.next_payload(reply))
            if found["sessionID"] == session:
                assert set(found) == ENVELOPE
                assert (found["clientID"], found["requestTopic"]) == (CLIENT, f"{HEATER}/{suffix}")
                assert {key: found["response"].pop(key) for key in request} == request
                response: dict[str, Any] = found["response"]
                return response

    async def next_payload(self, topic: str) -> bytes:
        """Return the next payload on exactly this topic."""
        while True:
            message = await within_limit(self._mqtt.messages.__anext__())
            assert isinstance(message.payload, bytes)
            self.received.append(json.loads(message.payload)["sessionID"])
            if str(message.topic) == topic:
                return message.payload

    async def control(self, code: int, mode: str, *numbers: int) -> dict[str, Any]:
        response = await self.request(
            "ctrl", code, BY_HEATER, mode=mode, param=list(numbers), paramStr=""
        )
        status: dict[str, Any] = response["status"]
        assert status["command"] == code
        return status

    async def call(self, method: str, path: str, **fields: Any) -> Any:
        how: dict[str, Any] = {"json": fields} if method == "POST" else {"params": fields}
        url = self._sim._cloud.base_url + path
        async with self._http.request(method, url, **how) as response:
            body = await response.json()
            assert (response.status, body["code"], body["msg"]) == (200, 200, "SUCCESS"), path
            return body.get("data")


@contextlib.asynccontextmanager
async def connected(sim: Simulator, **options: Any) -> AsyncIterator[ForeignClient]:
    """Sign in over REST and connect with the keys of the sign-in."""
    tls = ssl.create_default_context(cafile=str(sim._cloud.ca_file))
    limit = aiohttp.ClientTimeout(total=LIMIT)
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as http:
        account = {"userId": sim.account.email, "password": sim.account.password}
        async with http.post(sim._cloud.base_url + "/user/sign-in", json=account) as response:
            token = (await response.json())["data"]["token"]
        http.headers["authorization"] = token["accessToken"]
        keys = sim._cloud.book.find_keys(token["accessKeyId"])
        assert keys is not None and keys.secret_key == token["secretKey"]
        host = sim._cloud.websocket_url.split("/")[2]
        async with aiomqtt.Client(
            "127.0.0.1",
            sim._cloud.port,
            identifier=CLIENT,
            transport="websockets",
            websocket_path=presign(keys, host),
            tls_context=tls,
            timeout=LIMIT,
            **{"keepalive": 1200, **options},
        ) as mqtt:
            yield ForeignClient(sim, http, mqtt)


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[ForeignClient]:
    async with connected(sim) as client:
        yield client


@pytest.mark.parametrize("reply", [BY_HEATER, BY_CLIENT, OF_THE_APP])
async def test_status_and_features_arrive_on_the_named_topic(
    client: ForeignClient, reply: str
) -> None:
    status = (await client.request("st", 16777219, reply))["status"]
    assert len(status) == 99 and all(type(value) is int for value in status.values())
    feature = (await client.request("st/did", 16777217, f"{reply}/did"))["feature"]
    assert feature["controllerSerialNumber"] == SERIAL


@pytest.mark.parametrize("reply", [BY_CLIENT, OF_THE_APP])
async def test_lists_arrive_as_json_on_the_topic_that_ends_in_rd(
    client: ForeignClient, reply: str
) -> None:
    entries = [
        {"enable": 2, "week": 124, "hour": slot // 2, "min": slot % 2 * 30, "mode": 1, "param": 110}
        for slot in range(32)
    ]
    topic = f"{reply}/rsv/rd"
    program = {"reservationUse": 2, "reservation": entries}
    for suffix, code, body in (("ctrl/rsv/rd", 16777226, program), ("st/rsv/rd", 16777222, {})):
        response = await client.request(suffix, code, topic, **body)
        assert response["reservationUse"] == 2
        assert sorted(response["reservation"], key=str) == sorted(entries, key=str)


async def test_a_time_of_use_write_is_answered_and_a_read_is_not(client: ForeignClient) -> None:
    topic, named = f"{BY_CLIENT}/tou/rd", {"controllerSerialNumber": SERIAL}
    response = await client.request(
        "ctrl/tou/rd", 33554439, topic, **named, reservationUse=2, reservation=PLAN
    )
    assert response == {"reservationUse": 2, "reservation": PLAN}
    read = await client.send("ctrl/tou/rd", 33554439, topic, **named)
    # The heater responds in order: an answer to the read would come before this status.
    await client.request("st", 16777219, BY_HEATER)
    assert read not in client.received


async def test_energy_and_diagnostics(client: ForeignClient, sim: Simulator) -> None:
    year, month = sim.clock.now().year, sim.clock.now().month
    for kind, code, asked in (
        ("daily", 16777225, {"year": year, "month": [month]}),
        ("monthly", 16777226, {"year": [year]}),
    ):
        suffix = f"energy-usage-{kind}-query/rd"
        response = await client.request(f"st/{suffix}", code, f"{BY_CLIENT}/{suffix}", **asked)
        assert set(response) == {"typeOfUsage", "total", "usage"}
        assert set(response["total"]) == {"heUsage", "hpUsage", "heTime", "hpTime"}
    response = await client.request("st/td/rd", 16777228, f"{OF_THE_APP}/td/rd")
    assert response["typeOfTD"] == 2 and isinstance(response["data"]["tsData"], dict)
    # It arrives on the heater's own topic, whatever was asked for.
    own = f"{HEATER}/res/dl-sw-info"
    waiting = await client.request("st/dl-sw-info", 16777227, own)
    assert waiting["downloadSwInfo"][0]["swCode"] == 0


CONTROLS = [
    (33554433, "power-on", (), {"dhwOperationSetting": 6}),
    (33554434, "", (), {"dhwOperationSetting": 3}),
    (33554437, "wrong", (1,), {"dhwOperationSetting": 1}),
    (33554437, "dhw-mode", (6,), {"dhwOperationSetting": 6}),
    (33554437, "dhw-mode", (5, 7), {"dhwOperationSetting": 5, "vacationDaySetting": 7}),
    (33554464, "temperature", (117,), {"dhwTemperatureSetting": 117}),
    (33554472, "anti-legionella", (14,), {"antiLegionellaUse": 2, "antiLegionellaPeriod": 14}),
]


@pytest.mark.navilink(control_interval=0)
async def test_controls_are_obeyed_by_their_code(client: ForeignClient) -> None:
    for code, mode, numbers, expected in CONTROLS:
        status = await client.control(code, mode, *numbers)
        assert {key: status[key] for key in expected} == expected, (code, mode)


@pytest.mark.navilink(control_interval=86400)
async def test_a_refusal_arrives_on_the_heaters_own_topic(client: ForeignClient) -> None:
    own = f"{HEATER}/res/ctrl-fail"
    await client.control(33554464, "dhw-temperature", 117)
    refused = await client.request(
        "ctrl", 33554464, own, mode="dhw-temperature", param=[118], paramStr=""
    )
    assert refused["failCode"] == 2


async def test_a_client_that_comes_gets_a_snapshot(client: ForeignClient) -> None:
    event = f"evt/52/navilink-{MAC}/app-connection"
    await client._mqtt.subscribe(f"{HEATER}/res", qos=1)
    await client._mqtt.publish(event, json.dumps({"protocolVersion": 1, "status": 1}), qos=1)
    while True:
        pushed = json.loads(await client.next_payload(f"{HEATER}/res"))
        if pushed["response"]["status"]["command"] == 0:
            return


@pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
@pytest.mark.parametrize("keep_alive", [1, 1200])
async def test_both_versions_and_any_keep_alive_connect(
    sim: Simulator, version: aiomqtt.ProtocolVersion, keep_alive: int
) -> None:
    async with connected(sim, protocol=version, keepalive=keep_alive) as client:
        assert (await client.request("st", 16777219, BY_HEATER))["status"]["command"] == 16777219


async def test_the_calls_of_a_client_for_owners(client: ForeignClient, sim: Simulator) -> None:
    user = {"userId": sim.account.email}
    heater = {**user, "macAddress": MAC, "additionalValue": "1234"}
    page = {"offset": 0, "count": 20}
    (entry,) = await client.call("POST", "/device/list", **user, **page)
    assert entry["deviceInfo"]["macAddress"] == MAC and entry["deviceInfo"]["connected"] == 2
    assert len((await client.call("POST", "/device/firmware/info", **heater))["firmwares"]) == 2
    plan = {**heater, "controllerId": SERIAL, "userType": "O"}
    assert (await client.call("GET", "/device/tou", **plan))["touInfo"]["schedule"]
    path = "/device/tou/manufacture-id"
    assert await client.call("GET", path, **heater, controllerId=SERIAL)
    for kind in ("filter", "cip"):
        assert await client.call("POST", f"/device/{kind}/history", **heater, **page) == []
    assert len(await client.call("POST", "/user/get-push-settings", **heater)) == 3
    (short,) = await client.call(
        "POST", "/device/simple-list", **user, **page, targetUserId=user["userId"]
    )
    assert short["modelTypeCode"] == 513
