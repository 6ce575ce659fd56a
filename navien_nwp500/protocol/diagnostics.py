"""Lifetime counters of a heater, for installers (PROTOCOL 8.13).

A heater sends them packed as hexadecimal text, and the cloud converts that to JSON objects. The
numbers of the field specs are the order in the packed text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, TypeVar

from ..exceptions import ProtocolError
from .fields import decode_fields, field_spec, field_specs, require_object
from .types import Hours, Litres, Steps

T = TypeVar("T")


# fmt: off
@dataclass(frozen=True)
class EventCounters:
    """Lifetime energy, age, and numbers of events (``tsData``). Sources: PROTOCOL 8.13.

    Energies equal the lifetime total of the energy queries (PROTOCOL 8.6).
    """

    heat_pump_wh: int | None = field_spec(1, "cumulatedPwrHp", "LIB2 live/high", "Consumption of the heat pump, Wh.")
    element_wh: int | None = field_spec(2, "cumulatedPwrHe", "LIB2 live/high", "Consumption of the elements, Wh.")
    days_since_installation: int | None = field_spec(3, "daysSinceInstallation", "LIB2 live/high", "Age of the installation, days.")
    high_limit_trips: int | None = field_spec(4, "cumulatedOccNumEco", "LIB2 live/medium", "Number of high-limit (ECO) cut-offs.")
    dry_fires: int | None = field_spec(5, "cumulatedOccNumDryFire", "LIB2 live/medium", "Number of dry fires.")
    freeze_protections: int | None = field_spec(6, "numOffRostProtectBurn", "LIB2 live/medium", "Number of times that freeze protection heated; misspelled on the wire.")
    condensate_overflows: int | None = field_spec(7, "cumulatedOccNumConOvrFlow", "LIB2 live/medium", "Number of condensate overflows.")
    water_leaks: int | None = field_spec(8, "cumulatedOccNumWtrOvrFlow", "LIB2 live/medium", "Number of water leaks.")
    demand_response_shed: int | None = field_spec(9, "cumulatedOpTimeDrShed", "LIB2 live/low", "Time of demand response, shed; the unit is unknown.")
    demand_response_load_up: int | None = field_spec(10, "cumulatedOpTimeDrLoadUp", "LIB2 live/low", "Time of demand response, load up; the unit is unknown.")
    demand_response_advanced_load_up: int | None = field_spec(11, "cumulatedOpTimeDrAdvLoadUp", "LIB2 live/low", "Time of demand response, advanced load up; the unit is unknown.")
    demand_response_critical_peak: int | None = field_spec(12, "cumulatedOpTimeDrCpp", "LIB2 live/low", "Time of demand response, critical peak; the unit is unknown.")
    demand_response_grid_emergency: int | None = field_spec(13, "cumulatedOpTimeDrGridEmg", "LIB2 live/low", "Time of demand response, grid emergency; the unit is unknown.")
    abnormal_discharge_temperatures: int | None = field_spec(14, "cumulatedOccNumAbDisTmp", "LIB2 live/medium", "Number of abnormal discharge temperatures.")
    heat_pump_errors: int | None = field_spec(15, "cumulatedOccNumHpo", "LIB2 live/low", "Number of errors of the heat pump's operation.")
    abnormal_suction_temperatures: int | None = field_spec(16, "cumulatedOccNumAbSucTmp", "LIB2 live/medium", "Number of abnormal suction temperatures.")
    abnormal_discharge_and_suction_temperatures: int | None = field_spec(17, "cumulatedOccNumAbDisSucTmp", "LIB2 live/medium", "Number of abnormal discharge and suction temperatures at once.")
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class DrawCounters:
    """Hot-water draws (``tdData``); all 0 on a unit without a flow meter (PROTOCOL 8.13, 14.5)."""

    draws: int | None = field_spec(1, "numOfdhwUse", "LIB2 live/low", "Number of draws.")
    total_volume: Litres | None = field_spec(2, "dhwUseTotalFlow", "APP/low", "Volume of all draws; the unit is inferred.")
    total_time: Hours | None = field_spec(3, "dhwUseTotalTime", "APP/low", "Time of all draws; the unit is inferred.")
    long_draws: int | None = field_spec(4, "numOfLongDhwUse", "LIB2 live/low", "Number of long draws.")
    long_volume: Litres | None = field_spec(5, "longDhwUseTotalFlow", "APP/low", "Volume of the long draws; the unit is inferred.")
    long_time: Hours | None = field_spec(6, "longDhwUseTotalTime", "APP/low", "Time of the long draws; the unit is inferred.")
    short_draws: int | None = field_spec(7, "numOfShortDhwUse", "LIB2 live/low", "Number of short draws.")
    average_recovery_time: int | None = field_spec(8, "avrageRecoveryTime", "LIB2 live/low", "Average time of a recovery; the unit is unknown; misspelled on the wire.")
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ComponentCounters:
    """Running hours and starts of each component (``taData``). Sources: PROTOCOL 8.13."""

    compressor_hours: Hours | None = field_spec(1, "cumulatedOpTimeComp", "LIB2 live/high", "Running time of the compressor; equals the heat pump's of the energy queries.")
    compressor_starts: int | None = field_spec(2, "cumulatedOpNumComp", "LIB2 live/high", "Starts of the compressor.")
    fan_hours: Hours | None = field_spec(3, "cumulatedOpTimeEvaFan", "LIB2 live/high", "Running time of the evaporator fan.")
    fan_starts: int | None = field_spec(4, "cumulatedOpNumEvaFan", "LIB2 live/high", "Starts of the evaporator fan.")
    expansion_valve_steps: Steps | None = field_spec(5, "cumulatedOpStepEev", "LIB2 live/low", "Steps of the expansion valve; the scale is unknown.")
    upper_element_hours: Hours | None = field_spec(6, "cumulatedOpTimeUhe", "LIB2 live/high", "Running time of the upper element.")
    upper_element_starts: int | None = field_spec(7, "cumulatedOpNumUhe", "LIB2 live/high", "Starts of the upper element.")
    lower_element_hours: Hours | None = field_spec(8, "cumulatedOpTimeLhe", "LIB2 live/high", "Running time of the lower element.")
    lower_element_starts: int | None = field_spec(9, "cumulatedOpNumLhe", "LIB2 live/high", "Starts of the lower element.")
    shut_off_valve_closings: int | None = field_spec(10, "cumulatedOpNumShutOffVv", "LIB2 live/low", "Number of times the shut-off valve was used.")
    mixing_valve_steps: Steps | None = field_spec(11, "mixingValveOpTotalStep", "LIB2 live/low", "Steps of the mixing valve.")
    mixing_valve_rate: int | None = field_spec(12, "mixingValveOpAvgMixinGrate", "LIB2 live/low", "Average mixing rate; the unit is unknown; misspelled on the wire.")
    recirculation_pump_starts: int | None = field_spec(13, "cumulatedOpNumRecircPump", "LIB2 live/medium", "Starts of the recirculation pump.")
    recirculation_pump_hours: Hours | None = field_spec(14, "cumulatedOpTimeRecircPump", "LIB2 live/medium", "Running time of the recirculation pump.")
    inverter_compressor_1_hours: Hours | None = field_spec(15, "cumulatedOpTimeInvComp1", "LIB2 live/low", "Running time in the first range of an inverter compressor; 0 without one.")
    inverter_compressor_2_hours: Hours | None = field_spec(16, "cumulatedOpTimeInvComp2", "LIB2 live/low", "Running time in the second range of an inverter compressor; 0 without one.")
    inverter_compressor_3_hours: Hours | None = field_spec(17, "cumulatedOpTimeInvComp3", "LIB2 live/low", "Running time in the third range of an inverter compressor; 0 without one.")
    inverter_compressor_4_hours: Hours | None = field_spec(18, "cumulatedOpTimeInvComp4", "LIB2 live/low", "Running time in the fourth range of an inverter compressor; 0 without one.")
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
# fmt: on


@dataclass(frozen=True)
class DeviceDiagnostics:
    """Lifetime counters of a heater (PROTOCOL 8.13); a counter that was not sent is None.

    Each part keeps keys without a field in its own ``extra``; ``extra`` here has unknown parts.
    """

    events: EventCounters
    draws: DrawCounters
    components: ComponentCounters
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


#: Wire key of each part, its class, and the number of its first counters that have 32 bits in the
#: packed form; the others have 16.
_PARTS: Mapping[str, tuple[type[Any], int]] = {
    "tsData": (EventCounters, 2),
    "tdData": (DrawCounters, 8),
    "taData": (ComponentCounters, 18),
}
#: Part that was always empty (PROTOCOL 8.13).
_EMPTY_PART = "tcData"


def decode_diagnostics(response: Mapping[str, Any]) -> DeviceDiagnostics:
    """Decode the ``response`` object of the diagnostics, packed or as JSON objects.

    Raises ProtocolError when it contains none, or a part has another form.
    """
    data = require_object(response.get("data"), "data")
    events, draws, components = (
        _decode_part(data.get(key, {}), key, cls, wide) for key, (cls, wide) in _PARTS.items()
    )
    extra = {key: value for key, value in data.items() if key not in _PARTS}
    if not extra.get(_EMPTY_PART):
        extra.pop(_EMPTY_PART, None)
    return DeviceDiagnostics(events, draws, components, extra)


def _decode_part(value: Any, key: str, cls: type[T], wide: int) -> T:
    if isinstance(value, str):
        value = _unpack(value, key, cls, wide)
    return decode_fields(cls, require_object(value, key))


def _unpack(text: str, key: str, cls: type[Any], wide: int) -> dict[str, Any]:
    """Return the counters of a packed part; what follows them is kept under ``packed``."""
    try:
        rest = bytes.fromhex(text)
    except ValueError as error:
        raise ProtocolError(f"{key} is not hexadecimal text") from error
    values: dict[str, Any] = {}
    for number, spec in enumerate(field_specs(cls)):
        size = 4 if number < wide else 2
        if len(rest) >= size:
            values[spec.key] = int.from_bytes(rest[:size], "little")
            rest = rest[size:]
    return {**values, "packed": rest.hex()} if rest else values


def pack_diagnostics(data: Mapping[str, Any]) -> dict[str, str]:
    """Return ``data`` with each part packed as a heater sends it; a missing counter is 0."""
    packed = dict.fromkeys(data, "")
    for key, (cls, wide) in _PARTS.items():
        for number, spec in enumerate(field_specs(cls)):
            size = 4 if number < wide else 2
            count = min(int(data[key].get(spec.key, 0)), 256**size - 1)
            packed[key] += count.to_bytes(size, "little").hex()
    return packed
