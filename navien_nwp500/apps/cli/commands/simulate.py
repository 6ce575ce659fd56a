"""``simulate``: a whole NaviLink cloud for other programs."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from ....protocol.capture import read_capture
from ..context import simulator_class
from ..runner import log_to_stderr


async def simulate(
    speed: float,
    heaters: int,
    accounts: int,
    latency: float,
    replay: Path | None,
    env_file: Path | None,
) -> None:
    """Serve until stopped; say on stdout, and in the file, how to be found."""
    log_to_stderr()
    entries = [] if replay is None else read_capture(replay)
    async with simulator_class()(
        speed=speed,
        heaters=heaters,
        accounts=accounts,
        latency=latency / 1000,
        replay=entries,
    ) as simulator:
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
