"""Checks, one function each; the docstring is the line that is printed.

A check raises AssertionError or TimeoutError. They run in this order and use what those before left.
"""

from __future__ import annotations

import datetime
import re
import signal
from typing import Any, Awaitable, Callable

from processes import Bench, until

from client import HomeAssistant

Check = Callable[[Bench, HomeAssistant], Awaitable[Any]]
#: The check in this order.
CHECKS: list[Check] = []

HEATER = "water_heater.nwp500"
#: Noise of Home Assistant itself, whoever sends discovery.
NOISE = (
    "We found a custom integration navien_example",
    "No device components to cleanup",
    "is logging too frequently",
)


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


async def registered(home: HomeAssistant) -> list[dict[str, Any]]:
    """Return our entities, also those that are disabled."""
    found = await home.command("config/entity_registry/list")
    return [one for one in found if one["platform"] == "mqtt"]


async def done(home: HomeAssistant, payload: str) -> None:
    """Wait until the heater has confirmed a command; the dial shows what was asked before that."""

    async def confirmed() -> bool:
        state = await home.state("sensor.nwp500_last_command")
        return bool(state["state"].endswith(f" {payload}: done"))

    await until(f"{payload} is done", confirmed)


async def wait_setpoint(home: HomeAssistant, celsius: float) -> None:
    """Wait until the heater has a setpoint; it is set to Fahrenheit, so the bridge sends that."""
    await done(home, f"{celsius * 9 / 5 + 32:.1f} °F")
    await home.wait_state(HEATER, celsius, "temperature")


@check
async def discovery(bench: Bench, home: HomeAssistant) -> str:
    """Home Assistant discovers the heater, and every enabled entity has a value."""
    await bench.bridge.start()
    await home.wait_state(HEATER, None)
    await home.wait_state("sensor.nwp500_energy", None)
    entities = await registered(home)
    enabled = [one["entity_id"] for one in entities if one["disabled_by"] is None]
    states = await home.states()
    missing = [one for one in enabled if one not in states]
    assert not missing, missing
    unknown = [one for one in enabled if states[one]["state"] in ("unknown", "unavailable")]
    # A button is unknown until it is pressed, an event until it happens, a time until there is one.
    odd = [
        one
        for one in unknown
        if not re.match(r"button|event|sensor.*(_time|_end|_ends_at|_hot_at|_hot_in.*)$", one)
    ]
    return f"{len(entities)} entities, {len(enabled)} enabled; unknown: {', '.join(odd) or 'none'}"


@check
async def device(bench: Bench, home: HomeAssistant) -> str:
    """The device page names maker, model and firmware."""
    found = await home.command("config/device_registry/list")
    (one,) = [one for one in found if one["manufacturer"] == "Navien"]
    assert one["name"] == "NWP500" and one["sw_version"], one
    shown = ("model", "model_id", "serial_number", "sw_version", "hw_version", "configuration_url")
    return ", ".join(f"{name} {one[name]}" for name in shown if one.get(name))


@check
async def every_entity(bench: Bench, home: HomeAssistant) -> str:
    """Home Assistant accepts all entities, also those that are disabled at first."""
    disabled = [one for one in await registered(home) if one["disabled_by"] is not None]
    for one in disabled:
        words = {"entity_id": one["entity_id"], "disabled_by": None}
        await home.command("config/entity_registry/update", **words)
    entries = await home.command("config_entries/get", domain="mqtt")
    await home.call("POST", f"/api/config/config_entries/entry/{entries[0]['entry_id']}/reload")

    async def there() -> bool:
        states = await home.states()
        return all(one["entity_id"] in states for one in disabled)

    await until("all entities have a state", there)
    await home.wait_state(HEATER, None)
    return f"{len(disabled)} more"


@check
async def control(bench: Bench, home: HomeAssistant) -> None:
    """Temperature and mode are set, and shown."""
    assert await home.act("water_heater.set_temperature", HEATER, temperature=55) == 200
    await wait_setpoint(home, 55.0)
    for mode in ("heat_pump", "eco"):
        assert await home.act("water_heater.set_operation_mode", HEATER, operation_mode=mode) == 200
        await done(home, mode)
        await home.wait_state(HEATER, mode)


