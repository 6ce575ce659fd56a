"""Read a heater once: python examples/basic_usage.py [--simulate]"""

import asyncio
import sys

from navien_nwp500 import NaviLinkClient, NaviLinkConfig


async def show(config: NaviLinkConfig) -> None:
    async with NaviLinkClient(config) as client:
        for device in await client.get_devices():
            status = await device.get_status()
            print(f"{device.name}: {status.dhw_charge_percent} % charged")
            print(f"  water     {status.dhw_temperature.text}")
            print(f"  setpoint  {status.dhw_temperature_setting.text}")
            print(f"  now       {status.activity.value}, {status.current_inst_power} W")
            print(f"  fault     {status.error_text or 'none'}")


async def main() -> None:
    if "--simulate" not in sys.argv:
        await show(NaviLinkConfig.from_environment())
        return
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await show(simulator.config)


if __name__ == "__main__":
    asyncio.run(main())
