"""Use a heater inside an asyncio program: python examples/embed_in_asyncio.py [--simulate]

The program owns the event loop and both tasks. When one task ends, the other is cancelled, and an error
of either reaches the program.
"""

import asyncio
import sys
from typing import Dict

from navien_nwp500 import DeviceStatus, NaviLinkClient, NaviLinkConfig

Known = Dict[str, DeviceStatus]


async def follow(config: NaviLinkConfig, known: Known, every: float) -> None:
    """Store the latest status."""
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        async for status in device.watch(interval=every):
            known[device.name] = status


async def your_program(known: Known, every: float) -> None:
    """Do other things, and read the latest status from time to time."""
    looks = 0
    while looks < 5:
        await asyncio.sleep(every)
        looks += len(known)
        print({name: f"{status.dhw_charge_percent} %" for name, status in known.items()})


async def run(config: NaviLinkConfig, every: float) -> None:
    known: Known = {}
    heater = asyncio.create_task(follow(config, known, every), name="heater")
    program = asyncio.create_task(your_program(known, every / 2), name="program")
    try:
        done, _ = await asyncio.wait({heater, program}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        heater.cancel()
        program.cancel()
        await asyncio.wait({heater, program})


async def main() -> None:
    if "--simulate" not in sys.argv:
        await run(NaviLinkConfig.from_environment(), every=60)
        return
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await run(simulator.config, every=0.2)


if __name__ == "__main__":
    asyncio.run(main())
