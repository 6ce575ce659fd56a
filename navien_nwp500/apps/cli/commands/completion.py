"""The command ``completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..output import print_result


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print a shell completion script.

    For bash and zsh, save it and add the line "source ~/.navien-nwp500" to ~/.bashrc or ~/.zshrc.
    For fish, save it as ~/.config/fish/completions/navien-nwp500.fish.

    Example: navien-nwp500 completion bash > ~/.navien-nwp500
    """
    program = context.find_root()
    completer = get_completion_class(shell)
    assert completer is not None and program.info_name is not None
    variable = f"_{program.info_name.replace('-', '_')}_COMPLETE".upper()
    print_result(completer(program.command, {}, program.info_name, variable).source())
