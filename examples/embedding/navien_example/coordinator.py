"""Coordinator: passes each change of the feed to the entities, and an end of it to Home Assistant."""

from __future__ import annotations

import logging
from datetime import timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from navien_nwp500 import AuthenticationError, NaviLinkError

from .account import DOMAIN
from .feed import HeaterFeed

#: How often the entities look whether their last status is too old; it sends nothing.
CHECK = timedelta(seconds=30)


class NavienCoordinator(DataUpdateCoordinator[None]):
    """The heaters of an account, for the entities."""

    config_entry: NavienConfigEntry

    def __init__(self, hass: HomeAssistant, entry: NavienConfigEntry, feed: HeaterFeed) -> None:
        log = logging.getLogger(__name__)
        super().__init__(hass, log, config_entry=entry, name=DOMAIN, update_interval=CHECK)
        self.feed = feed
        feed.on_update = lambda: self.async_set_updated_data(None)
        feed.on_end = self._on_end

    async def _async_update_data(self) -> None:
        """Fail while the feed has ended: all entities are then unavailable, which is logged once."""
        if self.feed.error is not None:
            raise UpdateFailed(str(self.feed.error)) from self.feed.error

    def _on_end(self, error: NaviLinkError) -> None:
        """Ask for the password when it is refused while running; else set up again, with retries."""
        self.async_set_update_error(error)
        entry = self.config_entry
        if isinstance(error, AuthenticationError):
            entry.async_start_reauth(self.hass)
        else:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)


NavienConfigEntry = ConfigEntry[NavienCoordinator]
