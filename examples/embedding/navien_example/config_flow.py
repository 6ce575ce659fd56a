"""Home Assistant's side: a form for e-mail and password, tried before it is taken."""

from __future__ import annotations

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_EMAIL, CONF_PASSWORD
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from navien_nwp500 import InvalidCredentialsError, NaviLinkClient, NaviLinkError

FORM = vol.Schema({vol.Required(CONF_EMAIL): str, vol.Required(CONF_PASSWORD): str})


class NavienFlow(ConfigFlow, domain="navien_example"):
    """One account an entry."""

    VERSION = 1

    async def async_step_user(self, said: dict[str, Any] | None = None) -> ConfigFlowResult:
        errors = {}
        if said is not None:
            session = async_get_clientsession(self.hass)
            try:
                async with NaviLinkClient(session=session) as client:
                    await client.authenticate(said[CONF_EMAIL], said[CONF_PASSWORD])
            except InvalidCredentialsError:
                errors["base"] = "invalid_auth"
            except NaviLinkError:
                errors["base"] = "cannot_connect"
            else:
                await self.async_set_unique_id(said[CONF_EMAIL].lower())
                self._abort_if_unique_id_configured()
                return self.async_create_entry(title=said[CONF_EMAIL], data=said)
        return self.async_show_form(step_id="user", data_schema=FORM, errors=errors)
