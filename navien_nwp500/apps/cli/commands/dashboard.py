"""The command ``dashboard``."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import webbrowser
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...._util.aio import run_until_first
from ...._util.files import display_path
from ...._util.hosts import address_text, is_loopback
from ....exceptions import ConfigurationError
from ..boost_command import finishing_boost
from ..context import CommandContext, import_simulator, open_context, select_devices
from ..database_option import DATABASE, database_address, needs_history
from ..learned_file import known_heater
from ..options import (
    ACCOUNT_OPTIONS,
    DEVICE,
    INPUT_FILE,
    INTERVAL,
    OUTPUT_FILE,
    Number,
    speed,
)
from ..output import print_note, print_result
from ..parsing import parse_listen
from ..runner import INTERRUPTED, run_async
from ..saved_account import data_folder
from ..tariff_options import TARIFF, load_tariff
from ..zone import ZONE, machine_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ....simulator import Simulator
    from ...dashboard.access import AccessFolder
    from ...dashboard.request_checks import PublicPlace
    from ...dashboard.watched_heater import PollTimes

#: Seconds between polls while a page is open, as live clients poll (PROTOCOL 9.9).
WHILE_WATCHED = 30.0


@click.command("dashboard")
@ACCOUNT_OPTIONS
@speed(60)
@INTERVAL
@DATABASE
@ZONE
@DEVICE
@TARIFF
@click.option(
    "--listen",
    default="127.0.0.1:9501",
    show_default=True,
    metavar="HOST:PORT",
    help="Address to listen on; with port 0 the system chooses one.",
)
@click.option("--read-only", is_flag=True, help="Show the heaters without controls.")
@click.option(
    "--password-file",
    type=INPUT_FILE,
    help="Sign in with the password whose hash is in this file.",
)
@click.option(
    "--new-password",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Ask for a password, write its hash to a file, and end.",
)
@click.option(
    "--behind-proxy",
    metavar="URL",
    help="Address of the page at a proxy, such as https://example.org/heater.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Another host name of this machine, for the address of the page.",
)
@click.option("--address", is_flag=True, help="Print a new address to sign in with, and end.")
@click.option(
    "--past",
    metavar="DAYS",
    type=click.IntRange(1, 366),
    help="With --simulate: begin with a history of this many days.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option(
    "--for",
    "seconds",
    type=Number(min=0, min_open=True),
    metavar="SECONDS",
    help="End after this many seconds.",
)
@run_async
async def dashboard_command(
    password_file: Path | None,
    new_password: Path | None,
    behind_proxy: str | None,
    names: tuple[str, ...],
    listen: str,
    address: bool,
    simulate: bool,
    **options: Any,
) -> None:
    """Record your heaters and show them on a page, until Ctrl-C.

    Prints the address of the page, which can sign in one browser within an hour; --address prints
    another one. For other machines it needs a password, or a proxy. The history is the one of
    monitor --database; with --simulate it is a temporary file.

    Example: navien-nwp500 dashboard --listen 127.0.0.1:9501
    """
    with needs_history():
        from ...dashboard.access import AccessFolder
        from ...dashboard.password_file import read_password_hash, write_password
        from ...dashboard.web_server import listen_on
    if new_password is not None:
        write_password(new_password, _ask_password())
        print_note(f"written: {display_path(new_password)}")
        return
    host, port = parse_listen(listen)
    place = public_place(host, names, behind_proxy, password_file)
    password = None if password_file is None else read_password_hash(password_file)
    with ExitStack() as stack:
        folder = _data_folder(stack, simulate)
        access = AccessFolder(folder / "dashboard", password or "")
        if address:
            print_result(_page(place, host, port, access.new_token()))
            return
        # First: an error should not come after the sign-in.
        listening = stack.enter_context(listen_on(host, port))
        page = _page(
            place, host, listening.getsockname()[1], None if password else access.new_token()
        )
        site = _Site(place, listening, access, password, page, folder)
        await _serve(site, simulate=simulate, **options)


class _Site(NamedTuple):
    """Place of the page, and its access."""

    place: PublicPlace
    listening: socket.socket
    access: AccessFolder
    password: str | None
    page: str
    folder: Path

    def note_other_machines(self) -> None:
        """Print how other machines reach the page, if they do so without a proxy."""
        host, port = self.listening.getsockname()[:2]
        if self.place.proxy is None and not is_loopback(host):
            print_note(
                f"From other machines: http://{socket.gethostname()}:{port}/, or by an address of "
                "this machine"
            )


async def _serve(
    site: _Site,
    *,
    simulate: bool,
    speed: float,
    no_session_file: bool,
    device: str | None,
    interval: float | None,
    database: str | None,
    zone: ZoneInfo | None,
    read_only: bool,
    no_browser: bool,
    past: int | None,
    seconds: float | None,
    tariff: Path | None,
    **price_options: Any,
) -> None:
    from ...dashboard.api import DashboardSettings
    from ...dashboard.web_server import open_dashboard

    if past is not None and (database is not None or not simulate):
        raise ConfigurationError("--past is for --simulate, without --database")
    if simulate and database is None:
        database = str(site.folder / "history.db")
    zone = zone or machine_zone()
    prices = load_tariff(tariff, zone, **price_options)
    simulator = past and await _simulator_with_past(database_address(database), past, speed, zone)
    async with open_context(simulate, speed, no_session_file, simulator or None) as context:
        read_only = read_only or context.client.config.read_only
        heaters = await select_devices(context.client, device)
        async with AsyncExitStack() as stack:
            dashboard = await stack.enter_async_context(
                open_dashboard(
                    heaters,
                    site.listening,
                    database=database_address(database),
                    access=site.access,
                    settings=DashboardSettings(
                        site.place, read_only, context.simulated, site.password, prices
                    ),
                    times=_poll_times(context, interval),
                    zone=zone,
                    learned={
                        one.mac_address: known_heater(context, one.mac_address) for one in heaters
                    },
                )
            )
            for heater in heaters:
                await stack.enter_async_context(finishing_boost(context, heater))
            print_result(site.page)
            site.note_other_machines()
            print_note("Recording; Ctrl-C ends it.")
            if not no_browser and _has_browser():
                await asyncio.to_thread(webbrowser.open, site.page)
            ends = [] if seconds is None else [asyncio.sleep(seconds)]
            await run_until_first(dashboard.run(), *ends)


async def _simulator_with_past(
    database: str, days: int, speed: float, zone: ZoneInfo | None
) -> Simulator:
    from ..simulated_past import simulator_with_past

    print_note(f"Simulating a history of {days} days ...")
    make = partial(import_simulator(), speed=speed)
    return await simulator_with_past(make, database, days=days, zone=zone)


def public_place(
    host: str, names: tuple[str, ...], proxy: str | None, password_file: Path | None
) -> PublicPlace:
    """Return the address for browsers. Raises ConfigurationError for one that is open to all."""
    from ...dashboard.request_checks import PublicPlace

    if proxy is not None:
        return PublicPlace.behind_proxy(proxy)
    if not is_loopback(host) and password_file is None:
        raise ConfigurationError(
            f"--listen {host} is reached from other machines: add --password-file, made with "
            "--new-password FILE, or --behind-proxy with the address of the page at the proxy"
        )
    return PublicPlace.direct(names, loopback=is_loopback(host))


def _page(place: PublicPlace, host: str, port: int, token: str | None) -> str:
    """Return the address of the page; a token is behind a # and so never sent in a request line."""
    if not port:
        raise ConfigurationError(
            "--address needs the port that the dashboard has printed: --listen"
        )
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    page = f"{place.proxy or f'http://{address_text(host, port)}'}{place.base}/"
    return page if token is None else f"{page}#token={token}"


def _data_folder(stack: ExitStack, simulate: bool) -> Path:
    """Return the folder of sessions and history: a temporary one for a simulated heater."""
    folder = None if simulate else data_folder()
    return folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="navien-nwp500-")))


def _poll_times(context: CommandContext, interval: float | None) -> PollTimes:
    """Return the times between polls; a simulated heater is polled once a second at most."""
    from ...dashboard.watched_heater import PollTimes

    always = context.real_seconds(interval or context.client.config.polling_interval)
    watched = max(context.real_seconds(WHILE_WATCHED), 1.0 if context.simulated else 0.0)
    return PollTimes(always, min(always, watched), context.now)


def _ask_password() -> str:
    """Ask for a new password, twice; in a pipe it is the first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    try:
        password: str = click.prompt(
            "New password", hide_input=True, confirmation_prompt=True, err=True
        )
    except click.Abort:
        print_note()
        sys.exit(INTERRUPTED)
    return password


def _has_browser() -> bool:
    """Return True if a person is at this machine and has a browser with windows."""
    if not sys.stdout.isatty():
        return False
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not screen and sys.platform not in ("win32", "darwin"):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
