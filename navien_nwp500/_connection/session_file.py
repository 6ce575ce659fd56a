"""Session file: tokens and AWS credentials saved between runs, readable by their owner alone.

The password is never saved. A file is used only when every part of it is valid. Several processes
may share a file: each write replaces it in one step, so a reader never sees parts of two sessions,
and a lock lets one process renew while the others wait for what it saves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, AsyncIterator, TypeVar

from .._util.aio import in_thread
from .._util.files import open_locked, release_lock, write_atomically
from ..config import same_email
from ..protocol.redaction import logger
from .credentials import AwsCredentials, ExpiringCredentials, Tokens

_LOGGER = logger("navien_nwp500.auth")

VERSION = 1
MAX_SIZE = 256 * 1024
#: Seconds between two tries to take the lock, and until it is given up.
LOCK_INTERVAL, LOCK_TIMEOUT = 0.05, 90.0

C = TypeVar("C", bound=ExpiringCredentials)


@dataclass(frozen=True)
class SavedSession:
    """Credentials of an account, its number and its role.

    The number is part of the reply topics; time-of-use calls need the role (PROTOCOL 1.10). Older
    files do not hold the role.
    """

    tokens: Tokens
    aws_credentials: AwsCredentials | None
    user_seq: int | None
    user_type: str | None = None


class SessionFile:
    """Session file of one account.

    Problems with the file are logged, each once; none is raised, because signing in works without.
    """

    def __init__(self, path: Path, base_url: str) -> None:
        self._path = path
        self._base_url = base_url
        self._logged: set[str] = set()

    async def read(self, email: str) -> SavedSession | None:
        """Return the saved session of this account; None when there is no usable one."""
        try:
            return await in_thread(lambda: _parse(_read(self._path), email, self._base_url))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._warn_once(f"the saved session {self._path} is not used: {_reason(error)}")
            return None

    async def write(self, email: str, session: SavedSession) -> None:
        """Replace the file."""
        import json

        document = {
            "version": VERSION,
            "base_url": self._base_url,
            "email": email,
            **asdict(session),
        }
        text = json.dumps(document, indent=1) + "\n"
        try:
            await in_thread(lambda: write_atomically(self._path, text.encode(), private=True))
        except OSError as error:
            self._warn_once(
                f"the session cannot be saved in {self._path}, so the next run signs in again: "
                f"{_reason(error)}"
            )

    async def delete(self, rejected: Tokens, email: str) -> None:
        """Delete the file, because the cloud rejects these tokens; not when it holds other ones."""
        saved = await self.read(email)
        if saved is None or saved.tokens != rejected:
            return
        try:
            await in_thread(lambda: self._path.unlink(missing_ok=True))
        except OSError as error:
            self._warn_once(
                f"the cloud rejects the saved session {self._path}, and it cannot be deleted: "
                f"{_reason(error)}"
            )

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep other processes, and other clients of this one, from renewing at the same time.

        The lock is advisory and on an empty file of its own, because each write replaces the session
        file; it exists while it is held. The system releases it when a process ends. Where it cannot
        be taken (a folder that is read-only, a process that stands still), renewing goes on without it
        after a warning.
        """
        descriptor = await self._lock()
        try:
            yield
        finally:
            await in_thread(partial(release_lock, descriptor, self._lock_path))

    async def _lock(self) -> int | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + LOCK_TIMEOUT
        while loop.time() < end:
            try:
                descriptor = await in_thread(
                    partial(open_locked, self._lock_path),
                    undo=lambda taken: release_lock(taken, self._lock_path),
                )
            except OSError as error:
                self._warn_once(
                    f"the saved session is renewed without the lock {self._lock_path}: "
                    f"{error.strerror}"
                )
                return None
            if descriptor is not None:
                return descriptor
            await asyncio.sleep(LOCK_INTERVAL)
        self._warn_once(
            f"another process has held {self._lock_path} for {LOCK_TIMEOUT:g} s: the saved session "
            "is renewed without it"
        )
        return None

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.lock")

    def _warn_once(self, text: str) -> None:
        if text not in self._logged:
            self._logged.add(text)
            _LOGGER.warning("%s", text)


def _reason(error: Exception) -> str:
    """Return the reason without the temporary file name, which differs each time."""
    return getattr(error, "strerror", None) or str(error)


def _read(path: Path) -> Any:
    import json

    # Without O_NONBLOCK opening a named pipe would block for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("it is not a regular file; choose another path, or delete it")
        # On Windows the folders of a user are private already.
        if os.name == "posix" and (state.st_mode & 0o077 or state.st_uid != os.geteuid()):
            raise ValueError(
                "others can read it, or it belongs to another user; delete it, and the next "
                "sign-in creates a private one"
            )
        content = file.read(MAX_SIZE)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON; the next sign-in replaces it") from None


def _parse(document: Any, email: str, base_url: str) -> SavedSession:
    """Check every part. Raises ValueError, whose text never contains a value of the file."""
    document = _require_object(document)
    if document.get("version") != VERSION:
        raise ValueError("another version of this library wrote it; the next sign-in replaces it")
    if not same_email(document.get("email"), email) or document.get("base_url") != base_url:
        raise ValueError("it belongs to another account or service; give each account its own file")
    user_seq = document.get("user_seq")
    if user_seq is not None and type(user_seq) is not int:
        raise ValueError("user_seq is not a number; the next sign-in replaces it")
    user_type = document.get("user_type")
    if not (user_type is None or _is_header_value(user_type)):
        raise ValueError("user_type is not a text; the next sign-in replaces it")
    aws = document.get("aws_credentials")
    return SavedSession(
        _parse_credentials(Tokens, document.get("tokens")),
        None if aws is None else _parse_credentials(AwsCredentials, aws),
        user_seq,
        user_type,
    )


def _parse_credentials(kind: type[C], document: Any) -> C:
    parts = _require_object(document)
    end: Any = parts.get("expires_at")
    texts = [parts.get(entry.name) for entry in fields(kind) if entry.name != "expires_at"]
    usable = type(end) in (int, float) and 0 < end < 1e12
    if not usable or not all(map(_is_header_value, texts)):
        raise ValueError("its tokens or AWS credentials are damaged; the next sign-in replaces it")
    return kind(end, *texts)


def _is_header_value(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it holds no session; the next sign-in replaces it")
    return value
