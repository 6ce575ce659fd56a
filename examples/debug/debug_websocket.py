"""Check the connection to the broker, then print statuses: python examples/debug/debug_websocket.py [--simulate]

First the steps of `navien-nwp500 doctor` up to the subscription. If all pass, the first statuses and the
health of the connection.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from navien_nwp500 import NaviLinkClient, NaviLinkConfig
from navien_nwp500.apps.diagnostics import State, diagnose

COUNT = 3


async def check(config: NaviLinkConfig | None) -> bool:
    found = []
    async for finding in diagnose(config, until="subscription"):
        found.append(finding)
        print(
            f"{finding.state.value:9}  {finding.step:13}  {finding.seconds:5.1f} s  {finding.fact}"
        )
        if finding.error is not None:
            print(f"           {finding.why}\n           {finding.do}")
    return all(finding.state is State.PASSED for finding in found)


async def listen(config: NaviLinkConfig, interval: float) -> None:
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        left = COUNT
        async for status in device.watch(interval=interval):
            health = device.health
            print(f"status     {status.current_inst_power} W, connection {health.state.value}")
            left -= 1
            if not left:
                break


async def main() -> int:
    config, interval = None, 60.0
    async with AsyncExitStack() as stack:
        if "--simulate" in sys.argv:
            from navien_nwp500.simulator import Simulator

            simulator = await stack.enter_async_context(Simulator(speed=600))
            config, interval = simulator.config, 0.2
        if not await check(config):
            return 1
        await listen(config or NaviLinkConfig.from_environment(), interval)
        return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
