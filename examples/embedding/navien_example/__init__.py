"""Skeleton of a Home Assistant integration: one config entry is one account, one client, one feed."""

from __future__ import annotations

from contextlib import AsyncExitStack

from homeassistant.const import CONF_SCAN_INTERVAL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady

from navien_nwp500 import AuthenticationError, NaviLinkError

from .account import INTERVAL, open_client
from .coordinator import NavienConfigEntry, NavienCoordinator
from .feed import HeaterFeed

PLATFORMS = [Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: NavienConfigEntry) -> bool:
    """Sign in; retry a failure later, ask for the password again when it is rejected."""
    interval = float(entry.options.get(CONF_SCAN_INTERVAL, INTERVAL))
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(await open_client(hass, entry.data))
            feed = HeaterFeed(client, interval)
            coordinator = NavienCoordinator(hass, entry, feed)
            await stack.enter_async_context(feed)
        except AuthenticationError as error:
            raise ConfigEntryAuthFailed(str(error)) from error
        except NaviLinkError as error:
            raise ConfigEntryNotReady(str(error)) from error
        entry.runtime_data = coordinator
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
        entry.async_on_unload(stack.pop_all().aclose)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: NavienConfigEntry) -> bool:
    """Remove the entities; the callbacks of ``async_on_unload`` then close feed and client."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
