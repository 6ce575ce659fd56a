"""The feed against a simulated cloud: the fixtures come with navien-nwp500[simulator]."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest
from feed import HeaterFeed, available
from readings import SENSORS

from navien_nwp500.simulator.faults import CutConnections

NOON = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)


async def until(true, told: asyncio.Event) -> None:
    while not true():
        told.clear()
        await told.wait()


@pytest.mark.navilink(heaters=2)
async def test_every_heater_is_heard_and_can_be_shown(navilink_client) -> None:
    told = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: told.set(), interval=0.2) as feed:
        await until(lambda: all(map(available, feed.devices)), told)
        shown = [[row.value(one.last_status) for row in SENSORS] for one in feed.devices]
    assert len(shown) == 2 and all(isinstance(value, (int, float)) for value in sum(shown, []))


async def test_it_goes_on_after_a_cut(navilink_cloud, navilink_client) -> None:
    told = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: told.set(), interval=0.2) as feed:
        device = feed.devices[0]
        await until(lambda: available(device), told)
        navilink_cloud.faults.inject(CutConnections())
        await until(lambda: device.health.reconnects == 1, told)
        assert available(device)


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_a_long_shower_shows(navilink_cloud, navilink_heater, navilink_client) -> None:
    told = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: told.set(), interval=0.1) as feed:
        await until(lambda: available(feed.devices[0]), told)
        before = feed.devices[0].last_status.dhw_charge_percent
        navilink_heater.draw(litres=120, minutes=10)
        await navilink_cloud.advance(minutes=10)
        await until(lambda: feed.devices[0].last_status.dhw_charge_percent < before - 20, told)
