"""A boost heats now and restores the settings, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import NaviLinkClient, NaviLinkDevice
from navien_nwp500.apps.boost import booster as module
from navien_nwp500.apps.boost.boost_file import BoostFile
from navien_nwp500.apps.boost.boost_plan import (
    BoostPlan,
    BoostRequest,
    BoostResult,
    BoostSettings,
    make_plan,
    what_to_restore,
)
from navien_nwp500.apps.boost.booster import Booster
from navien_nwp500.apps.cli.boost_command import next_time
from navien_nwp500.apps.cli.context import CommandContext
from navien_nwp500.exceptions import (
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    ValueOutOfRangeError,
)
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.types import DHWMode, HalfCelsius, TouStatus
from navien_nwp500.simulator import Heater, Simulator
from support.cli import LIMIT, run, start
from support.control_tools import record_writes
from support.reliability_tools import SHORT_TIMEOUT, fast_config, wait_until, within_limit

pytestmark = pytest.mark.navilink(speed=600, frozen=True, draws=None, control_interval=0.0)

SET = BoostSettings(True, DHWMode.HEAT_PUMP, HalfCelsius(104))


@pytest.fixture
def machine(sim: Simulator) -> Heater:
    """The simulated heater at rest: 52 degC, heat pump, time of use on; its tank at 55 and 40.4."""
    heater = sim.units[0].heater
    assert isinstance(heater, Heater)
    heater.set_mode(DHWMode.HEAT_PUMP)
    heater.set_setpoint(HalfCelsius(104))
    heater.set_tou_enabled(True)
    return heater


@pytest.fixture
async def heater(client: NaviLinkClient, sim: Simulator, machine: Heater) -> NaviLinkDevice:
    await sim.advance(minutes=10)
    return (await client.get_devices())[0]


@pytest.fixture
def file(tmp_path: Path) -> BoostFile:
    return BoostFile.of(tmp_path / "data", "0123456789ab")


def settings(machine: Heater) -> BoostSettings:
    return BoostSettings.of(machine.status())


class Boosting:
    """A boost that runs in a task, and what it reported."""

    def __init__(self, heater: NaviLinkDevice, file: BoostFile, sim: Simulator) -> None:
        self.started: list[BoostPlan] = []
        self.ended: list[BoostResult] = []
        self.booster = Booster(
            heater,
            file,
            sim.clock,
            check=0.02,
            on_start=lambda plan, _: self.started.append(plan),
            on_end=self.ended.append,
        )
        self.sim = sim
        self.task: asyncio.Task[BoostResult]

    async def start(self, **request: Any) -> Boosting:
        """Start it; return when the heater has confirmed its settings."""
        if "until" in request:
            request["until"] = self.sim.clock.now() + request["until"]
        self.task = asyncio.create_task(self.booster.run(BoostRequest(**request)))
        await wait_until(lambda: bool(self.started) or self.task.done())
        if self.task.done():
            self.task.result()
        return self

    async def result(self) -> BoostResult:
        return await within_limit(self.task)


@pytest.fixture
async def boosting(
    heater: NaviLinkDevice, file: BoostFile, sim: Simulator
) -> AsyncIterator[Boosting]:
    boost = Boosting(heater, file, sim)
    yield boost
    if hasattr(boost, "task") and not boost.task.done():
        boost.task.cancel()
        await asyncio.wait({boost.task})


HOUR = timedelta(hours=1)
SIXTY = HalfCelsius(120)


async def test_a_boost_heats_in_a_window_and_restores_all_settings_at_its_end(
    boosting: Boosting, machine: Heater, sim: Simulator, file: BoostFile
) -> None:
    machine.set_tou_window(True)
    assert settings(machine) == SET and machine.status().in_tou_window
    await boosting.start(until=HOUR, mode=DHWMode.HIGH_DEMAND, temperature=SIXTY)
    assert settings(machine) == BoostSettings(False, DHWMode.HIGH_DEMAND, SIXTY)
    saved = file.read()
    assert saved is not None and saved.before == SET
    assert os.name == "nt" or stat.S_IMODE(file.path.stat().st_mode) == 0o600
    await sim.advance(minutes=59)
    assert machine.status().comp_use.active and not boosting.ended
    await sim.advance(minutes=1)
    result = await boosting.result()
    assert boosting.ended == [result]
    assert settings(machine) == SET == result.restored and not result.kept
    assert result.reached is None
    assert not list(file.path.parent.iterdir())


async def test_a_boost_without_a_setpoint_starts_the_heat_pump_by_one_step(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    machine.set_setpoint(HalfCelsius(112))  # starts at 56 degC, as its tank has 55
    machine.set_mode(DHWMode.POWER_OFF)
    machine.power_on()
    machine.settings.tou.enabled = False
    machine._controller.demand.clear()
    await sim.advance(minutes=10)
    assert not machine.status().comp_use.active
    await boosting.start(until=HOUR)
    assert boosting.started[0].boosted == BoostSettings(temperature=HalfCelsius(113))
    await sim.advance(minutes=10)
    assert machine.status().comp_use.active
    await sim.advance(hours=1)
    await boosting.result()
    assert settings(machine).temperature == 112


async def test_the_setpoint_changes_while_the_mode_without_an_element_is_set(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    machine.set_tou_enabled(False)
    machine.set_mode(DHWMode.ENERGY_SAVER)
    async with record_writes(sim) as sent:
        await boosting.start(until=HOUR, mode=DHWMode.HEAT_PUMP, temperature=SIXTY)
        await sim.advance(hours=1)
        await boosting.result()
    codes = [json.loads(payload)["request"]["command"] for _, payload in sent]
    mode, setpoint = commands.DHW_MODE.code, commands.TEMPERATURE.code
    assert codes == [mode, setpoint, setpoint, mode]
    assert not machine._controller.demand.element
    assert settings(machine) == BoostSettings(False, DHWMode.ENERGY_SAVER, HalfCelsius(104))


async def test_a_boost_for_water_ends_when_it_is_there(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    await boosting.start(litres=200, temperature=SIXTY)
    while not boosting.task.done():  # a poll after any number of these steps
        await sim.advance(minutes=30)
        await asyncio.sleep(0.05)
    result = await boosting.result()
    assert result.reached and settings(machine) == SET
    again = await boosting.booster.run(BoostRequest(litres=200, temperature=SIXTY))
    assert again.reached and not again.restored and len(boosting.ended) == 2


async def test_a_boost_for_water_ends_when_nothing_heats_any_more(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    await boosting.start(litres=200, temperature=SIXTY)
    machine.power_off()
    while not boosting.task.done():
        await sim.advance(minutes=5)
        await asyncio.sleep(0.05)
    result = await boosting.result()
    assert result.reached is False and sim.clock.now() < result.plan.end
    assert result.kept == BoostSettings(mode=DHWMode.POWER_OFF)
    assert result.restored == BoostSettings(tou=True, temperature=HalfCelsius(104))
    assert settings(machine) == replace(SET, mode=DHWMode.POWER_OFF)


async def test_a_cancellation_restores_at_once(boosting: Boosting, machine: Heater) -> None:
    await boosting.start(until=HOUR, temperature=SIXTY)
    boosting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await boosting.result()
    assert settings(machine) == SET and boosting.ended[0].restored == replace(SET, mode=None)


async def test_a_second_boost_is_refused_and_a_stop_from_elsewhere_ends_the_first(
    boosting: Boosting, machine: Heater, heater: NaviLinkDevice, file: BoostFile, sim: Simulator
) -> None:
    other = Boosting(heater, file, sim).booster
    assert await other.stop() is None and await other.finish() is None
    await boosting.start(until=HOUR, temperature=SIXTY)
    with pytest.raises(DeviceError, match="boosted already.*set boost stop"):
        await other.run(BoostRequest(litres=100))
    assert await other.finish() is None
    assert settings(machine).temperature == SIXTY
    assert await within_limit(other.stop()) is None
    assert (await boosting.result()).restored and settings(machine) == SET


async def test_a_boost_left_by_an_earlier_run_is_continued_or_restored(
    boosting: Boosting, machine: Heater, heater: NaviLinkDevice, file: BoostFile, sim: Simulator
) -> None:
    boosted = BoostSettings(False, None, SIXTY)
    machine.set_tou_enabled(False)
    machine.set_setpoint(SIXTY)
    left = BoostPlan(sim.clock.now() + HOUR, SET, boosted)
    file.write(left)
    finishing = asyncio.create_task(boosting.booster.finish())
    await wait_until(file.lock_path.exists)
    assert settings(machine).temperature == SIXTY and not finishing.done()
    await sim.advance(hours=1)
    result = await within_limit(finishing)
    assert result is not None and settings(machine) == SET and not file.path.exists()

    machine.set_setpoint(SIXTY)
    file.write(left)
    stopped = await within_limit(boosting.booster.stop())
    assert stopped is not None and stopped.restored == BoostSettings(temperature=SET.temperature)

    machine.set_setpoint(SIXTY)
    file.write(replace(left, end=sim.clock.now() + HOUR))
    await boosting.start(until=HOUR, temperature=HalfCelsius(122))
    assert boosting.started[0].before == SET
    boosting.task.cancel()


async def test_what_somebody_else_has_changed_is_left(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    await boosting.start(until=HOUR, mode=DHWMode.HIGH_DEMAND, temperature=SIXTY)
    machine.set_setpoint(HalfCelsius(100))
    await sim.advance(hours=1)
    result = await boosting.result()
    assert result.kept == BoostSettings(temperature=HalfCelsius(100))
    assert settings(machine) == replace(SET, temperature=HalfCelsius(100))


async def test_a_mode_that_a_window_had_deferred_is_deferred_again(
    boosting: Boosting, machine: Heater, sim: Simulator
) -> None:
    machine.set_tou_window(True)
    machine.set_mode(DHWMode.ENERGY_SAVER)
    assert machine.settings.deferred_mode == DHWMode.ENERGY_SAVER
    await boosting.start(until=HOUR, temperature=SIXTY)
    assert settings(machine) == BoostSettings(False, DHWMode.HEAT_PUMP, SIXTY)
    await sim.advance(hours=1)
    result = await boosting.result()
    assert result.status.held_mode == DHWMode.ENERGY_SAVER
    assert settings(machine) == SET and machine.settings.deferred_mode == DHWMode.ENERGY_SAVER


async def test_a_heater_that_is_offline_at_the_end_is_tried_again_but_not_for_ever(
    machine: Heater, sim: Simulator, file: BoostFile, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    boosted = BoostSettings(mode=DHWMode.HIGH_DEMAND, temperature=SIXTY)
    machine.set_mode(DHWMode.HIGH_DEMAND)
    machine.set_setpoint(SIXTY)
    file.write(BoostPlan(sim.clock.now(), SET, boosted))
    async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
        (heater,) = await client.get_devices()
        booster = Boosting(heater, file, sim).booster
        await sim.unplug()
        with monkeypatch.context() as patch:
            patch.setattr(module, "TRIES", 2)
            with pytest.raises(DeviceOfflineError):
                await within_limit(booster.finish())
        assert "still has the settings of the boost" in caplog.text and file.path.exists()
        caplog.clear()
        finishing = asyncio.create_task(booster.finish())
        await wait_until(lambda: "not restored yet" in caplog.text)
        await sim.plug_in()
        result = await within_limit(finishing)
    assert result is not None and settings(machine) == SET and not file.path.exists()
    # In which try does not matter.
    assert result.restored == BoostSettings(None, SET.mode, SET.temperature)


async def test_a_boost_that_makes_no_sense_is_refused_before_anything_is_sent(
    heater: NaviLinkDevice, machine: Heater, sim: Simulator, file: BoostFile
) -> None:
    booster = Boosting(heater, file, sim).booster
    hot = r"shows 55.*higher --temperature"
    for request, reason in (
        (BoostRequest(litres=200), "--temperature"),
        (BoostRequest(litres=400, temperature=SIXTY), "no setpoint is enough"),
        (BoostRequest(until=sim.clock.now() + HOUR), hot),
        (BoostRequest(until=sim.clock.now()), "within 24 hours"),
        (BoostRequest(until=sim.clock.now() + 25 * HOUR, temperature=SIXTY), "within 24 hours"),
        (BoostRequest(until=sim.clock.now() + HOUR, temperature=HalfCelsius(140)), "allows"),
    ):
        with pytest.raises(ValueOutOfRangeError, match=reason):
            await booster.run(request)
    for mode in (DHWMode.POWER_OFF, DHWMode.VACATION):
        machine.set_mode(mode, 7)
        with pytest.raises(DeviceError, match="select a mode first"):
            await booster.run(BoostRequest(until=sim.clock.now() + HOUR, temperature=SIXTY))
    file.path.write_text('{"version": 1}')
    with pytest.raises(ConfigurationError, match="damaged.*delete the file"):
        await booster.run(BoostRequest(until=sim.clock.now() + HOUR))
    assert settings(machine) == replace(SET, mode=DHWMode.VACATION)


async def test_the_plan_and_what_is_restored_follow_from_the_status(machine: Heater) -> None:
    status = replace(machine.status(), tank_upper_temperature=None)
    now, features = machine.now, machine.features
    request = BoostRequest(until=now + HOUR)
    whole = replace(features, dhw_temperature_setting_use=3)
    assert make_plan(request, status, whole, now).boosted.temperature == 106
    lower = replace(features, dhw_temperature_max=HalfCelsius(104))
    assert make_plan(request, status, lower, now).boosted.temperature == 103
    no_tou = make_plan(request, replace(status, tou_status=None), features, now)
    assert no_tou.before.tou is None and no_tou.boosted.tou is None

    # The window opens when time of use is restored, and then the connection is lost.
    before = BoostSettings(True, DHWMode.ENERGY_SAVER, HalfCelsius(104))
    plan = BoostPlan(now, before, BoostSettings(False, DHWMode.HIGH_DEMAND, SIXTY))
    window = replace(
        status,
        tou_status=TouStatus.ON_PEAK,
        dhw_operation_setting=DHWMode.HEAT_PUMP,
        dhw_temperature_setting=SIXTY,
    )
    missing = BoostSettings(None, DHWMode.ENERGY_SAVER, HalfCelsius(104))
    assert what_to_restore(plan, window) == (missing, BoostSettings())
    outside = replace(window, tou_status=TouStatus.OFF_PEAK)
    assert what_to_restore(plan, outside)[1] == BoostSettings(mode=DHWMode.HEAT_PUMP)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
@pytest.mark.navilink(frozen=False, draws=None, control_interval=0.0)
async def test_the_next_monitor_restores_after_kill_9_and_at_its_own_end(
    machine: Heater, sim: Simulator, tmp_path: Path
) -> None:
    machine.set_tou_enabled(False)
    data = tmp_path / "data"
    variables = {**sim.environment, "XDG_DATA_HOME": str(data)}
    # The command's clock is that of this machine, the heater's time does not matter.
    until = f"{datetime.now() + timedelta(hours=12):%H:%M}"
    arguments = ("set", "boost", "--until", until, "--temperature", "60C")

    process = await start(tmp_path, *arguments, **variables)
    assert (await first_line(process.stdout, b"")).startswith(b"Boost until ")
    process.kill()
    await process.communicate()
    (saved,) = (data / "navien-nwp500").glob("boost-*.json")
    assert settings(machine).temperature == SIXTY

    process = await start(tmp_path, "monitor", **variables)
    await first_line(process.stderr, b"was not finished")
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0 and b"The boost is over" in err
    assert settings(machine).temperature == SET.temperature and not saved.exists()

    code, out, _ = await run(tmp_path, "set", "boost", "stop", **variables)
    assert (code, out) == (0, "No boost of NWP500 was started on this computer.\n")


async def test_water_that_is_there_needs_no_boost(sim: Simulator, tmp_path: Path) -> None:
    code, out, err = await run(tmp_path, "set", "boost", "--litres", "50", **sim.environment)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("The tank gives about ") and second == "Nothing was sent."


async def first_line(stream: asyncio.StreamReader | None, part: bytes) -> bytes:
    """Return the first line of a process that contains a text."""
    assert stream is not None
    while part not in (line := await asyncio.wait_for(stream.readline(), LIMIT)):
        assert line, part
    return line


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has one time zone")
def test_the_end_is_the_next_time_of_day_also_when_the_clocks_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime.fromisoformat("2026-03-07T22:00:00-05:00")
    monkeypatch.setattr(CommandContext, "now", lambda self: now)
    context = CommandContext(None)  # type: ignore[arg-type]  # only its clock is used
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
            time.tzset()
            for typed, expected in (
                (datetime.min.time().replace(hour=22, minute=1), "2026-03-07T22:01:00-05:00"),
                (datetime.min.time().replace(hour=22), "2026-03-08T22:00:00-04:00"),
                (datetime.min.time().replace(hour=1), "2026-03-08T01:00:00-05:00"),
                (datetime.min.time().replace(hour=6), "2026-03-08T06:00:00-04:00"),
            ):
                assert next_time(context, typed) == datetime.fromisoformat(expected)
    finally:
        time.tzset()
