"""Skeleton of a Home Assistant integration: one config entry is one account, one client, one feed."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_EMAIL, CONF_PASSWORD, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from navien_nwp500 import (
    InvalidCredentialsError,
    NaviLinkClient,
    NaviLinkConfig,
    NaviLinkDevice,
    NaviLinkError,
    ReconnectConfig,
)

from .feed import HeaterFeed

INTERVAL = 300.0


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Sign in; retry a failure later, ask for the password again when it is rejected."""
    name, log = "Navien", logging.getLogger(__name__)
    coordinator = DataUpdateCoordinator(hass, log, config_entry=entry, name=name)
    account = {"email": entry.data[CONF_EMAIL], "password": entry.data[CONF_PASSWORD]}
    config = NaviLinkConfig(**account, reconnect=ReconnectConfig(max_retries=None))

    def on_update(_: NaviLinkDevice) -> None:
        coordinator.async_update_listeners()

    async with AsyncExitStack() as stack:
        client = NaviLinkClient(config, session=async_get_clientsession(hass))
        try:
            await stack.enter_async_context(client)
            feed = await stack.enter_async_context(HeaterFeed(client, on_update, INTERVAL))
        except InvalidCredentialsError as error:
            raise ConfigEntryAuthFailed(str(error)) from error
        except NaviLinkError as error:
            raise ConfigEntryNotReady(str(error)) from error
        entry.runtime_data = (coordinator, feed.devices)
        await hass.config_entries.async_forward_entry_setups(entry, [Platform.SENSOR])
        entry.async_on_unload(stack.pop_all().aclose)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Remove the sensors; the callbacks of ``async_on_unload`` then close feed and client."""
    return await hass.config_entries.async_unload_platforms(entry, [Platform.SENSOR])
