"""The command ``set``, with one subcommand per control command of ``protocol.commands``.

A control command without an entry in ``_CUSTOM`` gets a subcommand of its own name. The help is the
meaning of the control commands.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Awaitable, Callable, Mapping, NamedTuple

import click

from ....device import NaviLinkDevice
from ....protocol import commands
from ....protocol.commands import Command, Parameter
from ....protocol.status import DeviceStatus
from ....protocol.types import Choice, Temperature, TouStatus
from ..boost_command import boost_command
from ..context import open_device, wait_response
from ..formatting import (
    UNCHANGED,
    days_in_words,
    display_unit,
    print_json,
    state_text,
    status_json,
)
from ..options import WRITE_OPTIONS, Decorator, Group
from ..output import print_result
from ..parsing import Degrees, option_type, parse_date, parse_degrees
from ..runner import run_async

#: Heating resumes 9 h before a vacation ends (PROTOCOL 6.10).
_VACATION_LEAD = timedelta(hours=9)
_DAYS = commands.VACATION.parameters[0]

Describe = Callable[[DeviceStatus], str]


class SetCommand(NamedTuple):
    """A subcommand, and the control commands it sends by its argument (empty for a single one).

    ``send`` gets the heater, the argument as ``value``, the ``option``, ``force`` and ``dry_run``.
    ``describe`` returns a sentence to print before the heater's state. With ``outlook``, which
    tells from the status and the time of sending what will happen when, ``send`` also gets ``now``.
    """

    name: str
    controls: Mapping[str, Command]
    send: Callable[..., Awaitable[DeviceStatus]]
    example: str = ""
    argument: Decorator | None = None
    option: Decorator | None = None
    describe: Describe | None = None
    outlook: Callable[[DeviceStatus, datetime], Mapping[str, datetime]] | None = None


def single(
    control: Command, name: str = "", example: str = "", describe: Describe | None = None
) -> SetCommand:
    """Make a subcommand of one control command, with an argument for each of its parameters."""

    async def send(
        heater: NaviLinkDevice, *, force: bool, dry_run: bool, **typed: Any
    ) -> DeviceStatus:
        unitless = any(isinstance(value, Degrees) and not value.unit for value in typed.values())
        unit = display_unit(await heater.get_status()) if unitless else ""
        values = {
            one.name: _raw_value(one.codec, typed[f"value_{one.name}"], unit)
            for one in control.parameters
        }
        return await heater.control(control, force=force, dry_run=dry_run, **values)

    def arguments(function: Callable[..., Any]) -> Callable[..., Any]:
        for one in reversed(control.parameters):
            kind, metavar, _ = _argument_type(one)
            # Prefixed, because --speed and --device exist already.
            function = click.argument(f"value_{one.name}", type=kind, metavar=metavar)(function)
        return function

    name = name or control.name.replace("_", "-")
    example = example or " ".join(_argument_type(one)[2] for one in control.parameters)
    return SetCommand(name, {"": control}, send, example, arguments, describe=describe)


def _argument_type(parameter: Parameter) -> tuple[Any, str | None, str]:
    """Return the type of a parameter's argument, its name in the help, and an example."""
    codec, lowest = parameter.codec, parameter.lowest
    if issubclass(codec, Choice):
        members = range(int(lowest), int(parameter.highest) + 1)
        names = [codec(one).text.replace(" ", "-") for one in members]
        return click.Choice(names), None, names[0]
    if issubclass(codec, Temperature):
        return option_type(parse_degrees), "120F|49C", "120F"
    return int, parameter.name.upper(), "1" if isinstance(lowest, str) else str(int(lowest))


def _raw_value(codec: type[int], value: Any, unit: str) -> int:
    """Convert the typed value to the wire integer."""
    if issubclass(codec, Choice):
        return codec[value.replace("-", "_").upper()]
    if issubclass(codec, Temperature):
        ((unit_name, degrees),) = value.argument(unit).items()
        return int(getattr(codec, f"from_{unit_name}")(degrees))
    return int(value)


def _switch(name: str, on: Command, off: Command, describe: Describe | None = None) -> SetCommand:
    """Make a subcommand of two control commands, with the argument on or off."""
    controls = {"on": on, "off": off}
    return SetCommand(
        name,
        controls,
        lambda heater, value, **options: heater.control(controls[value], **options),
        "on",
        click.argument("value", type=click.Choice(list(controls))),
        describe=describe,
    )


