"""Draw the pictures of the README: ``make pictures``.

The data are a fixed day and a fixed week of a simulated heater, without a cloud. The live view and the
report of the program draw them. A headless Chromium takes the pictures of the report and the dashboard;
without Chromium that of the report holds the charts of ``report --png``, and those of the dashboard stay.
"""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import fleet_chart
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from navien_nwp500.analysis.summary import summarize
from navien_nwp500.analysis.thermal import Assumptions
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.apps.report.charts import png
from navien_nwp500.apps.report.html import page
from navien_nwp500.history.alerts import AlertWatch
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.recordings import load
from navien_nwp500.simulator import Heater

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
#: A Monday in winter, in the time zone of the heater.
START = datetime(2026, 1, 12, tzinfo=timezone(timedelta(hours=-5)))
POLL = 300
DAY = 86400 // POLL
#: Polls until half past nine of the second day, while the heater recovers from the morning.
MORNING = DAY + 19 * DAY // 48
WIDTH = 84
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Size of the browser window in pixels.
SCREEN = (1000, 812)

THEME = TerminalTheme(
    (16, 20, 27),
    (214, 220, 228),
    [(16, 20, 27), (235, 96, 88), (88, 196, 120), (240, 190, 80)]
    + [(96, 156, 240), (190, 130, 230), (90, 200, 210), (214, 220, 228)],
)
#: Fonts of the system; the SVG of Rich would load one from the network.
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def live_view() -> str:
    """Return the live view of a morning as SVG."""
    heater = Heater(now=START, seed=7)
    quiet = Console(file=io.StringIO(), width=WIDTH, force_terminal=True)
    view, alerts = LiveView("NWP500", console=quiet), AlertWatch()
    for _ in range(MORNING):
        heater.advance(POLL)
        status = heater.status()
        view.show_status(status, heater.now, alerts.check(status))
    console = Console(
        file=io.StringIO(), width=WIDTH, record=True, force_terminal=True, color_system="truecolor"
    )
    console.print(view)
    svg = console.export_svg(title="navien-nwp500 monitor", theme=THEME, unique_id="live")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    # Larger than the line spacing, so that the blocks of tank and graphs touch.
    svg = svg.replace("font-size: 20px", "font-size: 21.4px")
    svg = re.sub(r"font-family: [^;]+;", f"font-family: {FONTS};", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def report(folder: Path, picture: Path) -> None:
    """Write the picture of the report of a week."""
    heater = Heater(now=START, seed=7)
    recording = folder / "week.csv"
    with CsvRecorder(recording) as recorder:
        for _ in range(7 * DAY):
            heater.advance(POLL)
            recorder.write(heater.status(), heater.now)
    found = summarize(load([recording]), Assumptions(), None)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        picture.write_bytes(png(found))
        return
    html = folder / "week.html"
    html.write_text(page(found), "utf-8")
    words = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}"]
    # As root in a container, Chromium starts only without its sandbox; the page is our own.
    words += ["--no-sandbox", f"--window-size={SCREEN[0]},{SCREEN[1]}"]
    done = subprocess.run(
        [browser, *words, f"--screenshot={picture}", html.as_uri()],
        capture_output=True,
        timeout=120,
    )
    if done.returncode or not picture.exists():
        sys.exit(f"{browser} made no picture:\n{done.stderr.decode(errors='replace')}")


def dashboard(folder: Path) -> None:
    """Write the pictures of the dashboard."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from dashboard_pictures import draw
    except ModuleNotFoundError as error:
        print(f"the pictures of the dashboard stay: {error.name} is not installed", file=sys.stderr)
        return
    if browser is None:
        print("the pictures of the dashboard stay: chromium is not installed", file=sys.stderr)
        return
    asyncio.run(draw(folder, browser, FOLDER / "dashboard.png", FOLDER / "dashboard_phone.png"))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "live.svg").write_text(live_view(), "utf-8")
    fleet_chart.main()
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), FOLDER / "report.png")
        dashboard(Path(folder))
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.stat().st_size / 1000:6.0f} kB  {path.name}")


if __name__ == "__main__":
    main()
