"""The account somebody has signed in to once: where it lies, and how every word finds it.

The e-mail lies in the user's config folder, the session in the cache. The password lies nowhere,
unless it was asked to be kept: then in the system's keyring. The environment and ``.env`` win.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_config_path

from ..._util.extras import missing_extra
from ..._util.files import write_atomically
from ...config import NaviLinkConfig, ReconnectConfig
from ...exceptions import ConfigurationError

_APP = "navien-nwp500"


@dataclass(frozen=True)
class SavedAccount:
    """Who signed in, at which service, and whether the keyring holds the password."""

    email: str
    base_url: str
    password_kept: bool = False

    @property
    def _drawer(self) -> str:
        """What the keyring calls it: one service never gets the password of another."""
        return f"{_APP} {self.base_url}"

    def password(self) -> str | None:
        """Ask the keyring. Raises ConfigurationError when it cannot be asked."""
        ring = system_keyring()
        try:
            found: str | None = ring.get_password(self._drawer, self.email)
        except ring.errors.KeyringError as error:
            raise _closed(error) from error
        return found

    def keep(self, password: str) -> SavedAccount:
        """Put the password into the keyring. Raises ConfigurationError when there is none."""
        ring = system_keyring()
        try:
            ring.set_password(self._drawer, self.email, password)
        except ring.errors.KeyringError as error:
            raise _closed(error) from error
        return replace(self, password_kept=True)

    def forget(self) -> None:
        """Take the password out of the keyring; one that is gone already is no fault."""
        ring = system_keyring()
        try:
            with suppress(ring.errors.PasswordDeleteError):
                ring.delete_password(self._drawer, self.email)
        except ring.errors.KeyringError as error:
            raise _closed(error) from error


def system_keyring() -> Any:
    """The library of the system's keyring; ConfigurationError says which extra brings it."""
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            missing_extra("saving the password", error.name, "keyring")
        ) from error
    return keyring


def _closed(error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the system's keyring does not open ({error}). Unlock it, or do without: set "
        "NAVILINK_PASSWORD, or navien-nwp500 login without --keep-password"
    )


def account_file() -> Path:
    """Where the account is named: a file of the user's config folder."""
    return user_config_path(_APP, appauthor=False) / "account.json"


def session_file(config: NaviLinkConfig) -> Path:
    """Where an account's session is kept between runs: a file of its own in the user's cache."""
    account = hashlib.sha256(f"{config.base_url} {config.email}".encode()).hexdigest()
    return _sessions() / f"session-{account[:8]}.json"


def session_files() -> list[Path]:
    """All that are kept, of whichever account."""
    return sorted(_sessions().glob("session-*.json"))


def _sessions() -> Path:
    return user_cache_path(_APP, appauthor=False)


def remembered() -> SavedAccount | None:
    """Who signed in last, None after nobody. Raises ConfigurationError for a damaged file."""
    path = account_file()
    try:
        content = json.loads(path.read_bytes())
        account = SavedAccount(**content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, RecursionError):
        account = None
    texts = () if account is None else (account.email, account.base_url)
    if account is None or not all(isinstance(text, str) and text for text in texts):
        raise ConfigurationError(f"{path} is damaged; navien-nwp500 login writes it anew")
    return account


def remember(account: SavedAccount) -> None:
    """Write who signed in, for the user alone."""
    content = json.dumps(asdict(account), indent=1) + "\n"
    write_atomically(account_file(), content.encode(), private=True)


def configuration() -> NaviLinkConfig:
    """The settings of the environment, completed by the account somebody has signed in to.

    Raises ConfigurationError naming the setting, or for a keyring that cannot be asked.
    """
    # Somebody watches for months: a night without the cloud is no reason to give up.
    config = NaviLinkConfig.from_environment(reconnect=ReconnectConfig(max_retries=None))
    if config.email and config.password:
        return config
    account = remembered()
    if account is None or account.base_url != config.base_url:
        return config
    if config.email not in (None, account.email):
        return config
    password = config.password
    if password is None and account.password_kept:
        password = account.password()
    return replace(config, email=account.email, password=password)
