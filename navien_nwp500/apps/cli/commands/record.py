"""The command ``record``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from ...._util.extras import missing_extra
from ....config import NaviLinkConfig, ReconnectConfig
from ....exceptions import ConfigurationError
from ..options import INPUT_FILE, INTERVAL, Number
from ..output import print_note
from ..parsing import parse_listen
from ..runner import log_to_stderr, raise_open_file_limit, run_async
from ..zone import ZONE, machine_zone

if TYPE_CHECKING:
    from ...fleet.fleet import Division


@click.command("record")
@click.option(
    "--accounts", type=INPUT_FILE, required=True, help="JSON file that names the accounts."
)
@click.option(
    "--database",
    metavar="URL",
    required=True,
    help="History database: postgresql://USER@HOST/NAME; with --shard also a file.",
)
@click.option(
    "--slots",
    metavar="N",
    type=click.IntRange(1, 64),
    help="Largest number of the 64 slots for this process: 32 for each of three, one of which "
    "stands by.",
)
@click.option("--shard", metavar="N/OF", help="Without PostgreSQL: a fixed part of the accounts.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Serve /metrics for Prometheus, /healthz and /readyz.",
)
@click.option(
    "--sign-ins",
    metavar="N",
    type=Number(min=0, min_open=True, max=1000),
    default=5.0,
    show_default=True,
    help="Sign-ins a second, at most.",
)
@INTERVAL
@ZONE
@run_async
async def record_command(
    accounts: Path,
    database: str,
    slots: int | None,
    shard: str | None,
    listen: str | None,
    sign_ins: float,
    interval: float | None,
    zone: ZoneInfo | None,
) -> None:
    """Record many accounts into one history, with several processes.

    Accounts are divided into 64 slots. Processes with --slots share them through PostgreSQL: one
    that dies or freezes is replaced by another within seconds, and no account is recorded twice.
    --shard 2/5 records the second of five fixed parts: nothing replaces a process that has ended,
    and nothing prevents two with the same number. The accounts file names variables or files with
    the passwords, and is read again when it changes.

    \b
    Example: navien-nwp500 record --accounts fleet.json --slots 32
               --database postgresql://navien@db.example.com/heater
    """
    try:
        from ...fleet.accounts_file import AccountsFile
        from ...fleet.fleet import Fleet, FleetSettings
        from ...fleet.metrics import serve_fleet_metrics
    except ModuleNotFoundError as error:
        raise ConfigurationError(missing_extra("a fleet", error.name, "fleet")) from error
    address = None if listen is None else parse_listen(listen)
    # A fleet runs for months, so reconnecting is never given up. All connections of a process may be lost
    # together: the first tries are spread over 15 seconds, or none would end its TLS handshake in time.
    reconnect = ReconnectConfig(max_retries=None, initial_delay=30.0)
    config = NaviLinkConfig.from_environment(reconnect=reconnect)
    log_to_stderr(config.log_level)
    raise_open_file_limit()
    if interval is not None:
        config = replace(config, polling_interval=interval)
    division = choose_division(database, slots, shard)
    key = (zone or machine_zone() or ZoneInfo("UTC")).key
    settings = FleetSettings(config, sign_ins_per_second=sign_ins, zone=key)
    fleet = Fleet(AccountsFile(accounts), division, settings)
    if address is None:
        await fleet.run()
        return
    async with serve_fleet_metrics(fleet, *address) as url:
        print_note(f"Metrics: {url}")
        await fleet.run()


def choose_division(database: str, slots: int | None, shard: str | None) -> Division:
    """Return the division that the options name. Raises ConfigurationError."""
    from ...fleet.fleet import HeldSlots, Shard

    if (slots is None) == (shard is None):
        raise ConfigurationError("give --slots for PostgreSQL, or --shard N/OF; one of both")
    if slots is not None:
        return HeldSlots(database, slots)
    assert shard is not None
    match = re.fullmatch(r"(\d{1,2})/(\d{1,2})", shard)
    number, of = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= of <= 64:
        raise ConfigurationError(f"--shard is {shard!r}; it must be as 2/5, at most 64/64")
    return Shard(database, number, of)
