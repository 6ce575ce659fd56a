"""The command ``logout``."""

from __future__ import annotations

import click

from ..output import print_result
from ..runner import run_async
from ..saved_account import delete_saved_password, saved_files


@click.command("logout")
@run_async
async def logout_command() -> None:
    """Remove the saved e-mail, sessions and password.

    Example: navien-nwp500 logout
    """
    delete_saved_password()
    files = [path for path in saved_files() if path.exists()]
    for path in files:
        path.unlink(missing_ok=True)
    print_result("Signed out." if files else "No account was saved.", done=True)
