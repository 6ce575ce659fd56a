"""Tests of the promises in docs/RELIABILITY.md about closing and the disk, and of its references."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import types
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Coroutine, Generator

import pytest

from navien_nwp500 import CommunicationError, MQTTError, NaviLinkClient, WebSocketError
from navien_nwp500._connection.connection import Connection
from navien_nwp500._connection.transport import Transport
from navien_nwp500._util.aio import wait_at_most
from navien_nwp500.history.csv import BufferedCsvRecorder
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud.counters import Counters
from navien_nwp500.simulator.faults import (
    CutConnections,
    DropMessages,
    FaultInjector,
    RefuseRequests,
)
from navien_nwp500.simulator.server.admin_api import AdminApi
from support.cli import run_program
from support.reliability_tools import (
    LIMIT,
    Watcher,
    count_log,
    fast_config,
    wait_until,
    watching,
    within_limit,
)
from support.transports import each_transport

ROOT = Path(__file__).parents[2]


# Cancellation at any await


@types.coroutine
def at_step(
    steps: Coroutine[Any, Any, None], number: int, act: Callable[[], object]
) -> Generator[Any, Any, bool]:
    """Run a coroutine and call ``act`` at its n-th await; return False when it has fewer."""
    count, send, value = 0, steps.send, None
    while True:
        try:
            waited_for = send(value)
        except StopIteration:
            return count > number
        if count == number:
            act()
        count += 1
        try:
            value, send = (yield waited_for), steps.send
        except BaseException as error:  # passes the cancellation on
            value, send = error, steps.throw


@asynccontextmanager
async def nothing_left(sim: Simulator) -> AsyncIterator[None]:
    """Check that no task, connection or future is left, and that asyncio reported no error.

    What an earlier test has left is not counted: a thread of the SDK may still hold it.
    """
    loop = asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))

    def existing(*kinds: type) -> list[Any]:
        gc.collect()
        return [one for one in gc.get_objects() if issubclass(type(one), kinds)]

    def is_new(one: object) -> bool:
        return not any(one is other for other in earlier)

    earlier = existing(Transport, Connection, asyncio.Future)

    def ours() -> list[Any]:
        tasks = [one for one in asyncio.all_tasks() if "navilink" in one.get_name()]
        return list(filter(is_new, existing(Transport, Connection))) + tasks

    def pending() -> list[Any]:
        return [one for one in existing(asyncio.Future) if is_new(one) and not one.done()]

    yield
    await wait_until(lambda: sim.counters.open_connections == 0)
    await wait_until(lambda: ours() == [])
    await wait_until(lambda: len(pending()) < 40)  # the simulator's own are about 20
    assert errors == []
    loop.set_exception_handler(None)


async def use_client(sim: Simulator) -> None:
    """Use a client for everything, with both kinds of watch."""
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        await device.get_features()
        await device.set_temperature(celsius=50)
        watch = device.watch(interval=0.02)
        async for _ in watch:
            break
        await watch.aclose()
        mqtt = await device.get_mqtt_connection()
        mqtt.set_status_callback(lambda _: asyncio.ensure_future(mqtt.stop_monitoring()))
        await mqtt.start_monitoring(polling_interval=0.02)


@each_transport
async def test_cancelling_a_client_at_any_await_leaves_nothing(sim: Simulator) -> None:
    async with nothing_left(sim):
        number, reached = 0, True
        while reached:
            task = asyncio.ensure_future(cancelled_at(number, use_client(sim)))
            done, _ = await asyncio.wait({task}, timeout=LIMIT)
            assert done, f"the cancellation at await {number} was lost"
            reached = task.cancelled() or task.result()
            number += 1
        assert number > 15, "fewer awaits than expected"


async def cancelled_at(number: int, steps: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine and cancel it at its n-th await; return False when it has fewer."""
    this = asyncio.current_task()
    assert this is not None
    reached: bool = await at_step(steps, number, this.cancel)
    return reached


