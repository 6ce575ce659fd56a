"""``simulate``: a whole NaviLink cloud for other programs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ...._util.files import write_atomically
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
            write_atomically(env_file, lines.encode(), private=True)
        sys.stdout.write(lines)
        sys.stdout.flush()
        print("ready; Ctrl-C ends it", file=sys.stderr)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if env_file is not None:
                env_file.unlink(missing_ok=True)
