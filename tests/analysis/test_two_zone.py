"""The two-zone plant beside the recoveries, losses and draws of PROTOCOL 14."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.analysis.two_zone import TankState, draw, heating_run, step
from navien_nwp500.protocol.types import Volume

MODEL = HeaterModel()
WH_PER_LITRE_KELVIN = 1.163


@pytest.mark.parametrize(
    ("upper", "lower", "air", "minutes", "watt_hours"),
    [  # PROTOCOL 14.7
        (58.2, 40.5, 18.3, 182, 1190),
        (58.2, 40.5, 22.0, 164, 1103),
        (58.2, 48.5, 22.0, 109, 780),
        (55.0, 35.5, 22.0, 219, 1435),
        (52.0, 30.0, 22.0, 273, 1728),
        (49.2, 49.2, 22.0, 169, 1198),
        (57.0, 55.0, 22.0, 70, 523),
        (29.0, 28.0, 22.0, 426, 2545),
    ],
)
def test_recoveries_of_the_record(
    upper: float, lower: float, air: float, minutes: int, watt_hours: int
) -> None:
    run = heating_run(MODEL, TankState(upper, lower), setpoint=60.5, air=air)
    assert run is not None
    assert run.seconds / 60 == pytest.approx(minutes, rel=0.03)
    assert run.watt_hours == pytest.approx(watt_hours, rel=0.03)


def test_a_rate_divides_the_time_and_a_hot_tank_takes_none() -> None:
    tank = TankState(58.2, 40.5)
    run = heating_run(MODEL, tank, setpoint=60.5, air=22)
    fast = heating_run(replace(MODEL, rate=1.25), tank, setpoint=60.5, air=22)
    assert run is not None and fast is not None
    assert 1.25 < run.seconds / fast.seconds < 1.35, "losses take less of a faster recovery"
    hot = heating_run(MODEL, TankState(60.6, 60.5), setpoint=60.5, air=22)
    assert hot is not None and hot[:3] == (0, 0, 0)
    assert heating_run(replace(MODEL, rate=0.01), tank, setpoint=60.5, air=22) is None


@pytest.mark.parametrize("seconds", [10, 300])
def test_the_step_hardly_changes_the_time(seconds: float) -> None:
    tank = TankState(58.2, 40.5)
    run = heating_run(MODEL, tank, setpoint=60.5, air=22)
    other = heating_run(MODEL, tank, setpoint=60.5, air=22, seconds=seconds)
    assert run is not None and other is not None
    assert other.seconds == pytest.approx(run.seconds, rel=0.01)


def test_standby_loses_two_kilowatt_hours_a_day() -> None:
    tank = TankState(60.0, 60.0)
    for _ in range(96):
        tank = step(MODEL, tank, 900, air=21)
    assert 2000 <= (60 - tank.mean(MODEL)) * MODEL.wh_per_kelvin <= 2200  # PROTOCOL 14.4
    gap = TankState(60.0, 50.0)
    for _ in range(107):
        gap = step(replace(MODEL, bottom_watts=0), gap, 900, air=21)
    assert gap.upper - gap.lower == pytest.approx(10 / 2.72, rel=0.25)  # 26.7 h, less the jacket


def test_heat_is_neither_made_nor_lost_without_losses() -> None:
    model = replace(MODEL, jacket_watts_per_kelvin=0, bottom_watts=0)
    tank = draw(model, TankState(60.0, 58.0), 60, 15)
    drawn = (59 - tank.mean(model)) * model.wh_per_kelvin
    assert drawn == pytest.approx(60 * WH_PER_LITRE_KELVIN * 45, rel=1e-9)
    assert tank.hidden_wh > 0
    for _ in range(60):
        before = tank
        tank = step(model, tank, 60, air=20, condenser=1200, upper_element=500, lower_element=300)
        gained = (tank.mean(model) - before.mean(model)) * model.wh_per_kelvin
        assert gained == pytest.approx(2000 / 60)


def test_the_condenser_replaces_hidden_heat_first_and_then_the_lower_zone() -> None:
    tank = step(MODEL, TankState(60.0, 45.0, 100.0), 240, air=20, condenser=1500)
    assert tank.hidden_wh < 1 and tank.lower < 45
    later = step(MODEL, tank, 900, air=20, condenser=1500)
    assert later.lower - tank.lower > 2 and later.upper < tank.upper


def test_draws_cool_the_lower_sensor_as_measured() -> None:
    for litres, kelvin in [(8, 0.8), (16, 2.5), (32, 3.8), (65, 12.3)]:  # PROTOCOL 14.5
        mixed = 60 - draw(MODEL, TankState(60.0, 60.0), litres, 22.4).lower
        layered = 50 - draw(MODEL, TankState(59.0, 50.0), litres, 22.4).lower
        assert mixed < kelvin < layered or mixed == pytest.approx(kelvin, rel=0.1)


@pytest.mark.parametrize(("volume", "litres"), [(Volume.GALLONS_65, 155), (Volume.GALLONS_80, 191)])
def test_a_full_tank_turns_cold_after_155_litres(volume: Volume, litres: float) -> None:
    model = MODEL.for_volume(volume)
    tank = draw(model, TankState(60.6, 60.6), litres, 22.4)
    assert tank.mean(model) == pytest.approx(model.empty_celsius, abs=2)  # PROTOCOL 14.8


def test_water_never_becomes_colder_than_what_flows_in() -> None:
    tank = draw(MODEL, TankState(60.0, 40.0, 500.0), 2000, 15)
    assert 15 <= tank.lower <= tank.upper < 17 and tank.mean(MODEL) >= 14.9


def test_the_plant_needs_no_pandas() -> None:
    code = (
        "import sys; sys.modules['pandas'] = sys.modules['numpy'] = None\n"
        "import navien_nwp500.analysis.two_zone"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
