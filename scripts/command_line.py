"""Write docs/CLI.md from the commands of the command line."""

from __future__ import annotations

import inspect
import re
from typing import Iterator

import click

from navien_nwp500.apps.cli.app import navien_nwp500

HEAD = """# The command line

All commands and their options, generated from the program by `python scripts/tables.py`. Each command
shows the same text with `--help`.

Results are printed to stdout, everything else to stderr. Exit codes: 0 success, 1 failure, 2 wrong
usage or settings, 3 the heater is offline or did not respond, 4 sign-in rejected or session expired,
5 only one part was stored (tou set), 130 interrupted, 141 the reader of the output closed it.
"""


def page() -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *(_section(path, command) for path, command in all_commands())])


def all_commands(
    group: click.Group = navien_nwp500, path: tuple[str, ...] = ("navien-nwp500",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield all commands with their paths, each group before its commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    text, _, example = text.partition("Example: ")
    lines = [f"{'#' * len(path)} {' '.join(path[1:])}\n", f"`{' '.join(path)} {usage}`\n"]
    lines.append(_escape(text.strip()) + "\n")
    options = [
        record
        for parameter in command.get_params(context)
        # Arguments are in the usage; only the newest click has records of them.
        if isinstance(parameter, click.Option)
        and (record := parameter.get_help_record(context)) is not None
        and "--help" not in record[0]
    ]
    if options:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_escape(_cell(text))} |" for names, text in options]
        lines.append("")
    if example:
        # The help wraps the example at 80 columns; here it is one line to copy.
        lines += ["```sh", " ".join(example.split()), "```\n"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _escape(text: str) -> str:
    return re.sub(r"([<>*])", r"\\\1", text)
