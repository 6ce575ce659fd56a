"""Programs that tests start: each has ended when its test has, also when the test fails."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import Any, Iterator

_watched: set[asyncio.Task[None]] = set()


async def start_program(*words: str, **options: Any) -> asyncio.subprocess.Process:
    """Start a program; at the end of the test's loop it is killed if it still runs."""
    process = await asyncio.create_subprocess_exec(*words, **options)
    task = asyncio.ensure_future(_watch(process))
    _watched.add(task)
    task.add_done_callback(_watched.discard)
    return process


async def _watch(process: asyncio.subprocess.Process) -> None:
    try:
        await process.wait()
    finally:  # the loop cancels what is left when it is closed
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@contextlib.contextmanager
def running(*words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside the block, and kill it at the block's end if it still runs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(words, **{**pipes, **options}) as process:
        try:
            yield process
        finally:
            process.kill()
