"""The simulated heater as a foreign MQTT client sees it, straight at the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, AsyncIterator

import aiomqtt
import pytest

from navien_nwp500._util.aio import wait_at_most
from navien_nwp500.protocol.types import DHWMode
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.heater.firmware import Firmware
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
    """An MQTT client of somebody else's."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._messages = client.messages
        self._connection = 1768478400000

    async def publish(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=1)

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next answer or push; requests come back too and are passed over."""
        while True:
            message = await wait_at_most(LIMIT, asyncio.ensure_future(self._messages.__anext__()))
            assert isinstance(message.payload, bytes)
            content = json.loads(message.payload)
            if "response" in content:
                return str(message.topic), content

    async def ask(
        self, suffix: str, code: int, reply: str, *, answers: int = 1, **body: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        """Send a request; all that comes under its ids before a later request is answered."""
        self._connection += 2
        asked, marker = str(self._connection), str(self._connection + 1)
        topic, payload = envelope(suffix, code, reply, asked, **body)
        await self.publish(topic, payload)
        await self.publish(*envelope("st", 16777219, LIB, marker))
        found = []
        while True:
            where, content = await self.next()
            if content["sessionID"] == marker:
                break
            if content["sessionID"] == asked:
                self._check(content, topic)
                found.append((where, content["response"]))
        assert len(found) == answers
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
                ((topic, response),) = await client.ask("ctrl", example.code, reply, **example.body)
                assert topic == reply and list(response) == ["status"]
                status = response["status"]
                assert len(status) >= 99 and status["command"] == example.code
                assert {key: status[key] for key in example.expected} == example.expected


@pytest.mark.parametrize("root", [LIB_QUERY, APP], ids=["LIB", "app"])
async def test_every_query_over_the_broker(root: str) -> None:
    async with Simulator(speed=600, recirculation=True, control_interval=0) as sim:
        async with foreign(sim) as client:
            ((topic, found),) = await client.ask("st/did", 16777217, f"{root}/did")
            assert topic == f"{root}/did" and found["feature"]["recirculationUse"] == 2
            await client.ask("st/end", 16777218, f"{root}/end", answers=0)
            lists = {
                "rsv": (16777222, 16777226, RESERVATIONS),
                "recirc-rsv": (16777231, 33554440, [{**RESERVATIONS[0], "mode": 2, "param": -1}]),
            }
            for name, (read, write, entries) in lists.items():
                topic = f"{root}/{name}/rd"
                body = {"reservationUse": 2, "reservation": entries}
                ((where, _),) = await client.ask(f"ctrl/{name}/rd", write, topic, **body)
                assert where == topic
                found = await client.ask(f"st/{name}/rd", read, topic, answers=2)
                assert [where for where, _ in found] == [f"{root}/{name}", topic]
                assert isinstance(found[0][1]["reservation"], str)
                assert sorted(found[1][1]["reservation"], key=str) == sorted(entries, key=str)
            ((_, found),) = await client.ask(
                "ctrl/tou/rd",
                33554439,
                f"{root}/tou/rd",
                controllerSerialNumber=SERIAL,
                reservationUse=2,
                reservation=PLAN,
            )
            assert found == {"reservationUse": 2, "reservation": PLAN}
            year = sim.units[0].heater.now.year
            for name, code, body in (
                ("daily", 16777225, {"year": year, "month": [1, 12]}),
                ("monthly", 16777226, {"year": [year - 1, year]}),
            ):
                suffix = f"energy-usage-{name}-query/rd"
                ((where, found),) = await client.ask(
                    f"st/{suffix}", code, f"{root}/{suffix}", **body
                )
                assert where == f"{root}/{suffix}" and len(found["usage"]) == 2
            hourly = {"year": year, "month": 1, "day": [11]}
            suffix = "st/energy-usage-hourly-query/rd"
            await client.ask(suffix, 16777224, f"{root}/hourly", answers=0, **hourly)
            ((where, _),) = await client.ask("st/dl-sw-info", 16777227, f"{root}/dl-sw-info")
            assert where == f"{DEVICE}/res/dl-sw-info"
            expected = 1 if root == APP else 0
            await client.ask("st/td/rd", 16777228, f"{root}/td/rd", answers=expected)


async def test_a_hurried_control_over_the_broker() -> None:
    async with Simulator(speed=600, control_interval=86400) as sim:
        async with foreign(sim) as client:
            turn = {"mode": "dhw-temperature", "param": [117], "paramStr": ""}
            ((_, first),) = await client.ask("ctrl", 33554464, LIB, **turn)
            assert first["status"]["dhwTemperatureSetting"] == 117
            ((topic, refused),) = await client.ask(
                "ctrl", 33554464, LIB, **{**turn, "param": [121]}
            )
            assert topic == f"{DEVICE}/res/ctrl-fail"
            assert refused == {"swVersion": 0, "failCode": 2}
            assert sim.units[0].heater.status().dhw_temperature_setting == 117


async def test_nobody_else_is_answered_and_nothing_brings_the_heater_down() -> None:
    async with Simulator(speed=600) as sim:
        async with foreign(sim) as client:
            turn = {"mode": "power-off", "param": [], "paramStr": ""}
            for wrong in ({"macAddress": "0123456789ac"}, {"additionalValue": "4321"}):
                await client.ask("ctrl", 33554433, LIB, answers=0, **turn, **wrong)
            assert sim.units[0].heater.status().dhw_operation_setting == DHWMode.ENERGY_SAVER
            for topic in ("", f"{DEVICE}/#", "a/+/b", "a\0b", "\ud800", "x" * 65536):
                await client.ask("st", 16777219, topic, answers=0)
            # The echo of such an id makes the answer longer than AWS IoT carries (PROTOCOL 2.3).
            await client.publish(*envelope("st", 16777219, LIB, "9" * 130_000))
            ((_, found),) = await client.ask("st", 16777219, LIB)
            assert found["status"]["command"] == 16777219


async def test_pushes_follow_the_answer() -> None:
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
                    fresh = content["sessionID"] == "77" or seen
                    if fresh:
                        seen.append((where, status["command"], status["operationMode"]))
                assert seen[0][:2] == (LIB, 33554437) and seen[0][2] != shown
                assert all(where == f"{DEVICE}/res" for where, *_ in seen[1:])
                assert seen[-1][1] == OPERATION


async def test_older_firmware_over_the_broker() -> None:
    async with Simulator(speed=600, firmware=Firmware.A, recirculation=True) as sim:
        async with foreign(sim) as client:
            ((_, found),) = await client.ask("st/did", 16777217, LIB)
            assert "recirculationUse" not in found["feature"]
            await client.ask("st/recirc-rsv/rd", 16777231, LIB, answers=0)
            ((_, found),) = await client.ask(
                "ctrl", 33554464, LIB, mode="dhw-temperature", param=[70], paramStr=""
            )
            assert found["status"]["dhwTemperatureSetting"] == 70 and len(found["status"]) == 87
