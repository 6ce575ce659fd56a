"""Tests of the examples in the documents: Python runs on the simulator, commands are parsed or run.

The blocks of a page run in order in one namespace, as if pasted into ``python -m asyncio``. A block that
calls ``asyncio.run`` runs as a program. A comment ``# -> text`` is the expected output.
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
from support.cli import run, run_program
from support.programs import start_program

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = "navien-nwp500"
#: Commands that run until they are stopped, unless a count is given.
ENDLESS = {"dashboard", "monitor", "bridge", "simulate"}
LIMIT = 60.0


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Return the code blocks of a language, each with its line number."""
    text = page.read_text("utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_test(block: str) -> bool:
    """Return True for a test; examples/embedding contains and runs those."""
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
        if command.startswith(PROGRAM)
    }
)


def test_examples_are_found() -> None:
    assert len(PROGRAMS) >= 2 and len(PASTED["docs/README.md"]) >= 15 and len(LINES) >= 15


@pytest.fixture
def account_in_environment(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Simulator:
    """Empty working folder, and the account of a simulated cloud in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NAVILINK_")]:
        monkeypatch.delenv(name)
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    return sim


@pytest.mark.parametrize("page", PASTED)
async def test_the_python_blocks_of_a_page_run(
    page: str, account_in_environment: Simulator, capsys: pytest.CaptureFixture[str]
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
    source = "\n" * (line - 1) + block  # a traceback then names the line of the page
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = types.FunctionType(code, names)()
    if inspect.iscoroutine(running):
        await running


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_of_the_documents_runs(
    program: str, account_in_environment: Simulator, tmp_path: Path
) -> None:
    """Run a program; one that watches never ends, so it is stopped after its first line of output."""
    if "device.watch(" not in program:
        (path := tmp_path / "program.py").write_text(program, "utf-8")
        account = account_in_environment.environment
        code, out, err = await asyncio.to_thread(run_program, path, cwd=tmp_path, **account)
        assert code == 0 and out and err == ""
        return
    process = await start_program(
        *[sys.executable, "-u", "-W", "error", "-c", program], stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    shown = b""
    while not shown.endswith(b" W\n"):
        shown = await asyncio.wait_for(process.stdout.readline(), LIMIT)
        assert shown, (await process.stderr.read()).decode()
    process.terminate()
    _, errors = await asyncio.wait_for(process.communicate(), LIMIT)
    assert errors == b""


def arguments_of(line: str) -> list[str]:
    """Return the arguments of a shell line, without comment and redirection."""
    arguments = shlex.split(line, comments=True)[1:]
    return arguments[: arguments.index(">")] if ">" in arguments else arguments


def parsed(line: str) -> Iterator[click.Context]:
    """Parse a shell line without running it, and yield the context of each command."""
    args = arguments_of(line)
    command: click.Command = navien_nwp500
    parent = None
    while True:
        context = command.make_context(command.name or PROGRAM, args, parent=parent)
        yield context
        kept = vars(context)  # click 8.2 renamed the arguments that a group leaves
        rest = [*kept.get("_protected_args", kept.get("protected_args", ())), *context.args]
        if not isinstance(command, click.Group) or not rest:
            return
        _, found, args = command.resolve_command(context, rest)
        assert found is not None
        command, parent = found, context


def test_every_command_of_the_documents_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in LINES:
        files = re.findall(r"(?<!\S)[\w-]+\.(?:csv|har|jsonl?|txt)(?!\S)", line)
        for name in files:
            Path(name).touch()
        try:
            *_, last = parsed(line)
        except click.ClickException as error:
            pytest.fail(f"{line}: {error.format_message()}")
        for name in files:
            Path(name).unlink(missing_ok=True)
        whole = getattr(last.command, "invoke_without_command", True)
        assert whole, f"{line}: the subcommand is missing"


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in LINES
        if "--simulate" in line and (line.split()[1] not in ENDLESS or "--count" in line)
    ],
)
async def test_a_command_with_simulate_runs(line: str, tmp_path: Path) -> None:
    # 12 statuses prove as much as a week of them.
    shorter = re.sub(r"--count \d+", "--count 12", line)
    code, out, err = await run(tmp_path, *arguments_of(shorter))
    assert code == 0 and out, err
