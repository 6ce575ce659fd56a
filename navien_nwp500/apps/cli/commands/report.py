"""The command ``report``."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence
from zoneinfo import ZoneInfo

import click

from ...._util.extras import missing_extra
from ...._util.files import display_path, write_atomically
from ....exceptions import ConfigurationError
from ....protocol.types import Volume
from ..database_option import DATABASE, database_files, open_store
from ..options import COLD, INPUT_FILE, JSON, OUTPUT_FILE, Number
from ..output import plain, print_note, print_result
from ..runner import run_async
from ..tariff_options import TARIFF, load_tariff
from ..zone import ZONE

if TYPE_CHECKING:
    from ....analysis.summary import Report
    from ....history.recordings import Recording
    from ...report.tables import KeyFigure

_VOLUMES = {volume.name.rpartition("_")[2]: volume for volume in Volume}


@click.command("report")
@click.argument("recordings", nargs=-1, type=INPUT_FILE, metavar="[FILE]...")
@DATABASE
@click.option(
    "--html",
    type=OUTPUT_FILE,
    help="Name of the HTML page.  [default: as the first FILE, or history.html]",
)
@click.option("--png", type=OUTPUT_FILE, help="Write all charts to one picture.")
@JSON
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@TARIFF
@ZONE
@click.option(
    "--heater", metavar="MAC", help="Last digits of the MAC address, to select one heater."
)
@click.option(
    "--tank", type=click.Choice(list(_VOLUMES)), help="Tank size in gallons, if not recorded."
)
@click.option(
    "--shower",
    metavar="LITRES",
    type=Number(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Litres of water at 40 degrees Celsius per shower.",
)
@COLD
@run_async
async def report_command(
    recordings: Sequence[Path],
    database: str | None,
    html: Path | None,
    png: Path | None,
    as_json: bool,
    as_markdown: bool,
    tariff: Path | None,
    zone: ZoneInfo | None,
    heater: str | None,
    tank: str | None,
    shower: float,
    cold: float,
    **prices: Any,
) -> None:
    """Summarize recordings of monitor --csv, with charts.

    Writes one HTML page that needs no network. With --json, --markdown or --png it writes the
    page only if --html is given. Recordings may overlap and have gaps. --database summarizes the
    history of monitor --database instead. Needs the extra "analysis". docs/PRICES.md shows where
    to get a tariff.

    Example: navien-nwp500 report tank.csv --tariff plan.json
    """
    if as_json and as_markdown:
        raise ConfigurationError("--json and --markdown both print to stdout: choose one")
    if bool(recordings) == (database is not None):
        raise ConfigurationError("name recordings, or --database, and not both")
    try:
        from ....analysis.summary import summarize
        from ....analysis.thermal import Assumptions
        from ...report.charts import png as draw_png
        from ...report.html import page
        from ...report.json_output import document
        from ...report.markdown import markdown
    except ModuleNotFoundError as error:
        raise ConfigurationError(missing_extra("a report", error.name, "analysis")) from error
    if html is None and not (as_json or as_markdown or png):
        html = recordings[0].with_suffix(".html") if recordings else Path("history.html")
    _check_outputs(
        [html, png], [*recordings, tariff, prices["holidays"], *database_files(database)]
    )
    recording = _load(recordings, database, zone, heater)
    known = ZoneInfo(recording.zone) if zone is None and recording.zone else zone
    source = load_tariff(tariff, known, **prices)
    assume = Assumptions(_VOLUMES.get(tank or ""), shower, cold)
    report = summarize(recording, assume, tariff=source)
    if html is not None:
        write_atomically(html, page(report).encode())
    if png is not None:
        write_atomically(png, draw_png(report))
    if as_json:
        print_result(json.dumps(document(report), indent=2, allow_nan=False))
    elif as_markdown:
        print_result(markdown(report), end="")
    else:
        print_note("\n".join(_lines(report)))
    for path in (html, png):
        if path is not None:
            print_note(f"{'written':15} {display_path(path)}")


def _load(
    recordings: Sequence[Path], database: str | None, zone: ZoneInfo | None, heater: str | None
) -> Recording:
    from ....history.recordings import load, load_history

    if database is None:
        return load(recordings, zone=zone, heater=heater)
    with open_store(database) as store:
        return load_history(store, zone=zone, heater=heater)


def _check_outputs(outputs: Sequence[Path | None], inputs: Sequence[Path | None]) -> None:
    """Raise ConfigurationError if a file would be written over another one of the command."""
    taken = [path for path in inputs if path is not None]
    for path in outputs:
        if path is None:
            continue
        if any(_same(path, other) for other in taken):
            raise ConfigurationError(
                f"{display_path(path)} is another file of this command; name the output, for "
                "example with --html report.html"
            )
        taken.append(path)


def _same(path: Path, other: Path) -> bool:
    # The file system decides whether names differ in case alone.
    return (
        path.samefile(other)
        if path.exists() and other.exists()
        else path.resolve() == other.resolve()
    )


def _lines(report: Report) -> Iterator[str]:
    from ...report.notes import data_notes
    from ...report.tables import facts

    yield from map(_format, facts(report))
    for note in data_notes(report):
        yield textwrap.fill(note, 80, initial_indent=f"{'note':15} ", subsequent_indent=" " * 16)


def _format(fact: KeyFigure) -> str:
    text = f"{fact.name:15} {plain(fact.value, sys.stderr):>10}  "
    return textwrap.fill(fact.note, 80, initial_indent=text, subsequent_indent=" " * 28)
