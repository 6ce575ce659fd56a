"""Print statuses as InfluxDB line protocol: python examples/to_influx.py [--simulate]

For Telegraf (inputs.execd), or to a server: python -u examples/to_influx.py | influx write -b home
Runs until Ctrl-C; with the simulator, until ten lines are printed.
"""

import asyncio
import sys
import time

from navien_nwp500 import DeviceStatus, NaviLinkClient, NaviLinkConfig, ReconnectConfig


def escaped(tag: str) -> str:
    return "".join("\\" + letter if letter in ",= " else letter for letter in tag)


def line(heater: str, status: DeviceStatus, nanoseconds: int) -> str:
    fields = {
        "charge": status.dhw_charge_percent,
        "fault": int(status.error_code),
        "heating": int(status.activity.value != "standby"),
        "setpoint": status.dhw_temperature_setting.celsius,
        "water": status.dhw_temperature.celsius,
        "watts": int(status.current_inst_power),
    }
    # The suffix i marks an integer; a field without a value is left out.
    shown = [
        f"{name}={value:.1f}" if isinstance(value, float) else f"{name}={int(value)}i"
        for name, value in fields.items()
        if value is not None
    ]
    return f"navien,heater={escaped(heater)} {','.join(shown)} {nanoseconds}"


async def tell(config: NaviLinkConfig, every: float, most: float) -> None:
    async with NaviLinkClient(config) as client:
        device, count = (await client.get_devices())[0], 0
        async for status in device.watch(interval=every):
            print(line(device.name, status, time.time_ns()), flush=True)
            count += 1
            if count >= most:
                break


async def main() -> None:
    if "--simulate" not in sys.argv:
        patient = NaviLinkConfig.from_environment(reconnect=ReconnectConfig(max_retries=None))
        return await tell(patient, every=60, most=float("inf"))
    from navien_nwp500.simulator import Simulator

    async with Simulator(speed=600) as simulator:
        await tell(simulator.config, every=0.1, most=10)


if __name__ == "__main__":
    asyncio.run(main())
