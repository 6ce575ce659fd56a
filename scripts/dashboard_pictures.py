"""Pictures of the dashboard's page: a wide window, and a phone in the dark.

A simulated heater has a past of four weeks; the page shows the last whole one.
"""

from __future__ import annotations

import asyncio
import io
import os
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image
from playwright.async_api import Browser, async_playwright

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.cli.simulated_past import simulator_with_past
from navien_nwp500.apps.dashboard.access import AccessFolder
from navien_nwp500.apps.dashboard.api import DashboardSettings
from navien_nwp500.apps.dashboard.request_checks import PublicPlace
from navien_nwp500.apps.dashboard.watched_heater import PollTimes
from navien_nwp500.apps.dashboard.web_server import listen_on, open_dashboard
from navien_nwp500.history.schema import to_ms
from navien_nwp500.simulator import Simulator

ZONE = ZoneInfo("America/New_York")
#: A Tuesday morning, and a time of the week before.
NOW = datetime(2026, 1, 20, 9, 0, tzinfo=ZONE)
SHOWN = NOW - timedelta(days=4)
PAST_DAYS = 28
#: Colours of a picture: it stays small, and nobody sees the difference.
COLOURS = 200
WIDE = {"viewport": {"width": 1200, "height": 860}, "color_scheme": "light"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "is_mobile": True,
}


async def draw(folder: Path, chromium: str, wide: Path, phone: Path) -> None:
    """Write both pictures; ``folder`` is a temporary one, ``chromium`` the program."""
    database = str(folder / "history.db")
    make = partial(Simulator, speed=600)
    simulator = await simulator_with_past(make, database, days=PAST_DAYS, zone=ZONE, today=NOW)
    simulator.clock.freeze()
    access = AccessFolder(folder / "access")
    async with simulator, NaviLinkClient(simulator.config) as client:
        listening = listen_on("127.0.0.1", 0)
        page = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        async with open_dashboard(
            await client.get_devices(),
            listening,
            database=database,
            access=access,
            settings=DashboardSettings(PublicPlace.direct((), loopback=True)),
            times=PollTimes(300.0, 30.0, simulator.clock.now),
            zone=ZONE,
        ) as dashboard:
            recording = asyncio.create_task(dashboard.run())
            async with async_playwright() as playwright:
                words = ["--no-sandbox"] if hasattr(os, "geteuid") and not os.geteuid() else []
                browser = await playwright.chromium.launch(executable_path=chromium, args=words)
                for picture, look in ((wide, WIDE), (phone, PHONE)):
                    address = f"{page}#token={access.new_token()}&span=week&at={to_ms(SHOWN)}"
                    picture.write_bytes(await _picture(browser, address, look))
                await browser.close()
            await cancel_and_wait(recording)


async def _picture(browser: Browser, address: str, look: dict[str, Any]) -> bytes:
    context = await browser.new_context(reduced_motion="reduce", **look)
    page = await context.new_page()
    await page.goto(address)
    await page.wait_for_selector("#facts dd")
    await page.wait_for_selector("#controls button")
    await page.wait_for_selector("#runs button")
    image = Image.open(io.BytesIO(await page.screenshot()))
    await context.close()
    small = io.BytesIO()
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()
