"""Run the command line in processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from support.forked_cli import AVAILABLE, ForkServer
from support.programs import start_program

#: Seconds a command may take.
LIMIT = 60.0


def environment(**variables: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("NAVILINK_", "OPENEI_"))
    }
    # The same exception as in pyproject.toml, for the same reason.
    warnings = "error,ignore:unclosed transport:ResourceWarning"
    if sys.version_info < (3, 10):  # the last matplotlib for it uses names that pyparsing renamed
        warnings += ",ignore::DeprecationWarning"
    return {**kept, "PYTHONIOENCODING": "utf-8", **variables, "PYTHONWARNINGS": warnings}


@lru_cache(maxsize=None)
def fork_server() -> ForkServer:
    return ForkServer(environment())


def run_program(
    program: Path, *arguments: str, cwd: Path, **variables: str
) -> tuple[int, str, str]:
    """Run a Python program to its end: its exit code, stdout and stderr."""
    if AVAILABLE:
        env = environment(**variables)
        return fork_server().run(cwd, arguments, None, env, int(LIMIT), program=program)
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT,
    )
    return done.returncode, done.stdout, done.stderr


async def start(
    cwd: Path,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    start_new_session: bool = False,
    **variables: str,
) -> asyncio.subprocess.Process:
    return await start_program(
        sys.executable,
        "-m",
        "navien_nwp500",
        *arguments,
        cwd=cwd,
        env=environment(**variables),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=start_new_session,
    )


async def run(
    cwd: Path, *arguments: str, typed: str | None = None, **variables: str
) -> tuple[int, str, str]:
    """Run a command to its end: its exit code, stdout and stderr."""
    if AVAILABLE and not any(name.startswith("PYTHON") for name in variables):
        command = (cwd, arguments, typed, environment(**variables), int(LIMIT))
        return await asyncio.get_running_loop().run_in_executor(None, fork_server().run, *command)
    stdin = subprocess.DEVNULL if typed is None else subprocess.PIPE
    process = await start(cwd, *arguments, stdin=stdin, **variables)
    said = None if typed is None else typed.encode()
    out, err = await asyncio.wait_for(process.communicate(said), LIMIT)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
