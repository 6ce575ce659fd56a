"""Configuration form of Home Assistant: e-mail and password, checked before they are saved."""

from __future__ import annotations

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_EMAIL, CONF_PASSWORD
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from navien_nwp500 import InvalidCredentialsError, NaviLinkClient, NaviLinkError

FORM = vol.Schema({vol.Required(CONF_EMAIL): str, vol.Required(CONF_PASSWORD): str})


class NavienFlow(ConfigFlow, domain="navien_example"):
    """Form that creates one config entry per account."""

    VERSION = 1

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        errors = {}
        if user_input is not None:
            session = async_get_clientsession(self.hass)
            try:
                async with NaviLinkClient(session=session) as client:
                    await client.authenticate(user_input[CONF_EMAIL], user_input[CONF_PASSWORD])
            except InvalidCredentialsError:
                errors["base"] = "invalid_auth"
            except NaviLinkError:
                errors["base"] = "cannot_connect"
            else:
                await self.async_set_unique_id(user_input[CONF_EMAIL].lower())
                self._abort_if_unique_id_configured()
                return self.async_create_entry(title=user_input[CONF_EMAIL], data=user_input)
        return self.async_show_form(step_id="user", data_schema=FORM, errors=errors)
