"""The command ``logout``."""

from __future__ import annotations

import click

from ....exceptions import NaviLinkError
from ..output import print_result
from ..runner import describe_os_error, run_async
from ..saved_account import delete_saved_password, lock_files, saved_files


@click.command("logout")
@run_async
async def logout_command() -> None:
    """Remove the saved e-mail, sessions and password.

    Example: navien-nwp500 logout
    """
    password_left = delete_saved_password()
    problems = [] if password_left is None else [password_left]
    files = [path for path in saved_files() if path.exists()]
    for path in (*files, *lock_files()):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            problems.append(f"a file could not be removed: {describe_os_error(error)}")
    if problems:
        raise NaviLinkError(f"signed out, but {'; '.join(problems)}")
    print_result("Signed out." if files else "No account was saved.", done=True)
