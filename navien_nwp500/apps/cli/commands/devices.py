"""The command ``devices``."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from ....device import NaviLinkDevice
from ....exceptions import APIError
from ....protocol.redaction import logger
from ..context import open_context
from ..formatting import device_json
from ..options import ACCOUNT_OPTIONS, JSON
from ..output import print_result
from ..runner import run_async

_LOGGER = logger("navien_nwp500.cli")


@click.command("devices")
@ACCOUNT_OPTIONS
@JSON
@run_async
async def devices_command(as_json: bool, **account: Any) -> None:
    """List the heaters of the account.

    Example: navien-nwp500 devices
    """
    async with open_context(**account) as context:
        devices = await context.client.get_devices(connect=False)
        firmware = await asyncio.gather(*map(_firmware_versions, devices))
    if as_json:
        listed = [
            {**device_json(device), "firmware": versions}
            for device, versions in zip(devices, firmware)
        ]
        print_result(json.dumps(listed, indent=2))
        return
    for device, versions in zip(devices, firmware):
        state = "online" if device.info.online else "offline"
        text = f"{device.mac_address}  type {device.device_type}  {state:7}  {device.name}"
        print_result(f"{text}  firmware {', '.join(versions)}" if versions else text)


async def _firmware_versions(device: NaviLinkDevice) -> list[str]:
    """Request the versions that the cloud has; an error must not end the list."""
    try:
        parts = await device.get_firmware_info()
    except APIError as error:
        _LOGGER.debug("the firmware of %s is unknown: %s", device.name, error)
        return []
    return [part.cur_version.text for part in parts if part.cur_version]
