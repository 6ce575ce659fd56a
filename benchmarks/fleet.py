"""A fleet of three processes, thousands of accounts and one PostgreSQL, with its failures.

A process is killed, frozen, frozen inside a transaction and started once more than needed, and the
database is restarted. With ``--growth`` one process records from 1 to 3,000 accounts, and what it costs is
written to ``benchmarks/fleet_growth.csv``, from which ``make pictures`` draws the chart.
"""

from __future__ import annotations

import argparse
import csv
import signal
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generator, Iterator, Sequence

from .figures import Figure, Sample, at_most
from .fleet_trial import Recorder, Trial, TrialError
from .table import terminal
from .turns import progress

PROCESSES = 3
SLOTS, ALL_SLOTS = 32, 64
#: Seconds after which PostgreSQL ends the session of a frozen process; the default of ``record``.
FROZEN = 15.0
GROWTH = Path(__file__).with_name("fleet_growth.csv")
#: Numbers of accounts of which the growth is made.
STEPS = (1, 10, 100, 300, 1000, 3000)
#: Seconds after the last start until its memory is returned to the system.
SETTLE = 20.0


def measure(
    accounts: int, seconds: float, interval: float, logs: Path
) -> Generator[Figure, None, None]:
    """Yield the figures of a quiet time, then of each failure."""
    with trial(accounts, interval, logs) as running:
        running.name_accounts(accounts)
        began = time.monotonic()
        fleet = []
        for _ in range(PROCESSES):
            # One after the other: each signs in as fast as it can.
            fleet.append(running.start(SLOTS))
            running.wait_for(lambda: fleet[-1].metrics().get("navien_fleet_recording"), 300)
            running.wait_for_all(running.accounts_held(), 0, 1200)
        yield _figure("until all were recorded", "s", time.monotonic() - began)
        yield from _quiet(running, fleet, seconds)
        yield from _failures(running, fleet)


@contextmanager
def trial(accounts: int, interval: float, logs: Path) -> Iterator[Trial]:
    """Start a cloud and a database, and end them with all processes, which nothing may interrupt."""
    progress(f"fleet: a cloud of {accounts:,} accounts, polled every {interval:g} s")
    with ExitStack() as stack:
        try:
            yield Trial(stack, accounts, interval, logs)
        finally:
            progress("fleet: everything ends")
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)


def _quiet(running: Trial, fleet: Sequence[Recorder], seconds: float) -> Iterator[Figure]:
    progress(f"fleet: nothing happens for {seconds:g} s")
    time.sleep(running.interval)
    cpu, cloud, database = (
        _fleet_seconds(fleet),
        running.cloud_seconds(),
        running.database_seconds(),
    )
    rows, began, clock = running.rows(), time.monotonic(), time.time()
    missed, lag = sum(one.missed for one in fleet), 0.0
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, 15))
        found = [one.metrics() for one in fleet]
        lag = max(lag, *(one["navien_fleet_lag_seconds"] for one in found))
        lost = sum(one["navien_fleet_polls_missed_total"] for one in found) - missed
        progress(
            f"  {time.monotonic() - began:4.0f} s: {running.rows() - rows:,} rows, {lost:g} lost"
        )
    span, rows = time.monotonic() - began, running.rows() - rows
    cpu = _fleet_seconds(fleet) - cpu
    megabytes = sum(one.megabytes for one in fleet)
    yield _figure("rows a second", "", rows / span)
    yield _figure("CPU of the fleet", "%", 100 * cpu / span)
    yield _figure("CPU of a poll", "ms", 1000 * cpu / max(rows, 1))
    yield _figure("CPU of the cloud", "%", 100 * (running.cloud_seconds() - cloud) / span)
    yield _figure("CPU of PostgreSQL", "%", 100 * (running.database_seconds() - database) / span)
    yield _figure("memory of the fleet", "MB", megabytes)
    yield _figure("memory an account", "KiB", megabytes * 1e6 / 1024 / running.accounts)
    yield _figure("longest wait of a row", "s", lag)
    yield _figure("longest silence", "s", running.silence(clock), at_most(2 * running.interval))
    lost = sum(one.missed for one in fleet) - missed
    yield _figure("polls lost", "", lost, at_most(1))


def _fleet_seconds(fleet: Sequence[Recorder]) -> float:
    return sum(one.cpu_seconds for one in fleet)


def _failures(running: Trial, fleet: list[Recorder]) -> Iterator[Figure]:
    for name, limit, fail in (
        ("killed", 1.0, _kill),
        ("frozen", FROZEN, _freeze),
        ("frozen in a transaction", FROZEN, _freeze_in_transaction),
        ("doubled", 0.0, _double),
        ("database restarted", 1.0, _restart),
    ):
        progress(f"fleet: {name}")
        since = time.time()
        taken = fail(running, fleet)
        if taken is not None:
            yield _figure(f"{name}: all slots held again", "s", taken)
        allowed = limit + 2 * running.interval
        # Everybody once more: the silence is over, or still lasts and counts.
        try:
            running.wait_for_all(running.accounts, time.time(), allowed + 60)
        except TrialError as error:
            progress(f"  {error}")
        yield _figure(f"{name}: longest silence", "s", running.silence(since), at_most(allowed))
        if fail is _double:
            yield _figure(f"{name}: slots of the new process", "", fleet[-1].held, at_most(1))
    yield _figure("heaters recorded by two", "", running.doubled(), at_most(1))


