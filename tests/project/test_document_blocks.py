"""What the documents show works: their Python runs on the simulator, their commands are words.

A page's blocks run in its order in one namespace, as pasted into ``python -m asyncio``; a block that
calls ``asyncio.run`` is a program and runs as one. ``# -> text`` must be what is printed.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import os
import re
import shlex
import sys
import types
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Iterator

import click
import pytest

from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.simulator import Simulator
from support.cli import run
from support.programs import start_program

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORD = "navien-nwp500"
#: Words that run until they are ended, unless they are given a count.
ENDLESS = {"monitor", "bridge", "simulate"}
LIMIT = 60.0


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The blocks of a language with the line each begins on."""
    text = page.read_text("utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_test(block: str) -> bool:
    """A test to be copied: pytest runs such, and examples/embedding holds them."""
    return re.search(r"^(async )?def test_", block, re.M) is not None


def is_program(block: str) -> bool:
    return "asyncio.run(" in block


def expected(block: str) -> list[str]:
    return [match[1] for match in re.finditer(r"# -> (.+)$", block, re.M)]


PROGRAMS = [
    pytest.param(block, id=f"{_name(page)}:{line}")
    for page in PAGES
    for line, block in blocks(page, "python")
    if is_program(block)
]
PASTED = {
    _name(page): found
    for page in PAGES
    if (
        found := [
            (n, text)
            for n, text in blocks(page, "python")
            if not (is_program(text) or is_test(text))
        ]
    )
}
LINES = sorted(
    {
        command
        for page in PAGES
        for _, block in blocks(page, "sh")
        for command in block.splitlines()
        if command.startswith(WORD)
    }
)


def test_there_is_something_to_run() -> None:
    assert len(PROGRAMS) >= 2 and len(PASTED["docs/README.md"]) >= 15 and len(LINES) >= 15


@pytest.fixture
def at_home(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """An empty folder, and the account of a simulated heater in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NAVILINK_")]:
        monkeypatch.delenv(name)
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    return sim


@pytest.mark.parametrize("page", PASTED)
async def test_what_a_page_shows_runs_as_pasted(
    page: str, at_home: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    try:
        for line, block in PASTED[page]:
            await _paste(page, line, block, names)
            printed = capsys.readouterr().out.splitlines()
            missing = [text for text in expected(block) if text not in printed]
            assert missing == [], f"{page}:{line}: {printed}"
    finally:
        if "client" in names:
            await names["client"].close()


async def _paste(page: str, line: int, block: str, names: dict[str, Any]) -> None:
    source = "\n" * (line - 1) + block  # so that a traceback names the line of the page
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = types.FunctionType(code, names)()
    if inspect.iscoroutine(running):
        await running


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_documents_runs(program: str, at_home: Simulator) -> None:
    """One that watches has no end: what it prints shows that it works, each line at once (-u)."""
    process = await start_program(
        *[sys.executable, "-u", "-W", "error", "-c", program], stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    if "device.watch(" in program:
        shown = b""
        while not shown.endswith(b" W\n"):
            shown = await asyncio.wait_for(process.stdout.readline(), LIMIT)
            assert shown, (await process.stderr.read()).decode()
        process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert err == b""
    assert "device.watch(" in program or (process.returncode == 0 and out)


def words_of(line: str) -> list[str]:
    """What the program is given of a line: neither a comment nor where the output goes."""
    words = shlex.split(line, comments=True)[1:]
    return words[: words.index(">")] if ">" in words else words


def parsed(line: str) -> Iterator[click.Context]:
    """Parse a line as the command line does, and yield each word's context; run nothing."""
    args = words_of(line)
    command: click.Command = navien_nwp500
    parent = None
    while True:
        context = command.make_context(command.name or WORD, args, parent=parent)
        yield context
        kept = vars(context)  # click 8.2 renamed what a group leaves for its word
        rest = [*kept.get("_protected_args", kept.get("protected_args", ())), *context.args]
        if not isinstance(command, click.Group) or not rest:
            return
        _, found, args = command.resolve_command(context, rest)
        assert found is not None
        command, parent = found, context


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_documents_is_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in shlex.split(line, comments=True):
        if re.fullmatch(r"[\w-]+\.(csv|har|jsonl?|txt)", word):
            (tmp_path / word).touch()
    *_, last = parsed(line)
    assert not isinstance(last.command, click.Group), f"{line}: a word is missing"


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in LINES
        if "--simulate" in line and (line.split()[1] not in ENDLESS or "--count" in line)
    ],
)
async def test_a_command_on_the_simulator_runs(line: str, tmp_path: Path) -> None:
    # A week of readings shows no more than a dozen.
    shorter = re.sub(r"--count \d+", "--count 12", line)
    code, out, err = await run(tmp_path, *words_of(shorter))
    assert code == 0 and out, err
