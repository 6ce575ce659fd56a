"""A process of a fleet with a short time limit: database, limit, accounts file, slots as arguments.

The settings of the cloud are in the environment. Prints "recording" when it holds slots.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.apps.fleet.accounts_file import AccountsFile
from navien_nwp500.apps.fleet.fleet import Fleet, FleetSettings, HeldSlots


async def main(url: str, limit: float, accounts: str, slots: int) -> None:
    config = NaviLinkConfig.from_environment(polling_interval=0.5)
    settings = FleetSettings(config, sign_ins_per_second=100, beat=0.2)
    fleet = Fleet(AccountsFile(Path(accounts)), HeldSlots(url, slots, limit), settings)
    task = asyncio.ensure_future(fleet.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        while not fleet.slots and not task.done():
            await asyncio.sleep(0.02)
        print("recording", os.getpid(), flush=True)
        await task
    except asyncio.CancelledError:
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
