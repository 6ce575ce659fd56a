"""A simulator that keeps its state in a file: its clients survive a restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest

from navien_nwp500 import ConfigurationError, DHWMode, NaviLinkClient, NaviLinkConfig
from navien_nwp500.protocol.schedules import decode_reservations
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.cloud import certificates
from support.cli import run, start
from support.heater_bench import PLAN, RESERVATIONS
from support.reliability_tools import FAST_RECONNECT, LIMIT, fast_config, watching

PROGRAM = {"reservationUse": 2, "reservation": RESERVATIONS}
posix = pytest.mark.skipif(os.name != "posix", reason="Windows protects files differently")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "sim.json"


def heater_of(sim: Simulator) -> Heater:
    heater = sim.units[0].heater
    assert isinstance(heater, Heater)
    return heater


async def test_a_connected_client_survives_a_restart(path: Path) -> None:
    async with Simulator(speed=600, state=path) as sim:
        config = fast_config(sim)
        client = NaviLinkClient(config)
        (device,) = await client.get_devices()
        watching_it = watching(device)
        watcher = await watching_it.__aenter__()
    async with Simulator(speed=600, state=path) as sim:
        assert fast_config(sim) == config  # addresses, certificate, password
        await watcher.next(2)
        await device.get_info()
        # Its tokens and AWS keys are still valid.
        counters = sim.counters
        assert (counters.passwords, counters.refreshes, counters.unauthorized) == (0, 0, 0)
        assert counters.session_refreshes == counters.refused_handshakes == 0
        await watching_it.__aexit__(None, None, None)
        await client.close()


async def test_the_heater_is_kept(path: Path) -> None:
    async with Simulator(speed=600, frozen=True, state=path, heaters=2) as sim:
        heater, time = heater_of(sim), sim.clock.now()
        heater.set_setpoint(HalfCelsius(110))
        heater.set_mode(DHWMode.VACATION, 9)
        heater.write_tou_plan(True, PLAN)
        sim.units[0].record.device_name = "Cellar"
        sim.units[0].record.alarms["isEtcAlarm"] = 2
        heater.write_reservations(decode_reservations(PROGRAM))
        await sim.advance(hours=30)
        layers, total = list(heater.tank.layers), heater.energy_total
    async with Simulator(speed=600, frozen=True, state=path) as sim:
        again = heater_of(sim)
        assert (again.settings.setpoint, again.settings.mode) == (110, DHWMode.VACATION)
        assert again.settings.vacation_days == 9
        assert again.settings.tou.enabled and list(again.settings.tou.entries) == PLAN
        schedule = again.settings.reservations
        assert [entry.to_entry() for entry in schedule.entries] == RESERVATIONS
        assert schedule.enabled
        assert (again.tank.layers, again.energy_total) == (layers, total)
        assert (sim.clock.now() - time).total_seconds() == 30 * 3600
        record = sim.units[0].record
        assert (record.device_name, record.alarms["isEtcAlarm"]) == ("Cellar", 2)


@posix
async def test_the_file_is_private_and_written_when_tokens_change(path: Path) -> None:
    path.parent.mkdir()
    async with Simulator(speed=600, state=path) as sim:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with NaviLinkClient(fast_config(sim)) as client:
            await client.authenticate()
            tokens = client._auth._tokens
            assert tokens is not None
            deadline = asyncio.get_running_loop().time() + LIMIT
            while tokens.access_token not in path.read_text():
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.01)
        assert sim.account.password in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["sim.json", "sim.json.ca.pem"]


async def test_revoked_tokens_stay_revoked(path: Path) -> None:
    async with Simulator(speed=600, state=path) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            await client.authenticate()
        book = sim._cloud.book
        book.revoke_access_tokens(), book.revoke_refresh_tokens(), book.revoke_keys()
    tokens = json.loads(path.read_text())["tokens"]
    assert tokens == {"access": [], "refresh": [], "keys": []}


def changed(**parts: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: {**document, **parts}


BAD: list[Callable[[dict[str, Any]], Any]] = [
    lambda document: [],
    lambda document: {},
    lambda document: {key: document[key] for key in document if key != "tokens"},
    changed(program="another"),
    changed(version=2),
    changed(port=0),
    changed(port="443"),
    changed(password=""),
    changed(certificates={"authority": "", "server": "no certificate"}),
    changed(time="2026-01-01T00:00:00"),
    changed(time="yesterday"),
    changed(tokens={"access": [1], "refresh": [], "keys": []}),
    changed(tokens={"access": [["user@example.com", "x", "y"]], "refresh": [], "keys": []}),
    changed(heaters={"0123456789ab": {}}),
    changed(heaters=[]),
]


async def test_a_bad_file_is_an_error_and_stays_as_it_is(path: Path) -> None:
    async with Simulator(speed=600, state=path):
        pass
    good = json.loads(path.read_text())
    contents = [json.dumps(change(good)).encode() for change in BAD]
    contents += [b"", b"{", b"\xff\xfe", b"NAVILINK_EMAIL=user@example.com\n", b"[" * 100_000]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="sim.json is no state of a simulator"):
            Simulator(state=path)
        assert path.read_bytes() == content
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Simulator(state=path.parent)


async def test_two_simulators_cannot_share_a_file(path: Path) -> None:
    async with Simulator(speed=600, state=path):
        with pytest.raises(ConfigurationError, match="is in use"):
            async with Simulator(speed=600, state=path):
                pass


async def test_a_state_of_openssl_and_with_latency(
    path: Path, monkeypatch: pytest.MonkeyPatch, find_program: Callable[..., str]
) -> None:
    find_program("openssl")
    monkeypatch.setattr(certificates, "HAS_TRUSTME", False)
    configs = []
    for _ in range(2):
        async with Simulator(speed=600, latency=0.001, state=path) as sim:
            configs.append(fast_config(sim))
            async with NaviLinkClient(configs[0]) as client:
                assert len(await client.get_devices()) == 1
    assert configs[0] == configs[1]


async def test_a_client_survives_a_killed_simulate(tmp_path: Path) -> None:
    arguments = ("simulate", "--speed", "600", "--state", "sim.json", "--env-file", "sim.env")

    async def started() -> asyncio.subprocess.Process:
        process = await start(tmp_path, *arguments)
        assert process.stdout is not None
        for _ in range(5):
            assert await asyncio.wait_for(process.stdout.readline(), LIMIT)
        return process

    process = await started()
    config = NaviLinkConfig.from_environment(tmp_path / "sim.env")
    config = replace(config, reconnect=FAST_RECONNECT, answer_timeout=LIMIT)
    async with NaviLinkClient(config) as client:
        (device,) = await client.get_devices()
        async with watching(device) as watcher:
            process.kill()
            await asyncio.wait_for(process.wait(), LIMIT)
            process = await started()
            await watcher.next(2)
            await device.get_info()
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0 and b"Traceback" not in err
    (tmp_path / "sim.json").write_text("{}")
    code, _, err_text = await run(tmp_path, "simulate", "--state", "sim.json")
    assert code == 2 and "no state of a simulator" in err_text
