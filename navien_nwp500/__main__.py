"""The entry point of ``python -m navien_nwp500`` and of the command ``navien-nwp500``."""

from __future__ import annotations

import io
import os
import sys

from ._util.extras import missing_extra


def main() -> None:
    """Run the command line; exit with a message when its packages are not installed."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(missing_extra("the command line", error.name, "cli"))
    from .apps.cli.app import navien_nwp500

    _open_streams()
    navien_nwp500(prog_name="navien-nwp500")


def _open_streams() -> None:
    """Replace closed standard streams, and write ? for characters that stdout cannot encode."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by <&- or >&-, or a Windows service
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # such as ° in ASCII, █ in cp1252


if __name__ == "__main__":
    main()
