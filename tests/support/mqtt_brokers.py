"""MQTT brokers for the tests of a bridge: the simulator's own, and mosquitto."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Union

from navien_nwp500.simulator.cloud.built_in_broker import BuiltInBroker
from support.reliability_tools import wait_until

BUILT_IN, MOSQUITTO = "built-in", "mosquitto"


class BuiltIn:
    """The simulator's broker on a free port; it can be started and stopped several times."""

    def __init__(self) -> None:
        self.port = 0
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        serving = BuiltInBroker().running("127.0.0.1", self.port)
        self.port = await self._stack.enter_async_context(serving)

    async def stop(self) -> None:
        await self._stack.aclose()


class Mosquitto:
    """A mosquitto process for one test."""

    def __init__(self, program: str, folder: Path, *lines: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "mosquitto.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines, ""]))
        self._command = [program, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        await wait_until(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def read_again(self) -> None:
        """Let it read its files again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


AnyBroker = Union[BuiltIn, Mosquitto]


def keep_root() -> list[str]:
    """Keep root as mosquitto's user: the user it changes to may not read a test's files."""
    return ["user root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
