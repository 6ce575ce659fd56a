"""The entry point of ``python -m navien_nwp500`` and of the command ``navien-nwp500``."""

from __future__ import annotations

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
    from .apps.cli.output import prepare_streams

    prepare_streams()
    navien_nwp500(prog_name="navien-nwp500")


if __name__ == "__main__":
    main()
