"""A broker that refuses, or is not what the address says: the bridge says what, and what to do."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, AsyncIterator, Callable

import aiomqtt
import pytest
import trustme

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.bridges import broker as broker_module
from navien_nwp500.apps.bridges.follower import Follower
from navien_nwp500.apps.bridges.home_assistant import Broker, MqttBridge
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud import mqtt_packets
from support.mqtt_brokers import MOSQUITTO, BuiltIn, Mosquitto, keep_root
from support.reliability_tools import (
    FAST_RECONNECT,
    LIMIT,
    count_log,
    fast_config,
    wait_until,
    within_limit,
)
from support.stream_server import stream_server

MAC = "0123456789ab"
CONFIG = f"homeassistant/device/navien_nwp500_{MAC}/config"
STATE = f"navien_nwp500/{MAC}/state"
DISCOVERY_RULE = "in mosquitto's ACL file: topic write homeassistant/device/+/config"


@asynccontextmanager
async def bridging(sim: Simulator, address: Broker) -> AsyncIterator[asyncio.Task[None]]:
    async with NaviLinkClient(fast_config(sim)) as client:
        heater = (await client.get_devices())[0]
        follower = Follower(heater, 0.2, answer_timeout=LIMIT, reconnect=FAST_RECONNECT)
        bridge = MqttBridge(address, [follower], reconnect=FAST_RECONNECT)
        task = asyncio.ensure_future(bridge.run())
        try:
            yield task
        finally:
            await cancel_and_wait(task)
            if not task.cancelled():
                task.exception()


class Subscriber:
    """The newest message of each topic."""

    def __init__(self) -> None:
        self.received: dict[str, bytes] = {}

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[Subscriber]:
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("#", qos=1)
            task = asyncio.ensure_future(self._listen(client))
            try:
                yield self
            finally:
                await cancel_and_wait(task)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self.received[str(message.topic)] = bytes(message.payload)  # type: ignore[arg-type]


@pytest.fixture
async def built_in() -> AsyncIterator[BuiltIn]:
    found = BuiltIn()
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    return found


# Refusals


async def test_discovery_that_the_broker_denies_is_told_with_the_line_that_allows_it(
    sim: Simulator,
    tmp_path: Path,
    find_program: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    rules = tmp_path / "acl"
    rules.write_text("topic read #\ntopic write navien_nwp500/#\n")
    lines = ("allow_anonymous true", f"acl_file {rules}", *keep_root())
    broker = Mosquitto(find_program(MOSQUITTO), tmp_path, *lines)
    await broker.start()
    try:
        async with Subscriber().running(broker.port) as subscriber:
            async with bridging(sim, Broker("127.0.0.1", broker.port)):
                await wait_until(lambda: STATE in subscriber.received)
                await wait_until(lambda: count_log(caplog, DISCOVERY_RULE) == 1)
                text = next(one for one in caplog.messages if DISCOVERY_RULE in one)
                assert "so Home Assistant does not find the heater" in text and MAC not in text
                assert CONFIG not in subscriber.received
                rules.write_text(f"{rules.read_text()}topic write homeassistant/device/+/config\n")
                broker.read_again()
                await wait_until(lambda: CONFIG in subscriber.received)
                await wait_until(lambda: count_log(caplog, "now allows") == 1)
        assert count_log(caplog, "refuses") == 1
    finally:
        await broker.stop()


async def test_each_topic_that_the_broker_denies_has_its_line(
    sim: Simulator,
    tmp_path: Path,
    find_program: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "acl").write_text("topic read #\n")
    lines = ("allow_anonymous true", f"acl_file {tmp_path / 'acl'}", *keep_root())
    broker = Mosquitto(find_program(MOSQUITTO), tmp_path, *lines)
    await broker.start()
    expected = [
        "topic write navien_nwp500/bridge/bridge/availability",
        "topic write navien_nwp500/+/availability",
        "topic write navien_nwp500/+/state",
        "topic write homeassistant/device/+/config",
    ]
    try:
        async with bridging(sim, Broker("127.0.0.1", broker.port)):
            for rule in expected:
                await wait_until(lambda: any(one.endswith(rule) for one in caplog.messages))
    finally:
        await broker.stop()


async def test_refused_subscriptions_are_told_and_no_commands_offered(
    sim: Simulator,
    built_in: BuiltIn,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The built-in broker answers 0x80 to a filter that it takes for invalid."""
    valid = mqtt_packets.is_valid_filter
    refused = {"homeassistant/status", "navien_nwp500/+/+/set"}
    monkeypatch.setattr(
        mqtt_packets, "is_valid_filter", lambda name: name not in refused and valid(name)
    )
    async with Subscriber().running(built_in.port) as subscriber:
        async with bridging(sim, Broker("127.0.0.1", built_in.port, user="navien")):
            await wait_until(lambda: CONFIG in subscriber.received)
            assert b"command_topic" not in subscriber.received[CONFIG]
            for rule in ("homeassistant/status", "navien_nwp500/+/+/set"):
                assert (
                    count_log(
                        caplog, f"user navien this; in mosquitto's ACL file: topic read {rule}"
                    )
                    == 1
                )


