"""Value types: integers as sent, with properties that give their meaning.

Heaters send only integers. Each type *is* the integer that was sent; its properties give unit and
scale. The unit is a constant of the type, never a setting. Source of the scales: PROTOCOL 6.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, TypeVar

Q = TypeVar("Q", bound="Quantity")
T = TypeVar("T", bound="Temperature")


class Quantity(int):
    """Number as sent; ``physical`` is its value in ``unit``."""

    unit: ClassVar[str] = ""
    #: Range seen in practice, for documents and tests; other values are accepted too.
    usual: ClassVar[tuple[int, int]] = (0, 2**31 - 1)
    __slots__ = ()

    @property
    def physical(self) -> float:
        """Value in ``unit``."""
        return int(self)

    def to_json(self) -> Any:
        """Return the meaning in plain JSON types."""
        return self.physical if not self.unit else {self.unit: self.physical}

    @property
    def text(self) -> str:
        """Meaning as a text for people."""
        # 15 digits, so that 16777219 is not written 1.67772e+07.
        return f"{self.physical:.15g} {self.unit}".rstrip()


class Code(Quantity):
    """Number whose meaning is unknown, or not numeric."""

    __slots__ = ()


class Bits(Code):
    """Register of bits."""

    __slots__ = ()

    @property
    def text(self) -> str:
        return f"0x{int(self) & 0xFFFFFFFF:X}"


class ErrorCode(Code):
    """Error code without the E of the panel; 0 is no error."""

    usual = (0, 999)
    __slots__ = ()

    @property
    def active(self) -> bool:
        return int(self) != 0

    @property
    def text(self) -> str:
        return f"E{int(self):03d}" if self else "none"


class Percent(Quantity):
    """Percentage."""

    unit = "%"
    usual = (0, 100)
    __slots__ = ()


class Watts(Quantity):
    """Electric power in watts."""

    unit = "W"
    usual = (0, 6000)
    __slots__ = ()

    @property
    def watts(self) -> int:
        return int(self)


class Days(Quantity):
    """Number of days."""

    unit = "d"
    usual = (0, 99)
    __slots__ = ()


class Hours(Quantity):
    """Number of hours."""

    unit = "h"
    usual = (0, 200_000)
    __slots__ = ()


class Rpm(Quantity):
    """Speed in revolutions per minute."""

    unit = "rpm"
    usual = (0, 2000)
    __slots__ = ()


class Steps(Quantity):
    """Position of a step motor."""

    unit = "steps"
    usual = (0, 480)
    __slots__ = ()


class Litres(Quantity):
    """Volume in litres."""

    unit = "L"
    usual = (0, 10_000_000)
    __slots__ = ()


class DeciLitresPerMinute(Quantity):
    """Flow in tenths of a litre per minute."""

    unit = "L/min"
    usual = (0, 400)
    __slots__ = ()

    @property
    def physical(self) -> float:
        return self / 10


class SignalStrength(Quantity):
    """Wi-Fi signal, sent as the positive magnitude of a negative dBm."""

    unit = "dBm"
    usual = (0, 127)
    __slots__ = ()

    @property
    def physical(self) -> float:
        return -abs(self)

    @property
    def dbm(self) -> int:
        return -abs(self)


class EnergyCount(Quantity):
    """Heat in counts of 4 Wh."""

    unit = "Wh"
    usual = (0, 4000)
    __slots__ = ()

    @property
    def physical(self) -> float:
        return self.watt_hours

    @property
    def watt_hours(self) -> int:
        return self * 4


class Temperature(Quantity):
    """Temperature in steps of ``1 / per_degree`` degree Celsius."""

    unit = "degC"
    per_degree: ClassVar[int]
    __slots__ = ()

    @classmethod
    def from_celsius(cls: type[T], celsius: float) -> T:
        """Convert degrees Celsius to the nearest step."""
        return cls(round(celsius * cls.per_degree))

    @classmethod
    def from_fahrenheit(cls: type[T], fahrenheit: float) -> T:
        """Convert degrees Fahrenheit to the nearest step."""
        return cls.from_celsius((fahrenheit - 32) / 1.8)

    @property
    def physical(self) -> float:
        return self.celsius

    @property
    def celsius(self) -> float:
        return self / self.per_degree

    @property
    def fahrenheit(self) -> float:
        # Integers until the division, so that 121 half degrees are 140.9 and not 140.90000000000001.
        steps = self.per_degree
        return (self * 18 + 320 * steps) / (10 * steps)

    def to_json(self) -> Any:
        return {"celsius": self.celsius, "fahrenheit": self.fahrenheit}

    @property
    def text(self) -> str:
        return f"{self.celsius:.1f} °C ({self.fahrenheit:.1f} °F)"


class HalfCelsius(Temperature):
    """Steps of 0.5 degC: 121 is 60.5 degC, 140.9 degF."""

    per_degree = 2
    usual = (-80, 260)
    __slots__ = ()


class DeciCelsius(Temperature):
    """Steps of 0.1 degC: 605 is 60.5 degC, 140.9 degF."""

    per_degree = 10
    usual = (-400, 1300)
    __slots__ = ()


class DeciKelvin(Quantity):
    """Temperature difference in tenths of a kelvin; in Fahrenheit it never gets the +32."""

    unit = "K"
    usual = (-1000, 1000)
    __slots__ = ()

    @property
    def physical(self) -> float:
        return self.kelvin

    @property
    def kelvin(self) -> float:
        return self / 10

    @property
    def fahrenheit_degrees(self) -> float:
        """Difference in Fahrenheit degrees."""
        return self * 18 / 100

    def to_json(self) -> Any:
        return {"kelvin": self.kelvin, "fahrenheit_degrees": self.fahrenheit_degrees}


class Version(Quantity):
    """Firmware version, four bytes in one number: 0x0B010000 is 11.1.0.0."""

    __slots__ = ()

    @property
    def text(self) -> str:
        return ".".join(str(byte) for byte in (int(self) & 0xFFFFFFFF).to_bytes(4, "big"))

    def to_json(self) -> Any:
        return self.text


class Choice(IntEnum):
    """Code with names. A number without a name keeps its value, with the name ``UNKNOWN_<n>``."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    def __reduce_ex__(self, protocol: Any) -> tuple[type[Choice], tuple[int]]:
        # By number: Python 3.11.0 to 3.11.3 copy by name, which an unknown code does not have.
        return type(self), (self._value_,)

    # The same text on every Python: the number that was sent.
    __str__ = int.__repr__
    __format__ = int.__format__  # type: ignore[assignment]

    @property
    def name(self) -> str:  # the standard library's property is four times slower
        return self._name_

    @property
    def known(self) -> bool:
        """True if this number has a name."""
        return self._value_ in self._value2member_map_  # type: ignore[attr-defined]

    def to_json(self) -> Any:
        return self.name.lower()

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", " ") if self.known else f"unknown ({int(self)})"


