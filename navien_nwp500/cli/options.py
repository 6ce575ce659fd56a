"""The options that several words share."""

from __future__ import annotations

from typing import Any, Callable

import click

Decorator = Callable[[Any], Any]

SIMULATE = click.option("--simulate", is_flag=True, help="A heater of the simulator, not yours.")
JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for a machine to read.")
DEVICE = click.option("--device", metavar="MAC", help="Which heater, when you have several.")
UNIT = click.option(
    "--unit",
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
