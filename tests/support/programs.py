"""Programs started by tests; each is killed when its test ends, also when the test fails."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import Any, Iterator

_watchers: set[asyncio.Task[None]] = set()


async def start_program(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """Start a program; it is killed at the end of the test's event loop if it still runs."""
    process = await asyncio.create_subprocess_exec(*arguments, **options)
    task = asyncio.ensure_future(_watch(process))
    _watchers.add(task)
    task.add_done_callback(_watchers.discard)
    return process


async def _watch(process: asyncio.subprocess.Process) -> None:
    try:
        await process.wait()
    finally:  # a closing loop cancels the remaining tasks
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@contextlib.contextmanager
def running(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program during the block; it is killed at the end of the block if it still runs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(arguments, **{**pipes, **options}) as process:
        try:
            yield process
        finally:
            process.kill()
