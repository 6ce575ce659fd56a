"""A keyring in a file, for programs of tests: the library's own interface, nobody's passwords."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps its passwords in the file that A_KEYRING names."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._read().get(f"{service} {username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        held = self._read()
        if held.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("there is none")
        self._write(held)

    def _read(self) -> dict[str, str]:
        path = Path(os.environ["A_KEYRING"])
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _write(self, held: dict[str, str]) -> None:
        Path(os.environ["A_KEYRING"]).write_text(json.dumps(held))
