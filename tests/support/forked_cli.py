"""Run the command line in processes forked from one that has loaded it.

Loading it takes two thirds of the time of a command. What is forked is a process like any other, with
an environment, a working directory, streams and an end of its own; only its modules are loaded.
Where the interpreter itself is given something (``PYTHONPATH``, ``PYTHONWARNINGS``), start a new one.
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

#: Forking a process that has used its system's frameworks fails on macOS.
AVAILABLE = sys.platform == "linux"


class ForkServer:
    """The process that forks, until this one ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._turn = threading.Lock()
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
        words: tuple[str, ...],
        typed: str | None,
        env: Mapping[str, str],
        limit: int,
    ) -> tuple[int, str, str]:
        """Run a command to its end, at most ``limit`` seconds: exit code, stdout, stderr."""
        assert self._process.stdin is not None and self._process.stdout is not None
        wanted = {"cwd": str(cwd), "words": words, "typed": typed, "env": dict(env), "limit": limit}
        with self._turn:
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err


def serve() -> None:
    """Load everything a command may need, then run a command for each line of stdin."""
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
    gc.freeze()  # what is loaded is neither looked through nor copied at the end of each fork
    for line in sys.stdin:
        wanted = json.loads(line)
        with ExitStack() as stack:
            said, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            said.write((wanted["typed"] or "").encode())
            said.seek(0)
            child = os.fork()
            if child == 0:
                become(wanted, said.fileno(), out.fileno(), err.fileno())
                return
            _, status = os.waitpid(child, 0)
            printed = []
            for file in (out, err):
                file.seek(0)
                printed.append(file.read().decode())
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps([code, *printed]), flush=True)


def become(wanted: dict[str, Any], *streams: int) -> None:
    """Be the command's process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.alarm(wanted["limit"])
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.argv[1:] = wanted["words"]
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    from navien_nwp500.__main__ import main

    main()


if __name__ == "__main__":
    serve()
