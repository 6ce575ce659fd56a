"""Run the MQTT broker behind the cloud: the built-in one, or another by name.

The built-in broker installs everywhere. iotcore and mosquitto are child processes that die with
their parent; the tests run over them too, because they know nothing of this project. All speak
MQTT 3.1.1 and MQTT 5, and clients of both meet (measured with iotcore 0.4 and mosquitto 2.0).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import AsyncIterator, Callable, ContextManager, Iterator, NamedTuple, TypeVar

from ...exceptions import ConfigurationError
from .built_in_broker import BuiltInBroker
from .mqtt_packets import MAX_PACKET_BYTES

HOST = "127.0.0.1"
BUILT_IN, IOTCORE, MOSQUITTO = "built-in", "iotcore", "mosquitto"
BROKERS = (BUILT_IN, IOTCORE, MOSQUITTO)
#: Has the tests run over one broker, also those that start programs.
VARIABLE = "SIMULATOR_BROKER"

_ATTEMPTS = 5
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01

T = TypeVar("T")

_IOTCORE_CONFIGURATION = """\
id = 0
[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""
_IOTCORE_LISTENER = """\
[v{level}.only]
name = "mqtt{level}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v{level}.only.connections]
connection_timeout_ms = 60000
max_payload_size = {max_bytes}
max_inflight_count = 100
"""
_MOSQUITTO_CONFIGURATION = """\
listener {ports.mqtt3} {host}
listener {ports.mqtt5} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
max_packet_size {max_bytes}
max_inflight_messages 0
max_queued_messages 0
log_type error
log_dest stderr
"""
#: Ends the program given to it when its stdin closes, as it does when the parent ends.
_GUARD = """\
import subprocess, sys, threading
program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def end():
    sys.stdin.buffer.read()
    program.kill()
threading.Thread(target=end, daemon=True).start()
sys.exit(program.wait())
"""


class BrokerPorts(NamedTuple):
    """Where the broker listens on loopback, for each version of the protocol."""

    mqtt3: int
    mqtt5: int


def choose_broker(name: str | None = None) -> str:
    """Choose a broker: by name, by the variable, or iotcore where it is installed.

    Raises ConfigurationError for a name that is none, or of one that is not there.
    """
    name = name or os.environ.get(VARIABLE) or (IOTCORE if _has_iotcore() else BUILT_IN)
    if name not in BROKERS:
        raise ConfigurationError(f"broker is {name!r}; it may be {', '.join(BROKERS)}")
    if name == IOTCORE and not _has_iotcore():
        raise ConfigurationError("the broker iotcore needs: pip install 'navien-nwp500[iotcore]'")
    if name == MOSQUITTO and mosquitto_program() is None:
        raise ConfigurationError("the broker mosquitto needs: apt-get install mosquitto")
    return name


def _has_iotcore() -> bool:
    try:
        return importlib.util.find_spec(IOTCORE) is not None
    except ValueError:  # it was made to be absent
        return False


def mosquitto_program() -> str | None:
    """Find mosquitto; Debian puts it where only root looks."""
    return shutil.which(
        MOSQUITTO, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    )


@contextlib.asynccontextmanager
async def running_broker(
    name: str | None = None, reserve: Callable[[], ContextManager[int]] | None = None
) -> AsyncIterator[BrokerPorts]:
    """Run a broker and give its ports on loopback.

    ``reserve`` gives the ports a child process tries, each kept free while it starts. Raises
    ConfigurationError as ``choose_broker``, and OSError when it does not start.
    """
    name = choose_broker(name)
    if name == BUILT_IN:
        async with BuiltInBroker().serving(HOST) as port:
            yield BrokerPorts(port, port)
        return
    start = _start_iotcore if name == IOTCORE else _start_mosquitto
    child = await in_thread(lambda: _start(start, reserve or reserved_port), undo=_stop)
    try:
        yield child.ports
    finally:
        await in_thread(lambda: _stop(child))


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


class _Child(NamedTuple):
    ports: BrokerPorts
    stop: Callable[[], object]


def _stop(child: _Child) -> None:
    child.stop()


def _start(
    start: Callable[[Path, BrokerPorts], _Child], reserve: Callable[[], ContextManager[int]]
) -> _Child:
    for attempt in range(1, _ATTEMPTS + 1):
        with reserve() as mqtt3, reserve() as mqtt5:
            # Read once, while it starts.
            with tempfile.TemporaryDirectory(prefix="navilink-broker-") as folder:
                try:
                    with _interrupts_kept_out():
                        return start(Path(folder), BrokerPorts(mqtt3, mqtt5))
                except (OSError, RuntimeError) as error:
                    if attempt == _ATTEMPTS:
                        tried = f"the broker found no free port in {attempt} tries"
                        raise OSError(f"{tried}: {error}") from error
    raise AssertionError("unreachable")


def _start_iotcore(folder: Path, ports: BrokerPorts) -> _Child:
    from iotcore import Broker

    listeners = (
        _IOTCORE_LISTENER.format(level=level, host=HOST, port=port, max_bytes=MAX_PACKET_BYTES)
        for level, port in ((4, ports.mqtt3), (5, ports.mqtt5))
    )
    configuration = folder / "broker.toml"
    configuration.write_text(_IOTCORE_CONFIGURATION + "".join(listeners))
    broker = Broker(config_path=str(configuration))

    def stop() -> None:
        broker.stop(_STOP_SECONDS)
        atexit.unregister(broker.stop)

    try:
        broker.start(_START_SECONDS)
    except BaseException:
        stop()
        raise
    return _Child(ports, stop)


def _start_mosquitto(folder: Path, ports: BrokerPorts) -> _Child:
    program = mosquitto_program()
    assert program is not None
    for port in ports:
        _check_free(port)
    configuration, log = folder / "mosquitto.conf", folder / "log"
    configuration.write_text(
        _MOSQUITTO_CONFIGURATION.format(ports=ports, host=HOST, max_bytes=MAX_PACKET_BYTES)
    )
    words = [sys.executable, "-I", "-S", "-c", _GUARD, program, "-c", str(configuration)]
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )

    def stop() -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(_STOP_SECONDS)

    try:
        _wait_for_listeners(process, ports)
    except BaseException as error:
        stop()
        said = log.read_text("utf-8", "replace").strip()
        raise RuntimeError(said or str(error)) from error
    return _Child(ports, stop)


def _check_free(port: int) -> None:
    """Raise OSError when somebody listens there, who would be taken for the broker."""
    with socket.socket() as probe:
        if sys.platform == "linux":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        probe.listen()


def _wait_for_listeners(process: subprocess.Popen[bytes], ports: BrokerPorts) -> None:
    end = time.monotonic() + _START_SECONDS
    while not all(_listens(port) for port in ports):
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended with code {process.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"the broker does not listen after {_START_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


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