class Flag(Choice):
    """Status or capability flag: 1 is off or ready, 2 is on, 0 is unknown."""

    UNKNOWN = 0
    READY = 1
    ACTIVE = 2

    @property
    def active(self) -> bool:
        """True only for 2; 1 means off."""
        return self._value_ == 2

    @classmethod
    def of(cls, on: bool) -> Flag:
        """Return ACTIVE for True, READY for False."""
        return cls.ACTIVE if on else cls.READY


class OperationMode(Choice):
    """Heating in progress: bit 32 the heat pump, bit 64 an element."""

    STANDBY = 0
    HEAT_PUMP = 32
    ELECTRIC = 64
    HYBRID = 96


class PushSetting(Choice):
    """Push setting of the account: 1 is on and 2 is off, the reverse of Flag (PROTOCOL 1.8)."""

    NOT_REPORTED = 0
    ON = 1
    OFF = 2


class DeviceType(Choice):
    """Type of a device in an account (``deviceType``, PROTOCOL 16).

    This library controls type 52 alone: the same command numbers mean something else to others.
    """

    NAVILINK = 1
    NAVILINK_LITE = 2
    HYDRONIC_MODULE = 8
    NFB700_MAIN = 50
    NFB700_SUB = 51
    NWP500 = 52

    @property
    def meaning(self) -> str:
        """Name of the type: "a tankless unit or boiler"."""
        return _DEVICE_NAMES.get(int(self), "a device of an unknown kind")

    @property
    def description(self) -> str:
        """Name of the type with its number: "a tankless unit or boiler, type 1"."""
        return f"{self.meaning}, type {int(self)}"


