"""Tests of NaviLinkClient: sign in, list heaters, watch and record, with a real broker."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from navien_nwp500 import (
    DeviceOfflineError,
    DeviceStatus,
    DHWMode,
    InvalidCredentialsError,
    MQTTError,
    NaviLinkClient,
    NaviLinkDevice,
    ReconnectConfig,
    RequestTimeoutError,
    WebSocketError,
)
from navien_nwp500._connection import cloud_device
from navien_nwp500._connection.subscriptions import PUSH_TRIES
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.models import HealthState
from navien_nwp500.simulator import Simulator
from support.programs import start_program
from support.transports import TransportSimulator, each_transport

LIMIT = 60.0
SOON = ReconnectConfig(initial_delay=0.05, max_delay=0.2)


async def first_statuses(
    device: NaviLinkDevice, count: int = 1, interval: float = 0.05
) -> list[DeviceStatus]:
    """Return the first ``count`` statuses of a watch."""

    async def collect() -> list[DeviceStatus]:
        found = []
        async for status in device.watch(interval=interval):
            found.append(status)
            if len(found) == count:
                break
        return found

    return await asyncio.wait_for(collect(), LIMIT)


async def test_from_sign_in_to_csv(sim: Simulator, client: NaviLinkClient, tmp_path: Path) -> None:
    user = await client.authenticate()
    assert user.user_seq == 20002
    device = (await client.get_devices())[0]
    with CsvRecorder(tmp_path / "tank.csv") as recorder:
        for status in await first_statuses(device, count=3):
            recorder.write(status, datetime.now(timezone.utc))
    with open(tmp_path / "tank.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3
    last = device.last_status
    assert last is not None and last.tank_upper_temperature is not None
    assert lines[-1]["dhw_temperature"] == str(int(last.dhw_temperature))
    assert float(lines[-1]["tank_upper_temp"]) == last.tank_upper_temperature / 10
    assert sim.counters.passwords == 1


@pytest.mark.navilink(frozen=True)  # a later push would be the last status
async def test_a_status_from_the_heater_is_marked_as_connected(client: NaviLinkClient) -> None:
    device = (await client.get_devices())[0]
    status = await device.get_status()
    assert status.device_connected == 2
    assert status.command == 16777219
    assert status.extra == {}
    assert device.last_status is status


async def test_features_firmware_and_info(client: NaviLinkClient) -> None:
    device = (await client.get_devices())[0]
    features = await device.get_features()
    assert features.dhw_temperature_max == 131
    assert features.extra == {}
    firmware = await device.get_firmware_info()
    assert firmware[0].cur_version is not None and firmware[0].cur_version.text == "11.1.0.0"
    info = await device.get_info()
    assert info.mac_address == device.mac_address and info.install_type == "R"
    plan = await device.get_tou_info()
    assert plan.periods


async def test_a_phone_is_registered_like_the_app(sim: Simulator, client: NaviLinkClient) -> None:
    await client.update_push_token("FCM-TOKEN", model_name="Sample Phone", os_version="14")
    assert sim.account.phone == {  # PROTOCOL 1.12
        "modelName": "Sample Phone",
        "appVersion": "2.03.00",
        "os": "A",
        "osVersion": "14",
        "userId": sim.account.email,
        "pushToken": "FCM-TOKEN",
    }


async def test_connectivity_is_2_only_after_a_response(
    sim: Simulator, client: NaviLinkClient
) -> None:
    device = (await client.get_devices())[0]
    assert device.health.state is HealthState.IDLE
    assert await device.get_connectivity_status() == {"device_connected": 1}
    await device.get_status()
    assert await device.get_connectivity_status() == {"device_connected": 2}
    await sim.unplug()
    assert await device.get_connectivity_status() == {"device_connected": 0}


async def test_all_pages_of_a_large_account_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_device, "PAGE_SIZE", 2)
    async with Simulator(speed=600, heaters=5) as sim:
        async with NaviLinkClient(sim.config) as client:
            found = await client.get_devices()
    assert len({device.mac_address for device in found}) == 5


async def test_listing_again_gives_the_same_objects(client: NaviLinkClient) -> None:
    assert (await client.get_devices())[0] is (await client.get_devices())[0]


async def test_two_clients_receive_only_their_own_responses(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as one, NaviLinkClient(sim.config) as two:
        devices = [(await client.get_devices())[0] for client in (one, two)]
        pairs = await asyncio.gather(*(first_statuses(device, count=4) for device in devices))
        assert [len(found) for found in pairs] == [4, 4]
        statuses = await asyncio.gather(*(device.get_status() for device in devices * 5))
        assert all(status.command == 16777219 for status in statuses)


async def test_several_heaters_share_one_connection() -> None:
    async with Simulator(speed=600, heaters=3) as sim:
        async with NaviLinkClient(sim.config) as client:
            devices = await client.get_devices()
            statuses = await asyncio.gather(*(device.get_status() for device in devices))
        assert len(statuses) == 3
        assert sim.counters.connects == 1


async def test_pushes_reach_a_rarely_polling_watch(sim: Simulator, client: NaviLinkClient) -> None:
    device = (await client.get_devices())[0]
    statuses = device.watch(interval=3600)
    await asyncio.wait_for(statuses.__anext__(), LIMIT)
    sim.units[0].heater.power_off()

    async def pushed() -> DeviceStatus:
        # The answer to the first poll may come late, or be replaced by a push.
        while True:
            status = await statuses.__anext__()
            if status.command != 16777219 and status.dhw_operation_setting == DHWMode.POWER_OFF:
                return status

    assert (await asyncio.wait_for(pushed(), LIMIT)).command in (0, 67108868, 67108883, 67108892)
    await statuses.aclose()


async def test_the_published_pattern_runs_unchanged(sim: Simulator) -> None:
    reconnect_config = SOON
    received: list[DeviceStatus] = []
    client = NaviLinkClient(sim.config)
    await client.authenticate()
    device = (await client.get_devices())[0]
    assert (await device.get_connectivity_status()).get("device_connected")
    mqtt = await device.get_mqtt_connection(reconnect_config=reconnect_config)
    await mqtt.connect()

    def cb(status: DeviceStatus) -> None:
        received.append(status)
        if len(received) == 2:
            raise ValueError("a callback's own fault")
        if len(received) == 4:
            stopping.append(asyncio.ensure_future(mqtt.stop_monitoring()))

    stopping: list[asyncio.Future[None]] = []
    mqtt.set_status_callback(cb)
    await asyncio.wait_for(mqtt.start_monitoring(polling_interval=0.05), LIMIT)
    await client.close()
    assert len(received) >= 4


async def test_cancellation_ends_monitoring_with_an_async_callback(client: NaviLinkClient) -> None:
    device = (await client.get_devices())[0]
    mqtt = await device.get_mqtt_connection()
    called = asyncio.Event()

    async def cb(status: DeviceStatus) -> None:
        await asyncio.sleep(0)
        called.set()

    mqtt.set_status_callback(cb)
    monitoring = asyncio.ensure_future(mqtt.start_monitoring(polling_interval=0.05))
    await asyncio.wait_for(called.wait(), LIMIT)
    monitoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await monitoring


async def test_a_request_ends_at_once_when_the_connection_drops(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        await sim.units[0].unplug()
        request = asyncio.ensure_future(device.get_status())
        while not client._pool.first._requests.pending:
            await asyncio.sleep(0)
        await sim._cloud.drop_connections()
        with pytest.raises((WebSocketError, MQTTError)):
            await asyncio.wait_for(request, LIMIT)


async def test_a_wrong_password_is_sent_once(sim: Simulator) -> None:
    async with NaviLinkClient(sim.config) as client:
        for _ in range(3):
            with pytest.raises(InvalidCredentialsError) as caught:
                await client.authenticate("user@example.com", "wrong-secret-1")
            assert "wrong-secret-1" not in str(caught.value)
        with pytest.raises(InvalidCredentialsError):
            await client.get_devices()
        assert sim.counters.passwords == 1
        await client.authenticate(sim.account.email, sim.account.password)
        assert len(await client.get_devices()) == 1
        assert sim.counters.passwords == 2


async def test_credentials_may_come_later(sim: Simulator) -> None:
    client = NaviLinkClient(replace(sim.config, email=None, password=None))
    await client.authenticate(sim.account.email, sim.account.password)
    assert len(await client.get_devices()) == 1
    await client.close()


async def test_offline_and_unresponsive_heaters_raise_different_errors(sim: Simulator) -> None:
    async with NaviLinkClient(replace(sim.config, answer_timeout=1.0)) as client:
        device = (await client.get_devices())[0]
        await device.get_status()
        await sim.unplug()
        with pytest.raises(DeviceOfflineError, match="offline"):
            await device.get_status()
        sim.units[0].record.connected = 2
        with pytest.raises(RequestTimeoutError):
            await device.get_status()
        await sim.plug_in()
        assert (await first_statuses(device))[0].device_connected == 2


async def test_binary_commands_are_answered_in_binary(sim: Simulator) -> None:
    async with NaviLinkClient(replace(sim.config, wire_format="binary")) as client:
        device = (await client.get_devices())[0]
        one, two = await asyncio.gather(device.get_status(), device.get_status())
        assert one.command == two.command == 16777219
        assert one.recirc_error_status == 0
        assert (await device.get_features()).dhw_temperature_min == 81


@each_transport
async def test_without_permission_for_pushes_polling_is_used(transport: str) -> None:
    async with TransportSimulator(transport, speed=600, pushes=False) as sim:
        async with NaviLinkClient(sim.config) as client:
            device = (await client.get_devices())[0]
            assert (await device.get_status()).device_connected == 2
            # The first connect does not count as a lost connection.
            assert device.health.reconnects == 0
            found = await first_statuses(device, count=3)
            assert all(status.command == 16777219 for status in found)
            mqtt = await device.get_mqtt_connection()
            await asyncio.wait_for(mqtt.connect(), LIMIT)
            assert (sim.counters.violations, sim.counters.connects) == (PUSH_TRIES, PUSH_TRIES + 1)


PROGRAM = """
import asyncio
from navien_nwp500 import NaviLinkClient, NaviLinkConfig

