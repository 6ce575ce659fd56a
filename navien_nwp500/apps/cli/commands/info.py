"""``info``: which heater it is, what it has and allows."""

from __future__ import annotations

import json
from typing import Any

import click

from ....device import NaviLinkDevice
from ....protocol.features import DeviceFeatures
from ....protocol.fields import encode_fields, field_specs, to_json
from ....protocol.types import Choice, Flag, Volume
from ..context import choose, first_answer, open_context
from ..options import reads
from ..parsing import both, own_unit
from ..runner import run
from .status import identity


@click.command()
@reads
def info(**options: Any) -> None:
    """Say what the heater is, and what it can and cannot do.

    Example: navien-nwp500 info
    """
    run(tell(**options))


async def tell(simulate: bool, speed: float, device: str | None, as_json: bool) -> None:
    """Ask for the features and print them."""
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        features = await first_answer(heater, heater.get_features())
        if as_json:
            found = {"features": encode_fields(features), "reading": to_json(features)}
            print(json.dumps({"device": identity(heater), **found}, indent=2))
        else:
            print("\n".join([*_facts(heater, features), "", *_capabilities(features)]))


def _facts(heater: NaviLinkDevice, features: DeviceFeatures) -> list[str]:
    facts = {
        "heater": heater.name,
        "model": f"NWP500, product family {_text(features.model_type_code).upper()}",
        "tank": _tank(features.volume_code),
        "firmware": _firmware(features),
        "setpoint": _limits(features, "dhw_temperature"),
        "steps": _text(features.dhw_temperature_setting_use),
        "frost": _limits(features, "freeze_protection_temp"),
        "connection": "online, answers",
    }
    return [f"{name:10} {value}" for name, value in facts.items()]


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
    """The lowest and highest value of a temperature that can be set."""
    found = [getattr(features, f"{field}_{end}") for end in ("min", "max")]
    return " to ".join("-" if value is None else both(value, own_unit(features)) for value in found)


def _capabilities(features: DeviceFeatures) -> list[str]:
    """What it can, then what it cannot, then what it does not say; in the words of the rows."""
    answers = {Flag.ACTIVE: "yes", None: "not said", Flag.UNKNOWN: "not said"}
    found = [
        (answers.get(getattr(features, row.name), "no"), row.meaning)
        for row in field_specs(DeviceFeatures)
        if row.codec is Flag
    ]
    order = ["yes", "no", "not said"]
    return [
        f"{answer:10} {what}" for answer, what in sorted(found, key=lambda e: order.index(e[0]))
    ]
