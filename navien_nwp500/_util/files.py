"""Read text that other programs wrote; write files whole or not at all; lock files."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from .text import clean_text

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def decode_text(content: bytes, errors: str = "strict") -> str:
    """Decode UTF-8, or UTF-16 as Windows programs write it, without the byte order mark.

    Raises UnicodeDecodeError, which contains the whole content: do not let it pass.
    """
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf_16 else "utf-8-sig", errors)


def display_path(path: str | os.PathLike[str]) -> str:
    """Return a path for people: bytes that are not UTF-8 and control characters are replaced."""
    return clean_text(os.fsencode(path).decode("utf-8", "replace"))


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace a file in one step, so that a crash or a power cut leaves the old or the new one.

    A ``private`` file and the folder made for it are readable by their owner alone. A device or a
    named pipe is written to, not replaced. Raises OSError that names the file.
    """
    if private:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    try:
        _replace_file(path, content, private)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # not the temporary file
        raise


def _replace_file(path: Path, content: bytes, private: bool) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(draft, 0o666 & ~mask)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def open_locked(path: Path) -> int | None:
    """Open and lock a file; None while another process holds it, or has just removed it.

    The system ends the lock when the process ends. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, descriptor)
        try:
            _try_lock(descriptor)
            held = os.path.samestat(os.fstat(descriptor), os.stat(path))
        except (BlockingIOError, PermissionError, FileNotFoundError):
            return None
        if not held:
            return None
        opened.pop_all()
    return descriptor


def release_lock(descriptor: int | None, path: Path) -> None:
    """End a lock that ``open_locked`` has returned, if any, and remove its file."""
    if descriptor is None:
        return
    # The file is removed before the lock ends: one that another process holds must stay.
    with contextlib.suppress(OSError):  # Windows keeps a file that is open
        os.unlink(path)
    os.close(descriptor)
