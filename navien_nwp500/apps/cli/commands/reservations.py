"""The command ``reservations``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Awaitable, Callable, NamedTuple

import click

from ....device import NaviLinkDevice
from ....exceptions import ValueOutOfRangeError
from ....protocol.calendar import Weekday
from ....protocol.schedules import Reservation, ReservationMode, ReservationProgram
from ....protocol.status import DeviceStatus
from ..context import open_device, wait_response
from ..formatting import UNCHANGED, degrees, display_unit, print_json
from ..options import READ_OPTIONS, WRITE_OPTIONS, Decorator, Group, combine
from ..output import print_result
from ..parsing import (
    Degrees,
    day_names,
    days_text,
    option_type,
    parse_days,
    parse_degrees,
    parse_time,
)
from ..runner import run, run_async

_WEEK = tuple(Weekday)
_NUMBER = click.argument("number", type=click.IntRange(min=1), metavar="N")


class ScheduleState(NamedTuple):
    """The reservations before a change, in the order of their numbers."""

    heater: NaviLinkDevice
    status: DeviceStatus
    program: ReservationProgram

    def reservation(self, number: int) -> Reservation:
        """Return a reservation by its number. Raises ValueOutOfRangeError."""
        count = len(self.program.reservations)
        if number > count:
            raise ValueOutOfRangeError(
                f"there is no reservation {number}; {self.heater.name} has {count}. "
                "See: navien-nwp500 reservations list"
            )
        return self.program.reservations[number - 1]


Change = Callable[[ScheduleState, bool], Awaitable[ReservationProgram]]


def _field_options(required: bool) -> Decorator:
    """Return the options for the fields of a reservation."""
    modes = [mode.text.replace(" ", "-") for mode in ReservationMode]
    unit_hint = "120F, 49C, or 120 in the unit that the heater displays"
    options = (
        ("--days", "DAYS", option_type(parse_days), "Weekdays: mon,wed; mon-fri; weekend; daily."),
        ("--at", "HH:MM", option_type(parse_time), "Time of day, by the heater's clock."),
        ("--mode", "MODE", click.Choice(modes), f"Operation mode: {', '.join(modes)}."),
        ("--temperature", "DEGREES", option_type(parse_degrees), f"Setpoint: {unit_hint}."),
    )
    return combine(
        *(
            click.option(name, metavar=metavar, type=kind, required=required, help=text)
            for name, metavar, kind, text in options
        )
    )


@click.group("reservations", cls=Group)
def reservations_command() -> None:
    """Show and change the heater's schedule.

    A reservation sets temperature and mode at its time. They stay until the next change. N is the
    number that "reservations list" shows.

    Example: navien-nwp500 reservations list
    """


@reservations_command.command("list")
@READ_OPTIONS
@run_async
async def list_(as_json: bool, **account: Any) -> None:
    """Show the reservations and their numbers.

    Example: navien-nwp500 reservations list
    """
    async with open_device(**account) as (_, heater):
        state = await _read(heater)
        _print(state, state.program, as_json)


@reservations_command.command()
@_field_options(required=True)
@click.option("--off", is_flag=True, help="Store it disabled.")
@WRITE_OPTIONS
def add(days: Any, at: Any, mode: str, temperature: Degrees, off: bool, **options: Any) -> None:
    """Add a reservation.

    \b
    Example: navien-nwp500 reservations add --days mon-fri --at 06:30
               --mode energy-saver --temperature 120F
    """

    def change(state: ScheduleState, dry_run: bool) -> Awaitable[ReservationProgram]:
        setpoint = temperature.argument(display_unit(state.status))
        new = Reservation.at(at, days, _parse_mode(mode), **setpoint, enabled=not off)
        return state.heater.add_reservation(new, dry_run=dry_run)

    run(_write(change, **options))


@reservations_command.command()
@_NUMBER
@WRITE_OPTIONS
def remove(number: int, **options: Any) -> None:
    """Remove a reservation.

    Example: navien-nwp500 reservations remove 2
    """

    def change(state: ScheduleState, dry_run: bool) -> Awaitable[ReservationProgram]:
        return state.heater.remove_reservation(state.reservation(number), dry_run=dry_run)

    run(_write(change, **options))


@reservations_command.command()
@_NUMBER
@_field_options(required=False)
@click.option("--on/--off", "enabled", default=None, help="Enable or disable it.")
@WRITE_OPTIONS
def update(
    number: int, days: Any, at: Any, mode: Any, temperature: Any, enabled: Any, **options: Any
) -> None:
    """Change a reservation.

    Example: navien-nwp500 reservations update 2 --at 07:00 --on
    """
    if all(value is None for value in (days, at, mode, temperature, enabled)):
        raise click.UsageError("Name at least one option to change, such as --at 07:00.")

    def change(state: ScheduleState, dry_run: bool) -> Awaitable[ReservationProgram]:
        old = state.reservation(number)
        setpoint = Degrees(old.temperature.celsius, "C") if temperature is None else temperature
        new = Reservation.at(
            old.time if at is None else at,
            old.days if days is None else days,
            old.mode if mode is None else _parse_mode(mode),
            **setpoint.argument(display_unit(state.status)),
            enabled=old.enabled if enabled is None else enabled,
        )
        return state.heater.update_reservation(old, new, dry_run=dry_run)

    run(_write(change, **options))


@reservations_command.command()
@WRITE_OPTIONS
def on(**options: Any) -> None:
    """Enable the schedule.

    Example: navien-nwp500 reservations on
    """

    def change(state: ScheduleState, dry_run: bool) -> Awaitable[ReservationProgram]:
        if not state.program.reservations:
            raise ValueOutOfRangeError(
                f"{state.heater.name} has no reservations to enable; "
                "see: navien-nwp500 reservations add --help"
            )
        return state.heater.enable_reservations(True, dry_run=dry_run)

    run(_write(change, **options))


@reservations_command.command()
@WRITE_OPTIONS
def off(**options: Any) -> None:
    """Disable the schedule; the reservations stay stored.

    Example: navien-nwp500 reservations off
    """

    def change(state: ScheduleState, dry_run: bool) -> Awaitable[ReservationProgram]:
        return state.heater.enable_reservations(False, dry_run=dry_run)

    run(_write(change, **options))


async def _write(change: Change, as_json: bool, dry_run: bool, **account: Any) -> None:
    """Read the reservations, change them and print the result."""
    async with open_device(**account) as (_, heater):
        before = await _read(heater)
        after = await wait_response(change(before, dry_run))
        note = None
        if _sorted(after) == before.program:
            note = UNCHANGED
        elif dry_run:
            note = "Dry run: the schedule would become this. Nothing was sent."
        more = {"dry_run": True} if dry_run else {}
        _print(before, after, as_json, note, done=not dry_run, **more)


async def _read(heater: NaviLinkDevice) -> ScheduleState:
    status = await wait_response(heater.get_status())
    return ScheduleState(heater, status, _sorted(await wait_response(heater.get_reservations())))


def _sorted(program: ReservationProgram) -> ReservationProgram:
    """Sort by time, then days, so that the numbers do not depend on the heater's order."""
    return replace(program, reservations=tuple(sorted(program.reservations, key=_sort_key)))


