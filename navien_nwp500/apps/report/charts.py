"""Charts of a report, drawn by matplotlib: SVG for the page, or one PNG.

Lines break at gaps. A long recording is drawn as the band between the lowest and highest values of
short steps, so that no peak is lost.
"""

from __future__ import annotations

import io
import re
from typing import Any, Callable, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.dates import HOURLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...analysis.intervals import DAY_MS, HOUR_MS
from ...analysis.summary import Report
from ...history.alerts import LOW_CHARGE_PERCENT

#: Colours by meaning. The page turns each into a CSS variable, with another value in dark mode.
COLOURS = {
    "ink": "#1d2733",
    "soft": "#5d6b7a",
    "grid": "#dde3ea",
    "gap": "#e9edf1",
    "heat-pump": "#0b7f8e",
    "element": "#d9601a",
    "other": "#98a4b1",
    "upper": "#c23b4b",
    "lower": "#2c6cc6",
    "setpoint": "#7a5ea8",
}
#: Mean watts of an hour: the upper edge of each shade, and what it is called.
_SHADES = (
    (20, "#98a4b14d", "at rest"),
    (200, "#9fd0d4", "up to 200 W"),
    (350, "#4fa9b3", "to 350 W"),
    (600, "#0b6f7d", "to 600 W"),
    (2000, "#eda05f", "to 2 kW"),
    (20_000, "#c9480c", "above"),
)
#: More points than this are drawn as a band of as many steps.
_POINTS = 2500
_STEPS = 480


class Chart(NamedTuple):
    """One chart; ``draw`` fills a figure, or a part of one, of ``height`` inches."""

    name: str
    title: str
    draw: Callable[[Any, Report], None]
    height: float


def charts(report: Report) -> list[Chart]:
    """Return the charts for which the recording has values."""
    found = [
        Chart("energy", "Energy and coverage", _energy, 3.4),
        Chart("hours", "Power by day and hour", _strip, 3.6),
        Chart("profile", "An average day", _profile, 2.6),
        Chart("course", "Tank, charge and power", _course, 6.4),
    ]
    if report.statuses["showers_most"].notna().any():
        found.insert(3, Chart("showers", "Showers in the tank", _showers, 2.8))
    if report.prices is not None:
        found.insert(1, Chart("cost", "Cost", _cost, 2.6))
    return found


def svg(chart: Chart, report: Report, width: float) -> str:
    """Return a chart as an ``<svg>`` element drawn ``width`` inches wide, without a fixed size."""
    name = f"{chart.name}-{width:.0f}"
    style = {**_STYLE, "svg.fonttype": "none", "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, chart.height), layout="constrained")
        chart.draw(figure, report)
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return _for_page(text.getvalue(), name)


def png(report: Report) -> bytes:
    """Return all charts in one picture."""
    drawn = charts(report)
    heights = [chart.height for chart in drawn]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10, sum(heights) + 0.3 * len(drawn)), layout="constrained")
        parts = figure.subfigures(len(drawn), 1, height_ratios=heights, squeeze=False)[:, 0]
        for chart, part in zip(drawn, parts):
            part.suptitle(chart.title, x=0.01, ha="left", fontweight="bold")
            chart.draw(part, report)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


_STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.edgecolor": COLOURS["grid"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["grid"],
    "ytick.color": COLOURS["grid"],
    "xtick.labelcolor": COLOURS["soft"],
    "ytick.labelcolor": COLOURS["soft"],
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.2,
    "lines.solid_joinstyle": "round",
}


def _for_page(text: str, name: str) -> str:
    """Convert an SVG file to an element: no prolog, unique ids, colours as variables, fluid size."""
    element = text[text.index("<svg") :].strip()
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", element)
    for role, colour in COLOURS.items():
        element = element.replace(colour, f"var(--{role})")
    return element


def _energy(figure: Any, report: Report) -> None:
    bars = _bars(report)
    energy, coverage = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [5, 1]})
    bottom = np.zeros(len(bars))
    for part, label, role in (
        ("heat_pump_wh", "heat pump", "heat-pump"),
        ("element_wh", "element", "element"),
        ("other_wh", "rest", "other"),
    ):
        height = bars[part].to_numpy() / 1000
        _stack(energy, bars, height, bottom, role, label)
        bottom += height
    energy.set_ylabel(f"kWh a {bars.attrs['unit']}")
    energy.grid(axis="x", visible=False)
    _legend(energy, 3)
    coverage.bar(
        bars["start"], bars["coverage"] * 100, bars["width"], 0, align="edge", **_look("other")
    )
    coverage.set(ylim=(0, 100), yticks=[0, 100], ylabel="seen, %")
    coverage.grid(axis="x", visible=False)
    _dates(coverage)