#: What each device type is (PROTOCOL 16).
_DEVICE_NAMES: dict[int, str] = {
    DeviceType.NAVILINK: "a tankless unit or boiler",
    DeviceType.NAVILINK_LITE: "a tankless unit or boiler",
    DeviceType.HYDRONIC_MODULE: "a hydronic unit",
    DeviceType.NFB700_MAIN: "an NFB700 boiler, main unit",
    DeviceType.NFB700_SUB: "an NFB700 boiler, sub unit",
    DeviceType.NWP500: "an NWP500 heat pump water heater",
}


class DHWMode(Choice):
    """Selected mode (``dhwOperationSetting``)."""

    STANDBY = 0
    HEAT_PUMP = 1
    ELECTRIC = 2
    ENERGY_SAVER = 3
    HIGH_DEMAND = 4
    VACATION = 5
    POWER_OFF = 6


class HeatSource(Choice):
    """Requested heat source (``currentHeatUse``); not a flag."""

    NONE = 0
    HEAT_PUMP = 1
    ELEMENT = 2
    HEAT_PUMP_AND_ELEMENT = 3


class HeatPumpState(Choice):
    """State of the heat-pump sequencer (``currentStatenum``)."""

    IDLE = 20
    PRE_RUN = 30
    COMPRESSOR_START = 40
    RUN = 50
    FAN_RUN_ON = 60
    LOCK_OUT = 70


class TouStatus(Choice):
    """Time of use: 0 off, else on; 1 to 3 are the current price period."""

    OFF = 0
    OFF_PEAK = 1
    MID_PEAK = 2
    ON_PEAK = 3


class TouOverride(Choice):
    """Following of the schedule; meaningful only while time of use is on."""

    UNKNOWN = 0
    OVERRIDDEN = 1
    FOLLOWED = 2


class RecircMode(Choice):
    """Mode of recirculation, on units that have it."""

    UNKNOWN = 0
    ALWAYS = 1
    WEEKLY = 2
    HOT_BUTTON = 3
    NONE = 4


class DrEvent(Choice):
    """Demand-response event from the CTA-2045 port."""

    NONE = 0
    RUN_NORMAL = 1
    SHED = 2
    LOAD_UP = 3
    LOAD_UP_ADVANCED = 4
    CRITICAL_PEAK = 5
    GRID_EMERGENCY = 6


class DhwControl(Choice):
    """Resolution of the setpoint (``dhwTemperatureSettingUse``); not a flag."""

    UNKNOWN = 0
    DISABLED = 1
    HALF_DEGREE = 2
    ONE_DEGREE = 3
    THREE_STAGES = 4


class TemperatureType(Choice):
    """Unit on the heater's display; it never changes what is sent."""

    CELSIUS = 1
    FAHRENHEIT = 2


class TempFormula(Choice):
    """Rounding of Fahrenheit in the maker's app."""

    ASYMMETRIC = 0
    STANDARD = 1


class UnitType(Choice):
    """Product family."""

    NPF = 513
    NPF_SYSTEM = 514


class Volume(Choice):
    """Tank size."""

    GALLONS_50 = 1
    GALLONS_65 = 2
    GALLONS_80 = 3

    @property
    def litres(self) -> float | None:
        """Nominal volume; None when the code is unknown."""
        return {1: 189.2, 2: 246.0, 3: 302.8}.get(self._value_)
