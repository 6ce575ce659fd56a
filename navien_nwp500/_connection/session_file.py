"""A session kept between runs: a file only its owner can read.

It holds tokens and keys on purpose, the password never. What is read is believed only when every
part of it is what it should be. Several processes may share a file: each write replaces it whole,
so a reader finds one session or another, never parts of two.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Callable, TypeVar

from .._util.files import write_atomically
from ..protocol.redaction import logger
from .credentials import AwsCredentials, ExpiringCredentials, Tokens

_LOGGER = logger("navien_nwp500.auth")

VERSION = 1
_LONGEST = 256 * 1024

T = TypeVar("T")
L = TypeVar("L", bound=ExpiringCredentials)


@dataclass(frozen=True)
class SavedSession:
    """What a later run needs to go on: the leases, and the account's number for reply topics."""

    tokens: Tokens
    keys: AwsCredentials | None
    user_seq: int | None


class SessionFile:
    """The file of one account at one service. Its troubles are said once and end nothing."""

    def __init__(self, path: Path, base_url: str) -> None:
        self._path = path
        self._base_url = base_url
        self._said: set[str] = set()

    async def read(self, email: str) -> SavedSession | None:
        """The session of this account, or None when the file holds none that can be used."""
        try:
            return await _in_thread(lambda: _session(_read(self._path), email, self._base_url))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._say(f"the saved session {self._path} is not used: {_reason(error)}")
            return None

    async def write(self, email: str, session: SavedSession) -> None:
        """Replace what the file holds."""
        import json

        document = {
            "version": VERSION,
            "base_url": self._base_url,
            "email": email,
            **asdict(session),
        }
        text = json.dumps(document, indent=1) + "\n"
        try:
            await _in_thread(lambda: write_atomically(self._path, text.encode(), private=True))
        except OSError as error:
            self._say(
                f"the session is not saved in {self._path}, the next run signs in anew: "
                f"{_reason(error)}"
            )

    async def drop(self) -> None:
        """Remove the file: the cloud refuses what it holds."""
        try:
            await _in_thread(lambda: self._path.unlink(missing_ok=True))
        except OSError as error:
            self._say(
                f"the saved session {self._path} is refused by the cloud and cannot be removed: "
                f"{_reason(error)}"
            )

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            _LOGGER.warning("%s", text)


def _reason(error: Exception) -> str:
    """Without a draft's name, which is another each time."""
    return getattr(error, "strerror", None) or str(error)


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)


def _read(path: Path) -> Any:
    import json

    # A named pipe in its place would hold an ordinary open for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("it is no file; name another, or remove it")
        # Windows keeps a person's folders private by other means.
        if os.name == "posix" and (state.st_mode & 0o077 or state.st_uid != os.geteuid()):
            raise ValueError(
                "others can read it, or it belongs to another user; delete it, and the next "
                "sign-in makes a private one"
            )
        content = file.read(_LONGEST)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON; it is replaced at the next sign-in") from None


def _session(document: Any, email: str, base_url: str) -> SavedSession:
    """Check every part. Raises ValueError that says what is wrong, and never what it holds."""
    document = _table(document)
    if document.get("version") != VERSION:
        raise ValueError("another version of this library wrote it; it is replaced at sign-in")
    if (document.get("email"), document.get("base_url")) != (email, base_url):
        raise ValueError("it is of another account or service; give each account its own file")
    user_seq = document.get("user_seq")
    if user_seq is not None and type(user_seq) is not int:
        raise ValueError("user_seq is no number; it is replaced at the next sign-in")
    keys = document.get("keys")
    return SavedSession(
        _lease(Tokens, document.get("tokens")),
        None if keys is None else _lease(AwsCredentials, keys),
        user_seq,
    )


def _lease(kind: type[L], document: Any) -> L:
    parts = _table(document)
    end: Any = parts.get("expires_at")
    texts = [parts.get(entry.name) for entry in fields(kind) if entry.name != "expires_at"]
    usable = type(end) in (int, float) and 0 < end < 1e12
    if not usable or not all(map(_goes_in_a_header, texts)):
        raise ValueError("its tokens or keys are damaged; it is replaced at the next sign-in")
    return kind(end, *texts)


def _goes_in_a_header(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it holds no session; it is replaced at the next sign-in")
    return value