def _wait_for_others(running: Trial, before: dict[int, int]) -> float:
    """Wait until all slots are held, and not by the same sessions as before."""

    def held() -> bool:
        now = running.holders()
        return now.keys() != before.keys() and sum(now.values()) == ALL_SLOTS

    return running.wait_for(held, 120, lambda: f"{sum(running.holders().values())} slots are held")


def _holder(fleet: Sequence[Recorder]) -> Recorder:
    return next(one for one in fleet if one.held)


def _kill(running: Trial, fleet: list[Recorder]) -> float:
    victim, before = _holder(fleet), running.holders()
    fleet.remove(victim)
    running.forget(victim)
    victim.process.kill()
    taken = _wait_for_others(running, before)
    fleet.append(running.start(SLOTS))
    return taken


def _freeze(running: Trial, fleet: list[Recorder]) -> float:
    victim, before = _holder(fleet), running.holders()
    victim.process.send_signal(signal.SIGSTOP)
    taken = _wait_for_others(running, before)
    victim.process.send_signal(signal.SIGCONT)
    return taken


def _freeze_in_transaction(running: Trial, fleet: list[Recorder]) -> float:
    """Freeze a process while its transaction waits for a lock, which it gets after that."""
    import psycopg

    victim, before = _holder(fleet), running.holders()
    with closing(psycopg.connect(running.url)) as connection:
        connection.execute("LOCK TABLE written IN SHARE MODE")
        running.wait_for(lambda: len(_waiting(running)) == len(before), 10)
        victim.process.send_signal(signal.SIGSTOP)
        connection.commit()
    began = time.monotonic()
    running.wait_for(lambda: _idle_in_transaction(running), 10)
    taken = time.monotonic() - began + _wait_for_others(running, before)
    victim.process.send_signal(signal.SIGCONT)
    return taken


def _waiting(running: Trial) -> list[Any]:
    return running.query(
        "SELECT pid FROM pg_locks WHERE relation = 'written'::regclass AND NOT granted"
    )


def _idle_in_transaction(running: Trial) -> list[Any]:
    """Return the session that has not gone on with its transaction, as only a frozen process does."""
    return running.query(
        "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
        " AND state_change < clock_timestamp() - interval '1 s'"
    )


def _double(running: Trial, fleet: list[Recorder]) -> None:
    fleet.append(running.start(SLOTS))
    running.wait_for(lambda: fleet[-1].metrics().get("navien_fleet_recording"), 120)


def _restart(running: Trial, fleet: list[Recorder]) -> float:
    before = running.holders()
    running.server.stop()
    running.server.start()
    return running.wait_for(
        lambda: not before.keys() & running.holders().keys()
        and sum(running.holders().values()) == ALL_SLOTS,
        120,
    )


def grow(
    accounts: int, seconds: float, interval: float, logs: Path
) -> Generator[dict[str, float], None, None]:
    """Yield what one process costs with more and more accounts, in ``seconds`` each."""
    steps = [step for step in STEPS if step < accounts] + [accounts]
    with trial(accounts, interval, logs) as running:
        running.name_accounts(0)
        recorder = running.start(ALL_SLOTS)
        running.wait_for(lambda: recorder.metrics().get("navien_fleet_recording"), 300)
        for step in steps:
            running.name_accounts(step)
            running.wait_for_all(step, 0, 1200)
            time.sleep(SETTLE)
            rows, cpu, began = running.rows(), recorder.cpu_seconds, time.monotonic()
            time.sleep(seconds)
            span = time.monotonic() - began
            yield {
                "accounts": step,
                "megabytes": round(recorder.megabytes, 1),
                "cpu_percent": round(100 * (recorder.cpu_seconds - cpu) / span, 3),
                "rows_a_second": round((running.rows() - rows) / span, 3),
                "interval": interval,
            }


def _figure(what: str, unit: str, value: float, goal: Any = None) -> Figure:
    return Figure(what, unit, Sample([value]), goal=goal)


def write_growth(found: Generator[dict[str, float], None, None]) -> None:
    """Write the growth, when all of it is measured."""
    rows = []
    with closing(found):
        for row in found:
            rows.append(row)
            progress("  " + ", ".join(f"{name} {value:g}" for name, value in row.items()))
    with GROWTH.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def print_figures(found: Generator[Figure, None, None]) -> None:
    """Print the table, also of a run that does not reach its end."""
    figures: list[Figure] = []
    try:
        for figure in found:
            figures.append(figure)
            progress(f"  {figure.what}: {figure.ours.median:.4g} {figure.unit}")
    finally:
        found.close()
        if figures:
            print(terminal({"A fleet": figures}), flush=True)


def main() -> int:
    """Measure, print the table and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument(
        "--seconds", type=float, help="of quiet time [600; of each step of --growth 120]"
    )
    parser.add_argument("--interval", type=float, default=60, help="seconds between polls [60]")
    parser.add_argument(
        "--growth", action="store_true", help="measure the cost of 1 to 3,000 accounts"
    )
    parser.add_argument(
        "--logs", type=Path, metavar="FOLDER", help="keep the logs of all processes"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="fleet-") as temporary:
        logs = given.logs or Path(temporary)
        logs.mkdir(parents=True, exist_ok=True)
        try:
            if given.growth:
                write_growth(grow(given.accounts, given.seconds or 120, given.interval, logs))
            else:
                print_figures(measure(given.accounts, given.seconds or 600, given.interval, logs))
        except TrialError as error:
            progress(f"fleet: {error}")
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
