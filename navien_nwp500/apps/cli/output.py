"""Print results to stdout and everything else to stderr, on any terminal, pipe and encoding.

Characters that a stream's encoding cannot write are replaced by plain ones. What was done stays done
when its result cannot be printed.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress
from typing import IO

#: Plain text for each character of the program's own output that not every encoding has.
PLAIN = {
    "°": "deg",
    "µ": "u",
    "±": "+-",
    "×": "x",
    "²": "2",
    "³": "3",
    "✓": "ok",
    "✗": "NO",
    "→": "->",
    "←": "<-",
    "≥": ">=",
    "≤": "<=",
    **dict.fromkeys("–—", "--"),
    **dict.fromkeys("−·", "-"),
    "…": "...",
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    "•": "*",
    "€": "EUR",
    "£": "GBP",
    # Bars to the right, of eighths of a column, and upwards.
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", "-"),
    **dict(zip("▁▂▃▄▅▆▇", "..:-=+*")),
    **dict.fromkeys("─━═", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
}
_ERRORS = "navien_nwp500.plain"
#: Categories of characters that stand for nothing alone: marks and invisible characters.
_DEPENDENT = {"Mn", "Me", "Cf"}


class OutputError(Exception):
    """Stdout that cannot be written."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"the output cannot be written: {cause.strerror or cause}")
        #: True when the reader has closed stdout, as ``head`` does.
        self.closed = isinstance(cause, BrokenPipeError)


def prepare_streams() -> None:
    """Replace closed standard streams; write plain text for what their encoding cannot write."""
    codecs.register_error(_ERRORS, _replace)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by <&- or >&-, or a Windows service
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def print_result(text: str, *, end: str = "\n", done: bool = False) -> None:
    """Print a result to stdout at once.

    ``done`` says that something was changed for good, so that a failure is a note on stderr. Raises
    OutputError otherwise.
    """
    try:
        print(text, end=end, flush=True)
    except OSError as cause:
        _discard(sys.stdout)
        error = OutputError(cause)
        if not done:
            raise error from cause
        print_note(f"navien-nwp500: this was done, but {error}")


def print_note(text: str = "") -> None:
    """Print to stderr. A stderr that cannot be written is given up: there is no other place."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def flush_result() -> None:
    """Write what another library has printed to stdout. Raises OutputError."""
    print_result("", end="")


def plain(text: str, stream: IO[str] | None = None) -> str:
    """Return text as a stream (default: stdout) will show it, to align it with other text."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    codecs.register_error(_ERRORS, _replace)
    return text.encode(encoding, _ERRORS).decode(encoding)


def _discard(stream: IO[str]) -> None:
    """Discard what is still buffered: the interpreter would report it as an error when it exits."""
    with suppress(OSError, ValueError), open(os.devnull, "w") as null:
        os.dup2(null.fileno(), stream.fileno())


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return plain text for what an encoding cannot write, as an error handler of ``codecs``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, end = error.object, error.end
    plain_text = [_plain_character(text, index) for index in range(error.start, end)]
    return "".join(plain_text), end


def _plain_character(text: str, index: int) -> str:
    character = text[index]
    if character == "°" and text[index + 1 : index + 2] in ("C", "F"):
        return ""  # 49.0 C
    if character in PLAIN:
        return PLAIN[character]
    if unicodedata.category(character) in _DEPENDENT:
        return ""
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters or "?"
