"""Command line in processes forked from one that has loaded its modules.

Loading them takes two thirds of the time of a command. A forked process has its own environment,
working directory, streams and exit. Start a new interpreter instead where the test changes a
setting of the interpreter (``PYTHONPATH``, ``PYTHONWARNINGS``).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Mapping

#: On macOS a process that has used the frameworks of the system cannot be forked.
AVAILABLE = sys.platform == "linux"


class ForkServer:
    """A process that forks one for each command, until this process ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
            encoding="utf-8",
        )
        atexit.register(self._process.communicate)

    def run(
        self,
        cwd: Path,
        arguments: tuple[str, ...],
        stdin: str | None,
        env: Mapping[str, str],
        limit: int,
    ) -> tuple[int, str, str]:
        """Run a command for at most ``limit`` seconds; return exit code, stdout and stderr."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "cwd": str(cwd),
            "arguments": arguments,
            "stdin": stdin,
            "env": dict(env),
            "limit": limit,
        }
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err


def serve() -> None:
    """Load all modules of the command line, then run a command for each line of stdin."""
    import navien_nwp500

    for found in walk_packages(navien_nwp500.__path__, "navien_nwp500."):
        if not found.name.startswith(
            (
                "navien_nwp500.analysis",
                "navien_nwp500.apps.report",
                "navien_nwp500.history.recordings",
                "navien_nwp500.__main__",
            )
        ):
            import_module(found.name)
    gc.freeze()  # so that the forks neither scan nor copy the loaded modules at exit
    for line in sys.stdin:
        request = json.loads(line)
        with ExitStack() as stack:
            stdin, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            stdin.write((request["stdin"] or "").encode())
            stdin.seek(0)
            child = os.fork()
            if child == 0:
                run_command(request, stdin.fileno(), out.fileno(), err.fileno())
                return
            _, status = os.waitpid(child, 0)
            printed = []
            for file in (out, err):
                file.seek(0)
                printed.append(file.read().decode())
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps([code, *printed]), flush=True)


def run_command(request: dict[str, Any], *streams: int) -> None:
    """Run the command in this forked process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.alarm(request["limit"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["arguments"]
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    from navien_nwp500.__main__ import main

    main()


if __name__ == "__main__":
    serve()
