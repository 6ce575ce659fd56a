"""File with the hash of the dashboard's password, made by scrypt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from pathlib import Path

from ..._util.files import display_path, write_atomically
from ...exceptions import ConfigurationError

#: Characters of a password at least, and at most: hashing takes memory in proportion.
SHORTEST, LONGEST = 8, 1024
#: Cost of a hash: 16 MiB and about a quarter of a second; those that OWASP recommends for this memory.
_N, _R, _P = 2**14, 8, 5
_FORM = re.compile(
    r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/=]{16,64}):([A-Za-z0-9+/=]{32,128})"
)


def write_password(path: Path, password: str) -> None:
    """Write the hash of a password to a file that its owner alone may read.

    Raises ConfigurationError for a password that is too short or too long, OSError.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigurationError(
            f"the password has {len(password)} characters; it must have {SHORTEST} to {LONGEST}"
        )
    salt = os.urandom(16)
    parts = ("scrypt", _N, _R, _P, _base64(salt), _base64(_hash(password, salt, _N, _R, _P)))
    write_atomically(path, ":".join(map(str, parts)).encode() + b"\n", private=True)


def read_password_hash(path: Path) -> str:
    """Return the line of a file that ``write_password`` wrote. Raises ConfigurationError, OSError."""
    text = path.read_bytes()[:1000].decode("ascii", "replace").strip()
    if _FORM.fullmatch(text) is None:
        raise ConfigurationError(
            f"{display_path(path)} is no password file; make it with "
            f"navien-nwp500 dashboard --new-password {display_path(path)}"
        )
    return text


def is_password(password: str, stored: str) -> bool:
    """Compare a password with a stored hash; it takes a quarter of a second: run it in a thread."""
    found = _FORM.fullmatch(stored)
    if found is None or len(password) > LONGEST:
        return False
    n, r, p = (int(found[number]) for number in (1, 2, 3))
    wanted = base64.b64decode(found[5])
    return hmac.compare_digest(_hash(password, base64.b64decode(found[4]), n, r, p), wanted)


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same letters, however a keyboard composes them.
    text = unicodedata.normalize("NFC", password).encode("utf-8", "replace")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
