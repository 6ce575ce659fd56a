"""The file that names the accounts of a fleet, read again when it changes.

A password is never in the file: it names an environment variable or another file. ::

    {"accounts": [
        {"email": "one@example.com", "password_env": "ONE_PASSWORD"},
        {"email": "two@example.com", "password_file": "/run/secrets/two"}
    ]}
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable

from ..._util.files import decode_text, display_path
from ..._util.text import clean_text
from ...exceptions import ConfigurationError

#: Parts into which accounts are divided. It must never change: two programs with different numbers
#: would serve the same account.
SLOTS = 64
#: 10,000 accounts need about 1 MB.
_MAX_BYTES = 16_000_000
_REFERENCES = ("password_env", "password_file")


@dataclass(frozen=True)
class FleetAccount:
    """An account of the file. ``slot`` is 0 to 63, the same in every process."""

    email: str
    password_env: str | None = None
    password_file: Path | None = None

    @property
    def slot(self) -> int:
        return zlib.crc32(self.email.casefold().encode()) % SLOTS

    def password(self) -> str:
        """Read the password. Raises ConfigurationError that names the variable or the file."""
        if self.password_env is not None:
            value = os.environ.get(self.password_env, "")
            if not value:
                raise ConfigurationError(f"the variable {self.password_env} is not set")
            return value
        assert self.password_file is not None
        try:
            value = decode_text(self.password_file.read_bytes()).strip("\r\n")
        except OSError as error:
            place = display_path(self.password_file)
            raise ConfigurationError(f"{place}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise ConfigurationError(f"{display_path(self.password_file)} is no text") from None
        if not value:
            raise ConfigurationError(f"{display_path(self.password_file)} is empty")
        return value


@dataclass
class AccountsFile:
    """The file with the accounts of a fleet. ``accounts`` are those of its last good reading."""

    path: Path
    accounts: tuple[FleetAccount, ...] = ()
    _state: Any = field(default=None, repr=False)

    def changed(self) -> bool:
        """Read the file if it has changed since the last call; return True if it was read.

        Raises ConfigurationError that names the entry, once for each change; ``accounts`` stays.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            state: Any = error.errno
            if state != self._state:
                self._state = state
                reason = error.strerror or error
                raise ConfigurationError(f"{display_path(self.path)}: {reason}") from error
            return False
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if state == self._state:
            return False
        self._state = state
        self.accounts = read_accounts(self.path)
        return True


def read_accounts(path: Path) -> tuple[FleetAccount, ...]:
    """Read the accounts of a file. Raises ConfigurationError that names the file and the entry."""
    place = display_path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigurationError(f"{place} is larger than {_MAX_BYTES // 1_000_000} MB")
        found = json.loads(decode_text(content))
    except OSError as error:
        raise ConfigurationError(f"{place}: {error.strerror or error}") from error
    except (ValueError, RecursionError):  # UnicodeDecodeError is one
        raise ConfigurationError(f"{place} is no JSON; see docs/FLEET.md for an example") from None
    entries = found.get("accounts") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError(f'{place} has no list "accounts"; see docs/FLEET.md')
    accounts = [_account(place, number, one, path.parent) for number, one in enumerate(entries, 1)]
    _check_unique(place, accounts)
    return tuple(accounts)


def _account(place: str, number: int, entry: Any, folder: Path) -> FleetAccount:
    where = f"{place}, account {number}"
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where} is no object")
    email = entry.get("email")
    if not isinstance(email, str) or not email.strip() or email != clean_text(email):
        raise ConfigurationError(f'{where} has no "email"')
    if "password" in entry:
        raise ConfigurationError(
            f'{where}: "password" is not allowed; name a variable with "password_env" or a file '
            'with "password_file"'
        )
    unknown = sorted(set(entry) - {"email", *_REFERENCES})
    if unknown:
        raise ConfigurationError(f"{where}: {clean_text(unknown[0])!r} is not a setting")
    given = [name for name in _REFERENCES if name in entry]
    if len(given) != 1 or not isinstance(entry[given[0]], str) or not entry[given[0]]:
        raise ConfigurationError(f'{where} needs "password_env" or "password_file", one of both')
    if given == ["password_env"]:
        return FleetAccount(email, password_env=entry["password_env"])
    return FleetAccount(email, password_file=folder / entry["password_file"])


def _check_unique(place: str, accounts: Iterable[FleetAccount]) -> None:
    seen: set[str] = set()
    for number, account in enumerate(accounts, 1):
        if account.email.casefold() in seen:
            raise ConfigurationError(f"{place}, account {number} is there twice")
        seen.add(account.email.casefold())
