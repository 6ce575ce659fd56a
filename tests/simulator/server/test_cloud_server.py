"""Start and stop of the cloud: no file, task or process remains, even after a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Callable, Iterator

import pytest
from yarl import URL

from navien_nwp500.simulator.cloud import certificates
from navien_nwp500.simulator.cloud.broker_process import reserved_port
from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import LIMIT, make_account, raw_clients, tls_of


def children() -> set[str]:
    """Return the child processes of this process."""
    found: set[str] = set()
    for each in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found.update(each.read_text().split())
    return found


@pytest.fixture(name="clean")
def fixture_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the temporary directory; afterwards no file and no child process may remain."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = children()
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert children() == before


async def test_a_stop_leaves_no_file_and_no_process(clean: Path) -> None:
    async with CloudServer([make_account()]) as cloud:
        assert cloud.ca_file.is_relative_to(clean)
        async with raw_clients(cloud) as connect:
            await connect("left behind")
            await cloud.__aexit__(None, None, None)
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("moment", ["at once", "authority", "broker"])
async def test_a_cancelled_start_leaves_no_file_and_no_process(clean: Path, moment: str) -> None:
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
def test_a_reserved_port_is_not_given_to_another_socket() -> None:
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


async def test_a_tls_handshake_under_way_ends_with_the_stop(clean: Path) -> None:
    before = asyncio.all_tasks()
    async with CloudServer([make_account()]) as cloud:
        early = socket.create_connection(("127.0.0.1", URL(cloud.base_url).port or 0), LIMIT)
        await asyncio.sleep(0.1)  # until it is accepted
    assert asyncio.all_tasks() == before
    # Its socket is closed, although nothing was sent.
    with early:
        assert await asyncio.to_thread(early.recv, 1) == b""


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_comes_with_the_stop_is_closed(clean: Path, turns: int) -> None:
    """It is accepted in one turn of the event loop, and gets its transport in the next."""
    before = asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with CloudServer([make_account()]) as cloud:
            port = URL(cloud.base_url).port or 0
            with socket.create_connection(("127.0.0.1", port), LIMIT):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cloud.__aexit__()
        gc.collect()
    assert asyncio.all_tasks() == before
    assert [str(one.message) for one in caught if f", {port})" in str(one.message)] == []
