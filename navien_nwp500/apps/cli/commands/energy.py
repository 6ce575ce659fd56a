"""The command ``energy``."""

from __future__ import annotations

import datetime
from itertools import groupby
from typing import Any, Iterator, Sequence

import click

from ....device import NaviLinkDevice
from ....protocol.energy import EnergyHistory, EnergyTotal, EnergyUsage
from ..context import open_device, wait_response
from ..formatting import print_json
from ..options import READ_OPTIONS, Group
from ..output import print_result
from ..runner import run

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR_WIDTH = 28


@click.group("energy", cls=Group)
def energy_command() -> None:
    """Show the energy used per day or month.

    Example: navien-nwp500 energy day
    """


@energy_command.command()
@click.argument("months", nargs=-1, type=click.DateTime(["%Y-%m"]), metavar="[YYYY-MM]...")
@READ_OPTIONS
def day(months: Sequence[datetime.datetime], **options: Any) -> None:
    """Show the energy of each day of some months, by default this month.

    Example: navien-nwp500 energy day 2026-01 2026-02
    """
    run(_show(sorted({(month.year, month.month) for month in months}), "%Y-%m-%d", **options))


@energy_command.command()
@click.argument("years", nargs=-1, type=click.IntRange(2000, 2099), metavar="[YYYY]...")
@READ_OPTIONS
def month(years: Sequence[int], **options: Any) -> None:
    """Show the energy of each month of some years, by default this year.

    Example: navien-nwp500 energy month 2025 2026
    """
    run(_show([(year, None) for year in sorted(set(years))], "%Y-%m", **options))


async def _show(
    periods: Sequence[tuple[int, int | None]], date_format: str, as_json: bool, **account: Any
) -> None:
    """Request months (year, month) or whole years (year, None) and print them."""
    async with open_device(**account) as (context, heater):
        today = context.now().date()
        if not periods:
            periods = [(today.year, today.month if "%d" in date_format else None)]
        history = await wait_response(_request(heater, periods))
    # The heater sends zeros for future days; a future month begins after today.
    usage = [entry for entry in history.usage if entry.date <= today]
    if as_json:
        listed = [{"date": f"{entry.date:{date_format}}", **_json(entry)} for entry in usage]
        unreadable = list(history.unreadable)
        print_json(heater, usage=listed, unreadable=unreadable, lifetime=_json(history.total))
    else:
        print_result("\n".join(_table(history, usage, date_format)))


async def _request(
    heater: NaviLinkDevice, periods: Sequence[tuple[int, int | None]]
) -> EnergyHistory:
    """Request all years at once, or months with one request per year."""
    if periods[0][1] is None:
        return await heater.get_energy_monthly(*(year for year, _ in periods))
    usage: list[EnergyUsage] = []
    unreadable: list[str] = []
    for year, group in groupby(periods, key=lambda entry: entry[0]):
        part = await heater.get_energy_daily(year, *(month for _, month in group if month))
        usage += part.usage
        unreadable += part.unreadable
    return EnergyHistory(part.total, tuple(usage), tuple(unreadable))


def _table(history: EnergyHistory, usage: Sequence[EnergyUsage], date_format: str) -> Iterator[str]:
    most = max((entry.total_wh for entry in usage), default=0)
    yield f"{'':10}  {'heat pump':>14}  {'elements':>14}"
    yield f"{'':10}" + f"  {'kWh':>8} {'h':>5}" * 2
    for entry in usage:
        bar = _bar(entry.total_wh / most) if most else ""
        yield f"{_line(f'{entry.date:{date_format}}', _numbers(entry))}  {bar}".rstrip()
    yield _line("total", [sum(column) for column in zip([0] * 4, *map(_numbers, usage))])
    yield _line("lifetime", _numbers(history.total))


def _numbers(entry: EnergyUsage | EnergyTotal) -> list[int]:
    """Return Wh and hours of the heat pump, then of the elements."""
    return [entry.heat_pump_wh, entry.heat_pump_hours, entry.element_wh, entry.element_hours]


def _json(entry: EnergyUsage | EnergyTotal) -> dict[str, int]:
    names = ("heat_pump_wh", "heat_pump_hours", "element_wh", "element_hours")
    return dict(zip(names, _numbers(entry)))


def _line(label: str, numbers: Sequence[int]) -> str:
    wh, hours, element_wh, element_hours = numbers
    return f"{label:10}  {wh / 1000:8.2f} {hours:5}  {element_wh / 1000:8.2f} {element_hours:5}"


def _bar(share: float) -> str:
    """Draw a bar of at most ``_BAR_WIDTH`` columns, in steps of an eighth of a column."""
    whole, eighth = divmod(round(share * _BAR_WIDTH * 8), 8)
    return "█" * whole + _EIGHTHS[eighth]
