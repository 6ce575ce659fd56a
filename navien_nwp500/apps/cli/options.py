"""Options that several commands share."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Callable

import click

Decorator = Callable[[Any], Any]


def combine(*options: Decorator) -> Decorator:
    """Return a decorator that adds options in the order of the help."""

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add


class Group(click.Group):
    """A command group that suggests the command a misspelt one may mean.

    Newer versions of click do it too, but not for commands that are imported when called.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            matches = get_close_matches(name.lower(), self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(map(repr, matches))}?" if matches else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


class Number(click.FloatRange):
    """A range of numbers without NaN, which click accepts in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail("nan is not a number.", param, ctx)
        return number


INPUT_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT_FILE = click.Path(dir_okay=False, path_type=Path)

#: For commands that use an account.
ACCOUNT_OPTIONS = combine(
    click.option("--simulate", is_flag=True, help="Use a simulated heater and account."),
    click.option("--no-session-file", is_flag=True, help="Sign in anew and save no session."),
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
DEVICE = click.option(
    "--device",
    metavar="NAME|MAC",
    help="Name or MAC address of the heater, or the beginning of either.",
)
UNIT = click.option(
    "--unit",
    metavar="[C|F]",  # newer versions of click would show it in lower case
    type=click.Choice(["C", "F"], case_sensitive=False),
    help="Temperature unit.  [default: as the heater displays]",
)
INTERVAL = click.option(
    "--interval",
    metavar="SECONDS",
    type=Number(min=0, min_open=True, max=86400),
    help="Seconds between polls, in the heater's time.  [default: 300]",
)
COUNT = click.option(
    "--count", metavar="N", type=click.IntRange(min=1), help="End after this number of statuses."
)
COLD = click.option(
    "--cold",
    metavar="CELSIUS",
    type=Number(0, 35),
    default=15.0,
    show_default=True,
    help="Temperature of the cold water, in degrees Celsius.",
)


def speed(default: float) -> Decorator:
    """Return the option ``--speed`` of commands that can use a simulated heater."""
    return click.option(
        "--speed",
        metavar="FACTOR",
        type=Number(min=0, min_open=True, max=86400),
        default=default,
        show_default=True,
        help="Simulation speed: 60 simulates one minute per second.",
    )


#: For commands that read from one heater.
READ_OPTIONS = combine(ACCOUNT_OPTIONS, speed(60), DEVICE, JSON)
#: For commands that change a heater.
WRITE_OPTIONS = combine(
    READ_OPTIONS,
    click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing."),
)
