"""The command ``tou``."""

from __future__ import annotations

import datetime
import json
import re
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Awaitable, Iterator, Mapping, Sequence

import click

from ...._util.files import display_path, write_atomically
from ...._util.text import clean_text
from ....analysis.prices.openei_rates import rate_title, select_rate
from ....analysis.prices.timed_prices import TariffOptions
from ....device import NaviLinkDevice
from ....exceptions import ConfigurationError, PlanCopyError
from ....protocol.commands import TOU_OFF, TOU_ON
from ....protocol.status import DeviceStatus
from ....protocol.tou import TOUInfo, TOUPeriod, check_tou, peak_windows
from ....protocol.tou_comparison import compare_tou
from ....protocol.types import TouOverride, TouStatus
from ..context import CommandContext, open_device, wait_response
from ..formatting import print_json
from ..openei import (
    MOST_RATES,
    ended_text,
    fetch_rates,
    known_rates,
    openei_key,
    validity_text,
)
from ..options import INPUT_FILE, JSON, OUTPUT_FILE, READ_OPTIONS, WRITE_OPTIONS, Group
from ..output import print_note, print_result
from ..parsing import day_names, days_text, months_text
from ..plan_files import (
    PlanFile,
    WrittenPlan,
    forget_written_plan,
    load_written_plan,
    period_json,
    read_plan,
    save_written_plan,
)
from ..runner import run_async
from ..tariff_options import RATE
from .set import describe_time_of_use, register, single