def _cost(figure: Any, report: Report) -> None:
    bars = _bars(report)
    axes = figure.subplots()
    low, high = bars["cost_low"].to_numpy(), bars["cost_high"].to_numpy()
    ranged = bool((high - low).max() > 1e-9)
    _stack(axes, bars, low, np.zeros(len(bars)), "heat-pump", "lowest price" if ranged else None)
    if ranged:
        _stack(axes, bars, high - low, low, "other", "up to the highest price")
        _legend(axes, 2)
    axes.set_ylabel(f"cost a {bars.attrs['unit']}")
    axes.grid(axis="x", visible=False)
    _dates(axes)


def _strip(figure: Any, report: Report) -> None:
    axes = figure.subplots()
    hours = report.hours[report.hours["ms"] > 0]
    first, last = (int(edge(report.days["local"])) // DAY_MS for edge in (min, max))
    energy, known = np.zeros((2, 24, last - first + 1))
    place = (hours["local"] % DAY_MS // HOUR_MS, hours["local"] // DAY_MS - first)
    np.add.at(energy, place, hours["energy_wh"])
    np.add.at(known, place, hours["ms"] / HOUR_MS)
    power = np.divide(energy, known, out=np.full_like(energy, np.nan), where=known > 0)
    edges = [edge for edge, _, _ in _SHADES]
    colours = ListedColormap([colour for _, colour, _ in _SHADES]).with_extremes(bad=(0, 0, 0, 0))
    axes.imshow(
        np.ma.masked_invalid(power),
        cmap=colours,
        norm=BoundaryNorm([-1, *edges], len(edges)),
        extent=(first, last + 1, 24, 0),
        aspect="auto",
        interpolation="none",
    )
    axes.set(yticks=range(0, 25, 6), yticklabels=[f"{h:02d}:00" for h in range(0, 25, 6)])
    axes.grid(visible=False)
    _dates(axes)
    figure.legend(
        handles=[Patch(color=colour, label=label) for _, colour, label in _SHADES],
        loc="outside lower center",
        ncols=6 if _wide(figure) else 3,
        handlelength=1,
    )


def _profile(figure: Any, report: Report) -> None:
    axes = figure.subplots()
    hour = report.hours["local"] % DAY_MS // HOUR_MS
    sums = report.hours.groupby(hour)[["heat_pump_wh", "element_wh", "other_wh", "ms"]].sum()
    known = (sums.pop("ms") / HOUR_MS).replace(0, np.nan)
    watts = sums.div(known, axis=0).fillna(0)
    axes.bar(
        watts.index,
        watts["heat_pump_wh"],
        0.8,
        align="edge",
        label="heat pump",
        **_look("heat-pump"),
    )
    axes.bar(
        watts.index,
        watts["element_wh"],
        0.8,
        watts["heat_pump_wh"],
        align="edge",
        label="element",
        **_look("element"),
    )
    axes.set(xlim=(0, 24), ylabel="mean power, W", xticks=range(0, 25, 6))
    axes.set_xticklabels([f"{h:02d}:00" for h in range(0, 25, 6)])
    axes.grid(axis="x", visible=False)
    _legend(axes, 2)


def _showers(figure: Any, report: Report) -> None:
    axes = figure.subplots()
    days = report.days
    noon = _when(days["local"] + DAY_MS // 2)
    least, most = days["lowest_showers_least"], days["lowest_showers_most"]
    axes.bar(noon, most - least, 0.8, least, label="fewest of the day", **_look("other"))
    width = 2.5 if len(days) < 100 else 1
    for hour, role, shift in (("06", "lower", -1), ("18", "upper", 1)):
        when = _when(days["local"] + DAY_MS // 2 + shift * DAY_MS // 8)
        least, most = days[f"showers_{hour}_least"], days[f"showers_{hour}_most"]
        label = f"at {hour}:00"
        axes.vlines(when, least, most, color=COLOURS[role], lw=width, label=label)
    axes.set(ylabel="showers", ylim=(0, None))
    axes.grid(axis="x", visible=False)
    _legend(axes, 3)
    _dates(axes)


def _course(figure: Any, report: Report) -> None:
    tank, charge, power = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [5, 3, 3]}
    )
    for column, role, label in (
        ("setpoint", "setpoint", "setpoint"),
        ("lower", "lower", "lower"),
        ("upper", "upper", "upper"),
    ):
        if report.statuses[column].notna().any():
            _trace(tank, report, report.statuses[column], role, label)
    tank.set_ylabel("tank, °C")
    fahrenheit = tank.secondary_yaxis(
        "right", functions=(lambda c: c * 1.8 + 32, lambda f: (f - 32) / 1.8)
    )
    fahrenheit.set_ylabel("°F")
    fahrenheit.spines["right"].set_visible(False)
    _legend(tank, 3)
    _trace(charge, report, report.statuses["charge"], "heat-pump", None)
    charge.axhline(LOW_CHARGE_PERCENT, color=COLOURS["element"], lw=0.8, ls=(0, (4, 3)))
    charge.set(ylabel="charge, %", ylim=(0, 104), yticks=[0, LOW_CHARGE_PERCENT, 50, 100])
    _trace(power, report, report.statuses["power"], "soft", None, steps=True)
    power.set(ylabel="power, W", ylim=(0, None))
    for axes in (tank, charge, power):
        _shade_gaps(axes, report)
    power.margins(x=0.005)
    _dates(power)


def _trace(
    axes: Any, report: Report, values: pd.Series, role: str, label: str | None, steps: bool = False
) -> None:
    """Draw a line that breaks at gaps; a band when there are very many points."""
    x, y = _clock(report), values.to_numpy(dtype=float)
    style: dict[str, Any] = {"color": COLOURS[role], "label": label}
    if len(x) <= _POINTS:
        breaks: Any = np.flatnonzero(~report.statuses["known"].to_numpy()[:-1]) + 1
        line: Any = (
            np.insert(x, breaks, x[breaks - 1] + np.timedelta64(1, "us")),
            np.insert(y, breaks, np.nan),
        )
        drawn = axes.plot(*line, drawstyle="steps-post" if steps else "default", **style)[0]
        alone = np.flatnonzero(np.diff(np.concatenate([[0], breaks, [len(x)]])) == 1)
        if len(alone):
            single = np.concatenate([[0], breaks])[alone]
            axes.plot(x[single], y[single], ".", ms=3, color=drawn.get_color())
        return
    edges, low, high = band(report.statuses, x, y)
    axes.fill_between(_when(edges), low, high, step="post", lw=0.7, alpha=0.85, **style)


def band(
    statuses: pd.DataFrame, x: np.ndarray, y: np.ndarray, steps: int = _STEPS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lowest and highest value of each of ``steps`` steps, NaN where unknown.

    A step without a status of its own has the value that is valid in it.
    """
    ms = (x - np.datetime64(0, "ms")).astype("int64")
    edges = np.linspace(ms[0], ms[-1] + 1, steps + 1).astype("int64")
    place = np.searchsorted(edges, ms, side="right") - 1
    found = pd.Series(y).groupby(place).agg(["min", "max"]).reindex(range(steps))
    before = np.searchsorted(ms, edges[:-1], side="right") - 1
    holds = np.where(statuses["known"].to_numpy()[before], y[before], np.nan)
    low, high = (found[edge].fillna(pd.Series(holds)).to_numpy() for edge in ("min", "max"))
    return edges, np.append(low, low[-1]), np.append(high, high[-1])


def _shade_gaps(axes: Any, report: Report) -> None:
    x, known = _clock(report), report.statuses["known"].to_numpy()[:-1]
    least = (x[-1] - x[0]) / 2000
    for row in np.flatnonzero(~known):
        # Too thin to see; the coverage and the list of gaps show it.
        if x[row + 1] - x[row] > least:
            axes.axvspan(x[row], x[row + 1], color=COLOURS["gap"], lw=0, zorder=0)


def _clock(report: Report) -> Any:
    """Return times with the first offset of the recording, so that time never runs back."""
    ms = report.statuses["ms"].to_numpy() + report.statuses["offset"].iloc[0]
    return _when(ms)


def _when(local_ms: Any) -> Any:
    return np.asarray(local_ms, dtype="int64").astype("datetime64[ms]")


def _bars(report: Report) -> pd.DataFrame:
    """Return days, or weeks or months of a long recording, with ``start`` and ``width`` in days."""
    days = report.days.set_index(pd.DatetimeIndex(_when(report.days["local"])))
    columns = ["heat_pump_wh", "element_wh", "other_wh", "ms", "length"]
    columns += [name for name in ("cost_low", "cost_high") if name in days]
    span = (days.index[-1] - days.index[0]).days
    unit, rule = (
        ("day", "D") if span <= 120 else ("week", "W-MON") if span <= 800 else ("month", "MS")
    )
    bars = days[columns].resample(rule, label="left", closed="left").sum()
    ends = (
        bars.index + pd.tseries.frequencies.to_offset(rule)
        if unit != "week"
        else bars.index + pd.Timedelta(days=7)
    )
    whole = np.maximum(bars["length"], (ends - bars.index) / pd.Timedelta(milliseconds=1))
    bars["coverage"] = (bars["ms"] / (bars["length"] if unit == "day" else whole)).fillna(0)
    bars["start"] = bars.index
    bars["width"] = (ends - bars.index) * 0.86
    bars.attrs["unit"] = unit
    return bars


def _stack(
    axes: Any, bars: pd.DataFrame, height: Any, bottom: Any, role: str, label: str | None
) -> None:
    axes.bar(bars["start"], height, bars["width"], bottom, align="edge", label=label, **_look(role))


def _look(role: str) -> dict[str, Any]:
    return {"color": COLOURS[role], "linewidth": 0}


def _legend(axes: Any, columns: int) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.2,
        columnspacing=1.2,
    )


def _dates(axes: Any) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=9 if _wide(axes.get_figure()) else 5)
    # Also once a day: otherwise matplotlib warns that it finds no step for two days on a narrow page.
    locator.intervald[HOURLY] = [1, 2, 3, 4, 6, 12, 24]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _wide(figure: Any) -> bool:
    return bool(figure.bbox.width / figure.dpi > 6)
