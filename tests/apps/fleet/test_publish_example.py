"""The recipe that publishes a fleet's history: consumers of a group handle each message once."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import aiomqtt

from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.simulator import Heater
from support.mqtt_brokers import Mosquitto

EXAMPLE = Path(__file__).parents[3] / "examples" / "fleet" / "publish.py"
LIMIT = 60.0
STATUSES = 20


def load_example() -> Any:
    found = importlib.util.spec_from_file_location("publish_example", EXAMPLE)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def store_statuses(url: str, start: datetime) -> None:
    heater = Heater(now=start, seed=3)
    with Database(url) as database:
        store = HistoryStore(database)
        stored = store.ensure_heater("0123456789ab")
        times = [start + timedelta(seconds=number) for number in range(1, STATUSES + 1)]
        readings = [Reading.of(heater.status(), when) for when in times]
        assert store.add(stored, readings, ReadingSource.LIVE) == STATUSES


async def consume(host: str, port: int, ready: asyncio.Event, found: list[Any]) -> None:
    async with aiomqtt.Client(host, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("$share/workers/navien/+/status", qos=1)
        ready.set()
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            found.append(json.loads(message.payload))


async def test_each_status_is_handled_once_by_one_of_two_consumers(
    url: str, tmp_path: Path, find_program: Callable[..., str]
) -> None:
    start = datetime(2026, 1, 2, tzinfo=timezone.utc)
    store_statuses(url, start)
    broker = Mosquitto(find_program("mosquitto"), tmp_path, "allow_anonymous true")
    await broker.start()
    shares: list[list[Any]] = [[], []]
    tasks = []
    try:
        for share in shares:
            ready = asyncio.Event()
            consumer = consume("127.0.0.1", broker.port, ready, share)
            tasks.append(asyncio.ensure_future(consumer))
            await asyncio.wait_for(ready.wait(), LIMIT)
        publisher = load_example().main(url, "127.0.0.1", broker.port, start)
        tasks.append(asyncio.ensure_future(publisher))

        async def wait_for_all() -> None:
            while sum(map(len, shares)) < STATUSES:
                await asyncio.sleep(0.05)

        tasks.append(asyncio.ensure_future(wait_for_all()))
        done, _ = await asyncio.wait(tasks, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
        assert done
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(*tasks)
        await broker.stop()
    times = [row["time"] for share in shares for row in share]
    assert sorted(set(times)) == sorted(times) and len(times) == STATUSES, "once each"
    assert all(shares), "one consumer did everything"
