"""The command table: every word the heater understands, one row each.

The client checks and proves by it, the simulator obeys it, the command line and the documents read
it. Rows are captured from the maker's app or sent by live clients (PROTOCOL 5). Codes that the
app declares and no client sends are not here, and neither is the firmware commit (33554442), which
nobody has tried.

A row is enough: ``device.control`` sends it, ``set`` of the command line has its word, the simulated
heater shows what its proof names, ``docs/COMMANDS.md`` lists it. What a person calls otherwise gets
a method in ``device`` or a word in ``cli/setting``, what moves the machine an effect in
``simulator/obedience``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .features import DeviceFeatures
from .status import DeviceStatus
from .types import Days, DhwControl, DHWMode, Flag, HalfCelsius, Hours, RecircMode, TouStatus


@dataclass(frozen=True)
class Capability:
    """A capability: the feature field, and the values of it that allow the command."""

    field: str
    allowed: tuple[int, ...] = (Flag.ACTIVE,)

    def available(self, features: DeviceFeatures) -> bool:
        """Whether this heater has it; a field it does not send is a no (PROTOCOL 6.2)."""
        return getattr(features, self.field) in self.allowed


@dataclass(frozen=True)
class Parameter:
    """One number of ``param``: its type, its limits (or the feature fields that hold them).

    ``per`` is how much of the value one count on the wire is; ``also`` are values outside the
    limits that are allowed too.
    """

    name: str
    codec: type[int]
    lowest: int | str
    highest: int | str
    per: int = 1
    also: tuple[int, ...] = ()

    def limits(self, features: DeviceFeatures) -> tuple[int, int]:
        """The lowest and highest value of this heater."""
        low, high = (
            getattr(features, limit) if isinstance(limit, str) else limit
            for limit in (self.lowest, self.highest)
        )
        return (int(low or 0), int(high or 0))

    def allows(self, value: int, features: DeviceFeatures) -> bool:
        low, high = self.limits(features)
        return value in self.also or (low <= value <= high and value % self.per == 0)


@dataclass(frozen=True)
class Expectation:
    """A proof: the status field that must hold a value, or the value of a parameter."""

    field: str
    value: int | None = None
    parameter: str | None = None
    #: The field must hold anything but ``value``.
    other: bool = False

    def wanted(self, values: Mapping[str, int]) -> int | None:
        return self.value if self.parameter is None else values[self.parameter]

    def holds(self, status: DeviceStatus, values: Mapping[str, int]) -> bool:
        actual = getattr(status, self.field)
        if actual is None:
            return False
        return bool(
            (actual != self.wanted(values)) if self.other else actual == self.wanted(values)
        )

    def __str__(self) -> str:
        wanted = self.parameter if self.parameter is not None else str(self.value)
        return f"{self.field} {'is not' if self.other else 'is'} {wanted}"


@dataclass(frozen=True)
class Command:
    """One row: what is sent, who may, how it is proved.

    ``proof`` empty means the answer only acknowledges: no status field shows the wish.
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
    #: Further gates of single values of the first parameter.
    value_capabilities: tuple[tuple[int, Capability], ...] = ()
    expects: tuple[Expectation, ...] = ()

    @property
    def reply_suffix(self) -> str:
        """Where its answer goes: ``st/rsv/rd`` is answered on ``…/res/rsv/rd``."""
        _, _, rest = self.suffix.partition("/")
        return f"res/{rest}" if rest else "res"

    @property
    def controls(self) -> bool:
        """Whether it is a single wish, answered by a whole status."""
        return self.mode is not None

    @property
    def writes(self) -> bool:
        """Whether it changes the heater: everything below ``ctrl`` does."""
        return self.suffix.split("/")[0] == "ctrl"

    def body(self, values: Mapping[str, int]) -> dict[str, Any]:
        """What it adds to a request (PROTOCOL 4.1)."""
        if self.mode is None:
            return {}
        numbers = [int(values[entry.name]) // entry.per for entry in self.parameters]
        return {"mode": self.mode, "param": [*self.constants, *numbers], "paramStr": ""}

    def values(self, numbers: list[int]) -> dict[str, int] | None:
        """The parameters in a ``param`` list; None when it is not this command's."""
        count = len(self.constants)
        if tuple(numbers[:count]) != self.constants or len(numbers) != count + len(self.parameters):
            return None
        entries = zip(self.parameters, numbers[count:])
        return {entry.name: number * entry.per for entry, number in entries}

    def shows(self, values: Mapping[str, int]) -> dict[str, int]:
        """The fields of a status that shows the wish, as far as the proof names their values."""
        wanted = ((part.field, part.wanted(values)) for part in self.expects if not part.other)
        return {field: value for field, value in wanted if value is not None}

    def confirmed_by(self, status: DeviceStatus, values: Mapping[str, int]) -> bool:
        """Whether a status shows the wish; True when nothing could show it."""
        return all(part.holds(status, values) for part in self.expects)


# Queries (PROTOCOL 5.2). The hourly energy query is left out: this heater never answered it.

FEATURES = Command("features", 0x01000001, "st/did", "captured", "Read what the heater has.")
END_SESSION = Command("end_session", 0x01000002, "st/end", "captured", "Say that a client leaves.")
STATUS = Command("status", 0x01000003, "st", "captured", "Read the status.")
RESERVATIONS = Command(
    "reservations", 0x01000006, "st/rsv/rd", "captured", "Read the reservations."
)
ENERGY_DAILY = Command(
    "energy_daily",
    0x01000009,
    "st/energy-usage-daily-query/rd",
    "captured",
    "Read the energy of each day of some months.",
)
ENERGY_MONTHLY = Command(
    "energy_monthly",
    0x0100000A,
    "st/energy-usage-monthly-query/rd",
    "LIB2 live",
    "Read the energy of each month of some years.",
)
DOWNLOADED_SOFTWARE = Command(
    "downloaded_software",
    0x0100000B,
    "st/dl-sw-info",
    "LIB2 live",
    "Read which firmware waits to be installed.",
)
DIAGNOSTICS = Command(
    "diagnostics", 0x0100000C, "st/td/rd", "LIB2 live", "Read the lifetime counters."
)
RECIRC_SCHEDULE = Command(
    "recirculation_schedule",
    0x0100000F,
    "st/recirc-rsv/rd",
    "APP, LIB2",
    "Read the recirculation schedule.",
    capabilities=(Capability("recirc_reservation_use"),),
)

# Writes of whole lists (PROTOCOL 8.3, 8.4, 8.7); proved by what comes back.

WRITE_RESERVATIONS = Command(
    "write_reservations",
    0x0100000A,
    "ctrl/rsv/rd",
    "captured",
    "Replace the reservations.",
    capabilities=(Capability("program_reservation_use"),),
)
WRITE_TOU = Command(
    "write_tou",
    0x02000007,
    "ctrl/tou/rd",
    "captured",
    "Replace the time-of-use plan.",
    capabilities=(Capability("program_reservation_use"),),
)
WRITE_RECIRC_SCHEDULE = Command(
    "write_recirculation_schedule",
    0x02000008,
    "ctrl/recirc-rsv/rd",
    "APP, LIB2, never tried on a unit with a pump",
    "Replace the recirculation schedule.",
    capabilities=(Capability("recirc_reservation_use"),),
)

# Control (PROTOCOL 5.3): answered by a whole status whose command is the code.

_POWER = (Capability("power_use"),)
_ANTI_LEGIONELLA = (Capability("anti_legionella_setting_use"),)
_PROGRAM = (Capability("program_reservation_use"),)
_DEMAND_RESPONSE = (Capability("dr_setting_use"),)
_RECIRCULATION = (Capability("recirculation_use"),)
#: 1 to 99 on the heater's panel (PROTOCOL 8.8).
_DAYS = Parameter("days", Days, 1, 99)


def _control(name: str, code: int, certainty: str, mode: str, meaning: str, **rest: Any) -> Command:
    return Command(name, code, "ctrl", certainty, meaning, mode=mode, **rest)


POWER_OFF = _control(
    "power_off",
    0x02000001,
    "captured",
    "power-off",
    "Switch the heater off.",
    capabilities=_POWER,
    expects=(Expectation("dhw_operation_setting", DHWMode.POWER_OFF),),
)
POWER_ON = _control(
    "power_on",
    0x02000002,
    "captured",
    "power-on",
    "Switch the heater on, into the mode it had.",
    capabilities=_POWER,
    expects=(Expectation("dhw_operation_setting", DHWMode.POWER_OFF, other=True),),
)
DHW_MODE = _control(
    "dhw_mode",
    0x02000005,
    "captured",
    "dhw-mode",
    "Choose what heats: 1 heat pump, 2 electric, 3 energy saver, 4 high demand.",
    parameters=(Parameter("mode", DHWMode, DHWMode.HEAT_PUMP, DHWMode.HIGH_DEMAND),),
    capabilities=(Capability("dhw_use"),),
    value_capabilities=(
        (DHWMode.HEAT_PUMP, Capability("heatpump_use")),
        (DHWMode.ELECTRIC, Capability("electric_use")),
        (DHWMode.ENERGY_SAVER, Capability("energy_saver_use")),
        (DHWMode.HIGH_DEMAND, Capability("high_demand_use")),
    ),
    expects=(Expectation("dhw_operation_setting", parameter="mode"),),
)
VACATION = _control(
    "vacation",
    0x02000005,
    "captured",
    "dhw-mode",
    "Heat nothing for some days, freeze protection kept.",
    constants=(DHWMode.VACATION,),
    parameters=(_DAYS,),
    capabilities=(Capability("dhw_use"), Capability("holiday_use")),
    expects=(
        Expectation("dhw_operation_setting", DHWMode.VACATION),
        Expectation("vacation_day_setting", parameter="days"),
    ),
)
WATER_PROGRAM = _control(
    "water_program",
    0x02000009,
    "APP",
    "reservation-mode",
    "Follow the reservation program.",
    capabilities=_PROGRAM,
)
RECIRC_HOT_BUTTON = _control(
    "recirculation_hot_button",
    0x0200000C,
    "APP",
    "recirc-hotbtn",
    "Start recirculation once.",
    constants=(1,),
    capabilities=_RECIRCULATION,
)
RECIRC_MODE = _control(
    "recirculation_mode",
    0x0200000D,
    "APP",
    "recirc-mode",
    "Choose how recirculation runs: 1 always, 2 weekly, 3 hot button, 4 none.",
    parameters=(Parameter("mode", RecircMode, RecircMode.ALWAYS, RecircMode.NONE),),
    capabilities=_RECIRCULATION,
    expects=(Expectation("recirc_operation_mode", parameter="mode"),),
)
RESET_CONDENSER_FAULT = _control(
    "reset_condenser_fault",
    0x0200001F,
    "LIB2 live; installer level, effect on a fault untested",
    "cond-fault-reset",
    "Clear a condenser fault.",
)
TEMPERATURE = _control(
    "temperature",
    0x02000020,
    "captured",
    "dhw-temperature",
    "Set the water temperature.",
    parameters=(
        Parameter("temperature", HalfCelsius, "dhw_temperature_min", "dhw_temperature_max"),
    ),
    capabilities=(
        Capability(
            "dhw_temperature_setting_use",
            (DhwControl.HALF_DEGREE, DhwControl.ONE_DEGREE, DhwControl.THREE_STAGES),
        ),
    ),
    expects=(Expectation("dhw_temperature_setting", parameter="temperature"),),
)
VACATION_DAYS = _control(
    "vacation_days",
    0x02000022,
    "LIB2 live",
    "goout-day",
    "Set the days of a vacation without starting one.",
    parameters=(_DAYS,),
    capabilities=(Capability("holiday_use"),),
    expects=(Expectation("vacation_day_setting", parameter="days"),),
)
INTELLIGENT_OFF = _control(
    "intelligent_off", 0x02000023, "APP", "intelligent-off", "Switch intelligent operation off."
)
INTELLIGENT_ON = _control(
    "intelligent_on", 0x02000024, "APP", "intelligent-on", "Switch intelligent operation on."
)
DEMAND_RESPONSE_OFF = _control(
    "demand_response_off",
    0x02000025,
    "APP",
    "dr-off",
    "Ignore demand-response signals.",
    capabilities=_DEMAND_RESPONSE,
)
DEMAND_RESPONSE_ON = _control(
    "demand_response_on",
    0x02000026,
    "APP",
    "dr-on",
    "Obey demand-response signals.",
    capabilities=_DEMAND_RESPONSE,
)
ANTI_LEGIONELLA_OFF = _control(
    "anti_legionella_off",
    0x02000027,
    "captured",
    "anti-leg-off",
    "Stop disinfection cycles; the period is kept.",
    capabilities=_ANTI_LEGIONELLA,
    expects=(Expectation("anti_legionella_use", Flag.READY),),
)
ANTI_LEGIONELLA_ON = _control(
    "anti_legionella_on",
    0x02000028,
    "captured",
    "anti-leg-on",
    "Disinfect the tank every so many days.",
    parameters=(Parameter("days", Days, 1, 30),),
    capabilities=_ANTI_LEGIONELLA,
    expects=(
        Expectation("anti_legionella_use", Flag.ACTIVE),
        Expectation("anti_legionella_period", parameter="days"),
    ),
)
AIR_FILTER_RESET = _control(
    "air_filter_reset",
    0x02000029,
    "APP",
    "air-filter-reset",
    "Count the fan hours of the air filter from 0 again.",
    expects=(Expectation("cumulated_op_time_eva_fan", 0),),
)
AIR_FILTER_LIFE = _control(
    "air_filter_life",
    0x0200002A,
    "LIB2 live",
    "air-filter-life",
    "Remind of the air filter after so many fan hours; 0 never.",
    parameters=(Parameter("hours", Hours, 1000, 10000, per=500, also=(0,)),),
    expects=(Expectation("air_filter_alarm_period", parameter="hours"),),
)
TOU_OFF = _control(
    "tou_off",
    0x0200002B,
    "captured",
    "tou-off",
    "Stop following the time-of-use plan; it is kept.",
    capabilities=_PROGRAM,
    expects=(Expectation("tou_status", TouStatus.OFF),),
)
TOU_ON = _control(
    "tou_on",
    0x0200002C,
    "captured",
    "tou-on",
    "Follow the time-of-use plan.",
    capabilities=_PROGRAM,
    expects=(Expectation("tou_status", TouStatus.OFF, other=True),),
)

#: Every row, queries first. Above it is where a new one goes.
COMMANDS: tuple[Command, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Command)
)


def find_command(code: int, suffix: str, numbers: list[int] | None = None) -> Command | None:
    """The row of a request: one code can mean two things, its topic or its numbers decide."""
    for command in COMMANDS:
        if (command.code, command.suffix) == (code, suffix):
            if command.mode is None or command.values(numbers or []) is not None:
                return command
    return None
