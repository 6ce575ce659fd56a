"""Tests of the REST client: typed errors, timeouts, TLS and sessions."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, AsyncIterator

import aiohttp
import pytest

from navien_nwp500 import (
    APIError,
    CommunicationError,
    ConfigurationError,
    NaviLinkAuth,
    NaviLinkClient,
    ProtocolError,
    RequestTimeoutError,
)
from navien_nwp500._connection.cloud_device import MAX_PAGES, list_devices
from navien_nwp500._connection.http_session import tls_context
from navien_nwp500._connection.rest_client import MAX_BODY_BYTES
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault
from support.reliability_tools import LIMIT, fast_config, within_limit

LIST = {"userId": "user@example.com", "offset": 0, "count": 20}


DEFLATED = {"Content-Encoding": "deflate"}


def deflated(content: bytes) -> bytes:
    return zlib.compress(content, 9)


@pytest.fixture
async def auth(sim: Simulator) -> AsyncIterator[NaviLinkAuth]:
    auth = NaviLinkAuth(sim.config)
    yield auth
    await auth.close()


async def count_heaters(auth: NaviLinkAuth) -> int:
    return len(await auth.call("POST", "/device/list", body=LIST))


@pytest.mark.parametrize(
    ("fault", "expected", "numbers"),
    [
        (RestFault.error(403, "FORBIDDEN"), APIError, (403, 403, None)),
        (RestFault(429, b"", {"Retry-After": "7"}), APIError, (429, 429, 7.0)),
        (RestFault(429, b"", {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), APIError, None),
        (RestFault.error(500, "Invalid state"), APIError, (500, 500, None)),
        (RestFault(502, b"<html>unauthorized</html>"), APIError, (502, 502, None)),
        (RestFault.error(200, "INTERNAL_SERVER_ERROR", code=500), APIError, (200, 500, None)),
        (RestFault(cut=25), ProtocolError, None),
        (RestFault(cut=25, reset=True), CommunicationError, None),
        (RestFault(trickle=60.0), RequestTimeoutError, None),
        (RestFault(200, b"x" * (MAX_BODY_BYTES + 1)), ProtocolError, None),
        (RestFault(200, deflated(b"x" * (MAX_BODY_BYTES + 1)), DEFLATED), ProtocolError, None),
        (RestFault(200, deflated(b"{}")[:-1], DEFLATED), ProtocolError, None),
        (RestFault(200, b"no deflate", DEFLATED), ProtocolError, None),
        (RestFault(200, b"{}", {"Content-Encoding": "br"}), ProtocolError, None),
    ],
)
async def test_a_failed_rest_call_is_a_typed_error_and_not_repeated(
    sim: Simulator, fault: RestFault, expected: type[Exception], numbers: Any
) -> None:
    limit = 2.0 if expected is RequestTimeoutError else LIMIT
    async with NaviLinkClient(fast_config(sim, rest_timeout=limit)) as client:
        device = (await client.get_devices())[0]
        sim.faults.rest["/device/info"] = fault
        with pytest.raises(expected) as caught:
            await within_limit(device.get_info())
        if numbers is not None:
            error: Any = caught.value
            assert (error.status_code, error.code, error.retry_after) == numbers
        assert sim.counters.calls["/device/info"] == 1
        sim.faults.clear()
        assert (await device.get_info()).online
        assert sim.counters.passwords == 1


async def test_an_error_code_with_http_200_is_an_error(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault.error(200, "INTERNAL_SERVER_ERROR", code=500)
    with pytest.raises(APIError) as caught:
        await count_heaters(auth)
    assert (caught.value.status_code, caught.value.code) == (200, 500)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        *((one, ProtocolError) for one in (b"", b"{", b"\xff\xfe", b"[" * 100_000)),
        *((one, APIError) for one in (b"null", b"[1]")),
    ],
)
async def test_a_response_without_an_envelope_is_an_error(
    sim: Simulator, auth: NaviLinkAuth, body: bytes, expected: type[Exception]
) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault(200, body)
    with pytest.raises(expected):
        await count_heaters(auth)


async def test_an_unreachable_or_untrusted_server_is_a_communication_error(sim: Simulator) -> None:
    unreachable = replace(sim.config, base_url="https://127.0.0.1:1/api/v2.1")
    untrusted = replace(sim.config, ca_file=None)
    for config in (unreachable, untrusted):
        auth = NaviLinkAuth(config)
        with pytest.raises(CommunicationError):
            await auth.sign_in()
        await auth.close()


async def test_a_server_that_does_not_respond_is_a_timeout(sim: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts connections, sends nothing
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        auth = NaviLinkAuth(replace(sim.config, base_url=url, rest_timeout=0.2))
        with pytest.raises(RequestTimeoutError, match="0.2 s"):
            await auth.sign_in()
        await auth.close()


async def test_a_session_of_the_caller_is_used_and_left_open(sim: Simulator) -> None:
    connector = aiohttp.TCPConnector(ssl=tls_context(sim.config.ca_file))
    async with aiohttp.ClientSession(connector=connector) as session:
        auth = NaviLinkAuth(sim.config, session=session)
        assert await count_heaters(auth) == 1
        await auth.close()
        assert not session.closed


async def test_the_certificates_of_the_settings_apply_to_a_session_of_the_caller(
    sim: Simulator,
) -> None:
    """Home Assistant's session trusts the certificates of the system alone."""
    async with aiohttp.ClientSession() as session:
        async with NaviLinkClient(sim.config, session=session) as client:
            assert len(await client.get_devices()) == 1
        async with NaviLinkClient(replace(sim.config, ca_file=None), session=session) as client:
            with pytest.raises(CommunicationError, match="certificate"):
                await client.get_devices()


