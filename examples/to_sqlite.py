"""Store statuses in an SQLite database: python examples/to_sqlite.py heaters.db [--simulate]

Runs until Ctrl-C; with the simulator, until ten are stored. SQLite runs in a thread, because a disk can be
slow.
"""

import asyncio
import sqlite3
import sys
from datetime import datetime, timezone

from navien_nwp500 import DeviceStatus, NaviLinkClient, NaviLinkConfig, ReconnectConfig

TABLE = """CREATE TABLE IF NOT EXISTS statuses (
    time TEXT NOT NULL, heater TEXT NOT NULL, charge INTEGER, water REAL, setpoint REAL,
    watts INTEGER, activity TEXT, fault INTEGER, PRIMARY KEY (heater, time))"""
INSERT = "INSERT OR IGNORE INTO statuses VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def values(heater: str, status: DeviceStatus) -> "tuple[object, ...]":
    return (
        *(datetime.now(timezone.utc).isoformat(), heater, status.dhw_charge_percent),
        *(status.dhw_temperature.celsius, status.dhw_temperature_setting.celsius),
        *(int(status.current_inst_power), status.activity.value, int(status.error_code)),
    )


def store(path: str, entry: "tuple[object, ...]") -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(TABLE)
        database.execute(INSERT, entry)
    database.close()


async def record(config: NaviLinkConfig, path: str, every: float, most: float) -> None:
    async with NaviLinkClient(config) as client:
        device, count = (await client.get_devices())[0], 0
        async for status in device.watch(interval=every):
            await asyncio.to_thread(store, path, values(device.name, status))
            count += 1
            if count >= most:
                break


async def main() -> None:
    path = next((word for word in sys.argv[1:] if not word.startswith("-")), "heaters.db")
    if "--simulate" not in sys.argv:
        patient = NaviLinkConfig.from_environment(reconnect=ReconnectConfig(max_retries=None))
        return await record(patient, path, every=300, most=float("inf"))
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await record(simulator.config, path, every=0.1, most=10)


if __name__ == "__main__":
    asyncio.run(main())
