"""Tests of the whole integration in Home Assistant's own test bench, with the simulated cloud.

They need the package pytest-homeassistant-custom-component; ``nox -s integration`` installs it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

BENCH = "pytest_homeassistant_custom_component"
pytest.importorskip(BENCH, reason="needs pytest-homeassistant-custom-component")

from homeassistant.config_entries import ConfigEntryState  # noqa: E402
from homeassistant.helpers import device_registry as dr  # noqa: E402
from homeassistant.helpers.json import JSONEncoder  # noqa: E402
from pytest_homeassistant_custom_component.common import MockConfigEntry  # noqa: E402

from navien_nwp500.simulator import Simulator  # noqa: E402
from navien_nwp500.simulator.faults import (  # noqa: E402
    CutConnections,
    RestFault,
    RevokeCredentials,
)

DOMAIN, LIMIT = "navien_example", 60.0
CHARGE = "sensor.nwp500_charge"
REFUSED = RestFault.error(401, "Invalid credentials")


@pytest.fixture
async def cloud(enable_custom_integrations, socket_enabled, monkeypatch):
    """Run the simulated cloud, with the environment that ``navien-nwp500 simulate`` prints."""
    import custom_components

    monkeypatch.setattr(custom_components, "__path__", [str(Path(__file__).parents[1])])
    async with Simulator(speed=600) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def account(cloud) -> dict[str, str]:
    return {"email": cloud.config.email, "password": cloud.config.password}


@pytest.fixture
async def entry(hass, account):
    """Set up a config entry, and wait until the heater has its sensors."""
    entry = MockConfigEntry(domain=DOMAIN, data=account, unique_id=account["email"])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(lambda: available(hass))
    yield entry
    if entry.state is ConfigEntryState.LOADED:
        assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()


def available(hass) -> bool:
    state = hass.states.get(CHARGE)
    return state is not None and state.state not in ("unavailable", "unknown")


async def until(condition) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.05)

    await asyncio.wait_for(wait(), LIMIT)


def refuse_the_password(cloud) -> None:
    """Refuse it from now on, also to who is signed in."""
    cloud.faults.rest["/user/sign-in"] = REFUSED
    cloud.faults.inject(RevokeCredentials(access_tokens=True, refresh_tokens=True))
    cloud.faults.inject(CutConnections())


def forms(hass) -> list[dict]:
    return hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_the_form_creates_an_entry_and_says_what_is_wrong(hass, cloud, account) -> None:
    flow = hass.config_entries.flow
    form = await flow.async_init(DOMAIN, context={"source": "user"})
    wrong = await flow.async_configure(form["flow_id"], {**account, "password": "wrong"})
    assert wrong["errors"] == {"base": "invalid_auth"}
    cloud.faults.rest["/user/sign-in"] = RestFault(503)
    down = await flow.async_configure(form["flow_id"], account)
    assert down["errors"] == {"base": "cannot_connect"}
    assert "503" in down["description_placeholders"]["reason"]
    cloud.faults.clear()
    done = await flow.async_configure(form["flow_id"], account)
    assert (done["type"], done["title"], done["data"]) == (
        "create_entry",
        cloud.config.email,
        account,
    )
    await until(lambda: available(hass))
    again = await flow.async_init(DOMAIN, context={"source": "user"})
    again = await flow.async_configure(
        again["flow_id"], {**account, "email": account["email"].upper()}
    )
    assert again["reason"] == "already_configured"
    assert await hass.config_entries.async_unload(done["result"].entry_id)


async def test_sensors_and_device_describe_the_heater(hass, cloud, entry) -> None:
    state = hass.states.get(CHARGE)
    assert state.attributes["friendly_name"] == "NWP500 Charge"
    assert 0 < float(state.state) <= 100
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    unit = cloud.units[0]
    assert (device.manufacturer, device.model, device.name) == ("Navien", "NWP500", "NWP500")
    assert device.serial_number and device.sw_version
    ((kind, mac),) = device.connections
    assert kind == "mac" and mac.replace(":", "") == unit.record.mac_address


async def test_a_password_refused_while_running_asks_for_it_and_shows_no_old_value(
    hass, cloud, account, entry
) -> None:
    refuse_the_password(cloud)
    await until(lambda: forms(hass))
    (form,) = forms(hass)
    assert form["context"]["source"] == "reauth"
    assert hass.states.get(CHARGE).state == "unavailable"
    flow, answer = hass.config_entries.flow, {"password": account["password"]}
    refused = await flow.async_configure(form["flow_id"], answer)
    assert refused["errors"] == {"base": "invalid_auth"}
    cloud.faults.clear()
    done = await flow.async_configure(form["flow_id"], answer)
    assert done["reason"] == "reauth_successful"
    await until(lambda: available(hass))


async def test_a_password_refused_at_the_start_asks_for_it(hass, cloud, account) -> None:
    entry = MockConfigEntry(domain=DOMAIN, data={**account, "password": "old"})
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    await until(lambda: forms(hass))
    assert forms(hass)[0]["context"]["source"] == "reauth"


async def test_an_unreachable_cloud_is_tried_again(hass, cloud, account) -> None:
    cloud.faults.rest["/user/sign-in"] = RestFault(503)
    entry = MockConfigEntry(domain=DOMAIN, data=account)
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY and not forms(hass)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_the_password_can_be_changed(hass, cloud, entry) -> None:
    form = await entry.start_reconfigure_flow(hass)
    flow = hass.config_entries.flow
    wrong = await flow.async_configure(form["flow_id"], {"password": "wrong"})
    assert wrong["errors"] == {"base": "invalid_auth"}
    done = await flow.async_configure(form["flow_id"], {"password": cloud.config.password})
    assert done["reason"] == "reconfigure_successful"
    await until(lambda: available(hass))


async def test_the_interval_can_be_changed(hass, entry) -> None:
    before = entry.runtime_data
    options = hass.config_entries.options
    form = await options.async_init(entry.entry_id)
    done = await options.async_configure(form["flow_id"], {"scan_interval": 60})
    assert done["type"] == "create_entry" and entry.options == {"scan_interval": 60}
    await until(lambda: entry.runtime_data is not before and available(hass))
    assert entry.runtime_data.feed.interval == 60


async def test_diagnostics_help_and_tell_nothing_private(hass, cloud, account, entry) -> None:
    from custom_components.navien_example import diagnostics

    found = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    text = json.dumps(found, cls=JSONEncoder)
    (heater,) = found["heaters"]
    assert heater["available"] and heater["status"]["dhw_temperature_setting"]["celsius"] == 60.5
    unit = cloud.units[0]
    secrets = (*account.values(), unit.record.mac_address)
    serial = entry.runtime_data.feed.features[unit.record.mac_address].controller_serial_number
    assert not [one for one in (*secrets, serial) if one in text]


async def test_unload_leaves_nothing_running(hass, entry) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.states.get(CHARGE).state == "unavailable"
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert not [name for name in names if name.startswith(("feed", "navilink"))]
