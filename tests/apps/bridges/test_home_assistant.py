"""The bridge to Home Assistant, over the built-in broker, and over mosquitto where they may differ."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Union

import aiomqtt
import pytest
import trustme

from navien_nwp500 import DHWMode, NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.bridges.discovery import FACES, MODES, Topics, discovery, state
from navien_nwp500.apps.bridges.follower import Follower
from navien_nwp500.apps.bridges.home_assistant import Broker, MqttBridge
from navien_nwp500.apps.cli.commands.bridge import password as broker_password
from navien_nwp500.exceptions import ConfigurationError, InvalidCredentialsError
from navien_nwp500.protocol.energy import EnergyTotal
from navien_nwp500.protocol.fields import field_specs
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import Flag, TouStatus
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud.built_in_broker import BuiltInBroker
from navien_nwp500.simulator.faults import (
    CutConnections,
    RefuseRequests,
    RestFault,
    RevokeCredentials,
)
from support.cli import LIMIT, run, start
from support.home_assistant_schema import Display, complaints
from support.reliability_tools import (
    FAST_RECONNECT,
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_until,
    within_limit,
)

MAC = "0123456789ab"
STATE, AVAILABILITY = f"navien_nwp500/{MAC}/state", f"navien_nwp500/{MAC}/availability"
BRIDGE = "navien_nwp500/bridge/availability"
CONFIG = f"homeassistant/device/navien_nwp500_{MAC}/config"

BUILT_IN, MOSQUITTO = "built-in", "mosquitto"

#: Retained messages, wills and a broker's restart: there each broker has a way of its own.
on_each_broker = pytest.mark.parametrize("broker", [BUILT_IN, MOSQUITTO], indirect=True)


class BuiltIn:
    """The simulator's broker on a port of the system's choice, started and stopped as often as asked."""

    def __init__(self) -> None:
        self.port = 0
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        serving = BuiltInBroker().running("127.0.0.1", self.port)
        self.port = await self._stack.enter_async_context(serving)

    async def stop(self) -> None:
        await self._stack.aclose()


class Mosquitto:
    """mosquitto, a process of each test's own."""

    def __init__(self, program: str, folder: Path, *lines: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "mosquitto.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines, ""]))
        self._words = [program, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._words, stdout=quiet, stderr=quiet)
        await wait_until(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


AnyBroker = Union[BuiltIn, Mosquitto]


@pytest.fixture
async def broker(
    request: pytest.FixtureRequest, tmp_path: Path, find_program: Callable[..., str]
) -> AsyncIterator[AnyBroker]:
    """The built-in broker; ``on_each_broker`` runs a test over mosquitto too."""
    found: AnyBroker = BuiltIn()
    if getattr(request, "param", BUILT_IN) == MOSQUITTO:
        found = Mosquitto(find_program(MOSQUITTO), tmp_path, "allow_anonymous true")
    try:
        await found.start()
        yield found
    finally:
        await found.stop()


class HomeAssistant:
    """What a subscriber of everything has heard; it can also speak."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.retained: dict[str, str] = {}
        self.heard: list[tuple[str, str]] = []
        self._client = client
        self._task = asyncio.ensure_future(self._listen())

    async def stop(self) -> None:
        await cancel_and_wait(self._task)

    async def say(self, topic: str, text: str, retain: bool = False) -> None:
        await self._client.publish(topic, text, qos=1, retain=retain)

    async def until(self, condition: Callable[[Display], bool]) -> Display:
        """Return once the display shows it."""
        await wait_until(lambda: CONFIG in self.retained and STATE in self.retained)
        await wait_until(lambda: condition(self.display))
        return self.display

    @property
    def display(self) -> Display:
        return Display(json.loads(self.retained[CONFIG]), self.retained)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            topic, text = str(message.topic), message.payload.decode()
            self.retained[topic] = text
            self.heard.append((topic, text))


@asynccontextmanager
async def home_assistant(broker: AnyBroker) -> AsyncIterator[HomeAssistant]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("#", qos=1)
        found = HomeAssistant(client)
        try:
            yield found
        finally:
            await found.stop()


@asynccontextmanager
async def bridging(
    sim: Simulator,
    broker: AnyBroker,
    interval: float = 0.2,
    patience: float = LIMIT,
    **settings: Any,
) -> AsyncIterator[asyncio.Task[None]]:
    async with NaviLinkClient(fast_config(sim, answer_timeout=patience, **settings)) as client:
        followers = [
            Follower(
                heater, interval, patience=patience, energy_interval=0.5, reconnect=FAST_RECONNECT
            )
            for heater in await client.get_devices()
        ]
        bridge = MqttBridge(
            Broker("127.0.0.1", broker.port),
            followers,
            control=not client.config.read_only,
            reconnect=FAST_RECONNECT,
        )
        task = asyncio.ensure_future(bridge.run())
        try:
            yield task
        finally:
            await cancel_and_wait(task)
            if not task.cancelled():
                task.exception()


@on_each_broker
async def test_home_assistant_gets_a_device_it_accepts_and_can_show(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        display = await home.until(lambda one: one.available and one.shown("total_wh") != "None")
        assert complaints(json.loads(home.retained[CONFIG])) == []
        assert display.refused() == []
        assert display.shown("water_heater", "temperature_state_template") == "60.5"
        assert display.shown("water_heater", "mode_state_template") == "eco"
        total = sim.units[0].heater.energy_total
        assert float(display.shown("heat_pump_wh")) >= 1_266_000
        assert float(display.shown("total_wh")) <= total.heat_pump_wh + total.element_wh + 1
        assert display.shown("problem") == "OFF" and display.shown("error_text") == "none"


async def test_wishes_of_home_assistant_come_true(sim: Simulator, broker: AnyBroker) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        heater = json.loads(home.retained[CONFIG])["components"]["water_heater"]
        assert (heater["min_temp"], heater["max_temp"]) == (40.5, 65.5)

        async def wish(word: str, text: str) -> None:
            await home.say(heater[f"{word}_command_topic"], text)

        await wish("temperature", "48.9")
        await home.until(
            lambda one: one.shown("water_heater", "temperature_state_template") == "49.0"
        )
        for mode in (*(mode for mode in heater["modes"] if mode != "eco"), "eco"):
            await wish("mode", mode)
            await home.until(lambda one: one.shown("water_heater", "mode_state_template") == mode)
            assert sim.units[0].heater.status().dhw_operation_setting == MODES[mode]
        for text, shown in (("OFF", "off"), ("ON", "eco")):
            await wish("power", text)
            await home.until(lambda one: one.shown("water_heater", "mode_state_template") == shown)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("temperature", "99"),
        ("temperature", "nan"),
        ("temperature", "hot"),
        ("mode", "gas"),
        ("power", "maybe"),
    ],
)
async def test_a_wish_refused_is_logged_and_the_truth_told_again(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture, word: str, text: str
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, interval=60):
        await home.until(lambda one: one.available and one.shown("total_wh") != "None")
        before = len(home.heard)
        await home.say(f"navien_nwp500/{MAC}/{word}/set", text)
        await wait_until(lambda: count_log(caplog, "was not done") == 1)
        await wait_until(lambda: STATE in [topic for topic, _ in home.heard[before:]])
        assert home.display.shown("water_heater", "temperature_state_template") == "60.5"


@on_each_broker
async def test_a_retained_wish_is_not_heeded(sim: Simulator, broker: AnyBroker) -> None:
    async with home_assistant(broker) as home:
        await home.say(f"navien_nwp500/{MAC}/mode/set", "electric", retain=True)
        async with bridging(sim, broker):
            await home.until(lambda one: one.available)
            # The one after it is heeded, and they are heard in turn.
            await home.say(f"navien_nwp500/{MAC}/temperature/set", "50")
            await home.until(
                lambda one: one.shown("water_heater", "temperature_state_template") == "50.0"
            )
            assert home.display.shown("water_heater", "mode_state_template") == "eco"


async def test_of_wishes_that_pile_up_the_newest_is_granted(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker):
        await home.until(lambda one: one.available)
        topic = f"navien_nwp500/{MAC}/temperature/set"
        await asyncio.gather(*(home.say(topic, str(degrees)) for degrees in range(42, 62)))
        seen = await home.until(
            lambda one: one.shown("water_heater", "temperature_state_template") == "61.0"
        )
        assert seen.available
        setpoints = {
            json.loads(text)["dhw_temperature_setting"]
            for place, text in home.heard
            if place == STATE
        }
        assert len(setpoints) < 15


async def test_a_client_that_may_only_read_offers_no_control(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, read_only=True):
        await home.until(lambda one: one.available)
        message = json.loads(home.retained[CONFIG])
        assert complaints(message) == []
        assert not [key for key in message["components"]["water_heater"] if "command" in key]


async def test_when_home_assistant_starts_everything_is_told_again(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, interval=60):
        await home.until(lambda one: one.available and one.shown("total_wh") != "None")
        for text, expected in (("offline", False), ("online", True)):
            before = len(home.heard)
            await home.say("homeassistant/status", text)
            await home.say(f"navien_nwp500/{MAC}/power/set", "again")
            await wait_until(lambda: STATE in [topic for topic, _ in home.heard[before:]])
            told = [topic for topic, _ in home.heard[before:]]
            assert (CONFIG in told) is expected


async def test_an_unplugged_heater_becomes_unavailable_and_comes_back(
    sim: Simulator, broker: AnyBroker
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, patience=SHORT_TIMEOUT):
        await home.until(lambda one: one.available)
        await sim.unplug()
        await home.until(lambda one: not one.available)
        assert home.retained[BRIDGE] == "online" and home.retained[AVAILABILITY] == "offline"
        await sim.plug_in()
        await home.until(lambda one: one.available)


async def test_a_heater_offline_from_the_start_is_no_reason_to_end(broker: AnyBroker) -> None:
    async with Simulator(speed=600, heaters=2) as sim:
        await sim.unplug(1)
        async with home_assistant(broker) as home, bridging(sim, broker, patience=SHORT_TIMEOUT):
            await home.until(lambda one: one.available)
            other = "navien_nwp500/0123456789ac/availability"
            await wait_until(lambda: home.retained.get(other) == "offline")
            await sim.plug_in(1)
            await wait_until(lambda: home.retained.get(other) == "online")


async def test_a_cut_to_the_cloud_is_no_outage_and_a_long_one_is(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with home_assistant(broker) as home, bridging(sim, broker, patience=SHORT_TIMEOUT):
        await home.until(lambda one: one.available)
        before = len(home.heard)
        sim.faults.inject(CutConnections())
        await wait_until(lambda: count_log(caplog, "connection to the cloud is back") == 1)
        told = len(home.heard)
        await wait_until(lambda: STATE in [topic for topic, _ in home.heard[told:]])
        assert (AVAILABILITY, "offline") not in home.heard[before:]
        sim.faults.inject(RefuseRequests(where="mqtt", status=503))
        sim.faults.inject(CutConnections())
        await home.until(lambda one: not one.available)
        sim.faults.clear()
        await home.until(lambda one: one.available)


@on_each_broker
async def test_a_broker_that_restarts_is_sought_again_and_told_everything(
    sim: Simulator, broker: AnyBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridging(sim, broker) as task:
        async with home_assistant(broker) as home:
            await home.until(lambda one: one.available)
        await broker.stop()
        await wait_until(lambda: count_log(caplog, "trying again") == 1)
        await broker.start()
        async with home_assistant(broker) as home:
            # It keeps nothing over a restart: all this is new.
            display = await home.until(lambda one: one.available)
            assert display.refused() == [] and not task.done()
        assert count_log(caplog, "trying again") == 1


@on_each_broker
async def test_an_end_is_told_to_the_broker(sim: Simulator, broker: AnyBroker) -> None:
    async with home_assistant(broker) as home:
        async with bridging(sim, broker) as task:
            await home.until(lambda one: one.available)
            task.cancel()
            await asyncio.wait({task}, timeout=LIMIT)
            assert task.cancelled()
        await wait_until(lambda: home.retained[BRIDGE] == home.retained[AVAILABILITY] == "offline")


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
async def test_however_the_process_ends_home_assistant_knows(
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
        await wait_until(lambda: home.retained[BRIDGE] == "offline")
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


async def test_tls_with_a_password_from_a_file_and_nothing_without_the_certificate(
    sim: Simulator, tmp_path: Path, authority: trustme.CA, find_program: Callable[..., str]
) -> None:
    mosquitto, mosquitto_passwd = find_program(MOSQUITTO), find_program("mosquitto_passwd")
    (tmp_path / "secret").write_text("planted-77\n")
    subprocess.run(
        [mosquitto_passwd, "-b", "-c", str(tmp_path / "users"), "navien", "planted-77"],
        check=True,
        capture_output=True,
    )
    lines = [
        f"{name} {tmp_path / file}"
        for name, file in (
            ("certfile", "cert.pem"),
            ("keyfile", "key.pem"),
            ("password_file", "users"),
        )
    ]
    broker = Mosquitto(mosquitto, tmp_path, "allow_anonymous false", *lines, *_as_me())
    await broker.start()
    try:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        me = aiomqtt.Client(
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
        async with me as client:
            await client.subscribe(BRIDGE, qos=1)
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


def _as_me() -> list[str]:
    """Started by root, mosquitto becomes another user, who may not read a test's files."""
    return ["user root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


@pytest.mark.parametrize(
    "url",
    [
        "homeassistant",
        "http://host",
        "mqtt://",
        "mqtt://host:no",
        "mqtt://host/path",
        "mqtt://h:0x1",
    ],
)
def test_a_broker_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt"):
        Broker.parse(url)


async def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    tmp_path: Path,
) -> None:
    words = ("bridge", "mqtt", "--simulate", "--broker", "mqtt://me:planted-77@127.0.0.1")
    code, out, err = await run(tmp_path, *words)
    assert (code, out) == (2, "")
    assert "MQTT_PASSWORD" in err and "planted-77" not in err
    assert "planted-77" not in repr(Broker("h", 1, password="planted-77"))


async def test_every_row_is_an_entity_and_every_face_has_one(sim: Simulator) -> None:
    features = sim.units[0].heater.features
    status = sim.units[0].heater.status()
    rows = {row.name for row in field_specs(DeviceStatus)}
    counters = {row.name for row in field_specs(EnergyTotal)} | {"total_wh"}
    message = discovery("H", Topics("r", MAC), features, rows | counters, control=True)
    entities = message["components"]
    assert complaints(message) == []
    assert rows | counters <= set(entities) and set(FACES) <= set(entities)
    assert set(state(status, None, None)) >= set(entities) - {"water_heater"}
    for key, entity in entities.items():
        shown = key in FACES or key == "water_heater"
        assert entity.get("enabled_by_default", True) is shown
        assert shown or entity["entity_category"] == "diagnostic"
        assert not shown or len(entity["name"] or "") <= 24


async def test_only_the_meter_is_energy_for_the_dashboard(sim: Simulator) -> None:
    features = sim.units[0].heater.features
    fields = {row.name for row in field_specs(DeviceStatus)} | {"heat_pump_wh", "element_wh"}
    entities = discovery("H", Topics("r", MAC), features, fields, control=True)["components"]
    meters = {key for key, one in entities.items() if one.get("device_class") == "energy"}
    assert meters == {"heat_pump_wh", "element_wh"}
    assert all(entities[key]["state_class"] == "total_increasing" for key in meters)


async def test_what_is_not_known_is_unknown_not_a_number(sim: Simulator) -> None:
    status = replace(
        sim.units[0].heater.status(),
        tou_status=TouStatus(9),
        dhw_use=Flag.UNKNOWN,
        ambient_temperature=None,
        dhw_operation_setting=DHWMode.VACATION,
    )
    found = state(status, None, None)
    assert found["tou_status"] is found["dhw_use"] is found["ambient_temperature"] is None
    assert found["heat_pump_wh"] is found["heard"] is found["water_heater_mode"] is None
    assert found["dhw_operation_setting"] == "vacation"


async def test_the_password_is_read_from_the_env_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MQTT_PASSWORD=from$file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MQTT_PASSWORD", raising=False)
    assert broker_password(None) == "from$file"
    monkeypatch.setenv("MQTT_PASSWORD", "from environment")
    assert broker_password(None) == "from environment"
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match="first line"):
        broker_password(tmp_path / "empty")


@pytest.mark.parametrize(
    ("word", "package", "option"),
    [("mqtt", "aiomqtt", "--broker=mqtt://h"), ("prometheus", "prometheus_client", "--simulate")],
)
def test_a_missing_extra_is_named(word: str, package: str, option: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['bridge', {word!r}, "
        f"{option!r}]; from navien_nwp500.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"needs {package}: pip install 'navien-nwp500[bridges]'" in done.stderr
