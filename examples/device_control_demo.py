"""Send harmless commands and print what the heater confirms.

    python examples/device_control_demo.py --simulate     on a simulated heater
    python examples/device_control_demo.py                on yours: a dry run

Every control makes a heater check its demand again and can start the compressor, so your own heater gets
only dry runs.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import time

from navien_nwp500 import (
    WEEKDAYS,
    DHWMode,
    NaviLinkClient,
    NaviLinkConfig,
    NaviLinkError,
    Reservation,
    ReservationMode,
)


async def send_all(config: NaviLinkConfig, dry_run: bool) -> None:
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        steps = {
            "temperature 120 °F": device.set_temperature(fahrenheit=120, dry_run=dry_run),
            "mode heat pump": device.set_dhw_mode(DHWMode.HEAT_PUMP, dry_run=dry_run),
            "vacation 7 days": device.start_vacation(days=7, dry_run=dry_run),
            "mode energy saver": device.set_dhw_mode(DHWMode.ENERGY_SAVER, dry_run=dry_run),
            "anti-legionella 14 days": device.set_anti_legionella(days=14, dry_run=dry_run),
            "air filter 3000 h": device.set_air_filter_life(hours=3000, dry_run=dry_run),
            "off": device.turn_off(dry_run=dry_run),
            "on": device.turn_on(dry_run=dry_run),
        }
        for name, step in steps.items():
            try:
                status = await step
                mode, water = status.dhw_operation_setting, status.dhw_temperature_setting.text
                confirmed = f"confirmed: {water}, {mode.text if mode else '-'}"
                result = f"would send {status.would_send}" if dry_run else confirmed
            except NaviLinkError as error:
                result = f"failed: {error}"
            print(f"{name:24} {result}")
        morning = Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.ENERGY_SAVER, celsius=60)
        program = await device.add_reservation(morning, dry_run=dry_run)
        print(f"{'reservation 6:30':24} {len(program.reservations)} stored")


async def main() -> None:
    if "--simulate" not in sys.argv:
        await send_all(NaviLinkConfig.from_environment(), dry_run=True)
        return
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await send_all(replace(simulator.config, command_interval=0.1), dry_run=False)


if __name__ == "__main__":
    asyncio.run(main())
