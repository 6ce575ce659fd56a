"""MQTT bridge to Home Assistant, with the built-in broker, and with mosquitto where they may differ."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, AsyncIterator, Callable, Iterable

import aiomqtt
import pytest
import trustme
from hypothesis import given, strategies as st

from navien_nwp500 import DeviceStatus
from navien_nwp500._util.aio import LatestValue
from navien_nwp500.apps.bridges.controlled_heater import ControlledHeater
from navien_nwp500.apps.bridges.controls import COMMANDS
from navien_nwp500.apps.bridges.entities import MODES, state
from navien_nwp500.apps.bridges.home_assistant import Broker, Presentation
from navien_nwp500.apps.bridges.publisher import HeaterPublisher
from navien_nwp500.apps.cli.commands.bridge import load_password
from navien_nwp500.exceptions import ConfigurationError, InvalidCredentialsError
from navien_nwp500.protocol.error_codes import ERRORS
from navien_nwp500.protocol.types import Flag, TemperatureType, TouStatus
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.faults import (
    CutConnections,
    RefuseRequests,
    RestFault,
    RevokeCredentials,
)
from navien_nwp500.simulator.server.latency import LatencyProxy
from support.cli import LIMIT, run, start
from support.home_assistant import (
    AVAILABILITY,
    BRIDGE,
    CONFIG,
    MAC,
    STATE,
    HomeAssistant,
    bridging,
    home_assistant,
)
from support.home_assistant_schema import violations
from support.mqtt_brokers import BUILT_IN, MOSQUITTO, AnyBroker, BuiltIn, Mosquitto, keep_root
from support.reliability_tools import (
    SHORT_TIMEOUT,
    count_log,
    wait_until,
    within_limit,
)

#: For retained messages, wills and restarts, where brokers differ.
on_each_broker = pytest.mark.parametrize("broker", [BUILT_IN, MOSQUITTO], indirect=True)


@pytest.fixture
async def broker(
    request: pytest.FixtureRequest, tmp_path: Path, find_program: Callable[..., str]
) -> AsyncIterator[AnyBroker]:
    """Run the built-in broker; ``on_each_broker`` runs a test with mosquitto too."""
    found: AnyBroker = BuiltIn()
    if getattr(request, "param", BUILT_IN) == MOSQUITTO:
        found = Mosquitto(find_program(MOSQUITTO), tmp_path, "allow_anonymous true")
    try:
        await found.start()
        yield found
    finally:
        await found.stop()


@pytest.fixture
def sim(sim: Simulator) -> Simulator:
    """Set the heater to Celsius; ``test_home_assistant_entities`` has the tests in Fahrenheit."""
    sim.units[0].heater.set_status_fields({"temperature_type": TemperatureType.CELSIUS})
    return sim


@on_each_broker
async def test_discovery_message_and_values_are_valid_for_home_assistant(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        display = await home.until(lambda one: one.available and one.shown("total_wh") != "None")
        assert violations(json.loads(home.retained[CONFIG])) == []
        assert display.rejected() == []
        assert display.shown("water_heater", "temperature_state_template") == "60.5"
        assert display.shown("water_heater", "mode_state_template") == "eco"
        total = sim.units[0].heater.energy_total
        assert float(display.shown("heat_pump_wh")) >= 1266
        assert float(display.shown("total_wh")) * 1000 <= total.heat_pump_wh + total.element_wh + 1
        assert display.shown("problem") == "OFF" and display.shown("error_text") == "none"


async def test_commands_of_home_assistant_change_the_heater(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        heater = json.loads(home.retained[CONFIG])["components"]["water_heater"]
        assert (heater["min_temp"], heater["max_temp"]) == (40.5, 65.5)

        async def command(name: str, text: str) -> None:
            await home.publish(heater[f"{name}_command_topic"], text)

        await command("temperature", "48.9")
        await home.until_water_heater("temperature", "49.0")
        for mode in (*(mode for mode in heater["modes"] if mode != "eco"), "eco"):
            await command("mode", mode)
            await home.until_water_heater("mode", mode)
            assert sim.units[0].heater.status().dhw_operation_setting == MODES[mode]
        for text, shown in (("OFF", "off"), ("ON", "eco")):
            await command("power", text)
            await home.until_water_heater("mode", shown)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("temperature", "99"),
        ("temperature", "nan"),
        ("temperature", "hot"),
        ("mode", "gas"),
        ("power", "maybe"),
    ],
)
async def test_a_rejected_command_is_logged_and_the_actual_state_published(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture, command: str, text: str
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, interval=60):
        await home.until(lambda one: one.available and one.shown("total_wh") != "None")
        before = len(home.received)
        await home.publish(f"navien_nwp500/{MAC}/{command}/set", text)
        await wait_until(lambda: count_log(caplog, "failed: ") == 1)
        await wait_until(lambda: STATE in [topic for topic, _ in home.received[before:]])
        assert home.display.shown("water_heater", "temperature_state_template") == "60.5"


@on_each_broker
async def test_a_retained_command_is_ignored(sim: Simulator, broker: AnyBroker) -> None:
    async with home_assistant(broker) as home:
        await home.publish(f"navien_nwp500/{MAC}/mode/set", "electric", retain=True)
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
            # The command after it is executed, and they are received in order.
            await home.publish(f"navien_nwp500/{MAC}/temperature/set", "50")
            await home.until_water_heater("temperature", "50.0")
            assert home.display.shown("water_heater", "mode_state_template") == "eco"


async def test_of_waiting_commands_only_the_newest_is_executed(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        topic = f"navien_nwp500/{MAC}/temperature/set"
        await asyncio.gather(*(home.publish(topic, str(degrees)) for degrees in range(42, 62)))
        await home.until_water_heater("temperature", "61.0")
        states = [json.loads(text) for topic, text in home.received if topic == STATE]
        assert len({one["dhw_temperature_setting"] for one in states}) < 15


@asynccontextmanager
async def during_a_command(
    home: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Event]:
    """Yield while a command is being executed; it ends when the event is set."""
    started, release = asyncio.Event(), asyncio.Event()
    set_temperature = COMMANDS["temperature"]

    async def wait(target: ControlledHeater, payload: str) -> DeviceStatus:
        started.set()
        await release.wait()
        return await set_temperature(target, payload)

    monkeypatch.setitem(COMMANDS, "temperature", wait)
    await home.publish(f"navien_nwp500/{MAC}/temperature/set", "50")
    await within_limit(started.wait())
    yield release


async def request_and_wait(home: HomeAssistant, *wishes: tuple[str, str]) -> None:
    """Publish commands; return when the bridge has received them."""
    for name, payload in wishes:
        await home.publish(f"navien_nwp500/{MAC}/{name}/set", payload)
    before = len(home.received)
    # The bridge receives in order, and publishes discovery again at this one.
    await home.publish("homeassistant/status", "online")
    await wait_until(lambda: CONFIG in [topic for topic, _ in home.received[before:]])


@pytest.mark.parametrize(
    ("wishes", "shown"),
    [
        ([("mode", "eco"), ("power", "OFF"), ("mode", "high_demand")], "high_demand"),
        ([("power", "OFF"), ("mode", "electric"), ("power", "OFF")], "off"),
        ([("mode", "off"), ("mode", "electric"), ("power", "ON")], "electric"),
    ],
)
async def test_the_last_of_the_commands_that_waited_decides(
    sim: Simulator,
    broker: AnyBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wishes: list[tuple[str, str]],
    shown: str,
) -> None:
    caplog.set_level(logging.INFO, "navien_nwp500")
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        async with during_a_command(home, monkeypatch) as release:
            await request_and_wait(home, *wishes)
            release.set()
            # Executed after all others.
            await home.publish(f"navien_nwp500/{MAC}/temperature/set", "45")
            await home.until_water_heater("temperature", "45.0")
            await home.until_water_heater("mode", shown)
            executed = [
                one.getMessage() for one in caplog.records if "NWP500: " in one.getMessage()
            ]
            assert ": temperature 45" in executed[-1]


def final_state(commands: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what a heater ends with after these commands, one after another."""
    found = {"mode": "heat_pump", "power": "ON", "temperature": "40"}
    for name, payload in commands:
        if (name, payload) == ("mode", "off"):
            found["power"] = "OFF"
        elif name == "mode":
            found.update(mode=payload, power="ON")
        else:
            found[name] = payload
    return {key: value for key, value in found.items() if key != "mode" or found["power"] == "ON"}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("mode"), st.sampled_from(sorted(MODES))),
            st.tuples(st.just("power"), st.sampled_from(["ON", "OFF"])),
            st.tuples(st.just("temperature"), st.sampled_from(["45", "50", "55"])),
        )
    )
)
def test_waiting_commands_lead_to_the_same_as_all_of_them(wishes: list[tuple[str, str]]) -> None:
    heater = SimpleNamespace(mac_address=MAC)
    target: Any = SimpleNamespace(heater=heater, follower=SimpleNamespace(updates=LatestValue()))
    none: Any = None
    publisher = HeaterPublisher(none, target, Presentation(), none)
    for name, payload in wishes:
        publisher.add_command(name, payload)
    waiting = list(publisher._commands.items())
    assert final_state(waiting) == final_state(wishes)
    assert len(waiting) <= len(COMMANDS)


