"""Run commands: signals, logs, exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import ssl
import sys
import traceback
from functools import wraps
from pathlib import Path
from typing import Any, Callable, Coroutine, NoReturn

from ..._util.files import display_path
from ..._util.text import clean_text
from ...config import NaviLinkConfig
from ...exceptions import (
    AuthenticationError,
    ConfigurationError,
    DeviceOfflineError,
    NaviLinkError,
    PlanCopyError,
)
from ...protocol.redaction import logger
from .output import OutputError, print_note

DONE, FAILED, USAGE, OFFLINE, UNAUTHENTICATED, INTERRUPTED = 0, 1, 2, 3, 4, 130
#: The heater has the new time-of-use plan, and the cloud's copy is the old one.
NOT_COPIED = 5
#: The reader of stdout has closed it, as ``head`` does: 128 + SIGPIPE, as shells report it.
OUTPUT_CLOSED = 141
_FOLDER = "choose another folder, or correct its owner or permissions"
#: Advice for errors of the operating system.
_ADVICE = {
    errno.EACCES: _FOLDER,
    errno.EPERM: _FOLDER,
    errno.EROFS: "choose a folder that can be written",
    errno.ENOSPC: "free some space, then try again",
    errno.EDQUOT: "free some space, then try again",
    errno.EFBIG: "the limit of file sizes is reached; free some space or raise it",
    errno.ENOENT: "check the path, and that its folder exists",
    errno.ENOTDIR: "check the path",
    errno.EADDRINUSE: "another program uses this address; choose another port",
    errno.EADDRNOTAVAIL: "this machine does not have this address; choose another",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
}


def run_async(function: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., NoReturn]:
    """Turn a coroutine function into the callback of a command."""

    @wraps(function)
    def callback(*args: Any, **options: Any) -> NoReturn:
        run(function(*args, **options))

    return callback


def run(command: Coroutine[Any, Any, None]) -> NoReturn:
    """Run a command and exit with its exit code; print an error as one sentence, no traceback."""
    try:
        code = asyncio.run(_run_until_signal(command))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (NaviLinkError, OutputError, OSError) as error:
        code = report_error(error)
    sys.exit(code)


def report_error(error: Exception) -> int:
    """Print an error as one sentence and return the exit code.

    An error that no command expects is a fault of this program: the sentence says where it is.
    """
    if isinstance(error, OutputError) and error.closed:
        return OUTPUT_CLOSED  # nobody reads, so nothing is said, as in other programs
    if isinstance(error, OSError):
        print_note(f"navien-nwp500: {describe_os_error(error)}")
    elif isinstance(error, (NaviLinkError, OutputError)):
        print_note(f"navien-nwp500: {error}")
    else:
        print_note(f"navien-nwp500: {_describe_fault(error)}")
    return _exit_code(error)


def describe_os_error(error: OSError) -> str:
    """Describe an error of the operating system in one sentence, with advice."""
    # The errno of an SSLError is a number of the TLS library.
    advice = None if isinstance(error, ssl.SSLError) else _ADVICE.get(error.errno or 0)
    reason = f"{error.strerror or error}{f'; {advice}' if advice else ''}"
    if isinstance(error.filename, (str, bytes, os.PathLike)):
        return f"{display_path(os.fsdecode(error.filename))}: {reason}"
    return reason


def _describe_fault(error: Exception) -> str:
    logger("navien_nwp500.cli").debug("internal error", exc_info=error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return clean_text(
        f"internal error at {place}: {type(error).__name__}: {error}. Please report it, with the "
        "output of the same command after NAVILINK_LOG_LEVEL=DEBUG"
    )


def log_to_stderr(level: str | None = None) -> None:
    """Send the library's log to stderr. The default level is NAVILINK_LOG_LEVEL, else INFO."""
    level = level or os.environ.get("NAVILINK_LOG_LEVEL") or "INFO"
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("navien_nwp500")
    logger.handlers = [handler]
    logger.setLevel(NaviLinkConfig(log_level=level).log_level)


def raise_open_file_limit() -> None:
    """Let this process open as many files and connections as the system allows.

    Each account needs one. The usual limit of 1024 is there for programs that use select(), which
    asyncio and the SDK do not.
    """
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS may report more than it grants
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run_until_signal(command: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(command, name="command")
    codes: list[int] = []

    def stop(code: int) -> None:
        codes.append(code)
        task.cancel()

    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, DONE)):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # started in the background by a shell: Ctrl-C is for the foreground program
        try:
            loop.add_signal_handler(number, stop, code)
        except (NotImplementedError, RuntimeError):
            # On Windows asyncio.run turns Ctrl-C into KeyboardInterrupt; a thread other than the
            # main one cannot handle signals.
            break
    try:
        await task
    except asyncio.CancelledError:
        if not codes:
            raise
    return codes[0] if codes else DONE


def _exit_code(error: BaseException) -> int:
    if isinstance(error, AuthenticationError):
        return UNAUTHENTICATED
    if isinstance(error, DeviceOfflineError):
        return OFFLINE
    if isinstance(error, PlanCopyError):
        return NOT_COPIED
    return USAGE if isinstance(error, ConfigurationError) else FAILED


class _StderrHandler(logging.Handler):
    """A handler that writes to the present ``sys.stderr``, which a live view replaces meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        print_note(self.format(record))
