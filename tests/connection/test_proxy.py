"""Tests of the way through an HTTP proxy, where there is no other way to the cloud."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, AsyncIterator, Mapping

import aiohttp
import pytest

from navien_nwp500 import (
    CommunicationError,
    ConfigurationError,
    NaviLinkAuth,
    NaviLinkClient,
    NaviLinkConfig,
    WebSocketError,
)
from navien_nwp500._connection.http_session import tls_context
from navien_nwp500._connection.proxy import Proxy, find_proxy
from navien_nwp500.apps.diagnostics.checks import State, diagnose
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud import certificates
from support.cli import run
from support.connect_proxy import CLOUD, ConnectProxy
from support.reliability_tools import fast_config, within_limit
from support.transports import TransportSimulator, each_transport

PASSWORD = "geheim: ä@%"
IN_URL = "geheim%3A%20%C3%A4%40%25"


@pytest.fixture
async def sim(
    transport: str, navilink_settings: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Simulator]:
    """Run a cloud whose certificate names ``CLOUD``."""
    monkeypatch.setattr(certificates, "NAMES", (*certificates.NAMES, CLOUD))
    async with TransportSimulator(transport, **navilink_settings) as simulator:
        yield simulator


def hidden(config: NaviLinkConfig) -> NaviLinkConfig:
    """Return the configuration with a name that only the proxy resolves."""
    return replace(
        config,
        base_url=config.base_url.replace("127.0.0.1", CLOUD),
        websocket_url=str(config.websocket_url).replace("127.0.0.1", CLOUD),
    )


@each_transport
@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_rest_and_mqtt_go_through_the_proxy(
    sim: Simulator, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConnectProxy(password).running() as proxy:
        user = "" if password is None else f"navien:{IN_URL}@"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
        async with NaviLinkClient(hidden(fast_config(sim))) as client:
            device = (await within_limit(client.get_devices()))[0]
            assert (await within_limit(device.get_status())).dhw_charge_percent
        assert sim.counters.handshakes == 1
        port = hidden(sim.config).base_url.split(":")[2].split("/")[0]
        assert len(proxy.opened) >= 2 and {*proxy.opened} == {f"{CLOUD}:{port}"}
        assert not proxy.refused


@each_transport
async def test_a_proxy_that_refuses_says_why_for_mqtt(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Sign in directly, so that MQTT is the first to meet the proxy."""
    caplog.set_level(logging.DEBUG)
    config = replace(hidden(fast_config(sim)), base_url=sim.config.base_url)
    async with ConnectProxy(PASSWORD).running() as proxy:
        monkeypatch.setenv("https_proxy", f"http://navien:wrong-secret@127.0.0.1:{proxy.port}")
        async with NaviLinkClient(config) as client:
            device = (await client.get_devices())[0]
            with pytest.raises(WebSocketError, match=f"proxy 127.0.0.1:{proxy.port}") as caught:
                await within_limit(device.get_status())
        assert proxy.refused and "password" in str(caught.value)
    assert "wrong-secret" not in caplog.text + str(caught.value)


