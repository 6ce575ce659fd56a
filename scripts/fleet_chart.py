"""Chart of what a fleet costs from 1 to 3,000 accounts, drawn from ``benchmarks/fleet_growth.csv``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from navien_nwp500.apps.report.charts import COLOURS

MEASURED = Path(__file__).parents[1] / "benchmarks" / "fleet_growth.csv"
#: Colours by meaning, on a light and on a dark page. The chart brings its own paper.
LIGHT = {"paper": "#fefefe", **{name: COLOURS[name] for name in ("ink", "soft", "grid")}}
LIGHT |= {"first": COLOURS["heat-pump"], "second": COLOURS["element"]}
DARK = {
    "paper": "#1a2129",
    "ink": "#e6ebf1",
    "soft": "#9fadbc",
    "grid": "#303b47",
    "first": "#38b6c4",
    "second": "#f08a4b",
}
_STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.titlecolor": LIGHT["ink"],
    "axes.edgecolor": LIGHT["soft"],
    "axes.facecolor": LIGHT["paper"],
    "figure.facecolor": LIGHT["paper"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": LIGHT["grid"],
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "svg.fonttype": "none",
    "svg.hashsalt": "fleet",
}
DAY_SECONDS = 86_400


def draw() -> str:
    """Return the chart as SVG, with other colours in dark mode."""
    with MEASURED.open(encoding="utf-8", newline="") as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
        memory, processor = figure.subplots(1, 2)
        accounts = [row["accounts"] for row in rows]
        megabytes = [row["megabytes"] for row in rows]
        _line(memory, accounts, megabytes, "first", "Memory of the process, MB")
        seconds = [row["cpu_percent"] / 100 * DAY_SECONDS / row["accounts"] for row in rows]
        _line(processor, accounts, seconds, "second", "Processor for each account, seconds a day")
        figure.supxlabel(
            f"accounts in one process, a heater each, polled every {rows[0]['interval']:g} s",
            fontsize=10,
        )
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    return _with_dark_mode(text.getvalue())


def _line(
    axes: Any, accounts: Sequence[float], values: Sequence[float], colour: str, title: str
) -> None:
    axes.plot(accounts, values, color=LIGHT[colour], marker="o", markersize=5)
    axes.set(xscale="log", yscale="log", ylim=(min(values) / 1.6, max(values) * 2))
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    axes.set_xticks(accounts, [f"{one:,.0f}" for one in accounts])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.08)
    beside = -7 if values[-1] > values[0] else 7  # where the line is not
    for at, value in zip(accounts, values):
        place = {"xytext": (beside, 7), "textcoords": "offset points", "ha": "center"}
        axes.annotate(label(value), (at, value), fontsize=9, **place)


def label(value: float) -> str:
    """Return a value as it stands at its point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _with_dark_mode(text: str) -> str:
    """Let a style sheet choose the colours."""
    element = text[text.index("<svg") :]
    for name, colour in LIGHT.items():
        element = element.replace(colour, f"var(--{name})")
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in palette.items())
        for palette in (LIGHT, DARK)
    )
    style = f"<style>svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    head, end, rest = element.partition(">")
    lines = (head + end + style + rest).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    picture = MEASURED.parents[1] / "docs" / "pictures" / "fleet.svg"
    picture.write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
