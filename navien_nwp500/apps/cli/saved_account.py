"""The account saved by ``login``.

The e-mail is in the user's config folder, the session in the cache folder. The password is saved only
on request, in the system's keyring. The environment and ``.env`` take precedence.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator

from platformdirs import user_cache_path, user_config_path, user_data_path

from ..._util.extras import missing_extra
from ..._util.files import write_atomically
from ...config import NaviLinkConfig, ReconnectConfig, same_email
from ...exceptions import ConfigurationError
from .output import print_note

_APP = "navien-nwp500"
_ACCOUNT = "account.json"


class KeyringUnusableError(ConfigurationError):
    """Keyring that is not installed, does not open, or is locked."""


@dataclass(frozen=True)
class SavedAccount:
    """The e-mail and service of the last login, and whether the keyring has the password."""

    email: str
    base_url: str
    password_kept: bool = False

    @property
    def keyring_service(self) -> str:
        """The keyring's service name, one per base URL: a password is for one service only."""
        return f"{_APP} {self.base_url}"

    def load_password(self) -> str | None:
        """Load the password from the keyring. Raises KeyringUnusableError."""
        with _open_keyring() as ring:
            password: str | None = ring.get_password(self.keyring_service, self.email)
        return password

    def save_password(self, password: str) -> SavedAccount:
        """Save the password in the keyring and return the changed account. Raises as above."""
        with _open_keyring() as ring:
            ring.set_password(self.keyring_service, self.email, password)
        return replace(self, password_kept=True)

    def delete_password(self) -> None:
        """Delete the password from the keyring, if it is there. Raises as above."""
        with _open_keyring() as ring, suppress(ring.errors.PasswordDeleteError):
            ring.delete_password(self.keyring_service, self.email)


def import_keyring() -> Any:
    """Import the keyring library. Raises KeyringUnusableError naming the extra it needs."""
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError as error:
        raise KeyringUnusableError(
            missing_extra("saving the password", error.name, "keyring")
        ) from error
    return keyring


@contextmanager
def _open_keyring() -> Iterator[Any]:
    ring = import_keyring()
    try:
        yield ring
    except Exception as error:  # backends belong to others, and raise errors of any kind
        reason = str(error) or type(error).__name__
        raise KeyringUnusableError(f"the system's keyring cannot be opened ({reason})") from error


def account_file() -> Path:
    """Return the file of the saved account, in the user's config folder.

    Raises ConfigurationError without a home folder, as in some containers.
    """
    folder = _account_folder()
    if folder is None:
        raise ConfigurationError(
            "there is no home folder to save the account in: set HOME or XDG_CONFIG_HOME, or use "
            "NAVILINK_EMAIL and NAVILINK_PASSWORD without login"
        )
    return folder / _ACCOUNT


def session_file(config: NaviLinkConfig) -> Path | None:
    """Return the file of an account's session, in the user's cache folder; None without a home."""
    folder = cache_folder()
    if folder is None:
        return None
    account = hashlib.sha256(
        f"{config.base_url} {str(config.email).casefold()}".encode()
    ).hexdigest()
    return folder / f"session-{account[:8]}.json"


def saved_files() -> list[Path]:
    """Return the file of the account, if any, and those of all saved sessions, of any account."""
    folder = cache_folder()
    sessions = [] if folder is None else sorted(folder.glob("session-*.json"))
    folder = _account_folder()
    return sessions if folder is None else [folder / _ACCOUNT, *sessions]


def lock_files() -> list[Path]:
    """Return the empty files with which processes that share a session take turns."""
    folder = cache_folder()
    return [] if folder is None else sorted(folder.glob("session-*.json.lock"))


def cache_folder() -> Path | None:
    """Return the user's cache folder of this program; None when it is unknown."""
    return _known_folder(user_cache_path)


def data_folder() -> Path | None:
    """Return the user's data folder of this program; None when it is unknown."""
    return _known_folder(user_data_path)


def _account_folder() -> Path | None:
    return _known_folder(user_config_path)


def _known_folder(find: Callable[..., Path]) -> Path | None:
    """Return a folder of the user; None when it is unknown.

    platformdirs then raises RuntimeError; before 4.10 it leaves the ``~``.
    """
    try:
        folder = find(_APP, appauthor=False)
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def load_account() -> SavedAccount | None:
    """Load the saved account; None without one. Raises ConfigurationError for a damaged file."""
    folder = _account_folder()
    if folder is None:
        return None
    path = folder / _ACCOUNT
    try:
        content = json.loads(path.read_bytes())
        account = SavedAccount(**content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, RecursionError):
        account = None
    texts = () if account is None else (account.email, account.base_url)
    if account is None or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError(f"{path} is damaged; run navien-nwp500 login to write it anew")
    return account


def save_account(account: SavedAccount) -> None:
    """Save the account in a file that only the user can read."""
    content = json.dumps(asdict(account), indent=1) + "\n"
    write_atomically(account_file(), content.encode(), private=True)


def delete_saved_password() -> str | None:
    """Delete the password of the saved account from the keyring; return why it is still there."""
    try:
        account = load_account()
    except ConfigurationError:
        return None  # a damaged file: the name of the password in the keyring is unknown
    if account is None or not account.password_kept:
        return None
    try:
        account.delete_password()
    except KeyringUnusableError as error:
        return (
            f"the password of {account.email} is still in the system's keyring, because {error}; "
            f"remove the entry {account.keyring_service!r} there"
        )
    return None


def load_config() -> NaviLinkConfig:
    """Load the settings of the environment, completed by the saved account.

    A keyring that cannot be opened is told, and the saved session used without the password. Raises
    ConfigurationError naming the setting.
    """
    # A monitor runs for months, so reconnecting is never given up.
    config = NaviLinkConfig.from_environment(reconnect=ReconnectConfig(max_retries=None))
    if config.email and config.password:
        return config
    account = load_account()
    if account is None or account.base_url != config.base_url:
        return config
    if config.email is not None and not same_email(config.email, account.email):
        return config
    password = config.password
    if password is None and account.password_kept:
        try:
            password = account.load_password()
        except KeyringUnusableError as error:
            print_note(
                f"navien-nwp500: {error}, so only the saved session is used. Unlock the keyring, or "
                "set NAVILINK_PASSWORD"
            )
    return replace(config, email=account.email, password=password)
