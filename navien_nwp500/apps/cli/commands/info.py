"""The command ``info``."""

from __future__ import annotations

from typing import Any

import click

from ....device import NaviLinkDevice
from ....protocol.features import DeviceFeatures
from ....protocol.fields import encode_fields, field_specs, to_json
from ....protocol.types import Choice, Flag, Volume
from ..context import open_device, wait_response
from ..formatting import both_units, display_unit, facts_table, print_json
from ..options import READ_OPTIONS
from ..output import print_result
from ..runner import run_async


@click.command("info")
@READ_OPTIONS
@run_async
async def info_command(as_json: bool, **account: Any) -> None:
    """Show the model, firmware and functions of the heater.

    Example: navien-nwp500 info
    """
    async with open_device(**account) as (_, heater):
        features = await wait_response(heater.get_features())
        if as_json:
            print_json(heater, features=encode_fields(features), reading=to_json(features))
        else:
            print_result("\n".join([_facts(heater, features), "", *_capabilities(features)]))


def _facts(heater: NaviLinkDevice, features: DeviceFeatures) -> str:
    return facts_table(
        {
            "heater": heater.name,
            "model": f"NWP500, product family {_text(features.model_type_code).upper()}",
            "tank": _tank(features.volume_code),
            "firmware": _firmware(features),
            "setpoint": _limits(features, "dhw_temperature"),
            "steps": _text(features.dhw_temperature_setting_use),
            "frost": _limits(features, "freeze_protection_temp"),
            "connection": "online, responds",
        }
    )


def _text(value: Choice | None) -> str:
    return "-" if value is None else value.text


def _tank(volume: Volume | None) -> str:
    if volume is None or volume.litres is None:
        return _text(volume)
    gallons = volume.name.rpartition("_")[2]
    return f"{gallons} gallons, {volume.litres:.0f} litres"


def _firmware(features: DeviceFeatures) -> str:
    parts = {
        "controller": features.controller_sw_version,
        "panel": features.panel_sw_version,
        "Wi-Fi": features.wifi_sw_version,
        "recirculation": features.recirc_sw_version,
    }
    return ", ".join(f"{name} {version.text}" for name, version in parts.items() if version)


def _limits(features: DeviceFeatures, field: str) -> str:
    """Write the lowest and highest value of a temperature setting."""
    unit = display_unit(features)
    limits = [getattr(features, f"{field}_{end}") for end in ("min", "max")]
    return " to ".join("-" if value is None else both_units(value, unit) for value in limits)


def _capabilities(features: DeviceFeatures) -> list[str]:
    """List the functions that the heater has, then those it has not, then the unknown ones."""
    states = {Flag.ACTIVE: "yes", None: "unknown", Flag.UNKNOWN: "unknown"}
    found = [
        (states.get(getattr(features, spec.name), "no"), spec.meaning)
        for spec in field_specs(DeviceFeatures)
        if spec.codec is Flag
    ]
    order = ["yes", "no", "unknown"]
    return [
        f"{state:10} {meaning}"
        for state, meaning in sorted(found, key=lambda one: order.index(one[0]))
    ]
