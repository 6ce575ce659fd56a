"""The command ``simulate``."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from pathlib import Path

import click

from ...._util.files import write_atomically
from ....protocol.capture import read_capture
from ..context import import_simulator
from ..options import INPUT_FILE, OUTPUT_FILE, Number, speed as speed_option
from ..output import print_note, print_result
from ..runner import log_to_stderr, raise_open_file_limit, run_async


@click.command("simulate")
@speed_option(60)
@click.option(
    "--heaters",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Number of heaters per account.",
)
@click.option(
    "--accounts",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Number of accounts: user@, user2@, user3@example.com, all with the same password.",
)
@click.option(
    "--latency",
    metavar="MS",
    type=Number(0, 10_000),
    default=0,
    show_default=True,
    help="Network delay in milliseconds, in each direction.",
)
@click.option(
    "--replay",
    metavar="FILE",
    type=INPUT_FILE,
    help="Replay a capture file in a loop instead of simulating heaters.",
)
@click.option(
    "--state",
    type=OUTPUT_FILE,
    help="Keep port, certificates, password, tokens and heaters in a file over a restart.",
)
@click.option("--env-file", type=OUTPUT_FILE, help="Write the variables for clients to a file.")
@run_async
async def simulate_command(
    speed: float,
    heaters: int,
    accounts: int,
    latency: float,
    replay: Path | None,
    state: Path | None,
    env_file: Path | None,
) -> None:
    """Run a simulated NaviLink cloud, until Ctrl-C.

    When it is ready, it prints the environment variables with which other programs use it.

    Example: navien-nwp500 simulate --speed 600 --env-file sim.env
    """
    log_to_stderr()
    raise_open_file_limit()
    entries = [] if replay is None else read_capture(replay)
    # Looking through 3,000 heaters for garbage, while they start and after that, took half of the time.
    async with AsyncExitStack() as stack:
        stack.callback(gc.enable)
        gc.disable()
        simulator = await stack.enter_async_context(
            import_simulator()(
                speed=speed,
                heaters=heaters,
                accounts=accounts,
                latency=latency / 1000,
                replay=entries,
                state=state,
            )
        )
        lines = "".join(f"{name}={value}\n" for name, value in simulator.environment.items())
        if env_file is not None:
            write_atomically(env_file, lines.encode(), private=True)
        print_result(lines, end="")
        print_note("ready; press Ctrl-C to end it")
        gc.freeze()  # the heaters stay until the end
        gc.enable()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if env_file is not None:
                env_file.unlink(missing_ok=True)