async def test_commands_lost_with_the_broker_are_logged(
    sim: Simulator,
    broker: AnyBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bridging(sim, broker):
        async with home_assistant(broker) as home:
            await home.until(lambda one: one.available)
            async with during_a_command(home, monkeypatch):
                await request_and_wait(home, ("mode", "electric"), ("power", "OFF"))
        await broker.stop()
        await wait_until(lambda: count_log(caplog, "was not executed") == 2)
        assert count_log(caplog, "temperature '50' was not confirmed") == 1
        await broker.start()
        async with home_assistant(broker) as home:
            await home.until(lambda one: one.available)
            assert sim.units[0].heater.status().dhw_operation_setting == MODES["eco"]


async def test_everything_is_published_again_when_home_assistant_starts(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, interval=60):
        await home.until(lambda one: one.available and one.shown("tou_plan") != "None")
        before = len(home.received)
        await home.publish("homeassistant/status", "offline")
        await home.publish(f"navien_nwp500/{MAC}/power/set", "again")
        # The bridge receives in order: it has seen the first when it refuses the second.
        await wait_until(lambda: f"navien_nwp500/{MAC}/refusal" in home.retained)
        assert CONFIG not in [topic for topic, _ in home.received[before:]]
        before = len(home.received)
        await home.publish("homeassistant/status", "online")
        for topic in (CONFIG, STATE):
            await wait_until(lambda: topic in [one for one, _ in home.received[before:]])


async def test_an_unplugged_heater_becomes_unavailable_and_comes_back(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, answer_timeout=SHORT_TIMEOUT):
        await home.until(lambda one: one.available)
        await sim.unplug()
        await home.until(lambda one: not one.available)
        assert home.retained[BRIDGE] == "online" and home.retained[AVAILABILITY] == "offline"
        await sim.plug_in()
        await home.until(lambda one: one.available)


@pytest.mark.parametrize(
    ("upper", "lower", "water"),
    # 253 (189 to 289) and 62 (10 to 93) litres by PROTOCOL 14.8, in steps of 10.
    [(60.6, 60.6, (250, 190, 290)), (46.0, 38.0, (None, 10, 90))],
)
def test_usable_water_has_a_range_and_below_100_litres_no_estimate(
    upper: float, lower: float, water: tuple[int | None, int, int]
) -> None:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    heater = Heater(now=now, draws=None, upper_celsius=upper, lower_celsius=lower)
    values = state(heater.status(), None, None)
    assert tuple(values[f"usable_water{part}"] for part in ("", "_least", "_most")) == water


async def test_the_last_error_is_shown_while_the_heater_is_offline(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, answer_timeout=SHORT_TIMEOUT):
        await home.until(lambda one: one.available and one.shown("last_error") == "None")
        assert 500 < int(home.display.shown("air_filter_remaining_hours")) <= 604
        assert home.display.shown("usable_water_most") != "None"
        sim.set_error(480, 1)
        await home.until(lambda one: one.shown("last_error") == "E480 upper tank sensor")
        display = await home.until(lambda one: "limit" in one.shown("error_text"))
        assert display.shown("problem") == "ON" and display.rejected() == []
        assert "replace the sensor" in display.shown("error_advice")
        await sim.unplug()
        sim.units[0].record.error_code = 799  # the cloud may know more than was heard
        await home.until(lambda one: not one.available and "E799" in one.shown("last_error"))
        assert home.display.entity_available("last_error")
        assert not home.display.entity_available("error_text")
        assert "water supply" in home.display.shown("last_error_advice")
        assert datetime.fromisoformat(home.display.shown("last_error_time")).tzinfo is not None


def test_every_advice_fits_into_a_state_of_home_assistant() -> None:
    for code, described in ERRORS.items():
        for text in (described.advice, *described.sub_advice.values()):
            assert len(text) <= 255, code


async def test_a_bridge_runs_with_a_heater_offline_from_the_start(broker: AnyBroker) -> None:
    async with Simulator(speed=600, heaters=2) as sim:
        await sim.unplug(1)
        async with (
            home_assistant(broker) as home,
            bridging(sim, broker, answer_timeout=SHORT_TIMEOUT),
        ):
            await home.until(lambda one: one.available)
            other = "navien_nwp500/0123456789ac/availability"
            await wait_until(lambda: home.retained.get(other) == "offline")
            await sim.plug_in(1)
            await wait_until(lambda: home.retained.get(other) == "online")


async def test_only_a_long_outage_of_the_cloud_makes_a_heater_unavailable(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, answer_timeout=SHORT_TIMEOUT):
        await home.until(lambda one: one.available)
        before = len(home.received)
        sim.faults.inject(CutConnections())
        await wait_until(lambda: count_log(caplog, "Connection to the cloud restored") == 1)
        after = len(home.received)
        await wait_until(lambda: STATE in [topic for topic, _ in home.received[after:]])
        assert (AVAILABILITY, "offline") not in home.received[before:]
        sim.faults.inject(RefuseRequests(where="mqtt", status=503))
        sim.faults.inject(CutConnections())
        await home.until(lambda one: not one.available)
        sim.faults.clear()
        await home.until(lambda one: one.available)


@on_each_broker
async def test_after_a_broker_restart_everything_is_published_again(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridging(sim, broker) as task:
        async with home_assistant(broker) as home:
            await home.until(lambda one: one.available)
        await broker.stop()
        await wait_until(lambda: count_log(caplog, "trying again") > 0)
        await broker.start()
        async with home_assistant(broker) as home:
            # The broker keeps nothing over a restart, so all messages are new.
            display = await home.until(lambda one: one.available)
            assert display.rejected() == [] and not task.done()
        # A lost connection and one that is refused have reasons of their own, each logged once.
        reasons = [one for one in caplog.messages if "trying again" in one]
        assert sorted(set(reasons)) == sorted(reasons)


@on_each_broker
async def test_offline_is_published_when_the_bridge_ends(sim: Simulator, broker: AnyBroker) -> None:
    async with home_assistant(broker) as home:
        async with bridging(sim, broker) as task:
            await home.until(lambda one: one.available)
            task.cancel()
            await asyncio.wait({task}, timeout=LIMIT)
            assert task.cancelled()
        await wait_until(lambda: home.retained[BRIDGE] == home.retained[AVAILABILITY] == "offline")


async def test_offline_is_published_to_a_broker_that_answers_late(
    sim: Simulator, broker: AnyBroker
) -> None:
    """Later than a task that ends is cancelled again; the last will is one of the two topics."""
    far = BuiltIn()
    async with LatencyProxy("127.0.0.1", broker.port, 0.06).running() as far.port:
        async with home_assistant(broker) as home:
            async with bridging(sim, far):
                await home.until(lambda one: one.available)
            await wait_until(
                lambda: home.retained[BRIDGE] == home.retained[AVAILABILITY] == "offline"
            )


async def test_a_password_the_cloud_refuses_ends_the_bridge(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker) as task:
        await home.until(lambda one: one.available)
        sim.faults.rest["/user/sign-in"] = RestFault.error(401, "Invalid credentials")
        sim.faults.inject(RevokeCredentials(access_tokens=True, refresh_tokens=True))
        sim.faults.inject(CutConnections())
        await asyncio.wait({task}, timeout=LIMIT)
        with pytest.raises(InvalidCredentialsError):
            task.result()
        await wait_until(lambda: home.retained[BRIDGE] == "offline")


@on_each_broker
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_offline_is_published_after_sigterm_and_sigkill(
    sim: Simulator, broker: AnyBroker, tmp_path: Path, number: int
) -> None:
    words = ("bridge", "mqtt", "--interval", "0.2", "--broker", f"mqtt://127.0.0.1:{broker.port}")
    async with home_assistant(broker) as home:
        process = await start(tmp_path, *words, **sim.environment)
        try:
            await home.until(lambda one: one.available)
        finally:
            process.send_signal(number)
            _, err = await within_limit(process.communicate())
        await wait_until(lambda: home.retained[home.bridge_topic] == "offline")
        if number == signal.SIGTERM:
            assert process.returncode == 0 and b"Traceback" not in err
            assert home.retained[AVAILABILITY] == "offline"


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf = found.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    return found


async def test_tls_needs_a_trusted_certificate_and_reads_the_password_from_a_file(
    sim: Simulator, tmp_path: Path, authority: trustme.CA, find_program: Callable[..., str]
) -> None:
    mosquitto, mosquitto_passwd = find_program(MOSQUITTO), find_program("mosquitto_passwd")
    (tmp_path / "secret").write_text("planted-77\n")
    subprocess.run(
        [mosquitto_passwd, "-b", "-c", str(tmp_path / "users"), "navien", "planted-77"],
        check=True,
        capture_output=True,
    )
    files = {"certfile": "cert.pem", "keyfile": "key.pem", "password_file": "users"}
    lines = [f"{name} {tmp_path / file}" for name, file in files.items()]
    broker = Mosquitto(mosquitto, tmp_path, "allow_anonymous false", *lines, *keep_root())
    await broker.start()
    try:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        subscriber = aiomqtt.Client(
            "127.0.0.1", broker.port, username="navien", password="planted-77", tls_context=context
        )
        words = ["bridge", "mqtt", "--broker", f"mqtts://navien@127.0.0.1:{broker.port}"]
        secret = ["--password-file", str(tmp_path / "secret")]
        trusted = ["--ca-file", str(tmp_path / "ca.pem")]
        stranger = await start(tmp_path, *words, *secret, **sim.environment)
        assert stranger.stderr is not None
        first = await asyncio.wait_for(stranger.stderr.readline(), LIMIT)
        assert b"certificate" in first.lower() and b"planted-77" not in first
        stranger.send_signal(signal.SIGTERM)
        await within_limit(stranger.communicate())
        async with subscriber as client:
            await client.subscribe("navien_nwp500/bridge/+/availability", qos=1)
            process = await start(tmp_path, *words, *secret, *trusted, **sim.environment)
            try:
                message = await asyncio.wait_for(client.messages.__anext__(), LIMIT)
                assert message.payload == b"online"
            finally:
                process.send_signal(signal.SIGTERM)
                _, err = await within_limit(process.communicate())
            assert process.returncode == 0 and b"planted-77" not in err
    finally:
        await broker.stop()


@pytest.mark.parametrize(
    "url",
    ["homeassistant", "http://host", "mqtt://", "mqtt://h:no", "mqtt://h/path", "mqtt://h:0x1"],
)
def test_an_invalid_broker_url_is_rejected(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt"):
        Broker.parse(url)


async def test_a_password_in_the_broker_url_is_rejected_and_not_printed(tmp_path: Path) -> None:
    words = ("bridge", "mqtt", "--simulate", "--broker", "mqtt://me:planted-77@127.0.0.1")
    code, out, err = await run(tmp_path, *words)
    assert (code, out) == (2, "")
    assert "MQTT_PASSWORD" in err and "planted-77" not in err
    assert "planted-77" not in repr(Broker("h", 1, password="planted-77"))


async def test_unknown_values_are_none(sim: Simulator) -> None:
    status = replace(
        sim.units[0].heater.status(),
        tou_status=TouStatus(9),
        dhw_use=Flag.UNKNOWN,
        ambient_temperature=None,
    )
    found = state(status, None, None)
    assert found["tou_status"] is found["dhw_use"] is found["ambient_temperature"] is None
    assert "heat_pump_kwh" not in found and found["heard"] is None


async def test_the_password_is_read_from_the_env_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MQTT_PASSWORD=from$file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MQTT_PASSWORD", raising=False)
    assert load_password(None) == "from$file"
    monkeypatch.setenv("MQTT_PASSWORD", "from environment")
    assert load_password(None) == "from environment"
    for content in (b"s\xc3\xa9cret #1 \r\nnot this\r\n", "s\u00e9cret #1 ".encode("utf-8-sig")):
        (tmp_path / "file").write_bytes(content)
        assert load_password(tmp_path / "file") == "s\u00e9cret #1 "
    (tmp_path / "file").write_bytes("s\u00e9cret #1 \r\n".encode("utf-16"))
    assert load_password(tmp_path / "file") == "s\u00e9cret #1 "
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match="first line"):
        load_password(tmp_path / "empty")


@pytest.mark.parametrize(
    ("command", "package", "option"),
    [("mqtt", "aiomqtt", "--broker=mqtt://h"), ("prometheus", "prometheus_client", "--simulate")],
)
def test_a_missing_extra_is_named(command: str, package: str, option: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['bridge', {command!r}, "
        f"{option!r}]; from navien_nwp500.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"needs {package}: install the extra 'bridges'" in done.stderr
