"""The cloud of the benchmarks, in another process, so that its work does not count.

Run as a module it is that process, with heaters that respond at once, because a real one takes 2 to
4 s, which would hide everything that is measured here; and without a limit of publishes a second.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from typing import Any, Iterator, Mapping
from unittest import mock
from urllib.parse import urljoin

import aiohttp

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.apps.cli.runner import run
from navien_nwp500.protocol.messages import Address
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.clock import Clock
from navien_nwp500.simulator.cloud import aws_broker
from navien_nwp500.simulator.cloud.accounts import CloudAccount, HeaterRecord
from navien_nwp500.simulator.faults.injector import ADMIN_PATH
from navien_nwp500.simulator.heater.command_handler import CommandHandler
from navien_nwp500.simulator.heater.wifi_module import WifiModule
from navien_nwp500.simulator.server.cloud_server import CloudServer
from navien_nwp500.simulator.simulator import EMAIL, FIRST_MAC, HeaterUnit

#: One for this library, and one for each baseline.
HEATERS = 3
PASSWORD = "loopback only"
#: Publishes of a connection in a second.
UNLIMITED = 10**9
#: The variables that a cloud prints when it is ready, one on each line.
VARIABLES = (
    "NAVILINK_BASE_URL",
    "NAVILINK_WEBSOCKET_URL",
    "NAVILINK_CA_FILE",
    "NAVILINK_EMAIL",
    "NAVILINK_PASSWORD",
)
#: Arguments of the interpreter for heaters that respond at once, and for ``simulate``.
PROMPT = ("-m", "benchmarks.cloud")
SIMULATE = ("-m", "navien_nwp500", "simulate")


class PromptClock(Clock):
    """A real-time clock on which the delays of the heater take no time."""

    def real_seconds(self, seconds: float) -> float:
        return 0.0


@contextmanager
def cloud(*arguments: str) -> Iterator[Mapping[str, str]]:
    """Start a cloud, and yield the variables of its clients; it ends with the block.

    ``arguments`` are ``PROMPT``, or ``SIMULATE`` and its options.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline().rstrip("\n") for _ in VARIABLES]
        if not all(printed):
            _, errors = process.communicate()
            raise RuntimeError(f"the cloud did not start: {errors}")
        yield dict(line.split("=", 1) for line in printed)
    finally:
        process.terminate()
        process.communicate()


def config(variables: Mapping[str, str]) -> NaviLinkConfig:
    """Return the configuration of the client, only from these variables."""
    base_url, websocket_url, ca_file, email, password = (variables[name] for name in VARIABLES)
    return NaviLinkConfig(
        email=email,
        password=password,
        base_url=base_url,
        websocket_url=websocket_url,
        ca_file=ca_file,  # type: ignore[arg-type]  # NaviLinkConfig converts it to a path
    )


async def set_faults(variables: Mapping[str, str], faults: Mapping[str, Any]) -> None:
    """Inject faults into a cloud over its admin API."""
    url = urljoin(variables["NAVILINK_BASE_URL"], ADMIN_PATH + "faults")
    tls = ssl.create_default_context(cafile=variables["NAVILINK_CA_FILE"])
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=faults, ssl=tls) as response:
            response.raise_for_status()


async def _serve(heaters: int) -> None:
    clock = PromptClock(datetime.now().astimezone())
    records = [HeaterRecord(f"{FIRST_MAC + number:012x}") for number in range(heaters)]
    server = CloudServer([CloudAccount(EMAIL, PASSWORD, records)])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        for number, record in enumerate(records):
            address = Address(record.mac_address, record.additional_value, record.home_seq)
            heater = Heater(now=clock.now(), seed=number)
            controls = CommandHandler(heater, address, seed=number)
            wifi = WifiModule(heater, controls.handle, address, clock, seed=number)
            unit = HeaterUnit(record, wifi)
            stack.push_async_callback(unit.unplug)
            await unit.plug_in(server.broker_port)
        values = (server.base_url, server.websocket_url, server.ca_file, EMAIL, PASSWORD)
        for name, value in zip(VARIABLES, values):
            print(f"{name}={value}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with mock.patch.object(aws_broker, "MAX_PUBLISHES", UNLIMITED):
        run(_serve(HEATERS))
