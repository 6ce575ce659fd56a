"""Requests to the simulated heater: find the command definition, apply it, build the replies.

A request the heater does not understand or support gets no reply. A value it does not allow gets
an unchanged status (PROTOCOL 4.4, which leaves open when each of the two happens).
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ...exceptions import ProtocolError
from ...protocol import commands
from ...protocol.commands import Command
from ...protocol.features import DeviceFeatures
from ...protocol.messages import Address, Request
from ...protocol.types import DHWMode, HalfCelsius, RecircMode
from .query_handler import QUERY_METHODS, HeaterReply, QueryHandler, list_replies, refusal
from .simulated_heater import Heater

#: The least time between two controls, in seconds of the heater's time, our choice
#: (PROTOCOL 13, point 17). A control that is refused does not restart the interval.
CONTROL_INTERVAL = 3.0
#: Codes of the controls (PROTOCOL 5.1).
_CONTROL_CODES = range(0x02000000, 0x03000000)
_TOO_SOON = 2  # failCode (PROTOCOL 4.4)

Values = Mapping[str, int]


#: Controls with an effect on the simulation. Any other only sets the status fields it expects.
EFFECTS: Mapping[Command, Callable[[Heater, Values], None]] = {
    commands.POWER_OFF: lambda heater, _: heater.power_off(),
    commands.POWER_ON: lambda heater, _: heater.power_on(),
    commands.DHW_MODE: lambda heater, v: heater.set_mode(DHWMode(v["mode"])),
    commands.VACATION: lambda heater, v: heater.set_mode(DHWMode.VACATION, v["days"]),
    commands.WATER_PROGRAM: lambda heater, _: heater.set_reservations_enabled(True),
    commands.RECIRC_HOT_BUTTON: lambda heater, _: heater.settings.recirculation.press_hot_button(),
    commands.RECIRC_MODE: lambda heater, v: heater.set_recirc_mode(RecircMode(v["mode"])),
    commands.TEMPERATURE: lambda heater, v: heater.set_setpoint(HalfCelsius(v["temperature"])),
    commands.VACATION_DAYS: lambda heater, v: heater.set_vacation_days(v["days"]),
    commands.DEMAND_RESPONSE_OFF: lambda heater, _: heater.set_demand_response(False),
    commands.DEMAND_RESPONSE_ON: lambda heater, _: heater.set_demand_response(True),
    commands.ANTI_LEGIONELLA_OFF: lambda heater, _: heater.set_anti_legionella(None),
    commands.ANTI_LEGIONELLA_ON: lambda heater, v: heater.set_anti_legionella(v["days"]),
    commands.AIR_FILTER_RESET: lambda heater, _: heater.reset_air_filter(),
    commands.AIR_FILTER_LIFE: lambda heater, v: heater.set_air_filter_life(v["hours"]),
    commands.TOU_OFF: lambda heater, _: heater.set_tou_enabled(False),
    commands.TOU_ON: lambda heater, _: heater.set_tou_enabled(True),
}


class ParsedCommand(NamedTuple):
    """Command definition of a request, and its parameters by name."""

    command: Command
    values: Values


def parse_command(suffix: str, code: int, body: Mapping[str, Any]) -> ParsedCommand | None:
    """Return the command of a request; None when no definition has its code, topic and numbers."""
    numbers = body.get("param", [])
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        return None
    # The numeric code decides; the text in ``mode`` selects nothing (PROTOCOL 4.1).
    command = commands.find_command(code, suffix, numbers)
    if command is None:
        return None
    if command is commands.DHW_MODE and numbers == [DHWMode.POWER_OFF]:
        return ParsedCommand(commands.POWER_OFF, {})  # as its clients expect (PROTOCOL 5.5)
    if command is commands.DHW_MODE and tuple(numbers) == commands.VACATION.constants:
        return None  # vacation without days (PROTOCOL 4.4)
    return ParsedCommand(command, command.parse_param(numbers) or {})


def values_allowed(parsed: ParsedCommand, features: DeviceFeatures) -> bool:
    """Check the values against the limits of the command and the capabilities of the heater."""
    command, values = parsed
    if not all(entry.allows(values[entry.name], features) for entry in command.parameters):
        return False
    first = values[command.parameters[0].name] if command.parameters else None
    return all(
        capability.available(features)
        for value, capability in command.value_capabilities
        if value == first
    )


class CommandHandler:
    """Requests to one simulated heater."""

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
        self._queries = QueryHandler(heater, address, Random(seed))
        self._interval = control_interval
        self._last_control: datetime | None = None

    def handle(self, request: Request) -> Sequence[HeaterReply]:
        """Apply a request; return the replies in their order, or none."""
        parsed = self._parse(request)
        if parsed is None:
            return []
        if request.code in _CONTROL_CODES and self._is_too_soon():
            return [self.refusal()]
        return self._execute(request, parsed)

    def acknowledge(self, request: Request) -> Sequence[HeaterReply]:
        """Return the replies to a write without its effect: a list as it was requested, or the status."""
        parsed = self._parse(request)
        if parsed is None:
            return []
        if request.code in _CONTROL_CODES and self._is_too_soon():
            return [self.refusal()]
        if parsed.command not in QUERY_METHODS:
            return self._queries.status(request)
        listed = {key: request.body.get(key) for key in ("reservationUse", "reservation")}
        try:
            return list_replies(request, listed)
        except ProtocolError:
            return []

    def apply(self, request: Request) -> None:
        """Apply a write that was acknowledged before."""
        parsed = self._parse(request)
        if parsed is not None:
            self._execute(request, parsed)

    def refusal(self, fail_code: int = _TOO_SOON) -> HeaterReply:
        """Return the reply to a control that the heater refuses (PROTOCOL 4.4)."""
        return refusal(self._address, fail_code)

    def _parse(self, request: Request) -> ParsedCommand | None:
        """Return the command of a request; None if this heater does not have it."""
        suffix = request.topic[len(self._address.command_topic("")) :]
        parsed = parse_command(suffix, request.code, request.body)
        features = self._heater.features
        if parsed is None or not all(
            capability.available(features) for capability in parsed.command.capabilities
        ):
            return None
        return parsed

    def _execute(self, request: Request, parsed: ParsedCommand) -> Sequence[HeaterReply]:
        query = QUERY_METHODS.get(parsed.command)
        if query is not None:
            return query(self._queries, request)
        if values_allowed(parsed, self._heater.features):
            self._apply(*parsed)
        return self._queries.status(request)

    def _apply(self, command: Command, values: Values) -> None:
        if command in EFFECTS:
            EFFECTS[command](self._heater, values)
        else:
            self._heater.set_status_fields(command.expected_fields(values))

    def _is_too_soon(self) -> bool:
        """Check the time since the last control; if it suffices, this control is now the last."""
        now = self._heater.now
        last, interval = self._last_control, self._interval
        if last is not None and (now - last).total_seconds() < interval:
            return True
        self._last_control = now
        return False
