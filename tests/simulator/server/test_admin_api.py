"""The admin API: faults and counters over HTTP."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable

import pytest
from yarl import URL

from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.mqtt_packets import Packet
from navien_nwp500.simulator.faults import ClientConnection, DropMessages, PacketFault, all_faults
from navien_nwp500.simulator.server.admin_api import _KINDS, _fields
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import HEATER, OTHER, Connect, Http, Publish, call, payloads, subscribed

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERSION = "/app/version"


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
