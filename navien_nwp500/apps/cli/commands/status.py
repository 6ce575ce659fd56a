"""The command ``status``."""

from __future__ import annotations

from typing import Any

import click

from ....analysis.forecast import Forecast, forecast
from ....device import NaviLinkDevice
from ....protocol.status import DeviceStatus
from ....protocol.types import Temperature
from ..context import open_device, wait_response
from ..formatting import degrees, error_json, facts_table, print_json, status_json, usable_text
from ..learned_file import known_heater
from ..options import READ_OPTIONS, UNIT
from ..output import print_result
from ..runner import run_async


@click.command("status")
@READ_OPTIONS
@UNIT
@run_async
async def status_command(as_json: bool, unit: str | None, **account: Any) -> None:
    """Show the status of the heater.

    Example: navien-nwp500 status --simulate --json
    """
    async with open_device(**account) as (context, heater):
        status = await wait_response(heater.get_status())
        made = forecast(status, context.now(), learned=known_heater(context, heater.mac_address))
        if as_json:
            error = error_json(heater.info.error)
            print_json(heater, last_error=error, **status_json(status), forecast=made.to_json())
        else:
            print_result(_table(heater, status, unit, made))


def _table(device: NaviLinkDevice, status: DeviceStatus, unit: str | None, made: Forecast) -> str:
    def temperature(value: Temperature | None) -> str:
        return degrees(value, status, unit) if value is None or unit else value.text

    sources = " and ".join(status.heat_sources) or "nothing"
    facts: dict[str, str | None] = {
        "heater": device.name,
        "charge": f"{status.dhw_charge_percent} %",
        "water": temperature(status.dhw_temperature),
        "setpoint": temperature(status.dhw_temperature_setting),
        "tank": f"{temperature(status.tank_upper_temperature)} upper, "
        f"{temperature(status.tank_lower_temperature)} lower",
        "mode": "-" if status.dhw_operation_setting is None else status.dhw_operation_setting.text,
        "activity": f"{status.activity.value}, {status.current_inst_power} W ({sources} on)",
        "hot water": "in use" if status.dhw_use.active else "not in use",
        "needed": f"{_watt_hours(status.energy_to_setpoint_wh)} to reach the setpoint",
        "usable": usable_text(status),
        "forecast": made.text,
        "stored": f"{_watt_hours(status.usable_energy_wh)} above the lowest setpoint",
        "Wi-Fi": status.wifi_rssi.text,
        "air filter": _air_filter(status.air_filter_remaining_hours),
        "error": status.error_text or "none",
        "do": status.error_advice,
        "last error": _past_error(device, status),
    }
    return facts_table(facts)


def _past_error(device: NaviLinkDevice, status: DeviceStatus) -> str | None:
    """Write the last error that the cloud knows, unless the heater reports it now."""
    error = device.info.error
    if error is None or error.error_code == status.error_code:
        return None
    return error.summary


def _air_filter(hours: int | None) -> str | None:
    if hours is None:
        return None
    return f"{hours} h of fan operation left" if hours else "clean it now"


def _watt_hours(value: int | None) -> str:
    return "-" if value is None else f"{value} Wh"
