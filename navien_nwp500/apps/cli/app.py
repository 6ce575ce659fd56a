"""The words and their options.

What a word needs is loaded when it is said: ``--help`` loads click and this page.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Coroutine, NamedTuple, NoReturn

import click

from ..._util.version import __version__
from .options import DEVICE, JSON, SIMULATE, UNIT, Group, reads, speed


class CommandModule(NamedTuple):
    """A word that has a module of its own: where it is, and what the list of words says of it."""

    module: str
    attribute: str
    help: str


PAGES = {
    "set": CommandModule("set", "set_", "Tell the heater what to do, and see that it did."),
    "reservations": CommandModule(
        "reservations", "reservations", "See and change what the heater does by the clock."
    ),
    "tou": CommandModule("tou", "tou", "See and change prices by season, weekday and time."),
    "energy": CommandModule("energy", "energy", "See what the heat pump and the elements took."),
    "doctor": CommandModule(
        "doctor", "doctor", "Say where the way to a reading ends, why, and what to do."
    ),
    "bridge": CommandModule(
        "bridge", "bridge", "Tell Home Assistant or Prometheus what your heaters are doing."
    ),
    "install-service": CommandModule(
        "install_service",
        "install_service",
        "Print what keeps a service running: a systemd user unit, or a container file.",
    ),
    "report": CommandModule(
        "report", "report", "Sum up recordings of monitor --csv, on a page with charts."
    ),
    "capture": CommandModule(
        "capture", "capture", "Record the raw traffic, with everything private masked."
    ),
    "login": CommandModule("login", "login", "Sign in once; later words need no variable."),
    "logout": CommandModule(
        "login",
        "logout",
        "Remove what login keeps: e-mail, sessions, and the password in the keyring.",
    ),
    "completion": CommandModule(
        "completion", "completion", "Print what makes your shell complete words and options."
    ),
    "info": CommandModule("info", "info", "Say what the heater is, and what it can and cannot do."),
}


class CommandGroup(Group):
    """All words: those of this page, and those of ``PAGES``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *PAGES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        page = PAGES.get(cmd_name)
        if page is None:
            return super().get_command(ctx, cmd_name)
        word: click.Command = getattr(
            import_module(f".commands.{page.module}", __package__), page.attribute
        )
        return word

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the words without loading a page."""
        said = {
            name: word.get_short_help_str(formatter.width) for name, word in self.commands.items()
        }
        said.update((name, page.help) for name, page in PAGES.items())
        with formatter.section("Commands"):
            formatter.write_dl(sorted(said.items()))


def run(command: Coroutine[Any, Any, None]) -> NoReturn:
    """Run a command to its exit code."""
    from .runner import run as run_to_its_end

    run_to_its_end(command)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
)
@click.version_option(__version__, message="%(version)s")
def navien_nwp500() -> None:
    """See what a Navien NWP500 heat pump water heater is doing, and tell it what to do.

    Sign in once with login, or set NAVILINK_EMAIL and NAVILINK_PASSWORD, in the environment or
    in a .env file. With --simulate you need no account.

    Example: navien-nwp500 status --simulate
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
    from .commands.monitor import monitor as command

    run(command(**options))


@navien_nwp500.command()
@reads
@UNIT
def status(**options: Any) -> None:
    """Read the heater once.

    Example: navien-nwp500 status --simulate --json
    """
    from .commands.status import status as command

    run(command(**options))


@navien_nwp500.command()
@SIMULATE
@JSON
def devices(**options: Any) -> None:
    """List the heaters of the account.

    Example: navien-nwp500 devices
    """
    from .commands.status import devices as command

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
    "--replay",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Heaters that say again, round after round, what capture recorded.",
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
    from .commands.simulate import simulate as command

    run(command(**options))
