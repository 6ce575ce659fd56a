"""Read all heaters of the account at once: python examples/many_heaters.py [--simulate]

One client and one connection serve all of them. A heater that is offline does not delay the others.
"""

import asyncio
import sys

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkDevice, NaviLinkError


async def line_of(device: NaviLinkDevice) -> str:
    if not device.info.online:
        return f"{device.name:16} offline"
    try:
        status = await device.get_status()
    except NaviLinkError as error:
        return f"{device.name:16} {error}"
    return (
        f"{device.name:16} {status.dhw_charge_percent:3} %  {status.dhw_temperature.text}  "
        f"{status.current_inst_power:5} W  {status.activity.value}"
    )


async def show(config: NaviLinkConfig) -> None:
    async with NaviLinkClient(config) as client:
        devices = await client.get_devices()
        for asked in [asyncio.ensure_future(line_of(device)) for device in devices]:
            print(await asked)


async def main() -> None:
    if "--simulate" not in sys.argv:
        await show(NaviLinkConfig.from_environment())
        return
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600, heaters=12) as simulator:
        await simulator.unplug(3)
        await show(simulator.config)


if __name__ == "__main__":
    asyncio.run(main())
