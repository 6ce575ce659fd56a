"""Read text that other programs wrote; write files whole or not at all."""

from __future__ import annotations

import codecs
import contextlib
import os
import tempfile
from pathlib import Path

from .text import clean_text


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
