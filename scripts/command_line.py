"""The page of every word of the command line, made from the words themselves."""

from __future__ import annotations

import inspect
import re
from typing import Iterator

import click

from navien_nwp500.apps.cli.app import navien_nwp500

HEAD = """# The command line

Every word and its options, made from the words themselves by `python scripts/tables.py`. Each says the
same with `--help`.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or
settings, 3 the heater is offline or did not answer, 4 sign-in refused or ended, 130 interrupted, 141
whoever read the output has gone.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(path, word) for path, word in words())])


def words(
    group: click.Group = navien_nwp500, path: tuple[str, ...] = ("navien-nwp500",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Walk all words, each after the word it stands below."""
    context = click.Context(group)
    for name in group.list_commands(context):
        word = group.get_command(context, name)
        assert word is not None
        yield (*path, name), word
        if isinstance(word, click.Group):
            yield from words(word, (*path, name))


def _section(path: tuple[str, ...], word: click.Command) -> str:
    context = click.Context(word, info_name=" ".join(path))
    usage = " ".join(word.collect_usage_pieces(context))
    text = inspect.cleandoc(word.help or "").replace("\b\n", "")
    said, _, example = text.partition("Example: ")
    lines = [f"{'#' * len(path)} {' '.join(path[1:])}\n", f"`{' '.join(path)} {usage}`\n"]
    lines.append(_escaped(said.strip()) + "\n")
    options = [
        record
        for parameter in word.get_params(context)
        # Of arguments the usage tells; only the newest click has records of them.
        if isinstance(parameter, click.Option)
        and (record := parameter.get_help_record(context)) is not None
        and "--help" not in record[0]
    ]
    if options:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_escaped(_cell(said))} |" for names, said in options]
        lines.append("")
    if example:
        # Wrapped in the help to fit 80 columns; here it is to be copied.
        lines += ["```sh", " ".join(example.split()), "```\n"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([<>*])", r"\\\1", text)
