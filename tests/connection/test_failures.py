"""Each reason of a failed connection has its own sentence, whatever library reports it."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, AsyncIterator, Callable
from unittest.mock import Mock

import aiohttp
import pytest
import trustme
from awscrt.exceptions import AwsCrtError

from navien_nwp500 import (
    CommunicationError,
    ConfigurationError,
    NaviLinkAuth,
    NaviLinkClient,
    NaviLinkConfig,
    WebSocketError,
)
from navien_nwp500._connection.failures import explain_failure
from navien_nwp500._util.hosts import is_host
from navien_nwp500.simulator import Simulator
from support.cli import environment
from support.programs import start_program
from support.reliability_tools import fast_config, within_limit
from support.stream_server import stream_server
from support.transports import each_transport

YEARS = datetime.timedelta(days=3650)
NOW = datetime.datetime.now(datetime.timezone.utc)


@asynccontextmanager
async def server(context: ssl.SSLContext | None, reset: bool = False) -> AsyncIterator[str]:
    """Run a server that speaks TLS or plain text, or closes each connection; yield its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not reset:
            writer.write(b"220 welcome\r\n")
            with suppress(OSError):
                await reader.read()  # until the client ends: an earlier end could hide what was sent
        writer.transport.abort()

    async with stream_server(serve, context) as port:
        yield f"127.0.0.1:{port}"


def issued(authority: trustme.CA, name: str = "127.0.0.1", **dates: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **dates).configure_cert(context)
    return context


CERTIFICATES: list[tuple[Callable[[trustme.CA], ssl.SSLContext], str]] = [
    (lambda ca: issued(trustme.CA()), "not signed by a trusted authority"),
    (lambda ca: issued(ca, "other.example"), "for another host name"),
    (lambda ca: issued(ca, not_after=NOW - YEARS), "has expired"),
    (lambda ca: issued(ca, not_before=NOW + YEARS, not_after=NOW + 2 * YEARS), "not valid yet"),
]


async def failure(config: NaviLinkConfig) -> str:
    """Return the error of a REST call."""
    auth = NaviLinkAuth(config)
    try:
        with pytest.raises(CommunicationError) as caught:
            await within_limit(auth.sign_in())
    finally:
        await auth.close()
    return str(caught.value)


@pytest.fixture
def config(tmp_path: Path) -> tuple[NaviLinkConfig, trustme.CA]:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return NaviLinkConfig(email="user@example.com", password="x", ca_file=file), authority


@pytest.mark.parametrize(("make", "expected"), CERTIFICATES)
async def test_a_certificate_that_is_not_accepted_says_why(
    config: tuple[NaviLinkConfig, trustme.CA], make: Any, expected: str
) -> None:
    settings, authority = config
    async with server(make(authority)) as address:
        text = await failure(replace(settings, base_url=f"https://{address}"))
    assert expected in text and address in text


async def test_a_server_without_tls_and_one_that_hangs_up_say_so(
    config: tuple[NaviLinkConfig, trustme.CA],
) -> None:
    async with server(None) as address:
        text = await failure(replace(config[0], base_url=f"https://{address}"))
    assert "does not use TLS on this port" in text and address in text
    async with server(None, reset=True) as address:
        text = await failure(replace(config[0], base_url=f"https://{address}"))
    assert "closed the connection" in text and address in text


