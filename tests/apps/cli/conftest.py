"""Fixtures that run commands in this process, against a simulator in another thread."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import click
import pytest

from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.context import CommandContext
from support.background_simulator import START, BackgroundSimulator, Invoke, Output, exit_code

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def background() -> Iterator[BackgroundSimulator]:
    """A heater with a recirculation pump, whose clock stands still at START."""
    options = {"speed": 600, "start": START, "frozen": True, "recirculation": True}
    with BackgroundSimulator(**options, control_interval=0.0) as simulator:
        yield simulator


@pytest.fixture
def invoke(
    background: BackgroundSimulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Invoke:
    """Run a command in ``tmp_path``; return its exit code, stdout and stderr."""
    for name, value in background.sim.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(CommandContext, "now", lambda self: background.sim.clock.now())
    monkeypatch.chdir(tmp_path)

    def run(command: str) -> tuple[int, str, str]:
        arguments = command.split()
        code = exit_code(lambda: navien_nwp500.main(arguments, prog_name="navien-nwp500"))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def output(invoke: Invoke) -> Output:
    """Run a command that must succeed with an empty stderr; return its stdout, 80 columns wide."""

    def run(command: str) -> str:
        code, out, err = invoke(command)
        assert (code, err) == (0, "")
        assert all(len(line) <= 80 for line in out.splitlines()), out
        return out

    return run


@pytest.fixture
def all_commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, click.Command]:
    """All commands by their path."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = __import__("command_line")
    return {" ".join(path[1:]): command for path, command in module.all_commands()}
