"""``set``: every control of the command table as a word, each the same way.

A row of the table has its word by its own name; ``_OWN`` names those people call otherwise, or that
say more. Help is the meaning of the row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Awaitable, Callable

import click

from ....device import NaviLinkDevice
from ....protocol import commands
from ....protocol.commands import Command, Parameter
from ....protocol.status import DeviceStatus
from ....protocol.types import Choice, DHWMode, Temperature, TouStatus
from ..context import answered, choose, open_context
from ..options import FORCE, Decorator, Group, writes
from ..parsing import Degrees, both, own_unit, parse_degrees, typed
from ..runner import run
from .status import document


@dataclass(frozen=True)
class SetCommand:
    """A word: its rows, how the heater is told, what it takes, what it says afterwards.

    ``act`` gets the argument as ``value``, the word's own option, ``force`` and ``dry_run``.
    ``says`` adds to the sentence that every word ends with.
    """

    name: str
    rows: tuple[Command, ...]
    act: Callable[..., Awaitable[DeviceStatus]]
    example: str = ""
    argument: Decorator | None = None
    option: Decorator | None = None
    says: Callable[[DeviceStatus], str] | None = None


def _days_or_off(text: str) -> int | str:
    """``off``, or a number of days; None would be a missing argument to click."""
    if text == "off" or text.isdecimal():
        return text if text == "off" else int(text)
    raise ValueError(f"{text!r} is neither a number of days nor off")


def plain(
    row: Command,
    name: str = "",
    example: str = "",
    says: Callable[[DeviceStatus], str] | None = None,
) -> SetCommand:
    """The word of one row, with an argument for each of its parameters."""

    async def act(
        heater: NaviLinkDevice, *, force: bool, dry_run: bool, **given: Any
    ) -> DeviceStatus:
        bare = any(isinstance(value, Degrees) and not value.unit for value in given.values())
        own = own_unit(await heater.get_status()) if bare else ""
        values = {
            entry.name: _raw(entry.codec, given[f"value_{entry.name}"], own)
            for entry in row.parameters
        }
        return await heater.control(row, force=force, dry_run=dry_run, **values)

    def arguments(command: Callable[..., Any]) -> Callable[..., Any]:
        for entry in reversed(row.parameters):
            kind, metavar, _ = _kind(entry)
            # A name of its own: --speed and --device are there already.
            command = click.argument(f"value_{entry.name}", type=kind, metavar=metavar)(command)
        return command

    example = example or " ".join(_kind(entry)[2] for entry in row.parameters)
    return SetCommand(
        name or row.name.replace("_", "-"), (row,), act, example, arguments, says=says
    )


def _kind(entry: Parameter) -> tuple[Any, str | None, str]:
    """What is typed for a parameter, what the help calls it, and an example."""
    if issubclass(entry.codec, Choice):
        members = range(int(entry.lowest), int(entry.highest) + 1)
        names = [entry.codec(one).text.replace(" ", "-") for one in members]
        return click.Choice(names), None, names[0]
    if issubclass(entry.codec, Temperature):
        return typed(parse_degrees), "120F|49C", "120F"
    return int, entry.name.upper(), "1" if isinstance(entry.lowest, str) else str(int(entry.lowest))


def _raw(codec: type[int], value: Any, own: str) -> int:
    """What is sent for what was typed."""
    if issubclass(codec, Choice):
        return codec[value.replace("-", "_").upper()]
    if issubclass(codec, Temperature):
        ((unit, degrees),) = value.named(own).items()
        return int(getattr(codec, f"from_{unit}")(degrees))
    return int(value)


async def _temperature(
    heater: NaviLinkDevice, value: Degrees, unit: str | None, **how: bool
) -> DeviceStatus:
    if value.unit and unit and value.unit != unit:
        raise click.UsageError(f"The temperature is in {value.unit}, --unit says {unit}.")
    # The heater knows which unit it shows; asked only when it matters.
    wanted = value.unit or unit or own_unit(await heater.get_status())
    return await heater.set_temperature(**value.named(wanted), **how)


def _disinfection(status: DeviceStatus) -> str:
    use, period = status.anti_legionella_use, status.anti_legionella_period
    if use is not None and use.active:
        return f"The tank is disinfected every {_days(period)}."
    return f"The tank is not disinfected; the period of {_days(period)} is kept."


def _filter(status: DeviceStatus) -> str:
    hours = f"The air filter has {status.cumulated_op_time_eva_fan or 0} fan hours"
    if not status.air_filter_alarm_period:
        return f"{hours}; its reminder is off."
    return f"{hours}; its reminder comes at {status.air_filter_alarm_period}."


def _recirculation(status: DeviceStatus) -> str:
    mode = status.recirc_operation_mode
    return f"Recirculation: {'-' if mode is None else mode.text}."


def time_of_use(status: DeviceStatus) -> str:
    """Whether the plan is followed."""
    if status.tou_status == TouStatus.OFF:
        return "Time of use is off: the heater follows no plan."
    return "Time of use is on: the heater follows its plan."


def _days(days: int | None) -> str:
    return "an unknown time" if days is None else f"{days} day{'' if days == 1 else 's'}"


def _argument(kind: Any, metavar: str | None = None) -> Decorator:
    return click.argument("value", type=kind, metavar=metavar)


_ON_OFF = _argument(click.Choice(["on", "off"]))
_UNIT = click.option(
    "--unit",
    type=click.Choice(["F", "C"]),
    help="Of a bare number.  [default: the unit the heater shows]",
)

# fmt: off
_OWN = (
    SetCommand(
        "temperature", (commands.TEMPERATURE,), _temperature,
        "120F", _argument(typed(parse_degrees), "120F|49C"), _UNIT,
    ),
    plain(commands.DHW_MODE, "mode", "energy-saver"),
    SetCommand(
        "power", (commands.POWER_ON, commands.POWER_OFF),
        lambda heater, value, **how:
            heater.turn_on(**how) if value == "on" else heater.turn_off(**how),
        "off", _ON_OFF,
    ),
    plain(commands.VACATION, example="14"),
    plain(
        commands.VACATION_DAYS, example="14",
        says=lambda status: f"A vacation lasts {_days(status.vacation_day_setting)}.",
    ),
    SetCommand(
        "anti-legionella", (commands.ANTI_LEGIONELLA_ON, commands.ANTI_LEGIONELLA_OFF),
        lambda heater, value, **how:
            heater.set_anti_legionella(days=None if value == "off" else value, **how),
        "14", _argument(typed(_days_or_off), "DAYS|off"), says=_disinfection,
    ),
    SetCommand(
        "demand-response", (commands.DEMAND_RESPONSE_ON, commands.DEMAND_RESPONSE_OFF),
        lambda heater, value, **how: heater.set_demand_response(value == "on", **how),
        "on", _ON_OFF,
    ),
    SetCommand(
        "tou", (commands.TOU_ON, commands.TOU_OFF),
        lambda heater, value, **how: heater.set_tou(value == "on", **how),
        "on", _ON_OFF, says=time_of_use,
    ),
    SetCommand(
        "intelligent", (commands.INTELLIGENT_ON, commands.INTELLIGENT_OFF),
        lambda heater, value, **how: heater.set_intelligent(value == "on", **how),
        "on", _ON_OFF,
    ),
    plain(commands.WATER_PROGRAM),
    plain(commands.AIR_FILTER_LIFE, example="3000", says=_filter),
    plain(commands.AIR_FILTER_RESET, says=_filter),
    plain(commands.RESET_CONDENSER_FAULT, "condenser-reset"),
    plain(commands.RECIRC_MODE, "recirculation", "weekly", says=_recirculation),
    plain(commands.RECIRC_HOT_BUTTON, "hot-button"),
)
# fmt: on

#: Every control of the table: what is said in another way first, then each other row by its name.
WORDS = _OWN + tuple(
    plain(row)
    for row in commands.COMMANDS
    if row.is_control and not any(row in word.rows for word in _OWN)
)


@click.group("set", cls=Group)
def set_() -> None:
    """Tell the heater what to do, and see that it did.

    Each word is sent once and only when it does not hold already: any of them can make the heater
    start heating. It succeeds when the heater's own answer shows the wish.

    Example: navien-nwp500 set temperature 120F
    """


async def put(
    word: SetCommand, simulate: bool, speed: float, device: str | None, as_json: bool, **wish: Any
) -> None:
    """Tell the heater one word and print what it now is."""
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        status = await answered(word.act(heater, **wish))
        if as_json:
            print(json.dumps(_document(heater, status), indent=2))
        else:
            print("\n".join(_sentences(word, status)))


def register(group: click.Group, word: SetCommand) -> None:
    """Make a word a command of ``group``."""

    def command(**options: Any) -> None:
        run(put(word, **options))

    for decorate in (FORCE, writes, word.option, word.argument):
        if decorate is not None:
            command = decorate(command)
    meaning = " ".join(row.meaning for row in word.rows)
    example = f"navien-nwp500 {group.name} {word.name} {word.example}".rstrip()
    text = f"{meaning}\n\nExample: {example}"
    group.command(word.name, help=text, short_help=meaning)(command)


def _document(heater: NaviLinkDevice, status: DeviceStatus) -> dict[str, Any]:
    found = document(heater, status)
    if status.held_mode is not None:
        found["held_mode"] = status.held_mode.to_json()
    if status.would_send is not None:
        found["would_send"] = status.would_send
    return found


def _sentences(word: SetCommand, status: DeviceStatus) -> list[str]:
    said = []
    if status.would_send is not None:
        said.append(_would_send(status.would_send))
    elif status.command == commands.STATUS.code:
        said.append("This holds already; nothing was sent.")
    elif status.held_mode is not None:
        said.append(f"Mode {status.held_mode.text} is held until the time-of-use window ends.")
    elif not any(row.expects for row in word.rows):
        said.append("The heater acknowledged it; no field of its status shows it.")
    if word.says is not None:
        said.append(word.says(status))
    return [*said, state(status)]


def _would_send(body: dict[str, Any]) -> str:
    return (
        f"Would send command {body['command']}, {body['mode']} {body['param']}; nothing was sent."
    )


def state(status: DeviceStatus) -> str:
    """What the heater now is, in a sentence."""
    mode = status.dhw_operation_setting
    setpoint = both(status.dhw_temperature_setting, own_unit(status))
    if mode == DHWMode.POWER_OFF:
        return f"The heater is off; its setpoint is {setpoint}."
    if mode == DHWMode.VACATION:
        days = _days(status.vacation_day_setting)
        return f"The heater is on vacation for {days}; its setpoint is {setpoint}."
    name = "unknown" if mode is None else mode.text
    return f"The heater is set to {setpoint}; mode {name}, {status.activity.value}."


for _word in WORDS:
    register(set_, _word)
