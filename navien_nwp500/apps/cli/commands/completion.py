"""``completion``: what a shell reads to complete words and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes your shell complete words and options.

    Save it, and have your shell read it when it begins: source ~/.navien-nwp500 in ~/.bashrc or
    ~/.zshrc. For fish save it as ~/.config/fish/completions/navien-nwp500.fish.

    Example: navien-nwp500 completion bash > ~/.navien-nwp500
    """
    program = context.find_root()
    completer = get_completion_class(shell)
    assert completer is not None and program.info_name is not None
    variable = f"_{program.info_name.replace('-', '_')}_COMPLETE".upper()
    click.echo(completer(program.command, {}, program.info_name, variable).source())
