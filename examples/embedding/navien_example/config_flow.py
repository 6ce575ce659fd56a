"""Forms of Home Assistant: account, password refused, account changed, interval between polls."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_EMAIL, CONF_PASSWORD, CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig

from navien_nwp500 import InvalidCredentialsError, NaviLinkError

from .account import DOMAIN, INTERVAL, MAX_INTERVAL, MIN_INTERVAL, open_client

_LOGGER = logging.getLogger(__name__)
PASSWORD = vol.Schema({vol.Required(CONF_PASSWORD): str})
ACCOUNT = vol.Schema({vol.Required(CONF_EMAIL): str}).extend(PASSWORD.schema)
SECONDS = NumberSelector(
    NumberSelectorConfig(min=MIN_INTERVAL, max=MAX_INTERVAL, unit_of_measurement="s", mode="box")
)


async def check(hass: HomeAssistant, account: Mapping[str, Any]) -> tuple[str, str]:
    """Sign in; return the key of the error and its reason, both empty when the cloud accepts it."""
    try:
        async with await open_client(hass, account) as client:
            await client.authenticate()
    except InvalidCredentialsError as error:
        return "invalid_auth", str(error)
    except NaviLinkError as error:
        _LOGGER.warning("%s", error)
        return "cannot_connect", str(error)
    return "", ""


class NavienFlow(ConfigFlow, domain=DOMAIN):
    """Forms of an account. Its e-mail, without case, is the unique id of its config entry."""

    VERSION = 1

    @staticmethod
    @callback
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        return NavienOptions()

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        return await self._step("user", ACCOUNT, user_input, {})

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin after a refused password."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        present = self._get_reauth_entry().data
        return await self._step("reauth_confirm", PASSWORD, user_input, present)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        present = self._get_reconfigure_entry().data
        return await self._step("reconfigure", PASSWORD, user_input, present)

    async def _step(
        self,
        step: str,
        form: vol.Schema,
        user_input: dict[str, Any] | None,
        present: Mapping[str, Any],
    ) -> ConfigFlowResult:
        """Show a form until the cloud accepts the account, then save it."""
        error = reason = ""
        if user_input is not None:
            account = {**present, **user_input}
            error, reason = await check(self.hass, account)
            if not error:
                return await self._save(account)
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(form, user_input or {}),
            errors={"base": error} if error else {},
            description_placeholders={"reason": reason, "email": present.get(CONF_EMAIL, "")},
        )

    async def _save(self, account: dict[str, Any]) -> ConfigFlowResult:
        email = account[CONF_EMAIL]
        await self.async_set_unique_id(email.lower())
        if self.source == SOURCE_USER:
            self._abort_if_unique_id_configured()
            return self.async_create_entry(title=email, data=account)
        reauth = self.source == SOURCE_REAUTH
        entry = self._get_reauth_entry() if reauth else self._get_reconfigure_entry()
        return self.async_update_reload_and_abort(entry, data=account)


class NavienOptions(OptionsFlow):
    """Form of the interval between polls."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        entry = self.config_entry
        if user_input is not None:
            options = {CONF_SCAN_INTERVAL: int(user_input[CONF_SCAN_INTERVAL])}
            self.hass.config_entries.async_update_entry(entry, options=options)
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
            return self.async_create_entry(data=options)
        present = {CONF_SCAN_INTERVAL: entry.options.get(CONF_SCAN_INTERVAL, INTERVAL)}
        form = vol.Schema({vol.Required(CONF_SCAN_INTERVAL): SECONDS})
        return self.async_show_form(
            step_id="init", data_schema=self.add_suggested_values_to_schema(form, present)
        )
