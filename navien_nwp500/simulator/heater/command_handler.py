"""The heater obeys: a request, the row of the command table it matches, and what it does.

What a heater does not understand or does not have is left unanswered; a value it does not allow
is answered with an unchanged status (PROTOCOL 4.4, which leaves open which is when).
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ...protocol import commands
from ...protocol.commands import Command
from ...protocol.features import DeviceFeatures
from ...protocol.messages import Address, Request
from ...protocol.types import DHWMode, HalfCelsius, RecircMode
from .appliance import Heater
from .queries import ANSWERS, HeaterReply, QueryHandler

#: The least time between controls, in seconds of the heater's time: our choice
#: (PROTOCOL 13, point 17). A hurried control is not obeyed and does not begin the interval anew.
CONTROL_INTERVAL = 3.0
#: The codes of controls (PROTOCOL 5.1).
_CONTROLS = range(0x02000000, 0x03000000)
_HURRIED = 2  # failCode, protocol 4.4

Values = Mapping[str, int]


#: The controls that move the machine, and how; any other is kept, and shown as its proof has it.
EFFECTS: Mapping[Command, Callable[[Heater, Values], None]] = {
    commands.POWER_OFF: lambda heater, _: heater.power_off(),
    commands.POWER_ON: lambda heater, _: heater.power_on(),
    commands.DHW_MODE: lambda heater, v: heater.set_mode(DHWMode(v["mode"])),
    commands.VACATION: lambda heater, v: heater.set_mode(DHWMode.VACATION, v["days"]),
    commands.WATER_PROGRAM: lambda heater, _: heater.set_program_reservation(True),
    commands.RECIRC_HOT_BUTTON: lambda heater, _: heater.settings.recirculation.press(),
    commands.RECIRC_MODE: lambda heater, v: heater.set_recirc_mode(RecircMode(v["mode"])),
    commands.TEMPERATURE: lambda heater, v: heater.set_setpoint(HalfCelsius(v["temperature"])),
    commands.VACATION_DAYS: lambda heater, v: heater.set_vacation_days(v["days"]),
    commands.DEMAND_RESPONSE_OFF: lambda heater, _: heater.set_demand_response(False),
    commands.DEMAND_RESPONSE_ON: lambda heater, _: heater.set_demand_response(True),
    commands.ANTI_LEGIONELLA_OFF: lambda heater, _: heater.set_anti_legionella(None),
    commands.ANTI_LEGIONELLA_ON: lambda heater, v: heater.set_anti_legionella(v["days"]),
    commands.AIR_FILTER_RESET: lambda heater, _: heater.reset_air_filter(),
    commands.AIR_FILTER_LIFE: lambda heater, v: heater.set_air_filter_life(v["hours"]),
    commands.TOU_OFF: lambda heater, _: heater.set_tou(False),
    commands.TOU_ON: lambda heater, _: heater.set_tou(True),
}


class Understood(NamedTuple):
    """A request and the row it matches, with the parameters by name."""

    command: Command
    values: Values


def understand(suffix: str, code: int, body: Mapping[str, Any]) -> Understood | None:
    """Find the row of a request; None when there is none, or it is not worded as the row is."""
    numbers = body.get("param", [])
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        return None
    command = commands.find_command(code, suffix, numbers)
    if command is None or (command.mode is not None and body.get("mode") != command.mode):
        return None
    if command is commands.DHW_MODE and tuple(numbers) == commands.VACATION.constants:
        return None  # vacation without days (PROTOCOL 4.4)
    return Understood(command, command.parse_param(numbers) or {})


def allowed(understood: Understood, features: DeviceFeatures) -> bool:
    """Whether this heater takes the values: those of a row's limits and of its open gates."""
    command, values = understood
    if not all(entry.allows(values[entry.name], features) for entry in command.parameters):
        return False
    first = values[command.parameters[0].name] if command.parameters else None
    return all(
        gate.available(features) for value, gate in command.value_capabilities if value == first
    )


class CommandHandler:
    """Does what requests say, and says what the heater answers."""

    def __init__(
        self,
        heater: Heater,
        address: Address,
        *,
        control_interval: float = CONTROL_INTERVAL,
        seed: int = 0,
    ) -> None:
        self._heater = heater
        self._address = address
        self._answers = QueryHandler(heater, address, Random(seed))
        self._interval = control_interval
        self._last_control: datetime | None = None

    def obey(self, asked: Request) -> Sequence[HeaterReply]:
        """Do it, and return the answers in their order; none when there is nothing to say."""
        suffix = asked.topic[len(self._address.command_topic("")) :]
        understood = understand(suffix, asked.code, asked.body)
        features = self._heater.features
        if understood is None or not all(
            g.available(features) for g in understood.command.capabilities
        ):
            return []
        if asked.code in _CONTROLS and self._is_hurried():
            body = {"swVersion": 0, "failCode": _HURRIED}
            return [HeaterReply(f"{self._address.push_topic}/ctrl-fail", body)]
        answer = ANSWERS.get(understood.command)
        if answer is not None:
            return answer(self._answers, asked)
        if allowed(understood, features):
            self._do(*understood)
        return self._answers.status(asked)

    def _do(self, command: Command, values: Values) -> None:
        if command in EFFECTS:
            EFFECTS[command](self._heater, values)
        else:
            self._heater.keep(command.expected_fields(values))

    def _is_hurried(self) -> bool:
        """Whether the last control is too recent; if not, this one is now the last."""
        now = self._heater.now
        last, interval = self._last_control, self._interval
        if last is not None and (now - last).total_seconds() < interval:
            return True
        self._last_control = now
        return False
