"""Run commands: signals, logs, exit codes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from functools import wraps
from typing import Any, Callable, Coroutine, NoReturn

from ...config import NaviLinkConfig
from ...exceptions import AuthenticationError, ConfigurationError, DeviceOfflineError, NaviLinkError

DONE, FAILED, USAGE, OFFLINE, UNAUTHENTICATED, INTERRUPTED = 0, 1, 2, 3, 4, 130
#: The reader of stdout has closed it, as ``head`` does: 128 + SIGPIPE, as shells report it.
OUTPUT_CLOSED = 141


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
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        code = OUTPUT_CLOSED
    except (NaviLinkError, OSError) as error:
        print(f"navien-nwp500: {error}", file=sys.stderr)
        code = _exit_code(error)
        try:
            sys.stdout.flush()
        except OSError:
            _discard_stdout()
    sys.exit(code)


def _discard_stdout() -> None:
    """Discard what is still buffered: the interpreter would report it as an error when it exits."""
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())


def log_to_stderr(level: str | None = None) -> None:
    """Send the library's log to stderr. The default level is NAVILINK_LOG_LEVEL, else INFO."""
    level = level or os.environ.get("NAVILINK_LOG_LEVEL") or "INFO"
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("navien_nwp500")
    logger.handlers = [handler]
    logger.setLevel(NaviLinkConfig(log_level=level).log_level)


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
    return USAGE if isinstance(error, ConfigurationError) else FAILED


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler that writes to the present ``sys.stderr``, which a live view replaces meanwhile."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr
