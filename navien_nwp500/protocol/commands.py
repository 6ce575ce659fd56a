"""Command table: one definition for each command a heater understands.

Each command was captured from the maker's app or sent by live clients (PROTOCOL 5). Codes that the
app declares and no client sends are left out, and so is the untested firmware commit (33554442).

One definition is enough for a new command: ``device.control`` sends and confirms it, ``set`` of the
command line offers it, the simulated heater stores what its expectations name, and
``docs/COMMANDS.md`` lists it. A friendlier name gets a method in ``device`` or an entry in
``apps/cli/commands/set.py``; a command that moves machinery gets an effect in
``simulator/heater/command_handler.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .features import DeviceFeatures
from .status import DeviceStatus
from .types import Days, DhwControl, DHWMode, Flag, HalfCelsius, Hours, RecircMode, TouStatus


@dataclass(frozen=True)
class Capability:
    """Feature field that a command depends on, and the values of it that allow the command."""

    field: str
    allowed: tuple[int, ...] = (Flag.ACTIVE,)

    def available(self, features: DeviceFeatures) -> bool:
        """Return True if the heater has it; a field it does not send means no (PROTOCOL 6.2)."""
        return getattr(features, self.field) in self.allowed


@dataclass(frozen=True)
class Parameter:
    """One number of ``param``: its type and its limits, or the feature fields that hold them.

    Values are multiples of ``step``, and the heater is sent their number of steps.
    ``also_allowed`` are allowed values outside the limits.
    """

    name: str
    codec: type[int]
    lowest: int | str
    highest: int | str
    step: int = 1
    also_allowed: tuple[int, ...] = ()

    def limits(self, features: DeviceFeatures) -> tuple[int, int]:
        """Return the lowest and highest value of this heater."""
        low, high = (
            getattr(features, limit) if isinstance(limit, str) else limit
            for limit in (self.lowest, self.highest)
        )
        return (int(low or 0), int(high or 0))

    def allows(self, value: int, features: DeviceFeatures) -> bool:
        low, high = self.limits(features)
        return value in self.also_allowed or (low <= value <= high and value % self.step == 0)


@dataclass(frozen=True)
class Expectation:
    """Status field that must have a value, or the value of a parameter, after a command."""

    field: str
    value: int | None = None
    parameter: str | None = None
    #: The field must have any value but this one.
    negated: bool = False

    def expected_value(self, values: Mapping[str, int]) -> int | None:
        """Return the value, of the parameter if it names one; ``values`` are the parameters."""
        return self.value if self.parameter is None else values[self.parameter]

    def confirmed_by(self, status: DeviceStatus, values: Mapping[str, int]) -> bool:
        """Return True if a status meets the expectation."""
        actual = getattr(status, self.field)
        if actual is None:
            return False
        return bool((actual == self.expected_value(values)) is not self.negated)

    def __str__(self) -> str:
        value = self.parameter if self.parameter is not None else str(self.value)
        return f"{self.field} {'is not' if self.negated else 'is'} {value}"


@dataclass(frozen=True)
class Command:
    """Definition of a command: what is sent, what it requires and what confirms it.

    Without expectations the response only acknowledges: no status field shows the new state.
    """

    name: str
    code: int
    suffix: str
    certainty: str
    meaning: str
    mode: str | None = None
    #: Numbers of ``param`` before the parameters.
    constants: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    #: Further capabilities that single values of the first parameter require.
    value_capabilities: tuple[tuple[int, Capability], ...] = ()
    expects: tuple[Expectation, ...] = ()

    @property
    def reply_suffix(self) -> str:
        """Suffix of the response topic: ``st/rsv/rd`` is answered on ``…/res/rsv/rd``."""
        _, _, rest = self.suffix.partition("/")
        return f"res/{rest}" if rest else "res"

    @property
    def has_packed_reply(self) -> bool:
        """True if the response may come packed as well, on its topic without ``/rd`` (PROTOCOL 3.2)."""
        return self.suffix.endswith("/rd")

    @property
    def is_control(self) -> bool:
        """True if it changes one setting and is answered by a whole status."""
        return self.mode is not None

    @property
    def is_write(self) -> bool:
        """True if it changes the heater, as everything below ``ctrl`` does."""
        return self.suffix.split("/")[0] == "ctrl"

    def body(self, values: Mapping[str, int]) -> dict[str, Any]:
        """Return the keys that it adds to a request (PROTOCOL 4.1)."""
        if self.mode is None:
            return {}
        numbers = [int(values[entry.name]) // entry.step for entry in self.parameters]
        return {"mode": self.mode, "param": [*self.constants, *numbers], "paramStr": ""}

    def parse_param(self, numbers: list[int]) -> dict[str, int] | None:
        """Return the parameters of a ``param`` list; None if it belongs to another command."""
        count = len(self.constants)
        if tuple(numbers[:count]) != self.constants or len(numbers) != count + len(self.parameters):
            return None
        entries = zip(self.parameters, numbers[count:])
        return {entry.name: number * entry.step for entry, number in entries}

    def expected_fields(self, values: Mapping[str, int]) -> dict[str, int]:
        """Return the status fields whose value the expectations name."""
        named = ((e.field, e.expected_value(values)) for e in self.expects if not e.negated)
        return {field: value for field, value in named if value is not None}

    def confirmed_by(self, status: DeviceStatus, values: Mapping[str, int]) -> bool:
        """Return True if a status meets all expectations, and when there are none."""
        return all(expected.confirmed_by(status, values) for expected in self.expects)


# fmt: off
# Queries (PROTOCOL 5.2). The hourly energy query is left out: this heater never answered it.

FEATURES = Command("features", 0x01000001, "st/did", "captured", "Read the features of the heater.")
END_SESSION = Command("end_session", 0x01000002, "st/end", "captured", "Announce that the client disconnects.")
STATUS = Command("status", 0x01000003, "st", "captured", "Read the status.")
RESERVATIONS = Command("reservations", 0x01000006, "st/rsv/rd", "captured", "Read the reservations.")
ENERGY_DAILY = Command("energy_daily", 0x01000009, "st/energy-usage-daily-query/rd", "captured", "Read the energy use of each day of the given months.")
ENERGY_MONTHLY = Command("energy_monthly", 0x0100000A, "st/energy-usage-monthly-query/rd", "LIB2 live", "Read the energy use of each month of the given years.")
DOWNLOADED_SOFTWARE = Command("downloaded_software", 0x0100000B, "st/dl-sw-info", "LIB2 live", "Read which firmware is waiting to be installed.")
DIAGNOSTICS = Command("diagnostics", 0x0100000C, "st/td/rd", "LIB2 live", "Read the lifetime counters.")
RECIRC_SCHEDULE = Command("recirculation_schedule", 0x0100000F, "st/recirc-rsv/rd", "APP, LIB2", "Read the recirculation schedule.",
    capabilities=(Capability("recirc_reservation_use"),))

# Writes of whole lists (PROTOCOL 8.3, 8.4, 8.7); the list that is read back confirms them.

WRITE_RESERVATIONS = Command("write_reservations", 0x0100000A, "ctrl/rsv/rd", "captured", "Replace the reservations.",
    capabilities=(Capability("program_reservation_use"),))
WRITE_TOU = Command("write_tou", 0x02000007, "ctrl/tou/rd", "captured", "Replace the time-of-use plan.",
    capabilities=(Capability("program_reservation_use"),))
WRITE_RECIRC_SCHEDULE = Command("write_recirculation_schedule", 0x02000008, "ctrl/recirc-rsv/rd", "APP, LIB2, never tried on a unit with a pump", "Replace the recirculation schedule.",
    capabilities=(Capability("recirc_reservation_use"),))

# Controls (PROTOCOL 5.3): answered by a whole status whose ``command`` is the code.

_POWER = (Capability("power_use"),)
_ANTI_LEGIONELLA = (Capability("anti_legionella_setting_use"),)
_PROGRAM = (Capability("program_reservation_use"),)
_DEMAND_RESPONSE = (Capability("dr_setting_use"),)
_RECIRCULATION = (Capability("recirculation_use"),)
#: 1 to 99 on the heater's panel (PROTOCOL 8.8).
_DAYS = Parameter("days", Days, 1, 99)


def _control(name: str, code: int, certainty: str, mode: str, meaning: str, **rest: Any) -> Command:
    return Command(name, code, "ctrl", certainty, meaning, mode=mode, **rest)


POWER_OFF = _control("power_off", 0x02000001, "captured", "power-off", "Switch the heater off.",
    capabilities=_POWER, expects=(Expectation("dhw_operation_setting", DHWMode.POWER_OFF),))
POWER_ON = _control("power_on", 0x02000002, "captured", "power-on", "Switch the heater on, in its previous mode.",
    capabilities=_POWER, expects=(Expectation("dhw_operation_setting", DHWMode.POWER_OFF, negated=True),))
DHW_MODE = _control("dhw_mode", 0x02000005, "captured", "dhw-mode", "Set the mode: heat pump, electric, energy saver or high demand.",
    parameters=(Parameter("mode", DHWMode, DHWMode.HEAT_PUMP, DHWMode.HIGH_DEMAND),), capabilities=(Capability("dhw_use"),),
    value_capabilities=(
        (DHWMode.HEAT_PUMP, Capability("heatpump_use")), (DHWMode.ELECTRIC, Capability("electric_use")),
        (DHWMode.ENERGY_SAVER, Capability("energy_saver_use")), (DHWMode.HIGH_DEMAND, Capability("high_demand_use")),
    ),
    expects=(Expectation("dhw_operation_setting", parameter="mode"),))
VACATION = _control("vacation", 0x02000005, "captured", "dhw-mode", "Stop heating for the given number of days; freeze protection stays on.",
    constants=(DHWMode.VACATION,), parameters=(_DAYS,), capabilities=(Capability("dhw_use"), Capability("holiday_use")),
    expects=(Expectation("dhw_operation_setting", DHWMode.VACATION), Expectation("vacation_day_setting", parameter="days")))
WATER_PROGRAM = _control("water_program", 0x02000009, "APP", "reservation-mode", "Follow the reservation program.",
    capabilities=_PROGRAM)
RECIRC_HOT_BUTTON = _control("recirculation_hot_button", 0x0200000C, "APP; argument disputed", "recirc-hotbtn", "Start recirculation once.",
    constants=(1,), capabilities=_RECIRCULATION)
RECIRC_MODE = _control("recirculation_mode", 0x0200000D, "APP", "recirc-mode", "Set the recirculation mode: always, weekly, hot button or none.",
    parameters=(Parameter("mode", RecircMode, RecircMode.ALWAYS, RecircMode.NONE),), capabilities=_RECIRCULATION,
    expects=(Expectation("recirc_operation_mode", parameter="mode"),))
RESET_CONDENSER_FAULT = _control("reset_condenser_fault", 0x0200001F, "LIB2 live; installer level, effect on a fault untested", "cond-fault-reset", "Clear a condenser fault.")
TEMPERATURE = _control("temperature", 0x02000020, "captured", "dhw-temperature", "Set the target water temperature.",
    parameters=(Parameter("temperature", HalfCelsius, "dhw_temperature_min", "dhw_temperature_max"),),
    capabilities=(Capability("dhw_temperature_setting_use", (DhwControl.HALF_DEGREE, DhwControl.ONE_DEGREE, DhwControl.THREE_STAGES)),),
    expects=(Expectation("dhw_temperature_setting", parameter="temperature"),))
VACATION_DAYS = _control("vacation_days", 0x02000022, "LIB2 live", "goout-day", "Set the number of vacation days without starting the vacation.",
    parameters=(_DAYS,), capabilities=(Capability("holiday_use"),), expects=(Expectation("vacation_day_setting", parameter="days"),))
INTELLIGENT_OFF = _control("intelligent_off", 0x02000023, "APP", "intelligent-off", "Switch intelligent operation off.")
INTELLIGENT_ON = _control("intelligent_on", 0x02000024, "APP", "intelligent-on", "Switch intelligent operation on.")
DEMAND_RESPONSE_OFF = _control("demand_response_off", 0x02000025, "APP", "dr-off", "Ignore demand-response signals.",
    capabilities=_DEMAND_RESPONSE)
DEMAND_RESPONSE_ON = _control("demand_response_on", 0x02000026, "APP", "dr-on", "Follow demand-response signals.",
    capabilities=_DEMAND_RESPONSE)
ANTI_LEGIONELLA_OFF = _control("anti_legionella_off", 0x02000027, "captured", "anti-leg-off", "Switch disinfection cycles off; the period is kept.",
    capabilities=_ANTI_LEGIONELLA, expects=(Expectation("anti_legionella_use", Flag.READY),))
ANTI_LEGIONELLA_ON = _control("anti_legionella_on", 0x02000028, "captured", "anti-leg-on", "Heat the tank to 60 degC every given number of days.",
    parameters=(Parameter("days", Days, 1, 30),), capabilities=_ANTI_LEGIONELLA,
    expects=(Expectation("anti_legionella_use", Flag.ACTIVE), Expectation("anti_legionella_period", parameter="days")))
AIR_FILTER_RESET = _control("air_filter_reset", 0x02000029, "APP", "air-filter-reset", "Reset the fan hours since the last air-filter cleaning to 0.",
    expects=(Expectation("cumulated_op_time_eva_fan", 0),))
AIR_FILTER_LIFE = _control("air_filter_life", 0x0200002A, "LIB2 live", "air-filter-life", "Set the air-filter reminder to a number of fan hours; 0 switches it off.",
    parameters=(Parameter("hours", Hours, 1000, 10000, step=500, also_allowed=(0,)),),
    expects=(Expectation("air_filter_alarm_period", parameter="hours"),))
TOU_OFF = _control("tou_off", 0x0200002B, "captured", "tou-off", "Stop following the time-of-use plan; it is kept.",
    capabilities=_PROGRAM, expects=(Expectation("tou_status", TouStatus.OFF),))
TOU_ON = _control("tou_on", 0x0200002C, "captured", "tou-on", "Follow the time-of-use plan.",
    capabilities=_PROGRAM, expects=(Expectation("tou_status", TouStatus.OFF, negated=True),))

# fmt: on
#: All commands, queries first. Define a new command above this line.
COMMANDS: tuple[Command, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Command)
)


def find_command(code: int, suffix: str, numbers: list[int] | None = None) -> Command | None:
    """Return the command of a request; None if there is none.

    Two commands can share a code; the topic or the numbers of ``param`` decide.
    """
    for command in COMMANDS:
        if (command.code, command.suffix) == (code, suffix):
            if command.mode is None or command.parse_param(numbers or []) is not None:
                return command
    return None
