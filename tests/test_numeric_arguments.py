"""Every number that a caller gives: what is no usable number is an error that names the argument."""

from __future__ import annotations

import datetime
import inspect
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Mapping

import pytest

from navien_nwp500 import (
    ConfigurationError,
    NaviLinkClient,
    NaviLinkConfig,
    NaviLinkDevice,
    ReconnectConfig,
    Reservation,
    ValueOutOfRangeError,
)
from navien_nwp500.config import _INTERVALS
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.calendar import EVERY_DAY
from navien_nwp500.protocol.schedules import ReservationMode
from navien_nwp500.simulator import Simulator
from support.reliability_tools import within_limit

NOT_A_NUMBER = [float("nan"), "300", b"300", [], {}, object(), True]
TOO_LARGE = [float("inf"), float("-inf"), 10**400, -(10**400), 10**5000]
UNUSABLE = [*NOT_A_NUMBER, *TOO_LARGE]

Use = Callable[[NaviLinkDevice, Any], Any]


async def monitor(device: NaviLinkDevice, value: Any) -> None:
    await (await device.get_mqtt_connection()).start_monitoring(polling_interval=value)


#: The argument of each method, and a call with it.
ARGUMENTS: Mapping[str, Use] = {
    "interval": lambda device, value: device.watch(value),
    "polling_interval": monitor,
    "temperature": lambda device, value: device.control(commands.TEMPERATURE, temperature=value),
    "celsius": lambda device, value: device.set_temperature(celsius=value),
    "fahrenheit": lambda device, value: device.set_temperature(fahrenheit=value),
    "mode": lambda device, value: device.set_dhw_mode(value),
    "days": lambda device, value: device.start_vacation(days=value),
    "hours": lambda device, value: device.set_air_filter_life(hours=value),
    "months": lambda device, value: device.get_energy_daily(2026, value),
    "years": lambda device, value: device.get_energy_monthly(value),
}


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_an_unusable_number_is_refused_before_anything_is_sent(
    sim: Simulator, name: str
) -> None:
    async with NaviLinkClient(replace(sim.config, read_only=False)) as client:
        device = (await client.get_devices())[0]
        await within_limit(device.get_features())
        before = sim.counters.publishes
        for value in [*UNUSABLE, *([0, -1] if "interval" in name else [])]:
            with pytest.raises(ValueOutOfRangeError, match=name):
                result = ARGUMENTS[name](device, value)
                if inspect.isawaitable(result):
                    await within_limit(result)
        assert sim.counters.publishes == before


SETTINGS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("answer_timeout", "rest_timeout", *_INTERVALS), NaviLinkConfig),
    **dict.fromkeys(("max_retries", "initial_delay", "max_delay"), ReconnectConfig),
    **dict.fromkeys(("speed", "heaters", "accounts", "latency", "control_interval"), Simulator),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_an_unusable_setting_is_an_error_that_names_it(name: str) -> None:
    for value in [*UNUSABLE, -1]:
        with pytest.raises(ConfigurationError, match=name):
            SETTINGS[name](**{name: value})


def test_a_polling_interval_may_be_text_but_no_other_number() -> None:
    """A variable of the environment is text."""
    assert NaviLinkConfig(polling_interval="300").polling_interval == 300  # type: ignore[arg-type]
    for value in TOO_LARGE:
        with pytest.raises(ConfigurationError, match="polling_interval"):
            NaviLinkConfig(polling_interval=value)


def test_the_temperature_of_a_reservation_must_be_one() -> None:
    time = datetime.time(6, 30)
    make: Any = partial(Reservation, EVERY_DAY, time, ReservationMode.HEAT_PUMP)
    at: Any = partial(Reservation.at, time, EVERY_DAY, ReservationMode.HEAT_PUMP)
    for value in UNUSABLE:
        with pytest.raises(ValueOutOfRangeError, match="temperature"):
            make(value).check()
        for unit in ("celsius", "fahrenheit"):
            with pytest.raises(ValueOutOfRangeError, match=unit):
                at(**{unit: value})