# Addresses


class EnoughError(Exception):
    """Ends a bridge between two tries, when no connection is open."""


async def first_warning(sim: Simulator, address: Broker, caplog: pytest.LogCaptureFixture) -> str:
    """Let a bridge try a broker several times; return the one message about it."""
    tries = 0
    connect = broker_module.Broker.client

    def count_tries(*arguments: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries > 3:
            raise EnoughError
        return connect(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker_module.Broker, "client", count_tries)
        patch.setattr(broker_module, "TIMEOUT", 0.3)
        async with bridging(sim, address) as task:
            with pytest.raises(EnoughError):
                await within_limit(asyncio.shield(task))
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    (text,) = (one for one in caplog.messages if "trying again" in one)
    return text


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Run a server that is no MQTT broker; yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome\r\n")
        with suppress(OSError):
            await reader.read()  # until the client ends: an earlier end could hide what was sent
        writer.transport.abort()

    async with stream_server(serve, context) as port:
        yield port


def tls_of(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_plain_connection_to_a_tls_port_suggests_mqtts(
    sim: Simulator, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(tls_of(authority)) as port:
        text = await first_warning(sim, Broker("127.0.0.1", port), caplog)
    assert f"127.0.0.1:{port}: it does not answer as an MQTT broker" in text
    assert "write mqtts:// in --broker" in text


async def test_a_tls_connection_to_a_plain_port_suggests_mqtt(
    sim: Simulator, authority: trustme.CA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(None) as port:
        address = Broker("127.0.0.1", port, tls=True, ca_file=tmp_path / "ca.pem")
        text = await first_warning(sim, address, caplog)
    assert "it does not use TLS on this port" in text and "write mqtt:// in --broker" in text


@pytest.mark.parametrize(
    ("trusted", "name", "expected"),
    [
        (False, "127.0.0.1", "not signed by a trusted authority"),
        (True, "other.example", "for another host name"),
    ],
)
async def test_a_certificate_that_is_not_accepted_says_why(
    sim: Simulator,
    authority: trustme.CA,
    tmp_path: Path,
    trusted: bool,
    name: str,
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer = authority if trusted else trustme.CA()
    async with listening(tls_of(issuer, name)) as port:
        address = Broker("127.0.0.1", port, tls=True, ca_file=tmp_path / "ca.pem")
        assert expected in await first_warning(sim, address, caplog)


async def test_a_closed_port_is_named(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = await first_warning(sim, Broker("127.0.0.1", port), caplog)
    assert f"127.0.0.1:{port}: it refuses the connection" in text


async def test_a_wrong_password_names_the_setting(
    sim: Simulator,
    tmp_path: Path,
    find_program: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "users").write_text("")
    lines = ("allow_anonymous false", f"password_file {tmp_path / 'users'}", *keep_root())
    broker = Mosquitto(find_program(MOSQUITTO), tmp_path, *lines)
    await broker.start()
    try:
        address = Broker("127.0.0.1", broker.port, user="navien", password="wrong-77")
        text = await first_warning(sim, address, caplog)
    finally:
        await broker.stop()
    assert "MQTT_PASSWORD" in text and "wrong-77" not in text


@pytest.mark.parametrize("answers", [True, False])
async def test_a_broker_without_mqtt_5_is_used_with_3_1_1(
    sim: Simulator, built_in: BuiltIn, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One broker names the version that it does not know, another closes the connection."""
    monkeypatch.setattr(broker_module, "TIMEOUT", 2.0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(4096)
        if first[first.index(b"MQTT") + 4] == mqtt_packets.LEVEL_5:
            writer.write(b"\x20\x02\x00\x01" if answers else b"")
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", built_in.port)
        back.write(first)
        copying = [
            asyncio.ensure_future(copy(reader, back)),
            asyncio.ensure_future(copy(there, writer)),
        ]
        await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
        await cancel_and_wait(*copying)
        for one in (back, writer):
            one.transport.abort()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)

    async with stream_server(serve) as port, Subscriber().running(built_in.port) as subscriber:
        async with bridging(sim, Broker("127.0.0.1", port)):
            await wait_until(lambda: STATE in subscriber.received)


@pytest.mark.parametrize(
    "host", ["ha..local", ".local", "a%20b", f"{'x' * 64}.local", "host:0", "host:99999", "[::1"]
)
def test_a_host_that_cannot_exist_is_a_configuration_error(host: str) -> None:
    with pytest.raises(ConfigurationError, match="broker URL"):
        Broker.parse(f"mqtt://{host}")


def test_an_ipv6_address_is_a_host() -> None:
    broker = Broker.parse("mqtts://[::1]")
    assert (broker.host, broker.port, broker.address) == ("::1", 8883, "[::1]:8883")


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff\x00"])
async def test_a_file_without_certificates_ends_the_bridge_and_is_named(
    sim: Simulator, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    address = Broker("127.0.0.1", 1, tls=True, ca_file=tmp_path / "ca.pem")
    async with bridging(sim, address) as task:
        with pytest.raises(ConfigurationError, match="ca.pem contains no valid certificate"):
            await within_limit(asyncio.shield(task))
