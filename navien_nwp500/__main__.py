"""The entry point of ``python -m navien_nwp500`` and of the command ``navien-nwp500``."""

from __future__ import annotations

import signal
import sys
import threading

from ._util.extras import missing_extra


def main() -> None:
    """Run the command line; exit with a message when its packages are not installed.

    SIGTERM and Ctrl-C end it while its modules are still being loaded, too.
    """
    _end_on_sigterm()
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _end_on_sigterm() -> None:
    """End on SIGTERM from the first moment: the first process of a container has no default action."""
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _run() -> None:
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(missing_extra("the command line", error.name, "cli"))
    from .apps.cli.app import navien_nwp500
    from .apps.cli.output import prepare_streams

    prepare_streams()
    navien_nwp500(prog_name="navien-nwp500")


if __name__ == "__main__":
    main()
