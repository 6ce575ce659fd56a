"""``energy``: what each day or month took."""

from __future__ import annotations

import datetime
import json
from itertools import groupby
from typing import Any, Iterator, Sequence

import click

from ....device import NaviLinkDevice
from ....protocol.commands import ENERGY_DAILY, ENERGY_MONTHLY
from ....protocol.energy import EnergyHistory, EnergyTotal, EnergyUsage
from ..context import choose, first_answer, open_context
from ..options import Group, reads
from ..runner import run
from .status import identity

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = 28


@click.group(cls=Group)
def energy() -> None:
    """See what the heat pump and the elements took.

    Example: navien-nwp500 energy day
    """


@energy.command(
    help=f"{ENERGY_DAILY.meaning} Without any: this month.\n\n"
    "Example: navien-nwp500 energy day 2026-01 2026-02"
)
@click.argument("months", nargs=-1, type=click.DateTime(["%Y-%m"]), metavar="[YYYY-MM]...")
@reads
def day(months: Sequence[datetime.datetime], **options: Any) -> None:
    asked = sorted({(month.year, month.month) for month in months})
    run(history(asked, "%Y-%m-%d", **options))


@energy.command(
    help=f"{ENERGY_MONTHLY.meaning} Without any: this year.\n\n"
    "Example: navien-nwp500 energy month 2025 2026"
)
@click.argument("years", nargs=-1, type=click.IntRange(2000, 2099), metavar="[YYYY]...")
@reads
def month(years: Sequence[int], **options: Any) -> None:
    run(history([(year, None) for year in sorted(set(years))], "%Y-%m", **options))


async def history(
    asked: Sequence[tuple[int, int | None]],
    form: str,
    simulate: bool,
    speed: float,
    device: str | None,
    as_json: bool,
) -> None:
    """Ask for months (year, month) or whole years (year, None) and print them."""
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        today = here.now().date()
        daily = "%d" in form
        wanted = asked or [(today.year, today.month if daily else None)]
        found = await first_answer(heater, _ask(heater, wanted))
        # Days ahead come as zeros; a month ahead begins after today.
        usage = [entry for entry in found.usage if entry.date <= today]
        if as_json:
            print(json.dumps(_document(heater, found, usage, form), indent=2))
        else:
            print("\n".join(_table(found, usage, form)))


async def _ask(heater: NaviLinkDevice, asked: Sequence[tuple[int, int | None]]) -> EnergyHistory:
    """One query for years, one a year for months."""
    if asked[0][1] is None:
        return await heater.get_energy_monthly(*(year for year, _ in asked))
    usage: list[EnergyUsage] = []
    for year, group in groupby(asked, key=lambda entry: entry[0]):
        part = await heater.get_energy_daily(year, *(month for _, month in group if month))
        usage += part.usage
    return EnergyHistory(part.total, tuple(usage))


def _table(found: EnergyHistory, usage: Sequence[EnergyUsage], form: str) -> Iterator[str]:
    most = max((entry.total_wh for entry in usage), default=0)
    yield f"{'':10}  {'heat pump':>14}  {'elements':>14}"
    yield f"{'':10}" + f"  {'kWh':>8} {'h':>5}" * 2
    for entry in usage:
        bar = _bar(entry.total_wh / most) if most else ""
        yield f"{_line(f'{entry.date:{form}}', _numbers(entry))}  {bar}".rstrip()
    yield _line("total", [sum(column) for column in zip([0] * 4, *map(_numbers, usage))])
    yield _line("lifetime", _numbers(found.total))


def _numbers(entry: EnergyUsage | EnergyTotal) -> list[int]:
    """Wh and hours of the heat pump, then of the elements."""
    return [entry.heat_pump_wh, entry.heat_pump_hours, entry.element_wh, entry.element_hours]


def _line(label: str, numbers: Sequence[int]) -> str:
    wh, hours, element_wh, element_hours = numbers
    return f"{label:10}  {wh / 1000:8.2f} {hours:5}  {element_wh / 1000:8.2f} {element_hours:5}"


def _bar(part: float) -> str:
    """A bar of at most ``_BAR`` columns, drawn to the eighth of one."""
    whole, eighth = divmod(round(part * _BAR * 8), 8)
    return "█" * whole + _EIGHTHS[eighth]


def _document(
    heater: NaviLinkDevice, found: EnergyHistory, usage: Sequence[EnergyUsage], form: str
) -> dict[str, Any]:
    listed = [{"date": f"{entry.date:{form}}", **_plain(entry)} for entry in usage]
    return {"device": identity(heater), "usage": listed, "lifetime": _plain(found.total)}


def _plain(entry: EnergyUsage | EnergyTotal) -> dict[str, int]:
    names = ("heat_pump_wh", "heat_pump_hours", "element_wh", "element_hours")
    return dict(zip(names, _numbers(entry)))
