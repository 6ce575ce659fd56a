"""The simulated heater on the broker, seen by a foreign MQTT client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, AsyncIterator

import aiomqtt
import pytest

from navien_nwp500._util.aio import wait_at_most
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Firmware, Simulator
from support.control_examples import EXAMPLES
from support.heater_bench import (
    APP,
    CLIENT,
    DEVICE,
    LIB,
    LIB_QUERY,
    MAC,
    OPERATION,
    PLAN,
    RESERVATIONS,
    SERIAL,
    envelope,
)

LIMIT = 60.0


class Foreign:
    """An MQTT client that shares no code with this package."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._messages = client.messages
        self._session = 1768478400000

    async def publish(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=1)

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next response or push; requests come back too and are skipped."""
        while True:
            message = await wait_at_most(LIMIT, asyncio.ensure_future(self._messages.__anext__()))
            assert isinstance(message.payload, bytes)
            content = json.loads(message.payload)
            if "response" in content:
                return str(message.topic), content

    async def request(
        self, suffix: str, code: int, reply: str, *, replies: int = 1, **body: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        """Send a request and a second one; return the replies before the reply to the second."""
        self._session += 2
        session, marker = str(self._session), str(self._session + 1)
        topic, payload = envelope(suffix, code, reply, session, **body)
        await self.publish(topic, payload)
        await self.publish(*envelope("st", 16777219, LIB, marker))
        found = []
        while True:
            reply_topic, content = await self.next()
            if content["sessionID"] == marker:
                break
            if content["sessionID"] == session:
                self._check(content, topic)
                found.append((reply_topic, content["response"]))
        assert len(found) == replies
        return found

    @staticmethod
    def _check(content: dict[str, Any], topic: str) -> None:
        keys = {"protocolVersion", "clientID", "sessionID", "requestTopic", "response"}
        assert set(content) == keys and content["protocolVersion"] == 2
        assert content["clientID"] == CLIENT and content["requestTopic"] == topic
        response = content["response"]
        identity = (response.pop("deviceType"), response.pop("macAddress"))
        assert identity == (52, MAC) and response.pop("additionalValue") == "1234"


@contextlib.asynccontextmanager
async def foreign(sim: Simulator) -> AsyncIterator[Foreign]:
    port = sim._cloud.broker_port
    async with aiomqtt.Client("127.0.0.1", port, identifier=CLIENT) as client:
        for topic_filter in (f"{DEVICE}/#", f"{LIB_QUERY}/#", f"{APP}/#"):
            await client.subscribe(topic_filter, qos=1)
        yield Foreign(client)


@pytest.mark.parametrize("reply", [LIB, APP], ids=["LIB", "app"])
async def test_every_control_over_the_broker(reply: str) -> None:
    async with Simulator(speed=600, recirculation=True, control_interval=0) as sim:
        async with foreign(sim) as client:
            for example in EXAMPLES:
                ((topic, response),) = await client.request(
                    "ctrl", example.code, reply, **example.body
                )
                assert topic == reply and list(response) == ["status"]
                status = response["status"]
                assert len(status) >= 99 and status["command"] == example.code
                assert {key: status[key] for key in example.expected} == example.expected


@pytest.mark.parametrize("root", [LIB_QUERY, APP], ids=["LIB", "app"])
async def test_every_query_over_the_broker(root: str) -> None:
    async with Simulator(speed=600, recirculation=True, control_interval=0) as sim:
        async with foreign(sim) as client:
            ((topic, found),) = await client.request("st/did", 16777217, f"{root}/did")
            assert topic == f"{root}/did" and found["feature"]["recirculationUse"] == 2
            await client.request("st/end", 16777218, f"{root}/end", replies=0)
            lists = {
                "rsv": (16777222, 16777226, RESERVATIONS),
                "recirc-rsv": (16777231, 33554440, [{**RESERVATIONS[0], "mode": 2, "param": -1}]),
            }
            for name, (read, write, entries) in lists.items():
                topic = f"{root}/{name}/rd"
                body = {"reservationUse": 2, "reservation": entries}
                for suffix, code, values in (
                    (f"ctrl/{name}/rd", write, body),
                    (f"st/{name}/rd", read, {}),
                ):
                    found = await client.request(suffix, code, topic, replies=2, **values)
                    assert [where for where, _ in found] == [f"{root}/{name}", topic]
                    assert isinstance(found[0][1]["reservation"], str)
                    assert sorted(found[1][1]["reservation"], key=str) == sorted(entries, key=str)
            plan = {"reservationUse": 2, "reservation": PLAN}
            write = {"controllerSerialNumber": SERIAL, **plan}
            topic = f"{root}/tou/rd"
            (where, packed), (_, found) = await client.request(
                "ctrl/tou/rd", 33554439, topic, replies=2, **write
            )
            assert where == f"{root}/tou" and len(packed["reservation"]) == 32 * len(PLAN)
            assert found == plan
            year = sim.units[0].heater.now.year
            for name, code, body in (
                ("daily", 16777225, {"year": year, "month": [1, 12]}),
                ("monthly", 16777226, {"year": [year - 1, year]}),
            ):
                suffix = f"energy-usage-{name}-query/rd"
                ((where, found),) = await client.request(
                    f"st/{suffix}", code, f"{root}/{suffix}", **body
                )
                assert where == f"{root}/{suffix}" and len(found["usage"]) == 2
            hourly = {"year": year, "month": 1, "day": [11]}
            suffix = "st/energy-usage-hourly-query/rd"
            await client.request(suffix, 16777224, f"{root}/hourly", replies=0, **hourly)
            ((where, _),) = await client.request("st/dl-sw-info", 16777227, f"{root}/dl-sw-info")
            assert where == f"{DEVICE}/res/dl-sw-info"
            expected = 2 if root == APP else 1
            await client.request("st/td/rd", 16777228, f"{root}/td/rd", replies=expected)


async def test_a_control_within_the_interval_over_the_broker() -> None:
    async with Simulator(speed=600, control_interval=86400) as sim:
        async with foreign(sim) as client:
            change = {"mode": "dhw-temperature", "param": [117], "paramStr": ""}
            ((_, first),) = await client.request("ctrl", 33554464, LIB, **change)
            assert first["status"]["dhwTemperatureSetting"] == 117
            ((topic, refused),) = await client.request(
                "ctrl", 33554464, LIB, **{**change, "param": [121]}
            )
            assert topic == f"{DEVICE}/res/ctrl-fail"
            assert refused == {"swVersion": 0, "failCode": 2}
            assert sim.units[0].heater.status().dhw_temperature_setting == 117


async def test_requests_to_other_heaters_and_bad_topics_get_no_reply() -> None:
    async with Simulator(speed=600) as sim:
        async with foreign(sim) as client:
            change = {"mode": "power-off", "param": [], "paramStr": ""}
            for wrong in ({"macAddress": "0123456789ac"}, {"additionalValue": "4321"}):
                await client.request("ctrl", 33554433, LIB, replies=0, **change, **wrong)
            assert sim.units[0].heater.status().dhw_operation_setting == DHWMode.ENERGY_SAVER
            for topic in ("", f"{DEVICE}/#", "a/+/b", "a\0b", "\ud800", "x" * 65536):
                await client.request("st", 16777219, topic, replies=0)
            # With such an id the reply exceeds the maximum size of AWS IoT (PROTOCOL 2.3).
            await client.publish(*envelope("st", 16777219, LIB, "9" * 130_000))
            ((_, found),) = await client.request("st", 16777219, LIB)
            assert found["status"]["command"] == 16777219


async def test_pushes_follow_the_reply() -> None:
    async with Simulator(speed=60) as sim:
        async with foreign(sim) as client:
            for mode, shown in ((2, 64), (1, 32)):
                topic, payload = envelope(
                    "ctrl", 33554437, LIB, "77", mode="dhw-mode", param=[mode], paramStr=""
                )
                await client.publish(topic, payload)
                seen: list[tuple[str, int, int]] = []
                while not seen or seen[-1][2] != shown:
                    where, content = await client.next()
                    status = content["response"]["status"]
                    after_request = content["sessionID"] == "77" or seen
                    if after_request:
                        seen.append((where, status["command"], status["operationMode"]))
                assert seen[0][:2] == (LIB, 33554437) and seen[0][2] != shown
                assert all(where == f"{DEVICE}/res" for where, *_ in seen[1:])
                assert seen[-1][1] == OPERATION


async def test_older_firmware_over_the_broker() -> None:
    async with Simulator(
        speed=600, firmware=Firmware.A, min_setpoint=HalfCelsius(70), recirculation=True
    ) as sim:
        async with foreign(sim) as client:
            ((_, found),) = await client.request("st/did", 16777217, LIB)
            assert "recirculationUse" not in found["feature"]
            await client.request("st/recirc-rsv/rd", 16777231, LIB, replies=0)
            ((_, found),) = await client.request(
                "ctrl", 33554464, LIB, mode="dhw-temperature", param=[70], paramStr=""
            )
            assert found["status"]["dhwTemperatureSetting"] == 70 and len(found["status"]) == 87
