"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..version import __version__
from .about import info
from .bridge import bridge
from .doctor import doctor
from .history import energy
from .lists import reservations
from .options import DEVICE, JSON, SIMULATE, UNIT, reads, speed
from .plan import tou
from .report import report
from .running import run
from .service import install_service
from .setting import set_


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, message="%(version)s")
def navien_nwp500() -> None:
    """See what a Navien NWP500 heat pump water heater is doing, and tell it what to do.

    Your account is read from NAVILINK_EMAIL and NAVILINK_PASSWORD, in the environment or in a
    .env file. With --simulate you need none.
    """


@navien_nwp500.command()
@SIMULATE
@speed(600)
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    help="Seconds between polls, of the heater's time.  [default: 300]",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many statuses.")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Append to a CSV."
)
@DEVICE
@UNIT
@JSON
def monitor(**options: Any) -> None:
    """Watch the heater live, until Ctrl-C.

    A live view on a terminal, one line a status in a pipe, JSON lines with --json. Alerts: a
    fault, charge below 20 %, power above 4000 W, heater offline, change of operation mode.

    Example: navien-nwp500 monitor --simulate --csv tank.csv
    """
    from .monitor import monitor as command

    run(command(**options))


@navien_nwp500.command()
@reads
@UNIT
def status(**options: Any) -> None:
    """Read the heater once.

    Example: navien-nwp500 status --simulate --json
    """
    from .reading import status as command

    run(command(**options))


@navien_nwp500.command()
@SIMULATE
@JSON
def devices(**options: Any) -> None:
    """List the heaters of the account.

    Example: navien-nwp500 devices
    """
    from .reading import devices as command

    run(command(**options))


@navien_nwp500.command()
@speed(60)
@click.option(
    "--heaters", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many."
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many, each with so many heaters: user@, user2@, user3@example.com, one password.",
)
@click.option(
    "--latency",
    metavar="MS",
    type=click.FloatRange(0, 10_000),
    default=0,
    show_default=True,
    help="Milliseconds each byte is under way, each way.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there what a client needs to find it.",
)
def simulate(**options: Any) -> None:
    """Serve a whole NaviLink cloud on this machine, until Ctrl-C.

    Once ready it prints the variables any program of yours needs to use it.

    Example: navien-nwp500 simulate --speed 600 --env-file sim.env
    """
    from .simulate import simulate as command

    run(command(**options))


for _word in (set_, reservations, tou, energy, info, doctor, bridge, install_service, report):
    navien_nwp500.add_command(_word)
