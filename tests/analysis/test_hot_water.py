"""Usable hot water by hand, from PROTOCOL 14.8."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from navien_nwp500 import usable_water, usable_water_of
from navien_nwp500.analysis.hot_water import volume_of
from navien_nwp500.exceptions import ValueOutOfRangeError
from navien_nwp500.models import UsableWater, Volume
from navien_nwp500.protocol.fields import decode_fields, encode_fields
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator import Heater

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("upper", "lower", "cold", "litres"),
    [
        (60.6, 60.6, 22.4, 351),
        (60.0, 60.0, 22.4, 343),
        (59.0, 50.0, 22.4, 266),
        (55.0, 41.0, 22.4, 172),
        (50.0, 30.0, 22.4, 57),
        (42.0, 40.0, 22.4, 62),
        (60.6, 60.6, 15.0, 253),
    ],
)
def test_litres_by_hand(upper: float, lower: float, cold: float, litres: int) -> None:
    water = usable_water(upper, lower, cold=cold)
    assert round(water.estimate) == litres
    assert water.least <= water.estimate <= water.most


def test_the_range_by_hand() -> None:
    water = usable_water(60.6, 60.6)
    # Cold water 15: 25 K x 1.163 = 29.075 Wh a litre. Mean 41 without the lag: 281 x 19.6 = 5508 Wh.
    # Mean 36 with 28 L at 60.6: 281 x 24.6 + 28 x 1.163 x 45.6 = 8398 Wh.
    assert (round(water.least), round(water.most)) == (189, 289)
    assert water.text == "about 250 L (190 to 290)"
    assert water.to_json() == {"litres": 250, "least": 190, "most": 290}
    assert round(water.estimate / 60, 1) == 4.2  # showers of 60 L


@pytest.mark.parametrize(
    ("water", "text", "litres"),
    [
        (UsableWater(62, 18, 92), "20 to 90 L", None),
        (UsableWater(99, 50, 140), "50 to 140 L", None),
        (UsableWater(100, 50, 140), "about 100 L (50 to 140)", 100),
        (UsableWater(0, 0, 0), "none", None),
    ],
)
def test_below_100_litres_only_the_range_is_said(
    water: UsableWater, text: str, litres: int | None
) -> None:
    assert (water.text, water.litres) == (text, litres)


def test_a_tank_below_shower_temperature_gives_none_and_the_lag_needs_40_6() -> None:
    assert usable_water(39.9, 39.9) == UsableWater(0.0, 0.0, 0.0)
    # 281 x (40.5 - 38) = 702.5 Wh are 24.2 L; from 40.6 on 19 L x 25.6 K more, 19.5 L.
    assert usable_water(40.5, 40.5).estimate == pytest.approx(24.2, abs=0.1)
    assert usable_water(40.6, 40.6).estimate == pytest.approx(25.1 + 19.5, abs=0.1)


def test_the_water_is_at_most_what_the_tank_holds() -> None:
    # 239 L at 40 with cold water of 39: 239 x (60 - 39) / 1 by the sensors' mean alone.
    water = usable_water(60.0, 60.0, cold=39.0)
    assert water.most == pytest.approx(239 * 21) and water.estimate == pytest.approx(239 * 21)


def test_after_an_element_the_upper_sensor_stands_for_28_percent() -> None:
    # Mean 0.28 x 55 + 0.72 x 30 = 37 and not 42.5: the lag alone, 19 x 40 / 25 = 30.4 L.
    assert usable_water(55.0, 30.0, element_ran=True).estimate == pytest.approx(30.4)
    assert usable_water(55.0, 30.0).estimate == pytest.approx(30.4 + 281 * 4.5 / 29.075)
    assert usable_water(50.0, 50.0, element_ran=True) == usable_water(50.0, 50.0)


@pytest.mark.parametrize("volume", [Volume.GALLONS_50, Volume.GALLONS_65, Volume.GALLONS_80])
@pytest.mark.parametrize("window", [False, True])
def test_a_status_tells_the_size_of_the_tank(volume: Volume, window: bool) -> None:
    heater = Heater(now=MIDNIGHT, draws=None, volume=volume, upper_celsius=60.0, lower_celsius=50.0)
    if window:
        heater.set_tou_enabled(True)
        heater.set_tou_window(True)
    status = heater.status()
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    assert upper is not None and lower is not None
    expected = usable_water(upper.celsius, lower.celsius, volume=volume, cold=10.0)
    assert usable_water_of(status, cold=10.0) == expected
    assert usable_water_of(status, cold=10.0, volume=volume) == expected


@pytest.mark.parametrize("volume", [Volume.GALLONS_50, Volume.GALLONS_65, Volume.GALLONS_80])
@pytest.mark.parametrize("hot", [False, True])
def test_the_size_is_told_while_the_counts_are_those_of_the_old_setpoint(
    volume: Volume, hot: bool
) -> None:
    """A new setpoint is shown one message before the counts and the charge that follow it."""
    celsius = 60.6 if hot else 56.0
    heater = Heater(
        now=MIDNIGHT, draws=None, volume=volume, upper_celsius=celsius, lower_celsius=celsius
    )
    before = heater.status()
    for setpoint in (96, 100, 104, 108, 113, 116, 117, 124, 130):
        heater.set_setpoint(HalfCelsius(setpoint))
        heater.status()  # the late one
        assert volume_of(heater.status()) == volume, setpoint
        changes = {"dhwTemperatureSetting": setpoint, "command": 0x02000020}
        late = decode_fields(DeviceStatus, {**encode_fields(before), **changes})
        assert volume_of(late) == volume, setpoint
        # At the panel no control is answered, and one other size may fit by chance.
        pushed = decode_fields(DeviceStatus, {**encode_fields(late), "command": 0x04000004})
        if not hot:
            assert volume_of(pushed) == volume, setpoint


def test_an_element_that_is_on_counts_as_having_run() -> None:
    heater = Heater(
        now=MIDNIGHT, draws=None, mode=DHWMode.POWER_OFF, upper_celsius=50.0, lower_celsius=30.0
    )
    heater.set_mode(DHWMode.ELECTRIC)
    heater.advance(60)
    status = heater.status()
    assert status.heat_upper_use.active
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    assert upper is not None and lower is not None
    ran = usable_water(upper.celsius, lower.celsius, element_ran=True)
    assert usable_water_of(status) == ran


@pytest.mark.parametrize(
    "changes",
    [{"cold": 40.0}, {"cold": -1.0}, {"cold": float("nan")}, {"volume": Volume(9)}],
)
def test_impossible_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueOutOfRangeError):
        usable_water(60.0, 60.0, **changes)
    with pytest.raises(ValueOutOfRangeError):
        usable_water(float("nan"), 60.0)


def test_it_needs_no_pandas() -> None:
    code = (
        "import sys; from navien_nwp500 import usable_water; usable_water(60, 60); "
        "assert not {'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
