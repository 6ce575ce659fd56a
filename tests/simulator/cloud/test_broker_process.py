"""The promises of each broker of the simulator; iotcore and mosquitto are independent of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import AsyncIterator, Callable, Iterator

import aiomqtt
import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud import mqtt_packets
from navien_nwp500.simulator.cloud.broker_process import (
    BUILT_IN,
    HOST,
    IOTCORE,
    MOSQUITTO,
    VARIABLE,
    BrokerPorts,
    choose_broker,
    reserved_port,
    running_broker,
)
from navien_nwp500.simulator.cloud.built_in_broker import BuiltInBroker, Subscriptions
from support.cloud_tools import connect_packet, publish_packet
from support.reliability_tools import wait_until, within_limit

CHILDREN = [MOSQUITTO, *([IOTCORE] if find_spec("iotcore") else [])]
V5 = aiomqtt.ProtocolVersion.V5


def installed(name: str, find_program: Callable[..., str]) -> str:
    if name == MOSQUITTO:
        find_program(MOSQUITTO)
    return name


@pytest.fixture(params=[BUILT_IN, *CHILDREN])
def name(request: pytest.FixtureRequest, find_program: Callable[..., str]) -> str:
    return installed(request.param, find_program)


@pytest.fixture(params=CHILDREN)
def child(request: pytest.FixtureRequest, find_program: Callable[..., str]) -> str:
    """Return a broker that runs as a child process."""
    return installed(request.param, find_program)


@pytest.fixture
async def ports(name: str) -> AsyncIterator[BrokerPorts]:
    async with running_broker(name) as ports:
        yield ports


async def next_message(client: aiomqtt.Client) -> aiomqtt.Message:
    return await within_limit(client.messages.__anext__())


async def test_clients_of_both_mqtt_versions_exchange_messages(ports: BrokerPorts) -> None:
    old = aiomqtt.Client(HOST, ports.mqtt3)
    new = aiomqtt.Client(HOST, ports.mqtt5, protocol=V5)
    async with old, new:
        for client, other in ((old, new), (new, old)):
            await client.subscribe("a/+/c/#", qos=1)
            for qos, payload in ((0, b"{}"), (1, b"x" * 128 * 1024)):
                await other.publish("a/b/c", payload, qos=qos)
                message = await next_message(client)
                assert (str(message.topic), message.payload) == ("a/b/c", payload)
            await client.unsubscribe("a/+/c/#")
            await client.subscribe("end")
            for topic in ("a/b/c", "end"):
                await other.publish(topic, b"", qos=1)
            assert str((await next_message(client)).topic) == "end"
            await client.unsubscribe("end")


async def test_a_later_subscriber_gets_the_retained_messages(ports: BrokerPorts) -> None:
    async with aiomqtt.Client(HOST, ports.mqtt3) as one:
        for payload in ("old", "new"):
            await one.publish("kept/a", payload, qos=1, retain=True)
        await one.publish("kept/b", "gone", qos=1, retain=True)
        await one.publish("kept/b", "", qos=1, retain=True)
    async with aiomqtt.Client(HOST, ports.mqtt3) as later:
        await later.subscribe("kept/#", qos=1)
        message = await next_message(later)
        assert (str(message.topic), message.payload, message.retain) == ("kept/a", b"new", True)
        await later.publish("kept/c", "live", qos=1)
        assert (await next_message(later)).payload == b"live"


@pytest.mark.parametrize("ending", ["abort", "disconnect", "takeover"])
async def test_a_will_is_published_unless_the_client_disconnects(
    ports: BrokerPorts, ending: str
) -> None:
    async with aiomqtt.Client(HOST, ports.mqtt3) as watcher:
        await watcher.subscribe("#", qos=1)
        reader, writer = await asyncio.open_connection(HOST, ports.mqtt3)
        writer.write(connect_packet("mortal", will="wills/mortal"))
        assert (await within_limit(reader.readexactly(4)))[3] == 0
        if ending == "abort":
            writer.transport.abort()
        elif ending == "disconnect":
            writer.write(b"\xe0\0")
            assert await within_limit(reader.read()) == b""
        else:
            again, second = await asyncio.open_connection(HOST, ports.mqtt3)
            second.write(connect_packet("mortal"))
            assert (await within_limit(again.readexactly(4)))[3] == 0
            assert await within_limit(reader.read()) == b""
            second.close()
        writer.close()
        if ending != "disconnect":
            assert (await next_message(watcher)).payload == b"gone"
        await watcher.publish("end", "end")
        assert (await next_message(watcher)).payload == b"end"


_PROGRAM = """
import asyncio, os, signal, sys
from navien_nwp500.simulator.cloud.broker_process import running_broker
async def main():
    async with running_broker(sys.argv[1]) as ports:
        signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
        print(*ports, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups of Unix")
async def test_a_broker_survives_control_c_and_ends_with_its_parent(name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, name, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        ports = [int(word) for word in (await within_limit(process.stdout.readline())).split()]
        os.killpg(process.pid, signal.SIGINT)
        assert await within_limit(process.stdout.readline()) == b"interrupted\n"
        async with aiomqtt.Client(HOST, ports[0]) as client:
            await client.publish("still", "here", qos=1)
    finally:
        process.kill()
        await within_limit(process.wait())
    await wait_until(lambda: not any(listens(port) for port in ports))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


async def test_a_broker_chooses_another_port_when_one_is_in_use(child: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken_ports = [taken.getsockname()[1]]

        @contextmanager
        def reserve() -> Iterator[int]:
            if taken_ports:
                yield taken_ports.pop()
            else:
                with reserved_port() as port:
                    yield port

        async with running_broker(child, reserve) as ports:
            assert taken.getsockname()[1] not in ports


async def test_no_free_port_is_an_os_error(child: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        @contextmanager
        def reserve() -> Iterator[int]:
            yield taken.getsockname()[1]

        with pytest.raises(OSError, match="no free port"):
            async with running_broker(child, reserve):
                pass


def test_a_broker_that_is_not_installed_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "iotcore", None)
    for name, advice in ((MOSQUITTO, "install mosquitto"), (IOTCORE, "extra 'iotcore'")):
        with pytest.raises(ConfigurationError, match=advice):
            Simulator(broker=name)
    with pytest.raises(ConfigurationError, match="it must be one of built-in, iotcore, mosquitto"):
        Simulator(broker="hivemq")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert choose_broker() == BUILT_IN


# The built-in broker

NAMES = st.lists(st.sampled_from(["a", "b", "", "$c"]), min_size=1, max_size=4)
FILTERS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "", "+", "$c"]), min_size=1, max_size=4), st.booleans()
).map(lambda drawn: "/".join([*drawn[0], *(["#"] if drawn[1] else [])]))


