"""Tests of the feed with the simulated cloud; the fixtures come with navien-nwp500[simulator]."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest
from feed import HeaterFeed, available
from values import SENSORS

from navien_nwp500.simulator.faults import CutConnections

NOON = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)


async def until(condition, updated: asyncio.Event) -> None:
    while not condition():
        updated.clear()
        await updated.wait()


@pytest.mark.navilink(heaters=2)
async def test_every_heater_is_updated_and_has_values(navilink_client) -> None:
    updated = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: updated.set(), interval=0.2) as feed:
        await until(lambda: all(map(available, feed.devices)), updated)
        shown = [[sensor.value(one.last_status) for sensor in SENSORS] for one in feed.devices]
    assert len(shown) == 2 and all(isinstance(value, (int, float)) for value in sum(shown, []))


async def test_the_feed_continues_after_a_lost_connection(navilink_cloud, navilink_client) -> None:
    updated = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: updated.set(), interval=0.2) as feed:
        device = feed.devices[0]
        await until(lambda: available(device), updated)
        navilink_cloud.faults.inject(CutConnections())
        await until(lambda: device.health.reconnects == 1, updated)
        assert available(device)


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_a_long_shower_lowers_the_charge(
    navilink_cloud, navilink_heater, navilink_client
) -> None:
    updated = asyncio.Event()
    async with HeaterFeed(navilink_client, lambda _: updated.set(), interval=0.1) as feed:
        await until(lambda: available(feed.devices[0]), updated)
        before = feed.devices[0].last_status.dhw_charge_percent
        navilink_heater.draw(litres=120, minutes=10)
        await navilink_cloud.advance(minutes=10)
        await until(lambda: feed.devices[0].last_status.dhw_charge_percent < before - 20, updated)
