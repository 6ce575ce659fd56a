"""What the soak test checks at its end, and the table it prints."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

from navien_nwp500.history.csv import COLUMNS

if TYPE_CHECKING:
    from soak import Soak

#: Bytes that the client's memory may grow from the middle to the end of the run.
GROWTH_BYTES = 6 << 20
#: How many more tasks, threads and file descriptors there may be at the end than at the start.
GROWTH = {"asyncio tasks": 0, "threads": 0, "descriptors": 2}


def check(run: Soak) -> None:
    """Note as problems what was lost and what grew."""
    results = run.results
    if results.expected != results.received:
        results.problem(
            f"{results.expected - results.received} statuses were lost while no fault was active"
        )
    if results.repeated:
        results.problem(f"{results.repeated} statuses were delivered twice")
    growth = run.end.rss - run.samples[1].rss
    if growth > GROWTH_BYTES:
        results.problem(f"memory grew by {growth / 1e6:.1f} MB from the middle to the end")
    for (name, bound), before, after in zip(GROWTH.items(), run.start[1:], run.end[1:]):
        if after > before + bound:
            results.problem(f"{name}: {before} at the start, {after} at the end")
    if run.remaining_tasks:
        results.problem(f"tasks left after close: {', '.join(run.remaining_tasks)}")
    covered = run.seconds * run.options.speed / 86400
    if not covered - 1.5 <= run.heater_days <= covered + 2.5:
        results.problem(f"the heater recorded {run.heater_days} of {covered:.1f} days")
    for text, times in results.logged.items():
        results.problem(f"logged {times} times: {text}")


def count_lines(path: Path) -> tuple[int, int]:
    """Return the number of lines after the header, and how many are complete."""
    text = path.read_text("utf-8")
    found = list(csv.reader(text.splitlines()))[1:]
    whole = sum(len(cells) == len(COLUMNS) for cells in found)
    return len(found), whole - (not text.endswith("\n"))


def table(run: Soak) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each line of the table."""
    results, counters = run.results, run.counters
    counts = [count_lines(watcher.path) for watcher in run.watchers]
    written, whole = (sum(column) for column in zip(*counts))
    statuses = sum(watcher.count for watcher in run.watchers)
    if not written == whole == statuses:
        results.problem(f"CSV: {statuses} statuses, {written} lines, {whole} of them complete")
    days = run.seconds * run.options.speed / 86400
    memory = ", ".join(f"{sample.rss / 1e6:.1f}" for sample in run.samples)
    yield "heater's time", f"{days:.1f} days in {run.seconds:.0f} s, speed {run.options.speed:g}"
    yield "heaters", f"{len(run.watchers)}, polled every {run.options.poll:g} s of their time"
    yield "heater's calendar", f"{run.heater_days} days with energy use"
    yield "seed", str(run.options.seed)
    yield "transport", f"{run.options.transport}, {run.options.mqtt}"
    reconnect = run.cloud.config.reconnect
    delays = f"{reconnect.initial_delay:g} to {reconnect.max_delay:g} s, without end"
    yield "timeout, reconnect", f"{run.cloud.config.answer_timeout:g} s; {delays}"
    yield "faults", f"{sum(results.faults.values())} of {len(results.faults)} kinds"
    for kind, times in sorted(results.faults.items()):
        yield f"  {kind}", f"{times}, at most {results.windows[kind]:.1f} s until the next status"
    yield "time with faults", f"{results.fault_seconds:.0f} s, without {results.calm_seconds:.0f} s"
    yield "status after a fault", f"after {results.longest_recovery:.2f} s at most"
    yield "polls", f"{results.polls}, of them {results.unanswered} without response, all during faults"
    yield "statuses without fault", f"{results.expected} expected, {results.received} received"
    yield "statuses delivered", f"{statuses} (responses and pushes), {results.repeated} twice"
    yield "longest gap without fault", f"{max(results.gaps, default=0.0):.2f} s"
    yield "commands", ", ".join(f"{times} {name}" for name, times in results.commands.most_common())
    yield "reconnects", f"{run.reconnects}, bad messages {run.bad_messages}"
    yield "handshakes", f"{counters['handshakes']}, rejected {counters['refused_handshakes']}"
    yield "passwords sent", str(counters["passwords"])
    yield "memory (RSS, MB)", f"{memory} at 10 %, 50 %, 100 %"
    for name, before, after in zip(GROWTH, run.start[1:], run.end[1:]):
        yield name, f"{before} at the start, {after} at the end"
    yield "tasks after close", str(len(run.remaining_tasks))
    yield "CSV lines", f"{written}, {whole} complete"