@pytest.mark.parametrize(
    ("user", "status", "expected"),
    [
        ("", None, "requires a user and a password"),
        ("navien:wrong-secret@", None, "rejects the user or the password"),
        ("", 403, r"does not open the connection \(HTTP 403\)"),
    ],
)
async def test_a_proxy_that_refuses_says_why_for_rest(
    sim: Simulator,
    user: str,
    status: int | None,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ConnectProxy(PASSWORD, status).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
        auth = NaviLinkAuth(hidden(sim.config))
        with pytest.raises(CommunicationError, match=expected) as caught:
            await within_limit(auth.sign_in())
        await auth.close()
    assert f"127.0.0.1:{proxy.port}" in str(caught.value)
    assert "wrong-secret" not in caplog.text + str(caught.value)


async def test_a_proxy_that_is_not_there_is_named(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    auth = NaviLinkAuth(hidden(sim.config))
    with pytest.raises(CommunicationError, match=f"proxy 127.0.0.1:{port}: it refuses"):
        await within_limit(auth.sign_in())
    await auth.close()


async def test_a_session_of_the_caller_uses_the_proxy_too(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = aiohttp.TCPConnector(ssl=tls_context(sim.config.ca_file))
    async with (
        ConnectProxy().running() as proxy,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        auth = NaviLinkAuth(hidden(sim.config), session=session)
        await within_limit(auth.sign_in())
        await auth.close()
        assert proxy.opened


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.lan:3128"}, Proxy("proxy.lan", 3128)),
        ({"https_proxy": "http://proxy.lan:3128"}, Proxy("proxy.lan", 3128)),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, Proxy("b", 2)),
        ({"HTTPS_PROXY": "proxy.lan:3128"}, Proxy("proxy.lan", 3128)),
        ({"HTTPS_PROXY": "http://proxy.lan/"}, Proxy("proxy.lan", 80)),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, Proxy("::1", 3128)),
        ({"HTTPS_PROXY": "http://a%40b:c%3A@p:1"}, Proxy("p", 1, "a@b", "c:")),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.test"}, Proxy("p", 1)),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.test,example.test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ".example.test"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "nlus.example.test:8443"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTP_PROXY": "http://p:1", "FTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_variables_choose_the_proxy(
    variables: dict[str, str], expected: Proxy | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_proxy("https://nlus.example.test:8443/api") == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_never_uses_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert find_proxy(f"https://{host}:8443/api") is None


@pytest.mark.parametrize(
    "value",
    [
        "socks5://navien:secret@proxy.lan:1080",
        "https://navien:secret@proxy.lan",
        "http://navien:secret@proxy.lan:0",
        "http://navien:secret@proxy.lan:99999",
        "http://navien:secret@proxy..lan",
        "http://navien:secret@",
        "http://navien:secret@[::1",
    ],
)
async def test_an_unusable_proxy_is_a_configuration_error(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    auth = NaviLinkAuth(NaviLinkConfig(email="user@example.com", password="x"))
    with pytest.raises(ConfigurationError, match=r"HTTPS_PROXY .*http://\[user:password") as caught:
        await auth.sign_in()
    assert "secret" not in str(caught.value)
    await auth.close()


async def test_doctor_checks_the_way_through_the_proxy(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConnectProxy(PASSWORD).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://navien:{IN_URL}@127.0.0.1:{proxy.port}")
        found = {one.step: one async for one in diagnose(hidden(fast_config(sim)))}
        assert all(one.state is State.PASSED for one in found.values()), found
        for step in ("REST name", "REST TLS", "broker name", "broker TLS"):
            assert "through the proxy of HTTPS_PROXY" in found[step].fact


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("", "the proxy requires a user and a password; write them in HTTPS_PROXY"),
        ("navien:wrong@", "the proxy rejects the user or the password in HTTPS_PROXY"),
    ],
)
async def test_doctor_says_what_the_proxy_refuses(
    sim: Simulator, user: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConnectProxy(PASSWORD).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
        found = {one.step: one async for one in diagnose(hidden(fast_config(sim)))}
    failed = [one for one in found.values() if one.state is State.FAILED]
    assert [one.step for one in failed] == ["REST TLS", "broker TLS"]
    for one in failed:
        assert one.fact.startswith(reason) and "HTTPS_PROXY" in one.do
        assert "127.0.0.1" not in one.fact and "wrong" not in one.fact


async def test_doctor_says_that_the_proxy_is_not_there(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    found = {one.step: one async for one in diagnose(hidden(sim.config), until="REST TLS")}
    finding = found["REST TLS"]
    assert "proxy of HTTPS_PROXY" in finding.fact and "DNS" not in finding.do
    assert "HTTPS_PROXY" in finding.do


async def test_the_simulator_works_with_a_proxy_set(tmp_path: Path) -> None:
    """A proxy that does not exist, as nothing of ``--simulate`` may use it."""
    variables = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    code, out, err = await run(tmp_path, "status", "--simulate", "--json", **variables)
    assert code == 0, err
    assert '"dhwTemperature"' in out
