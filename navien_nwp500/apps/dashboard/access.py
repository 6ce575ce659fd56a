"""Access to the dashboard: one-time tokens and sessions, in a private folder.

Both are files named by a hash, so that the folder gives nobody access. A token is used by removing
its file: that succeeds once, also when several programs share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import time
from pathlib import Path

#: Seconds in which a one-time token must be used, and after which a session ends.
TOKEN_SECONDS = 3600.0
SESSION_SECONDS = 180 * 86400.0
#: Sessions at most; the oldest ends for a new one.
SESSIONS = 100

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class AccessFolder:
    """Folder with the tokens and sessions of a dashboard, readable by its owner alone.

    ``password_hash`` is what sessions depend on besides: with another password they end. Raises
    OSError when the folder cannot be written.
    """

    def __init__(self, folder: Path, password_hash: str = "") -> None:
        self._folder = folder
        self._password = hashlib.sha256(password_hash.encode()).hexdigest()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new_token(self) -> str:
        """Return a token with which one browser can sign in once, within an hour."""
        self._remove_old("token", TOKEN_SECONDS)
        return self._create("token", "")

    def take_token(self, token: str) -> bool:
        """Return True for a token that was not used yet, and use it."""
        path = self._path("token", token)
        if path is None:
            return False
        try:
            fresh = path.stat().st_mtime > time.time() - TOKEN_SECONDS
            path.unlink()
        except FileNotFoundError:
            return False
        return fresh

    def new_session(self) -> str:
        """Return the secret of a new session."""
        self._remove_old("session", SESSION_SECONDS)
        for path in self._files("session")[SESSIONS - 1 :]:
            _remove(path)
        return self._create("session", self._password)

    def has_session(self, session: str) -> bool:
        """Return True for a session that lasts."""
        path = self._path("session", session)
        if path is None:
            return False
        try:
            fresh = path.stat().st_mtime > time.time() - SESSION_SECONDS
            return fresh and path.read_text("ascii", "replace") == self._password
        except OSError:
            return False

    def end_session(self, session: str) -> None:
        """End a session."""
        path = self._path("session", session)
        if path is not None:
            _remove(path)

    def _create(self, kind: str, content: str) -> str:
        secret = secrets.token_urlsafe(32)
        path = self._path(kind, secret)
        assert path is not None
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        with open(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
            file.write(content)
        # The clock that ages are counted with, which need not be that of the disk.
        os.utime(path, (time.time(), time.time()))
        return secret

    def _path(self, kind: str, secret: str) -> Path | None:
        if not _SECRET.fullmatch(secret):
            return None
        return self._folder / f"{kind}-{hashlib.sha256(secret.encode()).hexdigest()}"

    def _files(self, kind: str) -> list[Path]:
        """Return the files of a kind, the newest first."""
        found = []
        for path in self._folder.glob(f"{kind}-*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(found, reverse=True)]

    def _remove_old(self, kind: str, seconds: float) -> None:
        for path in self._files(kind):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= time.time() - seconds:
                    path.unlink()


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
