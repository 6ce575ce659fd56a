"""The simulated heater compared with the recorded one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

import pytest

from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import (
    DeciCelsius,
    DHWMode,
    Flag,
    HalfCelsius,
    HeatPumpState,
    HeatSource,
    OperationMode,
    Volume,
)
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.firmware import (
    Firmware,
    charge,
    missing_energy,
    panel_temperature,
    total_energy,
)
from support import captures

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)
DEMAND, OPERATION = 67108868, 67108883

# Bounds against the field log, in the unit of the message (tenths of a degree, W, s, rpm, steps).
#: The recorded sensor moves in steps of up to 0.3 K and jitters by 0.2 K.
TANK_RUNNING = 6
TANK_RESTING = 4
#: The recorded power varies by 4 W; the fit of PROTOCOL 14.2 alone is off by 11 W.
POWER_RUNNING = 10
#: Discharge and suction vary by 1.5 K because the valve oscillates.
DISCHARGE_RUNNING = 15
SUCTION_RUNNING = 25
EVAPORATOR_RUNNING = 12
AMBIENT_RUNNING = 8
EEV_RUNNING = 8
#: The last 0.1 K of the sensor, its noise, takes 100 s.
STOP_SECONDS = 180
#: The recording polls every 10 s, and one step is 2 s here.
STATE_SECONDS = 15
#: The refrigerant settles with oscillations of 3 K that are not simulated.
DISCHARGE_RESTING = 60
SUCTION_RESTING = 50
EVAPORATOR_RESTING = 50
AMBIENT_RESTING = 15
#: Litres of the recorded draws are not known: fitted to 1.2 K of the lower sensor, 0.4 of the upper.
LOWER_AFTER_DRAWS = 12
UPPER_AFTER_DRAWS = 4


class Logged(NamedTuple):
    """One row of the field log in raw numbers; ``seconds`` since the first row."""

    seconds: float
    command: int
    upper: int
    lower: int
    discharge: int
    suction: int
    evaporator: int
    ambient: int
    power: int
    state: int
    eev: int
    charge: int
    total: int
    missing: int
    panel: int


def deci(fahrenheit: str) -> int:
    return round((float(fahrenheit) - 32) / 0.18)


@pytest.fixture(scope="module")
def field_log() -> list[Logged]:
    return [logged(row) for row in captures.field_log()]


def logged(row: dict[str, str]) -> Logged:
    temperatures = ("tank_upper", "tank_lower", "discharge", "suction", "evaporator", "ambient")
    start = datetime.fromisoformat("2026-01-01T00:00:00")
    stamp = datetime.fromisoformat(row["timestamp"])
    return Logged(
        (stamp.replace(tzinfo=None) - start).total_seconds(),
        int(row["command"]),
        *(deci(row[f"{name}_temperature"]) for name in temperatures),
        int(row["current_inst_power"]),
        int(row["current_statenum"]),
        int(row["eev_step"]),
        int(row["dhw_charge_per"]),
        int(row["total_energy_capacity"]),
        int(row["available_energy_capacity"]),
        round((float(row["dhw_temperature"]) - 32) / 0.9),
    )


class Moment(NamedTuple):
    """A status and its time in seconds of the field log."""

    seconds: float
    status: DeviceStatus


#: Row from which both sensors rise together; before it the tank recovers from draws.
RISING_ROW = 80
#: Draws of the cool-down: seconds of the log (two by its flag, one in a gap), litres, minutes.
RECORDED_DRAWS = ((3276.0, 2.0, 1.3), (7180.0, 14.0, 1.0), (7415.0, 8.0, 1.0), (7625.0, 3.0, 2.0))


@pytest.fixture(scope="module")
def simulation(field_log: list[Logged]) -> tuple[list[Moment], list[Moment]]:
    """Return statuses and pushes of the simulated heater under the recorded conditions."""
    first = field_log[RISING_ROW]
    simulated = Heater(
        now=MIDNIGHT, draws=None, upper_celsius=58.8, lower_celsius=58.8, air_celsius=19.8
    )
    simulated.set_setpoint(HalfCelsius(120))  # this write starts the heat pump
    simulated.advance(60)
    simulated.set_setpoint(HalfCelsius(121))
    for _ in range(24):
        simulated.advance(300)
        simulated.tank.set_sensors(first.upper / 10, first.lower / 10)
    statuses, pushes = [], []
    seconds = first.seconds
    draws = list(RECORDED_DRAWS)
    while seconds < field_log[-1].seconds:
        if draws and draws[0][0] <= seconds:
            _, litres, minutes = draws.pop(0)
            simulated.draw(litres, minutes)
        pushes += [Moment(seconds, push) for push in simulated.advance(2)]
        seconds += 2
        statuses.append(Moment(seconds, simulated.status()))
    return statuses, pushes


def pair_by_time(
    rows: list[Logged], statuses: list[Moment], shift: float = 0.0
) -> list[tuple[Logged, DeviceStatus]]:
    """Pair each recorded row with the simulated status of its time."""
    start = statuses[0].seconds
    pairs = []
    for row in rows:
        index = round((row.seconds + shift - start) / 2)
        if 0 <= index < len(statuses):
            pairs.append((row, statuses[index].status))
    return pairs


def recorded_stop(field_log: list[Logged]) -> float:
    return next(row.seconds for row in field_log if row.command == OPERATION)


def simulated_stop(pushes: list[Moment]) -> float:
    return next(moment.seconds for moment in pushes if moment.status.command == OPERATION)


def test_derived_fields_follow_the_recorded_sensors(field_log: list[Logged]) -> None:
    setpoint, base = HalfCelsius(121), HalfCelsius(81)
    target = Firmware.B.energy_target(setpoint, DHWMode.ENERGY_SAVER, window=False)
    charges, deficits = [], []
    for row in field_log:
        upper, lower = DeciCelsius(row.upper), DeciCelsius(row.lower)
        assert panel_temperature(upper) == row.panel
        assert total_energy(Volume.GALLONS_65, target, base) == row.total
        charges.append(charge(upper, setpoint) - row.charge)
        deficits.append(missing_energy(Volume.GALLONS_65, target, upper, lower) - row.missing)
    # PROTOCOL 6.8: charge off by 1 in 19 rows, the deficit by one step of 0.1 K in the others.
    assert set(charges) <= {-1, 0, 1} and sum(map(bool, charges)) <= 19
    assert set(deficits) <= {-7, 0, 7} and sum(map(bool, deficits)) <= 111


def test_recovery_is_as_recorded(
    field_log: list[Logged], simulation: tuple[list[Moment], list[Moment]]
) -> None:
    stop = min(recorded_stop(field_log), simulated_stop(simulation[1])) - 10
    pairs = [pair for pair in pair_by_time(field_log, simulation[0]) if pair[0].seconds < stop]
    assert len(pairs) > 120
    for row, status in pairs:
        assert status.current_statenum == row.state == HeatPumpState.RUN
        within(row.upper, status.tank_upper_temperature, TANK_RUNNING)
        within(row.lower, status.tank_lower_temperature, TANK_RUNNING)
        within(row.power, status.current_inst_power, POWER_RUNNING)
        within(row.discharge, status.discharge_temperature, DISCHARGE_RUNNING)
        within(row.suction, status.suction_temperature, SUCTION_RUNNING)
        within(row.evaporator, status.evaporator_temperature, EVAPORATOR_RUNNING)
        within(row.ambient, status.ambient_temperature, AMBIENT_RUNNING)
        within(row.eev, status.eev_step, EEV_RUNNING)


def within(recorded: int, simulated: int | None, bound: int) -> None:
    assert simulated is not None and abs(simulated - recorded) <= bound, (recorded, simulated)


def test_recovery_stops_as_recorded(
    field_log: list[Logged], simulation: tuple[list[Moment], list[Moment]]
) -> None:
    pushes = [moment.status for moment in simulation[1]]
    assert [push.command for push in pushes] == [DEMAND, OPERATION]
    assert [row.command for row in field_log if row.command >= DEMAND] == [DEMAND, OPERATION]
    assert abs(simulated_stop(simulation[1]) - recorded_stop(field_log)) <= STOP_SECONDS
    ending, ended = pushes
    assert ending.operation_busy == Flag.READY and ending.current_heat_use == HeatSource.NONE
    assert ending.operation_mode == OperationMode.HEAT_PUMP and ending.comp_use.active
    assert ended.operation_mode == OperationMode.STANDBY and not ended.comp_use.active
    assert ended.current_statenum == HeatPumpState.FAN_RUN_ON and ended.target_fan_rpm == 550
    assert ending.tank_upper_temperature == 606  # above the Off threshold by one step
    within(479, ended.current_inst_power, POWER_RUNNING)


def test_states_after_the_stop_last_as_long_as_recorded(
    field_log: list[Logged], simulation: tuple[list[Moment], list[Moment]]
) -> None:
    stop, own_stop = recorded_stop(field_log), simulated_stop(simulation[1])
    for state in (HeatPumpState.LOCK_OUT, HeatPumpState.IDLE):
        recorded = next(r.seconds for r in field_log if r.seconds > stop and r.state == state)
        simulated = next(
            m.seconds
            for m in simulation[0]
            if m.seconds > own_stop and m.status.current_statenum == state
        )
        assert abs((simulated - own_stop) - (recorded - stop)) <= STATE_SECONDS


def test_cool_down_is_as_recorded(
    field_log: list[Logged], simulation: tuple[list[Moment], list[Moment]]
) -> None:
    stop = recorded_stop(field_log)
    draws = RECORDED_DRAWS[1][0] - 60
    shift = simulated_stop(simulation[1]) - stop
    rest = [row for row in field_log if stop + 60 < row.seconds < draws]
    pairs = pair_by_time(rest, simulation[0], shift)
    assert len(pairs) > 250
    for row, status in pairs:
        within(row.upper, status.tank_upper_temperature, TANK_RESTING)
        within(row.lower, status.tank_lower_temperature, TANK_RESTING)
        within(row.discharge, status.discharge_temperature, DISCHARGE_RESTING)
        within(row.suction, status.suction_temperature, SUCTION_RESTING)
        within(row.evaporator, status.evaporator_temperature, EVAPORATOR_RESTING)
        within(row.ambient, status.ambient_temperature, AMBIENT_RESTING)
        assert status.current_inst_power <= 10


def test_draws_cool_the_lower_sensor_as_recorded(
    field_log: list[Logged], simulation: tuple[list[Moment], list[Moment]]
) -> None:
    rows = [row for row in field_log if row.seconds > RECORDED_DRAWS[1][0]]
    for row, status in pair_by_time(rows, simulation[0]):
        within(row.lower, status.tank_lower_temperature, LOWER_AFTER_DRAWS)
        within(row.upper, status.tank_upper_temperature, UPPER_AFTER_DRAWS)
        assert status.current_statenum == row.state == HeatPumpState.IDLE
