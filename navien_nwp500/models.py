"""Every public data type of the library, in one place."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar, Optional

from .protocol.account import (
    AlarmInfo as AlarmInfo,
    AppVersion as AppVersion,
    Descaling as Descaling,
    DeviceInfo as DeviceInfo,
    FirmwareInfo as FirmwareInfo,
    Installer as Installer,
    LastError as LastError,
    UserInfo as UserInfo,
)
from .protocol.calendar import (
    EVERY_DAY as EVERY_DAY,
    EVERY_MONTH as EVERY_MONTH,
    WEEKDAYS as WEEKDAYS,
    WEEKEND as WEEKEND,
    Weekday as Weekday,
)
from .protocol.client_requests import ClientRequest as ClientRequest
from .protocol.commands import (
    Capability as Capability,
    Command as Command,
    Expectation as Expectation,
    Parameter as Parameter,
)
from .protocol.diagnostics import (
    ComponentCounters as ComponentCounters,
    DeviceDiagnostics as DeviceDiagnostics,
    DrawCounters as DrawCounters,
    EventCounters as EventCounters,
)
from .protocol.energy import (
    EnergyHistory as EnergyHistory,
    EnergyTotal as EnergyTotal,
    EnergyUsage as EnergyUsage,
)
from .protocol.features import DeviceFeatures as DeviceFeatures
from .protocol.messages import (
    Address as Address,
    Message as Message,
    decode_status as decode_status,
    encode_status as encode_status,
)
from .protocol.schedules import (
    RecirculationEntry as RecirculationEntry,
    RecirculationProgram as RecirculationProgram,
    Reservation as Reservation,
    ReservationMode as ReservationMode,
    ReservationProgram as ReservationProgram,
)
from .protocol.status import (
    Activity as Activity,
    DeviceStatus as DeviceStatus,
    DHWStatus as DHWStatus,
)
from .protocol.tou import PeakWindow as PeakWindow, TOUInfo as TOUInfo, TOUPeriod as TOUPeriod
from .protocol.types import (
    Bits as Bits,
    Choice as Choice,
    Code as Code,
    Days as Days,
    DeciCelsius as DeciCelsius,
    DeciKelvin as DeciKelvin,
    DeciLitresPerMinute as DeciLitresPerMinute,
    DeviceType as DeviceType,
    DhwControl as DhwControl,
    DHWMode as DHWMode,
    DrEvent as DrEvent,
    EnergyCount as EnergyCount,
    ErrorCode as ErrorCode,
    Flag as Flag,
    HalfCelsius as HalfCelsius,
    HeatPumpState as HeatPumpState,
    HeatSource as HeatSource,
    Hours as Hours,
    Litres as Litres,
    OperationMode as OperationMode,
    Percent as Percent,
    PushSetting as PushSetting,
    Quantity as Quantity,
    RecircMode as RecircMode,
    Rpm as Rpm,
    SignalStrength as SignalStrength,
    Steps as Steps,
    Temperature as Temperature,
    TemperatureType as TemperatureType,
    TempFormula as TempFormula,
    TouOverride as TouOverride,
    TouStatus as TouStatus,
    UnitType as UnitType,
    Version as Version,
    Volume as Volume,
    Watts as Watts,
)


class HealthState(Enum):
    """State of the connection to one heater."""

    #: Not connected, or the connection was closed.
    IDLE = "idle"
    #: Connecting, or reconnecting.
    CONNECTING = "connecting"
    #: Connected, and the heater answers.
    ONLINE = "online"
    #: Connected, but polls stay unanswered; the library checks the connection.
    UNRESPONSIVE = "unresponsive"
    #: The heater does not answer, on a new connection either.
    OFFLINE = "offline"


@dataclass(frozen=True)
class Health:
    """Health of the connection to one heater. Times are aware."""

    state: HealthState
    since: datetime
    #: Time of the latest status; None before the first.
    last_status: Optional[datetime]
    #: Number of times the connection was lost and restored.
    reconnects: int
    #: Number of unanswered polls in a row.
    missed: int
    #: Number of messages that could not be parsed.
    bad_messages: int


@dataclass(frozen=True)
class UsableWater:
    """Water of 40 degC that a tank gives without heating, in litres: ``estimate`` and its range.

    Below 100 litres the range alone is worth saying (PROTOCOL 14.8): ``litres`` is then None.
    """

    FEW: ClassVar[int] = 100

    estimate: float
    least: float
    most: float

    @property
    def litres(self) -> Optional[int]:
        """Estimate in steps of 10 litres; None below 100."""
        return _tens(self.estimate) if self.estimate >= self.FEW else None

    def to_json(self) -> dict[str, Optional[int]]:
        """Return the litres for JSON, in steps of 10; ``litres`` is None below 100."""
        return {"litres": self.litres, "least": _tens(self.least), "most": _tens(self.most)}

    @property
    def text(self) -> str:
        """Estimate and range for people: "about 250 L (190 to 290)", or "20 to 90 L"."""
        least, most = _tens(self.least), _tens(self.most)
        if self.litres is not None:
            return f"about {self.litres} L ({least} to {most})"
        return f"{least} to {most} L" if most else "none"


def _tens(litres: float) -> int:
    return 10 * round(litres / 10)
