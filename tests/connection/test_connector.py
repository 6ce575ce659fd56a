"""Tests of the choice of a transport, and of the fallback from MQTT 5."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Sequence

import pytest

import navien_nwp500.client
from navien_nwp500 import ConfigurationError, NaviLinkClient
from navien_nwp500._connection import transport as transport_base
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    CutConnections,
    NoMqtt5,
    RefuseRequests,
    RevokeCredentials,
)
from support.programs import start_program
from support.reliability_tools import count_log, fast_config, wait_until


@pytest.mark.parametrize("library", ["awscrt", "pure"])
async def test_mqtt_5_falls_back_to_3_1_1_and_logs_it_once(
    sim: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    # aiomqtt waits for CONNACK even when the connection has closed.
    monkeypatch.setattr(transport_base, "PING_TIMEOUT", 0.5)
    sim.faults.inject(NoMqtt5())
    config = fast_config(sim, mqtt_protocol="MQTT5", transport=library)
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        assert (await device.get_status()).device_connected == 2
        assert mqtt_levels(sim) == [4]
        for lost in (1, 2):
            sim.faults.inject(CutConnections())
            await wait_until(lambda: device.health.reconnects == lost)
        assert mqtt_levels(sim) == [4]
    assert count_log(caplog, "MQTT 5 cannot connect; using MQTT 3.1.1 from now on") == 1
    assert sim.counters.violations == 1


@pytest.mark.parametrize("library", ["awscrt", "pure"])
async def test_failures_without_a_relation_to_mqtt_5_do_not_fall_back(
    sim: Simulator, caplog: pytest.LogCaptureFixture, library: str
) -> None:
    config = fast_config(sim, mqtt_protocol="MQTT5", transport=library)
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        assert (await device.get_status()).device_connected == 2
        sim.faults.inject(RevokeCredentials(aws_keys=True))
        sim.faults.inject(CutConnections())
        await wait_until(lambda: device.health.reconnects == 1)
        assert sim.counters.refused_handshakes == 1
        refuse = sim.faults.inject(
            RefuseRequests(where="mqtt", times=2 if library == "awscrt" else 4)
        )
        sim.faults.inject(CutConnections())
        await wait_until(lambda: device.health.reconnects == 2)
        assert refuse.times == 0
        assert mqtt_levels(sim) == [5]
    assert count_log(caplog, "MQTT 5") == 0


def mqtt_levels(sim: Simulator) -> list[int]:
    """Return the MQTT protocol levels of the open connections."""
    return [one.level for one in sim._cloud._connections if one.client_id]


@pytest.mark.parametrize(
    ("library", "absent", "expected"),
    [
        ("auto", (), "AwsIotMqtt3"),
        ("auto", ("aiomqtt", "botocore"), "AwsIotMqtt3"),
        ("auto", ("awscrt",), "PureMqtt3"),
        ("pure", (), "PureMqtt3"),
        ("awscrt", (), "AwsIotMqtt3"),
        ("auto", ("awscrt", "botocore"), "install the extra 'pure'"),
        ("pure", ("aiomqtt",), "install the extra 'pure'"),
        ("awscrt", ("awscrt",), "pip install awsiotsdk"),
    ],
)
async def test_the_transport_is_the_configured_and_installed_one(
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    absent: Sequence[str],
    expected: str,
) -> None:
    find_spec = navien_nwp500.client.find_spec
    monkeypatch.setattr(
        navien_nwp500.client, "find_spec", lambda name: None if name in absent else find_spec(name)
    )
    async with NaviLinkClient(fast_config(sim, transport=library)) as client:
        device = (await client.get_devices())[0]
        if "install" in expected:
            with pytest.raises(ConfigurationError) as caught:
                await device.get_status()
            assert expected in str(caught.value)
        else:
            await device.get_status()
            assert type(client._pool.first._transport._transport).__name__ == expected


READ_WITHOUT_SDK = """
import asyncio, sys
from importlib.machinery import PathFinder

class WithoutSdk(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in ("awscrt", "awsiot") else super().find_spec(name, path, target)

sys.meta_path = [WithoutSdk if one is PathFinder else one for one in sys.meta_path]

from navien_nwp500 import NaviLinkClient, NaviLinkConfig
print(sorted({"awscrt", "aiomqtt", "paho", "botocore", "aiohttp"} & set(sys.modules)))

async def main():
    async with NaviLinkClient(NaviLinkConfig.from_environment()) as client:
        device = (await client.get_devices())[0]
        connected = (await device.get_status()).device_connected
        print(type(client._pool.first._transport._transport).__name__, connected)

asyncio.run(main())
"""


async def test_a_machine_without_the_sdk_reads_its_heater(sim: Simulator) -> None:
    """Run a Python that cannot find the SDK; importing the package loads no MQTT library."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("NAVILINK_")}
    process = await start_program(
        sys.executable,
        "-W",
        "error",
        "-c",
        READ_WITHOUT_SDK,
        env={**clean, **sim.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out.split(), err) == (0, [b"[]", b"PureMqtt3", b"2"], b"")
