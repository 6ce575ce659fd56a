"""Record a tank for months: python examples/tank_monitoring_production.py tank.csv [--simulate]

Uses callbacks, as programs for earlier versions do. Ctrl-C stops it; the next start continues the file.
"""

import asyncio
import logging
import sys
from datetime import datetime, timezone

from navien_nwp500 import (
    AlertWatch,
    CsvRecorder,
    DeviceStatus,
    NaviLinkClient,
    NaviLinkConfig,
    ReconnectConfig,
)

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


async def monitor(config: NaviLinkConfig, path: str, interval: float) -> None:
    alerts = AlertWatch()
    client = NaviLinkClient(config)
    try:
        device = (await client.get_devices())[0]
        if not (await device.get_connectivity_status()).get("device_connected"):
            sys.exit(f"{device.name} is offline")
        with CsvRecorder(path, heater=device.mac_address) as recorder:

            def record(status: DeviceStatus) -> None:
                recorder.write(status, datetime.now(timezone.utc))
                for alert in alerts.check(status):
                    logging.warning(alert.text)

            mqtt = await device.get_mqtt_connection(ReconnectConfig(max_retries=None))
            await mqtt.connect()
            mqtt.set_status_callback(record)
            await mqtt.start_monitoring(polling_interval=interval)
    finally:
        await client.close()


async def main() -> None:
    path = next((word for word in sys.argv[1:] if not word.startswith("-")), "tank.csv")
    if "--simulate" not in sys.argv:
        await monitor(NaviLinkConfig.from_environment(), path, interval=300)
        return
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await monitor(simulator.config, path, interval=0.5)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