async def _set_temperature(
    heater: NaviLinkDevice, value: Degrees, unit: str | None, **options: bool
) -> DeviceStatus:
    if value.unit and unit and value.unit != unit:
        raise click.UsageError(f"The temperature is in {value.unit}, but --unit is {unit}.")
    # Requested only if needed.
    unit = value.unit or unit or display_unit(await heater.get_status())
    return await heater.set_temperature(**value.argument(unit), **options)


async def _start_vacation(
    heater: NaviLinkDevice, value: int | None, until: date | None, now: datetime, **options: bool
) -> DeviceStatus:
    if (value is None) == (until is None):
        raise click.UsageError("Give either DAYS or --until DATE.")
    if until is None:
        return await heater.start_vacation(days=value or 0, **options)
    days = (until - now.date()).days
    low, high = (int(limit) for limit in (_DAYS.lowest, _DAYS.highest))
    if not low <= days <= high:
        first, last = (now.date() + timedelta(limit) for limit in (low, high))
        raise click.UsageError(f"--until is {until}; it may be {first} to {last}.")
    # A vacation of as many days that began earlier ends earlier, so it is always sent.
    return await heater.start_vacation(days=days, **{**options, "force": True})


def _vacation_outlook(status: DeviceStatus, now: datetime) -> Mapping[str, datetime]:
    """Return when heating resumes and when the vacation ends; nothing for one that runs already."""
    days = status.vacation_day_setting
    if status.would_send is not None:
        days = status.would_send["param"][-1]
    elif status.command != commands.VACATION.code:
        return {}
    end = now.replace(tzinfo=None) + timedelta(days=days or 0)
    return {"heating_resumes": end - _VACATION_LEAD, "vacation_ends": end}


def _set_anti_legionella(
    heater: NaviLinkDevice, value: int | str, **options: bool
) -> Awaitable[DeviceStatus]:
    days = None if isinstance(value, str) else value
    return heater.set_anti_legionella(days=days, **options)


def _parse_days_or_off(text: str) -> int | str:
    """Parse a number of days or ``off``; click takes None for a missing argument."""
    if text == "off" or text.isdecimal():
        return text if text == "off" else int(text)
    raise ValueError(f"{text!r} is neither a number of days nor off")


def _describe_disinfection(status: DeviceStatus) -> str:
    use, period = status.anti_legionella_use, status.anti_legionella_period
    if use is not None and use.active:
        return f"The tank is disinfected every {days_in_words(period)}."
    return f"The tank is not disinfected. The stored period is {days_in_words(period)}."


def _describe_vacation(status: DeviceStatus) -> str:
    return f"A vacation lasts {days_in_words(status.vacation_day_setting)}."


def _describe_filter(status: DeviceStatus) -> str:
    hours = f"The air filter has {status.cumulated_op_time_eva_fan or 0} fan hours"
    if not status.air_filter_alarm_period:
        return f"{hours}; its reminder is off."
    return f"{hours}; its reminder comes at {status.air_filter_alarm_period}."


def _describe_recirculation(status: DeviceStatus) -> str:
    mode = status.recirc_operation_mode
    return f"Recirculation: {'-' if mode is None else mode.text}."


def describe_time_of_use(status: DeviceStatus) -> str:
    """Describe whether the heater follows its time-of-use plan."""
    if status.tou_status == TouStatus.OFF:
        return "Time of use is off: the heater follows no plan."
    return "Time of use is on: the heater follows its plan."


_CUSTOM = (
    SetCommand(
        "temperature",
        {"": commands.TEMPERATURE},
        _set_temperature,
        "120F",
        click.argument("value", type=option_type(parse_degrees), metavar="120F|49C"),
        click.option(
            "--unit",
            type=click.Choice(["F", "C"]),
            help="Unit of a number without one.  [default: as the heater displays]",
        ),
    ),
    single(commands.DHW_MODE, "mode", "energy-saver"),
    _switch("power", commands.POWER_ON, commands.POWER_OFF),
    SetCommand(
        "vacation",
        {"": commands.VACATION},
        _start_vacation,
        "--until 2026-12-24",
        click.argument("value", type=int, metavar="[DAYS]", required=False),
        click.option(
            "--until",
            metavar="DATE",
            type=option_type(parse_date),
            help="End it on this day, as 2026-12-24; heating resumes 9 hours before the end.",
        ),
        outlook=_vacation_outlook,
    ),
    single(commands.VACATION_DAYS, example="14", describe=_describe_vacation),
    SetCommand(
        "anti-legionella",
        {"DAYS": commands.ANTI_LEGIONELLA_ON, "off": commands.ANTI_LEGIONELLA_OFF},
        _set_anti_legionella,
        "14",
        click.argument("value", type=option_type(_parse_days_or_off), metavar="DAYS|off"),
        describe=_describe_disinfection,
    ),
    _switch("demand-response", commands.DEMAND_RESPONSE_ON, commands.DEMAND_RESPONSE_OFF),
    _switch("tou", commands.TOU_ON, commands.TOU_OFF, describe_time_of_use),
    _switch("intelligent", commands.INTELLIGENT_ON, commands.INTELLIGENT_OFF),
    single(commands.AIR_FILTER_LIFE, example="3000", describe=_describe_filter),
    single(commands.AIR_FILTER_RESET, describe=_describe_filter),
    single(commands.RESET_CONDENSER_FAULT, "condenser-reset"),
    single(commands.RECIRC_MODE, "recirculation", "weekly", describe=_describe_recirculation),
    single(commands.RECIRC_HOT_BUTTON, "hot-button"),
)

