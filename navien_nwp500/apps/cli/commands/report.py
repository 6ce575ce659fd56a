"""``report``: what recordings of the monitor came to."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import click

from ...._util.extras import missing_extra
from ...._util.files import write_atomically
from ....exceptions import ConfigurationError, ValueOutOfRangeError
from ....protocol.types import Volume
from ..options import JSON
from ..runner import run
from .tou import read_plan

if TYPE_CHECKING:
    from ...report.tables import KeyFigure

_FILE = click.Path(dir_okay=False, path_type=Path)
_SIZES = {volume.name.rpartition("_")[2]: volume for volume in Volume}


@click.command()
@click.argument(
    "recordings",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@click.option("--html", type=_FILE, help="Where the page goes.  [default: the first FILE's name]")
@click.option("--png", type=_FILE, help="All charts in one picture.")
@JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Markdown, on stdout.")
@click.option(
    "--tariff",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Prices by month, weekday and time, as tou set takes them.",
)
@click.option("--tank", type=click.Choice(list(_SIZES)), help="Its gallons, when not recorded.")
@click.option(
    "--shower",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Litres a shower takes, at 40 °C.",
)
@click.option(
    "--cold",
    type=click.FloatRange(0, 35),
    default=15.0,
    show_default=True,
    help="Mains water, °C.",
)
def report(**options: Any) -> None:
    """Sum up recordings of monitor --csv, on a page with charts.

    Recordings may overlap and have gaps. One page is written, readable anywhere without a
    network; with --json, --markdown or --png alone, none. A tariff is a file as tou set takes
    it, or as tou show --json prints it. Needs the extra "analysis".

    Example: navien-nwp500 report tank.csv --tariff plan.json
    """
    run(write(**options))


async def write(
    recordings: Sequence[Path],
    html: Path | None,
    png: Path | None,
    as_json: bool,
    as_markdown: bool,
    tariff: Path | None,
    tank: str | None,
    shower: float,
    cold: float,
) -> None:
    """Read, sum up, and write each form asked for; nothing is written when reading fails."""
    if as_json and as_markdown:
        raise ConfigurationError("--json and --markdown both go to stdout: name one")
    try:
        from ....analysis.summary import summarize
        from ....analysis.thermal import Assumptions
        from ....history.recordings import load
        from ...report.charts import png as picture
        from ...report.html import page
        from ...report.json_output import document
        from ...report.markdown import markdown
        from ...report.tables import facts
    except ModuleNotFoundError as error:
        raise ConfigurationError(missing_extra("a report", error.name, "analysis")) from error
    for path in (html, png):
        if path is not None and any(path.resolve() == each.resolve() for each in recordings):
            raise ConfigurationError(f"{path} is one of the recordings; name another file")
    recording = load(recordings)
    periods = None if tariff is None else read_plan(tariff)
    try:
        found = summarize(recording, Assumptions(_SIZES.get(tank or ""), shower, cold), periods)
    except ValueOutOfRangeError as error:
        raise ConfigurationError(f"{tariff}: {error}") from error
    if html is None and not (as_json or as_markdown or png):
        html = recordings[0].with_suffix(".html")
    if html is not None:
        write_atomically(html, page(found).encode())
    if png is not None:
        write_atomically(png, picture(found))
    if as_json:
        print(json.dumps(document(found), indent=2, allow_nan=False))
    elif as_markdown:
        print(markdown(found), end="")
    else:
        print("\n".join(_said(fact) for fact in facts(found)), file=sys.stderr)
    for path in (html, png):
        if path is not None:
            print(f"{'written':15} {path}", file=sys.stderr)


def _said(fact: KeyFigure) -> str:
    text = f"{fact.name:15} {fact.value:>10}  "
    return textwrap.fill(fact.note, 80, initial_indent=text, subsequent_indent=" " * 28)
