"""The options that several words share."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Callable

import click

Decorator = Callable[[Any], Any]

_SIGNS_IN_ANEW = "navien_nwp500.signs_in_anew"


def _note(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_SIGNS_IN_ANEW] = value


def session_kept() -> bool:
    """Whether the word that runs keeps its session for the next."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(_SIGNS_IN_ANEW) is False


def _together(*options: Decorator) -> Decorator:
    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add


class Group(click.Group):
    """Words below a word; one that is misspelt is answered with those it may have been.

    The newest click does so too, and not for words that are loaded when they are said.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        said = args[0]
        if not said.startswith("-") and self.get_command(ctx, said) is None:
            meant = get_close_matches(said.lower(), self.list_commands(ctx))
            question = f" Did you mean {' or '.join(map(repr, meant))}?" if meant else ""
            ctx.fail(f"There is no word {said!r}.{question}")
        return super().resolve_command(ctx, args)


#: What every word that looks at an account takes.
SIMULATE = _together(
    click.option("--simulate", is_flag=True, help="A heater of the simulator, not yours."),
    # How the account is reached is no concern of the word's: it is noted for ``world``.
    click.option(
        "--no-session-file",
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Sign in anew, and keep no session.",
    ),
)
JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for a machine to read.")
DEVICE = click.option(
    "--device",
    metavar="NAME|MAC",
    help="Which heater: its name, its MAC, or the beginning of either.",
)
UNIT = click.option(
    "--unit",
    metavar="[C|F]",  # the newest click would show it in lower case
    type=click.Choice(["C", "F"], case_sensitive=False),
    help="Temperatures in it.  [default: as the heater shows them]",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be sent; send nothing.")
FORCE = click.option("--force", is_flag=True, help="Send it even when it already holds.")


def speed(default: float) -> Decorator:
    """``--speed``, for words that can bring a simulated heater."""
    return click.option(
        "--speed",
        type=click.FloatRange(min=0, min_open=True, max=86400),
        default=default,
        show_default=True,
        help="Seconds of the simulated heater's time to one of yours.",
    )


def reads(function: Any) -> Any:
    """Add what every word about one heater takes."""
    return SIMULATE(speed(60)(DEVICE(JSON(function))))


def writes(function: Any) -> Any:
    """Add what every word that changes a heater takes."""
    return reads(DRY_RUN(function))
