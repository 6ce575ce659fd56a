"""The commands ``history``."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Callable, Sequence

import click

from ...._util.aio import in_thread, result_of
from ...._util.files import display_path
from ..database_option import DATABASE, open_store
from ..options import INPUT_FILE, JSON, OUTPUT_FILE, Group
from ..output import print_note, print_result
from ..runner import run_async
from ..zone import ZONE

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ....history.importer import Imported
    from ....history.store import HistoryStore, StoredHeater

_DAY_MS = 86_400_000
_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


@click.group("history", cls=Group)
def history_command() -> None:
    """Keep and use the history of your heaters.

    The history is a database of all statuses, which monitor --database writes: a file in your data
    folder, or PostgreSQL. Needs the extra "history".

    Example: navien-nwp500 history import tank.csv
    """


@history_command.command("import")
@click.argument("files", nargs=-1, required=True, type=INPUT_FILE, metavar="FILE...")
@click.option(
    "--heater",
    metavar="MAC",
    help="MAC address of the heater, for files that name none or only its last digits, and for "
    "captures, where it is masked.",
)
@ZONE
@DATABASE
@JSON
@run_async
async def import_command(
    files: Sequence[Path],
    heater: str | None,
    zone: ZoneInfo | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Add CSV recordings and captures to the history.

    A reading that is there already is ignored, so a file can be imported again. A file that is
    damaged adds nothing. After Ctrl-C what was added stays. --zone is for recordings that name no time zone.

    Example: navien-nwp500 history import tank.csv --database history.db
    """
    with open_store(database, create=True) as store:
        from ....history.importer import import_file

        import_one = partial(import_file, store, heater=heater, zone=zone)
        found = [await _import_until_stopped(partial(import_one, path)) for path in files]
    if as_json:
        print_result(json.dumps([_import_json(one) for one in found], indent=2), done=True)
        return
    for one in found:
        print_result(f"{display_path(one.path)}: {_import_text(one)}", done=True)


async def _import_until_stopped(import_one: Callable[..., Imported]) -> Imported:
    """Import a file in a thread. A cancellation stops it soon, and says what was added."""
    stop = Event()
    task = asyncio.ensure_future(in_thread(partial(import_one, stop=stop)))
    try:
        return await result_of(task)
    except asyncio.CancelledError:
        stop.set()
        found = await task
        print_note(f"{display_path(found.path)}: {_import_text(found)}")
        raise


@history_command.command("export")
@click.argument("file", type=OUTPUT_FILE)
@click.option(
    "--heater", metavar="MAC", help="Last digits of the MAC address, to select one heater."
)
@click.option("--since", type=_DATE, metavar="DATE", help="First day, in the heater's time zone.")
@click.option("--until", type=_DATE, metavar="DATE", help="The day after the last one.")
@DATABASE
@run_async
async def export_command(
    file: Path,
    heater: str | None,
    since: datetime | None,
    until: datetime | None,
    database: str | None,
) -> None:
    """Write the statuses of a heater to a new CSV file.

    It has the form of monitor --csv, so that report and history import read it. A file that exists
    is not overwritten.

    Example: navien-nwp500 history export 2026.csv --since 2026-01-01 --database history.db
    """
    with open_store(database) as store:
        from ....history.exporter import export_csv

        one = store.find_heater(heater)
        count = export_csv(store, one, file, _ms(since, one), _ms(until, one))
    print_note(f"{count} statuses written to {display_path(file)}")


@history_command.command("info")
@DATABASE
@JSON
@run_async
async def info_command(database: str | None, as_json: bool) -> None:
    """Show the place, the size and the heaters of the history.

    Example: navien-nwp500 history info --database history.db
    """
    with open_store(database) as store:
        place, size = store.database.name, store.database.size()
        heaters = [_heater_json(store, one) for one in store.heaters()]
    if as_json:
        print_result(json.dumps({"place": place, "bytes": size, "heaters": heaters}, indent=2))
        return
    print_result(f"{'place':15} {place}\n{'size':15} {size / 1e6:.1f} MB")
    for one in heaters:
        lines = [
            f"{name.replace('_', ' '):15} {'unknown' if value is None else value}"
            for name, value in one.items()
        ]
        print_result("\n" + "\n".join(lines))


@history_command.command("prune")
@click.option(
    "--keep-days",
    type=click.IntRange(min=1, max=100_000),
    required=True,
    metavar="DAYS",
    help="Days whose statuses are kept.",
)
@DATABASE
@run_async
async def prune_command(keep_days: int, database: str | None) -> None:
    """Delete old statuses from the history.

    The sums of quarter hours and days, and the events, stay. What is deleted does not come back;
    history export saves it before.

    Example: navien-nwp500 history prune --keep-days 400 --database history.db
    """
    now = datetime.now(timezone.utc)
    with open_store(database) as store:
        deleted = store.prune(int(now.timestamp() * 1000) - keep_days * _DAY_MS)
    print_result(f"{deleted} statuses deleted", done=True)


def _ms(local: datetime | None, heater: StoredHeater) -> int | None:
    """Return a local time of the heater in ms since 1970."""
    if local is None:
        return None
    return int(local.replace(tzinfo=heater.time_zone or timezone.utc).timestamp() * 1000)


def _heater_json(store: HistoryStore, heater: StoredHeater) -> dict[str, Any]:
    count, first, last = store.span(heater)
    zone = heater.time_zone or timezone.utc
    times = [
        None if ms is None else datetime.fromtimestamp(ms / 1000, zone).isoformat(" ", "seconds")
        for ms in (first, last)
    ]
    return {
        "name": heater.name,
        "mac_address": heater.mac,
        "time_zone": heater.zone,
        "statuses": count,
        "first": times[0],
        "last": times[1],
        "days": len(store.days(heater)),
        "events": len(store.events(heater)),
    }


def _import_json(found: Imported) -> dict[str, Any]:
    return {
        "file": display_path(found.path),
        "heaters": list(found.heaters),
        "readings": found.readings,
        "new": found.new,
        "impossible_times": found.impossible,
        "torn": found.torn,
    }


def _import_text(found: Imported) -> str:
    parts = [f"{found.readings} readings, {found.new} of them new"]
    if found.impossible:
        parts.append(f"{found.impossible} left out, recorded by a clock that was wrong")
    if found.torn:
        parts.append("its last line was torn and is left out")
    if found.interrupted:
        parts.append("interrupted; import it again to add the rest")
    return "; ".join(parts)
