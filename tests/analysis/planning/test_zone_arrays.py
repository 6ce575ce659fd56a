"""The plant on arrays against the plant of floats, and the rules against the simulated heater's."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

import numpy as np

from navien_nwp500.analysis import two_zone
from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.planning import start_rules
from navien_nwp500.analysis.planning.zone_arrays import Tanks, power_watts
from navien_nwp500.protocol.types import DHWMode
from navien_nwp500.simulator.heater.demand import Demand, SensorValues

MODEL = HeaterModel()
MINIMUM = 40.5


def test_a_tank_in_the_arrays_is_the_tank_of_two_zone() -> None:
    random = Random(1)
    states = [(random.uniform(40, 62), random.uniform(16, 60)) for _ in range(60)]
    upper, lower = (np.array([[one[place] for one in states]]) for place in (0, 1))
    tanks = Tanks(MODEL, upper, lower)
    singles = [two_zone.TankState(*one) for one in states]
    columns = np.arange(len(states))
    for number in range(40):
        heats = np.array([[random.choice((0.0, 1200.0)) for _ in states]])
        elements = np.array([[random.choice((0.0, 0.0, 5148.0)) for _ in states]])
        tanks.step(300, 20.0, heats, elements)
        singles = [
            two_zone.step(MODEL, one, 300, air=20.0, condenser=heat, upper_element=element)
            for one, heat, element in zip(singles, heats[0], elements[0])
        ]
        if number % 5 == 0:
            # Parts of 4 L against parts of 2 L: so small draws are equal.
            tanks.draw(columns, np.full(len(states), 2.0), 15.0)
            singles = [two_zone.draw(MODEL, one, 2.0, 15.0) for one in singles]
        assert tanks.upper[0] == pytest.approx([one.upper for one in singles], abs=1e-6)
        assert tanks.lower[0] == pytest.approx([one.lower for one in singles], abs=1e-6)
        assert tanks.hidden[0] == pytest.approx([one.hidden_wh for one in singles], abs=1e-4)


def test_a_large_draw_differs_little_with_larger_parts() -> None:
    tanks = Tanks(MODEL, np.array([[60.0]]), np.array([[55.0]]))
    tanks.draw(np.array([0]), np.array([90.0]), 15.0)
    single = two_zone.draw(MODEL, two_zone.TankState(60.0, 55.0), 90.0, 15.0)
    assert tanks.stored_wh()[0, 0] / MODEL.wh_per_kelvin == pytest.approx(
        single.mean(MODEL), abs=0.1
    )
    assert tanks.lower[0, 0] == pytest.approx(single.lower, abs=1.0)


def test_the_outlet_runs_cold_where_drawdowns_say_so() -> None:
    """PROTOCOL 14.8: 155 L of a full tank, and a mean of 36 to 41 degC when it is at 40."""
    tanks = Tanks(MODEL, np.array([[60.6]]), np.array([[60.6]]))
    litres = 0.0
    while tanks.outlet(18.0)[0, 0] > 40.0:
        tanks.draw(np.array([0]), np.array([1.0]), 18.0)
        litres += 1
    assert 110 <= litres <= 160
    assert 36 <= tanks.stored_wh()[0, 0] / MODEL.wh_per_kelvin <= 41


@pytest.mark.parametrize(("water", "watts"), [(28, 323), (46, 386), (62, 467)])
def test_power_is_the_measured_one(water: float, watts: float) -> None:
    """PROTOCOL 14.2, within its steps of 7 K of water; the air in a run is 3 K colder."""
    assert float(power_watts(MODEL, np.array(float(water)), 22.0)) == pytest.approx(watts, rel=0.04)


def demand_after(now: SensorValues, running: bool, element: bool) -> Demand:
    demand = Demand()
    demand.heat_pump, demand.upper_element = running, element
    return demand


TEMPERATURES = (30.0, 39.0, 40.4, 40.6, 45.9, 47.9, 48.1, 54.0, 55.8, 58.1, 59.4, 59.9)


@pytest.mark.parametrize("window", [False, True])
def test_the_heat_pump_starts_and_stops_as_in_the_simulated_heater(window: bool) -> None:
    wrong = []
    setpoint = 56.0
    for upper, lower, running in product(TEMPERATURES, TEMPERATURES, (False, True)):
        # In a run the sensor shows the overshoot on top of the water.
        shown = lower + (MODEL.stop_overshoot if running else 0.0)
        values = SensorValues(
            round(upper * 10), round(shown * 10), 560, 405, DHWMode.HEAT_PUMP, window
        )
        demand = demand_after(values, running, False)
        demand.update(values)
        found = start_rules.by_sensors(
            MODEL, running, upper, lower, setpoint, window, minimum=MINIMUM
        )
        if bool(found) != demand.heat_pump and abs(lower - setpoint) > 0.2:
            wrong.append((upper, lower, running))
    assert wrong == []


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("running", [False, True])
def test_a_new_setpoint_is_judged_as_in_the_simulated_heater(window: bool, running: bool) -> None:
    for upper, setpoint in product(TEMPERATURES, (41.0, 48.0, 55.5, 57.0, 60.5)):
        values = SensorValues(
            round(upper * 10), 500, round(setpoint * 10), 405, DHWMode.HEAT_PUMP, window
        )
        demand = demand_after(values, running, False)
        demand.change_setpoint(values, 400)
        found = start_rules.after_new_setpoint(upper, setpoint, window)
        assert bool(found) == demand.heat_pump, (upper, setpoint)


@pytest.mark.parametrize("mode", [DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND])
@pytest.mark.parametrize("raised", [False, True])
def test_the_element_runs_as_in_the_simulated_heater(mode: DHWMode, raised: bool) -> None:
    for upper, element in product(TEMPERATURES, (False, True)):
        values = SensorValues(round(upper * 10), 500, 560, 405, mode)
        demand = demand_after(values, True, element)
        if raised:
            demand.change_setpoint(values, 500)
        demand.update(values)
        if mode == DHWMode.ENERGY_SAVER:
            found = start_rules.saver_element(element, upper, 56.0, raised, minimum=MINIMUM)
        else:
            found = start_rules.demand_element(element, upper, 56.0, raised)
        assert bool(found) == demand.upper_element, (upper, element)