#: Clocks differ, so nothing is concluded this close to the edge of a window.
_EDGE = datetime.timedelta(minutes=5)


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

    Also shows when the heater reduces heating today, and where the heater's own plan differs. A
    heater does not tell its plan, so this is the one that "tou set" on this computer wrote last.

    Example: navien-nwp500 tou show
    """
    async with open_device(**account) as (context, heater):
        status = await wait_response(heater.get_status())
        info, today = await heater.get_tou_info(), context.now().date()
        written = None if context.simulated else load_written_plan(heater)
        if as_json:
            print_json(heater, **_plan_json(info, today), heater_plan=_heater_json(written, info))
            return
        name = ", ".join(part for part in (info.name, info.utility) if part) or "no name"
        lines = [f"Plan in the cloud: {name}", *_table(info.periods), ""]
        lines += [
            describe_time_of_use(status),
            _today(info, today, status.tou_status != TouStatus.OFF),
        ]
        lines += _comparison(written, info, status, context.now())
        print_result("\n".join(lines))


@tou_command.command("set")
@click.argument("file", type=INPUT_FILE)
@RATE
@click.option("--off", is_flag=True, help="Store the plan, but do not follow it yet.")
@click.option(
    "--heater-only", is_flag=True, help="Leave the cloud's copy, which the app shows, as it is."
)
@WRITE_OPTIONS
@run_async
async def set_(
    file: Path,
    rate: str | None,
    off: bool,
    heater_only: bool,
    as_json: bool,
    dry_run: bool,
    **account: Any,
) -> None:
    """Replace the plan in the heater, and its copy in the cloud, with a JSON FILE.

    The periods must give each minute of the year exactly one price; "end" is the last minute of a
    period. The output of "tou show --json" is such a file. "name", "utility" and "zip_code" of the
    file go to the cloud's copy, which the app shows. When the heater has stored the plan and the
    cloud has not, the exit code is 5; run the command again. A rate of OpenEI (tou rates) is
    converted; each simplification is said.

    \b
    {"periods": [
      {"months": "jun-sep", "days": "weekdays", "start": "16:00",
       "end": "20:59", "price_min": "0.34", "price_max": "0.51"}, ...]}

    Example: navien-nwp500 tou set plan.json --dry-run
    """
    plan = read_plan(file, rate)
    check_tou(plan.periods)
    for note in plan.notes:
        print_note(note)
    async with open_device(**account) as (context, heater):
        write = _write_heater if heater_only else _write_both
        with _written_plan(context, heater, plan, keep=not dry_run):
            sent = await wait_response(write(heater, plan, enabled=not off, dry_run=dry_run))
        if as_json:
            listed = [period_json(period) for period in plan.periods]
            key = "would_send" if dry_run else "sent"
            listed_in = {"periods": listed, "cloud_copy": not heater_only, key: sent}
            print_json(heater, done=not dry_run, enabled=not off, **listed_in)
            return
        text = "\n".join([_headline(off, heater_only, dry_run), *_table(plan.periods)])
        print_result(text, done=not dry_run)


@tou_command.command()
@click.option("--zip", "zip_code", metavar="ZIP", required=True, help="ZIP code of the home.")
@click.option("--utility", metavar="NAME", help="Part of the name of the utility.")
@click.option("--save", type=OUTPUT_FILE, help="Write one rate to a file.")
@RATE
@JSON
@run_async
async def rates(
    zip_code: str, utility: str | None, save: Path | None, rate: str | None, as_json: bool
) -> None:
    """List electricity rates of OpenEI's database, for homes in the USA.

    Needs a free key of OpenEI in the environment or in .env, as OPENEI_API_KEY. --save writes one
    rate for report --tariff and tou set; name it with --rate when there are several, or when it has
    ended: OpenEI's rates are often old.

    Example: navien-nwp500 tou rates --zip 12345
    """
    if not re.fullmatch(r"\d{5}", zip_code.strip(), re.ASCII):
        raise ConfigurationError(f"--zip is {zip_code!r}; a ZIP code has five digits")
    fetched = await fetch_rates(openei_key(), zip_code.strip())
    now = datetime.datetime.now(datetime.timezone.utc)
    found = known_rates(fetched, utility)
    present = [one for one in found if ended_text(one, now) is None]
    if len(fetched) >= MOST_RATES:
        print_note(f"OpenEI returned its first {MOST_RATES} rates alone.")
    if not found:
        raise ConfigurationError(
            f"OpenEI knows no rate for homes there ({len(fetched)} before the choice)"
        )
    if save is not None:
        chosen = _chosen_rate(found, present, rate)
        write_atomically(save, json.dumps(chosen, indent=1).encode())
        validity = validity_text(chosen, now)
        print_note(f"{rate_title(chosen)}{validity} is written to {display_path(save)}")
    elif as_json:
        keys = ("label", "utility", "name", "startdate", "enddate", "description")
        listed = [{key: one.get(key) for key in keys} for one in found]
        print_result(json.dumps(listed, indent=2))
    else:
        print_result("\n".join(_rates_text(found, now)))


def _chosen_rate(
    found: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]], name: str | None
) -> Mapping[str, Any]:
    """Return the rate of a name, else the only present one. Raises ConfigurationError."""
    if name is None and not present:
        raise ConfigurationError(
            f"every rate there has ended ({len(found)}); if one is still right, name it with --rate: "
            "without --save they are listed"
        )
    among = present if name is None else found
    return select_rate(among, "OpenEI's answer", TariffOptions(rate=name))


def _rates_text(found: Sequence[Mapping[str, Any]], now: datetime.datetime) -> Iterator[str]:
    utility = None
    for one in found:
        if one.get("utility") != utility:
            utility = one.get("utility")
            yield clean_text(str(utility))
        yield f"  {clean_text(str(one.get('label'))):24}  {rate_title(one)}{validity_text(one, now)}"
    yield "To use one: navien-nwp500 tou rates --zip ZIP --rate LABEL --save FILE"


for _control, _name in ((TOU_ON, "on"), (TOU_OFF, "off")):
    register(tou_command, single(_control, _name, describe=describe_time_of_use))


def _write_heater(
    heater: NaviLinkDevice, plan: PlanFile, *, enabled: bool, dry_run: bool
) -> Awaitable[Any]:
    return heater.set_tou_schedule(plan.periods, enabled=enabled, dry_run=dry_run)


async def _write_both(
    heater: NaviLinkDevice, plan: PlanFile, *, enabled: bool, dry_run: bool
) -> Any:
    try:
        return await heater.set_tou_plan(
            plan.periods,
            name=plan.name,
            utility=plan.utility,
            zip_code=plan.zip_code,
            enabled=enabled,
            dry_run=dry_run,
        )
    except PlanCopyError as error:
        raise PlanCopyError(f"{error}: run the same command") from error


@contextmanager
def _written_plan(
    context: CommandContext, heater: NaviLinkDevice, plan: PlanFile, *, keep: bool
) -> Iterator[None]:
    """Remember the plan when the heater has stored it; forget the old one when nobody knows."""
    if not keep or context.simulated:
        yield
        return
    forget_written_plan(heater)
    try:
        yield
    except PlanCopyError:
        save_written_plan(heater, plan.periods, context.now())
        raise
    save_written_plan(heater, plan.periods, context.now())


def _headline(off: bool, heater_only: bool, dry_run: bool) -> str:
    if dry_run:
        follow = "not follow it" if off else "follow it"
        copy = "" if heater_only else ", and the cloud a copy"
        return f"Dry run: the heater would store this plan and {follow}{copy}.\nNothing was sent."
    who, copy = (" alone", "") if heater_only else ("", "; the cloud has a copy")
    return (
        f"The heater{who} stored this plan and {'does not follow' if off else 'follows'} it{copy}:"
    )


def _comparison(
    written: WrittenPlan | None, info: TOUInfo, status: DeviceStatus, now: datetime.datetime
) -> Iterator[str]:
    """Say where the heater's plan differs from the cloud's copy, as far as it is known."""
    if written is None:
        yield "The heater does not tell its own plan, and none was written from here."
    elif differences := compare_tou(written.periods, info.periods):
        yield f"The heater has another plan, which tou set wrote on {written.time}:"
        season = None
        for one in sorted(differences, key=lambda d: (sorted(d.months), day_names(d.days))):
            if one.months != season:
                season = one.months
                yield f"  {months_text(season)}"
            heater, cloud = _prices_text(one.first), _prices_text(one.second)
            span = f"{one.start:%H:%M}-{one.end:%H:%M}"
            yield f"    {days_text(one.days):16}  {span}  heater {heater}, cloud {cloud}"
        yield "To make both equal: navien-nwp500 tou set FILE"
    else:
        yield f"The heater has the same plan: tou set wrote it on {written.time}."
    if _contradicts(status, info, now):
        does = "reduces" if status.in_tou_window else "does not reduce"
        yield f"The heater {does} heating now, against this plan: its own plan, its"
        yield "clock or the time zone of this computer differs."


def _contradicts(status: DeviceStatus, info: TOUInfo, now: datetime.datetime) -> bool:
    """Compare the heater's window with the cloud's plan, but not close to the edge of a window."""
    if not status.tou_status or status.tou_override_status == TouOverride.OVERRIDDEN:
        return False
    local = now.replace(tzinfo=None)
    windows = peak_windows(info.periods, local.date())
    expected = {
        any(window.start <= local + shift < window.end for window in windows)
        for shift in (-_EDGE, _EDGE)
    }
    return expected == {not status.in_tou_window}


def _prices_text(prices: tuple[Decimal, Decimal] | None) -> str:
    if prices is None:
        return "no price"
    return " to ".join(_money(price) for price in dict.fromkeys(prices))


def _heater_json(written: WrittenPlan | None, info: TOUInfo) -> dict[str, Any] | None:
    """Return what is known of the heater's plan; None when nothing is."""
    if written is None:
        return None
    return {
        "written": written.time,
        "periods": [period_json(period) for period in written.periods],
        "differences": [
            {
                "months": sorted(one.months),
                "days": day_names(one.days),
                "start": f"{one.start:%H:%M}",
                "end": f"{one.end:%H:%M}",
                "heater": _prices_json(one.first),
                "cloud": _prices_json(one.second),
            }
            for one in compare_tou(written.periods, info.periods)
        ],
    }


def _prices_json(prices: tuple[Decimal, Decimal] | None) -> list[str] | None:
    return None if prices is None else [str(price) for price in prices]


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


def _today(info: TOUInfo, today: datetime.date, followed: bool) -> str:
    windows = peak_windows(info.periods, today)
    date = f"{today:%A} {today.day} {today:%B}"
    if not windows:
        return f"Today, {date}, this plan has no most expensive hours."
    spans = ", ".join(f"{window.start:%H:%M} to {window.end:%H:%M}" for window in windows)
    reduces = "reduces" if followed else "would reduce"
    return f"Today, {date}, the heater {reduces} heating: {spans}."


def _plan_json(info: TOUInfo, today: datetime.date) -> dict[str, Any]:
    windows = [
        {"start": window.start.isoformat(), "end": window.end.isoformat()}
        for window in peak_windows(info.periods, today)
    ]
    return {
        "name": info.name,
        "utility": info.utility,
        "register_path": info.register_path,
        "periods": [period_json(period) for period in info.periods],
        "peak_windows_today": windows,
    }
