"""The command ``devices``."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from ....device import NaviLinkDevice
from ....exceptions import CommunicationError
from ....protocol.account import DeviceInfo
from ....protocol.redaction import logger
from ..context import open_context
from ..formatting import device_json, error_json
from ..options import ACCOUNT_OPTIONS, JSON
from ..output import print_result
from ..runner import run_async

_LOGGER = logger("navien_nwp500.cli")


@click.command("devices")
@ACCOUNT_OPTIONS
@JSON
@run_async
async def devices_command(as_json: bool, **account: Any) -> None:
    """List the devices of the account; only the NWP500 is supported.

    Devices of other types are named; with --json their "supported" is false.

    Example: navien-nwp500 devices
    """
    async with open_context(**account) as context:
        devices = await context.client.get_devices(connect=False)
        others = await context.client.get_other_devices()
        firmware = await asyncio.gather(*map(_firmware_versions, devices))
    if as_json:
        heaters = [_heater_json(*pair) for pair in zip(devices, firmware)]
        print_result(json.dumps([*heaters, *map(_other_json, others)], indent=2))
        return
    for device, versions in zip(devices, firmware):
        print_result(f"{_line(device.info)}  firmware {', '.join(versions) or 'not available'}")
        if device.info.error is not None and device.info.error.summary is not None:
            print_result(f"{'':14}last error {device.info.error.summary}")
    for info in others:
        print_result(f"{_line(info)}  {info.kind.meaning}: not supported")
    if not devices:
        print_result(
            "This account has no NWP500. Use the account with which the heater was registered, or\n"
            "have it shared in the NaviLink app."
        )


def _line(info: DeviceInfo) -> str:
    state = "online" if info.online else "offline"
    return f"{info.mac_address}  type {int(info.kind):<2}  {state:7}  {info.name}"


def _heater_json(device: NaviLinkDevice, firmware: list[str]) -> dict[str, Any]:
    last_error = error_json(device.info.error)
    return {
        **device_json(device),
        "supported": True,
        "firmware": firmware,
        "last_error": last_error,
    }


def _other_json(info: DeviceInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "mac_address": info.mac_address,
        "device_type": info.device_type,
        "connected": info.connected,
        "supported": False,
        "description": info.kind.description,
    }


async def _firmware_versions(device: NaviLinkDevice) -> list[str]:
    """Request the versions; an error must not end the list, and a 403 gives none."""
    try:
        parts = await device.get_firmware_info()
    except CommunicationError as error:
        _LOGGER.debug("the firmware of %s is unknown: %s", device.name, error)
        return []
    return [part.cur_version.text for part in parts if part.cur_version]
