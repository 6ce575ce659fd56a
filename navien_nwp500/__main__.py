"""``python -m navien_nwp500``: the command line, or how to get it."""

from __future__ import annotations

import io
import os
import sys

from ._util.extras import missing_extra


def main() -> None:
    """Run the command line; without its packages say which extra brings them."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(missing_extra("the command line", error.name, "cli"))
    from .apps.cli.app import navien_nwp500

    _open_streams()
    navien_nwp500(prog_name="navien-nwp500")


def _open_streams() -> None:
    """Replace closed standard streams, and what the encoding of stdout cannot write."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # with <&- or >&-, or as a service of Windows
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # ASCII has no degree sign, cp1252 no bar


if __name__ == "__main__":
    main()
