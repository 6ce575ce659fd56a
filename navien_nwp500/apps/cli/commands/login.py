"""The command ``login``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from ....client import NaviLinkClient
from ....config import NaviLinkConfig, read_environment, same_email
from ....exceptions import ConfigurationError
from ..output import print_note, print_result
from ..runner import INTERRUPTED, log_to_stderr, run_async
from ..saved_account import (
    KeyringUnusableError,
    SavedAccount,
    delete_saved_password,
    import_keyring,
    save_account,
    session_file,
)


@click.command("login")
@click.option(
    "--keep-password",
    is_flag=True,
    help='Save the password in the system\'s keyring. Needs the extra "keyring".',
)
@run_async
async def login_command(keep_password: bool) -> None:
    """Sign in and keep the session for later commands.

    Asks for the e-mail and password of your NaviLink account; in a pipe it reads them as two
    lines. If the cloud accepts them, it saves the e-mail and the session in files that only you
    can read. It saves the password only with --keep-password.

    Example: navien-nwp500 login
    """
    config = NaviLinkConfig.from_environment()
    log_to_stderr(config.log_level)
    if keep_password:
        import_keyring()  # fail before the user types a password
    email, password = _ask_credentials(config.email)
    config = replace(config, email=email, password=password)
    config = replace(config, session_file=session_file(config))
    async with NaviLinkClient(config) as client:
        await client.authenticate()
    account = SavedAccount(email, config.base_url)
    password_left = delete_saved_password()
    save_account(account)
    print_result(f"Signed in as {email}. See: navien-nwp500 status", done=True)
    other = read_environment().get("NAVILINK_EMAIL")
    if other and not same_email(other, email):
        print_note(f"NAVILINK_EMAIL is {other} and takes precedence over this login.")
    if password_left is not None:
        print_note(f"navien-nwp500: {password_left}")
    if keep_password:
        try:
            save_account(account.save_password(password))
        except KeyringUnusableError as error:
            raise ConfigurationError(
                f"you are signed in, but the password is not saved, because {error}"
            ) from error


def _ask_credentials(email: str | None) -> tuple[str, str]:
    if not sys.stdin.isatty():
        lines = [sys.stdin.readline().strip("\r\n") for _ in range(2)]
        if not all(lines):
            raise ConfigurationError("login reads two lines: the e-mail, then the password")
        return lines[0].strip(), lines[1]
    to_stderr: dict[str, Any] = {"err": True}
    try:
        email = click.prompt("E-mail", default=email, **to_stderr).strip()
        return email, click.prompt("Password", hide_input=True, **to_stderr)
    except click.Abort:
        print_note()
        sys.exit(INTERRUPTED)