@given(st.lists(FILTERS, max_size=8), st.lists(FILTERS, max_size=4), NAMES.map("/".join))
def test_matching_subscriptions_follow_the_standard(
    kept: list[str], dropped: list[str], topic: str
) -> None:
    tree, expected = Subscriptions(), dict[str, int]()
    for number, topic_filter in enumerate([*kept, *dropped]):
        tree.add(topic_filter, topic_filter, number)  # type: ignore[arg-type]
        expected[topic_filter] = number
    for topic_filter in set(dropped):
        tree.remove(topic_filter, topic_filter)  # type: ignore[arg-type]
        del expected[topic_filter]
    hidden = topic.startswith("$")
    assert tree.matching(topic) == {
        one: number
        for one, number in expected.items()
        if mqtt_packets.matches(one, topic) and not (hidden and one[:1] in ("+", "#"))
    }
    for topic_filter in expected:
        tree.remove(topic_filter, topic_filter)  # type: ignore[arg-type]
    assert tree._root.children == {}


async def response(data: bytes) -> bytes:
    """Return all that the built-in broker sends after these bytes, until it closes."""
    async with BuiltInBroker().running(HOST) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(data)
        found = await within_limit(reader.read())
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return found


ACCEPTED = b"\x20\x02\0\0"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x10\xff\xff\xff\xff\xff", b""),
        (b"\x10\x10GET / HTTP/1.1\r\n", b""),
        (publish_packet("a"), b""),
        (connect_packet("a", level=3), b"\x20\x02\0\1"),
        (connect_packet("a") + connect_packet("a"), ACCEPTED),
        (connect_packet("a") + publish_packet("a/#"), ACCEPTED),
        (connect_packet("a") + publish_packet("a", qos=2), ACCEPTED),
        (connect_packet("a") + b"\xc0\0" + b"\xe0\0" + b"\xc0\0", ACCEPTED + b"\xd0\0"),
        (connect_packet("a") + b"\x82\x06\0\1\0\1#\1" + b"\xe0\0", ACCEPTED + b"\x90\x03\0\1\1"),
        (connect_packet("a") + b"\x82\x07\0\1\0\2a#\1\xe0\0", ACCEPTED + b"\x90\x03\0\1\x80"),
    ],
)
async def test_the_built_in_broker_closes_on_invalid_packets(data: bytes, expected: bytes) -> None:
    assert await response(data) == expected


async def test_a_client_that_misses_its_keep_alive_is_disconnected() -> None:
    async with BuiltInBroker().running(HOST) as port:
        async with aiomqtt.Client(HOST, port) as watcher:
            await watcher.subscribe("wills/#")
            reader, writer = await asyncio.open_connection(HOST, port)
            packet = bytearray(connect_packet("silent", will="wills/silent"))
            packet[10:12] = b"\0\1"  # the keep-alive, seconds
            writer.write(packet)
            assert await within_limit(reader.read()) == ACCEPTED
            assert (await next_message(watcher)).payload == b"gone"
            writer.close()


async def test_a_client_that_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "navien_nwp500.simulator.cloud.built_in_broker._MAX_WAITING_BYTES", 1024 * 1024
    )
    async with BuiltInBroker().running(HOST) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(connect_packet("asleep", will="wills/asleep") + b"\x82\x06\0\1\0\1b\0")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with aiomqtt.Client(HOST, port) as other:
            await other.subscribe("wills/#")
            will = asyncio.ensure_future(next_message(other))
            while not will.done():
                await other.publish("b", b"x" * 128 * 1024, qos=1)
            assert will.result().payload == b"gone"
        writer.transport.abort()


# The test fixtures


def test_a_missing_program_skips_a_test_and_fails_it_in_ci(
    find_program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        find_program("no-such-program", "nor-this-one")
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        find_program("no-such-program", "nor-this-one")
