"""``simulate``, and the simulated world of the other commands."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

from ..client import NaviLinkClient
from ..simulator import Simulator
from .running import World, log_to_stderr


class SimulatedWorld(World):
    """A client of the simulator, on its heaters' clock."""

    def __init__(self, client: NaviLinkClient, simulator: Simulator) -> None:
        super().__init__(client)
        self._clock = simulator.clock

    def now(self) -> datetime:
        return self._clock.now()

    def real(self, seconds: float) -> float:
        return self._clock.real(seconds)


async def simulate(speed: float, heaters: int, env_file: Path | None) -> None:
    """Serve until stopped; say on stdout, and in the file, how to be found."""
    log_to_stderr(os.environ.get("NAVILINK_LOG_LEVEL") or "INFO")
    async with Simulator(speed=speed, heaters=heaters) as simulator:
        lines = "".join(f"{name}={value}\n" for name, value in simulator.environment.items())
        if env_file is not None:
            _write_private(env_file, lines)
        sys.stdout.write(lines)
        sys.stdout.flush()
        print("ready; Ctrl-C ends it", file=sys.stderr)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if env_file is not None:
                env_file.unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> None:
    """Write for the owner alone, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)
