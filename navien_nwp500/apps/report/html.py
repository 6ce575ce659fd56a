"""A report as one HTML file without scripts or network, for phones, dark mode and screen readers."""

from __future__ import annotations

from html import escape
from typing import Iterator

from ...analysis.summary import Report
from .charts import COLOURS, Chart, charts, svg
from .notes import notes
from .tables import KeyFigure, ReportTable, facts, hourly, tables, title

#: Inches. Each chart is drawn twice, so that its text is readable on a wide and a narrow screen.
_WIDE, _NARROW = 9.6, 4.2
#: A table with more rows is folded away.
_OPEN_ROWS = 31

_DARK = {
    "ink": "#e6ebf1",
    "soft": "#9fadbc",
    "grid": "#303b47",
    "gap": "#232c36",
    "heat-pump": "#38b6c4",
    "element": "#f08a4b",
    "other": "#6f7d8b",
    "upper": "#f0717f",
    "lower": "#74a7f2",
    "setpoint": "#b59ae0",
}

_STYLE = """
:root { color-scheme: light dark; --paper: #f6f8fa; --card: #fff; LIGHT }
@media (prefers-color-scheme: dark) { :root { --paper: #11161c; --card: #1a2129; DARK } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1rem 3rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 }
h2 { font-size: 1.1rem; margin: 0 0 .5rem }
p, .notes { color: var(--soft) }
header p { margin: .25rem 0 1.25rem; overflow-wrap: anywhere }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); gap: .75rem;
  margin: 0 0 1.25rem }
.facts div, section, figure { background: var(--card); border: 1px solid var(--grid);
  border-radius: .6rem; padding: .8rem 1rem }
.facts dt { color: var(--soft); font-size: .85rem }
.facts dd { margin: 0 }
.facts .value { font-size: 1.5rem; font-weight: 600; line-height: 1.3 }
.facts .note { color: var(--soft); font-size: .85rem; line-height: 1.35 }
section, figure { margin: 0 0 1.25rem }
figcaption { color: var(--soft); font-size: .9rem }
svg { display: block; width: 100%; height: auto }
svg text { font-family: inherit !important }
.narrow { display: none }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--grid) }
thead th { color: var(--soft); font-weight: 500; white-space: normal; vertical-align: bottom }
tbody th { font-weight: 500 }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card) }
summary { cursor: pointer; padding: .2rem 0 }
section > p { margin: 0 0 .5rem; font-size: .9rem }
.notes { font-size: .9rem; padding-left: 1.2rem; margin: 0; overflow-wrap: anywhere }
@media (max-width: 40rem) {
  body { padding: 1rem .6rem 2rem }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .5rem }
  .facts div, section, figure { padding: .6rem .7rem }
  .wide { display: none }
  .narrow { display: block }
}
@media print { body { background: none } section, figure { break-inside: avoid } }
"""

_ABOUT = {
    "energy": "Energy of heat pump, element and the rest; below, how much of the time was seen.",
    "cost": "What the energy cost by the tariff.",
    "hours": "Each column is a day, each row an hour; the shade is the mean power of the hour. "
    "Blank: nothing seen.",
    "profile": "Mean power at each hour of the day, over all days.",
    "showers": "Showers in the tank without heating: the fewest of each day, and those at 06:00 "
    "and 18:00, each from the least to the most that is likely.",
    "course": "Temperatures of the tank with the setpoint, the charge with its limit of 20 %, and "
    "the power. Lines break, on grey, where nothing was seen.",
}


def page(report: Report) -> str:
    """Return the whole page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    named = f"Water heater, {escape(title(report))}"
    files = ", ".join(escape(source.name) for source in report.recording.sources)
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # Nothing is fetched, whatever the recordings contain.
    yield '<meta http-equiv="Content-Security-Policy" '
    yield "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    yield f"<title>{named}</title><style>{_style()}</style></head><body>"
    yield f"<header><h1>{named}</h1><p>From {files}</p></header><main>"
    yield f'<dl class="facts">{"".join(map(_fact, facts(report)))}</dl>'
    for chart in charts(report):
        yield _figure(chart, report)
    for table in tables(report):
        yield _section(table)
    yield "<section><h2>Hours</h2><p>The last days, hour by hour.</p>"
    for table in hourly(report):
        yield f"<details><summary>{escape(table.name)}</summary>{_table(table)}</details>"
    yield '</section><section><h2>Notes</h2><ul class="notes">'
    yield from (f"<li>{escape(note)}</li>" for note in notes(report))
    yield "</ul></section></main></body></html>"


def _style() -> str:
    light, dark = (
        " ".join(f"--{role}: {colour};" for role, colour in palette.items())
        for palette in (COLOURS, _DARK)
    )
    return _STYLE.replace("LIGHT", light).replace("DARK", dark)


def _fact(fact: KeyFigure) -> str:
    return (
        f'<div><dt>{escape(fact.name)}</dt><dd class="value">{escape(fact.value)}</dd>'
        f'<dd class="note">{escape(fact.note)}</dd></div>'
    )


def _figure(chart: Chart, report: Report) -> str:
    drawn = "".join(
        _named(svg(chart, report, width), f"{chart.name}-{size}", size, chart)
        for size, width in (("wide", _WIDE), ("narrow", _NARROW))
    )
    about = escape(_ABOUT[chart.name])
    return f"<figure><h2>{escape(chart.title)}</h2>{drawn}<figcaption>{about}</figcaption></figure>"


def _named(element: str, name: str, size: str, chart: Chart) -> str:
    """Add a title and description for screen readers; the numbers are in the tables."""
    start, end = f'<svg class="{size}" role="img" aria-labelledby="{name}-t {name}-d"', ">"
    head, _, body = element[len("<svg") :].partition(end)
    words = (
        f'<title id="{name}-t">{escape(chart.title)}</title>'
        f'<desc id="{name}-d">{escape(_ABOUT[chart.name])} The tables below have the numbers.</desc>'
    )
    return f"{start}{head}{end}{words}{body}"


def _section(table: ReportTable) -> str:
    named = f"<h2>{escape(table.name)}</h2>"
    if not table.rows:
        return f"<section>{named}<p>None.</p></section>"
    body = _table(table)
    if len(table.rows) > _OPEN_ROWS:
        body = f"<details><summary>{len(table.rows)} rows</summary>{body}</details>"
    return f"<section>{named}<p>{escape(table.note)}</p>{body}</section>"


def _table(table: ReportTable) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    # Focusable, so that a keyboard can scroll it.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