@each_transport
async def test_closing_at_any_await_of_the_connection_leaves_nothing(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step through the task that connects, serves and reconnects; a drop makes it do all three."""
    run = Connection._run
    reached = asyncio.Event()
    number = 0

    async def stepping(connection: Connection) -> None:
        await at_step(run(connection), number, reached.set)

    monkeypatch.setattr(Connection, "_run", stepping)

    async def connect_and_close() -> None:
        async with NaviLinkClient(fast_config(sim)) as client:
            device = (await client.get_devices())[0]
            watcher = Watcher(device, 0.02)
            waiting = [asyncio.ensure_future(one) for one in (reached.wait(), watcher.next(2))]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not reached.is_set():
                sim.faults.inject(CutConnections())
                await within_limit(reached.wait())
            await within_limit(client.close())
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await watcher.stop()

    async with nothing_left(sim):
        while number < 13:
            reached.clear()
            await connect_and_close()
            number += 1


@each_transport
async def test_closing_ends_a_watch_at_once(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        async with watching(device, interval=3600) as watcher:
            await client.close()
            with pytest.raises(MQTTError):
                await within_limit(watcher.next())


@each_transport
async def test_closing_ends_a_connect_that_has_just_started(sim: Simulator) -> None:
    async with NaviLinkClient(fast_config(sim)) as client:
        await client.get_devices()
        connecting = asyncio.ensure_future(client._pool.first.connect())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(MQTTError):
            await within_limit(connecting)


async def test_an_error_with_a_cancellation_is_not_reported_by_asyncio(sim: Simulator) -> None:
    async with nothing_left(sim):
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(wait_at_most(LIMIT, future))
        await asyncio.sleep(0)
        future.set_exception(ConnectionError())
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        del future, waiting


@each_transport
async def test_closing_ends_a_running_connect(sim: Simulator) -> None:
    async with nothing_left(sim):
        client = NaviLinkClient(fast_config(sim))
        device = (await client.get_devices())[0]
        sim.faults.inject(RefuseRequests(where="mqtt", unanswered=True))
        request = asyncio.ensure_future(device.get_status())
        await wait_until(lambda: bool(device._mqtt._connection._changed.waiting))  # noqa: F821
        await within_limit(client.close())
        with pytest.raises(MQTTError):
            await within_limit(request)
        sim.faults.clear()
        del client, device, request


async def test_closing_ends_a_pending_request(sim: Simulator) -> None:
    async with nothing_left(sim):
        client = NaviLinkClient(fast_config(sim, answer_timeout=3600))
        device = (await client.get_devices())[0]
        await device.get_status()
        sim.faults.inject(DropMessages())
        sent = sim.counters.publishes
        request = asyncio.ensure_future(device.get_status())
        await wait_until(lambda: sim.counters.publishes > sent)
        await within_limit(client.close())
        with pytest.raises(WebSocketError, match="the connection ended"):
            await within_limit(request)
        sim.faults.clear()
        del client, device, request


async def test_a_closed_client_opens_no_connection(sim: Simulator) -> None:
    async with nothing_left(sim):
        client = NaviLinkClient(fast_config(sim))
        device = (await client.get_devices())[0]
        await device.get_status()
        await client.close()
        calls = (sim.counters.handshakes, sim.counters.sign_ins)
        with pytest.raises(MQTTError, match="the client is closed"):
            await within_limit(device.get_status())
        with pytest.raises(CommunicationError, match="the client is closed"):
            await within_limit(client.get_devices(connect=False))
        with pytest.raises(CommunicationError, match="the client is closed"):
            async for _ in device.watch(interval=1):
                raise AssertionError("a status from a closed client")
        assert (sim.counters.handshakes, sim.counters.sign_ins) == calls
        await client.close()
        del client, device


# Exit of the process

#: Names the threads of the SDK that are there when everything else has ended.
PROGRAM = """
import asyncio, atexit, gc, sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from navien_nwp500 import NaviLinkClient, NaviLinkConfig

def threads():
    names = []
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            names.append((thread / "comm").read_text().strip())
    return [name for name in names if name.startswith("Aws")]

async def main(until, version):
    config = replace(
        NaviLinkConfig.from_environment(), transport="awscrt", mqtt_protocol=version
    )
    async with NaviLinkClient(config) as client:
        device, = await client.get_devices()
        if until == "read":
            await device.get_status()
        else:
            while not threads():
                await asyncio.sleep(0.001)
        return threads()

gc.disable()  # it would free a client that a traceback keeps, and so hide it, or not, by chance
atexit.register(lambda: print("left:", *threads()))
print("used:", *asyncio.run(main(*sys.argv[1:])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("version", ["MQTT3", "MQTT5"])
@pytest.mark.parametrize("until", ["connecting", "read"])
async def test_no_thread_of_the_sdk_outlives_the_program(
    tmp_path: Path, until: str, version: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # With latency the heaters are listed before the connection is open.
    async with Simulator(speed=600, latency=0.02 if until == "connecting" else 0) as sim:
        run = partial(run_program, program, until, version, cwd=tmp_path, **dict(sim.environment))
        code, out, err = await asyncio.get_running_loop().run_in_executor(None, run)
    assert (code, err) == (0, "")
    used, left = out.splitlines()
    assert "AwsEventLoop" in used and left == "left:"


# The disk


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("trouble", ["full", "moved", "read-only"])
async def test_a_disk_error_is_logged_once_and_the_rows_are_written_later(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    path, aside = tmp_path / "tank.csv", tmp_path / "aside.csv"
    async with NaviLinkClient(fast_config(sim)) as client:
        device = (await client.get_devices())[0]
        recorder = BufferedCsvRecorder(path)
        async with watching(device) as watcher:
            with recorder:
                recorder.write(watcher.statuses[0], datetime.now(timezone.utc))
                path.rename(aside)
                # A folder stands for a read-only file, because root may write any file.
                if trouble == "full":
                    path.symlink_to("/dev/full")
                elif trouble == "read-only":
                    path.mkdir()
                for status in await watcher.next(5):
                    recorder.write(status, datetime.now(timezone.utc))
                if trouble != "moved":
                    assert count_log(caplog, "cannot write the recording") == 1
                    path.unlink() if trouble == "full" else path.rmdir()
                    aside.rename(path)
                for status in await watcher.next(2):
                    recorder.write(status, datetime.now(timezone.utc))
    assert recorder.dropped == 0
    written = sum(len(file.read_text().splitlines()) - 1 for file in tmp_path.glob("*.csv"))
    assert written == 8
    assert count_log(caplog, "is written again") == (trouble != "moved")


# The document


def test_every_test_named_in_the_document_exists() -> None:
    text = (ROOT / "docs" / "RELIABILITY.md").read_text("utf-8")
    named = set(re.findall(r"`([\w/]*test_\w+\.py)::(test_\w+)`", text))
    assert len(named) > 40
    for file, name in sorted(named):
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"def {name}\(", source), f"{file}::{name}"


def test_every_fault_in_the_document_is_accepted_by_the_admin_api() -> None:
    text = (ROOT / "docs" / "RELIABILITY.md").read_text("utf-8")
    bodies = re.findall(r"`(\{\".*?\})`", text)
    assert len(bodies) > 15
    admin = AdminApi(FaultInjector(None, Counters()), Counters(), ())  # type: ignore[arg-type]
    for body in bodies:
        assert admin._parse(json.loads(body)), body
