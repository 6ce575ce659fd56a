"""Fixtures of a cloud with faults, shared by the tests of a module."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator

import aiohttp
import pytest_asyncio

from navien_nwp500.simulator.server.cloud_server import CloudServer
from support.cloud_tools import (
    LIMIT,
    Connect,
    Http,
    Publish,
    connect_packet,
    make_account,
    publish_packet,
    raw_clients,
    tls_of,
)


@pytest_asyncio.fixture(name="running", scope="module", loop_scope="module")
async def fixture_running() -> AsyncIterator[CloudServer]:
    async with CloudServer([make_account(2)]) as cloud:
        yield cloud


@pytest_asyncio.fixture(name="cloud", loop_scope="module")
async def fixture_cloud(running: CloudServer) -> AsyncIterator[CloudServer]:
    yield running
    running.faults.clear()
    await running.drop_connections()


@pytest_asyncio.fixture(name="connect", loop_scope="module")
async def fixture_connect(cloud: CloudServer) -> AsyncIterator[Connect]:
    async with raw_clients(cloud) as connect:
        yield connect


@pytest_asyncio.fixture(name="http", loop_scope="module")
async def fixture_http(cloud: CloudServer) -> AsyncIterator[Http]:
    connector = aiohttp.TCPConnector(ssl=tls_of(cloud), force_close=True)
    limit = aiohttp.ClientTimeout(total=LIMIT)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
        yield session


@pytest_asyncio.fixture(name="publish", loop_scope="module")
async def fixture_publish(cloud: CloudServer) -> AsyncIterator[Publish]:
    """Publish as a heater does, directly to the broker, at QoS 1, until it acknowledges."""
    reader, writer = await asyncio.open_connection("127.0.0.1", cloud.broker_port)
    writer.write(connect_packet("the-heater"))
    await reader.readexactly(4)

    async def publish(topic: str, *payloads: bytes) -> None:
        for payload in payloads:
            writer.write(publish_packet(topic, payload))
            assert (await asyncio.wait_for(reader.readexactly(4), LIMIT))[0] == 0x40

    yield publish
    writer.close()
    await writer.wait_closed()
