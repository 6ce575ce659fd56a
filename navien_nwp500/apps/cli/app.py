"""The command group ``navien-nwp500``.

A command is imported when it is called: ``--help`` loads click, this module and ``options``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from ..._util.version import __version__
from .options import Group

#: The short help of each command.
COMMANDS = {
    "bridge": "Publish your heaters to Home Assistant or Prometheus.",
    "capture": "Record the raw traffic, with private data masked.",
    "completion": "Print a shell completion script.",
    "dashboard": "Record your heaters and show them on a page, until Ctrl-C.",
    "devices": "List the devices of the account; only the NWP500 is supported.",
    "doctor": "Check the connection step by step and suggest fixes.",
    "energy": "Show the energy used per day or month.",
    "forecast": "Tell when the water will be hot, and how sure that is.",
    "history": "Keep and use the history of your heaters.",
    "info": "Show the model, firmware and functions of the heater.",
    "install-service": "Print a systemd unit or a container file.",
    "login": "Sign in and keep the session for later commands.",
    "logout": "Remove the saved e-mail, sessions and password.",
    "monitor": "Watch the heater live, until Ctrl-C.",
    "plan": "Propose when to heat, so that hot water costs less.",
    "record": "Record many accounts into one history, with several processes.",
    "report": "Summarize recordings of monitor --csv, with charts.",
    "reservations": "Show and change the heater's schedule.",
    "set": "Change a setting of the heater.",
    "simulate": "Run a simulated NaviLink cloud, until Ctrl-C.",
    "status": "Show the status of the heater.",
    "tou": "Show and change the time-of-use plan.",
    "why": "Tell why the heater started and stopped heating.",
}


class CommandGroup(Group):
    """A group of the commands in ``COMMANDS``."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program and exit; an error that no command handles ends it in one sentence."""
        try:
            return super().main(*args, **options)
        except Exception as error:  # the outermost level: a person never sees a traceback
            from .runner import report_error

            sys.exit(report_error(error))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f".commands.{name}", __package__)
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
)
@click.version_option(__version__, message="%(version)s")
def navien_nwp500() -> None:
    """Monitor and control Navien NWP500 heat pump water heaters.

    Sign in once with "navien-nwp500 login", or set NAVILINK_EMAIL and NAVILINK_PASSWORD in the
    environment or in a .env file. With --simulate no account is needed.

    Example: navien-nwp500 status --simulate
    """
