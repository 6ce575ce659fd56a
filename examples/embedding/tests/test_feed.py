"""Tests of the feed with the simulated cloud; the fixtures come with navien-nwp500[simulator]."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timezone

import pytest
from feed import HeaterFeed
from values import SENSORS

from navien_nwp500 import InvalidCredentialsError
from navien_nwp500.simulator.faults import CutConnections, RestFault, RevokeCredentials

NOON = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)


class Following:
    """A feed with the means to wait for a change of it."""

    def __init__(self, feed: HeaterFeed) -> None:
        self.feed, self.ends, self._updated = feed, [], asyncio.Event()
        feed.on_update, feed.on_end = self._updated.set, self._on_end

    def _on_end(self, error) -> None:
        self.ends.append(error)
        self._updated.set()

    async def until(self, condition) -> None:
        while not condition(self.feed):
            self._updated.clear()
            await self._updated.wait()


@asynccontextmanager
async def following(client, interval: float = 0.2):
    feed = HeaterFeed(client, interval)
    one = Following(feed)
    async with feed:
        await one.until(lambda feed: len(feed.features) == len(feed.devices))
        await one.until(lambda feed: all(map(feed.available, feed.devices)))
        yield one
    assert not any(task.get_name().startswith("feed") for task in asyncio.all_tasks())


@pytest.mark.navilink(heaters=2)
async def test_every_heater_is_updated_and_has_values(navilink_client) -> None:
    async with following(navilink_client) as one:
        devices = one.feed.devices
        shown = [[sensor.value(one.last_status) for sensor in SENSORS] for one in devices]
    assert len(shown) == 2 and all(isinstance(value, (int, float)) for value in sum(shown, []))


async def test_the_feed_continues_after_a_lost_connection(navilink_cloud, navilink_client) -> None:
    async with following(navilink_client) as one:
        navilink_cloud.faults.inject(CutConnections())
        await one.until(lambda feed: feed.devices[0].health.reconnects == 1)
        assert one.feed.available(one.feed.devices[0])


async def test_a_password_refused_while_running_ends_the_feed(
    navilink_cloud, navilink_client
) -> None:
    async with following(navilink_client) as one:
        navilink_cloud.faults.rest["/user/sign-in"] = RestFault.error(401, "Invalid credentials")
        navilink_cloud.faults.inject(RevokeCredentials(access_tokens=True, refresh_tokens=True))
        navilink_cloud.faults.inject(CutConnections())
        await one.until(lambda feed: feed.error is not None)
        assert isinstance(one.feed.error, InvalidCredentialsError)
        assert one.ends == [one.feed.error] and not one.feed.available(one.feed.devices[0])


async def test_a_mistake_in_the_program_ends_the_feed_and_is_logged(
    navilink_client, caplog
) -> None:
    async with following(navilink_client) as one:
        one.feed.on_update = lambda: 1 / 0
        await one.until(lambda feed: feed.error is not None)
        assert str(one.feed.error) == "unexpected ZeroDivisionError"
        assert not one.feed.available(one.feed.devices[0])
    assert "the feed ends" in caplog.text


@pytest.mark.navilink(frozen=True, start=NOON, draws=None)
async def test_a_long_shower_lowers_the_charge(
    navilink_cloud, navilink_heater, navilink_client
) -> None:
    async with following(navilink_client, interval=0.1) as one:
        device = one.feed.devices[0]
        before = device.last_status.dhw_charge_percent
        navilink_heater.draw(litres=120, minutes=10)
        await navilink_cloud.advance(minutes=10)
        await one.until(lambda _: device.last_status.dhw_charge_percent < before - 20)
