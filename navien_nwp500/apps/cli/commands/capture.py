"""``capture``: raw traffic as a recording that can be shown, checked and played back."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Awaitable, Iterable, Iterator, Optional, Sequence

import click

from ...._util.aio import run_until_first
from ....device import NaviLinkDevice
from ....exceptions import ConfigurationError, NaviLinkError, ProtocolError
from ....protocol.capture import CaptureEntry, find_private
from ..context import CommandContext, choose, first_answer, open_context
from ..har import entries_of_har
from ..options import DEVICE, SIMULATE, speed
from ..runner import FAILED, run

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]...")
@click.option(
    "--raw", type=click.Path(dir_okay=False, path_type=Path), help="The recording to begin."
)
@click.option("--check", is_flag=True, help="See whether FILEs hold anything private.")
@click.option("--har", type=_FILE, help="Take the calls of the maker's app from a HAR file.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many statuses.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    help="Seconds between polls, of the heater's time.  [default: 300]",
)
@SIMULATE
@speed(600)
@DEVICE
def capture(
    files: Sequence[Path], raw: Path | None, check: bool, har: Path | None, **options: Any
) -> None:
    """Record the raw traffic, with everything private masked.

    REST calls and MQTT frames, out and in, a line of JSON each, until Ctrl-C. Once it asks for all
    that can be read, then for the status again and again; it changes nothing. Accounts, homes,
    heaters and keys are masked before they are written, and the file is checked at the end.

    Example: navien-nwp500 capture --raw heater.jsonl --count 10
    """
    if check:
        if not files or raw is not None or har is not None:
            raise click.UsageError("--check takes the FILEs of recordings, and nothing else")
        sys.exit(_check(files))
    if files or raw is None:
        raise click.UsageError("name the recording: --raw FILE.jsonl")
    run(_import(har, raw) if har is not None else record(raw, **options))


async def record(
    raw: Path,
    count: int | None,
    interval: float | None,
    simulate: bool,
    speed: float,
    device: str | None,
) -> None:
    """Record one heater's session into a new file until stopped or ``count`` statuses came."""
    with _new_file(raw) as file:
        try:
            async with open_context(simulate, speed) as here:
                with _listening() as passed:
                    asking = _ask(here, device, interval, count)
                    await _written(asking, passed, file, speed if simulate else 1.0)
        finally:
            # Also after Ctrl-C, which is how most recordings end.
            _vouch(raw)


async def _import(har: Path, raw: Path) -> None:
    try:
        entries = list(entries_of_har(har.read_text("utf-8-sig", errors="replace")))
    except ProtocolError as error:
        raise ConfigurationError(f"{har}: {error}") from error
    if not entries:
        raise ConfigurationError(f"{har}: it holds no call of the NaviLink API")
    with _new_file(raw) as file:
        file.write("".join(f"{entry.line}\n" for entry in entries).encode())
    _vouch(raw)


if TYPE_CHECKING:
    Passed = asyncio.Queue[Optional[CaptureEntry]]


class _Tap(logging.Handler):
    """Takes the entries of the log."""

    def __init__(self, passed: Passed) -> None:
        super().__init__()
        self._passed = passed

    def emit(self, record: logging.LogRecord) -> None:
        self._passed.put_nowait(record.__dict__["entry"])


@contextmanager
def _listening() -> Iterator[Passed]:
    """What passes meanwhile; it goes nowhere else, a person reads other things."""
    log = logging.getLogger("navien_nwp500.traffic")
    passed: Passed = asyncio.Queue()
    tap, level, propagate = _Tap(passed), log.level, log.propagate
    log.addHandler(tap)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield passed
    finally:
        log.removeHandler(tap)
        log.setLevel(level)
        log.propagate = propagate


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that was not there, its owner's alone; masks hold for one run, so none is continued."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} exists already; name another file") from error
    # Unbuffered: one write a line, so that a kill leaves whole lines.
    with open(descriptor, "wb", buffering=0) as file:
        yield file


async def _written(asking: Awaitable[None], passed: Passed, file: IO[bytes], speed: float) -> None:
    """Write what passes until ``asking`` ends, to the last entry of it."""
    loop = asyncio.get_running_loop()
    writing = loop.create_task(_write(passed, file, speed), name="capture-write")
    try:
        await run_until_first(asking, asyncio.shield(writing))
    finally:
        passed.put_nowait(None)
        await writing


async def _write(passed: Passed, file: IO[bytes], speed: float) -> None:
    """Write a line an entry, in the time of a heater that lives ``speed`` times as fast."""
    loop = asyncio.get_running_loop()
    first: datetime | None = None
    while (entry := await passed.get()) is not None:
        first = first or entry.time
        entry = replace(entry, time=first + (entry.time - first) * speed)
        await loop.run_in_executor(None, file.write, f"{entry.line}\n".encode())


async def _ask(
    here: CommandContext, device: str | None, interval: float | None, count: int | None
) -> None:
    heater = await choose(here.client, device)
    await first_answer(heater, heater.get_status())
    for name, asking in _readings(heater, here):
        _say(f"{name:18} {await _outcome(asking)}")
    statuses = 0
    every = here.real(interval or here.client.config.polling_interval)
    async for _ in heater.watch(every):
        statuses += 1
        _say(f"status {statuses}" + (f" of {count}" if count else ""))
        if statuses == count:
            return


def _readings(heater: NaviLinkDevice, here: CommandContext) -> Iterator[tuple[str, Awaitable[Any]]]:
    """All that can be read, each made when its turn comes."""
    today = here.now().date()
    yield "features", heater.get_features()
    yield "info", heater.get_info()
    yield "firmware", heater.get_firmware_info()
    yield "time of use", heater.get_tou_info()
    yield "reservations", heater.get_reservations()
    yield "recirculation", heater.get_recirculation_schedule()
    yield "energy, this month", heater.get_energy_daily(today.year, today.month)
    yield "energy, this year", heater.get_energy_monthly(today.year)
    yield "diagnostics", heater.get_diagnostics()
    yield "software", heater.get_downloaded_software()


async def _outcome(asking: Awaitable[Any]) -> str:
    """What came of a reading: a heater that has no such thing is no reason to end."""
    try:
        await asking
    except NaviLinkError as error:
        return str(error)
    return "recorded"


def _vouch(path: Path) -> None:
    """Check what was written before anybody is told that it can be shown."""
    if _check([path]):
        raise ProtocolError(f"{path} still holds something private: do not pass it on")


def _check(files: Sequence[Path]) -> int:
    """Say which lines hold what kind of private thing; the exit code tells whether any does."""
    found = 0
    for path in files:
        kinds = [(number, kind) for number, line in _lines(path) for kind in _kinds(line)]
        for number, kind in kinds:
            print(f"{path}:{number}: {kind}")
        if not kinds:
            _say(f"{path}: nothing private in {sum(1 for _ in _lines(path))} lines")
        found += len(kinds)
    return FAILED if found else 0


def _kinds(line: str) -> Iterable[str]:
    return dict.fromkeys(find_private(line))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with open(path, encoding="utf-8", errors="replace") as file:
        yield from enumerate(file, 1)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
