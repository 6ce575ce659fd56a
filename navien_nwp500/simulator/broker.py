"""Run the embedded MQTT broker, a child process that dies with its parent.

It listens once for each version of the protocol; clients of both meet (measured with iotcore 0.4).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import AsyncIterator, Callable, ContextManager, Iterator, NamedTuple, TypeVar

from iotcore import Broker

HOST = "127.0.0.1"
#: AWS IoT takes payloads of 128 KB (PROTOCOL.md 2.3); the broker counts the whole packet.
MAX_PACKET_BYTES = 128 * 1024 + 1024

_ATTEMPTS = 5
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0

T = TypeVar("T")

_CONFIGURATION = """\
id = 0
[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""
_LISTENER = """\
[v{level}.only]
name = "mqtt{level}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v{level}.only.connections]
connection_timeout_ms = 60000
max_payload_size = {max_bytes}
max_inflight_count = 100
"""


class BrokerPorts(NamedTuple):
    """Where the broker listens on loopback, for each version of the protocol."""

    mqtt3: int
    mqtt5: int


@contextlib.asynccontextmanager
async def running_broker(
    reserve: Callable[[], ContextManager[int]] | None = None,
) -> AsyncIterator[BrokerPorts]:
    """Run a broker and give its ports on loopback.

    ``reserve`` gives the ports to try, each kept free while the broker starts. Raises OSError when
    none of them can be had.
    """
    broker = await in_thread(lambda: _start(reserve or reserved_port), undo=_stop)
    try:
        yield BrokerPorts(*(int(one.rpartition(":")[2]) for one in broker.listeners))
    finally:
        await in_thread(lambda: _stop(broker))


async def in_thread(call: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Run a blocking call in a thread and wait for its end, even when cancelled.

    When cancelled, ``undo`` is run on its result before CancelledError goes on.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await _ended(future)
        if undo is not None and future.exception() is None:
            result = future.result()
            await _ended(loop.run_in_executor(None, lambda: undo(result)))
        raise


async def _ended(future: asyncio.Future[T]) -> None:
    """Wait for a thread's end; being cancelled again does not shorten it."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({future})


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Choose a free port, and on Linux keep every other process off it meanwhile.

    Linux lets a second socket with SO_REUSEADDR bind and listen beside one that only binds, and
    gives the port to nobody else (measured with iotcore 0.4). Elsewhere the port is merely free.
    """
    with socket.socket() as guard:
        if sys.platform == "linux":
            guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        guard.bind((HOST, 0))
        port: int = guard.getsockname()[1]
        if sys.platform != "linux":
            guard.close()
        yield port


def _start(reserve: Callable[[], ContextManager[int]]) -> Broker:
    for attempt in range(1, _ATTEMPTS + 1):
        with reserve() as mqtt3, reserve() as mqtt5, _configured(mqtt3, mqtt5) as broker:
            try:
                with _interrupts_kept_out():
                    return broker.start(_START_SECONDS)
            except (OSError, RuntimeError) as error:
                _stop(broker)
                if attempt == _ATTEMPTS:
                    raise OSError(f"the broker found no free port in {attempt} tries") from error
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _configured(mqtt3: int, mqtt5: int) -> Iterator[Broker]:
    """Give a broker whose configuration lies in a file until it has started."""
    listeners = (
        _LISTENER.format(level=level, host=HOST, port=port, max_bytes=MAX_PACKET_BYTES)
        for level, port in ((4, mqtt3), (5, mqtt5))
    )
    with tempfile.TemporaryDirectory(prefix="navilink-broker-") as directory:
        path = Path(directory) / "broker.toml"
        path.write_text(_CONFIGURATION + "".join(listeners))
        yield Broker(config_path=str(path))


def _stop(broker: Broker) -> None:
    broker.stop(_STOP_SECONDS)
    atexit.unregister(broker.stop)


@contextlib.contextmanager
def _interrupts_kept_out() -> Iterator[None]:
    """Let the child inherit a blocked SIGINT: control-C goes to the whole process group."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
