"""Values of one status that the rules of causes need, in physical units. No pandas."""

from __future__ import annotations

from datetime import datetime
from typing import Mapping, NamedTuple

from ...protocol.fields import field_specs
from ...protocol.status import ELEMENT_WATTS, RUNNING_WATTS, DeviceStatus
from ...protocol.types import DHWMode, DrEvent, Flag, TouOverride, TouStatus

Values = Mapping[str, "int | None"]

#: The status fields that causes are told from.
CAUSE_FIELDS: tuple[str, ...] = (
    "command",
    "error_code",
    "operation_busy",
    "dhw_use",
    "dhw_operation_setting",
    "dhw_temperature_setting",
    "operation_mode",
    "current_heat_use",
    "heat_upper_use",
    "heat_lower_use",
    "comp_use",
    "current_statenum",
    "current_inst_power",
    "tank_upper_temperature",
    "tank_lower_temperature",
    "ambient_temperature",
    "hp_upper_on_temp_setting",
    "hp_upper_off_temp_setting",
    "hp_lower_on_temp_setting",
    "heat_min_op_temperature",
    "tou_status",
    "tou_override_status",
    "dr_event_status",
    "freeze_protection_temperature",
    "anti_legionella_operation_busy",
    "program_reservation_use",
)
assert set(CAUSE_FIELDS) <= {spec.name for spec in field_specs(DeviceStatus)}

#: Bits of ``currentHeatUse``; those of ``operationMode`` are 32 times as large (PROTOCOL 6.6).
_HEAT_PUMP, _ELEMENT = 1, 2
#: The lowest setpoint of most units, for recordings that name none (PROTOCOL 6.8), in half degrees.
_USUAL_MINIMUM = 81


class Sample(NamedTuple):
    """One status. Temperatures in degC; None where it has no value."""

    when: datetime
    #: Heat is requested, also while the lock-out delays it.
    busy: bool
    heat_pump: bool
    element: bool
    drawing: bool | None
    mode: int | None
    setpoint: float | None
    upper: float | None
    lower: float | None
    air: float | None
    #: The lower sensor's start point outside a time-of-use window.
    start_at: float | None
    #: A time-of-use window holds heating back.
    window: bool | None
    tou_on: bool | None
    disinfecting: bool
    error: int
    state: int | None
    #: Code of the control that this status answers, or 0 (PROTOCOL 4.2).
    control: int
    reservations_on: bool | None
    #: Freeze protection starts here.
    freeze_at: float | None
    #: The grid asks to heat (PROTOCOL 12.7).
    load_up: bool

    @property
    def by_heat_pump(self) -> bool:
        """True unless the element alone is asked for heat."""
        return self.heat_pump or not self.element

    @classmethod
    def of_values(cls, when: datetime, values: Values) -> Sample:
        """Return the sample of a status by field name, with numbers as they were sent."""
        heat_pump, element = _sources(values)
        window = _window(values)
        tou = values.get("tou_status")
        return cls(
            when=when,
            busy=heat_pump or element or bool(_flag(values, "operation_busy")),
            heat_pump=heat_pump,
            element=element,
            drawing=_flag(values, "dhw_use"),
            mode=values.get("dhw_operation_setting"),
            setpoint=_scaled(values, "dhw_temperature_setting", 2),
            upper=_scaled(values, "tank_upper_temperature", 10),
            lower=_scaled(values, "tank_lower_temperature", 10),
            air=_scaled(values, "ambient_temperature", 10),
            start_at=_start_point(values, window),
            window=window,
            tou_on=None if tou not in tuple(TouStatus) else tou != TouStatus.OFF,
            disinfecting=bool(_flag(values, "anti_legionella_operation_busy")),
            error=values.get("error_code") or 0,
            state=values.get("current_statenum"),
            control=_control(values.get("command")),
            reservations_on=_flag(values, "program_reservation_use"),
            freeze_at=_scaled(values, "freeze_protection_temperature", 2),
            load_up=values.get("dr_event_status") in (DrEvent.LOAD_UP, DrEvent.LOAD_UP_ADVANCED),
        )

    @classmethod
    def of(cls, status: DeviceStatus, when: datetime) -> Sample:
        """Return the sample of a status that was received at ``when``, with a time zone."""
        sent = {name: getattr(status, name) for name in CAUSE_FIELDS}
        return cls.of_values(
            when, {name: None if value is None else int(value) for name, value in sent.items()}
        )

    def carry_forward(self, before: Sample) -> Sample:
        """Return it with the values that it lacks taken from the status before.

        A window raises the start point, and single statuses have an unknown time of use: what was
        known before holds on.
        """
        names = ("mode", "setpoint", "start_at", "window", "tou_on", "reservations_on")
        missing = {name: getattr(before, name) for name in names if getattr(self, name) is None}
        return self._replace(**missing) if missing else self


def _sources(values: Values) -> tuple[bool, bool]:
    """Return whether heat is requested of the heat pump, and of an element."""
    use, mode = values.get("current_heat_use"), values.get("operation_mode")
    if use is None and mode is not None:
        use = mode // 32
    if use is not None:
        return bool(use & _HEAT_PUMP), bool(use & _ELEMENT)
    power = values.get("current_inst_power") or 0
    return RUNNING_WATTS <= power < ELEMENT_WATTS, power >= ELEMENT_WATTS


def _window(values: Values) -> bool | None:
    """Return whether a window holds heating back; None when the time of use is unknown.

    Then the upper start threshold is above the lowest setpoint (PROTOCOL 6.9). ``touStatus`` is the
    same in and out of windows on some units, so it decides only where no threshold was recorded.
    """
    tou, override = values.get("tou_status"), values.get("tou_override_status")
    if tou not in tuple(TouStatus):
        return None
    if tou == TouStatus.OFF or override == TouOverride.OVERRIDDEN:
        return False
    start = values.get("hp_upper_on_temp_setting")
    if start is None:
        return tou == TouStatus.ON_PEAK
    lowest = values.get("heat_min_op_temperature")
    return start > (_USUAL_MINIMUM if lowest is None else lowest)


def _start_point(values: Values, window: bool | None) -> float | None:
    if window:  # some units raise it meanwhile (PROTOCOL 6.9)
        return _scaled(values, "heat_min_op_temperature", 2)
    point = _scaled(values, "hp_lower_on_temp_setting", 2)
    return _scaled(values, "heat_min_op_temperature", 2) if point is None else point


def _control(command: int | None) -> int:
    return command if command is not None and 0x02000000 <= command < 0x03000000 else 0


def _scaled(values: Values, name: str, divisor: int) -> float | None:
    value = values.get(name)
    return None if value is None else value / divisor


def _flag(values: Values, name: str) -> bool | None:
    value = values.get(name)
    return None if value in (None, Flag.UNKNOWN) else value == Flag.ACTIVE


def degrees(celsius: float) -> str:
    """Return a temperature in both units, such as ``140.9 °F (60.5 °C)``."""
    return f"{celsius * 1.8 + 32:.1f} °F ({celsius:.1f} °C)"


def mode_text(mode: int | None) -> str:
    """Return the name of a mode that a person selects."""
    return "an unknown mode" if mode is None else DHWMode(mode).text
