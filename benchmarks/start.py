"""Time and memory of loading, above bare Python, each in a separate process."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from .figures import Figure, at_most_above
from .turns import in_turns, progress

PACKAGE = "import navien_nwp500"
DECODER = "from navien_nwp500 import decode_status"
CLIENT = "from navien_nwp500 import NaviLinkClient"
BARE = "pass"
#: What any client on asyncio with TLS loads before its own first line.
ASYNCIO = "import asyncio, json, logging, ssl"
HELP = ("-m", "navien_nwp500", "--help")
_TELL_MEMORY = "\nprint(open('/proc/self/status').read())"


def measure(quick: bool) -> list[Figure]:
    """Start interpreters in turns."""
    rounds = 1 if quick else 25
    return [*_times(rounds), *_memory(1 if quick else 5)]


def _times(rounds: int) -> list[Figure]:
    progress(f"start: {rounds} rounds of 6 processes")
    codes = (BARE, PACKAGE, DECODER, CLIENT, ASYNCIO)
    found = in_turns(
        rounds,
        {**{code: partial(_milliseconds, "-c", code) for code in codes},
         "help": partial(_milliseconds, *HELP)},
    )  # fmt: skip
    bare = found[BARE]
    return [
        Figure(PACKAGE, "ms", found[PACKAGE], bare, "bare Python", at_most_above(60)),
        Figure(
            "navien-nwp500 --help", "ms", found["help"], bare, "bare Python", at_most_above(150)
        ),
        Figure("import decode_status", "ms", found[DECODER], bare, "bare Python"),
        Figure("import NaviLinkClient", "ms", found[CLIENT], found[ASYNCIO], ASYNCIO),
    ]


def _memory(rounds: int) -> list[Figure]:
    """Resident memory, where Linux tells it."""
    if not Path("/proc/self/status").exists():
        return []
    codes = (BARE, PACKAGE, DECODER, CLIENT, ASYNCIO)
    found = in_turns(rounds, {code: partial(_mebibytes, code) for code in codes})
    bare = found[BARE]
    return [
        Figure(PACKAGE, "MiB", found[PACKAGE], bare, "bare Python", at_most_above(6)),
        Figure("import decode_status", "MiB", found[DECODER], bare, "bare Python"),
        Figure("import NaviLinkClient", "MiB", found[CLIENT], found[ASYNCIO], ASYNCIO),
    ]


def _milliseconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def _mebibytes(code: str) -> float:
    """The child tells its own: what the system tells of a child includes its parent's past."""
    told = subprocess.run(
        [sys.executable, "-c", code + _TELL_MEMORY], check=True, capture_output=True, text=True
    )
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
