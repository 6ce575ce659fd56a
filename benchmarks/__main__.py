"""``python -m benchmarks``: measure, print the table, write RESULTS.md beside this file."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

from . import decode, first_reading, history, many, outages, round_trip, small_board, start, year
from .figures import Figure
from .table import page, terminal
from .turns import progress

Benchmark = Callable[[bool], Sequence[Figure]]

#: Word -> its title and its function, which takes ``quick``. A new one is a line.
BENCHMARKS: Mapping[str, tuple[str, Benchmark]] = {
    "start": ("Import and memory", start.measure),
    "decode": ("Decode", decode.measure),
    "first-reading": ("First reading", first_reading.measure),
    "round-trip": ("Round trip", round_trip.measure),
    "many": ("Many", many.measure),
    "year": ("A year", year.measure),
    "history": ("A history", history.measure),
    "outages": ("Outages", outages.measure),
}
#: Minutes long, and run only by name.
LONG: Mapping[str, tuple[str, Benchmark]] = {
    "thousand": ("A thousand", many.measure_thousand),
    "small-board": ("A day on a small board", small_board.measure),
    "year-long": ("A year, from ten minutes", year.measure_long),
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, or all but the long ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = {**BENCHMARKS, **LONG}
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    parser.add_argument("--results", type=Path, help="write the page there")
    said = parser.parse_args(arguments)
    unknown = set(said.names) - set(known)
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = said.names or list(BENCHMARKS)
    sections: dict[str, Sequence[Figure]] = {}
    for number, name in enumerate(chosen, 1):
        began = time.monotonic()
        progress(f"[{number}/{len(chosen)}] {name}")
        title, benchmark = known[name]
        sections[title] = benchmark(said.quick)
        progress(f"[{number}/{len(chosen)}] {name}: {time.monotonic() - began:.0f} s")
    print(terminal(sections))
    # A part, or a glance, does not replace the whole.
    whole = RESULTS if not said.names and not said.quick else None
    results: Path | None = said.results or whole
    if results is not None:
        words = " ".join(["python -m benchmarks", *said.names, *["--quick"] * said.quick])
        results.write_text(page(sections, words), encoding="utf-8")


if __name__ == "__main__":
    main()
