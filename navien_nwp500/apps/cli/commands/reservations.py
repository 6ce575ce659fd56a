"""``reservations``: the timed changes of setpoint and mode that the heater keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Coroutine, Iterable, NamedTuple

import click

from ....device import NaviLinkDevice
from ....exceptions import ValueOutOfRangeError
from ....protocol.calendar import Weekday
from ....protocol.commands import RESERVATIONS
from ....protocol.schedules import Reservation, ReservationMode, ReservationProgram
from ....protocol.status import DeviceStatus
from ..context import answered, choose, first_answer, open_context
from ..options import Decorator, Group, reads, writes
from ..parsing import (
    Degrees,
    day_names,
    days_text,
    own_unit,
    parse_days,
    parse_degrees,
    parse_time,
    typed,
)
from ..runner import run
from .status import degrees, identity

_WEEK = tuple(Weekday)
_NUMBER = click.argument("number", type=click.IntRange(min=1), metavar="N")


class Present(NamedTuple):
    """What a change starts from; reservations in the order of their numbers."""

    heater: NaviLinkDevice
    status: DeviceStatus
    program: ReservationProgram

    def numbered(self, number: int) -> Reservation:
        """The reservation of that number. Raises ValueOutOfRangeError when there is none."""
        if number > len(self.program.reservations):
            raise ValueOutOfRangeError(
                f"there is no reservation {number}; {self.heater.name} keeps "
                f"{len(self.program.reservations)}. See: navien-nwp500 reservations list"
            )
        return self.program.reservations[number - 1]


Change = Callable[[Present, bool], Coroutine[Any, Any, ReservationProgram]]


def _parts(required: bool) -> Decorator:
    """The options that make up a reservation."""
    modes = [mode.text.replace(" ", "-") for mode in ReservationMode]
    option = partial(click.option, required=required)
    options = (
        option("--days", type=typed(parse_days), metavar="DAYS", help="mon,wed; mon-fri; daily."),
        option("--at", type=typed(parse_time), metavar="HH:MM", help="By the heater's clock."),
        option("--mode", type=click.Choice(modes), metavar="MODE", help=", ".join(modes) + "."),
        option(
            "--temperature", type=typed(parse_degrees), metavar="DEGREES", help="120F, 49C or 120."
        ),
    )

    def decorate(function: Any) -> Any:
        for add_option in reversed(options):
            function = add_option(function)
        return function

    return decorate


@click.group(cls=Group)
def reservations() -> None:
    """See and change what the heater does by the clock.

    At its time a reservation sets the temperature, then the mode; it has no end. N is the number
    that list shows.

    Example: navien-nwp500 reservations list
    """


@reservations.command(
    "list", help=f"{RESERVATIONS.meaning}\n\nExample: navien-nwp500 reservations list"
)
@reads
def list_(**options: Any) -> None:
    run(show(**options))


@reservations.command()
@_parts(required=True)
@click.option("--off", is_flag=True, help="Keep it, but do not carry it out yet.")
@writes
def add(days: Any, at: Any, mode: str, temperature: Degrees, off: bool, **options: Any) -> None:
    """Add one and keep the others.

    \b
    Example: navien-nwp500 reservations add --days mon-fri --at 06:30
               --mode energy-saver --temperature 120F
    """

    async def change(now: Present, dry_run: bool) -> ReservationProgram:
        wish = temperature.named(own_unit(now.status))
        made = Reservation.at(at, days, _mode(mode), **wish, enabled=not off)
        return await now.heater.add_reservation(made, dry_run=dry_run)

    run(write(change, **options))


@reservations.command()
@_NUMBER
@writes
def remove(number: int, **options: Any) -> None:
    """Remove one and keep the others.

    Example: navien-nwp500 reservations remove 2
    """

    async def change(now: Present, dry_run: bool) -> ReservationProgram:
        return await now.heater.remove_reservation(now.numbered(number), dry_run=dry_run)

    run(write(change, **options))


@reservations.command()
@_NUMBER
@_parts(required=False)
@click.option("--on/--off", "enabled", default=None, help="Carry it out, or only keep it.")
@writes
def update(
    number: int, days: Any, at: Any, mode: Any, temperature: Any, enabled: Any, **options: Any
) -> None:
    """Change parts of one and keep the rest.

    Example: navien-nwp500 reservations update 2 --at 07:00 --on
    """
    if all(part is None for part in (days, at, mode, temperature, enabled)):
        raise click.UsageError("Name at least one part to change, such as --at 07:00.")

    async def change(now: Present, dry_run: bool) -> ReservationProgram:
        old = now.numbered(number)
        wish = Degrees(old.temperature.celsius, "C") if temperature is None else temperature
        new = Reservation.at(
            old.time if at is None else at,
            old.days if days is None else days,
            old.mode if mode is None else _mode(mode),
            **wish.named(own_unit(now.status)),
            enabled=old.enabled if enabled is None else enabled,
        )
        return await now.heater.update_reservation(old, new, dry_run=dry_run)

    run(write(change, **options))


@reservations.command("on")
@writes
def on(**options: Any) -> None:
    """Carry the reservations out.

    Example: navien-nwp500 reservations on
    """
    run(write(_switch(True), **options))


@reservations.command("off")
@writes
def off(**options: Any) -> None:
    """Carry no reservation out; all are kept.

    Example: navien-nwp500 reservations off
    """
    run(write(_switch(False), **options))


async def show(simulate: bool, speed: float, device: str | None, as_json: bool) -> None:
    """Read the reservations and print them."""
    async with open_context(simulate, speed) as here:
        now = await _read(await choose(here.client, device))
        _print(now, now.program, as_json, [])


async def write(
    change: Change, simulate: bool, speed: float, device: str | None, as_json: bool, dry_run: bool
) -> None:
    """Read the reservations, change them and print what they now are."""
    async with open_context(simulate, speed) as here:
        before = await _read(await choose(here.client, device))
        after = await answered(change(before, dry_run))
        same = _ordered(after) == before.program
        said = ["This holds already; nothing was sent."] if same else []
        if dry_run and not same:
            said = ["So it would become; nothing was sent."]
        _print(before, after, as_json, said, **({"dry_run": True} if dry_run else {}))


async def _read(heater: NaviLinkDevice) -> Present:
    status = await first_answer(heater, heater.get_status())
    program = await first_answer(heater, heater.get_reservations())
    return Present(heater, status, _ordered(program))


def _ordered(program: ReservationProgram) -> ReservationProgram:
    """By time, then days: numbers stay while nothing changes, whatever order the heater sends."""
    return replace(program, reservations=tuple(sorted(program.reservations, key=_place)))


def _place(entry: Reservation) -> tuple[Any, ...]:
    days = sorted(_WEEK.index(day) for day in entry.days)
    return (entry.time, days, int(entry.mode), int(entry.temperature), entry.enabled)


def _mode(name: str) -> ReservationMode:
    return ReservationMode[name.replace("-", "_").upper()]


def _switch(on: bool) -> Change:
    async def change(now: Present, dry_run: bool) -> ReservationProgram:
        kept = now.program.reservations
        if on and not kept:
            raise ValueOutOfRangeError(
                f"{now.heater.name} keeps no reservation that could be carried out; "
                "see: navien-nwp500 reservations add --help"
            )
        return await now.heater.enable_reservations(on, dry_run=dry_run)

    return change


def _print(
    now: Present, program: ReservationProgram, as_json: bool, said: Iterable[str], **more: bool
) -> None:
    found = _ordered(program)
    if as_json:
        listed = [_plain(*entry) for entry in enumerate(found.reservations, 1)]
        whole = {"device": identity(now.heater), "enabled": found.enabled, "reservations": listed}
        print(json.dumps({**whole, **more}, indent=2))
        return
    lines = [*said, _program(now.heater.name, found)]
    lines += [_line(*entry, now.status) for entry in enumerate(found.reservations, 1)]
    print("\n".join(lines))


def _program(name: str, program: ReservationProgram) -> str:
    count = len(program.reservations)
    if not count:
        return f"{name} keeps no reservations."
    kept = f"{name} keeps {count} reservation{'' if count == 1 else 's'}"
    return f"{kept}:" if program.enabled else f"{kept}; the program is off, none is carried out:"


def _line(number: int, entry: Reservation, status: DeviceStatus) -> str:
    return (
        f"{number:3}  {entry.time:%H:%M}  {days_text(entry.days):16}  {entry.mode.text:13}"
        f"{degrees(entry.temperature, status):>9}  {'on' if entry.enabled else 'off'}"
    )


def _plain(number: int, entry: Reservation) -> dict[str, Any]:
    return {
        "number": number,
        "days": day_names(entry.days),
        "time": f"{entry.time:%H:%M}",
        "mode": entry.mode.to_json(),
        "temperature": entry.temperature.to_json(),
        "enabled": entry.enabled,
    }