async def test_clients_share_the_tls_context_of_a_file(sim: Simulator, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(Path(str(sim.config.ca_file)).read_bytes())
    found = await asyncio.gather(
        *(loop.run_in_executor(None, tls_context, ca_file) for _ in range(20))
    )
    assert len(set(map(id, found))) == 1
    ca_file.write_bytes(ca_file.read_bytes() + b"\n")
    assert tls_context(ca_file) is not found[0]
    assert tls_context(None) is tls_context(None)


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_unreadable_certificates_are_a_configuration_error(
    sim: Simulator, tmp_path: Path, content: bytes | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(content or b"")
    auth = NaviLinkAuth(replace(sim.config, ca_file=ca_file))
    if content is None:
        ca_file.unlink()
    with pytest.raises(ConfigurationError, match="ca.pem cannot be read"):
        await auth.sign_in()
    await auth.close()


# Responses without end


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_response_is_inflated(
    sim: Simulator, auth: NaviLinkAuth, encoding: str
) -> None:
    page = json.dumps({"code": 200, "msg": "SUCCESS", "data": [1, 2, 3]}).encode()
    packed = gzip.compress(page) if encoding == "gzip" else deflated(page)
    sim.faults.rest["/device/list"] = RestFault(200, packed, {"Content-Encoding": encoding})
    assert await count_heaters(auth) == 3


async def test_a_response_of_hundreds_of_megabytes_is_not_inflated(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.ensure_signed_in()
    inflating = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    pieces = [inflating.compress(bytes(1024 * 1024)) for _ in range(300)]
    packed = b"".join([*pieces, inflating.flush()])
    assert len(packed) < MAX_BODY_BYTES
    sim.faults.rest["/device/list"] = RestFault(200, packed, {"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="larger than 4 MB"):
            await count_heaters(auth)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MAX_BODY_BYTES


def page_of(first: int) -> bytes:
    """Return a full page of the list, which a cloud that ignores ``offset`` sends for ever."""
    devices = [
        {"deviceInfo": {"macAddress": f"{first + number:012x}", "additionalValue": "1234"}}
        for number in range(20)
    ]
    return json.dumps({"code": 200, "msg": "SUCCESS", "data": devices}).encode()


async def test_a_list_that_ignores_the_offset_ends(
    sim: Simulator, auth: NaviLinkAuth, caplog: pytest.LogCaptureFixture
) -> None:
    await auth.ensure_signed_in()
    sim.faults.rest["/device/list"] = RestFault(200, page_of(1), times=50)
    assert len(await list_devices(auth)) == 20
    assert sim.counters.calls["/device/list"] == 2
    assert "repeats a page" in caplog.text


class EndlessAccount:
    """An account whose list of devices never ends."""

    user_id = "user@example.com"

    def __init__(self) -> None:
        self.pages = 0

    async def call(self, method: str, path: str, *, body: Any) -> Any:
        self.pages += 1
        return json.loads(page_of(body["offset"]))["data"]


async def test_a_list_that_never_ends_is_an_error() -> None:
    account = EndlessAccount()
    with pytest.raises(ProtocolError, match="more than 500 pages"):
        await list_devices(account)
    assert account.pages == MAX_PAGES
