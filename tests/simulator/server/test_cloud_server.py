"""How the cloud starts and stops: nothing is left, whatever happens half-way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest
from yarl import URL

from navien_nwp500.simulator.cloud import certificates
from navien_nwp500.simulator.cloud.broker_process import reserved_port
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import LIMIT, make_account, raw_clients, tls_of


def children() -> set[str]:
    """The processes this one has started and not reaped."""
    found: set[str] = set()
    for each in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            found.update(each.read_text().split())
    return found


@pytest.fixture(name="clean")
def fixture_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the directory for temporary files, and check that neither file nor child is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = children()
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert children() == before


async def test_stop_leaves_nothing(clean: Path) -> None:
    async with CloudServer([make_account()]) as cloud:
        assert cloud.ca_file.is_relative_to(clean)
        async with raw_clients(cloud) as opened:
            await (await opened()).connect("left behind")
            await cloud.__aexit__(None, None, None)
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("moment", ["at once", "authority", "broker"])
async def test_cancelled_start_leaves_nothing(clean: Path, moment: str) -> None:
    before = children()
    reached: dict[str, Callable[[], bool]] = {
        "at once": lambda: True,
        "authority": lambda: any(clean.glob("*/ca.pem")),
        "broker": lambda: children() != before,
    }
    start = asyncio.create_task(CloudServer([make_account()]).__aenter__())
    await asyncio.sleep(0)
    while not (reached[moment]() or start.done()):
        await asyncio.sleep(0)
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await start).__aexit__(None, None, None)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a reserved port")
def test_reserved_port_is_given_to_nobody_else() -> None:
    with reserved_port() as port, socket.socket() as other:
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", port))


@pytest.mark.parametrize("maker", ["trustme", "openssl"])
async def test_tls_context_names_loopback(
    clean: Path, maker: str, monkeypatch: pytest.MonkeyPatch, find_program: Callable[..., str]
) -> None:
    if maker == "openssl":
        monkeypatch.setattr(certificates, "HAS_TRUSTME", False)
        monkeypatch.setattr(certificates, "OPENSSL", find_program("openssl"))
    async with CloudServer([]) as cloud:
        for name in ("localhost", "127.0.0.1"):
            port = URL(cloud.base_url).port
            opening = asyncio.open_connection(
                "127.0.0.1", port, ssl=tls_of(cloud), server_hostname=name
            )
            _, writer = await asyncio.wait_for(opening, LIMIT)
            certificate = writer.get_extra_info("ssl_object")
            assert isinstance(certificate, ssl.SSLObject)
            writer.close()
            await writer.wait_closed()


async def test_who_ends_his_handshake_after_the_end_is_turned_away(clean: Path) -> None:
    before = asyncio.all_tasks()
    async with CloudServer([make_account()]) as cloud:
        tls = tls_of(cloud)
        early = socket.create_connection(("127.0.0.1", URL(cloud.base_url).port or 0), LIMIT)
        await asyncio.sleep(0.1)  # to be accepted

    def late() -> bytes:
        with contextlib.suppress(ConnectionError), early:
            with tls.wrap_socket(early, server_hostname="127.0.0.1") as shaken:
                return shaken.recv(1)
        return b""

    assert await asyncio.get_running_loop().run_in_executor(None, late) == b""
    assert asyncio.all_tasks() == before
