"""``tou``: the time-of-use plan, as the cloud keeps it and as the heater follows it."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

import click

from ....device import NaviLinkDevice
from ....exceptions import ConfigurationError
from ....protocol.calendar import EVERY_MONTH, Weekday
from ....protocol.commands import TOU_OFF, TOU_ON
from ....protocol.tou import TOUInfo, TOUPeriod, check_tou, peak_windows
from ..context import answered, choose, first_answer, open_context
from ..options import Group, reads, writes
from ..parsing import day_names, days_text, months_text, parse_days, parse_months, parse_time
from ..runner import run
from .set import SetCommand, register, time_of_use
from .status import identity

T = TypeVar("T")


@click.group(cls=Group)
def tou() -> None:
    """See and change prices by season, weekday and time.

    In the dearest hours of a day the heater holds back.

    Example: navien-nwp500 tou show
    """


@tou.command()
@reads
def show(**options: Any) -> None:
    """Show the plan as the cloud keeps it, and when the heater holds back today.

    A plan written with set goes to the heater alone; the cloud's copy stays as it is.

    Example: navien-nwp500 tou show
    """
    run(show_plan(**options))


@tou.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--off", is_flag=True, help="Store it, but do not follow it yet.")
@writes
def set_(**options: Any) -> None:
    """Replace the plan in the heater by that of a JSON FILE.

    Its periods must give every minute of the year one price; the end is the last minute. The
    output of show --json is such a file.

    \b
    {"periods": [
      {"months": "jun-sep", "days": "weekdays", "start": "16:00",
       "end": "20:59", "price_min": "0.34", "price_max": "0.51"}, ...]}

    Example: navien-nwp500 tou set plan.json --dry-run
    """
    run(set_plan(**options))


register(
    tou,
    SetCommand(
        "on", (TOU_ON,), lambda heater, **how: heater.set_tou(True, **how), says=time_of_use
    ),
)
register(
    tou,
    SetCommand(
        "off", (TOU_OFF,), lambda heater, **how: heater.set_tou(False, **how), says=time_of_use
    ),
)


async def show_plan(simulate: bool, speed: float, device: str | None, as_json: bool) -> None:
    """Read the cloud's plan and print it."""
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        status = await first_answer(heater, heater.get_status())
        info, today = await heater.get_tou_info(), here.now().date()
        if as_json:
            print(json.dumps(_document(heater, info, today), indent=2))
            return
        named = ", ".join(name for name in (info.name, info.utility) if name) or "no name"
        print(f"The cloud's plan: {named}")
        print("\n".join([*_table(info.periods), "", time_of_use(status), _today(info, today)]))


async def set_plan(
    file: Path,
    off: bool,
    simulate: bool,
    speed: float,
    device: str | None,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Write the plan of a file into the heater; refused before anything is opened or sent."""
    periods = read_plan(file)
    check_tou(periods)
    async with open_context(simulate, speed) as here:
        heater = await choose(here.client, device)
        sent = await answered(heater.set_tou_schedule(periods, enabled=not off, dry_run=dry_run))
        if as_json:
            plan = [_plain(period) for period in periods]
            found = {"device": identity(heater), "enabled": not off, "periods": plan}
            print(json.dumps({**found, "would_send" if dry_run else "sent": sent}, indent=2))
            return
        print("\n".join([_stored(off, dry_run), *_table(periods)]))


def _stored(off: bool, dry_run: bool) -> str:
    if dry_run:
        follow = "and not follow it" if off else "and follow it"
        return f"Nothing was sent. The heater would keep this plan {follow}:"
    return f"The heater keeps this plan and {'does not follow' if off else 'follows'} it:"


def read_plan(file: Path) -> list[TOUPeriod]:
    """The periods of a JSON file. Raises ConfigurationError naming the place and what is wrong."""
    try:
        content = json.loads(file.read_text("utf-8"), parse_float=Decimal)
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    listed = content.get("periods") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise ConfigurationError(f"{file} holds no list of periods")
    return [_period(f"{file}, period {number}", raw) for number, raw in enumerate(listed, 1)]


def _period(where: str, raw: Any) -> TOUPeriod:
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where} is not an object")
    keys = {"months", "days", "start", "end", "price_min", "price_max"}
    unknown = ", ".join(sorted(set(raw) - keys))
    if unknown:
        raise ConfigurationError(f"{where}: {unknown} is not known; a period has {_listed(keys)}")

    def part(key: str, read: Callable[[Any], T]) -> T:
        if key not in raw:
            raise ConfigurationError(f"{where}: {key} is missing")
        try:
            return read(raw[key])
        except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise ConfigurationError(f"{where}: {key} is {raw[key]!r}: {error}") from error

    return TOUPeriod(
        part("months", _months),
        part("days", _days),
        part("start", parse_time),
        part("end", parse_time),
        part("price_min", _price),
        part("price_max", _price),
    )


def _months(value: Any) -> frozenset[int]:
    if isinstance(value, str):
        return parse_months(value)
    if not isinstance(value, list) or not all(
        type(month) is int and month in EVERY_MONTH for month in value
    ):
        raise ValueError("it may be numbers from 1 to 12, or a text such as jun-sep")
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


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _table(periods: Sequence[TOUPeriod]) -> Iterator[str]:
    """Season by season, then weekdays, then times."""
    season = days = None
    places = sorted(periods, key=lambda p: (sorted(p.months), day_names(p.days), p.start))
    for period in places:
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
    """At least two decimal places, more only where they say something."""
    text = f"{price:f}"
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def _today(info: TOUInfo, today: datetime.date) -> str:
    windows = peak_windows(info.periods, today)
    date = f"{today:%A} {today.day} {today:%B}"
    if not windows:
        return f"Today, {date}, this plan has no dearest hours to hold back in."
    spans = ", ".join(f"{window.start:%H:%M} to {window.end:%H:%M}" for window in windows)
    return f"Today, {date}, this plan holds the heater back: {spans}."


def _document(heater: NaviLinkDevice, info: TOUInfo, today: datetime.date) -> Mapping[str, Any]:
    windows = [
        {"start": window.start.isoformat(), "end": window.end.isoformat()}
        for window in peak_windows(info.periods, today)
    ]
    return {
        "device": identity(heater),
        "name": info.name,
        "utility": info.utility,
        "register_path": info.register_path,
        "periods": [_plain(period) for period in info.periods],
        "peak_windows_today": windows,
    }


def _plain(period: TOUPeriod) -> dict[str, Any]:
    """A period as a file holds it."""
    return {
        "months": sorted(period.months),
        "days": day_names(period.days),
        "start": f"{period.start:%H:%M}",
        "end": f"{period.end:%H:%M}",
        "price_min": str(period.price_min),
        "price_max": str(period.price_max),
    }
