"""The command ``tou``."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence, TypeVar

import click

from ....exceptions import ConfigurationError
from ....protocol.calendar import EVERY_MONTH, Weekday
from ....protocol.commands import TOU_OFF, TOU_ON
from ....protocol.tou import TOUInfo, TOUPeriod, check_tou, peak_windows
from ..context import open_device, wait_response
from ..formatting import print_json
from ..options import INPUT_FILE, READ_OPTIONS, WRITE_OPTIONS, Group
from ..output import print_result
from ..parsing import day_names, days_text, months_text, parse_days, parse_months, parse_time
from ..runner import run_async
from .set import describe_time_of_use, register, single

T = TypeVar("T")


@click.group("tou", cls=Group)
def tou_command() -> None:
    """Show and change the time-of-use plan.

    The plan contains electricity prices by season, weekday and time. The heater reduces heating
    during the most expensive hours.

    Example: navien-nwp500 tou show
    """


@tou_command.command()
@READ_OPTIONS
@run_async
async def show(as_json: bool, **account: Any) -> None:
    """Show the plan stored in the cloud.

    Also shows when the heater reduces heating today. "tou set" changes the plan in the heater,
    but not the copy in the cloud.

    Example: navien-nwp500 tou show
    """
    async with open_device(**account) as (context, heater):
        status = await wait_response(heater.get_status())
        info, today = await heater.get_tou_info(), context.now().date()
        if as_json:
            print_json(heater, **_plan_json(info, today))
            return
        name = ", ".join(part for part in (info.name, info.utility) if part) or "no name"
        lines = [f"Plan in the cloud: {name}", *_table(info.periods), ""]
        print_result("\n".join([*lines, describe_time_of_use(status), _today(info, today)]))


@tou_command.command("set")
@click.argument("file", type=INPUT_FILE)
@click.option("--off", is_flag=True, help="Store the plan, but do not follow it yet.")
@WRITE_OPTIONS
@run_async
async def set_(file: Path, off: bool, as_json: bool, dry_run: bool, **account: Any) -> None:
    """Replace the plan in the heater with a JSON FILE.

    The periods must give each minute of the year exactly one price; "end" is the last minute of a
    period. The output of "tou show --json" is such a file.

    \b
    {"periods": [
      {"months": "jun-sep", "days": "weekdays", "start": "16:00",
       "end": "20:59", "price_min": "0.34", "price_max": "0.51"}, ...]}

    Example: navien-nwp500 tou set plan.json --dry-run
    """
    periods = read_plan(file)
    check_tou(periods)
    async with open_device(**account) as (_, heater):
        sent = await wait_response(
            heater.set_tou_schedule(periods, enabled=not off, dry_run=dry_run)
        )
        if as_json:
            listed = [_period_json(period) for period in periods]
            key = "would_send" if dry_run else "sent"
            print_json(heater, done=not dry_run, enabled=not off, periods=listed, **{key: sent})
            return
        text = "\n".join([_headline(off, dry_run), *_table(periods)])
        print_result(text, done=not dry_run)


for _control, _name in ((TOU_ON, "on"), (TOU_OFF, "off")):
    register(tou_command, single(_control, _name, describe=describe_time_of_use))


def _headline(off: bool, dry_run: bool) -> str:
    if dry_run:
        follow = "not follow it" if off else "follow it"
        return f"Dry run: the heater would store this plan and {follow}. Nothing was sent."
    return f"The heater stored this plan and {'does not follow' if off else 'follows'} it:"


def read_plan(file: Path) -> list[TOUPeriod]:
    """Read the periods of a JSON file. Raises ConfigurationError naming the period and the error."""
    try:
        content = json.loads(file.read_text("utf-8"), parse_float=Decimal)
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    listed = content.get("periods") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise ConfigurationError(f"{file} contains no list of periods")
    return [_parse_period(f"{file}, period {number}", raw) for number, raw in enumerate(listed, 1)]


def _parse_period(where: str, raw: Any) -> TOUPeriod:
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where} is not an object")
    keys = {"months", "days", "start", "end", "price_min", "price_max"}
    unknown = ", ".join(sorted(set(raw) - keys))
    if unknown:
        raise ConfigurationError(
            f"{where}: {unknown} is not known; a period has {', '.join(sorted(keys))}"
        )

    def value(key: str, read: Callable[[Any], T]) -> T:
        if key not in raw:
            raise ConfigurationError(f"{where}: {key} is missing")
        try:
            return read(raw[key])
        except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise ConfigurationError(f"{where}: {key} is {raw[key]!r}: {error}") from error

    return TOUPeriod(
        value("months", _months),
        value("days", _days),
        value("start", parse_time),
        value("end", parse_time),
        value("price_min", _price),
        value("price_max", _price),
    )


def _months(value: Any) -> frozenset[int]:
    if isinstance(value, str):
        return parse_months(value)
    if not isinstance(value, list) or not all(
        type(month) is int and month in EVERY_MONTH for month in value
    ):
        raise ValueError("it must be numbers from 1 to 12, or a text such as jun-sep")
    return frozenset(value)


def _days(value: Any) -> frozenset[Weekday]:
    return parse_days(value if isinstance(value, str) else ",".join(value))


def _price(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("it must be a decimal number as text, such as 0.34831")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("it must be a decimal number, such as 0.34831") from error


def _table(periods: Sequence[TOUPeriod]) -> Iterator[str]:
    """Write the periods by season, then weekday, then time."""
    season = days = None
    ordered = sorted(periods, key=lambda p: (sorted(p.months), day_names(p.days), p.start))
    for period in ordered:
        if period.months != season:
            season, days = period.months, None
            yield f"  {months_text(season)}"
        label = "" if period.days == days else days_text(period.days)
        days = period.days
        price = " to ".join(_money(p) for p in _range(period))
        yield f"    {label:16}  {period.start:%H:%M}-{period.end:%H:%M}  {price} per kWh"


def _range(period: TOUPeriod) -> tuple[Decimal, ...]:
    low, high = period.price_min, period.price_max
    return (low,) if low == high else (low, high)


def _money(price: Decimal) -> str:
    """Write a price with at least two decimal places, and no zeros after them."""
    text = f"{price:f}"
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def _today(info: TOUInfo, today: datetime.date) -> str:
    windows = peak_windows(info.periods, today)
    date = f"{today:%A} {today.day} {today:%B}"
    if not windows:
        return f"Today, {date}, this plan has no most expensive hours."
    spans = ", ".join(f"{window.start:%H:%M} to {window.end:%H:%M}" for window in windows)
    return f"Today, {date}, the heater reduces heating: {spans}."


def _plan_json(info: TOUInfo, today: datetime.date) -> dict[str, Any]:
    windows = [
        {"start": window.start.isoformat(), "end": window.end.isoformat()}
        for window in peak_windows(info.periods, today)
    ]
    return {
        "name": info.name,
        "utility": info.utility,
        "register_path": info.register_path,
        "periods": [_period_json(period) for period in info.periods],
        "peak_windows_today": windows,
    }


def _period_json(period: TOUPeriod) -> dict[str, Any]:
    """Return a period as in a plan file."""
    return {
        "months": sorted(period.months),
        "days": day_names(period.days),
        "start": f"{period.start:%H:%M}",
        "end": f"{period.end:%H:%M}",
        "price_min": str(period.price_min),
        "price_max": str(period.price_max),
    }