def _sort_key(entry: Reservation) -> tuple[Any, ...]:
    days = sorted(_WEEK.index(day) for day in entry.days)
    return (entry.time, days, int(entry.mode), int(entry.temperature), entry.enabled)


def _parse_mode(name: str) -> ReservationMode:
    return ReservationMode[name.replace("-", "_").upper()]


def _print(
    state: ScheduleState,
    program: ReservationProgram,
    as_json: bool,
    note: str | None = None,
    *,
    done: bool = False,
    **more: bool,
) -> None:
    program = _sorted(program)
    numbered = list(enumerate(program.reservations, 1))
    if as_json:
        listed = [_json(*entry) for entry in numbered]
        print_json(state.heater, done=done, enabled=program.enabled, reservations=listed, **more)
        return
    lines = [note] if note else []
    lines.append(_headline(state.heater.name, program))
    lines += [_line(*entry, state.status) for entry in numbered]
    print_result("\n".join(lines), done=done)


def _headline(name: str, program: ReservationProgram) -> str:
    count = len(program.reservations)
    if not count:
        return f"{name} has no reservations."
    text = f"{name} has {count} reservation{'' if count == 1 else 's'}"
    return f"{text}:" if program.enabled else f"{text}; the schedule is disabled:"


def _line(number: int, entry: Reservation, status: DeviceStatus) -> str:
    return (
        f"{number:3}  {entry.time:%H:%M}  {days_text(entry.days):16}  {entry.mode.text:13}"
        f"{degrees(entry.temperature, status):>9}  {'on' if entry.enabled else 'off'}"
    )


def _json(number: int, entry: Reservation) -> dict[str, Any]:
    return {
        "number": number,
        "days": day_names(entry.days),
        "time": f"{entry.time:%H:%M}",
        "mode": entry.mode.to_json(),
        "temperature": entry.temperature.to_json(),
        "enabled": entry.enabled,
    }
