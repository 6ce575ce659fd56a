"""The MQTT client of the simulated heater and of the bridges."""

from __future__ import annotations

import asyncio
from typing import Any

from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500._util.mqtt_client import MqttClient

LIMIT = 30.0


async def test_a_cancelled_connect_leaves_no_report_of_asyncio() -> None:
    """A broker that accepts the connection, and never the client."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    connected, ended = asyncio.Event(), asyncio.Event()

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()  # until the client has closed the connection
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connecting = asyncio.ensure_future(MqttClient("127.0.0.1", port).__aenter__())
        await asyncio.wait_for(connected.wait(), LIMIT)
        await asyncio.sleep(0.05)  # the client waits for the broker's acceptance
        await cancel_and_wait(connecting)
        await asyncio.wait_for(ended.wait(), LIMIT)
    assert reports == []
