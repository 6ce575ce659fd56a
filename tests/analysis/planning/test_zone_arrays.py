"""The tank and the rules on arrays against the simulated heater's."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

pytest.importorskip("pandas", reason="the extra analysis is not installed")

import numpy as np

from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.planning import start_rules
from navien_nwp500.analysis.planning.tank_layers import Tanks
from navien_nwp500.analysis.planning.zone_arrays import power_watts
from navien_nwp500.protocol.types import DHWMode, Volume
from navien_nwp500.simulator.heater.demand import Demand, SensorValues
from navien_nwp500.simulator.heater.tank import Tank

MODEL = HeaterModel()
MINIMUM = 40.5


def test_a_tank_of_the_arrays_is_that_of_the_simulated_heater() -> None:
    """In steps of 5 minutes instead of 30 seconds: layers within 3.5 K, half of them within 0.3 K."""
    random = Random(1)
    tanks = Tanks(MODEL, np.array([[60.0, 50.0]]), np.array([[55.0, 40.0]]))
    singles = [
        Tank(volume=Volume.GALLONS_65, upper=upper, lower=lower, inlet=15.0, seed=1)
        for upper, lower in ((60.0, 55.0), (50.0, 40.0))
    ]
    apart = []
    for _ in range(96):
        heat, litres = random.choice((0.0, 1200.0)), random.choice((0.0, 0.0, 0.0, 4.0, 25.0))
        tanks.draw(np.array([0, 1]), np.full(2, litres), 15.0)
        tanks.step(300, 20.0, np.full((1, 2), heat), 0.0)
        for place, single in enumerate(singles):
            for _ in range(10):
                single.step(30, air=20.0, condenser=heat, litres=litres / 10)
            apart.append(np.abs(tanks.layers[:, 0, place] - single.layers))
            assert tanks.outlet[0, place] == pytest.approx(single.outlet, abs=1.0)
            assert tanks.stored_wh()[0, place] == pytest.approx(single.stored_wh, abs=100)
    assert np.max(apart) < 3.5 and np.median(apart) < 0.3


def test_an_element_warms_the_water_above_it() -> None:
    tanks = Tanks(MODEL, np.array([[40.0]]), np.array([[30.0]]))
    before = tanks.stored_wh()[0, 0]
    for _ in range(3):
        tanks.step(300, 20.0, np.zeros((1, 1)), np.array(5148.0))
    assert tanks.upper[0, 0] == pytest.approx(tanks.outlet[0, 0]) and tanks.upper[0, 0] > 50.0
    assert tanks.stored_wh()[0, 0] - before == pytest.approx(5148 / 4, rel=0.05)


def test_the_outlet_runs_cold_where_drawdowns_say_so() -> None:
    """PROTOCOL 14.8: 155 L of a full tank, and a mean of 36 to 41 degC when it is at 40."""
    tanks = Tanks(MODEL, np.array([[60.6]]), np.array([[60.6]]))
    litres = 0.0
    while tanks.outlet[0, 0] > 40.0:
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
