"""Check a heater once, for cron: exit code 1 when hot water is low or there is a fault.

    python examples/one_shot.py 30 [--simulate]     less than 30 % is low

The session is saved in a file, so that a run every ten minutes does not sign in each time.
"""

import asyncio
import sys
from pathlib import Path

from navien_nwp500 import NaviLinkClient, NaviLinkConfig, NaviLinkError

SESSION = Path("navilink-session.json")


async def look(config: NaviLinkConfig, least: int) -> int:
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        status = await device.get_status()
    charge = status.dhw_charge_percent or 0
    print(f"{device.name}: {charge} % charged, fault: {status.error_text or 'none'}")
    return int(charge < least or bool(status.error_code))


async def main() -> int:
    least = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 30)
    if "--simulate" not in sys.argv:
        return await look(NaviLinkConfig.from_environment(session_file=SESSION), least)
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        return await look(simulator.config, least)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except NaviLinkError as error:
        sys.exit(f"{error}")