async def test_a_closed_port_and_an_unknown_name_say_so(
    config: tuple[NaviLinkConfig, trustme.CA], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = await failure(replace(config[0], base_url=f"https://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port}: it refuses the connection" in text

    for code, expected in (
        (socket.EAI_NONAME, "not known to DNS"),
        (socket.EAI_AGAIN, "no DNS server responds"),
    ):
        look_up = Mock(side_effect=socket.gaierror(code, "x"))
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        text = await failure(replace(config[0], base_url="https://cloud.invalid"))
        assert expected in text and "cloud.invalid:443" in text


@each_transport
async def test_a_broker_that_is_not_reached_says_why(sim: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    broken = replace(fast_config(sim), websocket_url=f"wss://127.0.0.1:{port}/mqtt")
    async with NaviLinkClient(broken) as client:
        device = (await client.get_devices())[0]
        with pytest.raises(WebSocketError, match=f"127.0.0.1:{port}: it refuses the connection"):
            await within_limit(device.get_status())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AWS_IO_DNS_QUERY_FAILED", "its name is not known to DNS"),
        ("AWS_IO_SOCKET_TIMEOUT", "it does not respond"),
        ("AWS_IO_SOCKET_CLOSED", "it closed the connection"),
        ("AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", "its TLS handshake failed"),
        ("AWS_IO_TLS_NEGOTIATION_TIMEOUT", "its TLS handshake did not end in time"),
        ("AWS_ERROR_NEW", "text of the SDK"),
    ],
)
def test_an_error_of_the_sdk_keeps_its_name(name: str, expected: str) -> None:
    """The SDK looks names up itself, so its errors are made here."""
    error: Any = AwsCrtError(1, name, "text of the SDK")
    text = explain_failure(error, "wss://broker.example/mqtt", None)
    assert text.startswith(f"broker.example:443: {expected}") and text.endswith(f"({name})")


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff" * 100, b"-----BEGIN"])
@each_transport
async def test_a_file_without_certificates_is_named_by_the_transport_too(
    sim: Simulator, content: bytes, tmp_path: Path
) -> None:
    """The file is damaged after the calls of REST, so that the transport is the first to see it."""
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(str(sim.config.ca_file)).read_bytes())
    async with NaviLinkClient(replace(fast_config(sim), ca_file=file)) as one:
        device = (await one.get_devices(connect=False))[0]
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="ca.pem cannot be read: it contains no"):
            await within_limit(device.get_status())


async def test_a_closed_session_of_the_caller_is_named(sim: Simulator) -> None:
    session = aiohttp.ClientSession()
    await session.close()
    auth = NaviLinkAuth(sim.config, session=session)
    with pytest.raises(ConfigurationError, match="session= is closed"):
        await auth.sign_in()
    await auth.close()


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        ("example.com", True),
        ("example.com.", True),
        ("my_host", True),
        ("münchen.example", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("ha..local", False),
        (".local", False),
        ("x" * 64, False),
        ("a b", False),
        ("a\nb", False),
        ("1::2::3", False),
        ("", False),
        (None, False),
    ],
)
def test_a_host_must_be_one_that_can_be_looked_up(host: str | None, valid: bool) -> None:
    assert is_host(host) is valid


FORK = """
import asyncio, os, sys
from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkError

config = NaviLinkConfig.from_environment(transport=sys.argv[1])

async def status(client):
    device = (await client.get_devices())[0]
    await device.get_status()
    return device

async def in_child(client, device):
    for name, use in (("list", client.get_devices), ("status", device.get_status)):
        try:
            await use()
        except NaviLinkError as error:
            print(name, type(error).__name__, error)
    async with NaviLinkClient(config) as other:
        try:
            await status(other)
            print("a new client works")
        except NaviLinkError as error:
            print("new", type(error).__name__, error)

parent = asyncio.new_event_loop()
client = NaviLinkClient(config)
device = parent.run_until_complete(status(client))
child = os.fork()
if child == 0:
    asyncio.set_event_loop(None)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(in_child(client, device))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
parent.run_until_complete(client.close())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fork is unsafe or missing elsewhere")
@pytest.mark.parametrize(
    ("library", "new"),
    [("awscrt", "new ConfigurationError the AWS SDK was used"), ("pure", "a new client works")],
)
async def test_a_client_in_a_forked_child_says_so_at_once(
    sim: Simulator, library: str, new: str
) -> None:
    program = await start_program(
        sys.executable,
        "-c",
        FORK,
        library,
        env=environment(**sim.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await within_limit(program.communicate())
    lines = out.decode().splitlines()
    assert len(lines) == 3, err.decode()
    assert lines[0].startswith("list ConfigurationError this client was created before")
    assert lines[1].startswith("status ConfigurationError this client was created before")
    assert lines[2].startswith(new)
