"""Command line and programs in processes forked from one that has loaded the package's modules.

Loading them takes two thirds of the time of a command. A forked process has its own environment,
working directory, streams and exit. Start a new interpreter instead where the test changes a
setting of the interpreter (``PYTHONPATH``, ``PYTHONWARNINGS``).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Mapping, TypedDict

#: What commands import when they need it; most of them do.
IMPORTED_LATE = (
    "dotenv",
    "encodings.idna",
    "sqlite3",
    "awscrt.auth",
    "awscrt.mqtt",
    "awscrt.mqtt5",
)
#: On macOS a process that has used the frameworks of the system cannot be forked.
AVAILABLE = sys.platform == "linux"


class Limits(TypedDict, total=False):
    """Limits of a command's process; by default nothing is missing."""

    #: Encoding of stdout and stderr.
    encoding: str
    #: A file instead of stdout; "" is a pipe that nobody reads.
    stdout: str
    no_stdin: bool
    #: The working folder is removed.
    removed: bool
    #: The user has no entry in the system's list of users.
    unknown_user: bool
    #: Bytes that a file may have, as on a full disk.
    file_size: int
    #: Seconds until SIGTERM.
    seconds: float
    #: The interpreter only flushes its streams when it exits, which takes half the time.
    quick_exit: bool


class ForkServer:
    """A process that forks one for each command, until this process ends."""

    def __init__(self, environment: Mapping[str, str], *options: str) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
            encoding="utf-8",
        )
        atexit.register(self.close)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; it ends by itself when this one does."""
        atexit.unregister(self.close)
        self._process.communicate()

    def run(
        self,
        cwd: Path,
        arguments: tuple[str, ...],
        stdin: str | None,
        env: Mapping[str, str],
        limit: int,
        limits: Limits | None = None,
        program: Path | None = None,
    ) -> tuple[int, str, str]:
        """Run a command for at most ``limit`` seconds; return exit code, stdout and stderr.

        With ``program`` this Python file is run instead of the command line.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "cwd": str(cwd),
            "arguments": arguments,
            "stdin": stdin,
            "env": dict(env),
            "limit": limit,
            "limits": limits or {},
            "program": program and str(program),
        }
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err


def serve(all_modules: bool) -> None:
    """Load the modules of the command line, then run a command for each line of stdin.

    Those of reports take a second, so they are loaded only on request.
    """
    import navien_nwp500

    seldom: tuple[str, ...] = (
        "navien_nwp500.analysis",
        "navien_nwp500.apps.report",
        "navien_nwp500.history.recordings",
    )
    left_out = ("navien_nwp500.__main__", *(() if all_modules else seldom))
    for found in walk_packages(navien_nwp500.__path__, "navien_nwp500."):
        if not found.name.startswith(left_out):
            import_module(found.name)
    for name in IMPORTED_LATE:
        with suppress(ModuleNotFoundError):
            import_module(name)
    gc.freeze()  # so that the forks neither scan nor copy the loaded modules at exit
    for line in sys.stdin:
        request = json.loads(line)
        with ExitStack() as stack:
            stdin, out = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            # A limit of file sizes is also one for stderr, except in a pipe.
            pipe = "file_size" in request["limits"]
            err: Any = stack.enter_context(Pipe() if pipe else tempfile.TemporaryFile())
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
                printed.append(file.read().decode(errors="backslashreplace"))
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps([code, *printed]), flush=True)


class Pipe:
    """A pipe with the interface of a file that is needed here; a message is below its size."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)

    def fileno(self) -> int:
        return self._writer

    def seek(self, _: int) -> None:
        os.close(self._writer)

    def read(self) -> bytes:
        return os.read(self._reader, 65536)


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
    if request["limits"]:
        set_limits(request["limit"], **request["limits"])
    if request["program"]:
        sys.argv[0] = request["program"]
        sys.path[0] = str(Path(request["program"]).parent)
        runpy.run_path(request["program"], run_name="__main__")
        return
    from navien_nwp500.__main__ import main

    if not request["limits"].get("quick_exit"):
        main()
        return
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            print("Exception ignored in: <stdout>", file=sys.stderr)  # as the interpreter does
            code = 120
    os._exit(code if isinstance(code, int) else 1)


def set_limits(
    limit: int,
    *,
    encoding: str = "utf-8",
    stdout: str | None = None,
    no_stdin: bool = False,
    removed: bool = False,
    unknown_user: bool = False,
    file_size: int | None = None,
    seconds: float | None = None,
    quick_exit: bool = False,
) -> None:
    """Take from this process what the command is to miss."""
    import pwd
    import resource

    if stdout == "":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    elif stdout is not None:
        os.dup2(os.open(stdout, os.O_WRONLY), 1)
    # Opened anew, as what is behind them has changed.
    sys.stdout, sys.stderr = (
        open(number, "w", encoding=encoding, closefd=False) for number in (1, 2)
    )
    if no_stdin:
        os.close(0)
        sys.stdin = None  # type: ignore[assignment]  # as the interpreter does
    if removed:
        os.chdir(folder := tempfile.mkdtemp())
        os.rmdir(folder)
    if unknown_user:
        pwd.getpwuid = pwd.getpwnam = _no_entry  # type: ignore[assignment]
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if seconds is not None:
        signal.signal(signal.SIGALRM, lambda *_: _terminate(limit))
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _no_entry(user: object) -> Any:
    raise KeyError(f"no entry of {user}")


def _terminate(limit: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limit)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(all_modules="all" in sys.argv)
