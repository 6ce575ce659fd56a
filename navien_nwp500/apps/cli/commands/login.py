"""``login`` and ``logout``: the account a person names once."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from ....client import NaviLinkClient
from ....config import NaviLinkConfig, read_environment
from ....exceptions import ConfigurationError
from ..runner import INTERRUPTED, log_to_stderr, run
from ..saved_account import (
    SavedAccount,
    account_file,
    remember,
    remembered,
    session_file,
    session_files,
    system_keyring,
)


@click.command()
@click.option(
    "--keep-password",
    is_flag=True,
    help='Keep it in the system\'s keyring. Needs the extra "keyring".',
)
def login(keep_password: bool) -> None:
    """Sign in once; later words need no variable.

    Asks for the e-mail and the password of your NaviLink account; in a pipe it reads them as
    two lines. They are tried at once. Kept are the e-mail and the session, in files only you
    can read, and the password only with --keep-password.

    Example: navien-nwp500 login
    """
    run(sign_in(keep_password))


@click.command()
def logout() -> None:
    """Remove what login keeps: e-mail, sessions, and the password in the keyring.

    Example: navien-nwp500 logout
    """
    run(sign_out())


async def sign_in(keep_password: bool) -> None:
    """Ask, try, keep. Nothing is kept when the cloud refuses."""
    config = NaviLinkConfig.from_environment()
    log_to_stderr(config.log_level)
    if keep_password:
        system_keyring()  # better missed before a password is typed
    email, password = _ask(config.email)
    config = replace(config, email=email, password=password)
    config = replace(config, session_file=session_file(config))
    async with NaviLinkClient(config) as client:
        await client.authenticate()
    account = SavedAccount(email, config.base_url)
    _forget_password()
    remember(account)
    if keep_password:
        remember(account.keep(password))
    print(f"Signed in as {email}. See: navien-nwp500 status")
    said = read_environment().get("NAVILINK_EMAIL")
    if said and said != email:
        print(f"NAVILINK_EMAIL is {said} and wins over this login.", file=sys.stderr)


async def sign_out() -> None:
    """Remove all of it, what is damaged too."""
    _forget_password()
    kept = [path for path in (account_file(), *session_files()) if path.exists()]
    for path in kept:
        path.unlink(missing_ok=True)
    print("Signed out." if kept else "Nobody was signed in.")


def _forget_password() -> None:
    """Take what an earlier login has kept out of the keyring."""
    try:
        account = remembered()
    except ConfigurationError:
        return  # nobody knows any more under which name the keyring would hold one
    if account is not None and account.password_kept:
        account.forget()


def _ask(email: str | None) -> tuple[str, str]:
    if not sys.stdin.isatty():
        lines = [sys.stdin.readline().strip("\r\n") for _ in range(2)]
        if not all(lines):
            raise ConfigurationError("login reads two lines: the e-mail, and the password")
        return lines[0].strip(), lines[1]
    question: dict[str, Any] = {"err": True}
    try:
        email = click.prompt("E-mail", default=email, **question).strip()
        return email, click.prompt("Password", hide_input=True, **question)
    except click.Abort:
        print(file=sys.stderr)
        sys.exit(INTERRUPTED)
