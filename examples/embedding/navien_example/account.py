"""Client of the account of a config entry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from homeassistant.const import CONF_EMAIL, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, ReconnectConfig

DOMAIN = "navien_example"
#: Seconds between polls: default and limits. The heater also sends changes by itself.
INTERVAL, MIN_INTERVAL, MAX_INTERVAL = 300, 30, 3600


async def open_client(hass: HomeAssistant, data: Mapping[str, Any]) -> NaviLinkClient:
    """Return a client that is not signed in. Raises ConfigurationError for a bad variable.

    The variables that ``navien-nwp500 simulate`` prints make it a client of the simulated cloud.
    They are read in a thread, because that looks for a ``.env`` file.
    """
    read = partial(
        NaviLinkConfig.from_environment,
        email=data[CONF_EMAIL],
        password=data[CONF_PASSWORD],
        reconnect=ReconnectConfig(max_retries=None),
    )
    config = await hass.async_add_executor_job(read)
    return NaviLinkClient(config, session=async_get_clientsession(hass))
