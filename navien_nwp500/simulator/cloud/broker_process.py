"""The MQTT broker of the simulated cloud: the built-in one, iotcore or mosquitto.

The built-in broker installs everywhere. iotcore and mosquitto are child processes that end with
their parent; the tests use them as independent implementations. All support MQTT 3.1.1 and MQTT 5,
and pass messages between clients of both (measured with iotcore 0.4 and mosquitto 2.0).
"""

from __future__ import annotations

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

from ..._util.aio import in_thread
from ..._util.extras import missing_extra
from ...exceptions import ConfigurationError
from .built_in_broker import BuiltInBroker
from .mqtt_packets import MAX_PACKET_BYTES

HOST = "127.0.0.1"
BUILT_IN, IOTCORE, MOSQUITTO = "built-in", "iotcore", "mosquitto"
BROKERS = (BUILT_IN, IOTCORE, MOSQUITTO)
#: Environment variable that selects a broker for tests and the programs they start.
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
#: Ends a child program when its stdin closes, which happens when the parent ends.
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
    """The broker's ports on loopback, one for each version of MQTT."""

    mqtt3: int
    mqtt5: int


def choose_broker(name: str | None = None) -> str:
    """Return the broker by name, by ``VARIABLE``, or iotcore if installed, else the built-in one.

    Raise ConfigurationError for an unknown broker and for one that is not installed.
    """
    name = name or os.environ.get(VARIABLE) or (IOTCORE if _has_iotcore() else BUILT_IN)
    if name not in BROKERS:
        raise ConfigurationError(f"broker is {name!r}; it must be one of {', '.join(BROKERS)}")
    if name == IOTCORE and not _has_iotcore():
        raise ConfigurationError(missing_extra("the broker iotcore", IOTCORE, IOTCORE))
    if name == MOSQUITTO and mosquitto_program() is None:
        raise ConfigurationError(
            "mosquitto is not installed; install it, for example with apt-get install mosquitto"
        )
    return name


def _has_iotcore() -> bool:
    try:
        return importlib.util.find_spec(IOTCORE) is not None
    except ValueError:  # a test made it absent
        return False


def mosquitto_program() -> str | None:
    """Return the path of mosquitto, None without it; Debian installs it in /usr/sbin."""
    return shutil.which(
        MOSQUITTO, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    )


@contextlib.asynccontextmanager
async def running_broker(
    name: str | None = None, reserve: Callable[[], ContextManager[int]] | None = None
) -> AsyncIterator[BrokerPorts]:
    """Run a broker, and yield its ports on loopback.

    ``reserve`` chooses the ports of a child process and keeps each free while it starts. Raise
    ConfigurationError as ``choose_broker`` does, and OSError if the broker does not start.
    """
    name = choose_broker(name)
    if name == BUILT_IN:
        async with BuiltInBroker().running(HOST) as port:
            yield BrokerPorts(port, port)
        return
    start = _start_iotcore if name == IOTCORE else _start_mosquitto
    child = await in_thread(
        lambda: _start(start, reserve or reserved_port), undo=lambda child: child.stop()
    )
    try:
        yield child.ports
    finally:
        await in_thread(child.stop)


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a free port that, on Linux, no other process can choose meanwhile.

    Linux lets a second socket with SO_REUSEADDR bind and listen beside one that only binds, and
    gives the port to no other program (measured with iotcore 0.4). On other systems another process
    may take the port before the broker does.
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


def _start(
    start: Callable[[Path, BrokerPorts], _Child], reserve: Callable[[], ContextManager[int]]
) -> _Child:
    for attempt in range(1, _ATTEMPTS + 1):
        with reserve() as mqtt3, reserve() as mqtt5:
            # The broker reads its configuration only while it starts.
            with tempfile.TemporaryDirectory(prefix="navilink-broker-") as folder:
                try:
                    with _sigint_blocked():
                        return start(Path(folder), BrokerPorts(mqtt3, mqtt5))
                except (OSError, RuntimeError) as error:
                    if attempt == _ATTEMPTS:
                        tried = f"the broker found no free port in {attempt} attempts"
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
        check_free(port)
    configuration, log = folder / "mosquitto.conf", folder / "log"
    configuration.write_text(
        _MOSQUITTO_CONFIGURATION.format(ports=ports, host=HOST, max_bytes=MAX_PACKET_BYTES)
    )
    arguments = [sys.executable, "-I", "-S", "-c", _GUARD, program, "-c", str(configuration)]
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )

    def stop() -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(_STOP_SECONDS)

    try:
        _wait_for_listeners(process, ports)
    except BaseException as error:
        stop()
        output = log.read_text("utf-8", "replace").strip()
        raise RuntimeError(output or str(error)) from error
    return _Child(ports, stop)


def check_free(port: int) -> None:
    """Raise OSError if a program listens on the port, which would look like the broker."""
    with socket.socket() as probe:
        if sys.platform == "linux":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        probe.listen()


def _wait_for_listeners(process: subprocess.Popen[bytes], ports: BrokerPorts) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not all(_listens(port) for port in ports):
        if process.poll() is not None:
            raise RuntimeError(f"the broker ended with code {process.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not listen within {_START_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT, so that the child inherits it: control-C reaches the whole process group."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
