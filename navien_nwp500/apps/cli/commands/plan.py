"""The command ``plan``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import click

from ...._util.extras import missing_extra
from ...._util.files import display_path
from ....exceptions import ConfigurationError
from ....protocol.tou import check_tou
from ....protocol.types import DHWMode
from ..context import open_device
from ..database_option import DATABASE, open_store
from ..formatting import both_units, print_json
from ..options import COLD, INPUT_FILE, JSON, OUTPUT_FILE, WRITE_OPTIONS, Group, Number
from ..output import print_note, print_result
from ..parsing import Degrees, option_type, parse_degrees
from ..plan_writer import apply_plan, differences, in_order, read_state, reservation_text, undo_plan
from ..runner import run, run_async
from ..saved_plans import (
    SavedPlan,
    backup_file,
    heater_mark,
    last_plan_file,
    load_backup,
    load_plan,
    plan_json,
    save_plan,
)
from ..zone import ZONE

if TYPE_CHECKING:
    from ....analysis.planning.proposal import PlanProposal

_MODES = {
    mode.text.replace(" ", "-"): mode
    for mode in (DHWMode.HEAT_PUMP, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
}
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_BACKUP = click.option(
    "--backup",
    type=OUTPUT_FILE,
    help="File of what was before.  [default: one for each heater, in your data folder]",
)


def _parse_modes(text: str) -> tuple[DHWMode, ...]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in _MODES:
            raise ValueError(f"{name!r} is none of {', '.join(_MODES)}")
    return tuple(dict.fromkeys(_MODES[name] for name in names))


def _celsius(given: Degrees | None) -> float | None:
    if given is None:
        return None
    return given.value if given.unit != "F" else (given.value - 32) / 1.8


# The metavar: older versions of click do not show that a subcommand may be left out.
@click.group(
    "plan", cls=Group, invoke_without_command=True, subcommand_metavar="[COMMAND] [ARGS]..."
)
@click.option(
    "--history", multiple=True, type=INPUT_FILE, help="Recording of monitor --csv; may be repeated."
)
@DATABASE
@click.option(
    "--tariff", type=INPUT_FILE, help="Electricity prices, in any form of report --tariff."
)
@ZONE
@click.option(
    "--heater", metavar="MAC", help="Last digits of the MAC address, to select one heater."
)
@click.option(
    "--min-showers",
    metavar="N",
    type=Number(min=0, max=10),
    help="Showers that are always there.  [default: as now]",
)
@click.option(
    "--floor",
    "coldest",
    metavar="DEGREES",
    type=option_type(parse_degrees),
    help="Coldest water while somebody draws, 45C or 113F.  [default: as now]",
)
@click.option(
    "--highest",
    metavar="DEGREES",
    type=option_type(parse_degrees),
    help="Highest setpoint, 60C or 140F.  [default: the present one]",
)
@click.option(
    "--modes",
    metavar="MODES",
    type=option_type(_parse_modes),
    default="heat-pump",
    show_default=True,
    help=f"Modes that a plan may use: {', '.join(_MODES)}.",
)
@COLD
@JSON
@click.option("--save", type=OUTPUT_FILE, help="Write the plan to a file, for plan apply.")
@click.pass_context
def plan_command(context: click.Context, /, **options: Any) -> None:
    """Propose when to heat, so that hot water costs less.

    Learns from at least 14 days of history when you draw water, and looks for setpoints and
    time-of-use windows that save money at the prices of a tariff, without colder water than now.
    The best plan is tried in the simulator. Says so when nothing is worth changing. Sends nothing;
    plan apply does. Needs the extra "analysis".

    Example: navien-nwp500 plan --history tank.csv --tariff plan.json
    """
    if context.invoked_subcommand is None:
        run(_propose(**options))


async def _propose(
    history: Sequence[Path],
    database: str | None,
    tariff: Path | None,
    as_json: bool,
    save: Path | None,
    **wishes: Any,
) -> None:
    if bool(history) == (database is not None):
        raise ConfigurationError("name --history FILE, or --database, and not both")
    if tariff is None:
        raise ConfigurationError("name the prices: --tariff FILE; see navien-nwp500 plan --help")
    try:
        found, saved = _make(history, database, tariff, **wishes)
    except ModuleNotFoundError as error:
        raise ConfigurationError(missing_extra("a plan", error.name, "analysis")) from error
    if saved is not None:
        _keep(saved, found.verdict, save)
    from ..plan_text import proposal_json, proposal_text

    if as_json:
        print_result(json.dumps(proposal_json(found, saved), indent=2, allow_nan=False))
        return
    print_result(proposal_text(found))
    if saved is not None:
        print_note("\nTo write it to the heater: navien-nwp500 plan apply")


def _make(
    history: Sequence[Path],
    database: str | None,
    tariff: Path,
    *,
    zone: Any,
    heater: str | None,
    min_showers: float | None,
    coldest: Degrees | None,
    highest: Degrees | None,
    modes: tuple[DHWMode, ...],
    cold: float,
) -> tuple[PlanProposal, SavedPlan | None]:
    from ....analysis.planning.planner import make_plan
    from ....analysis.planning.proposal import PlanWishes
    from ....analysis.prices.tariff_files import read_tariff
    from ....history.recordings import load, load_history
    from ..plan_confirmation import simulate_week

    if database is None:
        recording = load(history, zone=zone, heater=heater)
    else:
        with open_store(database) as store:
            recording = load_history(store, zone=zone, heater=heater)
    source = read_tariff(tariff, zone)
    wishes = PlanWishes(_celsius(coldest), min_showers, _celsius(highest), modes, cold)
    found = make_plan(recording, source, wishes, confirm=simulate_week, progress=print_note)
    if found.plan is None:
        return found, None
    plan = found.plan
    periods = plan.periods(*found.window_prices) if plan.windows else ()
    if periods:
        check_tou(periods)
    reasons = tuple(one.why for one in plan.entries)
    return found, SavedPlan(plan.setpoint, plan.mode, plan.reservations(), reasons, periods)


def _keep(saved: SavedPlan, verdict: str, save: Path | None) -> None:
    """Write the plan to the file that was named, and to that of the last plan."""
    for path in (save, last_plan_file()):
        if path is not None:
            save_plan(path, saved, verdict=verdict)
    if save is not None:
        print_note(f"written to {display_path(save)}")


@plan_command.command()
@click.argument("file", type=INPUT_FILE, required=False)
@_YES
@_BACKUP
@WRITE_OPTIONS
@run_async
async def apply(
    file: Path | None,
    yes: bool,
    backup: Path | None,
    as_json: bool,
    dry_run: bool,
    **account: Any,
) -> None:
    """Write a plan to the heater, after showing what changes.

    FILE is one of plan --save; by default the plan that was made last. Replaces all reservations, and
    the time-of-use plan in the heater and its copy in the cloud. What was there before is kept in a file
    first: plan undo restores it, also after an interruption. When the heater has stored the
    time-of-use plan and the cloud has not, the exit code is 5; run the command again.

    Example: navien-nwp500 plan apply heating.json --dry-run
    """
    path = file or last_plan_file()
    if path is None or not path.exists():
        raise ConfigurationError(
            "there is no plan to apply: make one with navien-nwp500 plan --history FILE --tariff FILE"
        )
    plan = load_plan(path)
    async with open_device(**account) as (context, heater):
        before = await read_state(heater, context.now(), simulated=context.simulated)
        changes = list(differences(before, plan))
        done = bool(changes) and not dry_run
        if done:
            _ask(f"{heater.name} would change:", changes, yes)
            kept = None if context.simulated else backup or backup_file(heater)
            if kept is not None:
                print_note(f"what was before is kept in {display_path(kept)}")
            await apply_plan(heater, plan, before, kept)
        if as_json:
            result = {"dry_run": dry_run, "changes": changes, "plan": plan_json(plan)}
            print_json(heater, done=done, applied=done, **result)
            return
        print_result("\n".join(_result(changes, dry_run, heater.name)), done=done)


def _result(changes: Sequence[str], dry_run: bool, name: str) -> list[str]:
    if not changes:
        return [f"{name} follows this plan already. Nothing was sent."]
    if dry_run:
        return [f"Dry run: {name} would change. Nothing was sent.", *changes]
    return [f"{name} follows the plan:", *changes, "To go back: navien-nwp500 plan undo"]


def _ask(question: str, lines: Sequence[str], yes: bool) -> None:
    """Show what changes and ask. Raises ConfigurationError without an answer to be had, or a no."""
    import sys

    if yes:
        return
    print_note("\n".join([question, *lines]))
    if not sys.stdin.isatty():
        raise ConfigurationError("nobody is there to ask; use --yes, or --dry-run to look only")
    if not click.confirm("Write this?", err=True):
        raise ConfigurationError("nothing was written")


@plan_command.command()
@_YES
@_BACKUP
@WRITE_OPTIONS
@run_async
async def undo(
    yes: bool, backup: Path | None, as_json: bool, dry_run: bool, **account: Any
) -> None:
    """Restore what the heater had before plan apply.

    Restores reservations, time-of-use plan, mode and setpoint, whatever part of a plan was written. The
    file of what was before is deleted at the end; until then the command can be repeated.

    Example: navien-nwp500 plan undo --backup before.json --dry-run
    """
    async with open_device(**account) as (_, heater):
        path = backup or backup_file(heater)
        if not path.exists():
            raise ConfigurationError(
                f"there is nothing to undo: {display_path(path)} does not exist, so no plan was applied to "
                f"{heater.name} from this computer"
            )
        before = load_backup(path)
        if before.heater != heater_mark(heater) and backup is None:
            raise ConfigurationError(f"{display_path(path)} is of another heater")
        lines = [
            *(reservation_text(one) for one in in_order(before.program.reservations)),
            f"mode {before.mode.text}, setpoint {both_units(before.setpoint, 'F')}",
            f"time of use {'on' if before.tou_on else 'off'}",
        ]
        if not dry_run:
            _ask(f"{heater.name} would get back what it had on {before.time}:", lines, yes)
            await undo_plan(heater, before)
            path.unlink(missing_ok=True)
        if as_json:
            result = {"dry_run": dry_run, "time": before.time, "restored": lines}
            print_json(heater, done=not dry_run, **result)
            return
        would = "would have" if dry_run else "has"
        end = "Nothing was sent." if dry_run else ""
        head = f"{heater.name} {would} again what it had on {before.time}:"
        print_result("\n".join([head, *lines, *([end] if end else [])]), done=not dry_run)
