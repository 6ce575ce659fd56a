"""Entities that control a heater in Home Assistant, one table: what each shows and sends.

A command of ``protocol.commands`` gets its entity by one row of ``CONTROLS``. A heater has the
entity if it has the capabilities of the row's commands. Each row has a topic ``<mac>/<key>/set``;
the water heater uses those of ``temperature``, ``mode`` and ``power``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Awaitable, Callable, Mapping, Sequence

from ...exceptions import ValueOutOfRangeError
from ...protocol import commands
from ...protocol.commands import Command
from ...protocol.features import DeviceFeatures
from ...protocol.status import DeviceStatus
from ...protocol.types import DhwControl, DHWMode, Flag, HalfCelsius, Quantity, TouStatus
from .controlled_heater import (
    DATE,
    OFF,
    ON,
    PRESS,
    RECIRCULATION_MODES,
    SHOWN_MODES,
    ControlledHeater,
    is_on,
    mode_of,
    whole_number,
)
from .entities import (
    Traits,
    known_words,
    on_off,
    setpoint_limits,
    shown_degrees,
    shows_fahrenheit,
    words,
)
from .schedule_json import schedule_values

Send = Callable[[ControlledHeater, str], Awaitable[DeviceStatus]]
Value = Callable[[ControlledHeater, DeviceStatus], Any]


@dataclass(frozen=True)
class Control:
    """Control entity: its name, what it shows, and what it sends for a payload."""

    key: str
    platform: str
    name: str
    #: Commands that it sends; the heater must have the capabilities of all.
    commands: Sequence[Command]
    send: Send
    #: Value by the status, None for a button, which has none.
    value: Value | None = None
    #: Status field that it shows: without control, that field's own entity is enabled instead.
    shows: str | None = None
    traits: Traits = field(default_factory=dict)
    #: Further traits, by the features and whether the heater is set to Fahrenheit.
    limits: Callable[[DeviceFeatures, bool], Traits] | None = None
    #: Waiting commands, besides its own, that one of this makes pointless.
    replaces: Sequence[str] = ()
    #: A setting that a person rarely changes.
    configuration: bool = True
    enabled: bool = True

    def available(self, features: DeviceFeatures) -> bool:
        """Return True if the heater has the capabilities of all commands."""
        return all(
            capability.available(features)
            for command in self.commands
            for capability in command.capabilities
        )

    def entity(self, features: DeviceFeatures, fahrenheit: bool) -> dict[str, Any]:
        """Return its component of the discovery message, without identity and topic."""
        entity: dict[str, Any] = {"platform": self.platform, "name": self.name, **self.traits}
        if self.value is not None:
            entity["value_template"] = f"{{{{ value_json['{self.key}'] }}}}"
        if self.limits is not None:
            entity.update(self.limits(features, fahrenheit))
        if self.configuration:
            entity["entity_category"] = "config"
        if not self.enabled:
            entity["enabled_by_default"] = False
        return entity


# What is sent for a payload.


def _switch(on: Command, off: Command) -> Send:
    """Return what sends one of two commands without parameters."""

    async def send(target: ControlledHeater, payload: str) -> DeviceStatus:
        return await target.heater.control(on if is_on(payload) else off)

    return send


def _unseen_switch(key: str, on: Command, off: Command) -> Mapping[str, Any]:
    """Return what a switch sends and shows if no status field shows its state."""

    async def send(target: ControlledHeater, payload: str) -> DeviceStatus:
        status = await target.heater.control(on if is_on(payload) else off)
        target.accepted[key] = payload
        return status

    return {
        "commands": (on, off),
        "send": send,
        "value": lambda target, status: target.accepted.get(key),
    }


def _button(command: Command) -> Mapping[str, Any]:
    """Return what a button sends."""

    async def send(target: ControlledHeater, payload: str) -> DeviceStatus:
        if payload != PRESS:
            raise ValueOutOfRangeError(f"the value must be {PRESS}")
        return await target.heater.control(command, force=True)

    return {"commands": (command,), "send": send}


def _number(command: Command) -> Mapping[str, Any]:
    """Return what a number of a command with one parameter sends and allows."""
    (parameter,) = command.parameters

    async def send(target: ControlledHeater, payload: str) -> DeviceStatus:
        values: dict[str, Any] = {parameter.name: whole_number(payload)}
        return await target.heater.control(command, **values)

    return {"commands": (command,), "send": send, "limits": _number_limits(command)}


def _number_limits(command: Command) -> Callable[[DeviceFeatures, bool], Traits]:
    (parameter,) = command.parameters

    def limits(features: DeviceFeatures, fahrenheit: bool) -> Traits:
        low, high = parameter.limits(features)
        assert issubclass(parameter.codec, Quantity)
        unit = {"unit_of_measurement": parameter.codec.unit, "device_class": "duration"}
        low = min((low, *parameter.also_allowed))
        return {"min": low, "max": high, "step": parameter.step, "mode": "box", **unit}

    return limits


def _temperature_limits(features: DeviceFeatures, fahrenheit: bool) -> Traits:
    (parameter,) = commands.TEMPERATURE.parameters
    low, high = (HalfCelsius(one) for one in parameter.limits(features))
    first, last = setpoint_limits(low, high, fahrenheit)
    unit = "°F" if fahrenheit else "°C"
    return {
        "min": first,
        "max": last,
        "step": 1 if fahrenheit or whole_degrees(features) else 0.5,
        "unit_of_measurement": unit,
        "command_template": degrees_template(fahrenheit),
    }


def whole_degrees(features: DeviceFeatures) -> bool:
    """Return True if the heater takes whole degrees Celsius alone."""
    return features.dhw_temperature_setting_use == DhwControl.ONE_DEGREE


def degrees_template(fahrenheit: bool) -> str:
    """Return the template with which Home Assistant sends a temperature and its unit."""
    return "{{ value }} °F" if fahrenheit else "{{ value }} °C"


def available_modes(features: DeviceFeatures) -> list[DHWMode]:
    """Return the modes that heat which a heater offers."""
    return [
        DHWMode(value)
        for value, capability in commands.DHW_MODE.value_capabilities
        if capability.available(features)
    ]


def _mode_options(features: DeviceFeatures, fahrenheit: bool) -> Traits:
    modes = available_modes(features)
    if _has(commands.VACATION, features):
        modes.append(DHWMode.VACATION)
    # Off is shown as a state, even if the heater does not offer it as a choice.
    return {"options": [words(mode) for mode in (*modes, DHWMode.POWER_OFF)]}


def _has(command: Command, features: DeviceFeatures) -> bool:
    return all(capability.available(features) for capability in command.capabilities)


def _flag(flag: Flag | None) -> str | None:
    return on_off(flag.active) if flag in (Flag.READY, Flag.ACTIVE) else None


_RECIRCULATION = [words(one) for one in RECIRCULATION_MODES]
_VACATION = ("vacation", "vacation_until")

#: The control entities. Give a new command a row here.
CONTROLS: Sequence[Control] = (
    Control(
        key="temperature",
        platform="number",
        name="Setpoint",
        commands=(commands.TEMPERATURE,),
        send=ControlledHeater.set_temperature,
        value=lambda _, status: shown_degrees(
            status.dhw_temperature_setting, shows_fahrenheit(status)
        ),
        shows="dhw_temperature_setting",
        traits={"device_class": "temperature", "mode": "box"},
        limits=_temperature_limits,
        configuration=False,
    ),
    Control(
        key="mode",
        platform="select",
        name="Mode",
        commands=(commands.DHW_MODE,),
        send=ControlledHeater.set_mode,
        value=lambda _, status: _shown_mode(status.dhw_operation_setting),
        shows="dhw_operation_setting",
        traits={"icon": "mdi:water-boiler"},
        limits=_mode_options,
        # A mode also switches the heater on, and ends a vacation.
        replaces=("power", *_VACATION),
        configuration=False,
    ),
    Control(
        key="power",
        platform="switch",
        name="Power switch",
        commands=(commands.POWER_ON, commands.POWER_OFF),
        send=ControlledHeater.set_power,
        value=lambda _, status: _not_off(status.dhw_operation_setting),
        traits={"icon": "mdi:power"},
        # A mode that waits stays: the heater returns to it when it is switched on.
        configuration=False,
    ),
    Control(
        key="vacation",
        platform="switch",
        name="Vacation",
        commands=(commands.VACATION, commands.DHW_MODE),
        send=ControlledHeater.set_vacation,
        value=lambda _, status: on_off(status.dhw_operation_setting == DHWMode.VACATION),
        traits={"icon": "mdi:palm-tree"},
        replaces=_VACATION,
        configuration=False,
    ),
    Control(
        key="vacation_days",
        platform="number",
        name="Vacation days",
        commands=(commands.VACATION_DAYS, commands.VACATION),
        send=ControlledHeater.set_vacation_days,
        value=ControlledHeater.vacation_days,
        shows="vacation_day_setting",
        limits=_number_limits(commands.VACATION_DAYS),
        traits={"icon": "mdi:calendar-range"},
    ),
    Control(
        key="vacation_until",
        platform="text",
        name="Vacation until",
        commands=(commands.VACATION, commands.DHW_MODE),
        send=ControlledHeater.set_vacation_until,
        value=lambda target, _: target.vacation_until,
        traits={"icon": "mdi:calendar-end", "pattern": f"^({DATE})?$", "max": 10},
        replaces=_VACATION,
    ),
    Control(
        key="tou",
        platform="switch",
        name="Time of use",
        commands=(commands.TOU_ON, commands.TOU_OFF),
        send=_switch(commands.TOU_ON, commands.TOU_OFF),
        value=lambda _, status: (
            None if status.tou_status is None else on_off(status.tou_status != TouStatus.OFF)
        ),
        traits={"icon": "mdi:clock-outline"},
    ),
    Control(
        key="reservations",
        platform="switch",
        name="Reservations",
        commands=(commands.WRITE_RESERVATIONS,),
        send=ControlledHeater.set_reservations,
        value=lambda _, status: _flag(status.program_reservation_use),
        shows="program_reservation_use",
        traits={"icon": "mdi:calendar-clock"},
    ),
    Control(
        key="reservation_list",
        platform="notify",
        name="Write reservations",
        commands=(commands.WRITE_RESERVATIONS,),
        send=ControlledHeater.write_reservations,
        traits={"icon": "mdi:calendar-edit"},
    ),
    Control(
        key="tou_periods",
        platform="notify",
        name="Write time-of-use plan",
        commands=(commands.WRITE_TOU,),
        send=ControlledHeater.write_plan,
        traits={"icon": "mdi:clock-edit-outline"},
    ),
    Control(
        key="anti_legionella",
        platform="switch",
        name="Anti-legionella",
        commands=(commands.ANTI_LEGIONELLA_ON, commands.ANTI_LEGIONELLA_OFF),
        send=ControlledHeater.set_anti_legionella,
        value=lambda _, status: _flag(status.anti_legionella_use),
        shows="anti_legionella_use",
        traits={"icon": "mdi:bacteria-outline"},
    ),
    Control(
        key="anti_legionella_days",
        platform="number",
        name="Anti-legionella period",
        commands=(commands.ANTI_LEGIONELLA_ON,),
        send=ControlledHeater.set_disinfection_days,
        value=ControlledHeater.disinfection_days,
        shows="anti_legionella_period",
        limits=_number_limits(commands.ANTI_LEGIONELLA_ON),
        traits={"icon": "mdi:calendar-refresh"},
    ),
    Control(
        key="demand_response",
        platform="switch",
        name="Demand response",
        traits={"icon": "mdi:transmission-tower"},
        **_unseen_switch(
            "demand_response", commands.DEMAND_RESPONSE_ON, commands.DEMAND_RESPONSE_OFF
        ),
    ),
    Control(
        key="intelligent",
        platform="switch",
        name="Intelligent operation",
        enabled=False,
        **_unseen_switch("intelligent", commands.INTELLIGENT_ON, commands.INTELLIGENT_OFF),
    ),
    Control(
        key="recirculation_mode",
        platform="select",
        name="Recirculation mode",
        commands=(commands.RECIRC_MODE,),
        send=ControlledHeater.set_recirculation,
        value=lambda _, status: known_words(status.recirc_operation_mode),
        shows="recirc_operation_mode",
        traits={"icon": "mdi:pump", "options": _RECIRCULATION},
    ),
    Control(
        key="hot_button",
        platform="button",
        name="Hot button",
        traits={"icon": "mdi:gesture-tap-button"},
        configuration=False,
        **_button(commands.RECIRC_HOT_BUTTON),
    ),
    Control(
        key="air_filter_reset",
        platform="button",
        name="Air filter cleaned",
        traits={"icon": "mdi:air-filter"},
        **_button(commands.AIR_FILTER_RESET),
    ),
    Control(
        key="air_filter_life",
        platform="number",
        name="Air filter reminder",
        value=lambda _, status: status.air_filter_alarm_period,
        shows="air_filter_alarm_period",
        traits={"icon": "mdi:air-filter"},
        **_number(commands.AIR_FILTER_LIFE),
    ),
    Control(
        key="water_program",
        platform="button",
        name="Follow reservations",
        enabled=False,
        **_button(commands.WATER_PROGRAM),
    ),
    Control(
        key="condenser_reset",
        platform="button",
        name="Condenser fault reset",
        enabled=False,
        **_button(commands.RESET_CONDENSER_FAULT),
    ),
)

#: What is sent for the payload of a topic, by the name in the topic.
COMMANDS: dict[str, Send] = {one.key: one.send for one in CONTROLS}
#: Waiting commands that a new one makes pointless.
REPLACES: Mapping[str, Sequence[str]] = {one.key: (one.key, *one.replaces) for one in CONTROLS}


def control_values(target: ControlledHeater, status: DeviceStatus) -> dict[str, Any]:
    """Return the values of all controls and schedules, by their keys; None means unknown.

    ``remembered`` is for the next run of the bridge.
    """
    values = {one.key: one.value(target, status) for one in CONTROLS if one.value is not None}
    follower, unit = target.follower, shows_fahrenheit(status)
    schedules = follower.reservations, follower.tou_plan
    shown = schedule_values(*schedules, unit, datetime.now())
    return {**values, **shown, "remembered": target.remembered()}


#: Name of each command for people.
LABELS: Mapping[str, str] = {one.key: one.name for one in CONTROLS}


def plain_command(name: str, payload: str) -> tuple[str, str]:
    """Return a command in the form that others replace: a mode that is none becomes its switch."""
    mode = mode_of(payload) if name == "mode" else None
    if mode is DHWMode.POWER_OFF:
        return "power", OFF
    return ("vacation", ON) if mode is DHWMode.VACATION else (name, payload)


def _shown_mode(mode: DHWMode | None) -> str | None:
    return known_words(mode) if mode in SHOWN_MODES else None


def _not_off(mode: DHWMode | None) -> str | None:
    return None if mode is None else on_off(mode != DHWMode.POWER_OFF)
