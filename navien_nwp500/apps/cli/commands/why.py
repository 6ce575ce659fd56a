"""The command ``why``."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Sequence

import click

from ....analysis.causes import (
    CAUSE_FIELDS,
    Knowledge,
    OwnCommand,
    Reason,
    RunCause,
    between_text,
    run_causes,
)
from ....analysis.forecast.forecast_result import duration_text
from ....exceptions import CommunicationError, ConfigurationError
from ....history.cause_records import CauseRecords, csv_records, stored_records
from ....protocol.schedules import ReservationProgram
from ..context import open_device
from ..database_option import DATABASE, open_store
from ..options import DEVICE, INPUT_FILE, JSON
from ..output import print_note, print_result
from ..plan_files import read_plan
from ..reservation_files import read_reservations
from ..runner import run_async
from ..zone import ZONE

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ....protocol.tou import TOUPeriod

_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])
#: What left the tank before a run is seen from the run before it.
_LEAD = timedelta(days=3)


@click.command("why")
@click.argument("recordings", nargs=-1, type=INPUT_FILE, metavar="[FILE]...")
@DATABASE
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(min=1),
    help="Show the last N runs.  [default: 5, with --since all]",
)
@click.option(
    "--since",
    type=_DATE,
    metavar="DATE",
    help="Show the runs since this date, by the heater's clock.",
)
@click.option(
    "--ask-heater",
    is_flag=True,
    help="Read the present reservations and time-of-use plan from the account.",
)
@click.option(
    "--reservations",
    type=INPUT_FILE,
    help="The reservations at that time, from reservations list --json.",
)
@click.option("--plan", type=INPUT_FILE, help="The time-of-use plan at that time, as for tou set.")
@ZONE
@click.option(
    "--heater", metavar="MAC", help="Last digits of the MAC address, to select one heater."
)
@DEVICE
@JSON
@run_async
async def why_command(
    recordings: Sequence[Path],
    database: str | None,
    last: int | None,
    since: datetime | None,
    ask_heater: bool,
    reservations: Path | None,
    plan: Path | None,
    zone: ZoneInfo | None,
    heater: str | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Tell why the heater started and stopped heating.

    Reads recordings of monitor --csv, or the history of monitor --database, and the requests of
    other clients that monitor recorded with them. Sure: the heater's rules say so, and nothing else
    fits. Likely: other causes fit too. With --ask-heater it can distinguish a change by a
    reservation from one by a person.

    Example: navien-nwp500 why tank.csv --last 3
    """
    if recordings and database is not None:
        raise ConfigurationError("name recordings, or --database, and not both")
    program = None if reservations is None else read_reservations(reservations)
    periods: Sequence[TOUPeriod] | None = None if plan is None else read_plan(plan).periods
    records = _records(recordings, database, since, zone, heater)
    if ask_heater:
        known_program, known_periods = await _ask(device)
        program, periods = program or known_program, periods or known_periods
    known = Knowledge(
        requests=records.requests,
        commands=[
            OwnCommand.of_record(_time(one.asked), one.name, one.who) for one in records.commands
        ],
        reservations=program,
        plan=periods,
        zone=records.zone,
    )
    runs = _selected(run_causes(records.statuses, known), last, since, records)
    if as_json:
        print_result(json.dumps([run.to_dict() for run in runs], indent=2))
        return
    if not runs:
        print_note("No heating run was recorded in this time.")
        return
    print_result("\n\n".join("\n".join(_lines(run)) for run in runs))


def _records(
    recordings: Sequence[Path],
    database: str | None,
    since: datetime | None,
    zone: ZoneInfo | None,
    heater: str | None,
) -> CauseRecords:
    if recordings:
        return csv_records(recordings, CAUSE_FIELDS, zone=zone, heater=heater)
    with open_store(database) as store:
        one = store.find_heater(heater)
        first = None
        if since is not None:
            local = since.replace(tzinfo=zone or one.time_zone or timezone.utc)
            first = int((local - _LEAD).timestamp() * 1000)
        found = stored_records(store, one, CAUSE_FIELDS, zone=zone, since=first)
        if not found.statuses:
            raise ConfigurationError(f"there is no reading of that time in {store.database.name}")
        return found


async def _ask(device: str | None) -> tuple[ReservationProgram | None, list[TOUPeriod] | None]:
    """Read reservations and plan of the account's heater; a plan that cannot be read is unknown."""
    async with open_device(False, 1.0, device) as (_, heater):
        program = await heater.get_reservations()
        try:
            return program, list((await heater.get_tou_info()).periods)
        except CommunicationError as error:
            print_note(f"the time-of-use plan is not known: {error}")
            return program, None


def _selected(
    runs: list[RunCause], last: int | None, since: datetime | None, records: CauseRecords
) -> list[RunCause]:
    if since is not None:
        local = since.replace(tzinfo=records.zone or records.statuses[0][0].tzinfo)
        runs = [run for run in runs if run.end is None or run.end >= local]
    if last is None and since is None:
        last = 5
    return runs if last is None else runs[-last:]


def _lines(run: RunCause) -> Iterator[str]:
    yield f"{run.start:%Y-%m-%d %H:%M} {_until(run)}"
    start = between_text(run.start_after, run.start)
    yield from _reason("started", start, run.text, run.started)
    for element in run.elements:
        when = between_text(element.start_after, element.start)
        yield from _reason("element", when, element.reason.text, element.reason)
    if run.stopped is not None and run.end is not None:
        unseen = run.stopped.kind == "gap"
        end = f"after {run.end:%H:%M}" if unseen else between_text(run.end_after, run.end)
        yield from _reason("stopped", end, run.stopped.text, run.stopped)


def _until(run: RunCause) -> str:
    """Return the end of a run, and how long it took."""
    if run.end is None:
        return "goes on"
    lasted = duration_text((run.end - run.start).total_seconds() / 60)
    if run.stopped is not None and run.stopped.kind == "gap":
        return f"to {run.end:%Y-%m-%d %H:%M} or later, {lasted} were recorded"
    return f"to {run.end:%Y-%m-%d %H:%M}, {lasted}"


def _reason(name: str, when: str, text: str, reason: Reason) -> Iterator[str]:
    whole = f"{when}: {text} ({reason.certainty})"
    yield textwrap.fill(whole, 80, initial_indent=f"  {name}  ", subsequent_indent=" " * 11)
    for other in reason.also:
        yield textwrap.fill(
            f"also true: {other}", 80, initial_indent=" " * 11, subsequent_indent=" " * 13
        )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)