@check
async def refusal(bench: Bench, home: HomeAssistant) -> str:
    """A refused temperature changes nothing, and Home Assistant shows the reason."""
    refusals = "event.nwp500_command_refused"
    before = await home.state(refusals)
    status = await home.act("water_heater.set_temperature", HEATER, temperature=80)
    if status == 200:

        async def told() -> bool:
            return bool((await home.state(refusals))["state"] != before["state"])

        await until(f"{refusals} tells it", told)
    state = await home.state(HEATER)
    assert state["attributes"]["temperature"] == 55.0, state
    event = await home.state(refusals)
    return f"HTTP {status}; {event['attributes'].get('reason')}"


@check
async def broker_restart(bench: Bench, home: HomeAssistant) -> None:
    """The broker restarts: unavailable, then back."""
    await bench.mosquitto.stop()
    await home.wait_state(HEATER, "unavailable")
    await bench.start_mosquitto()
    await home.wait_state(HEATER, "eco")


@check
async def bridge_restart(bench: Bench, home: HomeAssistant) -> None:
    """The bridge is stopped, started, killed and started: unavailable, then back with new values."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        await bench.bridge.stop(number)
        await home.wait_state(HEATER, "unavailable")
        await bench.bridge.start()
        await home.wait_state(HEATER, "eco")


@check
async def home_assistant_restart(bench: Bench, home: HomeAssistant) -> None:
    """Home Assistant restarts: the heater is back with its values."""
    assert await bench.hass.stop() == 0
    await bench.hass.start()
    await home.wait_running()
    await home.keep_address()
    await home.wait_state(HEATER, "eco")
    await home.wait_state("sensor.nwp500_energy", None)


@check
async def blueprints(bench: Bench, home: HomeAssistant) -> str:
    """Home Assistant accepts each blueprint."""
    found = await home.command("blueprint/list", domain="automation")
    ours = {path: one for path, one in found.items() if path.startswith("navien_nwp500/")}
    assert len(ours) == 4, found
    bad = {path: one["error"] for path, one in ours.items() if "error" in one}
    assert not bad, bad
    return ", ".join(sorted(path.partition("/")[2] for path in ours))


async def automate(home: HomeAssistant, blueprint: str, **inputs: Any) -> None:
    """Make an automation of a blueprint, as its form does."""
    use = {"path": f"navien_nwp500/{blueprint}.yaml", "input": inputs}
    body = {"alias": blueprint, "use_blueprint": use}
    await home.call("POST", f"/api/config/automation/config/{blueprint}", body)
    await home.wait_state(f"automation.{blueprint}", "on")


@check
async def solar_boost(bench: Bench, home: HomeAssistant) -> None:
    """The blueprint solar_boost raises the setpoint and lowers it again."""
    surplus = "input_number.surplus"
    inputs = {"water_heater": HEATER, "surplus": surplus, "high": 800, "low": 0, "minutes": 0}
    degrees = {"boost_temperature": 60, "normal_temperature": 50}
    await automate(home, "solar_boost", **inputs, **degrees)
    for watts, temperature in ((1500, 60.0), (-300, 50.0)):
        await home.act("input_number.set_value", surplus, value=watts)
        await wait_setpoint(home, temperature)


@check
async def scheduled_setpoint(bench: Bench, home: HomeAssistant) -> None:
    """The blueprint scheduled_setpoint follows a schedule."""
    schedule = "input_boolean.schedule"
    degrees = {"on_temperature": 60, "off_temperature": 45}
    await automate(home, "scheduled_setpoint", water_heater=HEATER, schedule=schedule, **degrees)
    for action, temperature in (("turn_on", 60.0), ("turn_off", 45.0)):
        await home.act(f"input_boolean.{action}", schedule)
        await wait_setpoint(home, temperature)
    await home.act("automation.turn_off", "automation.scheduled_setpoint")


@check
async def away_by_calendar(bench: Bench, home: HomeAssistant) -> None:
    """The blueprint away_by_calendar starts a vacation of the length of an event, and ends it."""
    calendar, switch, days = (
        "calendar.trips",
        "switch.nwp500_vacation",
        "number.nwp500_vacation_days",
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    end = (now + datetime.timedelta(days=4, hours=12)).strftime("%Y-%m-%d %H:%M:%S")
    await home.put_state(calendar, "off")
    inputs = {"calendar": calendar, "vacation": switch, "days": days}
    await automate(home, "away_by_calendar", word="trip", **inputs)
    await home.put_state(calendar, "on", message="Trip to the sea", end_time=end)
    await done(home, "ON")
    await home.wait_state(switch, "on")
    await home.wait_state(days, "5")
    await home.put_state(calendar, "off", message="")
    await done(home, "OFF")
    await home.wait_state(switch, "off")
    await home.wait_state(HEATER, "eco")


@check
async def leak_alert(bench: Bench, home: HomeAssistant) -> None:
    """The blueprint leak_alert tells of a leak once."""
    leak = "binary_sensor.test_leak"
    await home.put_state(leak, "off", friendly_name="Leak", device_class="moisture")
    alert = {
        "action": "persistent_notification.create",
        "data": {"message": "{{ message }}", "notification_id": "leak"},
    }
    await automate(home, "leak_alert", leak=leak, alert=[alert])
    await home.put_state(leak, "on", friendly_name="Leak", device_class="moisture")

    async def told() -> bool:
        found = await home.command("persistent_notification/get")
        return any(one["message"].startswith("Leak: water.") for one in found)

    await until("the notification", told)
    await home.put_state(leak, "off", friendly_name="Leak", device_class="moisture")
    await home.wait_state("automation.leak_alert", 0, "current")


@check
async def integration(bench: Bench, home: HomeAssistant) -> str:
    """The example integration is added by its form and shows the heater, beside the bridge."""
    path = "/api/config/config_entries/flow"
    form = await home.call("POST", path, {"handler": "navien_example"})
    account = {
        "email": bench.account["NAVILINK_EMAIL"],
        "password": bench.account["NAVILINK_PASSWORD"],
    }
    done = await home.call("POST", f"{path}/{form['flow_id']}", account)
    assert done["type"] == "create_entry", done

    async def shown() -> dict[str, str]:
        found = await home.command("config/entity_registry/list")
        states = await home.states()
        ids = [one["entity_id"] for one in found if one["platform"] == "navien_example"]
        return {one: states[one]["state"] for one in ids if one in states}

    async def all_shown() -> bool:
        values = (await shown()).values()
        return len(values) == 4 and not {"unknown", "unavailable"} & set(values)

    await until("the sensors have values", all_shown)
    return ", ".join(f"{name} {value}" for name, value in (await shown()).items())


@check
async def statistics(bench: Bench, home: HomeAssistant) -> str:
    """The validators of statistics and of the energy dashboard find nothing."""
    # As the document says: the whole with its power, and its two parts.
    whole = {"stat_consumption": "sensor.nwp500_energy"}
    if (await home.call("GET", "/api/config"))["version"] >= "2026":  # it has the power as well
        whole["stat_rate"] = "sensor.nwp500_power"
    parts = [
        {"stat_consumption": f"sensor.nwp500_{name}", "included_in_stat": "sensor.nwp500_energy"}
        for name in ("heat_pump_energy", "element_energy")
    ]
    await home.command("energy/save_prefs", device_consumption=[whole, *parts])

    async def issues() -> list[str]:
        found = await home.command("energy/validate")
        return [issue["type"] for kind in found.values() for one in kind for issue in one or []]

    async def compiled() -> bool:
        return "statistics_not_defined" not in await issues()

    # Home Assistant compiles them every five minutes.
    await until("statistics are compiled", compiled, limit=400)
    assert await home.command("recorder/validate_statistics") == {}
    assert await issues() == []
    return "recorder/validate_statistics {}, energy/validate without an issue"


@check
async def log(bench: Bench, home: HomeAssistant) -> str:
    """Home Assistant's log has no warning or error about us."""
    lines = (bench.config / "home-assistant.log").read_text("utf-8").splitlines()
    old = bench.config / "home-assistant.log.1"
    lines += old.read_text("utf-8").splitlines() if old.exists() else []
    serious = [one for one in lines if re.search(r" (WARNING|ERROR|CRITICAL) \(", one)]
    # Stopping the broker is ours, the warning about it is right.
    ours = [
        one
        for one in serious
        if re.search(r"mqtt|navien|nwp500|blueprint|automation", one, re.IGNORECASE)
        and not any(noise in one for noise in (*NOISE, "[homeassistant.components.mqtt.client]"))
    ]
    assert not ours, "\n".join(ours)
    return f"{len(serious)} lines at warning level or above"


@check
async def forget(bench: Bench, home: HomeAssistant) -> None:
    """The command bridge mqtt --forget removes the heater from Home Assistant."""
    await bench.bridge.stop()
    program = bench.bridge_with("--forget", name="forget")
    assert await program.run() == 0, program.text()

    async def gone() -> bool:
        return not [one for one in await registered(home) if "nwp500" in one["entity_id"]]

    await until("no entity is left", gone)
