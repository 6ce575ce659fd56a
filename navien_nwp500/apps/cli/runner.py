"""How every command runs and ends: signals, logs, exit codes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any, Coroutine, NoReturn

from ...config import NaviLinkConfig
from ...exceptions import AuthenticationError, ConfigurationError, DeviceOfflineError, NaviLinkError

DONE, FAILED, USAGE, NO_ANSWER, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130
#: Whoever read stdout has gone, as ``head`` does: 128 and SIGPIPE, what a shell sees of any program.
UNREAD = 141


def run(command: Coroutine[Any, Any, None]) -> NoReturn:
    """Run a command to its exit code: the error in one sentence, no traceback."""
    try:
        code = asyncio.run(_until_stopped(command))
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _leave_stdout()
        code = UNREAD
    except (NaviLinkError, OSError) as error:
        print(f"navien-nwp500: {error}", file=sys.stderr)
        code = _exit_code(error)
        try:
            sys.stdout.flush()
        except OSError:
            _leave_stdout()
    sys.exit(code)


def _leave_stdout() -> None:
    """Let what is still buffered go nowhere: at its end the interpreter would complain of it."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def log_to_stderr(level: str | None = None) -> None:
    """Send the library's log to stderr, as much as NAVILINK_LOG_LEVEL says when not told."""
    said = level or os.environ.get("NAVILINK_LOG_LEVEL") or "INFO"
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("navien_nwp500")
    logger.handlers = [handler]
    logger.setLevel(NaviLinkConfig(log_level=said).log_level)


async def _until_stopped(command: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(command)
    stopped: list[int] = []

    def stop(code: int) -> None:
        stopped.append(code)
        task.cancel()

    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, DONE)):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue  # a shell that put us in the background: Ctrl-C is meant for others
        try:
            loop.add_signal_handler(number, stop, code)
        except (NotImplementedError, RuntimeError):
            # Windows: asyncio.run turns Ctrl-C into KeyboardInterrupt. In a thread other than the
            # main one signals are somebody else's.
            break
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
    return stopped[0] if stopped else DONE


def _exit_code(error: BaseException) -> int:
    if isinstance(error, AuthenticationError):
        return REFUSED
    if isinstance(error, DeviceOfflineError):
        return NO_ANSWER
    return USAGE if isinstance(error, ConfigurationError) else FAILED


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever stderr is now: a live view takes its place for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr
