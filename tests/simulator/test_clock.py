"""The simulated clock, frozen and moved by a test, and draws of a test."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from navien_nwp500 import ConfigurationError, NaviLinkClient
from navien_nwp500.simulator import Draws, Heater, Simulator
from navien_nwp500.simulator.clock import Clock

NOON = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)


def test_only_move_changes_a_frozen_clock() -> None:
    clock = Clock(NOON, 86400.0, frozen=True)
    assert clock.frozen and clock.now() == clock.now() == NOON
    clock.move(timedelta(hours=3))
    assert clock.now() == NOON + timedelta(hours=3)


def test_a_clock_runs_on_after_freeze_unfreeze_and_move() -> None:
    clock = Clock(NOON, 86400.0)
    clock.freeze()
    frozen_at = clock.now()
    clock.freeze()
    assert clock.now() == frozen_at >= NOON
    clock.unfreeze()
    assert not clock.frozen
    clock.move(timedelta(days=1))
    later = clock.now()
    assert frozen_at + timedelta(days=1) <= later < frozen_at + timedelta(days=2)
    clock.unfreeze()
    assert clock.now() >= later


def test_the_clock_cannot_be_moved_back() -> None:
    with pytest.raises(ConfigurationError, match="forward only"):
        Clock(NOON).move(timedelta(seconds=-1))


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_a_frozen_heater_replies_with_an_unchanged_status(
    sim: Simulator, client: NaviLinkClient
) -> None:
    device = (await client.get_devices())[0]
    first, second = await device.get_status(), await device.get_status()
    assert first == second and sim.units[0].heater.now == NOON
    with pytest.raises(ConfigurationError):
        await sim.advance(hours=-1)


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_pushes_of_three_hours_arrive_at_once(sim: Simulator, client: NaviLinkClient) -> None:
    device = (await client.get_devices())[0]
    watch = device.watch(interval=3600)
    async for status in watch:
        if status.comp_use.active:
            break
        if not sim.clock.now() > NOON:
            await sim.advance(hours=3)  # the tank is at the threshold, so the heat pump starts
    await watch.aclose()
    assert sim.clock.now() == sim.units[0].heater.now == NOON + timedelta(hours=3)


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_a_draw_of_a_test_runs_as_time_is_moved(
    sim: Simulator, client: NaviLinkClient, navilink_heater: Heater
) -> None:
    device = (await client.get_devices())[0]
    calm = await device.get_status()
    navilink_heater.draw(litres=60, minutes=6)
    await sim.advance(minutes=3)
    drawing = await device.get_status()
    await sim.advance(minutes=4)
    done = await device.get_status()
    assert [one.dhw_use.active for one in (calm, drawing, done)] == [False, True, False]
    assert done.tank_lower_temperature < calm.tank_lower_temperature


async def test_a_given_plan_applies_to_every_heater() -> None:
    plan = Draws(((13.0, 50.0, 10.0),), jitter_minutes=0.0, jitter_litres=0.0)
    async with Simulator(heaters=2, frozen=True, start=NOON, draws=plan) as sim:
        plants = [unit.heater.plant for unit in sim.units]
        await sim.advance(minutes=59)
        assert [plant.operation.drawing for plant in plants] == [False, False]
        await sim.advance(minutes=6)
        assert [plant.operation.drawing for plant in plants] == [True, True]
        await sim.advance(minutes=6)
        assert [plant.operation.drawing for plant in plants] == [False, False]