async def main():
    async with NaviLinkClient(NaviLinkConfig.from_environment("{env}")) as client:
        device = (await client.get_devices())[0]
        print(int((await device.get_status()).dhw_temperature_setting))

asyncio.run(main())
"""


async def test_another_process_uses_the_env_file(sim: Simulator, tmp_path: Path) -> None:
    env = tmp_path / "sim.env"
    env.write_text("".join(f"{name}={value}\n" for name, value in sim.environment.items()))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NAVILINK_")}
    program = await start_program(
        sys.executable,
        "-W",
        "error",
        "-c",
        PROGRAM.format(env=env.as_posix()),
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(program.communicate(), 60)
    assert (program.returncode, out.strip(), err) == (0, b"121", b"")


PUBLISHED_PATTERN = """
import asyncio
from navien_nwp500 import NaviLinkClient, ReconnectConfig

async def main():
    client = NaviLinkClient()
    await client.authenticate({credentials})
    device = (await client.get_devices())[0]
    assert (await device.get_connectivity_status()).get("device_connected")
    mqtt = await device.get_mqtt_connection(reconnect_config=ReconnectConfig(max_retries=20))
    await mqtt.connect()

    def show(status):
        print(int(status.dhw_temperature_setting), flush=True)
        asyncio.ensure_future(mqtt.stop_monitoring())

    mqtt.set_status_callback(show)
    await mqtt.start_monitoring(polling_interval=300)
    await client.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("given", ["environment", ".env", "arguments"])
async def test_the_published_pattern_needs_only_the_settings(
    sim: Simulator, tmp_path: Path, given: str
) -> None:
    """Run the published pattern (L1); arguments of ``authenticate`` win over the settings."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NAVILINK_")}
    settings, credentials = dict(sim.environment), ""
    if given == "arguments":
        credentials = f"{settings['NAVILINK_EMAIL']!r}, {settings['NAVILINK_PASSWORD']!r}"
        settings["NAVILINK_PASSWORD"] = "another"
    if given == ".env":
        lines = (f"{name}={value}\n" for name, value in settings.items())
        (tmp_path / ".env").write_text("".join(lines))
        settings = {}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PUBLISHED_PATTERN.format(credentials=credentials)),
        cwd=tmp_path,
        env={**clean, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(program.communicate(), 60)
    assert (program.returncode, out.strip(), err) == (0, b"121", b"")


async def test_a_client_can_be_created_without_any_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NAVILINK_")]:
        monkeypatch.delenv(name)
    client = NaviLinkClient()
    assert "password" not in repr(client).lower()
    await client.close()
