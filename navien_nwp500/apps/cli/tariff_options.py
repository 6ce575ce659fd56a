"""Options of commands that use a tariff."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from ...analysis.prices import PriceSource, read_tariff
from .options import INPUT_FILE, Number, combine

RATE = click.option(
    "--rate", metavar="NAME", help="Label or name of one of several rates or areas."
)

#: ``--tariff`` and what it needs; a command passes all of them to :func:`load_tariff`.
TARIFF = combine(
    click.option(
        "--tariff",
        type=INPUT_FILE,
        help="Electricity prices: the heater's plan, OpenEI, Octopus, Nord Pool, ENTSO-E, ComEd or "
        "CSV.",
    ),
    RATE,
    click.option(
        "--monthly-kwh",
        metavar="KWH",
        type=Number(min=0),
        default=600.0,
        show_default=True,
        help="Electricity of the whole household in a month, for tariffs with tiers.",
    ),
    click.option(
        "--holidays",
        type=INPUT_FILE,
        help="File of dates with weekend prices, one a line, such as 2026-12-25.",
    ),
    click.option(
        "--fee",
        metavar="PRICE",
        type=Number(-1000, 1000),
        default=0.0,
        help="Added to each price per kWh, for example network charges of market prices.",
    ),
    click.option(
        "--vat",
        metavar="PERCENT",
        type=Number(-100, 1000),
        default=0.0,
        help="Tax in percent on each price and fee.",
    ),
    click.option(
        "--fill-gaps", is_flag=True, help="Fill gaps in the tariff with the price before them."
    ),
)


def load_tariff(tariff: Path | None, zone: ZoneInfo | None, **options: Any) -> PriceSource | None:
    """Read the tariff of the options of ``TARIFF``, None without one.

    ``zone`` is the heater's. Raises as :func:`read_tariff`.
    """
    return None if tariff is None else read_tariff(tariff, zone, **options)