SET_COMMANDS = _CUSTOM + tuple(
    single(control)
    for control in commands.COMMANDS
    if control.is_control and not any(control in custom.controls.values() for custom in _CUSTOM)
)


@click.group("set", cls=Group)
def set_command() -> None:
    """Change a setting of the heater.

    A command is sent once, and only if the heater does not have the setting yet, because any
    command can make it start heating. It succeeds only if the heater's response
    confirms the new setting.

    Example: navien-nwp500 set temperature 120F
    """


def register(group: click.Group, command: SetCommand) -> None:
    """Add a subcommand to a group."""

    @run_async
    async def callback(simulate: bool, as_json: bool, **options: Any) -> None:
        account = {name: options.pop(name) for name in ("speed", "device", "no_session_file")}
        async with open_device(simulate, **account) as (context, heater):
            now = context.now()
            if command.outlook is not None:
                options["now"] = now
            status = await wait_response(command.send(heater, **options))
            outlook = {} if command.outlook is None else command.outlook(status, now)
            done = status.would_send is None
            if as_json:
                times = {name: time.isoformat(timespec="minutes") for name, time in outlook.items()}
                print_json(heater, done=done, **_json(status), **times)
            else:
                lines = [*_sentences(command, status), *_times(outlook), state_text(status)]
                print_result("\n".join(lines), done=done)

    force = click.option(
        "--force", is_flag=True, help="Send the command even if the heater has this setting."
    )
    for decorate in (force, WRITE_OPTIONS, command.option, command.argument):
        if decorate is not None:
            callback = decorate(callback)
    meaning = " ".join(
        f"{argument}: {control.meaning}" if argument else control.meaning
        for argument, control in command.controls.items()
    )
    example = f"navien-nwp500 {group.name} {command.name} {command.example}".rstrip()
    text = f"{meaning}\n\nExample: {example}"
    group.command(command.name, help=text, short_help=meaning)(callback)


def _json(status: DeviceStatus) -> dict[str, Any]:
    content = status_json(status)
    if status.held_mode is not None:
        content["held_mode"] = status.held_mode.to_json()
    if status.would_send is not None:
        content["would_send"] = status.would_send
    return content


def _sentences(command: SetCommand, status: DeviceStatus) -> list[str]:
    sentences = []
    if status.would_send is not None:
        code, mode = status.would_send["command"], status.would_send["mode"]
        param = [int(value) for value in status.would_send["param"]]
        sentences.append(f"Dry run: would send command {code}, {mode} {param}. Nothing was sent.")
    elif status.command == commands.STATUS.code:
        sentences.append(UNCHANGED)
    elif status.held_mode is not None:
        mode = status.held_mode.text
        sentences.append(f"The mode changes to {mode} when the time-of-use window ends.")
    elif not any(control.expects for control in command.controls.values()):
        sentences.append("The heater accepted the command; its status does not show the result.")
    if command.describe is not None:
        sentences.append(command.describe(status))
    return sentences


def _times(outlook: Mapping[str, datetime]) -> list[str]:
    if not outlook:
        return []
    resumes, ends = outlook["heating_resumes"], outlook["vacation_ends"]
    return [
        f"Heating resumes on {resumes:%A} {resumes.day} {resumes:%B} at about {resumes:%H:%M}, so that",
        f"the water is hot when the vacation ends on {ends:%A} {ends.day} {ends:%B} at {ends:%H:%M}.",
    ]


for _command in SET_COMMANDS:
    register(set_command, _command)
set_command.add_command(boost_command)
