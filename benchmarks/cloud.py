"""A cloud in a process of its own, so that its work is not in our loop.

Run as a module it is that process, with heaters that answer at once: a real one takes 2 to 4 s,
which would hide all that is measured here.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from typing import Any, Iterator, Mapping
from urllib.parse import urljoin

import aiohttp

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.apps.cli.runner import run
from navien_nwp500.protocol.messages import Address
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.clock import Clock
from navien_nwp500.simulator.cloud.accounts import CloudAccount, HeaterRecord
from navien_nwp500.simulator.faults.injector import ADMIN_PATH
from navien_nwp500.simulator.heater.command_handler import CommandHandler
from navien_nwp500.simulator.heater.wifi_module import WifiModule
from navien_nwp500.simulator.server.cloud_server import CloudServer
from navien_nwp500.simulator.simulator import EMAIL, FIRST_MAC, HeaterUnit

#: Ours, and one for each floor.
HEATERS = 3
PASSWORD = "loopback only"
#: What a cloud prints when it is ready, a line each.
VARIABLES = (
    "NAVILINK_BASE_URL",
    "NAVILINK_WEBSOCKET_URL",
    "NAVILINK_CA_FILE",
    "NAVILINK_EMAIL",
    "NAVILINK_PASSWORD",
)
#: The interpreter's words for heaters that answer at once, and for those of the command line.
PROMPT = ("-m", "benchmarks.cloud")
SIMULATE = ("-m", "navien_nwp500", "simulate")


class PromptClock(Clock):
    """Runs as ours does, but nothing the heater puts off takes time."""

    def real_seconds(self, seconds: float) -> float:
        return 0.0


@contextmanager
def cloud(*words: str) -> Iterator[Mapping[str, str]]:
    """Start a cloud and give the variables of its clients; it ends with the block.

    ``words`` are the interpreter's: ``PROMPT``, or ``SIMULATE`` and its options.
    """
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = [process.stdout.readline().rstrip("\n") for _ in VARIABLES]
        if not all(said):
            _, why = process.communicate()
            raise RuntimeError(f"the cloud did not start: {why}")
        yield dict(line.split("=", 1) for line in said)
    finally:
        process.terminate()
        process.communicate()


def config(variables: Mapping[str, str]) -> NaviLinkConfig:
    """The settings of our client, of nothing but these variables."""
    base_url, websocket_url, ca_file, email, password = (variables[name] for name in VARIABLES)
    return NaviLinkConfig(
        email=email,
        password=password,
        base_url=base_url,
        websocket_url=websocket_url,
        ca_file=ca_file,  # type: ignore[arg-type]  # a path is made of it
    )


async def set_faults(variables: Mapping[str, str], faults: Mapping[str, Any]) -> None:
    """Make something go wrong in a cloud, over the simulator's own route."""
    url = urljoin(variables["NAVILINK_BASE_URL"], ADMIN_PATH + "faults")
    tls = ssl.create_default_context(cafile=variables["NAVILINK_CA_FILE"])
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=faults, ssl=tls) as answer:
            answer.raise_for_status()


async def _serve(heaters: int) -> None:
    clock = PromptClock(datetime.now().astimezone())
    records = [HeaterRecord(f"{FIRST_MAC + number:012x}") for number in range(heaters)]
    place = CloudServer([CloudAccount(EMAIL, PASSWORD, records)])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(place)
        for number, record in enumerate(records):
            address = Address(record.mac_address, record.additional_value, record.home_seq)
            heater = Heater(now=clock.now(), seed=number)
            controls = CommandHandler(heater, address, seed=number)
            wifi = WifiModule(heater, controls, address, clock, seed=number)
            unit = HeaterUnit(record, wifi)
            stack.push_async_callback(unit.unplug)
            await unit.plug_in(place.broker_port)
        values = (place.base_url, place.websocket_url, place.ca_file, EMAIL, PASSWORD)
        for name, value in zip(VARIABLES, values):
            print(f"{name}={value}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    run(_serve(HEATERS))
