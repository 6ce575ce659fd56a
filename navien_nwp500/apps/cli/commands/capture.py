"""The command ``capture``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from logging.handlers import QueueHandler
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Awaitable, Iterable, Iterator, Optional, Sequence

import click

from ...._util.aio import result_of, run_until_first
from ...._util.files import decode_text, display_path
from ....device import NaviLinkDevice
from ....exceptions import ConfigurationError, NaviLinkError, ProtocolError
from ....protocol.capture import find_private, find_values
from ..context import CommandContext, open_context, select_device, wait_response
from ..har import parse_har
from ..options import ACCOUNT_OPTIONS, COUNT, DEVICE, INPUT_FILE, INTERVAL, OUTPUT_FILE, speed
from ..output import print_note, print_result
from ..runner import FAILED, run

if TYPE_CHECKING:
    RecordQueue = asyncio.Queue[Optional[logging.LogRecord]]


@click.command("capture")
@click.argument("files", nargs=-1, type=INPUT_FILE, metavar="[FILE]...")
@click.option("--raw", type=OUTPUT_FILE, help="Name of the new capture file.")
@click.option("--check", is_flag=True, help="Search capture FILEs for private data.")
@click.option("--har", type=INPUT_FILE, help="Import the Navien app's calls from a HAR file.")
@COUNT
@INTERVAL
@ACCOUNT_OPTIONS
@speed(600)
@DEVICE
def capture_command(
    files: Sequence[Path], raw: Path | None, check: bool, har: Path | None, **options: Any
) -> None:
    """Record the raw traffic, with private data masked.

    Writes REST calls and MQTT messages, sent and received, one JSON object per line, until
    Ctrl-C. It requests everything that can be read once, then the status repeatedly; it changes
    nothing. Accounts, homes, heaters and credentials are masked before they are written, and the
    file is checked at the end.

    Example: navien-nwp500 capture --raw heater.jsonl --count 10
    """
    if check:
        if not files or raw is not None or har is not None:
            raise click.UsageError("--check takes capture FILEs, and no --raw or --har")
        sys.exit(_check(files))
    if files or raw is None:
        raise click.UsageError("name the new capture file: --raw FILE.jsonl")
    run(_import_har(har, raw) if har is not None else _record(raw, **options))


async def _import_har(har: Path, raw: Path) -> None:
    try:
        found = parse_har(decode_text(har.read_bytes(), errors="replace"))
    except ProtocolError as error:
        raise ConfigurationError(f"{display_path(har)}: {error}") from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{display_path(har)} has MQTT messages: {error}") from error
    damaged = f"{found.damaged} of {found.total} entries are damaged and left out"
    if not found.entries:
        raise ConfigurationError(
            f"{display_path(har)}: it has no call of the NaviLink API"
            + (f"; {damaged}" if found.damaged else "")
        )
    if found.damaged:
        print_note(f"{display_path(har)}: {damaged}")
    with _new_file(raw) as file:
        file.write("".join(f"{entry.line}\n" for entry in found.entries).encode())
    _check_new_file(raw)


async def _record(
    raw: Path, count: int | None, interval: float | None, device: str | None, **account: Any
) -> None:
    """Record one heater's traffic into a new file, until stopped or after ``count`` statuses."""
    private: set[str] = set()
    with _new_file(raw) as file:
        try:
            async with open_context(**account) as context:
                private = _account_values(context)
                with _traffic_log() as records:
                    requests = _send_requests(context, device, interval, count, private)
                    speed = account["speed"] if account["simulate"] else 1.0
                    await _write_during(requests, records, file, speed)
        finally:
            # Also after Ctrl-C, which ends most captures.
            _check_new_file(raw, private)


@contextmanager
def _traffic_log() -> Iterator[RecordQueue]:
    """Queue the records of the traffic log, and print none of them."""
    log = logging.getLogger("navien_nwp500.traffic")
    records: RecordQueue = asyncio.Queue()
    handler, level, propagate = QueueHandler(records), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield records
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Create a file that only the user can read. Masks differ per run, so none is continued."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} exists already; name another file") from error
    # Unbuffered: one write per line, so that a killed process leaves complete lines.
    with open(descriptor, "wb", buffering=0) as file:
        yield file


async def _write_during(
    requests: Awaitable[None], records: RecordQueue, file: IO[bytes], speed: float
) -> None:
    """Write the records until ``requests`` ends, to the last one."""
    loop = asyncio.get_running_loop()
    writer = loop.create_task(_write(records, file, speed), name="capture-write")
    try:
        await run_until_first(requests, result_of(writer))
    finally:
        records.put_nowait(None)
        await writer


async def _write(records: RecordQueue, file: IO[bytes], speed: float) -> None:
    """Write one line per entry, with times of a heater that runs ``speed`` times as fast."""
    first: datetime | None = None
    while (record := await records.get()) is not None:
        entry = record.__dict__["entry"]
        first = first or entry.time
        entry = replace(entry, time=first + (entry.time - first) * speed)
        await asyncio.to_thread(file.write, f"{entry.line}\n".encode())


async def _send_requests(
    context: CommandContext,
    device: str | None,
    interval: float | None,
    count: int | None,
    private: set[str],
) -> None:
    heater = await select_device(context.client, device)
    private.update(_heater_values(heater))
    await wait_response(heater.get_status())
    for name, request in _all_requests(heater, context):
        print_note(f"{name:18} {await _result(request)}")
    statuses = 0
    seconds = context.real_seconds(interval or context.client.config.polling_interval)
    async for _ in heater.watch(seconds):
        statuses += 1
        print_note(f"status {statuses}" + (f" of {count}" if count else ""))
        if statuses == count:
            return


def _all_requests(
    heater: NaviLinkDevice, context: CommandContext
) -> Iterator[tuple[str, Awaitable[Any]]]:
    today = context.now().date()
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


async def _result(request: Awaitable[Any]) -> str:
    """Await a request and describe its result; an error does not end the capture."""
    try:
        await request
    except NaviLinkError as error:
        return str(error)
    return "recorded"


def _account_values(context: CommandContext) -> set[str]:
    """Return the secrets of the account, to be searched in the file."""
    config = context.client.config
    return {text for text in (config.email, config.password) if text}


def _heater_values(heater: NaviLinkDevice) -> set[str]:
    """Return what identifies the heater and its home, to be searched in the file."""
    info = heater.info
    texts = (info.mac_address, info.device_name, info.city, info.address, info.installer_id)
    return {*map(str, filter(None, texts)), str(info.home_seq or "")}


def _check_new_file(path: Path, private: Iterable[str] = ()) -> None:
    found = find_values(path.read_text("utf-8", "replace"), private)
    if found:
        print_note(f"{path}: {found} values of the account or the heater are in it")
    if _check([path]) or found:
        raise ProtocolError(f"{path} still contains private data: do not give it to anyone")


def _check(files: Sequence[Path]) -> int:
    """Print the line and kind of all private data in files; return the exit code."""
    found = 0
    for path in files:
        number = private = 0
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                for kind in dict.fromkeys(find_private(line)):
                    print_result(f"{path}:{number}: {kind}")
                    private += 1
        if not private:
            print_note(
                f"{path}: no private data in {number} lines: every text and number has a known, "
                "harmless form, and none looks like an address, a serial number or a key"
            )
        found += private
    return FAILED if found else 0
